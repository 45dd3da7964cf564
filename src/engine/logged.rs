//! The results of a run, as lines of the log.

use tracing::{debug, error, info, warn};

use crate::failure::Failure;
use crate::ids::Target;
use crate::organization::not_looked_at;
use crate::plan::{CleanUp, Decision, GrantAction, GrantDecision, HoldReason};
use crate::record::Record;
use crate::report::{ChangeResult, GrantReport, Report, TargetReport};
use crate::resource_policy::Resource;

/// Logs each result once.
pub(super) fn log(report: &Report) {
    for (resource, result) in &report.grants {
        grant(resource, result);
    }
    for (target, result) in &report.targets {
        one(target, result, report.before.get(target));
    }
    for broken in report.broken() {
        error!(guardrail.arn = %broken.guardrail, guardrail.version = %broken.version,
            targets = broken.targets.len(), "{broken}");
    }
    for (target, handed_back) in &report.handed_back {
        info!(account.id = %target.account, region = %target.region, "{target} {handed_back}");
    }
    for warning in &report.warnings {
        warn!("{warning}");
    }
    for (account, state) in &report.unknown_states {
        warn!(account.id = %account, "{account} is {state}: it is guarded, and nothing is taken away there");
    }
    for (account, failure) in &report.unplaced {
        not_placed(account, failure);
    }
    for (account, state) in &report.skipped {
        info!(account.id = %account, "skipped {account}: it is {state}");
    }
    for account in &report.strangers {
        warn!(account.id = %account, "{account} is no member of this organization: not looked at");
    }
}

fn grant(resource: &Resource, result: &GrantReport) {
    match result {
        GrantReport::Attempted { change, result: Ok(()) } => {
            info!(guardrail.arn = %resource, "{change}");
        }
        GrantReport::Attempted { change: _, result: Err(failure) } => {
            error!(guardrail.arn = %resource, error.category = %failure.category,
                "failed to write the resource policy of {resource}: {failure}");
        }
        GrantReport::Decided(GrantDecision { action, openings, instead: _ }) => {
            match action {
                // The baseline asks for this: nobody has to act.
                GrantAction::Held(HoldReason::Mode { mode }) => {
                    info!("mode {mode} leaves {resource} as it is");
                }
                GrantAction::Held(reason) => {
                    error!(guardrail.arn = %resource, "held {resource}: {reason}");
                }
                GrantAction::Granted | GrantAction::Change(_) => {}
            }
            for finding in openings {
                warn!(guardrail.arn = %resource, "{resource} is open beyond the organization: {finding}");
            }
        }
    }
}

fn one(target: &Target, result: &TargetReport, before: Option<&Record>) {
    let (account, region, state) = (&target.account, &target.region, result.state());
    match result {
        TargetReport::Attempted(ChangeResult { change, result: Ok(()), .. }) if change.gives_up() => {
            error!(account.id = %account, region = %region, change = change.verb(),
                "{change}: {target} is UNGUARDED until its guardrail can be used again, or nothing is wanted there");
        }
        TargetReport::Attempted(ChangeResult { change, result: Ok(()), reads_back, .. }) => {
            info!(account.id = %account, region = %region, change = change.verb(), "{change}");
            if let Some(reads_back) = reads_back
                && !before.is_some_and(|record| record.knows(reads_back))
            {
                warn!(account.id = %account, region = %region, "{target} {reads_back}");
            }
        }
        TargetReport::Attempted(ChangeResult { change, result: Err(failure), .. }) => {
            error!(account.id = %account, region = %region, change = change.verb(),
                error.category = %failure.category, "failed to {} in {target}: {failure}", change.verb());
        }
        TargetReport::CleanedUp { clean_up, result: Ok(()) } => {
            info!(account.id = %account, region = %region, change = CleanUp::VERB, "{clean_up}");
        }
        TargetReport::CleanedUp { clean_up: _, result: Err(failure) } => {
            error!(account.id = %account, region = %region, change = CleanUp::VERB,
                error.category = %failure.category, "failed to {} in {target}: {failure}", CleanUp::VERB);
        }
        TargetReport::Decided(Decision::Broken(broken)) => {
            // Thousands of targets may be broken: the error is one for each guardrail, below.
            debug!(account.id = %account, region = %region, guardrail.arn = %broken.seen.enforcement.guardrail,
                guardrail.version = %broken.seen.enforcement.version,
                "broken: {target} enforces {}, but {}", broken.seen.enforcement, broken.unusable);
        }
        TargetReport::Decided(Decision::Held(held)) if held.leaves_unguarded() => {
            error!(account.id = %account, region = %region, "held {target}: {}", held.reason);
        }
        TargetReport::Decided(Decision::Held(held)) if held.only_audited().is_none() => {
            warn!(account.id = %account, region = %region, "held {target}: {}", held.reason);
        }
        TargetReport::Decided(_) => {
            debug!(account.id = %account, region = %region, ?state, "{target}");
        }
    }
}

/// Logs an account that could not be placed: nothing is decided for it.
pub(super) fn not_placed(account: &str, failure: &Failure) {
    error!(error.kind = "AccountNotPlaced", account.id = %account, "{}", not_looked_at(account, failure));
}
