//! What people have to hear of a target, and whether they have. Pure.
//!
//! The record keeps news until they are published, as it keeps writes: a process may end before, and a sweep publishes
//! the news of all its accounts together at its end.
//!
//! | a look finds | the record had | it has now |
//! | --- | --- | --- |
//! | trouble | no trouble, or trouble of another kind or code | that trouble, not published |
//! | trouble | the same | what it had |
//! | trouble that may pass by itself | trouble | what it had: it isn't over |
//! | the target as it should be | trouble | none: a later one is news again |
//! | anything else, such as a count that is under way | trouble | what it had |
//! | a repair that people have to hear of | – | that as well, until it is published |

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountRecord, Record, State};
use crate::ids::Region;

/// How long trouble lasts, in seconds, before people hear of it that may pass by itself.
pub const PASSES_WITHIN_SECONDS: i64 = 3600;

/// How long before a repair an event may have happened, in seconds, that announced what was repaired and came late.
const ANNOUNCED_WITHIN_SECONDS: i64 = 900;

/// The event that led to a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// When it happened.
    pub at: Timestamp,
    /// Its id in CloudTrail, where it is about a change in the keeper's name that the record does not know.
    pub in_our_name: Option<String>,
}

/// The code of what was changed in the keeper's name.
pub const IN_OUR_NAME: &str = "in_our_name";

/// Longer sentences are cut: there are several news of a target, and many targets of an account.
const TEXT_KEPT: usize = 200;

/// What kind of news it is, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewsKind {
    /// An enforcement was changed or removed in the keeper's name, and the record has no such write.
    InOurName,
    /// What is enforced can't be used.
    Broken,
    /// A guardrail is wanted, and what was enforced was released because it can't be used.
    Unguarded,
    /// A control says that the account is about to leave, so what is ours there is released.
    Leaving,
    /// The member role may admit others than the function, so that they can act in the keeper's name.
    MemberRole,
    /// A write failed.
    Failed,
    /// Something should be written, and isn't.
    Held,
    /// A sweep found a change and repaired it, and no event had announced the change.
    Unannounced,
    /// The keeper no longer guards the target, as nothing is wanted there any more.
    Ended,
}

impl NewsKind {
    /// Whether it is about how the target is, and not about something that happened.
    pub fn is_trouble(self) -> bool {
        match self {
            NewsKind::Broken | NewsKind::Unguarded | NewsKind::Failed | NewsKind::Held => true,
            NewsKind::InOurName
            | NewsKind::Leaving
            | NewsKind::MemberRole
            | NewsKind::Unannounced
            | NewsKind::Ended => false,
        }
    }

    /// Whether it can't wait for the end of a sweep, however many messages there were lately.
    pub fn is_urgent(self) -> bool {
        self == NewsKind::InOurName
    }
}

/// News of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    /// What kind.
    pub kind: NewsKind,
    /// The kind of reason: a short stable name.
    pub code: String,
    /// The same in words.
    pub text: String,
    /// When it was first so, or when it happened.
    pub since: Timestamp,
    /// The principal behind it, as far as AWS says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Whether it may pass by itself. Then people hear of it only if it lasts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waits: bool,
    /// Whether it is published.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub published: bool,
}

/// Which news of a target was published.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NewsId {
    /// The Region.
    pub region: Region,
    /// What kind.
    pub kind: NewsKind,
    /// The kind of reason.
    pub code: String,
    /// Since when.
    pub since: Timestamp,
}

impl News {
    /// News that is not published yet.
    pub fn new(kind: NewsKind, code: String, text: &str, since: Timestamp) -> News {
        let text = match text.char_indices().nth(TEXT_KEPT) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text.to_owned(),
        };
        News { kind, code, text, since, by: None, waits: false, published: false }
    }

    /// Whether people have to hear of it now.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let lasts = now.as_second() - self.since.as_second() >= PASSES_WITHIN_SECONDS;
        !self.published && (!self.waits || lasts)
    }

    /// What it is known by.
    pub fn id(&self, region: &Region) -> NewsId {
        NewsId { region: region.clone(), kind: self.kind, code: self.code.clone(), since: self.since }
    }
}

