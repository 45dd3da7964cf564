//! The baseline that counts, by the judge's own reckoning: what was put, what people read of it, and what it may change
//! without a person. Nothing here is taken from the keeper's ledger.
//!
//! What people read (`Baseline Changed`) says when a revision was counted. Whether it may begin then, the judge counts
//! by itself: a revision that surely goes beyond its limits, or names an account that isn't there, begins by a
//! person's approval alone; one that surely stays within them waits for nobody. Between the moment when a revision is put
//! and the moment when it was counted, either it or the one before it counts.

use std::collections::BTreeSet;

use guardrail_keeper::baseline::{Baseline, Revision};
use guardrail_keeper::limits::EffectiveBaseline;
use jiff::Timestamp;
use serde_json::Value;
use simulator::Model;

use super::super::step::CEILINGS;
use super::{APPROVED, Judge};
use testkit::histories::baseline::{Mode, Wanted, Wants};
use testkit::histories::check::{Invariant, Violation, broken};
use testkit::histories::model::Place;
use testkit::histories::standing::is_reachable;

/// How long what revisions changed without a person counts against the ceilings, in seconds.
const DAY: i64 = 24 * 3600;
/// The limit of abandonments that a baseline has that doesn't say.
const ABANDONMENTS: u32 = 5;
const LOOSE: u32 = 1000;

/// What a revision replaces, releases and abandons.
type Extent = [u32; 3];

/// A baseline, and since when it has been there.
#[derive(Clone, Debug)]
pub(super) struct Published {
    pub(super) at: Timestamp,
    pub(super) revision: Revision,
    pub(super) wants: Wants,
    /// Which ones may have been approved last when it was put, by their places in the list; `None` for nobody.
    before: BTreeSet<Option<usize>>,
    /// What it changes at least, as far as the judge knew when it was put.
    least: Extent,
    /// Whether it begins or waits, by what people read last, and when they did.
    begins: Option<bool>,
    read_at: Timestamp,
    /// When a person approved it who may.
    approved: Option<Timestamp>,
    /// When it was counted within its limits.
    counted: Option<Timestamp>,
}

impl Judge {
    /// Another baseline is there.
    pub(crate) fn published(&mut self, wants: &Wants, text: &str, model: &mut Model) {
        let (at, revision) = (self.clock.now(), Revision::of(text));
        let before = self.approved_before();
        let least = self.least(wants, &before, model);
        self.baselines.push(Published {
            at,
            revision,
            wants: wants.clone(),
            before,
            least,
            begins: None,
            read_at: Timestamp::MAX,
            approved: None,
            counted: None,
        });
        self.note_stands(model);
    }

    /// A person who may approves the baseline that is there.
    pub(crate) fn approved(&mut self, text: &str, model: &mut Model) {
        let (now, revision) = (self.clock.now(), Revision::of(text));
        self.book.approved.insert(text.to_owned());
        if let Some(present) = self.baselines.last_mut().filter(|it| it.revision == revision) {
            present.approved = Some(now);
        }
        self.note_stands(model);
    }

    /// Which ones may be approved last once another one is put now.
    fn approved_before(&self) -> BTreeSet<Option<usize>> {
        let Some((at, present)) = self.baselines.iter().enumerate().next_back() else { return [None].into() };
        let Published { wants, before, begins, approved, .. } = present;
        if wants.invalid || wants.mode == Mode::Audit {
            // Nothing is kept of it.
            return before.clone();
        }
        match begins {
            Some(true) => [Some(at)].into(),
            Some(false) if approved.is_none() => before.clone(),
            _ if self.surely_waits(at, present.least) => before.clone(),
            _ => before.iter().copied().chain([Some(at)]).collect(),
        }
    }

    /// Which ones accounts may be following now: the present one, those before it, or none.
    fn followed_by_own_count(&self) -> BTreeSet<Option<usize>> {
        let Some((at, present)) = self.baselines.iter().enumerate().next_back() else { return [None].into() };
        let Published { wants, before, begins, approved, .. } = present;
        if wants.invalid {
            return before.clone();
        }
        if wants.mode == Mode::Audit {
            return [None].into();
        }
        match begins {
            Some(true) => [Some(at)].into(),
            Some(false) if approved.is_none() => before.clone(),
            _ if self.surely_waits(at, present.least) => before.clone(),
            _ => before.iter().copied().chain([Some(at)]).collect(),
        }
    }

