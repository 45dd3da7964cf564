//! Since when each target has been unguarded, by the simulator's state and the baseline that counts, and whether people
//! read of it.
//!
//! People read what the template's rules send to the topic, and nothing else (`judge/people.rs`). A sweep that says that
//! it looked at everybody answers for each target that was unguarded before it began: people read of it by the sweep's
//! end, or, where it may pass by itself, by the end of a sweep an hour after that.

use std::collections::BTreeMap;

use jiff::Timestamp;
use simulator::{EnforcedConfiguration, Model};

use super::super::post::Arrived;
use super::people::Sweep;
use super::{Context, Judge};
use testkit::histories::baseline::{GUARDRAIL, Placement, Wanted, Wants};
use testkit::histories::check::{Invariant, Violation, broken, signature};
use testkit::histories::model::{Place, Prompt, Snapshot, blocked_prompt, can_apply, is_sound};
use testkit::histories::standing::is_reachable;

/// For how long AWS may go on showing what was there before, in seconds.
const SHOWN: i64 = 30;
/// How long trouble lasts that may pass by itself before people read of it, in seconds.
const PASSES: i64 = 3600;
/// How long people remember that somebody undoes repairs, in seconds.
const CONTESTED: i64 = 24 * 3600;
/// How long before a repair an event may have happened that announced it, in seconds.
const ANNOUNCED: i64 = 900;

/// How a target stands, by each baseline that may count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// As it is wanted, or nothing is wanted there.
    Well,
    /// A guardrail is wanted, and what is there doesn't stop what it stops.
    Unguarded,
    /// It depends on which baseline counts.
    Unclear,
}

/// Since when a target stands so, by the number of the world as well.
#[derive(Clone, Copy, Debug)]
struct Since {
    stand: Stand,
    world: usize,
    at: Timestamp,
}

/// What the keeper did, and people have to read.
#[derive(Clone, Debug)]
struct Owed {
    place: Place,
    what: OwedKind,
    at: Timestamp,
    /// Which invocation did it, of all that worked on a task, and whether that came to its end undisturbed.
    by: usize,
    undisturbed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OwedKind {
    /// A sweep put back what somebody had changed.
    Repaired,
    /// It released what nothing is wanted of any more.
    Released,
}

/// Why the judge asks no more of the end of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Silence {
    /// Something else is enforced there, and `Baseline Changed` says that a revision waits.
    Waits,
    /// A baseline that stopped all writes, or that waits, left it to itself.
    Left,
    /// The present baseline is not counted yet.
    Uncounted,
    /// It may pass by itself, and no hour is over.
    MayPass,
    /// The ledger could not be used.
    Ledger,
    /// The owner's side has just changed.
    OwnerChanged,
    /// An old answer of AWS's told otherwise.
    OldAnswer,
    /// Whoever did it did not come to its end undisturbed.
    Disturbed,
}

impl Silence {
    pub(crate) const ALL: [Silence; 8] = [
        Silence::Waits,
        Silence::Left,
        Silence::Uncounted,
        Silence::MayPass,
        Silence::Ledger,
        Silence::OwnerChanged,
        Silence::OldAnswer,
        Silence::Disturbed,
    ];

    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Silence::Waits => "not named: a revision waits, as people read",
            Silence::Left => "not named: a baseline that wrote nothing left it to itself",
            Silence::Uncounted => "not named: the baseline is not counted yet",
            Silence::MayPass => "not named: it may pass by itself, and lasts no hour",
            Silence::Ledger => "not named: the ledger could not be used",
            Silence::OwnerChanged => "not named: the owner's side had just changed",
            Silence::OldAnswer => "not named: an old answer told otherwise",
            Silence::Disturbed => "not named: done by a look that was disturbed",
        }
    }
}

/// The judge's own ledger of targets.
#[derive(Clone, Debug, Default)]
pub(super) struct Unguarded {
    stands: BTreeMap<Place, Since>,
    owed: Vec<Owed>,
    /// Events that reach the keeper, sooner or later.
    arrived: Vec<Arrived>,
    pub(super) figures: Reckoned,
}

/// What the ends of sweeps came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reckoned {
    /// Sweeps that said that they had looked at everybody, and were held to it.
    pub(crate) sweeps: usize,
    /// Targets that were unguarded since before such a sweep, and those of them that people had read of.
    pub(crate) unguarded: usize,
    pub(crate) named: usize,
    /// What sweeps repaired without an event, and what the keeper no longer guards, and people read of it.
    pub(crate) repaired: usize,
    pub(crate) released: usize,
    pub(crate) silences: BTreeMap<Silence, usize>,
}

impl Reckoned {
    pub(crate) fn add(&mut self, other: Reckoned) {
        let Reckoned { sweeps, unguarded, named, repaired, released, silences } = other;
        self.sweeps += sweeps;
        self.unguarded += unguarded;
        self.named += named;
        self.repaired += repaired;
        self.released += released;
        silences.into_iter().for_each(|(why, number)| *self.silences.entry(why).or_default() += number);
    }
}

