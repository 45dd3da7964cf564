//! Floods: an account whose events come faster than anybody works is looked at from time to time, not once per event.
//!
//! ```text
//! an event ─► few lately ─► its look is queued now
//!          └► many       ─► a look is queued that begins later, and serves what comes until shortly before that
//!                             └► the next event ─► served by it: nothing is queued
//! ```
//!
//! One function process counts what it plans itself; it shares the counts with no other. So a flood costs each process
//! two messages in the pause of its sender ([`FloodPace`]) and never more, and an event is served by a message of the same
//! process, which SQS took before the event came. Nothing is lost where a process ends: its counts end with it, and the
//! next event is served at once.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Cause;
use super::sender::{FloodPace, OF_AN_ACCOUNT, Sender};
use crate::ids::AccountId;

/// How long before that look an event has to come at least, in seconds, to be served by it: AWS may show a change only
/// some seconds after its event.
const SERVED_BEFORE_SECONDS: i64 = 30;

/// How many senders are remembered before those are forgotten that send nothing any more.
const REMEMBERED: usize = 1_000;

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

/// Events of one sender that came together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentEvents {
    /// How many.
    pub count: u32,
    /// Whether one of them says that something was done in the keeper's name, and the record has no such write. Only a
    /// look that was queued for such an event serves it: what it repairs is published as done in the keeper's name.
    pub in_our_name: bool,
}

/// How much each sender sent lately, as one process knows it.
#[derive(Clone, Debug, Default)]
pub struct Floods {
    senders: BTreeMap<Sender, Flood>,
    homes: BTreeMap<AccountId, Level>,
}

#[derive(Clone, Debug)]
struct Flood {
    level: Level,
    look: Option<QueuedLook>,
}

/// How many events count still, and when that was counted.
#[derive(Clone, Copy, Debug)]
struct Level {
    count: u32,
    at: Timestamp,
}

/// A look that is queued already.
#[derive(Clone, Debug)]
struct QueuedLook {
    due: Timestamp,
    serves: Sender,
    in_our_name: bool,
}

impl Floods {
    /// Counts events about guardrails by the account in which they happened, before it is known whether they concern
    /// anybody. Says whether they come too fast to read the baseline for each.
    pub fn is_flooding(&mut self, home: &AccountId, events: u32, now: Timestamp) -> bool {
        if self.homes.len() >= REMEMBERED {
            self.homes.retain(|_, level| level.after(OF_AN_ACCOUNT, now).count > 0);
        }
        let level = self.homes.entry(home.clone()).or_insert(Level { count: 0, at: now });
        level.add(events, OF_AN_ACCOUNT, now) > OF_AN_ACCOUNT.most_at_once
    }

    /// How events of a sender are served, which came together.
    pub fn serve(&mut self, sender: &Sender, events: SentEvents, now: Timestamp) -> Served {
        if self.senders.len() >= REMEMBERED {
            self.senders.retain(|sender, flood| !flood.is_over(sender.pace(), now));
        }
        let pace = sender.pace();
        let nothing = Flood { level: Level { count: 0, at: now }, look: None };
        let flood = self.senders.entry(sender.counted()).or_insert(nothing);
        if flood.level.add(events.count, pace, now) <= pace.most_at_once {
            return Served::AtOnce;
        }
        // Later than a pause from now is a clock that was set back: that look is over.
        let in_time = SERVED_BEFORE_SECONDS..=i64::from(pace.pause_seconds);
        let serves = |look: &QueuedLook| {
            in_time.contains(&(look.due.as_second() - now.as_second()))
                && look.serves == *sender
                && (look.in_our_name || !events.in_our_name)
        };
        match &flood.look {
            Some(look) if serves(look) => Served::Already,
            Some(_) | None => Served::Later(pace.pause_seconds),
        }
    }

    /// SQS took the message of the look that serves a flood. Only now it serves what comes.
    pub fn queued(&mut self, flooding: &Flooding) {
        let Flooding { sender, due, cause } = flooding;
        if let Some(flood) = self.senders.get_mut(&sender.counted()) {
            let in_our_name = cause.in_our_name;
            flood.look = Some(QueuedLook { due: *due, serves: sender.clone(), in_our_name });
        }
    }
}

