//! Does a task and decides what follows: which jobs are queued, what is published, and whether the task waits. A task
//! that waits is queued again before its message is acknowledged, so that its group is free.

use std::collections::BTreeSet;

use tracing::{error, warn};

use super::account::{Worked, awaited_grants, work_on_account};
use super::baselines::{PresentBaseline, effective};
use super::counting;
use super::effect::{Effect, Measured, Notice, Undecided};
use super::logged::not_placed;
use super::owner::{OwnerWork, grant_for_candidate, work_for_owner};
use super::users::{Users, users_of, users_of_others};
use super::{Keeper, Reviewer, Stopped};
use crate::baseline::Baseline;
use crate::ids::{AccountId, Region, Target};
use crate::limits::EffectiveBaseline;
use crate::plan::{HoldReason, Plan};
use crate::report::{Report, TargetReport, Waits};
use crate::task::{AccountTask, Cause, Errand, Handout, OwnerTask, Sweep, Task, Then};
use crate::trigger::Regions;

/// How often an account is looked up again that neither Organizations nor the ledger knows.
const UNKNOWN_TRIES: u32 = 3;

/// How long a task of a sweep waits at most, in seconds: the next sweep queues another.
const SWEEP_WAITS_SECONDS: i64 = 3600;

/// Works on an account. Whether the task is queued again is decided after the other effects were performed.
pub(super) async fn account_task(
    keeper: &Keeper,
    task: AccountTask,
    (present, followed): (&PresentBaseline, &EffectiveBaseline),
    handout: Handout,
    reviewer: Reviewer<'_>,
) -> Result<Vec<Effect>, Stopped> {
    let measured = Measured::begin(keeper);
    let wait = |task: AccountTask, why: &str| Ok(wait_for(keeper, Task::Account(task), why));
    let report = match work_on_account(keeper, followed, &task, handout, reviewer).await {
        Ok(Worked::Done(report)) => *report,
        // Right after an account was created or joined, Organizations may not know it everywhere.
        Ok(Worked::Departed(departed))
            if !departed.recorded && task.cause.arrival.is_some() && task.cause.attempt < UNKNOWN_TRIES =>
        {
            return wait(task, &departed.to_string());
        }
        Ok(Worked::Departed(departed)) => {
            let notice = Notice::Departed(Box::new(departed), Box::new(task.cause));
            return Ok(vec![Effect::Tell(notice)]);
        }
        Ok(Worked::Pending(state)) => return wait(task, &format!("the account is {state}")),
        Err(stopped @ Stopped::WrongOrganization { .. }) => return Err(stopped),
        Err(stopped) => {
            // A sweep logged it when it listed the account. What may pass by itself only waits.
            if let Stopped::AccountNotPlaced { account, failure } = &stopped
                && task.cause.attempt == 0
                && !task.cause.sweep
                && !failure.category.is_worth_waiting()
            {
                not_placed(account.as_str(), failure);
            }
            return wait(task, &stopped.to_string());
        }
    };
    // The owner task is queued first: it may be done before the account is looked at again.
    let cause = Cause { sweep: false, ..task.cause.clone() };
    let owner_task = |owner| Effect::Queue(Task::Owner(OwnerTask::new(owner, &cause)));
    let owner: Vec<Effect> = awaited_grants(&report).into_iter().map(owner_task).collect();
    let mut effects = Vec::new();
    // Without the ledger it isn't known whether a hold is new. The next run reports it.
    if report.attempts_anything() || report.ledger_trouble.is_none() {
        effects.push(measured.tell(report.clone(), &task.cause));
    }
    effects.extend(owner);
    let (present, followed) = (present.clone(), followed.clone());
    effects.push(Effect::Decide(Box::new(Undecided { task, report, present, followed })));
    Ok(effects)
}

