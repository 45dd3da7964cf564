//! What is told on the bus, held against what was done: every write once, and nothing that wasn't done.
//!
//! An invocation tells its writes itself, before it ends. One that is killed, or whose calls go wrong, may leave that
//! to the next look at the account, or tell it once more; how often that was so is counted.

use std::collections::BTreeSet;

use guardrail_keeper::record::Record;
use serde_json::Value;
use simulator::{Call, Model};

use super::{Context, Judge};
use testkit::histories::check::{Invariant, Violation, broken};
use testkit::histories::model::{Place, Snapshot};
use testkit::histories::step::{DELETE, PUT};
use testkit::histories::told::Deed;

/// A write, and the invocation that made it.
#[derive(Clone, Debug)]
struct Written {
    deed: Deed,
    context: usize,
}

/// What was told, and what wasn't yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// The number of the last event that was heard.
    last: u64,
    owed: Vec<Written>,
    /// Where a release went wrong, or its invocation ended, and nobody but AWS knows whether it was carried out: should
    /// nothing be there when the account is looked at next, it is told.
    unsure: BTreeSet<Place>,
    /// What was told by invocations that are under way, didn't come to their end, or whose calls went wrong.
    unsettled: Vec<Written>,
    pub(super) figures: Telling,
}

/// How often what was told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Telling {
    /// Writes that were told by the invocation that made them.
    pub(crate) at_once: usize,
    /// Writes that were told by a later one.
    pub(crate) later: usize,
    /// Writes that were told again, since it wasn't known that they had been.
    pub(crate) again: usize,
    /// Releases that went wrong, and that somebody else made before anybody looked again.
    pub(crate) made_by_others: usize,
    /// Writes that nobody told until the end.
    pub(crate) never: usize,
}

impl Telling {
    pub(crate) fn add(&mut self, other: Telling) {
        let Telling { at_once, later, again, made_by_others, never } = other;
        self.at_once += at_once;
        self.later += later;
        self.again += again;
        self.made_by_others += made_by_others;
        self.never += never;
    }
}

impl Told {
    /// A call, whatever came of it.
    pub(super) fn note(&mut self, call: &Call) {
        let place = Place { account: call.account.clone(), region: call.region.clone() };
        match call.operation.as_str() {
            // What was denied was surely not carried out.
            DELETE if call.error.as_deref().is_some_and(|error| error != "AccessDeniedException") => {
                self.unsure.insert(place);
            }
            DELETE if call.error.is_none() => drop(self.unsure.remove(&place)),
            _ => {}
        }
    }

    /// A call changed what is enforced, or wrote it once more.
    pub(super) fn owes(&mut self, context: usize, call: &Call, before: &Snapshot, after: &Snapshot) {
        let place = Place { account: call.account.clone(), region: call.region.clone() };
        let (before, now) = (before.enforced.get(&place), after.enforced.get(&place));
        let wrote = before != now || (call.operation == PUT && call.error.is_none());
        let deed = match now {
            Some(now) => Deed::Enforced(place, now.guardrail_arn.clone(), now.guardrail_version.clone()),
            None => Deed::Released(place),
        };
        // What was sent again because its answer was lost is one write.
        let again = self.owed.iter().any(|it| it.context == context && it.deed == deed);
        if wrote && !again {
            self.owed.push(Written { deed, context });
        }
    }
}

impl Judge {
    /// The events that the invocation whose turn it is has just put on the bus.
    pub(super) fn hear(&mut self, model: &mut Model) -> Result<(), Violation> {
        let last = self.told.last;
        let new = model.put_events().iter().filter(|event| event.sequence > last);
        // A terminal's requests come by the same bus.
        let new = new.filter(|event| event.event["source"] == "guardrail-keeper");
        let mut new: Vec<Value> = new.map(|event| event.event.clone()).collect();
        self.told.last = model.put_events().last().map_or(last, |event| event.sequence);
        if let Some(plant) = self.plant {
            plant.tell(&mut new);
        }
        new.iter().try_for_each(|event| self.read(event, model))?;
        let Some(group) = self.turn.clone() else { return Ok(()) };
        new.iter().filter_map(Deed::of_event).try_for_each(|deed| self.hear_deed(&group, &deed))
    }

    fn hear_deed(&mut self, group: &str, deed: &Deed) -> Result<(), Violation> {
        let Some(context) = self.contexts.get(group) else {
            return broken(
                Invariant::ToldWrongly,
                format!("{deed:?} was told, and nobody is at work on {group}"),
            );
        };
        let told = &mut self.told;
        let disturbed = context.is_disturbed();
        let own = told.owed.iter().position(|it| it.deed == *deed && it.context == context.number);
        if let Some(at) = own.or_else(|| told.owed.iter().position(|it| it.deed == *deed)) {
            let Written { context: by, .. } = told.owed.remove(at);
            match by == context.number {
                true => told.figures.at_once += 1,
                false => told.figures.later += 1,
            }
            told.unsettled.push(Written { deed: deed.clone(), context: context.number });
            return Ok(());
        }
        let may_be_repeated = |it: &Written| it.deed == *deed && (it.context != context.number || disturbed);
        if told.unsettled.iter().any(may_be_repeated) {
            told.figures.again += 1;
            return Ok(());
        }
        let place = deed.place();
        if matches!(deed, Deed::Released(_)) && told.unsure.remove(place) {
            told.figures.made_by_others += 1;
            return Ok(());
        }
        broken(Invariant::ToldWrongly, format!("{deed:?} was told, and not done since"))
    }

    /// An invocation has ended. `whole` says that it came to its end and didn't fail.
    pub(super) fn judge_told(
        &mut self,
        group: &str,
        context: &Context,
        whole: bool,
    ) -> Result<(), Violation> {
        if !whole {
            // It may have ended between the record of a release and the release (seed 64005021).
            let records = self.records(group);
            let releases = |record: &Record| record.intent.as_ref().is_some_and(|intent| intent.to.is_none());
            let begun = records.iter().filter(|(_, record)| releases(record));
            let places = begun
                .map(|(target, _)| Place { account: group.to_owned(), region: target.region.to_string() });
            self.told.unsure.extend(places);
        }
        if !whole || context.is_disturbed() {
            return Ok(());
        }
        // What was told before of the places that it looked at is settled by now: nobody tells it again (of others, a
        // later look may: seed 64004772).
        let looked_at = |place: &Place| place.account == group && context.listed.contains_key(place);
        self.told.unsettled.retain(|it| !looked_at(it.deed.place()));
        self.told.unsure.retain(|place| !looked_at(place));
        match self.told.owed.iter().find(|it| it.context == context.number) {
            Some(Written { deed, .. }) => {
                broken(Invariant::Untold, format!("{deed:?} was done, and not told"))
            }
            None => Ok(()),
        }
    }

    /// What was told until the end, and what never was.
    pub(crate) fn telling(&self) -> Telling {
        Telling { never: self.told.owed.len(), ..self.told.figures }
    }
}