impl Judge {
    /// Takes note how each target stands now.
    pub(crate) fn note_stands(&mut self, model: &mut Model) {
        let (now, world) = (self.clock.now(), self.worlds.len().saturating_sub(1));
        for place in self.places() {
            let stand = self.stand(&place, model);
            let same = self.unguarded.stands.get(&place).is_some_and(|since| since.stand == stand);
            if !same {
                self.unguarded.stands.insert(place, Since { stand, world, at: now });
            }
        }
    }

    fn stand(&self, place: &Place, model: &mut Model) -> Stand {
        if !is_reachable(model, &place.account) {
            return Stand::Well;
        }
        let Some(followed) = self.may_follow() else { return Stand::Unclear };
        let leaving = self.leaving();
        let seen = model.enforcement(&place.account, &place.region).cloned();
        let mut stops = None;
        let mut unguarded = |wants: &&Wants| {
            let wants = Wants { leaving: leaving.clone(), ..(*wants).clone() };
            if wants.of(&self.setting, model, place) != Wanted::Guardrail {
                return false;
            }
            let met = seen.as_ref().is_some_and(|seen| wants.is_met(&self.setting, model, place, seen));
            !(met && *stops.get_or_insert_with(|| blocked_prompt(model, place) == Prompt::Stopped))
        };
        let number = followed.iter().filter(|wants| unguarded(wants)).count();
        match number {
            0 => Stand::Well,
            _ if number == followed.len() => Stand::Unguarded,
            _ => Stand::Unclear,
        }
    }

    /// How many targets are unguarded now.
    pub(crate) fn unguarded_now(&self) -> usize {
        self.unguarded.stands.values().filter(|since| since.stand == Stand::Unguarded).count()
    }

    /// These events reach the keeper, sooner or later.
    pub(crate) fn arrives(&mut self, events: Vec<Arrived>) {
        self.unguarded.arrived.extend(events);
    }

    /// A look at an account has come to its end. Where nothing went wrong with it and a target was as it should be all
    /// the time, what people read of that target before is over.
    pub(super) fn note_looked(&mut self, account: &str, context: &Context, model: &mut Model) {
        let ended = context.number;
        let whole = !context.failed && !context.killed;
        let owed = self.unguarded.owed.iter_mut().filter(|it| it.by == ended);
        owed.for_each(|it| it.undisturbed = whole && !context.is_disturbed());
        if !whole || !context.went_well() {
            return;
        }
        for place in context.listed.keys().filter(|place| place.account == account) {
            let since = self.unguarded.stands.get(place);
            let well = since.is_some_and(|it| it.stand == Stand::Well && it.world <= context.began);
            let known =
                self.worlds[context.began..].iter().all(|(_, it)| !it.unknown_states.contains(account));
            // Where the guardrail itself can't be used, that is the same trouble as long as it lasts.
            let usable = self.is_usable_there(place, model);
            if well
                && known
                && usable
                && !self.old.may_matter_to(account, &place.region, self.worlds[context.began].0)
            {
                self.people.forget(place);
            }
        }
    }

    /// Whether the guardrail that is wanted in a place can be enforced there, or copied, by each baseline that may count.
    fn is_usable_there(&self, place: &Place, model: &mut Model) -> bool {
        let owner = self.setting.owner();
        let Some(arn) = model.guardrail_arn(&owner, &place.region, GUARDRAIL).map(str::to_owned) else {
            return false;
        };
        self.may_follow().into_iter().flatten().all(|wants| {
            let version = wants.version.to_string();
            match wants.placement {
                _ if wants.misnamed => false,
                Placement::Copy => is_sound(model, &arn, &version),
                Placement::Central => can_apply(model, &self.setting, place, &arn, &version),
            }
        })
    }

    /// The keeper wrote. Where it worked on a task of a sweep, what was its own and was changed is news, unless an event
    /// tells of it; and so is what it releases because nothing is wanted there.
    pub(super) fn note_owed(
        &mut self,
        context: &Context,
        before: &Snapshot,
        after: &Snapshot,
        model: &Model,
    ) {
        let (at, by, undisturbed) = (self.clock.now(), context.number, false);
        for place in before.enforced.keys().chain(after.enforced.keys()) {
            let (was, now) = (before.enforced.get(place), after.enforced.get(place));
            let Some(mine) = self.book.of(place).filter(|mine| mine.told && mine.before.is_empty()) else {
                continue;
            };
            let is_mine = |seen: Option<&EnforcedConfiguration>| seen.map(signature) == mine.now;
            let wanted = |it: &Wants| it.of(&self.setting, model, place) == Wanted::Guardrail;
            let what = match (was, now) {
                (Some(_), None)
                    if !self.baselines.iter().any(|it| wanted(&it.wants) && it.wants.release_unusable) =>
                {
                    OwedKind::Released
                }
                (_, Some(_)) if context.sweep && was != now && is_mine(now) && !is_mine(was) => {
                    OwedKind::Repaired
                }
                _ => continue,
            };
            if !self.unguarded.owed.iter().any(|it| it.by == by && it.place == *place) {
                self.unguarded.owed.push(Owed { place: place.clone(), what, at, by, undisturbed });
            }
        }
    }