/// Decides what is left to do in an account after a look: begin a count that is missing, and queue the task again.
pub async fn decide(keeper: &Keeper, undecided: Undecided) -> Vec<Effect> {
    let Undecided { task, report, present, followed } = undecided;
    let PresentBaseline { baseline: present, unread, .. } = present;
    let wait = |task: AccountTask, why: &str| wait_for(keeper, Task::Account(task), why);
    if let Some(trouble) = &report.ledger_trouble {
        return wait(task, trouble);
    }
    if unread && report.targets.values().any(is_held_by_the_mode) {
        // The last good baseline releases nothing. The present one may, so the task tries again.
        return wait(task, "the present baseline could not be read, so the last good one was followed");
    }
    if report.attempts_anything() && is_approved_by_now(keeper, &present, &followed).await {
        let why =
            format!("baseline {} was approved while this task followed the one before it", present.revision);
        return wait_for(keeper, Task::Account(task).with_short_pauses(), &why);
    }
    let uncounted = followed.waits_for_its_count() || report.targets.values().any(waits_for_a_count);
    let mut effects = Vec::new();
    if uncounted {
        effects.extend(counting::if_nobody_counts(keeper, &present.revision, &task.cause).await);
    }
    let waiting = report
        .waiting(Waits { in_a_sweep: task.cause.sweep, after_an_arrival: task.cause.arrival.is_some() });
    let why = match waiting.first() {
        Some(first) => {
            let why = report.targets.get(first).and_then(TargetReport::reason).unwrap_or_default();
            format!("{first}: {why}")
        }
        // A count ends with a sweep. An account that a sweep just looked at needs no other look.
        None if uncounted && !task.cause.sweep => {
            format!("the changes of baseline {} are being counted", present.revision)
        }
        None => return effects,
    };
    let task = Task::Account(task);
    let task = if report.gets_on(&waiting) { task.with_short_pauses() } else { task };
    let regions = waiting.into_iter().map(|target| target.region).collect();
    effects.extend(wait_in(keeper, task, regions, &why));
    effects
}

/// Whether the write is outdated: it followed the earlier baseline, and the present one was approved meanwhile. The
/// look that the approval asks for may have come before this write.
async fn is_approved_by_now(keeper: &Keeper, present: &Baseline, followed: &EffectiveBaseline) -> bool {
    if followed.is_present() {
        return false;
    }
    match effective(keeper, present).await {
        Ok(now) => now.is_present(),
        // One look too many does no harm.
        Err(_) => true,
    }
}

/// Works on one Region of an owner.
pub(super) async fn owner_task(
    keeper: &Keeper,
    task: OwnerTask,
    present: &Baseline,
    followed: &EffectiveBaseline,
    reviewer: Reviewer<'_>,
) -> Result<Vec<Effect>, Stopped> {
    let Some(account) = task.owner.clone() else {
        return Ok(for_each_owner(keeper, &task, present, &followed.baseline));
    };
    let owner = Target { account, region: task.region.clone() };
    let (mut effects, mut left) = (Vec::new(), None);
    let began = keeper.clock.now();
    if !followed.is_present() && present.is_owner(&owner.account) {
        let measured = Measured::begin(keeper);
        match grant_for_candidate(keeper, present, &owner, reviewer).await {
            Ok(report) => {
                left = left_of_owner(&report);
                effects.push(measured.tell(report, &task.cause));
            }
            Err(stopped) => left = Some(stopped.to_string()),
        }
    }
    let swept_since = task.swept_since.filter(|_| followed.is_present());
    // An account that owns nothing is left alone, unless a grant of ours may be left over.
    if swept_since.is_some() || followed.baseline.is_owner(&owner.account) {
        let work = OwnerWork { owner: owner.clone(), swept_since };
        let measured = Measured::begin(keeper);
        match work_for_owner(keeper, &followed.baseline, &work, reviewer).await {
            Ok(report) => {
                left = left_of_owner(&report).or(left);
                effects.push(measured.tell(report, &task.cause));
            }
            Err(stopped) => {
                effects.extend(wait_for(keeper, Task::Owner(task), &stopped.to_string()));
                return Ok(effects);
            }
        }
    } else if effects.is_empty() {
        let nothing = Report::of(followed.baseline.revision.clone(), Plan::default());
        effects.push(Measured::begin(keeper).tell(nothing, &task.cause));
    }
    if let Then::LookAtUsersOf(guardrail) = &task.then {
        let baseline = &followed.baseline;
        let users = match (guardrail, &task.others) {
            (Some(guardrail), _) => {
                users_of(keeper, baseline, (&owner, task.is_addition), guardrail, began).await
            }
            (None, Some(others)) => users_of_others(keeper, baseline, &owner, others, began).await,
            (None, None) => Users::Anybody,
        };
        effects.extend(look_at_users(keeper, &task, users));
    }
    if let Some(why) = left {
        // The users of the guardrail have their sweep; what is left is the resource policy.
        effects.extend(wait_for(keeper, Task::Owner(OwnerTask { then: Then::Nothing, ..task }), &why));
    }
    Ok(effects)
}

