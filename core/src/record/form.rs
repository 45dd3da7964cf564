//! The form in which AWS shows what we wrote, where it isn't the form in which it was written.

use super::{Ours, Record};
use crate::enforcement::{Enforcement, ReadsBack};

impl Record {
    /// Both forms, where what is seen is just what came back right after our write. Anything else that differs
    /// from what was written is drift.
    pub fn reads_back(&self, seen: &Enforcement) -> Option<ReadsBack> {
        let ours = self.shown_as(seen)?;
        Some(ReadsBack { written: ours.enforcement.clone(), shown: seen.clone() })
    }

    /// What is seen, in the form in which it was written, where that is known.
    pub fn meant<'a>(&'a self, seen: &'a Enforcement) -> &'a Enforcement {
        self.shown_as(seen).map_or(seen, |ours| &ours.enforcement)
    }

    /// Whether just these two forms are known already.
    pub fn knows(&self, reads_back: &ReadsBack) -> bool {
        self.reads_back(&reads_back.shown).as_ref() == Some(reads_back)
    }

    fn shown_as(&self, seen: &Enforcement) -> Option<&Ours> {
        self.ours.as_ref().filter(|ours| ours.reads_back.as_ref() == Some(seen))
    }
}
