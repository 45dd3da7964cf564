//! What an invocation may go by: what it saw, and each baseline, place and mark that was there since it was asked.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{APPROVED, Context, GOOD, Judge};
use testkit::histories::baseline::{Mode, Wants};
use testkit::histories::model::{Place, Snapshot};

impl Judge {
    /// The world as the invocation knew it when it wrote: what it could not know of nobody holds against it.
    pub(super) fn middle(&self, context: &Context, before: &Snapshot, after: &Snapshot) -> Snapshot {
        let mut middle = before.clone();
        for (place, world) in &context.listed {
            // Only what was written is compared with what was seen.
            if before.enforced.get(place) == after.enforced.get(place) {
                continue;
            }
            // Seed 64003403: it saw that nothing was there, and somebody was first by a moment. There is no
            // compare-and-set that would show it.
            match world.enforced.get(place) {
                Some(seen) => middle.enforced.insert(place.clone(), seen.clone()),
                None => middle.enforced.remove(place),
            };
        }
        for (arn, world) in &context.policies {
            if before.policies.get(arn) == after.policies.get(arn) {
                continue;
            }
            match world.policies.get(arn) {
                Some(seen) => middle.policies.insert(arn.clone(), seen.clone()),
                None => middle.policies.remove(arn),
            };
            match world.admitted.get(arn) {
                Some(seen) => middle.admitted.insert(arn.clone(), seen.clone()),
                None => middle.admitted.remove(arn),
            };
        }
        // Whoever left isn't admitted any more, and no policy did that.
        let members = &self.places.last().expect("it was looked at").1;
        for admitted in middle.admitted.values_mut() {
            admitted.retain(|account| members.contains_key(account));
        }
        middle
    }

    /// What was there all the time since then, which whoever looked must have seen.
    pub(super) fn all_along(&self, context: &Context, since: Timestamp) -> Snapshot {
        let mut worlds = self.worlds[..self.worlds.len() - 1].iter().rev();
        let mut all_along = match worlds.next() {
            Some((_, latest)) => (**latest).clone(),
            None => Snapshot::default(),
        };
        for (at, world) in worlds {
            let same = |place: &Place, arn: &str| {
                world.enforced.get(place).is_some_and(|seen| seen.guardrail_arn == arn)
            };
            all_along.enforced.retain(|place, seen| same(place, &seen.guardrail_arn));
            if *at < since {
                break;
            }
        }
        for (at, world) in self.worlds.iter().rev() {
            all_along.unknown_states.retain(|account| world.unknown_states.contains(account));
            if *at < context.asked {
                break;
            }
        }
        all_along.guardrails = self.worlds[context.began].1.guardrails.clone();
        all_along
    }

    /// Every baseline and place in the organization that the invocation may go by, the likeliest first.
    pub(super) fn candidates(&self, group: &str, context: &Context) -> Vec<Wants> {
        let mut all: Vec<Wants> = Vec::new();
        let since = &self.baselines[context.baseline..];
        // Nothing in an account is written for one that waits. Grants are made for it.
        let waits = |at: usize| !group.starts_with("owner.") && self.waited_since(at, context.asked);
        let numbers = (context.baseline..self.baselines.len()).rev().filter(|at| !waits(*at));
        let wants = numbers.map(|at| &self.baselines[at].wants).filter(|wants| !wants.invalid);
        all.extend(wants.cloned());
        // The last good one is for when the present one is none or can't be read, the last approved one for
        // when the present one waits for its approval; that one may say to write nothing.
        let unread = self.unread.get(group).is_some_and(|at| *at >= context.asked);
        let stands_in = unread || since.iter().any(|it| it.wants.invalid);
        let waits = since.iter().any(|it| !it.wants.invalid && it.wants.mode != Mode::Audit);
        for (document, revision) in &context.kept {
            let Some(kept) = self.baselines.iter().rev().find(|it| it.revision == *revision) else {
                continue;
            };
            let mode = if kept.wants.mode == Mode::Audit { Mode::Audit } else { Mode::EnforceOnly };
            // Whom the one that waits excludes is guarded as before: it takes nobody away.
            let is_candidate = match *document {
                GOOD => stands_in,
                APPROVED => waits,
                _ => false,
            };
            if is_candidate {
                all.push(Wants { mode, ..kept.wants.clone() });
            }
        }
        let from = self.places.iter().rposition(|(at, _)| *at <= context.asked).unwrap_or(0);
        let stood: BTreeSet<&String> =
            self.places[from..].iter().filter_map(|(_, places)| places.get(group)).collect();
        let elsewhere: Vec<Wants> = stood
            .into_iter()
            .flat_map(|parent| {
                let stood = BTreeMap::from([(group.to_owned(), parent.clone())]);
                all.iter().map(move |wants| Wants { stood: stood.clone(), ..wants.clone() })
            })
            .collect();
        all.extend(elsewhere);
        let from = self.leaving.iter().rposition(|(at, _)| *at <= context.asked).unwrap_or(0);
        let leaving: BTreeSet<bool> =
            self.leaving[from..].iter().map(|(_, leaving)| leaving.contains(group)).collect();
        let with = |leaves: bool| if leaves { BTreeSet::from([group.to_owned()]) } else { BTreeSet::new() };
        let each = |leaves: &bool| {
            let leaving = with(*leaves);
            // Whoever is about to leave is released while a revision waits, too.
            let released = all.iter().filter(|it| *leaves && it.mode == Mode::EnforceOnly);
            let released = released.map(|it| Wants { mode: Mode::Sync, ..it.clone() });
            let each = all.iter().cloned().chain(released);
            each.map(|wants| Wants { leaving: leaving.clone(), ..wants }).collect::<Vec<_>>()
        };
        leaving.iter().flat_map(each).collect()
    }
}

/// What the invocation proved, in the version that is enforced now.
pub(super) fn proven(context: &Context, after: &Snapshot) -> BTreeSet<(Place, String, String)> {
    let version = |place: &Place| after.enforced.get(place).map(|seen| seen.guardrail_version.clone());
    let proven = context.proven.iter();
    proven.filter_map(|(place, arn)| Some((place.clone(), arn.clone(), version(place)?))).collect()
}
