//! From a scope to units of work. Decides; makes no call.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{AccountTask, Cause, OrganizationTask, OwnerTask, Sweep, Task, Then};
use crate::baseline::Revision;
use crate::ids::{AccountId, Region};
use crate::trigger::{Accounts, Departure, Regions, Scope, Why};

/// The work that a scope comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// To be queued as they are.
    pub tasks: Vec<Task>,
    /// A look at many accounts, which have to be listed first.
    pub sweep: Option<Sweep>,
}

/// Units of work for a scope.
///
/// `fallback` names the work where no event does: the id of the message it came in. `named` are the
/// Regions of the baseline, for what concerns the owner's side everywhere.
pub fn planned(
    scope: &Scope,
    named: &BTreeSet<Region>,
    revision: Option<&Revision>,
    fallback: &str,
    now: Timestamp,
) -> Planned {
    let cause = cause_of(scope, revision, fallback, now);
    match (&scope.accounts, &scope.guardrail) {
        // The owner's Region first, and then the accounts that use it.
        (Accounts::All, Some(changed)) => {
            let regions = match &scope.regions {
                Regions::All => named.clone(),
                Regions::Only(regions) => regions.clone(),
            };
            let then = Then::LookAtUsersOf(changed.arn.clone());
            let is_addition =
                !scope.reasons.is_empty() && scope.reasons.iter().all(|reason| reason.is_an_addition());
            // Where the event doesn't say in which account it was, it may have been any owner's.
            let owner = changed.arn.as_ref().map(|arn| &arn.account).or(scope.changed_in.as_ref());
            let task = |region| {
                let each = OwnerTask::of_each_owner(region, &cause);
                Task::Owner(OwnerTask { owner: owner.cloned(), then: then.clone(), is_addition, ..each })
            };
            Planned { tasks: regions.into_iter().map(task).collect(), sweep: None }
        }
        (Accounts::All, None) => Planned {
            tasks: Vec::new(),
            sweep: Some(Sweep {
                regions: scope.regions.clone(),
                guardrails: None,
                page: None,
                began: now,
                accounts: 0,
                cause: Cause { sweep: true, ..cause },
            }),
        },
        (Accounts::Only(accounts), _) => {
            let task = |account| Task::Account(AccountTask::new(account, &scope.regions, &cause));
            Planned { tasks: accounts.iter().cloned().map(task).collect(), sweep: None }
        }
    }
}

/// Units of work for accounts that are said to have departed. An event is only a hint: the worker asks
/// Organizations, and enters no account that isn't a member.
pub fn departed(
    accounts: &BTreeSet<AccountId>,
    reason: Departure,
    event: Option<&str>,
    at: Option<i64>,
    fallback: &str,
    now: Timestamp,
) -> Vec<Task> {
    let happened = at.and_then(|second| Timestamp::from_second(second).ok());
    let first = Cause::new(event.unwrap_or(fallback).to_owned(), reason.to_string(), now);
    let cause = Cause { happened, ..first };
    let task = |account| Task::Account(AccountTask::new(account, &Regions::All, &cause));
    accounts.iter().cloned().map(task).collect()
}

/// Work on the organization's Bedrock policies, because of an event.
pub fn bedrock_policies(
    why: Why,
    event: Option<&str>,
    at: Option<i64>,
    fallback: &str,
    now: Timestamp,
) -> Task {
    let happened = at.and_then(|second| Timestamp::from_second(second).ok());
    let first = Cause::new(event.unwrap_or(fallback).to_owned(), why.to_string(), now);
    Task::Organization(OrganizationTask { continues: None, cause: Cause { happened, ..first } })
}

