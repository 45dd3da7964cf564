//! What people have to hear, put together: one message for a task or for a sweep, however many targets it is about.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::detail::{CauseDetail, plural};
use super::{Event, FORMAT, Kind};
use crate::ids::{AccountId, Region, Target};
use crate::record::{News, NewsId, NewsKind};
use crate::task::Cause;

/// How many kinds of news one message names, and how many targets of each. With the longest ids, reasons and principals
/// that is far below the 256 KB that EventBridge and SNS take; the message says how many more there are.
const GROUPS_NAMED: usize = 10;
const TARGETS_NAMED: usize = 25;

/// How long a principal is at most in a message.
const PRINCIPAL_KEPT: usize = 150;

/// News of targets, by kind and reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttentionNews {
    groups: BTreeMap<(NewsKind, String), NewsGroup>,
    /// Everything that counts as published once the message is.
    ids: BTreeMap<AccountId, BTreeSet<NewsId>>,
}

/// News of one kind for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
struct NewsGroup {
    /// In words: of the first target.
    text: String,
    targets: usize,
    accounts: BTreeSet<AccountId>,
    named: Vec<(Target, News)>,
}

#[derive(Serialize)]
struct AttentionDetail<'a> {
    version: u32,
    summary: String,
    reason: AttentionReason,
    targets_in_all: usize,
    accounts_in_all: usize,
    news: Vec<GroupDetail<'a>>,
    whole_organization: bool,
    cause: CauseDetail<'a>,
}

#[derive(Serialize)]
struct AttentionReason {
    code: String,
    text: String,
}

#[derive(Serialize)]
struct GroupDetail<'a> {
    kind: NewsKind,
    reason: AttentionReason,
    targets_in_all: usize,
    targets: Vec<NamedTarget<'a>>,
}

#[derive(Serialize)]
struct NamedTarget<'a> {
    account: &'a AccountId,
    region: &'a Region,
    since: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
}

impl AttentionNews {
    /// Adds news of a target. `is_covered` says that another message has it.
    pub fn add(&mut self, target: &Target, news: &News, is_covered: bool) {
        self.ids.entry(target.account.clone()).or_default().insert(news.id(&target.region));
        if is_covered {
            return;
        }
        let group = self.groups.entry((news.kind, news.code.clone())).or_insert_with(|| NewsGroup {
            text: news.text.clone(),
            targets: 0,
            accounts: BTreeSet::new(),
            named: Vec::new(),
        });
        group.targets += 1;
        group.accounts.insert(target.account.clone());
        group.name(target, news);
    }

    /// Whether there is something to say.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// How many targets it is about.
    pub fn targets(&self) -> usize {
        self.groups.values().map(|group| group.targets).sum()
    }

    /// What counts as published once the message is, by account.
    pub fn ids(&self) -> &BTreeMap<AccountId, BTreeSet<NewsId>> {
        &self.ids
    }

    /// The event; `None` where there is nothing to say. `whole` says that every account was looked at.
    pub fn event(&self, cause: &Cause, whole: bool, now: Timestamp) -> Option<Event> {
        let ((_, code), _) = self.groups.first_key_value()?;
        let accounts: BTreeSet<&AccountId> = self.groups.values().flat_map(|group| &group.accounts).collect();
        let named = self.groups.iter().take(GROUPS_NAMED);
        let detail = AttentionDetail {
            version: FORMAT,
            summary: self.summary(accounts.len()),
            reason: AttentionReason { code: code.clone(), text: self.text() },
            targets_in_all: self.targets(),
            accounts_in_all: accounts.len(),
            news: named.map(|((kind, code), group)| group.detail(*kind, code)).collect(),
            whole_organization: whole,
            cause: CauseDetail::of(cause),
        };
        Some(Event { kind: Kind::AttentionNeeded, detail: json!(detail), time: now })
    }

    /// How many targets are how, in words.
    fn summary(&self, accounts: usize) -> String {
        let mut kinds: BTreeMap<NewsKind, usize> = BTreeMap::new();
        for ((kind, _), group) in &self.groups {
            *kinds.entry(*kind).or_default() += group.targets;
        }
        let counts: Vec<String> = kinds
            .into_iter()
            .map(|(kind, targets)| format!("{} {}", plural(targets, "target"), says(kind)))
            .collect();
        format!("{}, in {}", counts.join(", "), plural(accounts, "account"))
    }

    /// Which targets, and why, in one paragraph: a mail takes the text as it is.
    fn text(&self) -> String {
        let mut text = String::new();
        for ((kind, code), group) in self.groups.iter().take(GROUPS_NAMED) {
            let names: Vec<String> = group.named.iter().map(|(target, news)| named(target, news)).collect();
            let more = match group.targets - group.named.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let targets = names.join(", ");
            let _ = write!(text, "{} ({}): {targets}{more}: {}. ", says(*kind), code, group.text);
        }
        match self.groups.len().saturating_sub(GROUPS_NAMED) {
            0 => {}
            more => {
                let _ = write!(text, "And {more} more kinds of reason: see guardrailctl status.");
            }
        }
        text.trim_end().to_owned()
    }
}

impl NewsGroup {
    /// Names the target, if there is room. An account that isn't named yet takes the place of a further Region of one that
    /// is: one account with many Regions keeps no other from being named.
    fn name(&mut self, target: &Target, news: &News) {
        let named = (target.clone(), news.clone());
        if self.named.len() < TARGETS_NAMED {
            self.named.push(named);
            return;
        }
        if self.named.iter().any(|(known, _)| known.account == target.account) {
            return;
        }
        let is_further = |place: &usize| {
            self.named[..*place].iter().any(|(known, _)| known.account == self.named[*place].0.account)
        };
        let further = (0..self.named.len()).rev().find(is_further);
        if let Some(place) = further {
            self.named.remove(place);
            self.named.push(named);
        }
    }

    fn detail(&self, kind: NewsKind, code: &str) -> GroupDetail<'_> {
        GroupDetail {
            kind,
            reason: AttentionReason { code: code.to_owned(), text: self.text.clone() },
            targets_in_all: self.targets,
            targets: self
                .named
                .iter()
                .map(|(target, news)| NamedTarget {
                    account: &target.account,
                    region: &target.region,
                    since: news.since,
                    principal: news.by.as_deref().map(short),
                })
                .collect(),
        }
    }
}

fn named(target: &Target, news: &News) -> String {
    match &news.by {
        Some(by) => format!("{target} (by {})", short(by)),
        None => target.to_string(),
    }
}

fn short(principal: &str) -> String {
    principal.chars().take(PRINCIPAL_KEPT).collect()
}

fn says(kind: NewsKind) -> &'static str {
    match kind {
        NewsKind::InOurName => "changed in the keeper's name and repaired",
        NewsKind::Broken => "broken",
        NewsKind::Unguarded => "unguarded",
        NewsKind::Leaving => "about to leave, by a person's word",
        NewsKind::MemberRole => "with a member role that may admit others",
        NewsKind::Failed => "failed",
        NewsKind::Held => "held",
        NewsKind::Unannounced => "repaired without an event",
        NewsKind::Ended => "no longer guarded, as nothing is wanted there",
    }
}
