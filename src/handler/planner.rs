//! Events and errands in, tasks out. Makes as few calls as possible, and none in a member.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tracing::{error, info, warn};

use super::{Deadline, HandlerError, Settled, scope_of};
use crate::baseline::Baseline;
use crate::cloud::{DelayedMessage, FifoMessage};
use crate::engine;
use crate::engine::{Keeper, PresentBaseline, Stopped};
use crate::ids::Region;
use crate::limits::{EffectiveBaseline, Extent};
use crate::settings::QueueSettings;
use crate::task::{Cause, Count, Errand, MOST_HOPS, Sweep, Task, departed, planned};
use crate::trigger::{Message, Scope, Trigger, Why, merge_traced};

/// The queues, and what it takes to fill them.
#[derive(Clone, Copy)]
pub(super) struct Planner<'a> {
    pub(super) keeper: &'a Keeper,
    pub(super) queues: &'a QueueSettings,
    pub(super) deadline: Deadline,
}

/// One message, and what its batch calls it.
pub(super) struct Incoming<'a> {
    pub(super) id: Option<&'a str>,
    /// Whether it was handed out before, so that what is wrong with it has been told.
    pub(super) repeated: bool,
    /// Whether it lay in our own queue, by what the batch says of itself: no event from a bus can be
    /// an errand. It is no guard against whoever may invoke the function and writes a batch by hand.
    pub(super) from_queue: bool,
    pub(super) message: &'a Message,
}

/// A message that could not be planned.
pub(super) struct Failed {
    /// Its place among those that came in.
    pub(super) position: usize,
    pub(super) problem: HandlerError,
}

