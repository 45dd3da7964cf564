//! Who may assume the member role of an account, as the keeper read it last. Pure.
//!
//! A principal that may assume the member role can act in the keeper's name. So the function reads the role's trust policy
//! about once a day, and publishes news if others than the hub may assume it:
//!
//! | the record had | read now | news |
//! | --- | --- | --- |
//! | anything | nobody besides the hub | – |
//! | nobody, or other principals | principals besides the hub | `trusts_others` |
//! | the same principals | the same | – |
//! | that it was read | AWS denies to read it | `trust_unread`, once |
//! | that reading failed for a day | reading fails again | `trust_unread`, once |

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AccountRecord, News, NewsKind};
use crate::failure::Failure;

/// How long a comparison counts, in seconds. A bit less than a day, so that hourly sweeps make one a day.
const COMPARED_EVERY_SECONDS: i64 = 23 * 3600;

/// How long after a failure the trust policy is read again, in seconds: while IAM doesn't answer, each try waits for it, and
/// a sweep has a try for each account.
const TRIED_EVERY_SECONDS: i64 = 6 * 3600;

/// How long a passing failure to read a trust policy lasts before people hear of it, in seconds.
const UNREAD_FOR_SECONDS: i64 = 24 * 3600;

/// How many principals are kept, and how many characters of each: whoever writes a trust policy chooses both.
const OUTSIDERS_KEPT: usize = 10;
const OUTSIDER_KEPT: usize = 150;

/// What the comparison of the member role's trust policy found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoleTrust {
    /// When it was read last. `None` where it never was.
    pub at: Option<Timestamp>,
    /// Whom it admits besides the hub, as far as the record keeps that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outsiders: Vec<String>,
    /// Since when it can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread_since: Option<Timestamp>,
    /// When reading it failed last. `None` where it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Timestamp>,
    /// Whether the news that it can't be read was made.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unread_told: bool,
}

impl RoleTrust {
    /// Whether nothing is known.
    pub fn is_none(&self) -> bool {
        *self == RoleTrust::default()
    }
}

impl AccountRecord {
    /// Whether the trust policy is to be read now. If others may assume the role, each sweep reads it, until they may not. An
    /// account without a recorded Region is left out, because its news would have no place.
    pub fn is_trust_due(&self, now: Timestamp) -> bool {
        let RoleTrust { at, outsiders, failed_at, .. } = &self.role_trust;
        let since = |at: Timestamp| now.as_second() - at.as_second();
        let is_due = match failed_at {
            Some(failed) => since(*failed) >= TRIED_EVERY_SECONDS,
            None => !outsiders.is_empty() || at.is_none_or(|at| since(at) >= COMPARED_EVERY_SECONDS),
        };
        is_due && !self.regions.is_empty()
    }

    /// Takes note of whom the trust policy admits besides the hub, or why it could not be read. Returns what people have to
    /// hear of it, in words. The news stand in one Region of the account; without any, nothing is noted.
    pub fn note_trust(&mut self, read: &Result<Vec<String>, Failure>, now: Timestamp) -> Option<String> {
        let record = self.regions.values_mut().next()?;
        let known = &mut self.role_trust;
        let (code, text) = match read {
            Ok(outsiders) => {
                let outsiders = bounded(outsiders);
                let is_news = !outsiders.is_empty() && outsiders != known.outsiders;
                let text = format!("the member role admits others besides the hub: {}", outsiders.join(", "));
                *known = RoleTrust { at: Some(now), outsiders, ..RoleTrust::default() };
                (is_news.then_some("trusts_others")?, text)
            }
            Err(failure) => {
                known.failed_at = Some(now);
                let since = *known.unread_since.get_or_insert(now);
                let lasts = now.as_second() - since.as_second() >= UNREAD_FOR_SECONDS;
                let is_news = !known.unread_told && (lasts || !failure.category.is_worth_waiting());
                known.unread_told |= is_news;
                let text = format!("whom the member role admits is not known: {failure}");
                (is_news.then_some("trust_unread")?, text)
            }
        };
        record.news.retain(|news| news.kind != NewsKind::MemberRole);
        record.news.push(News::new(NewsKind::MemberRole, code.to_owned(), &text, now));
        Some(text)
    }
}

