//! Answers of AWS's that told a former state, and whom they can have misled.

use jiff::{SignedDuration, Timestamp};

use testkit::histories::setting::{Setting, region_of_owner};
use testkit::histories::step::{Wrong, WrongKind};

/// How long a process keeps in mind what the ledger said of the owner's side.
const KEPT: SignedDuration = SignedDuration::from_secs(20);

/// One old answer.
#[derive(Clone, Debug)]
struct OldAnswer {
    /// The group of the invocation that got it, and which one that was of all.
    group: String,
    context: usize,
    /// When that group had looked again, to the end.
    until: Option<Timestamp>,
}

/// Every old answer. What is told or held may rest on each, until whoever got it has looked again, to the end, and nobody
/// keeps it in mind any more.
#[derive(Clone, Debug, Default)]
pub(super) struct OldAnswers(Vec<OldAnswer>);

impl OldAnswers {
    pub(super) fn note(&mut self, group: &str, context: usize) {
        self.0.push(OldAnswer { group: group.to_owned(), context, until: None });
    }

    /// An invocation of this group has come to its end.
    pub(super) fn looked_again(&mut self, group: &str, context: usize, now: Timestamp) {
        let before = |it: &&mut OldAnswer| it.group == group && it.context < context && it.until.is_none();
        self.0.iter_mut().filter(before).for_each(|it| it.until = Some(now));
    }

    /// Whether one of them can be what a look at an account in a Region rests on that began at a certain time.
    pub(super) fn may_matter_to(&self, account: &str, region: &str, began: Timestamp) -> bool {
        let open = |it: &&OldAnswer| it.until.is_none_or(|until| is_kept(until, began));
        self.0.iter().filter(open).any(|it| it.group == account || region_of_owner(&it.group) == Some(region))
    }
}

/// Whether a process may still go by what was there until a certain time when an invocation begins.
pub(super) fn is_kept(until: Timestamp, began: Timestamp) -> bool {
    began < until.saturating_add(KEPT).unwrap_or(until)
}

/// An answer that was old, as a fault.
pub(super) fn old_answer(setting: &Setting, account: &str, operation: &'static str) -> Wrong {
    let account = setting.assignable().iter().position(|it| it == account);
    Wrong { kind: WrongKind::StaleRead, operation, account, after: 0, times: Some(1) }
}
