//! Floods: an account whose events come faster than anybody works is looked at from time to time, not once per event.
//!
//! ```text
//! an event ─► few lately ─► its look is queued now
//!          └► many       ─► a look is queued that begins later, and serves what comes until shortly before that
//!                             └► the next event ─► served by it: nothing is queued
//! ```
//!
//! One function process counts what it plans itself; it shares the counts with no other. So a flood costs each process
//! one message in [`PAUSE_SECONDS`] and never more, and an event is served by a message of the same process, which SQS
//! took before the event came. Nothing is lost where a process ends: its counts end with it, and the next event is served
//! at once.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Cause;
use crate::ids::{AccountId, GuardrailArn, Region};
use crate::trigger::{Accounts, Regions, Scope};

/// How many events of one sender are served at once. It is more than what a change in every Region of an account makes.
const MOST_AT_ONCE: u32 = 40;

/// After how many seconds one event less counts: whoever sends two a minute for ever floods nobody.
const FORGOTTEN_AFTER_SECONDS: i64 = 30;

/// How long the look of a flood waits, in seconds.
const PAUSE_SECONDS: u16 = 60;

/// The same for a guardrail that changes all the time: each look is one at every account that uses it.
const GUARDRAIL_PAUSE_SECONDS: u16 = 300;

/// How long before that look an event has to come at least, in seconds, to be served by it: AWS may show a change only
/// some seconds after its event.
const SERVED_BEFORE_SECONDS: i64 = 30;

/// How often an account that floods is named, in seconds.
const NAMED_EVERY_SECONDS: u64 = 3600;

/// How many accounts are named within that time. A document of the ledger has to hold them all; where as many flood at
/// once, the log has the others.
const MOST_NAMED: usize = 100;

/// How many senders are remembered before those are forgotten that send nothing any more.
const REMEMBERED: usize = 1_000;

/// Whose events are counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sender {
    /// Events about one account's enforcement and copies.
    Account(AccountId),
    /// Events about one guardrail of the owner's in one Region.
    Guardrail(Region, GuardrailArn),
}

/// How an event is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// By a look that is queued now.
    AtOnce,
    /// By a look that is queued now and begins after so many seconds. It has to look at everything that events of this
    /// sender can be about. [`Floods::queued`] says that SQS took it.
    Later(u16),
    /// By a look that is queued already.
    Already,
}

/// A sender whose events come too fast, for log and bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flooding {
    /// Who.
    pub sender: Sender,
    /// When the look begins that serves what comes until shortly before.
    pub due: Timestamp,
    /// What it goes back to.
    pub cause: Cause,
}

/// How much each sender sent lately, as one process knows it.
#[derive(Clone, Debug, Default)]
pub struct Floods(BTreeMap<Sender, Flood>);

/// Which flooding accounts were named on the bus, and when last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NamedFloods(BTreeMap<AccountId, Timestamp>);

#[derive(Clone, Copy, Debug)]
struct Flood {
    /// How many events count still.
    level: u32,
    /// When that was counted.
    at: Timestamp,
    /// When the look begins that is queued already.
    due: Option<Timestamp>,
}

impl Sender {
    /// Who sent the event that a scope comes from, where anybody who administers that account can make any number of such
    /// events, and one look can serve them all.
    pub fn of(scope: &Scope) -> Option<Sender> {
        let Scope { accounts, regions, guardrail, request, reasons, events: _, since: _ } = scope;
        if reasons.is_empty() || request.is_some() || !reasons.iter().all(|reason| reason.is_made_at_will()) {
            return None;
        }
        let one = |regions: &Regions| regions.named().filter(|regions| regions.len() == 1)?.first().cloned();
        match (accounts, guardrail) {
            (Accounts::Only(accounts), None) if accounts.len() == 1 => {
                accounts.first().cloned().map(Sender::Account)
            }
            (Accounts::All, Some(changed)) => Some(Sender::Guardrail(one(regions)?, changed.arn.clone()?)),
            (Accounts::Only(_), _) | (Accounts::All, None) => None,
        }
    }

    /// How long the look of a flood waits, in seconds.
    pub fn pause_seconds(&self) -> u16 {
        match self {
            Sender::Account(_) => PAUSE_SECONDS,
            Sender::Guardrail(..) => GUARDRAIL_PAUSE_SECONDS,
        }
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sender::Account(account) => account.fmt(f),
            Sender::Guardrail(_, guardrail) => guardrail.fmt(f),
        }
    }
}