/// What work for a scope goes back to.
pub fn cause_of(scope: &Scope, revision: Option<&Revision>, fallback: &str, now: Timestamp) -> Cause {
    let events: Vec<&str> = scope.events.iter().map(String::as_str).collect();
    let event = if events.is_empty() { fallback.to_owned() } else { events.join(" ") };
    Cause {
        happened: scope.since.and_then(|second| Timestamp::from_second(second).ok()),
        revision: revision.cloned(),
        arrival: scope.arrival(now),
        in_our_name: matches!(scope.accounts, Accounts::Only(_))
            && scope.reasons.contains(&Why::UnrecordedWrite),
        ..Cause::new(event, scope.reason(), now)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::trigger::{Context, Trigger, decide};

    #[track_caller]
    fn check(sample: &str, expected: &Expect) {
        let path = format!("{}/../events/{sample}.json", env!("CARGO_MANIFEST_DIR"));
        let event = std::fs::read_to_string(path).unwrap();
        let named = BTreeSet::from(["eu-west-1".parse().unwrap(), "us-east-1".parse().unwrap()]);
        let context = Context {
            baseline_parameter: Some("/guardrail-keeper/baseline".to_owned()),
            approval_parameter: Some("/guardrail-keeper/approval".to_owned()),
            controls_path: Some("/guardrail-keeper/controls".to_owned()),
            ..Context::default()
        };
        let planned = match decide(&event, &context) {
            Trigger::Reconcile(scope) => planned(&scope, &named, None, "message", Timestamp::UNIX_EPOCH),
            Trigger::Departed { accounts, reason, event, at: _ } => Planned {
                tasks: departed(&accounts, reason, event.as_deref(), None, "message", Timestamp::UNIX_EPOCH),
                sweep: None,
            },
            other => panic!("{other}"),
        };
        let mut text = String::new();
        for task in &planned.tasks {
            let regions = match task {
                Task::Account(task) => task.regions.to_string(),
                Task::Owner(OwnerTask { then: Then::LookAtUsersOf(Some(arn)), .. }) => arn.to_string(),
                Task::Owner(task) => format!("{:?}", task.then),
                Task::Organization(_) => "Bedrock policies".to_owned(),
            };
            let addition = match task {
                Task::Owner(OwnerTask { is_addition: true, .. }) => " (an addition)",
                Task::Owner(_) | Task::Account(_) | Task::Organization(_) => "",
            };
            text.push_str(&format!("{} ({regions}): {}{addition}\n", task.group(), task.cause().reason));
        }
        if let Some(sweep) = planned.sweep {
            text.push_str(&format!("sweep {}: {}\n", sweep.regions, sweep.cause.reason));
        }
        expected.assert_eq(&text);
    }

    #[test]
    fn each_kind_of_event_comes_to_its_work() {
        check(
            "account-created",
            &expect![[r#"
            300000000007 (all Regions): the account was created
        "#]],
        );
        check(
            "enforcement-deleted-by-somebody",
            &expect![[r#"
                300000000001 (us-east-1): the account's enforcement was removed
            "#]],
        );
        check(
            "guardrail-policy-deleted",
            &expect![[r#"
                owner.222222222222.us-east-1 (arn:aws:bedrock:us-east-1:222222222222:guardrail/base1234abcd): the resource policy of a guardrail was deleted
            "#]],
        );
        check(
            "guardrail-deleted",
            &expect![[r#"
                owner.222222222222.us-east-1 (arn:aws:bedrock:us-east-1:222222222222:guardrail/base1234abcd): a guardrail was deleted
            "#]],
        );
        check(
            "guardrail-created",
            &expect![[r#"
                owner.222222222222.us-east-1 (arn:aws:bedrock:us-east-1:222222222222:guardrail/base1234abcd): a guardrail was created, which may be one that was missing (an addition)
            "#]],
        );
        check(
            "baseline-updated",
            &expect![[r#"
            sweep all Regions: the baseline was changed
        "#]],
        );
        check(
            "schedule-scheduler",
            &expect![[r#"
                sweep all Regions: the schedule starts a sweep
            "#]],
        );
        check(
            "account-left",
            &expect![[r#"
            300000000001 (all Regions): the account left the organization
        "#]],
        );
        check(
            "request-accounts",
            &expect![[r#"
                300000000001 (eu-west-1, us-east-1): it was requested: role repaired
                300000000002 (eu-west-1, us-east-1): it was requested: role repaired
            "#]],
        );
    }
}