impl Record {
    /// Takes note of what a look found that people have to hear of. `announced` is the event that led to the look.
    pub(super) fn hear(&mut self, found: Vec<News>, state: State, announced: Option<Announcement>) {
        if let Some(announced) = announced {
            self.hear_of_a_late_event(&announced);
        }
        let is_over = match state {
            State::Enforced | State::Replaced | State::Released | State::InSync | State::LeftAlone => true,
            State::Copied
            | State::WouldEnforce
            | State::WouldReplace
            | State::WouldRelease
            | State::WouldAbandon
            | State::Held
            | State::Failed
            | State::Broken => false,
        };
        if is_over && !found.iter().any(|news| news.kind.is_trouble()) {
            self.news.retain(|news| !news.kind.is_trouble());
        }
        for news in found {
            let same_sort =
                |known: &News| known.kind == news.kind || known.kind.is_trouble() && news.kind.is_trouble();
            let known = self.news.iter().position(same_sort);
            let stays = known.is_some_and(|at| self.news[at].outlasts(&news));
            if !stays {
                self.news.retain(|known| !same_sort(known));
                self.news.push(news);
            }
        }
    }

    /// The event came after all, only later than the sweep that repaired the change. One in the keeper's name tells who it was.
    fn hear_of_a_late_event(&mut self, Announcement { at, in_our_name }: &Announcement) {
        let early = |news: &News| news.since.as_second() - at.as_second();
        let Some(event) = in_our_name else {
            self.news.retain(|news| {
                news.kind != NewsKind::Unannounced || !(0..=ANNOUNCED_WITHIN_SECONDS).contains(&early(news))
            });
            return;
        };
        let is_repaired = |news: &News| news.kind == NewsKind::Unannounced && early(news) >= 0;
        let Some(place) = self.news.iter().position(is_repaired) else { return };
        let News { text, since, by, .. } = self.news.remove(place);
        if self.news.iter().all(|news| news.kind != NewsKind::InOurName) {
            let text = format!("{text}; CloudTrail's event: {event}");
            let news = News::new(NewsKind::InOurName, IN_OUR_NAME.to_owned(), &text, since);
            self.news.push(News { by, ..news });
        }
    }

    /// What people have to hear of now.
    pub fn due_news(&self, now: Timestamp) -> impl Iterator<Item = &News> {
        self.news.iter().filter(move |news| news.is_due(now))
    }

    /// Takes note that news was published. What happened is done with; of trouble the record knows that it is no news
    /// any more.
    fn note_published(&mut self, told: &NewsId) {
        let is_it = |news: &News| news.id(&told.region) == *told;
        self.news.retain(|news| news.kind.is_trouble() || !is_it(news));
        if let Some(news) = self.news.iter_mut().find(|news| is_it(news)) {
            news.published = true;
        }
    }
}

impl News {
    /// Whether it stays as it is although a look found this.
    fn outlasts(&self, found: &News) -> bool {
        self.kind.is_trouble() && (found.waits || self.kind == found.kind && self.code == found.code)
    }
}

impl AccountRecord {
    /// What people have to hear of the account's Regions now.
    pub fn due_news(&self, now: Timestamp) -> impl Iterator<Item = (&Region, &News)> {
        self.regions.iter().flat_map(move |(region, record)| record.due_news(now).map(move |it| (region, it)))
    }

