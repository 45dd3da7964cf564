//! Who else administers something for the organization. A delegated administrator of StackSets is an
//! administrator of every member, and the service control policies exempt StackSets.

use std::collections::{BTreeMap, BTreeSet};

use super::organization::STACK_SETS;
use super::{Check, Delegation, Finding, Place};
use crate::failure::Failure;
use crate::ids::AccountId;

/// IAM Identity Center, as Organizations calls it
/// (<https://docs.aws.amazon.com/organizations/latest/userguide/services-that-can-integrate-sso.html>).
const IDENTITY_CENTER: &str = "sso.amazonaws.com";

/// The delegated administrators, each with the services that it administers.
pub type Delegates = Result<BTreeMap<AccountId, Delegation>, Failure>;

/// Whether an account that isn't the management account can see StackSets of the organization. Where that isn't known,
/// it may try.
pub fn sees_stack_sets(delegation: &Delegation) -> bool {
    delegation.as_ref().map_or(true, |services| services.contains(STACK_SETS))
}

/// Lists who administers what, and judges who administers StackSets: the hub may, and those who are `meant` to.
pub fn delegates(hub: &AccountId, meant: &BTreeSet<AccountId>, seen: &Delegates) -> Vec<Finding> {
    let check = Check::Delegates;
    let seen = match seen {
        Ok(seen) => seen,
        Err(failure) => {
            return vec![check.whole().unread("who is a delegated administrator isn't known", failure)];
        }
    };
    let mut findings: Vec<Finding> = seen
        .iter()
        .map(|(account, services)| {
            let here = check.at(Place::account(account));
            match services {
                Err(failure) => here.unread(
"what it administers isn't known", failure),
                Ok(services) if services.contains(STACK_SETS) && account != hub && !meant.contains(account) => {
                    let text = "a delegated administrator of StackSets, and so an administrator of every member: the \
                                service control policies exempt StackSets";
                    let todo = "deregister it; if it is meant to be one, give it as --delegate and restrict who may use \
                                that account (docs/threat-model.md)";
                    here.problem(text, todo)
                }
                Ok(services) => {
                    let services: Vec<&str> = services.iter().map(String::as_str).collect();
                    here.ok(format!("administers {}", services.join(", ")))
                }
            }
        })
        .collect();
    let administers =
        |services: &Delegation, service: &str| services.as_ref().is_ok_and(|all| all.contains(service));
    let of_identity_center = seen.iter().filter(|(_, services)| administers(services, IDENTITY_CENTER));
    findings.extend(of_identity_center.map(|(account, _)| {
        let text = "administers IAM Identity Center: it gives people the permission sets that the service control \
                    policies exempt, authors' included, and it can be author and approver at once; restrict who may use \
                    that account (docs/threat-model.md)";
        check.at(Place::account(account)).not_applicable(text)
    }));
    let registered =
        |account: &AccountId| seen.get(account).is_some_and(|services| administers(services, STACK_SETS));
    findings.extend(meant.iter().filter(|account| !registered(account)).map(|account| {
        let text = "given as --delegate, and no delegated administrator of StackSets";
        check.at(Place::account(account)).not_applicable(text)
    }));
    if findings.is_empty() {
        findings.push(check.whole().ok("there are none"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Category, Code};

    fn account(id: &str) -> AccountId {
        id.parse().unwrap()
    }

    fn told(meant: &[&str], seen: &Delegates) -> Vec<String> {
        let meant = meant.iter().map(|id| account(id)).collect();
        let findings = delegates(&account("111111111111"), &meant, seen);
        findings.iter().map(|one| format!("{:?} {}: {}", one.outcome, one.place, one.text)).collect()
    }

    fn denied() -> Failure {
        let failure = Failure::rejected("ListDelegatedAdministrators", "no");
        Failure { category: Category::Denied, code: Code::Denied, ..failure }
    }

    fn seen(accounts: &[(&str, &[&str])]) -> Delegates {
        let services = |names: &[&str]| Ok(names.iter().map(|name| (*name).to_owned()).collect());
        Ok(accounts.iter().map(|(id, names)| (account(id), services(names))).collect())
    }

    #[test]
    fn a_delegated_administrator_of_stack_sets_is_a_problem_unless_it_is_meant_to_be_one() {
        let all = seen(&[
            ("111111111111", &[STACK_SETS]),
            ("222222222222", &["guardduty.amazonaws.com", STACK_SETS]),
            ("333333333333", &["config.amazonaws.com", "guardduty.amazonaws.com"]),
        ]);
        let hub = format!("Ok 111111111111: administers {STACK_SETS}");
        let other = "Ok 333333333333: administers config.amazonaws.com, guardduty.amazonaws.com".to_owned();
        let problem = "Problem 222222222222: a delegated administrator of StackSets, and so an administrator of every \
                       member: the service control policies exempt StackSets";
        assert_eq!(told(&[], &all), [hub.clone(), problem.to_owned(), other.clone()]);
        let meant = format!("Ok 222222222222: administers guardduty.amazonaws.com, {STACK_SETS}");
        assert_eq!(told(&["222222222222"], &all), [hub, meant, other]);
    }

    #[test]
    fn who_administers_identity_center_is_named_as_such() {
        let all =
            seen(&[("222222222222", &[IDENTITY_CENTER, STACK_SETS]), ("333333333333", &[IDENTITY_CENTER])]);
        let named: Vec<String> = told(&["222222222222"], &all)
            .into_iter()
            .filter(|line| line.contains("IAM Identity Center"))
            .collect();
        let [both, alone] = named.as_slice() else { panic!("{named:?}") };
        assert!(both.starts_with("NotApplicable 222222222222: administers IAM Identity Center: "), "{both}");
        assert!(
            alone.starts_with("NotApplicable 333333333333: ") && alone.contains("author and approver"),
            "{alone}"
        );
    }

    #[test]
    fn who_is_meant_and_is_none_is_named() {
        assert_eq!(
            told(&["444444444444"], &seen(&[])),
            ["NotApplicable 444444444444: given as --delegate, and no delegated administrator of StackSets"]
        );
        assert_eq!(told(&[], &seen(&[])), ["Ok -: there are none"]);
    }

    #[test]
    fn what_cannot_be_read_is_not_fine() {
        let unknown = "who is a delegated administrator isn't known: ListDelegatedAdministrators was denied";
        assert_eq!(told(&[], &Err(denied())), [format!("Unknown -: {unknown}")]);
        let of_one = Ok(BTreeMap::from([(account("222222222222"), Err(denied()))]));
        let unknown = "what it administers isn't known: ListDelegatedAdministrators was denied";
        assert_eq!(told(&[], &of_one), [format!("Unknown 222222222222: {unknown}")]);
        assert!(sees_stack_sets(&Err(denied())) && !sees_stack_sets(&Ok(BTreeSet::new())));
        assert!(sees_stack_sets(&Ok(BTreeSet::from([STACK_SETS.to_owned()]))));
    }
}
