//! A thousand accounts with one problem are one line.

use std::collections::BTreeMap;

use super::{Check, Finding, Outcome, Place};

/// Places, each with what it has of its own.
pub type Places = Vec<(Place, Option<String>)>;

/// Findings that say the same of different places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// How they came out.
    pub outcome: Outcome,
    /// What they say.
    pub text: String,
    /// What to do.
    pub todo: Option<String>,
    /// Where.
    pub places: Places,
}

/// All findings, put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoctorSummary {
    /// What was found by each check, the worst first.
    pub checks: BTreeMap<Check, Vec<Group>>,
    /// How many findings came out in each way.
    pub counts: BTreeMap<Outcome, usize>,
}

impl DoctorSummary {
    /// Puts findings together.
    pub fn of(findings: &[Finding]) -> DoctorSummary {
        let mut counts: BTreeMap<Outcome, usize> = BTreeMap::new();
        let mut groups: BTreeMap<(Check, Outcome, &str, Option<&str>), Places> = BTreeMap::new();
        for finding in findings {
            let Finding { check, outcome, place, text, detail, todo } = finding;
            *counts.entry(*outcome).or_default() += 1;
            let key = (*check, *outcome, text.as_str(), todo.as_deref());
            groups.entry(key).or_default().push((place.clone(), detail.clone()));
        }
        let mut checks: BTreeMap<Check, Vec<Group>> = BTreeMap::new();
        for ((check, outcome, text, todo), mut places) in groups {
            places.sort();
            let (text, todo) = (text.to_owned(), todo.map(str::to_owned));
            checks.entry(check).or_default().push(Group { outcome, text, todo, places });
        }
        DoctorSummary { checks, counts }
    }

    /// Whether everything could be checked, and nothing is wrong.
    pub fn is_good(&self) -> bool {
        !self.counts.contains_key(&Outcome::Problem) && !self.counts.contains_key(&Outcome::Unknown)
    }
}
