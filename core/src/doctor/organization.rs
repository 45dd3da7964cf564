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
        "ALL" => Finding::ok(check, Place::WHOLE, format!("{id} has all features")),
        features => Finding::problem(
            check,
            Place::WHOLE,
            format!("{id} has the feature set {features}"),
            "enable all features in Organizations: StackSets and service control policies need them",
        ),
    });
    if let Some(hub) = hub.as_ref().filter(|hub| *hub != own) {
        findings.push(Finding::problem(
            check,
            Place::account(own),
            format!("these are credentials of {own}, and the function is in {hub}"),
            format!("run this with credentials of {hub}"),
        ));
        return findings;
    }
    let place = || Place::account(own);
    if own == management {
        findings.push(Finding::ok(check, place(), "the hub is the management account"));
        return findings;
    }
    findings.push(match delegation {
        Ok(services) if services.contains(STACK_SETS) => Finding::ok(
            check,
            place(),
            "the hub is a delegated administrator of StackSets: whoever may use them there is an administrator of \
             every member",
        ),
        // Organizations let us list the accounts, or nobody would ask.
        Ok(services) if services.is_empty() => {
            Finding::ok(check, place(), "the hub reads the organization, and administers nothing for it")
        }
        Ok(_) => Finding::ok(
            check,
            place(),
            "the hub is a delegated administrator, but not for StackSets: role and rules come by other means",
        ),
        Err(failure) => Finding::unread(
            check,
            place(),
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
            return vec![Finding::unread(check, Place::account(account), "not known", failure)];
        }
    };
    let judge = |region: &Region| {
        let place = Place::target(account, region);
        match seen.get(region.as_str()).map(String::as_str) {
            Some("ENABLED" | "ENABLED_BY_DEFAULT") => Finding::ok(check, place, "enabled"),
            Some("ENABLING") => Finding::unknown(check, place, "being enabled", "look again in some hours"),
            Some(status @ ("DISABLED" | "DISABLING")) => Finding::problem(
                check,
                place,
                format!("the Region is {}", status.to_ascii_lowercase()),
                "enable it in the account, or take the Region or the account out of the baseline",
            ),
            Some(status) => Finding::unknown(
                check,
                place,
                format!("AWS says {status}"),
                "look that state up in \
                                                                                          AWS's documentation",
            ),
            None => Finding::problem(
                check,
                place,
                "AWS doesn't list this Region for the account",
                "correct the Region in the baseline",
            ),
        }
    };
    wanted.iter().map(judge).collect()
}