impl Floods {
    /// How so many events of a sender are served, which came together.
    pub fn serve(&mut self, sender: &Sender, events: u32, now: Timestamp) -> Served {
        if self.0.len() >= REMEMBERED {
            self.0.retain(|_, flood| !flood.is_over(now));
        }
        let flood = self.0.entry(sender.clone()).or_insert(Flood { level: 0, at: now, due: None });
        // No higher than that, or a long flood would count for hours after its end.
        flood.forget(now);
        let level = flood.level.saturating_add(events).min(2 * MOST_AT_ONCE);
        flood.level = level;
        if level <= MOST_AT_ONCE {
            return Served::AtOnce;
        }
        // Later than a pause from now is a clock that was set back: that look is over.
        let pause = i64::from(sender.pause_seconds());
        let serves =
            |due: Timestamp| (SERVED_BEFORE_SECONDS..=pause).contains(&(due.as_second() - now.as_second()));
        match flood.due {
            Some(due) if serves(due) => Served::Already,
            Some(_) | None => Served::Later(sender.pause_seconds()),
        }
    }

    /// SQS took the message of a look that begins then. Only now it serves what comes.
    pub fn queued(&mut self, sender: &Sender, due: Timestamp) {
        if let Some(flood) = self.0.get_mut(sender) {
            flood.due = Some(due);
        }
    }
}

impl NamedFloods {
    /// Whether an account is named now: neither it nor `MOST_NAMED` others were within the last hour.
    pub fn is_to_be_named(&self, account: &AccountId, now: Timestamp) -> bool {
        let named = self.0.iter().filter(|(_, at)| is_recent(**at, now));
        let (mut others, mut known) = (0, false);
        named.for_each(|(other, _)| if other == account { known = true } else { others += 1 });
        !known && others < MOST_NAMED
    }

    /// An account was named. Those of which that is longer ago than an hour are forgotten.
    pub fn name(&mut self, account: AccountId, now: Timestamp) {
        self.0.retain(|_, at| is_recent(*at, now));
        self.0.insert(account, now);
    }
}

/// A time that lies ahead was written by a clock that was wrong.
fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    now.as_second().abs_diff(at.as_second()) < NAMED_EVERY_SECONDS
}

impl Flood {
    /// Lets events of the past count less. What is left of the last half minute counts on.
    fn forget(&mut self, now: Timestamp) {
        let passed = (now.as_second() - self.at.as_second()) / FORGOTTEN_AFTER_SECONDS;
        if passed == 0 {
            return;
        }
        // A clock that was set back only begins to count anew.
        let left = self.level.saturating_sub(u32::try_from(passed).unwrap_or_default());
        let at = self.at.as_second() + passed * FORGOTTEN_AFTER_SECONDS;
        (self.level, self.at) = (left, Timestamp::from_second(at).unwrap_or(now));
    }

