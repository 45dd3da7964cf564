//! The rules of this judge, beside the invariants of the random histories.

use std::fmt;

/// What must never happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Everything is as the baseline wants it, once the scenario has settled.
    AsWanted,
    /// `status` calls nothing good that isn't.
    CalledGood,
    /// After a sweep `status` calls nothing bad that is good.
    CalledBad,
    /// The program says what the record says: its text, its JSON and how it ends.
    Rendered,
    /// Every write is told on the bus.
    Untold,
    /// What is told on the bus was done, and is told once.
    ToldWrongly,
    /// No enforcement is written before it is recorded what will be written.
    WroteUnrecorded,
    /// Nothing is given up for one answer of AWS.
    GivenUpTooSoon,
    /// What happened is put right in time.
    TooLate,
    /// `guardrailctl callers` names those whose calls fail because they may not apply what is enforced.
    Callers,
    /// Once everything is as wanted, a sweep writes nothing: to AWS, into the ledger, onto queues and buses.
    Restless,
}

impl Rule {
    pub const ALL: [Rule; 11] = [
        Rule::AsWanted,
        Rule::CalledGood,
        Rule::CalledBad,
        Rule::Rendered,
        Rule::Untold,
        Rule::ToldWrongly,
        Rule::WroteUnrecorded,
        Rule::GivenUpTooSoon,
        Rule::TooLate,
        Rule::Callers,
        Rule::Restless,
    ];
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A rule that didn't hold.
pub fn broken<T>(rule: Rule, what: impl fmt::Display) -> Result<T, String> {
    Err(format!("{rule}: {what}"))
}
