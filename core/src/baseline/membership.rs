//! The baseline compared with the organization: problems that only the tree shows.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::problem::{Problem, TextPlace, sorted};
use super::{AssignmentTarget, Baseline, GuardrailKey};
use crate::ids::{AccountId, ParentId};
use crate::organization::{Account, Organization, Unplaced};

/// Ids of accounts, OUs and roots that a baseline names, and for which no account was found.
///
/// A mistyped id names no account, and then accounts that it should have covered are treated as the
/// rest of the baseline says: a sandbox that should be left unguarded is guarded. So the keeper doesn't act on such
/// a revision before a person has approved it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NamedIds(BTreeSet<String>);

impl NamedIds {
    /// Every id that this baseline names.
    pub fn of(baseline: &Baseline) -> NamedIds {
        let places = &baseline.places;
        let targets =
            places.targets.keys().chain(places.organization_targets.keys()).map(|target| match target {
                AssignmentTarget::Account(account) => account.to_string(),
                AssignmentTarget::Parent(parent) => parent.to_string(),
            });
        let excluded = places.exclude.keys().map(ToString::to_string);
        let owners = baseline.owners().into_iter().chain([baseline.owner.clone()]);
        NamedIds(targets.chain(excluded).chain(owners.map(|owner| owner.to_string())).collect())
    }

    /// Those for which this organization has no account.
    pub fn missing_in(baseline: &Baseline, organization: &Organization) -> NamedIds {
        let mut missing = NamedIds::of(baseline);
        missing.found(organization.accounts.values(), &organization.unplaced);
        missing
    }

    /// Takes the ids of these accounts from them, and those of the OUs that they stand in. Where the unplaced ones
    /// stand isn't known.
    pub fn found<'a>(&mut self, accounts: impl IntoIterator<Item = &'a Account>, unplaced: &Unplaced) {
        for account in accounts {
            self.0.remove(account.id.as_str());
            for parent in account.path.parents() {
                self.0.remove(parent.as_str());
            }
        }
        for id in unplaced.keys() {
            self.0.remove(id);
        }
    }

    /// Whether this id is one of them.
    fn contains(&self, id: &str) -> bool {
        self.0.contains(id)
    }

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for NamedIds {
    /// What a baseline names with them: "ids that match no account of the organization (…)".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.0.iter().map(String::as_str).collect();
        let what = if ids.len() == 1 { "an id that matches" } else { "ids that match" };
        write!(f, "{what} no account of the organization ({})", ids.join(", "))
    }
}

impl Baseline {
    /// What in this baseline doesn't fit the organization, in the order of the text.
    ///
    /// Another organization, an owner outside it and a root or an OU that it can't have are errors.
    /// An account that isn't there is a warning, because accounts leave on their own; so is an OU
    /// without accounts, which looks from here as one that doesn't exist.
    /// Where only a part of the organization was looked at, only its id can be judged.
    pub fn check_organization(&self, organization: &Organization) -> Vec<Problem> {
        let places = &self.places;
        if self.organization != organization.id {
            let message = format!(
                "this baseline is for {}, and the organization here is {}",
                self.organization, organization.id
            );
            let instead = "use the credentials of the one, or the baseline of the other";
            // Nothing else can fit then.
            return vec![Problem::error(&places.organization, message, instead)];
        }
        if !organization.complete {
            return Vec::new();
        }

        let missing = NamedIds::missing_in(self, organization);
        let is_unknown = |account: &AccountId| missing.contains(account.as_str());
        let parents: BTreeSet<&ParentId> =
            organization.accounts.values().flat_map(|account| account.path.parents()).collect();
        let mut problems = Vec::new();
        for (owner, place) in self.places_of_owners().filter(|(owner, _)| is_unknown(owner)) {
            let message = format!(
                "{owner} is no account of {}, so its guardrails can't be shared with it",
                organization.id
            );
            problems.push(Problem::error(place, message, "write an account of the organization"));
        }
        problems.extend(self.check_owners(organization));
        for (target, place) in places.targets.iter().chain(&places.organization_targets) {
            match target {
                AssignmentTarget::Account(account) if is_unknown(account) => {
                    problems.push(unknown_account(account, place, organization));
                }
                AssignmentTarget::Parent(parent) if missing.contains(parent.as_str()) => {
                    problems.push(unknown_parent(parent, place, &parents));
                }
                AssignmentTarget::Account(_) | AssignmentTarget::Parent(_) => {}
            }
        }
        for (account, place) in places.exclude.iter().filter(|(account, _)| is_unknown(account)) {
            problems.push(unknown_account(account, place, organization));
        }
        problems.extend(self.check_accepted(organization));
        problems.extend(self.check_spared(organization));
        sorted(problems)
    }

