//! Tasks out of the FIFO queue, one after another. Whatever has to wait is put back before the task is
//! acknowledged, so that its group is free for what comes next.

use std::collections::BTreeSet;

use tracing::{Instrument, error, info, info_span, warn};

use super::HandlerError;
use super::planner::Planner;
use super::telling::{self, Telling};
use crate::baseline::{Baseline, Revision};
use crate::engine;
use crate::engine::{Keeper, PresentBaseline, Stopped, Worked, not_placed, regions_for_the_owner};
use crate::ids::Region;
use crate::limits::{EffectiveBaseline, Extent};
use crate::plan::{Decision, HoldReason};
use crate::record::Sequence;
use crate::report::{TargetReport, Waits};
use crate::task::{Cause, Count, Errand, OwnerTask, Pauses, Sweep, Task, Then};
use crate::trigger::{Message, Record, Regions};

/// How often an account that Organizations doesn't know, nor the record, is asked about again.
const UNKNOWN_TRIES: u32 = 3;

/// How long a count of a revision may take before somebody else begins one, in seconds.
const COUNTED_AGAIN_SECONDS: u64 = 900;

/// A task of a sweep isn't put back for longer than this, in seconds: the next sweep brings another.
const SWEEP_WAITS_SECONDS: i64 = 3600;