    /// What accounts may be following now. `None` where that may be nothing.
    pub(super) fn may_follow(&self) -> Option<Vec<&Wants>> {
        let followed = self.followed_by_own_count().into_iter();
        followed.map(|at| at.map(|at| &self.baselines[at].wants)).collect()
    }

    /// Whether people read that the present baseline waits.
    pub(super) fn is_said_to_wait(&self) -> bool {
        self.baselines.last().is_some_and(|it| it.begins == Some(false))
    }

    /// Whether a revision surely waited for a person since then, and accounts had another one to follow.
    pub(super) fn waited_since(&self, at: usize, since: Timestamp) -> bool {
        let Published { begins, approved, read_at, before, .. } = &self.baselines[at];
        let is_known = self.baselines[..at].iter().any(|it| it.revision == self.baselines[at].revision);
        *begins == Some(false)
            && approved.is_none()
            && *read_at < since
            && !before.contains(&None)
            && !is_known
    }

    /// Whether nobody has read yet what the present baseline does.
    pub(super) fn is_uncounted(&self) -> bool {
        self.baselines.last().is_some_and(|it| it.begins.is_none())
    }

    /// Whether some baseline that stopped all writes, or that waited, left a place to itself.
    pub(super) fn was_left(&self, place: &Place, model: &Model) -> bool {
        self.baselines.iter().any(|it| {
            let stops = it.wants.mode == Mode::Audit || it.begins == Some(false);
            stops && it.wants.of(&self.setting, model, place) == Wanted::HandsOff
        })
    }

    /// What a revision changes at least: what is surely the keeper's, as the former baseline wants it, and not as this
    /// one does.
    fn least(&self, wants: &Wants, before: &BTreeSet<Option<usize>>, model: &mut Model) -> Extent {
        let mut least = Extent::default();
        let former: Option<Vec<&Wants>> =
            before.iter().map(|at| at.map(|at| &self.baselines[at].wants)).collect();
        let Some(former) = former else { return least };
        for place in self.places() {
            let Some(seen) = model.enforcement(&place.account, &place.region).cloned() else { continue };
            let is_ours = self.book.is_provably_applied(&place, &seen) && self.book.has(&place);
            let is_known = is_reachable(model, &place.account)
                && model.account(&place.account).is_some_and(|it| it.told_state.is_none());
            let as_before = former.iter().all(|former| {
                former.placement == wants.placement
                    && former.of(&self.setting, model, &place) == Wanted::Guardrail
                    && former.is_met(&self.setting, model, &place, &seen)
            });
            if !(is_ours && is_known && as_before) {
                continue;
            }
            match wants.of(&self.setting, model, &place) {
                Wanted::Guardrail if wants.is_met(&self.setting, model, &place, &seen) => {}
                Wanted::Guardrail => least[0] += 1,
                Wanted::Nothing => least[1] += 1,
                Wanted::HandsOff => least[2] += 1,
            }
        }
        least
    }

    /// What a revision may change at most without a person, with what is surely used up of the day's ceilings.
    fn room(&self, at: usize) -> Extent {
        let Published { wants, revision, .. } = &self.baselines[at];
        let limit = if wants.tight { 1 } else { LOOSE };
        let limits = [limit, limit, ABANDONMENTS];
        if !self.manner.ceilings {
            return limits;
        }
        let now = self.clock.now().as_second();
        let others = self.baselines.iter().filter(|it| it.revision != *revision);
        let lately = others.filter(|it| it.counted.is_some_and(|at| now - at.as_second() < DAY));
        let mut room = CEILINGS;
        for used in lately {
            for (left, used) in room.iter_mut().zip(used.least) {
                *left = left.saturating_sub(used);
            }
        }
        std::array::from_fn(|kind| limits[kind].min(room[kind]))
    }

    /// Whether only a person can let a revision begin. `least` is what it changes at least.
    fn surely_waits(&self, at: usize, least: Extent) -> bool {
        let Published { revision, approved, .. } = &self.baselines[at];
        // Put once more, it is what it was before.
        let is_known = self.baselines[..at].iter().any(|it| it.revision == *revision);
        let is_beyond = least.iter().zip(self.room(at)).any(|(least, most)| *least > most);
        approved.is_none() && !is_known && (is_beyond || self.names_nobody_all_along(at))
    }

    /// Whether nothing can keep a revision waiting.
    fn surely_begins(&self, at: usize) -> bool {
        let Published { wants, .. } = &self.baselines[at];
        !wants.tight && !self.manner.ceilings && !self.named_nobody(at).any(|it| it)
    }

