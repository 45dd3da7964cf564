//! Accounts that the baseline leaves alone, and that inherit from a parent all the same: what a Bedrock policy gives
//! can't be taken away below it. The cure is other targets, so that all others keep what they have.

use std::collections::{BTreeMap, BTreeSet};

use super::keys::{and, first_of};
use super::problem::Problem;
use super::{AssignmentTarget, Baseline, Existing, GuardrailKey};
use crate::ids::{AccountId, Region};
use crate::organization::{Account, Organization};

/// What in the baseline says that accounts are left alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Spares {
    /// `exclude` names the account.
    Exclude(AccountId),
    /// `existing: keep` of the account's level.
    Keep(AssignmentTarget),
    /// `guardrail: none` of the account's level, below what the organization's level assigns.
    None(AssignmentTarget),
}

/// Accounts that are left alone by one place of the baseline.
#[derive(Default)]
struct SparedAccounts<'a> {
    accounts: Vec<&'a Account>,
    /// The targets of the organization's level that reach them.
    reached_by: BTreeSet<AssignmentTarget>,
}

impl Baseline {
    /// What reaches accounts that are to be left alone, with the targets to assign instead.
    ///
    /// Below an excluded account's parents and those of `existing: keep` it is an error. `none` is a warning: it says
    /// that nothing is enforced on the account's level, which can be just what is meant below a floor. Where it stands
    /// on the same target as the floor, or above, it can mean nothing else.
    pub(super) fn check_spared(&self, organization: &Organization) -> Vec<Problem> {
        let mut found: BTreeMap<Spares, SparedAccounts<'_>> = BTreeMap::new();
        for account in organization.accounts.values().filter(|_| self.has_organization_level()) {
            let reaching: Vec<AssignmentTarget> =
                self.covering_by_organization(&account.id, &account.path).map(|(target, _)| target).collect();
            if let Some(nearest) = reaching.first()
                && let Some(spares) = self.spares(account, nearest)
            {
                let spared = found.entry(spares).or_default();
                spared.accounts.push(account);
                spared.reached_by.extend(reaching);
            }
        }
        let is_certain = |spares: &Spares| !matches!(spares, Spares::None(_));
        let touched_by = |counts: &dyn Fn(&Spares) -> bool| -> BTreeSet<AssignmentTarget> {
            let spared = found.iter().filter(|(spares, _)| counts(spares));
            let accounts = spared.flat_map(|(_, spared)| spared.accounts.iter().copied());
            accounts.flat_map(|account| AssignmentTarget::chain(&account.id, &account.path)).collect()
        };
        let children = children(organization);
        let certain = Cure { baseline: self, children: &children, touched: touched_by(&is_certain) };
        let all = Cure { baseline: self, children: &children, touched: touched_by(&|_| true) };
        let told = found.iter().filter_map(|(spares, spared)| {
            let cure = if is_certain(spares) { &certain } else { &all };
            self.spared_problem(spares, spared, &cure.of(&spared.reached_by))
        });
        told.collect()
    }

    /// What leaves an account alone that the organization's level reaches, if anything does.
    fn spares(&self, account: &Account, nearest: &AssignmentTarget) -> Option<Spares> {
        if self.exclude.contains(&account.id) {
            return Some(Spares::Exclude(account.id.clone()));
        }
        let (target, assignment) = self.covering(&account.id, &account.path).next()?;
        if assignment.guardrail.is_some() {
            return (assignment.existing == Existing::Keep).then_some(Spares::Keep(target));
        }
        let first = AssignmentTarget::chain(&account.id, &account.path)
            .find(|point| *point == target || point == nearest)?;
        (first == target && target != *nearest).then_some(Spares::None(target))
    }

    fn spared_problem(&self, spares: &Spares, spared: &SparedAccounts<'_>, cure: &str) -> Option<Problem> {
        let places = &self.places;
        let policies = self.policies_of(&spared.reached_by);
        let accounts: Vec<&str> = spared.accounts.iter().map(|account| account.id.as_str()).collect();
        let is_one = accounts.len() == 1;
        let accounts = first_of(&accounts);
        let problem = match spares {
            Spares::Exclude(account) => {
                let message = format!(
                    "{account} is excluded, and inherits {policies}: what is inherited can't be taken away"
                );
                // Everything is below a root.
                let below_a_root = spared.reached_by.iter().any(AssignmentTarget::is_root);
                let or_move = if below_a_root { "" } else { ", or move the account away from there" };
                Problem::error(places.exclude.get(account)?, message, format!("{cure}{or_move}"))
            }
            Spares::Keep(target) => {
                let message = format!(
                    "existing: keep leaves {accounts} to others, and {} {policies}: what is inherited can't be taken away",
                    if is_one { "it inherits" } else { "they inherit" }
                );
                let instead = format!("{cure}, or leave existing: keep out");
                Problem::error(places.targets.get(target)?, message, instead)
            }
            Spares::None(target) => {
                let inherit = if is_one { "inherits" } else { "inherit" };
                let message =
                    format!("none takes away nothing that is inherited: {accounts} {inherit} {policies}");
                let instead = format!("where nothing at all is to act there, {cure}");
                Problem::warning(places.targets.get(target)?, message, instead)
            }
        };
        Some(problem)
    }