impl Planner<'_> {
    /// Does the task that a message holds.
    pub(super) async fn work(self, record: &Record) -> Result<(), HandlerError> {
        let task = match &record.message {
            Message::Event(value) => serde_json::from_value::<Task>(value.clone())
                .map_err(|error| HandlerError::ForeignErrand(error.to_string()))?,
            Message::Unreadable(reason) => return Err(HandlerError::Rejected(reason.clone())),
        };
        let sequence = self.sequence(record);
        let span = info_span!("task", group = %task.group(), event.id = %task.cause().event, attempt = task.cause().attempt);
        self.work_on(task, sequence).instrument(span).await
    }

    /// The task's place in its queue, if SQS numbered it.
    fn sequence(&self, record: &Record) -> Option<Sequence> {
        let queues = self.keeper.settings().queues.as_ref()?;
        let number = record.sequence.as_deref()?.parse().ok()?;
        let queue = format!("{} {}", queues.tasks, queues.deployment.as_deref().unwrap_or_default());
        Some(Sequence::new(number, record.sent_ms.unwrap_or_default(), &queue))
    }

    async fn work_on(self, task: Task, sequence: Option<Sequence>) -> Result<(), HandlerError> {
        info!("working on {}: {}", task.group(), task.cause().reason);
        let present =
            match engine::present_for(self.keeper, task.cause().revision.as_ref(), task.cause().first_seen)
                .await
            {
                Ok(present) => present,
                Err(stopped) => return self.wait_for(task, BTreeSet::new(), &stopped.to_string()).await,
            };
        let followed = match engine::followed(self.keeper, &present.baseline).await {
            Ok(followed) => followed,
            Err(error) => {
                let why = format!("which baseline accounts follow isn't known: {error}");
                return self.wait_for(task, BTreeSet::new(), &why).await;
            }
        };
        if let Some(candidate) = &followed.candidate {
            let (before, candidate) = (&followed.baseline.revision, &candidate.revision);
            info!("baseline {candidate} waits for its approval, so accounts follow {before}");
        }
        match task {
            Task::Account(_) => self.work_on_account(task, &present, &followed, sequence).await,
            Task::Owner(_) => self.work_for_owner(task, &present.baseline, &followed).await,
        }
    }

    async fn work_on_account(
        self,
        task: Task,
        PresentBaseline { baseline: present, unread, .. }: &PresentBaseline,
        followed: &EffectiveBaseline,
        sequence: Option<Sequence>,
    ) -> Result<(), HandlerError> {
        let Task::Account(work) = &task else { return Ok(()) };
        let telling = Telling::begin(self.keeper);
        let report = match engine::work_on_account(self.keeper, followed, work, sequence).await {
            Ok(Worked::Done(report)) => report,
            // Right after it was created or joined, Organizations may not know it everywhere yet.
            Ok(Worked::Departed(departed)) if !departed.recorded && work.cause.attempt < UNKNOWN_TRIES => {
                return self.wait_for(task, BTreeSet::new(), &departed.to_string()).await;
            }
            Ok(Worked::Departed(departed)) => {
                telling::departed(self.keeper, &departed, &work.cause).await;
                return Ok(());
            }
            Ok(Worked::Pending(state)) => {
                return self.wait_for(task, BTreeSet::new(), &format!("the account is {state}")).await;
            }
            Err(Stopped::WrongOrganization { .. }) => {
                return Err(HandlerError::NotQueued("the baseline is for another organization".to_owned()));
            }
            Err(stopped) => {
                // A sweep told it when it listed the account. What may pass by itself is only waited for.
                if let Stopped::AccountNotPlaced { account, failure } = &stopped
                    && work.cause.attempt == 0
                    && !work.cause.sweep
                    && !failure.category.is_worth_waiting()
                {
                    not_placed(account.as_str(), failure);
                }
                return self.wait_for(task, BTreeSet::new(), &stopped.to_string()).await;
            }
        };
        let trouble = report.ledger_trouble.clone();
        let attempted = report.attempts_anything();
        // What is held without the ledger may be no news, and not so for long: it is told when that is known.
        if attempted || trouble.is_none() {
            telling.task(&report, &work.cause).await;
        }
        // The owner's side is asked first: it may be done by the time the account is looked at again.
        let owner = regions_for_the_owner(&report).into_iter().map(|region| {
            let cause = Cause { sweep: false, ..work.cause.clone() };
            Task::Owner(OwnerTask { region, then: Then::Nothing, swept_since: None, cause })
        });
        self.send(owner.collect()).await?;
        if let Some(trouble) = trouble {
            return self.wait_for(task, BTreeSet::new(), &trouble).await;
        }
        if *unread && report.targets.values().any(is_held_by_the_mode) {
            // The last good baseline releases nothing. The present one may, so the task tries again.
            let why = "the present baseline could not be read, so the last good one was followed";
            return self.wait_for(task, BTreeSet::new(), why).await;
        }
        if attempted && self.is_approved_by_now(present, followed).await {
            let why =
                format!("baseline {} was approved while the one before it was put back", present.revision);
            return self.wait_for(task.with_short_pauses(), BTreeSet::new(), &why).await;
        }
        let uncounted = followed.waits_for_its_count() || report.targets.values().any(waits_for_a_count);
        if uncounted {
            self.see_that_it_is_counted(&present.revision, &work.cause).await?;
        }
        let waiting = report.waiting(waits(&work.cause));
        let gets_on = report.gets_on(&waiting);
        let why = match waiting.first() {
            Some(first) => {
                let why = report.targets.get(first).and_then(TargetReport::reason).unwrap_or_default();
                format!("{first}: {why}")
            }
            // A count ends with a look at everybody. Who was looked at by a sweep needs no other.
            None if uncounted && !work.cause.sweep => {
                format!("what baseline {} changes is being counted", present.revision)
            }
            None => return Ok(()),
        };
        let regions = waiting.into_iter().map(|target| target.region).collect();
        let task = if gets_on { task.with_short_pauses() } else { task };
        self.wait_for(task, regions, &why).await
    }

    /// Whether what was written is out of date: it followed the baseline before the present one, which was approved
    /// meanwhile. The look that an approval asks for may have been made before that write.
    async fn is_approved_by_now(self, present: &Baseline, followed: &EffectiveBaseline) -> bool {
        if followed.is_present() {
            return false;
        }
        match engine::effective(self.keeper, present).await {
            Ok(now) => now.is_present(),
            // To look once more than needed does no harm.
            Err(_) => true,
        }
    }

    /// Where a task still waits for the count of its revision after a while, nobody may be counting:
    /// whoever heard that the baseline was changed may have read the one before it, or none.
    async fn see_that_it_is_counted(self, revision: &Revision, cause: &Cause) -> Result<(), HandlerError> {
        if cause.attempt == 0 {
            return Ok(());
        }
        let now = self.keeper.clock().now();
        match self.keeper.ledger().claim_count(revision, now, COUNTED_AGAIN_SECONDS).await {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            // The task waits in any case, and asks again then.
            Err(error) => {
                warn!("whether somebody counts what baseline {revision} changes isn't known: {error}");
                return Ok(());
            }
        }
        warn!("nobody seems to count what baseline {revision} changes, so that is begun now");
        let cause = Cause {
            event: format!("count-{revision}-{}", now.as_millisecond()),
            reason: "what the baseline changes was not counted".to_owned(),
            first_seen: now,
            happened: None,
            attempt: 0,
            sweep: true,
            revision: Some(revision.clone()),
            arrival: None,
            // It begins anew in everything but this: a count that leads to tasks that ask for a count ends.
            hops: cause.hops,
            pauses: Pauses::default(),
        };
        let count = Count {
            revision: revision.clone(),
            page: None,
            extent: Extent::default(),
            accounts: 0,
            unseen: None,
            cause,
        };
        self.later(&Errand::Count(count), 0).await
    }

    async fn work_for_owner(
        self,
        task: Task,
        present: &Baseline,
        followed: &EffectiveBaseline,
    ) -> Result<(), HandlerError> {
        let Task::Owner(work) = &task else { return Ok(()) };
        let mut left = None;
        if !followed.is_present() {
            // What only one of the two baselines uses may look as if nobody did, so that nothing is taken back.
            let work = OwnerTask { swept_since: None, ..work.clone() };
            let telling = Telling::begin(self.keeper);
            match engine::grant_for_candidate(self.keeper, present, &work).await {
                Ok(report) => {
                    telling.task(&report, &work.cause).await;
                    left = report.unfinished().into_iter().next().or(report.ledger_trouble);
                }
                Err(stopped) => left = Some(stopped.to_string()),
            }
        }
        let swept_since = work.swept_since.filter(|_| followed.is_present());
        let here = OwnerTask { swept_since, ..work.clone() };
        let telling = Telling::begin(self.keeper);
        let report = match engine::work_for_owner(self.keeper, &followed.baseline, &here).await {
            Ok(report) => report,
            Err(stopped) => return self.wait_for(task, BTreeSet::new(), &stopped.to_string()).await,
        };
        telling.task(&report, &work.cause).await;
        if let Then::LookAtUsersOf(guardrail) = &work.then {
            let guardrails = match guardrail {
                Some(guardrail) => engine::keys_of(self.keeper, &work.region, guardrail).await,
                None => None,
            };
            let now = self.keeper.clock().now();
            let sweep = Sweep {
                regions: Regions::Only(BTreeSet::from([work.region.clone()])),
                guardrails,
                page: None,
                began: now,
                accounts: 0,
                cause: work.cause.clone(),
            };
            // By way of the queue, so that this task's group is free.
            self.later(&Errand::Sweep(sweep), 0).await?;
        }
        match report.unfinished().into_iter().next().or(report.ledger_trouble).or(left) {
            None => Ok(()),
            Some(first) => {
                // Whoever uses the guardrail has been told of; what is left is the policy itself.
                let task = match task {
                    Task::Owner(work) => Task::Owner(OwnerTask { then: Then::Nothing, ..work }),
                    task @ Task::Account(_) => task,
                };
                self.wait_for(task, BTreeSet::new(), &first).await
            }
        }
    }

    /// Puts a task back for a while, or gives it up to the next sweep once it has waited long enough.
    async fn wait_for(self, task: Task, regions: BTreeSet<Region>, why: &str) -> Result<(), HandlerError> {
        let now = self.keeper.clock().now();
        let longest = i64::from(self.keeper.settings().max_wait_hours) * 3600;
        let longest = if task.cause().sweep { longest.min(SWEEP_WAITS_SECONDS) } else { longest };
        let cause = task.cause();
        let (age, delay) = (cause.age_seconds(now).max(cause.waited_seconds()), cause.delay_seconds());
        if age + i64::from(delay) > longest {
            error!(
                error.kind = "GivenUp",
                age_seconds = age,
                "{} has waited long enough and is left to the next sweep: {why}",
                task.group()
            );
            return Ok(());
        }
        warn!(delay_seconds = delay, "{} waits: {why}", task.group());
        self.later(&Errand::Again(task.again().narrowed(regions)), delay).await
    }
}

/// Whether only the mode keeps something from being written in a target.
fn is_held_by_the_mode(report: &TargetReport) -> bool {
    matches!(report, TargetReport::Decided(Decision::Held(held))
        if matches!(held.reason, HoldReason::Mode { .. }))
}

/// Whether a target waits until somebody has counted what the baseline changes.
fn waits_for_a_count(report: &TargetReport) -> bool {
    matches!(report, TargetReport::Decided(Decision::Held(held))
        if matches!(held.reason, HoldReason::NotCounted { .. }))
}

/// What a task waits for, by what caused it.
fn waits(cause: &Cause) -> Waits {
    Waits { in_a_sweep: cause.sweep, after_an_arrival: cause.arrival.is_some() }
}

/// Whether a message lay in the queue of this URL.
pub(super) fn lay_in(record: &Record, queue_url: &str) -> bool {
    record.queue.as_deref().is_some_and(|name| queue_url.rsplit('/').next() == Some(name))
}

/// Whether the keeper takes tasks from a queue at all.
pub(super) fn planner<'a>(keeper: &'a Keeper, deadline: super::Deadline) -> Option<Planner<'a>> {
    let queues = keeper.settings().queues.as_ref()?;
    Some(Planner { keeper, queues, deadline })
}
