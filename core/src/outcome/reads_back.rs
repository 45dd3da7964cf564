//! What AWS shows in another form than we wrote it in: published when it is first found.

use super::{Event, Kind, RunEvents};
use crate::enforcement::ReadsBack;
use crate::ids::Target;
use crate::record::Record;

impl<'a> RunEvents<'a> {
    /// The event of a write that reads back different, unless that very form was known before.
    pub(super) fn reads_back(
        self,
        target: &'a Target,
        reads_back: &'a ReadsBack,
        before: Option<&Record>,
    ) -> Option<Event> {
        if before.is_some_and(|record| record.knows(reads_back)) {
            return None;
        }
        let mut detail = self.detail(target);
        detail.guardrail(&reads_back.written);
        detail.shown(&reads_back.shown);
        detail.reason(ReadsBack::CODE.to_owned(), &format!("{target} {reads_back}"));
        Some(self.event(Kind::ReadsBackDifferent, &detail))
    }
}