    /// The end of a sweep was published, and its invocation came to its own end.
    pub(super) fn judge_sweep(&mut self, sweep: &Sweep, model: &mut Model) -> Result<(), Violation> {
        self.settle_baseline(sweep.began);
        self.note_stands(model);
        if !sweep.whole {
            return Ok(());
        }
        self.unguarded.figures.sweeps += 1;
        let before = |at: Timestamp| at.as_second() + SHOWN < sweep.began.as_second();
        let unguarded: Vec<(Place, Since)> = self
            .unguarded
            .stands
            .iter()
            .filter(|(_, since)| since.stand == Stand::Unguarded && before(since.at))
            .map(|(place, since)| (place.clone(), *since))
            .collect();
        for (place, since) in unguarded {
            self.unguarded.figures.unguarded += 1;
            if self.people.read_of(&place, self.clock.now(), CONTESTED) {
                self.unguarded.figures.named += 1;
                continue;
            }
            let Some(silence) = self.silence(&place, since, sweep, model) else {
                let what = format!("{place} has been unguarded since {}, and nobody read of it", since.at);
                return broken(
                    Invariant::Unreported,
                    format!("{what} by the end of the sweep of {}", sweep.began),
                );
            };
            *self.unguarded.figures.silences.entry(silence).or_default() += 1;
        }
        let owed = std::mem::take(&mut self.unguarded.owed);
        let (due, later): (Vec<_>, Vec<_>) = owed.into_iter().partition(|it| it.at < sweep.worked_since);
        self.unguarded.owed = later;
        due.iter().try_for_each(|owed| match owed.what {
            OwedKind::Repaired => self.judge_repair(owed, sweep),
            OwedKind::Released => self.judge_release(owed, sweep, model),
        })
    }

    /// Why people have not read of an unguarded target, as far as the documents allow that.
    fn silence(&self, place: &Place, since: Since, sweep: &Sweep, model: &mut Model) -> Option<Silence> {
        let something = model.enforcement(&place.account, &place.region).is_some();
        if self.is_said_to_wait() && something {
            return Some(Silence::Waits);
        }
        if self.was_left(place, model) && !something {
            return Some(Silence::Left);
        }
        if self.is_uncounted() {
            return Some(Silence::Uncounted);
        }
        if self.ledger_ails || self.ledger_ailed.is_some_and(|at| at >= sweep.began) {
            return Some(Silence::Ledger);
        }
        if self.old.may_matter_to(&place.account, &place.region, sweep.began) {
            return Some(Silence::OldAnswer);
        }
        let known = self.owner.known_since(&place.region, sweep.worked_since);
        if self.owner.changed.is_some_and(|changed| changed > known) {
            return Some(Silence::OwnerChanged);
        }
        let seen_before = |earlier: &&Sweep| {
            earlier.whole
                && since.at.as_second() + SHOWN < earlier.began.as_second()
                && earlier.at.as_second() + PASSES <= sweep.began.as_second()
        };
        let lasts = self.people.sweeps().any(|earlier| seen_before(&earlier));
        (!lasts && self.people.is_tried_again(place)).then_some(Silence::MayPass)
    }

    /// What a sweep repaired is news, unless an event tells of it.
    fn judge_repair(&mut self, repaired: &Owed, sweep: &Sweep) -> Result<(), Violation> {
        let Owed { place, at, .. } = repaired;
        if self.people.read_of_deed(place, &["unannounced", "in_our_name"], *at) {
            self.unguarded.figures.repaired += 1;
            return Ok(());
        }
        let owner = self.setting.owner();
        let is_announced = self.unguarded.arrived.iter().any(|event| {
            let early = at.as_second() - event.happened.as_second();
            (0..=ANNOUNCED).contains(&early) && event.may_be_about(&place.account, &owner)
        });
        if is_announced || self.is_excused(repaired) {
            return Ok(());
        }
        let what = format!("{place} was changed, no event told of it, and a sweep repaired it at {at}");
        let by = format!("by the end of the sweep of {}", sweep.began);
        broken(Invariant::Unreported, format!("{what}: nobody read of it {by}"))
    }

    /// What the keeper released, because nothing is wanted there any more, is news.
    fn judge_release(&mut self, released: &Owed, sweep: &Sweep, model: &Model) -> Result<(), Violation> {
        let Owed { place, at, .. } = released;
        if self.people.read_of_deed(place, &["ended"], *at) {
            self.unguarded.figures.released += 1;
            return Ok(());
        }
        if !is_reachable(model, &place.account) || self.is_excused(released) {
            return Ok(());
        }
        let by = format!("by the end of the sweep of {}", sweep.began);
        let what = format!("{place} was released at {at}, and nobody read {by} that it is no longer guarded");
        broken(Invariant::Unreported, what)
    }

    fn is_excused(&mut self, owed: &Owed) -> bool {
        let ailed = self.ledger_ailed.is_some_and(|ailed| ailed >= owed.at);
        let excused = ailed || !owed.undisturbed;
        if excused {
            *self.unguarded.figures.silences.entry(Silence::Disturbed).or_default() += 1;
        }
        excused
    }
}