/// The same task for each owner in its Region by either baseline, or for the one that it is about. Nothing is written here:
/// only a task that names its owner has that owner's group.
fn for_each_owner(keeper: &Keeper, task: &OwnerTask, present: &Baseline, followed: &Baseline) -> Vec<Effect> {
    let owners: BTreeSet<AccountId> = match task.named_owner() {
        Some(owner) => BTreeSet::from([owner.clone()]),
        None => {
            let targets = present.owner_targets().into_iter().chain(followed.owner_targets());
            targets.filter(|owner| owner.region == task.region).map(|owner| owner.account).collect()
        }
    };
    let Some(last) = owners.last().cloned() else {
        // Nobody owns anything there any more.
        let has_users = task.then != Then::Nothing;
        return if has_users { look_at_users(keeper, task, Users::Anybody) } else { Vec::new() };
    };
    let for_one = |owner: AccountId| {
        // Its users are looked at once, after the last of them was queued.
        let then = if owner == last { task.then.clone() } else { Then::Nothing };
        Effect::Queue(Task::Owner(OwnerTask { owner: Some(owner), then, ..task.clone() }))
    };
    owners.into_iter().map(for_one).collect()
}

/// Has those looked at who may use a guardrail that changed.
fn look_at_users(keeper: &Keeper, OwnerTask { region, cause, .. }: &OwnerTask, users: Users) -> Vec<Effect> {
    let regions = Regions::Only(BTreeSet::from([region.clone()]));
    let guardrails = match users {
        Users::Assigned(keys) => Some(keys),
        Users::Anybody => None,
        Users::Recorded(accounts) => {
            let owner_since = Some(cause.first_seen);
            let task = |account| {
                let task = AccountTask { owner_since, ..AccountTask::new(account, &regions, cause) };
                Effect::Queue(Task::Account(task))
            };
            return accounts.into_iter().map(task).collect();
        }
    };
    let began = keeper.clock.now();
    let sweep = Sweep { regions, guardrails, page: None, began, accounts: 0, cause: cause.clone() };
    // By way of the queue, so that this task's group is free.
    vec![Effect::Later(Errand::Sweep(sweep), 0)]
}

/// The first thing that is left to do on the owner's side, in words.
fn left_of_owner(report: &Report) -> Option<String> {
    report.unfinished().into_iter().next().or_else(|| report.ledger_trouble.clone())
}

/// Queues a task again with a delay, or gives it up to the next sweep after it has waited long enough.
pub(super) fn wait_for(keeper: &Keeper, task: Task, why: &str) -> Vec<Effect> {
    wait_in(keeper, task, BTreeSet::new(), why)
}

/// As [`wait_for`], for these Regions only; for all if none is named.
fn wait_in(keeper: &Keeper, task: Task, regions: BTreeSet<Region>, why: &str) -> Vec<Effect> {
    let longest = i64::from(keeper.settings.max_wait_hours) * 3600;
    let longest = if task.cause().sweep { longest.min(SWEEP_WAITS_SECONDS) } else { longest };
    let cause = task.cause();
    let age = cause.age_seconds(keeper.clock.now()).max(cause.waited_seconds());
    let delay = cause.delay_seconds();
    if age + i64::from(delay) > longest {
        let given_up =
            format!("gave up {}, which waited too long; the next sweep looks again: {why}", task.group());
        error!(error.kind = "GivenUp", age_seconds = age, "{given_up}");
        return vec![Effect::GiveUp(given_up)];
    }
    warn!(delay_seconds = delay, "{} waits: {why}", task.group());
    let why = format!("{} waits: {why}", task.group());
    vec![Effect::Wait(task.again().narrowed(regions), delay, why)]
}

/// Whether only the mode stops a write in a target.
fn is_held_by_the_mode(report: &TargetReport) -> bool {
    let held = report.held().map(|held| &held.reason);
    // What would be released because it can't be used.
    let reason = held.or_else(|| report.broken()?.stays.as_ref());
    matches!(reason, Some(HoldReason::Mode { .. }))
}

/// Whether a target waits for the count of the revision.
fn waits_for_a_count(report: &TargetReport) -> bool {
    report.held().is_some_and(|held| matches!(held.reason, HoldReason::NotCounted { .. }))
}