    fn is_over(&self, now: Timestamp) -> bool {
        let mut flood = *self;
        flood.forget(now);
        flood.level == 0 && flood.due.is_none_or(|due| due <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn account(number: u64) -> Sender {
        Sender::Account(format!("{number:012}").parse().unwrap())
    }

    /// Serves one event a second from `from` until `until`, and says when looks were queued, and for when.
    fn flood(floods: &mut Floods, sender: &Sender, from: i64, until: i64) -> Vec<(i64, i64)> {
        let mut looks = Vec::new();
        for second in from..until {
            match floods.serve(sender, 1, at(second)) {
                Served::AtOnce => looks.push((second, second)),
                Served::Later(delay) => {
                    let due = second + i64::from(delay);
                    floods.queued(sender, at(due));
                    looks.push((second, due));
                }
                Served::Already => {}
            }
        }
        looks
    }

    #[test]
    fn a_flood_costs_two_looks_a_minute_and_disturbs_nobody_else() {
        let mut floods = Floods::default();
        let looks = flood(&mut floods, &account(1), 0, 600);
        let at_once = looks.iter().filter(|(asked, begins)| asked == begins).count();
        assert_eq!((at_once, looks.len()), (41, 60));
        assert_eq!(floods.serve(&account(2), 10, at(600)), Served::AtOnce);
    }

    #[test]
    fn law_every_event_is_followed_by_a_look_that_begins_late_enough() {
        let mut floods = Floods::default();
        let looks = flood(&mut floods, &account(1), 0, 600);
        for second in 0..600 {
            let served = looks.iter().any(|(asked, begins)| {
                (*asked == second || *begins - second >= SERVED_BEFORE_SECONDS) && *begins - second <= 60
            });
            assert!(served, "the event of second {second} is served by none of {looks:?}");
        }
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_look_of_the_past_serve_what_comes() {
        let mut floods = Floods::default();
        assert_eq!(floods.serve(&account(1), 100, at(1000)), Served::Later(PAUSE_SECONDS));
        floods.queued(&account(1), at(1060));
        assert_eq!(floods.serve(&account(1), 100, at(1001)), Served::Already);
        assert_eq!(floods.serve(&account(1), 100, at(900)), Served::Later(PAUSE_SECONDS));
    }

    #[test]
    fn a_look_that_could_not_be_queued_serves_nothing() {
        let mut floods = Floods::default();
        assert_eq!(floods.serve(&account(1), 100, at(0)), Served::Later(PAUSE_SECONDS));
        assert_eq!(floods.serve(&account(1), 1, at(1)), Served::Later(PAUSE_SECONDS));
        floods.queued(&account(1), at(61));
        assert_eq!(floods.serve(&account(1), 1, at(2)), Served::Already);
        // That is too late for the look to be sure to see it.
        assert_eq!(floods.serve(&account(1), 1, at(32)), Served::Later(PAUSE_SECONDS));
    }

    #[test]
    fn whoever_stops_is_served_at_once_again() {
        let mut floods = Floods::default();
        flood(&mut floods, &account(1), 0, 5_000);
        assert!(matches!(floods.serve(&account(1), 1, at(5_060)), Served::Later(_)));
        let calm = 5_060 + i64::from(MOST_AT_ONCE + 1) * FORGOTTEN_AFTER_SECONDS;
        assert_eq!(floods.serve(&account(1), 1, at(calm)), Served::AtOnce);
        // A clock that was set back forgets nothing and hurts nobody.
        assert_eq!(floods.serve(&account(2), 1, at(0)), Served::AtOnce);
    }

    #[test]
    fn two_events_a_minute_are_no_flood_however_long() {
        let mut floods = Floods::default();
        let served = |second: i64| floods.serve(&account(1), 1, at(second * 30));
        assert!((0..10_000).map(served).all(|served| served == Served::AtOnce));
    }

    #[test]
    fn only_what_an_administrator_can_make_at_will_is_counted() {
        use crate::trigger::{Context, Trigger, decide};

        let sender = |sample: &str| {
            let path = format!("{}/../events/{sample}.json", env!("CARGO_MANIFEST_DIR"));
            let event = std::fs::read_to_string(path).unwrap();
            let Trigger::Reconcile(scope) = decide(&event, &Context::default()) else { panic!("{sample}") };
            Sender::of(&scope).map(|sender| sender.to_string())
        };
        assert_eq!(sender("enforcement-deleted-by-somebody").as_deref(), Some("300000000001"));
        let guardrail = "arn:aws:bedrock:us-east-1:222222222222:guardrail/base1234abcd";
        assert_eq!(sender("guardrail-deleted").as_deref(), Some(guardrail));
        assert_eq!(sender("guardrail-policy-deleted").as_deref(), Some(guardrail));
        for others in ["account-created", "account-moved", "schedule-scheduler", "request-accounts"] {
            assert_eq!(sender(others), None, "{others}");
        }
    }

    #[test]
    fn each_guardrail_of_the_owner_counts_for_itself() {
        let mut floods = Floods::default();
        let guardrail = |id: &str| {
            let arn = format!("arn:aws:bedrock:us-east-1:222222222222:guardrail/{id}").parse().unwrap();
            Sender::Guardrail("us-east-1".parse().unwrap(), arn)
        };
        assert_eq!(floods.serve(&guardrail("one"), 50, at(0)), Served::Later(GUARDRAIL_PAUSE_SECONDS));
        assert_eq!(floods.serve(&guardrail("two"), 1, at(0)), Served::AtOnce);
    }

    #[test]
    fn a_flooding_account_is_named_once_an_hour() {
        let [one, other]: [AccountId; 2] = ["300000000001", "300000000002"].map(|id| id.parse().unwrap());
        let mut named = NamedFloods::default();
        assert!(named.is_to_be_named(&one, at(10_000)));
        named.name(one.clone(), at(10_000));
        assert!(!named.is_to_be_named(&one, at(13_599)) && named.is_to_be_named(&other, at(10_000)));
        assert!(named.is_to_be_named(&one, at(13_600)));
        named.name(other.clone(), at(13_600));
        assert_eq!(serde_json::to_string(&named).unwrap(), r#"{"300000000002":"1970-01-01T03:46:40Z"}"#);
    }

    #[test]
    fn only_so_many_flooding_accounts_are_named_within_an_hour() {
        let mut named = NamedFloods::default();
        let accounts = (0..50_000_u64).map(|number| format!("{number:012}").parse::<AccountId>().unwrap());
        for account in accounts {
            if named.is_to_be_named(&account, at(10_000)) {
                named.name(account, at(10_000));
            }
        }
        assert_eq!(named.0.len(), MOST_NAMED);
        let next = "300000000001".parse().unwrap();
        assert!(!named.is_to_be_named(&next, at(13_599)) && named.is_to_be_named(&next, at(13_600)));
    }

    #[test]
    fn only_so_many_senders_are_remembered() {
        let mut floods = Floods::default();
        for number in 0..5_000 {
            let second = i64::try_from(number).unwrap();
            floods.serve(&account(number), 1, at(second));
        }
        assert!(floods.0.len() <= REMEMBERED, "{}", floods.0.len());
    }
}
