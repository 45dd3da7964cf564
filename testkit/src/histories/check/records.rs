//! The keeper's ledger, held against what the judge saw.

use guardrail_keeper::record::Record;
use simulator::Model;

use super::book::{Signature, bears_keepers_name, recorded_signature, signature};
use super::{Book, Invariant, Run, Violation, broken};
use crate::histories::baseline::{Existing, Mode, Wanted};
use crate::histories::model::{Place, Snapshot};

/// What became of one place in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It says what the book says.
    Agrees,
    /// What was written isn't recorded yet, and it is recorded that it was begun.
    Pending,
    /// It takes something over, which is right. `named` says that the keeper had written it.
    TakesOver { recorded: Signature, named: bool },
    /// It lets go of what isn't the keeper's any more, which is right.
    LetsGo,
}

impl Entry {
    pub fn note(self, book: &mut Book, place: &Place) {
        match self {
            Entry::Agrees => book.settles(place),
            Entry::Pending => {}
            Entry::TakesOver { recorded, named } => book.takes_over(place, recorded, named),
            Entry::LetsGo => book.lets_go(place),
        }
    }
}

impl Run<'_> {
    /// What the ledger takes for the keeper's was written by it, or was found as wanted; and what was written by it
    /// is in the ledger, until it is released or gone.
    pub fn check_records(&self, model: &Model, book: &mut Book) -> Result<(), Violation> {
        let moments = [&self.before, &self.middle, &self.after];
        book.noted = false;
        for account in self.setting.accounts() {
            for region in self.setting.regions() {
                let place = Place { account: account.clone(), region: (*region).to_owned() };
                let record = self.record(&place);
                let entry = self.check_record(model, book, &place, record, &moments)?;
                entry.note(book, &place);
                book.note_ledger(&place, record.and_then(ours).as_ref());
            }
        }
        Ok(())
    }

    /// The same for one place, by what was there at some moments.
    pub fn check_record(
        &self,
        model: &Model,
        book: &Book,
        place: &Place,
        record: Option<&Record>,
        moments: &[&Snapshot],
    ) -> Result<Entry, Violation> {
        let (recorded, mine) = (record.and_then(ours), book.of(place));
        let (now, before) = mine.map(|mine| (mine.now.clone(), mine.before.clone())).unwrap_or_default();
        if recorded == now {
            return Ok(Entry::Agrees);
        }
        let begun = record.and_then(|record| record.intent.as_ref());
        let pending = begun.is_some_and(|intent| intent.to.as_ref().map(recorded_signature) == now);
        if pending && recorded.as_ref().is_none_or(|recorded| before.contains(recorded)) {
            return Ok(Entry::Pending);
        }
        // Seed 65004189: the answer to a write was lost, somebody removed what it wrote, and the next write, which began
        // an intent of its own, was refused. Nothing is there, and the ledger still has what was there before.
        let is_gone = moments.iter().any(|moment| !moment.enforced.contains_key(place));
        if is_gone && recorded.as_ref().is_some_and(|recorded| before.contains(recorded)) {
            return Ok(Entry::Pending);
        }
        match recorded {
            Some(recorded) => self.check_taken_over(model, book, place, &recorded, record, moments),
            None => self.check_let_go(place, now.as_ref(), moments),
        }
    }

    fn check_taken_over(
        &self,
        model: &Model,
        book: &Book,
        place: &Place,
        recorded: &Signature,
        record: Option<&Record>,
        moments: &[&Snapshot],
    ) -> Result<Entry, Violation> {
        let stale = self.account_was_stale(&place.account);
        let wrong = |why: &str| {
            broken(Invariant::AdoptedUnwanted, format!("{place}: the ledger has {recorded:?}, {why}"))
        };
        let seen = moments.iter().filter_map(|moment| moment.enforced.get(place));
        let alike: Vec<_> = seen.filter(|seen| signature(seen) == *recorded).collect();
        let named = alike.iter().any(|seen| bears_keepers_name(&place.account, seen));
        let takes_over = Entry::TakesOver { recorded: recorded.clone(), named };
        if alike.is_empty() && !stale {
            return wrong("which never was there");
        }
        if self.meddled || stale {
            return Ok(takes_over);
        }
        if self.wants.mode == Mode::Audit {
            return wrong("and under audit nothing is taken over");
        }
        if self.wants.of(self.setting, model, place) != Wanted::Guardrail {
            return wrong("where none is wanted");
        }
        let met = alike.iter().any(|seen| self.wants.is_met(self.setting, model, place, seen));
        if !met && !self.owner_was_stale() {
            return wrong("and that isn't what is wanted");
        }
        if named || book.has(place) {
            return Ok(takes_over);
        }
        if self.wants.existing == Existing::Keep {
            return wrong("which somebody else made, and the baseline keeps those");
        }
        let previous = record.and_then(|record| record.previous.as_ref());
        if previous.is_none_or(|it| recorded_signature(&it.seen.enforcement) != *recorded) {
            return wrong("which somebody else made, and there is no record of who");
        }
        Ok(takes_over)
    }

    /// The ledger says no more that what was written there is the keeper's.
    fn check_let_go(
        &self,
        place: &Place,
        written: Option<&Signature>,
        moments: &[&Snapshot],
    ) -> Result<Entry, Violation> {
        if self.meddled || self.account_was_stale(&place.account) {
            return Ok(Entry::LetsGo);
        }
        let is_gone = moments.iter().any(|moment| match moment.enforced.get(place) {
            None => true,
            // Somebody else's is there.
            Some(seen) => !bears_keepers_name(&place.account, seen),
        });
        if is_gone {
            return Ok(Entry::LetsGo);
        }
        broken(
            Invariant::RecordLost,
            format!(
                "{place}: the ledger knows nothing any more of {written:?}, which the keeper wrote there"
            ),
        )
    }
}

/// What the ledger takes for the keeper's.
fn ours(record: &Record) -> Option<Signature> {
    record.ours.as_ref().map(|ours| recorded_signature(&ours.enforcement))
}