    fn names_nobody_all_along(&self, at: usize) -> bool {
        !self.places.is_empty() && self.named_nobody(at).all(|it| it)
    }

    /// Whether it named an account that was no member, at each time since it was put.
    fn named_nobody(&self, at: usize) -> impl Iterator<Item = bool> {
        let Published { at, wants, .. } = &self.baselines[at];
        let from = self.places.iter().rposition(|(since, _)| since <= at).unwrap_or(0);
        self.places[from..].iter().map(|(_, members)| wants.names_nobody(&self.setting, members))
    }

    /// People read of a revision that it begins or waits.
    pub(super) fn hear_of_baseline(&mut self, detail: &Value, model: &mut Model) -> Result<(), Violation> {
        let revision = detail["revision"].as_str().unwrap_or_default();
        let begins = detail["begins"] == true;
        let Some(at) = self.baselines.iter().rposition(|it| it.revision.as_str() == revision) else {
            return broken(Invariant::FollowedWrongly, format!("nobody put baseline {revision}"));
        };
        let before = self.baselines[at].before.clone();
        let wants = self.baselines[at].wants.clone();
        let (least, since) = (self.least(&wants, &before, model), self.baselines[at].least);
        let least: Extent = std::array::from_fn(|kind| least[kind].min(since[kind]));
        let audits = wants.mode == Mode::Audit;
        if begins && !audits && self.surely_waits(at, least) {
            let (what, room) =
                (format!("baseline {revision} begins, which changes {least:?} at least"), self.room(at));
            return broken(
                Invariant::FollowedWrongly,
                format!("{what}, of {room:?} without a person, or names nobody, and no person approved it"),
            );
        }
        if !begins && !audits && self.surely_begins(at) {
            let what = format!("baseline {revision} waits, and nothing in it asks for a person");
            return broken(Invariant::FollowedWrongly, what);
        }
        let now = self.clock.now();
        let published = &mut self.baselines[at];
        (published.begins, published.read_at) = (Some(begins), now);
        if begins && published.approved.is_none() {
            published.counted = Some(now);
            published.least = least;
        }
        self.last_read = Some((published.revision.clone(), begins));
        self.note_stands(model);
        Ok(())
    }

    /// A sweep has ended that began when the present baseline was there already. Where nothing new was read of it, it is
    /// the one that people read of last, put once more.
    pub(super) fn settle_baseline(&mut self, swept: Timestamp) {
        let Some(present) = self.baselines.last_mut().filter(|it| it.begins.is_none() && it.at < swept)
        else {
            return;
        };
        if let Some((_, begins)) = self.last_read.as_ref().filter(|(it, _)| *it == present.revision) {
            present.begins = Some(*begins);
        }
    }

    /// What the ledger says which baseline accounts follow is one that counts.
    pub(crate) fn check_followed(&self, present: &Baseline) -> Result<(), Violation> {
        if self.store.is_hidden() || self.ledger_ails {
            return Ok(());
        }
        let known = self.store.document("rollout").and_then(|it| serde_json::from_value(it).ok());
        let before = self.store.document(APPROVED);
        let followed =
            EffectiveBaseline::of(present, known, before.as_ref().and_then(|it| it["text"].as_str()));
        let followed = match self.plant {
            Some(super::Plant::FollowsTheWaiting) => EffectiveBaseline::approved(present),
            _ => followed,
        };
        if !followed.approved || present.mode == guardrail_keeper::baseline::Mode::Audit {
            // Then nothing is done but what is right under any baseline.
            return Ok(());
        }
        let revision = &followed.baseline.revision;
        let allowed = self.followed_by_own_count();
        let is_one = |at: &Option<usize>| at.is_some_and(|at| self.baselines[at].revision == *revision);
        if allowed.iter().any(is_one) {
            return Ok(());
        }
        let allowed: Vec<String> = allowed
            .iter()
            .map(|at| at.map_or("none".to_owned(), |at| self.baselines[at].revision.to_string()))
            .collect();
        let what = format!("accounts follow {revision}, and the one that counts is {}", allowed.join(" or "));
        broken(Invariant::FollowedWrongly, what)
    }

    /// Every target that a baseline may be about.
    pub(super) fn places(&self) -> Vec<Place> {
        let regions = self.setting.regions();
        let accounts = self.setting.assignable().into_iter();
        let all = accounts.flat_map(|account| {
            regions.iter().map(move |region| Place { account: account.clone(), region: (*region).to_owned() })
        });
        all.collect()
    }
}