    /// Takes note that these were published.
    pub fn note_published<'a>(&mut self, told: impl IntoIterator<Item = &'a NewsId>) {
        for told in told {
            if let Some(record) = self.regions.get_mut(&told.region) {
                record.note_published(told);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn here() -> Region {
        "eu-west-1".parse().unwrap()
    }

    fn news(kind: NewsKind, code: &str, second: i64) -> News {
        News::new(kind, code.to_owned(), "could not be read", at(second))
    }

    fn held(code: &str, second: i64) -> News {
        news(NewsKind::Held, code, second)
    }

    fn passing(code: &str, second: i64) -> News {
        News { waits: true, ..held(code, second) }
    }

    /// A record after some looks, each of which found one thing or nothing.
    fn looked(looks: impl IntoIterator<Item = (State, Option<News>)>) -> Record {
        let mut record = Record::default();
        for (state, found) in looks {
            record.hear(found.into_iter().collect(), state, None);
        }
        record
    }

    fn due(record: &Record, second: i64) -> Vec<(NewsKind, &str, i64)> {
        record.due_news(at(second)).map(|it| (it.kind, it.code.as_str(), it.since.as_second())).collect()
    }

    fn told(mut record: Record) -> Record {
        let ids: Vec<NewsId> = record.news.iter().map(|news| news.id(&here())).collect();
        ids.iter().for_each(|id| record.note_published(id));
        record
    }

    #[test]
    fn the_same_trouble_is_news_once() {
        let found = |second| (State::Held, Some(held("unreadable.denied", second)));
        let record = looked([found(1), found(2)]);
        assert_eq!(due(&record, 2), [(NewsKind::Held, "unreadable.denied", 1)]);
        let mut record = told(record);
        assert_eq!(due(&record, 2), []);
        record.hear(vec![held("unreadable.denied", 3)], State::Held, None);
        assert_eq!(due(&record, 4000), []);
        // For another reason, or of another kind, it is news.
        record.hear(vec![held("probe_failed.denied", 4)], State::Held, None);
        assert_eq!(due(&record, 4), [(NewsKind::Held, "probe_failed.denied", 4)]);
        record.hear(vec![news(NewsKind::Failed, "probe_failed.denied", 5)], State::Failed, None);
        assert_eq!(due(&record, 5), [(NewsKind::Failed, "probe_failed.denied", 5)]);
    }

    #[test]
    fn trouble_that_was_over_is_news_again() {
        let found = |second| (State::Held, Some(held("unreadable.denied", second)));
        for over in [State::InSync, State::Enforced, State::Replaced, State::Released, State::LeftAlone] {
            let mut record = told(looked([found(1)]));
            record.hear(vec![], over, None);
            assert!(record.news.is_empty());
            record.hear(vec![held("unreadable.denied", 9)], State::Held, None);
            assert_eq!(due(&record, 9), [(NewsKind::Held, "unreadable.denied", 9)]);
        }
        // A look that couldn't tell ends nothing.
        for not_over in [State::Held, State::Copied, State::WouldEnforce] {
            let mut record = told(looked([found(1)]));
            record.hear(vec![], not_over, None);
            record.hear(vec![held("unreadable.denied", 9)], State::Held, None);
            assert_eq!(due(&record, 9), []);
        }
    }

    #[test]
    fn what_may_pass_is_news_once_it_lasts() {
        let record = looked([
            (State::Held, Some(passing("unreadable.transient", 0))),
            (State::Held, Some(passing("probe_failed.transient", 1800))),
        ]);
        assert_eq!(due(&record, 3599), []);
        assert_eq!(due(&record, 3600), [(NewsKind::Held, "unreadable.transient", 0)]);
        // It doesn't hide what won't pass, and doesn't end what was there before.
        let mut record = looked([
            (State::Held, Some(passing("unreadable.transient", 0))),
            (State::Held, Some(held("unreadable.denied", 10))),
            (State::Held, Some(passing("unreadable.transient", 20))),
        ]);
        assert_eq!(due(&record, 20), [(NewsKind::Held, "unreadable.denied", 10)]);
        record = told(record);
        record.hear(vec![held("unreadable.denied", 30)], State::Held, None);
        assert_eq!(due(&record, 30), []);
    }

    #[test]
    fn what_happened_is_kept_beside_trouble_until_it_is_published() {
        let mut record = looked([
            (State::Replaced, Some(news(NewsKind::Unannounced, "repaired", 1))),
            (State::Held, Some(held("unreadable.denied", 2))),
            (State::InSync, None),
        ]);
        assert_eq!(due(&record, 3), [(NewsKind::Unannounced, "repaired", 1)]);
        record.hear(vec![news(NewsKind::InOurName, "in_our_name", 4)], State::Replaced, None);
        record.hear(vec![news(NewsKind::Unannounced, "repaired", 5)], State::Replaced, None);
        assert_eq!(record.news.len(), 2, "the latest of each kind: {:?}", record.news);
        assert!(told(record).news.is_empty());
    }

    #[test]
    fn an_event_that_came_after_the_sweep_announced_it_after_all() {
        for (happened, left) in
            [(Some(990), 0), (Some(1000), 0), (Some(1001), 1), (Some(100), 0), (Some(99), 1), (None, 1)]
        {
            let mut record = looked([(State::Replaced, Some(news(NewsKind::Unannounced, "repaired", 1000)))]);
            let announced = happened.map(|second| Announcement { at: at(second), in_our_name: None });
            record.hear(vec![], State::InSync, announced);
            assert_eq!(record.news.len(), left, "{happened:?}");
        }
    }

    /// A sweep repaired what somebody did in the keeper's name, before its event came: the event must not silence that.
    #[test]
    fn a_late_event_in_the_keepers_name_says_who_it_was() {
        let late = |happened| Announcement { at: at(happened), in_our_name: Some("event-7".to_owned()) };
        for (happened, expected) in
            [(990, NewsKind::InOurName), (-9000, NewsKind::InOurName), (1001, NewsKind::Unannounced)]
        {
            let mut record =
                looked([(State::Replaced, Some(news(NewsKind::Unannounced, "unannounced", 1000)))]);
            record.hear(vec![], State::InSync, Some(late(happened)));
            let [known] = &record.news[..] else { panic!("{:?}", record.news) };
            assert_eq!(known.kind, expected, "{happened}");
            assert_eq!(known.text.contains("event-7"), expected == NewsKind::InOurName, "{}", known.text);
        }
        // Of two, one is news.
        let mut record = looked([(State::Replaced, Some(news(NewsKind::Unannounced, "unannounced", 1000)))]);
        record.hear(vec![news(NewsKind::InOurName, IN_OUR_NAME, 2000)], State::Replaced, None);
        record.hear(vec![], State::InSync, Some(late(990)));
        assert_eq!(due(&record, 2000), [(NewsKind::InOurName, "in_our_name", 2000)]);
    }

    #[test]
    fn what_became_another_trouble_meanwhile_is_not_taken_for_published() {
        let mut account = AccountRecord::default();
        account.regions.insert(here(), looked([(State::Held, Some(held("unreadable.denied", 1)))]));
        let published: Vec<NewsId> = account.due_news(at(1)).map(|(region, news)| news.id(region)).collect();
        account.regions.insert(here(), looked([(State::Held, Some(held("probe_blocked", 2)))]));
        account.note_published(&published);
        assert_eq!(account.due_news(at(2)).count(), 1);
    }

    #[test]
    fn texts_are_bounded_and_records_of_earlier_versions_have_no_news() {
        let long = News::new(NewsKind::Held, "code".to_owned(), &"ü".repeat(5000), at(0));
        assert_eq!(long.text.chars().count(), TEXT_KEPT + 1);
        assert_eq!(serde_json::from_str::<Record>("{}").unwrap().news, []);
        let text = serde_json::to_string(&Record::default()).unwrap();
        assert!(!text.contains("news"), "{text}");
    }
}