impl Level {
    /// What is left of it by now. What is left of the last while counts on.
    fn after(self, pace: FloodPace, now: Timestamp) -> Level {
        let passed = (now.as_second() - self.at.as_second()) / pace.forgotten_after_seconds;
        if passed == 0 {
            return self;
        }
        // A clock that was set back only begins to count anew.
        let count = self.count.saturating_sub(u32::try_from(passed).unwrap_or_default());
        let at = self.at.as_second() + passed * pace.forgotten_after_seconds;
        Level { count, at: Timestamp::from_second(at).unwrap_or(now) }
    }

    /// Counts more events; returns how many count now. No more than twice as many as are served at once, or a long flood
    /// would count for hours after its end.
    fn add(&mut self, events: u32, pace: FloodPace, now: Timestamp) -> u32 {
        *self = self.after(pace, now);
        self.count = self.count.saturating_add(events).min(2 * pace.most_at_once);
        self.count
    }
}

impl Flood {
    fn is_over(&self, pace: FloodPace, now: Timestamp) -> bool {
        self.level.after(pace, now).count == 0 && self.look.as_ref().is_none_or(|look| look.due <= now)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ids::GuardrailArn;
    use crate::task::OtherGuardrails;
    use crate::task::cause::cause;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn account(number: u64) -> Sender {
        Sender::Account(format!("{number:012}").parse().unwrap())
    }

    fn serve(floods: &mut Floods, sender: &Sender, count: u32, now: Timestamp) -> Served {
        floods.serve(sender, SentEvents { count, in_our_name: false }, now)
    }

    /// The same in the keeper's name.
    fn serve_in_our_name(floods: &mut Floods, sender: &Sender, count: u32, now: Timestamp) -> Served {
        floods.serve(sender, SentEvents { count, in_our_name: true }, now)
    }

    fn queued(floods: &mut Floods, sender: &Sender, due: i64) {
        floods.queued(&Flooding { sender: sender.clone(), due: at(due), cause: cause("event-1", 0) });
    }

    /// Serves one event a second from `from` until `until`, and says when looks were queued, and for when.
    fn flood(floods: &mut Floods, sender: &Sender, from: i64, until: i64) -> Vec<(i64, i64)> {
        let mut looks = Vec::new();
        for second in from..until {
            match serve(floods, sender, 1, at(second)) {
                Served::AtOnce => looks.push((second, second)),
                Served::Later(delay) => {
                    let due = second + i64::from(delay);
                    queued(floods, sender, due);
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
        assert_eq!(serve(&mut floods, &account(2), 10, at(600)), Served::AtOnce);
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
        assert_eq!(serve(&mut floods, &account(1), 100, at(1000)), Served::Later(60));
        queued(&mut floods, &account(1), 1060);
        assert_eq!(serve(&mut floods, &account(1), 100, at(1001)), Served::Already);
        assert_eq!(serve(&mut floods, &account(1), 100, at(900)), Served::Later(60));
    }

    #[test]
    fn a_look_that_could_not_be_queued_serves_nothing() {
        let mut floods = Floods::default();
        assert_eq!(serve(&mut floods, &account(1), 100, at(0)), Served::Later(60));
        assert_eq!(serve(&mut floods, &account(1), 1, at(1)), Served::Later(60));
        queued(&mut floods, &account(1), 61);
        assert_eq!(serve(&mut floods, &account(1), 1, at(2)), Served::Already);
        // That is too late for the look to be sure to see it.
        assert_eq!(serve(&mut floods, &account(1), 1, at(32)), Served::Later(60));
    }

    #[test]
    fn whoever_stops_is_served_at_once_again() {
        let mut floods = Floods::default();
        flood(&mut floods, &account(1), 0, 5_000);
        assert!(matches!(serve(&mut floods, &account(1), 1, at(5_060)), Served::Later(_)));
        let calm = 5_060 + i64::from(OF_AN_ACCOUNT.most_at_once + 1) * OF_AN_ACCOUNT.forgotten_after_seconds;
        assert_eq!(serve(&mut floods, &account(1), 1, at(calm)), Served::AtOnce);
        // A clock that was set back forgets nothing and hurts nobody.
        assert_eq!(serve(&mut floods, &account(2), 1, at(0)), Served::AtOnce);
    }

    #[test]
    fn two_events_a_minute_are_no_flood_however_long() {
        let mut floods = Floods::default();
        let served = |second: i64| serve(&mut floods, &account(1), 1, at(second * 30));
        assert!((0..10_000).map(served).all(|served| served == Served::AtOnce));
    }

    /// Only a look for something in the keeper's name says that what it repairs was done so.
    #[test]
    fn what_is_done_in_our_name_is_served_by_a_look_in_our_name_only() {
        let mut floods = Floods::default();
        assert_eq!(serve(&mut floods, &account(1), 100, at(0)), Served::Later(60));
        queued(&mut floods, &account(1), 60);
        assert_eq!(serve_in_our_name(&mut floods, &account(1), 1, at(1)), Served::Later(60));
        let cause = Cause { in_our_name: true, ..cause("event-2", 0) };
        floods.queued(&Flooding { sender: account(1), due: at(61), cause });
        assert_eq!(serve_in_our_name(&mut floods, &account(1), 1, at(2)), Served::Already);
        assert_eq!(serve(&mut floods, &account(1), 1, at(2)), Served::Already);
    }

    fn arn(id: &str) -> GuardrailArn {
        format!("arn:aws:bedrock:us-east-1:222222222222:guardrail/{id}").parse().unwrap()
    }

    fn guardrail(id: &str) -> Sender {
        Sender::Guardrail("us-east-1".parse().unwrap(), arn(id))
    }

    fn others(region: &str, but: &[&str]) -> Sender {
        let but: BTreeSet<GuardrailArn> = but.iter().map(|id| arn(id)).collect();
        let others = OtherGuardrails { account: "222222222222".parse().unwrap(), but };
        Sender::OtherGuardrails(region.parse().unwrap(), others)
    }

    #[test]
    fn each_guardrail_of_the_owner_counts_for_itself() {
        let mut floods = Floods::default();
        assert_eq!(serve(&mut floods, &guardrail("one"), 50, at(0)), Served::Later(300));
        assert_eq!(serve(&mut floods, &guardrail("two"), 1, at(0)), Served::AtOnce);
        assert_eq!(serve(&mut floods, &others("us-east-1", &["one", "two"]), 50, at(0)), Served::Later(300));
        assert_eq!(serve(&mut floods, &others("eu-west-1", &["one", "two"]), 1, at(0)), Served::AtOnce);
    }

    /// Each event of theirs may have every account looked at.
    #[test]
    fn slow_events_about_guardrails_are_a_flood_as_well() {
        let mut floods = Floods::default();
        // Two a minute, for an hour.
        let looks = (0..120).filter(|number| {
            let second = number * 30;
            let served = serve(&mut floods, &others("us-east-1", &[]), 1, at(second));
            if served == Served::Later(300) {
                queued(&mut floods, &others("us-east-1", &[]), second + 300);
            }
            served != Served::Already
        });
        assert_eq!(looks.count(), 22);
    }

    /// A look at the users of all guardrails but those that were meant when it was queued.
    #[test]
    fn a_look_serves_no_event_about_what_it_leaves_out() {
        let mut floods = Floods::default();
        assert_eq!(serve(&mut floods, &others("us-east-1", &["one"]), 50, at(0)), Served::Later(300));
        queued(&mut floods, &others("us-east-1", &["one"]), 300);
        assert_eq!(serve(&mut floods, &others("us-east-1", &["one"]), 1, at(1)), Served::Already);
        // The baseline means that one no more, so it is among the others now.
        assert_eq!(serve(&mut floods, &others("us-east-1", &[]), 1, at(1)), Served::Later(300));
    }

    #[test]
    fn events_about_guardrails_are_counted_by_their_account_before_the_baseline_is_read() {
        let mut floods = Floods::default();
        let [one, other]: [AccountId; 2] = ["300000000001", "300000000002"].map(|id| id.parse().unwrap());
        assert!((0..40).all(|_| !floods.is_flooding(&one, 1, at(0))));
        assert!(floods.is_flooding(&one, 1, at(29)) && !floods.is_flooding(&other, 40, at(29)));
        assert!(floods.is_flooding(&one, 1, at(30)) && !floods.is_flooding(&one, 0, at(60)));
        for number in 0..5_000_u64 {
            let home = format!("{number:012}").parse().unwrap();
            floods.is_flooding(&home, 1, at(100 + i64::try_from(number).unwrap()));
        }
        assert!(floods.homes.len() <= REMEMBERED, "{}", floods.homes.len());
    }

    #[test]
    fn only_so_many_senders_are_remembered() {
        let mut floods = Floods::default();
        for number in 0..5_000 {
            let second = i64::try_from(number).unwrap();
            serve(&mut floods, &account(number), 1, at(second));
        }
        assert!(floods.senders.len() <= REMEMBERED, "{}", floods.senders.len());
    }
}