impl Planner<'_> {
    /// Queues the work that messages ask for, and answers those that failed.
    pub(super) async fn plan(self, incoming: &[Incoming<'_>]) -> Vec<Failed> {
        let now = self.keeper.clock().now();
        let mut failed = Vec::new();
        let mut scopes: Vec<(usize, Scope)> = Vec::new();
        let mut tasks: Vec<(BTreeSet<usize>, Vec<Task>)> = Vec::new();
        let mut errands: Vec<(usize, Errand)> = Vec::new();
        let unread = engine::context(self.keeper, None, now);
        for (position, Incoming { id, repeated, from_queue, message }) in incoming.iter().enumerate() {
            if *from_queue
                && let Message::Event(value) = message
                && let Some(errand) = Errand::of_message(value)
            {
                match errand {
                    Ok(errand) => errands.push((position, errand)),
                    Err(error) => {
                        let problem = HandlerError::ForeignErrand(error.to_string());
                        failed.push(Failed { position, problem });
                    }
                }
                continue;
            }
            match scope_of(message.decide(&unread)) {
                Ok(scope) => scopes.push((position, scope)),
                Err(Settled::Departed(accounts, reason)) => {
                    let fallback = id.unwrap_or("direct");
                    let gone = departed(&accounts, reason, event_of(message).as_deref(), fallback, now);
                    info!(reason = reason.code(), "queued a look at accounts that may be gone: {reason}");
                    tasks.push((BTreeSet::from([position]), gone));
                }
                Err(settled) => {
                    settled.log(id.unwrap_or(super::NAMELESS), *repeated);
                    if let Settled::Rejected(reason) = settled {
                        failed.push(Failed { position, problem: HandlerError::Rejected(reason) });
                    }
                }
            }
        }
        let mut sweeps: Vec<(BTreeSet<usize>, Sweep, Option<PresentBaseline>)> = Vec::new();
        let mut unheard = BTreeSet::new();
        if !scopes.is_empty() {
            match engine::present(self.keeper).await {
                Ok(present) => {
                    let followed = self.followed(&present.baseline).await;
                    let narrowed = self.narrowed(incoming, &scopes, &present, followed.as_ref(), now);
                    let (from, scopes): (Vec<usize>, Vec<Scope>) = narrowed.into_iter().unzip();
                    let Baseline { revision, .. } = &present.baseline;
                    let named = regions(&present.baseline, followed.as_ref());
                    for merged in merge_traced(scopes) {
                        let served: BTreeSet<usize> = merged.from.iter().map(|index| from[*index]).collect();
                        let fallback = served.first().and_then(|first| incoming[*first].id);
                        let work =
                            planned(&merged.scope, &named, Some(revision), fallback.unwrap_or("direct"), now);
                        let what = &merged.scope;
                        super::tell_unnamed(what);
                        info!(tasks = work.tasks.len(), "planned {what}: {}", what.reason());
                        if present.refused && what.reasons.contains(&Why::BaselineChanged) {
                            unheard.extend(served.iter().copied());
                        }
                        if let Some(sweep) = work.sweep {
                            sweeps.push((served.clone(), sweep, Some(present.clone())));
                        }
                        tasks.push((served, work.tasks));
                    }
                }
                Err(stopped) => {
                    let problem = stopped.to_string();
                    for (position, _) in scopes {
                        let problem = HandlerError::NoBaseline(problem.clone());
                        failed.push(Failed { position, problem });
                    }
                }
            }
        }
        for (served, tasks) in tasks {
            if let Err(problem) = self.send(tasks).await {
                let problem = problem.to_string();
                failed.extend(
                    served.into_iter().map(|position| Failed {
                        position,
                        problem: HandlerError::NotQueued(problem.clone()),
                    }),
                );
            }
        }
        let sweeps_begun: BTreeSet<usize> = sweeps.iter().flat_map(|(served, ..)| served.clone()).collect();
        for (served, sweep, present) in sweeps {
            if let Err(problem) = self.begin(sweep, present).await {
                let problem = problem.to_string();
                failed.extend(
                    served.into_iter().map(|position| Failed {
                        position,
                        problem: HandlerError::NotQueued(problem.clone()),
                    }),
                );
            }
        }
        // What changed wasn't shown, so this is to be heard again, whatever was done by the last good one.
        let problem = "the baseline was changed, and AWS refuses to show it".to_owned();
        failed.extend(
            unheard
                .into_iter()
                .map(|position| Failed { position, problem: HandlerError::NoBaseline(problem.clone()) }),
        );
        // Long work comes last: what events say is queued by now. A second piece of it is left to another
        // invocation where this one has no time for both.
        let mut worked = !sweeps_begun.is_empty();
        for (position, errand) in errands {
            let done = if worked && !self.deadline.leaves(2 * super::sweeping::PAGE_SECONDS) {
                self.later(&errand, 0).await
            } else {
                self.run(errand).await
            };
            worked = true;
            failed.extend(done.err().map(|problem| Failed { position, problem }));
        }
        failed
    }

    /// Which baseline accounts follow, if that is known.
    pub(super) async fn followed(self, present: &Baseline) -> Option<EffectiveBaseline> {
        match engine::effective(self.keeper, present).await {
            Ok(followed) => Some(followed),
            Err(error) => {
                // Each task asks again. Nothing is left out meanwhile.
                warn!("which baseline accounts follow isn't known: {error}");
                None
            }
        }
    }

    /// What is left of the scopes once the baseline is known. One that stands in for a broken one, or that accounts
    /// don't follow yet, narrows nothing.
    fn narrowed(
        self,
        incoming: &[Incoming<'_>],
        scopes: &[(usize, Scope)],
        present: &PresentBaseline,
        followed: Option<&EffectiveBaseline>,
        now: Timestamp,
    ) -> Vec<(usize, Scope)> {
        let is_followed = followed.is_some_and(EffectiveBaseline::is_present);
        let known = (is_followed && present.instead_of.is_none()).then_some(&present.baseline);
        let context = engine::context(self.keeper, known, now);
        let decide = |(position, scope): &(usize, Scope)| {
            if scope.reasons.contains(&Why::BaselineChanged) {
                return Some((*position, scope.clone()));
            }
            match incoming[*position].message.decide(&context) {
                Trigger::Reconcile(scope) => Some((*position, *scope)),
                Trigger::Ignore(reason) => {
                    info!(reason = reason.code(), "ignored: {reason}");
                    None
                }
                Trigger::Departed { .. } | Trigger::Reject(_) => None,
            }
        };
        scopes.iter().filter_map(decide).collect()
    }

    /// Begins a look at everything: a revision that nobody has counted is counted first.
    async fn begin(self, sweep: Sweep, present: Option<PresentBaseline>) -> Result<(), HandlerError> {
        let present = match present {
            Some(present) => present,
            None => engine::present(self.keeper).await?,
        };
        let revision = &present.baseline.revision;
        let counts = match self.keeper.ledger().revision_approval().await {
            Ok(Some(approval)) => {
                approval.revision != *revision || (approval.counted.is_none() && !approval.approved)
            }
            Ok(None) => true,
            // Begun without it, the look would be over before the revision is counted.
            Err(failed) => return Err(Stopped::Ledger(failed).into()),
        };
        if present.unread {
            // What the present baseline says isn't known, and its change may be what this is about.
            return Err(HandlerError::NoBaseline(present.instead_of.unwrap_or_default()));
        }
        if !counts || !sweep.is_whole() || present.instead_of.is_some() {
            return self.sweep(sweep).await;
        }
        let count = Count {
            revision: revision.clone(),
            page: None,
            extent: Extent::default(),
            accounts: 0,
            unseen: None,
            cause: sweep.cause,
        };
        self.count(count).await
    }

    /// Does one errand, as far as there is time for it; what is left is sent on.
    pub(super) async fn run(self, errand: Errand) -> Result<(), HandlerError> {
        match errand {
            Errand::Again(task) => self.send(vec![task]).await,
            Errand::Count(count) => self.count(count).await,
            Errand::Sweep(sweep) => self.sweep(sweep).await,
            Errand::Settle(settle) => self.settle(settle).await,
        }
    }

    /// Puts tasks into the FIFO queue. Every message of a chain goes by this one or [`Planner::later`].
    pub(super) async fn send(self, tasks: Vec<Task>) -> Result<(), HandlerError> {
        let goes_on = |mut task: Task| {
            let goes_on = task.cause_mut().hop();
            if !goes_on {
                given_up(&task.group(), task.cause());
            }
            goes_on.then_some(task)
        };
        let tasks: Vec<Task> = tasks.into_iter().filter_map(goes_on).collect();
        if tasks.is_empty() {
            return Ok(());
        }
        let messages: Vec<FifoMessage> = tasks
            .iter()
            .map(|task| FifoMessage {
                group: task.group(),
                deduplication_id: task.deduplication_id(),
                body: serde_json::to_string(task).expect("a task has only texts for keys"),
            })
            .collect();
        let sent = self.keeper.queues().send_tasks(&self.queues.tasks, &messages).await;
        sent.map_err(|failure| HandlerError::NotQueued(failure.to_string()))
    }

    /// Puts an errand into the queue where it may wait.
    pub(super) async fn later(self, errand: &Errand, delay_seconds: u16) -> Result<(), HandlerError> {
        let mut errand = errand.clone();
        if !errand.cause_mut().hop() {
            given_up(errand.kind(), errand.cause());
            return Ok(());
        }
        let message = DelayedMessage { body: errand.message().to_string(), delay_seconds };
        let sent = self.keeper.queues().send_events(&self.queues.events, &[message]).await;
        sent.map_err(|failure| HandlerError::NotQueued(failure.to_string()))
    }
}

/// The Regions of the present baseline and of the one that accounts follow.
pub(super) fn regions(present: &Baseline, followed: Option<&EffectiveBaseline>) -> BTreeSet<Region> {
    let mut regions = present.regions();
    regions.extend(followed.into_iter().flat_map(|followed| followed.baseline.regions()));
    regions
}

/// Tells that a chain of messages has come to its bound. The next sweep begins another.
fn given_up(what: &str, cause: &Cause) {
    error!(
        error.kind = "GivenUp",
        hops = cause.hops,
        event.id = %cause.event,
        "{what} is left to the next sweep: one event led to {MOST_HOPS} messages: {}",
        cause.reason
    );
}

fn event_of(message: &Message) -> Option<String> {
    match message {
        Message::Event(event) => event.get("id")?.as_str().map(str::to_owned),
        Message::Unreadable(_) => None,
    }
}