    /// What these targets of the organization's level give, as text.
    fn policies_of(&self, targets: &BTreeSet<AssignmentTarget>) -> String {
        let given = targets.iter().map(|target| {
            let guardrail = self.guardrail_at(target).map_or("a guardrail", GuardrailKey::as_str);
            format!("{guardrail} from {target}{}", self.on_line(target))
        });
        and(given.collect::<Vec<_>>().iter().map(String::as_str))
    }

    fn on_line(&self, target: &AssignmentTarget) -> String {
        self.organization_line_of(target).map(|line| format!(" (line {line})")).unwrap_or_default()
    }

    /// The guardrail that the organization's level assigns to exactly this target.
    fn guardrail_at(&self, target: &AssignmentTarget) -> Option<&GuardrailKey> {
        let mut all = self.organization_assignments.iter();
        all.find(|assignment| assignment.targets.contains(target)).map(|assignment| &assignment.guardrail)
    }

    fn regions_at(&self, target: &AssignmentTarget) -> BTreeSet<&Region> {
        let guardrail = self.guardrail_at(target).and_then(|key| self.guardrail(key));
        guardrail.map(|guardrail| guardrail.regions.keys().collect()).unwrap_or_default()
    }
}

/// What stands right below each root and OU.
type Children = BTreeMap<AssignmentTarget, BTreeSet<AssignmentTarget>>;

fn children(organization: &Organization) -> Children {
    let mut children = Children::new();
    for account in organization.accounts.values() {
        let chain: Vec<AssignmentTarget> = AssignmentTarget::chain(&account.id, &account.path).collect();
        for pair in chain.windows(2) {
            children.entry(pair[1].clone()).or_default().insert(pair[0].clone());
        }
    }
    children
}

/// What to assign so that some accounts inherit nothing, and all others what they do now.
struct Cure<'a> {
    baseline: &'a Baseline,
    children: &'a Children,
    /// The accounts to be left alone, and everything above them.
    touched: BTreeSet<AssignmentTarget>,
}

impl Cure<'_> {
    fn of(&self, reached_by: &BTreeSet<AssignmentTarget>) -> String {
        let of_each = reached_by.iter().map(|target| {
            let mut instead = Instead::default();
            self.replace(target, target, &mut instead);
            let line = self.baseline.on_line(target);
            let mut text = if instead.targets.is_empty() {
                format!("remove {target}{line}")
            } else {
                format!("write {} in place of {target}{line}", first_of(&instead.targets))
            };
            for (below, regions) in instead.lost {
                let key = self.baseline.guardrail_at(&below).map_or("its guardrail", GuardrailKey::as_str);
                let regions = and(regions.iter().map(Region::as_str));
                text += &format!(", and add {regions} to {key}, which lacks what {below} inherits today");
            }
            text
        });
        of_each.collect::<Vec<_>>().join("; ")
    }

    /// The largest parts below `point` without an account to be left alone. What is assigned further down stays: it is
    /// replaced in its turn.
    fn replace(&self, assigned: &AssignmentTarget, point: &AssignmentTarget, instead: &mut Instead) {
        for child in self.children.get(point).into_iter().flatten() {
            if self.baseline.guardrail_at(child).is_some() {
                let given = self.baseline.regions_at(child);
                let lost = self.baseline.regions_at(assigned);
                let lost: BTreeSet<Region> =
                    lost.difference(&given).map(|region| (*region).clone()).collect();
                if !lost.is_empty() {
                    instead.lost.insert(child.clone(), lost);
                }
            } else if self.touched.contains(child) {
                self.replace(assigned, child, instead);
            } else {
                instead.targets.push(child.to_string());
            }
        }
    }
}

#[derive(Default)]
struct Instead {
    targets: Vec<String>,
    /// What is assigned further down, with the Regions that it doesn't name and that come from above.
    lost: BTreeMap<AssignmentTarget, BTreeSet<Region>>,
}