/// What of the principals is kept.
fn bounded(outsiders: &[String]) -> Vec<String> {
    let short = |one: &String| one.chars().filter(|it| !it.is_control()).take(OUTSIDER_KEPT).collect();
    outsiders.iter().take(OUTSIDERS_KEPT).map(short).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Category;
    use crate::record::Record;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * 3600).unwrap()
    }

    fn looked_at() -> AccountRecord {
        let regions = ["eu-west-1", "us-east-1"].map(|region| (region.parse().unwrap(), Record::default()));
        AccountRecord { regions: regions.into(), ..AccountRecord::default() }
    }

    fn others(names: &[&str]) -> Result<Vec<String>, Failure> {
        Ok(names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn failed(category: Category) -> Result<Vec<String>, Failure> {
        Err(Failure::new(category, "GetRole", "no answer"))
    }

    fn codes(record: &AccountRecord, hour: i64) -> Vec<(String, String)> {
        record.due_news(at(hour)).map(|(region, news)| (region.to_string(), news.code.clone())).collect()
    }

    /// Publishes what is due.
    fn published(record: &mut AccountRecord, hour: i64) {
        let ids: Vec<_> = record.due_news(at(hour)).map(|(region, news)| news.id(region)).collect();
        record.note_published(&ids);
    }

    #[test]
    fn others_are_news_once_and_again_when_they_are_others() {
        let mut record = looked_at();
        assert_eq!(record.note_trust(&others(&[]), at(0)), None);
        assert_eq!(
            record.note_trust(&others(&["arn:x", "y"]), at(1)).unwrap(),
            "the member role admits others besides the hub: arn:x, y"
        );
        assert_eq!(codes(&record, 1), [("eu-west-1".to_owned(), "trusts_others".to_owned())]);
        published(&mut record, 1);
        assert_eq!(record.note_trust(&others(&["arn:x", "y"]), at(2)), None);
        assert_eq!(codes(&record, 99), []);
        assert!(record.note_trust(&others(&["arn:x"]), at(3)).is_some());
        published(&mut record, 3);
        assert_eq!(record.note_trust(&others(&[]), at(4)), None);
        assert!(record.note_trust(&others(&["arn:x"]), at(5)).is_some());
    }

    #[test]
    fn a_denial_is_news_at_once_and_what_may_pass_after_a_day() {
        let mut record = looked_at();
        assert!(record.note_trust(&failed(Category::Denied), at(0)).is_some());
        published(&mut record, 0);
        assert_eq!(record.note_trust(&failed(Category::Denied), at(1)), None);
        // It could be read in between.
        assert_eq!(record.note_trust(&others(&[]), at(2)), None);
        assert_eq!(record.note_trust(&failed(Category::Transient), at(3)), None);
        assert_eq!(record.note_trust(&failed(Category::Transient), at(26)), None);
        assert!(record.note_trust(&failed(Category::Transient), at(27)).is_some());
        assert_eq!(codes(&record, 27), [("eu-west-1".to_owned(), "trust_unread".to_owned())]);
        published(&mut record, 27);
        assert_eq!(record.note_trust(&failed(Category::Transient), at(28)), None);
    }

    /// Whom it admitted is known although it can't be read for a while: the same others are no news then.
    #[test]
    fn what_was_known_outlasts_a_failure() {
        let mut record = looked_at();
        assert!(record.note_trust(&others(&["x"]), at(0)).is_some());
        assert_eq!(record.note_trust(&failed(Category::Transient), at(1)), None);
        assert_eq!(record.note_trust(&others(&["x"]), at(2)), None);
    }

    #[test]
    fn it_is_compared_once_a_day_and_with_each_sweep_while_it_is_not_as_deployed() {
        let mut record = looked_at();
        assert!(record.is_trust_due(at(0)));
        record.note_trust(&others(&[]), at(0));
        assert!(!record.is_trust_due(at(22)) && record.is_trust_due(at(23)));
        record.note_trust(&others(&["x"]), at(23));
        assert!(record.is_trust_due(at(24)));
        record.note_trust(&others(&[]), at(24));
        // What doesn't answer isn't asked by each sweep.
        record.note_trust(&failed(Category::Transient), at(25));
        assert!(!record.is_trust_due(at(30)) && record.is_trust_due(at(31)));
        record.note_trust(&failed(Category::Transient), at(31));
        assert!(!record.is_trust_due(at(36)));
        record.note_trust(&others(&[]), at(37));
        assert!(!record.is_trust_due(at(43)));
        // Nothing can be noted of an account that nobody looked at.
        let mut unknown = AccountRecord::default();
        assert!(!unknown.is_trust_due(at(99)));
        assert_eq!(unknown.note_trust(&others(&["x"]), at(0)), None);
        assert_eq!(unknown, AccountRecord::default());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut record = looked_at();
        let many = vec![format!("evil\n{}", "x".repeat(5000)); 500];
        record.note_trust(&Ok(many), at(0));
        let kept = &record.role_trust.outsiders;
        assert_eq!((kept.len(), kept[0].len()), (OUTSIDERS_KEPT, OUTSIDER_KEPT));
        assert!(!kept[0].contains('\n'));
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<AccountRecord>(&text).unwrap(), record);
        assert!(!serde_json::to_string(&AccountRecord::default()).unwrap().contains("role_trust"));
    }
}
