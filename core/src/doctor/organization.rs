//! The organization, who we are in it, and which Regions its accounts have enabled.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, Finding, Place};
use crate::failure::Failure;
use crate::ids::{AccountId, OrganizationId, Region};

/// What lets an account other than the management account work on StackSets, and so do anything in each member.
pub(super) const STACK_SETS: &str = "member.org.stacksets.cloudformation.amazonaws.com";

/// The organization as AWS showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Its id.
    pub id: OrganizationId,
    /// The management account.
    pub management: AccountId,
    /// `ALL`, or `CONSOLIDATED_BILLING`.
    pub features: String,
    /// Whose credentials we run with.
    pub own: AccountId,
    /// The account of the function's role, where the settings name it.
    pub hub: Option<AccountId>,
}

/// The services that our account is a delegated administrator for.
pub type Delegation = Result<BTreeSet<String>, Failure>;

/// Judges the organization and our place in it.
pub fn standing(membership: &Membership, delegation: &Delegation) -> Vec<Finding> {
    let Membership { id, management, features, own, hub } = membership;
    let check = Check::Organization;
    let mut findings = Vec::new();
    findings.push(match features.as_str() {
        "ALL" => check.whole().ok(format!("{id} has all features")),
        features => check.whole().problem(
            format!("{id} has the feature set {features}"),
            "enable all features in Organizations: StackSets and service control policies need them",
        ),
    });
    if let Some(hub) = hub.as_ref().filter(|hub| *hub != own) {
        findings.push(check.at(Place::account(own)).problem(
            format!("these are credentials of {own}, and the function is in {hub}"),
            format!("run this with credentials of {hub}"),
        ));
        return findings;
    }
    let here = check.at(Place::account(own));
    if own == management {
        findings.push(here.ok("the hub is the management account"));
        return findings;
    }
    findings.push(match delegation {
        Ok(services) if services.contains(STACK_SETS) => here.ok(
"the hub is a delegated administrator of StackSets: whoever may use them there is an administrator of \
             every member",
        ),
        // Organizations let us list the accounts, or nobody would ask.
        Ok(services) if services.is_empty() => {
            here.ok("the hub reads the organization, and administers nothing for it")
        }
        Ok(_) => here.ok(
"the hub is a delegated administrator, but not for StackSets: role and rules come by other means",
        ),
        Err(failure) => here.unread(
"whether the hub is a delegated administrator isn't known",
            failure,
        ),
    });
    findings
}

/// Judges whether an account has the baseline's Regions enabled, by what ListRegions says of each.
pub fn regions(
    account: &AccountId,
    wanted: &BTreeSet<Region>,
    seen: &Result<BTreeMap<String, String>, Failure>,
) -> Vec<Finding> {
    let check = Check::Regions;
    let seen = match seen {
        Ok(seen) => seen,
        Err(failure) => {
            return vec![check.at(Place::account(account)).unread("not known", failure)];
        }
    };
    let judge = |region: &Region| {
        let here = check.at(Place::target(account, region));
        match seen.get(region.as_str()).map(String::as_str) {
            Some("ENABLED" | "ENABLED_BY_DEFAULT") => here.ok("enabled"),
            Some("ENABLING") => here.unknown("being enabled", "look again in some hours"),
            Some(status @ ("DISABLED" | "DISABLING")) => here.problem(
                format!("the Region is {}", status.to_ascii_lowercase()),
                "enable it in the account, or take the Region or the account out of the baseline",
            ),
            Some(status) => {
                here.unknown(format!("AWS says {status}"), "look that state up in AWS's documentation")
            }
            None => here.problem(
                "AWS doesn't list this Region for the account",
                "correct the Region in the baseline",
            ),
        }
    };
    wanted.iter().map(judge).collect()
}