    /// What is allowed, and yet probably not meant.
    pub fn warnings(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (key, place) in &self.places.guardrails {
            let by_organization =
                self.organization_assignments.iter().map(|assignment| &assignment.guardrail);
            let by_account = self.assignments.iter().filter_map(|assignment| assignment.guardrail.as_ref());
            if !by_account.chain(by_organization).any(|assigned| assigned == key) {
                let message = "no assignment uses this guardrail";
                problems.push(Problem::warning(place, message, "assign it, or remove it"));
            }
        }
        if self.assignments.is_empty() && self.organization_assignments.is_empty() {
            let message = "no account gets a guardrail, and nothing that is enforced is released";
            let instead = "assign a guardrail, or none to release";
            problems.push(Problem::warning(&self.places.assignments, message, instead));
        }
        if let Some(place) = &self.places.accept_unproven
            && !self.has_organization_level()
            && !self.accept_unproven.is_empty()
        {
            let message = "it has no effect: nothing is assigned with level: organization";
            problems.push(Problem::warning(place, message, "remove it"));
        }
        sorted(problems)
    }

    /// Every owner that the text names, where it does.
    fn places_of_owners(&self) -> impl Iterator<Item = (&AccountId, &TextPlace)> {
        let own = self.places.guardrail_owners.iter();
        let own = own.map(|(key, place)| (self.owner_of(key), place));
        std::iter::once((&self.owner, &self.places.owner)).chain(own)
    }

    /// A Bedrock policy takes guardrails of the management account only (Organizations user guide, Bedrock policies).
    fn check_owners(&self, organization: &Organization) -> Vec<Problem> {
        let keys: BTreeSet<&GuardrailKey> =
            self.organization_assignments.iter().map(|assignment| &assignment.guardrail).collect();
        let foreign = keys.into_iter().filter(|key| *self.owner_of(key) != organization.management);
        foreign
            .map(|key| {
                let message = format!(
                    "{key} is assigned with level: organization, which takes guardrails of the management account \
                     only, and {} is another account",
                    self.owner_of(key)
                );
                let instead = format!(
                    "write owner: \"{}\" for {key}, or assign it on the account's level",
                    organization.management
                );
                Problem::error(self.owner_place(key), message, instead)
            })
            .collect()
    }

    /// Accounts that need not prove anything: those that aren't there, and those that inherit nothing.
    fn check_accepted(&self, organization: &Organization) -> Vec<Problem> {
        // Where nothing is assigned on this level, all of them are told of at once.
        let accepted = self.places.accepted.iter().filter(|_| self.has_organization_level());
        accepted
            .filter_map(|(id, place)| match organization.accounts.get(id) {
                None if organization.unplaced.contains_key(id.as_str()) => None,
                None => Some(unknown_account(id, place, organization)),
                Some(account) => {
                    let is_reached = self.covering_by_organization(id, &account.path).next().is_some();
                    let message = format!(
                        "{id} has nothing to prove: no assignment with level: organization covers it"
                    );
                    (!is_reached).then(|| Problem::warning(place, message, "remove it"))
                }
            })
            .collect()
    }
}

fn unknown_account(account: &AccountId, place: &TextPlace, organization: &Organization) -> Problem {
    let message = format!("{account} is no account of {}", organization.id);
    Problem::warning(place, message, "remove it, unless it is about to join")
}

/// A parent on no account's path. Its id may show that it can't exist at all.
fn unknown_parent(parent: &ParentId, place: &TextPlace, parents: &BTreeSet<&ParentId>) -> Problem {
    let roots: Vec<&ParentId> = parents.iter().copied().filter(|parent| parent.is_root()).collect();
    if roots.iter().any(|root| could_hold(root, parent)) {
        let message = format!("no account stands in {parent}: it is empty, or doesn't exist");
        return Problem::warning(place, message, "check the id where you expect accounts in it");
    }
    let roots: Vec<&str> = roots.iter().map(|root| root.as_str()).collect();
    let message = format!("{parent} is not under the organization's root, {}", roots.join(", "));
    Problem::error(place, message, "write an OU of this organization, or its root")
}

/// Whether the root is this parent, or an OU of this id could be under it: `ou-exam-…` is under `r-exam`.
fn could_hold(root: &ParentId, parent: &ParentId) -> bool {
    let root_name = root.as_str().strip_prefix("r-");
    let unit_root = parent.as_str().strip_prefix("ou-").and_then(|rest| rest.split('-').next());
    root == parent || unit_root.is_some() && unit_root == root_name
}
