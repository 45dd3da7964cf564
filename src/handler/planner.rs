//! Events and errands in, tasks out. Makes as few calls as possible, and none in a member.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tracing::{debug, error, info};

use super::{Deadline, HandlerError, Settled, scope_of};
use crate::baseline::{Baseline, GuardrailKey};
use crate::cloud::{DelayedMessage, FifoMessage};
use crate::failure::Category;
use crate::limits::Rollout;
use crate::organization::{Account, Placement};
use crate::reconcile::{Keeper, Standing, Stopped};
use crate::settings::QueueSettings;
use crate::task::{AccountTask, Count, Errand, OwnerTask, Settle, Sweep, Task, Then, departed, planned};
use crate::trigger::{Message, Scope, Trigger, Why, merge_traced};

/// How much time has to be left for another page of accounts: one call to Organizations with all its
/// attempts, and the messages of its accounts.
const PAGE_SECONDS: u64 = 40;

/// How often a sweep's end is looked for before it is told as it is.
const LOOKS_FOR_AN_END: u32 = 10;

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
    /// Whether it lay in our own queue. Only there an errand is one: whoever may invoke the function
    /// directly may send it events, no more.
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
        let now = Timestamp::now();
        let mut failed = Vec::new();
        let mut scopes: Vec<(usize, Scope)> = Vec::new();
        let mut tasks: Vec<(BTreeSet<usize>, Vec<Task>)> = Vec::new();
        let unread = self.keeper.context(None, now);
        for (position, Incoming { id, repeated, from_queue, message }) in incoming.iter().enumerate() {
            if *from_queue
                && let Message::Event(value) = message
                && let Some(errand) = Errand::of_message(value)
            {
                let done = match errand {
                    Ok(errand) => self.run(errand).await,
                    Err(error) => Err(HandlerError::ForeignErrand(error.to_string())),
                };
                failed.extend(done.err().map(|problem| Failed { position, problem }));
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
        let mut sweeps: Vec<(BTreeSet<usize>, Sweep, Option<Standing>)> = Vec::new();
        if !scopes.is_empty() {
            match self.keeper.standing().await {
                Ok(standing) => {
                    let narrowed = self.narrowed(incoming, &scopes, &standing, now);
                    let (from, scopes): (Vec<usize>, Vec<Scope>) = narrowed.into_iter().unzip();
                    let Baseline { revision, .. } = &standing.baseline;
                    let named = standing.baseline.regions();
                    for merged in merge_traced(scopes) {
                        let served: BTreeSet<usize> = merged.from.iter().map(|index| from[*index]).collect();
                        let fallback = served.first().and_then(|first| incoming[*first].id);
                        let work =
                            planned(&merged.scope, &named, Some(revision), fallback.unwrap_or("direct"), now);
                        let what = &merged.scope;
                        info!(tasks = work.tasks.len(), "planned {what}: {}", what.reason());
                        if let Some(sweep) = work.sweep {
                            sweeps.push((served.clone(), sweep, Some(standing.clone())));
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
        for (served, sweep, standing) in sweeps {
            if let Err(problem) = self.begin(sweep, standing).await {
                let problem = problem.to_string();
                failed.extend(
                    served.into_iter().map(|position| Failed {
                        position,
                        problem: HandlerError::NotQueued(problem.clone()),
                    }),
                );
            }
        }
        failed
    }

    /// What is left of the scopes once the baseline is known. One that stands in for a broken one
    /// narrows nothing.
    fn narrowed(
        self,
        incoming: &[Incoming<'_>],
        scopes: &[(usize, Scope)],
        standing: &Standing,
        now: Timestamp,
    ) -> Vec<(usize, Scope)> {
        let known = standing.instead_of.is_none().then_some(&standing.baseline);
        let context = self.keeper.context(known, now);
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
    async fn begin(self, sweep: Sweep, standing: Option<Standing>) -> Result<(), HandlerError> {
        let standing = match standing {
            Some(standing) => standing,
            None => self.keeper.standing().await?,
        };
        let revision = &standing.baseline.revision;
        let counts = match self.keeper.ledger().rollout().await {
            Ok(Some(rollout)) => {
                rollout.revision != *revision || (rollout.counted.is_none() && !rollout.approved)
            }
            Ok(None) => true,
            Err(failed) => {
                // Then nothing new is acted on; what is to be repaired is.
                error!("how far the baseline has come is not known: {failed}");
                false
            }
        };
        if !counts || !sweep.is_whole() || standing.instead_of.is_some() {
            return self.sweep(sweep).await;
        }
        let count = Count {
            revision: revision.clone(),
            page: None,
            extent: crate::limits::Extent::default(),
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

    async fn count(self, mut count: Count) -> Result<(), HandlerError> {
        let Standing { baseline, instead_of } = self.keeper.standing().await?;
        if baseline.revision != count.revision || instead_of.is_some() {
            // The baseline changed meanwhile, and that change has an event of its own.
            info!(baseline.revision = %count.revision, "not counted further: the baseline is another one now");
            return Ok(());
        }
        let catalog = self.keeper.catalog_for_counting(&baseline).await;
        loop {
            let (accounts, next) = match self.page(count.page.clone()).await? {
                Page::Read(accounts, next) => (accounts, next),
                Page::TokenRefused => {
                    let Count { revision, cause, .. } = count;
                    let extent = crate::limits::Extent::default();
                    let count = Count { revision, page: None, extent, cause: cause.again() };
                    let delay = count.cause.delay_seconds();
                    return self.later(&Errand::Count(count), delay).await;
                }
            };
            let extent = self.keeper.count(&baseline, &catalog, accounts).await?;
            count.extent = count.extent.plus(extent);
            count.page = next;
            if count.page.is_none() {
                break;
            }
            if !self.deadline.leaves(PAGE_SECONDS) {
                return self.later(&Errand::Count(count), 0).await;
            }
        }
        let Count { revision, extent, cause, page: _ } = count;
        let mut approved = false;
        let counted = self
            .keeper
            .ledger()
            .change_rollout(|known| {
                let rollout = known.take().filter(|known| known.revision == revision);
                let rollout = rollout.unwrap_or_else(|| Rollout::new(revision.clone()));
                let rollout = rollout.count(extent, baseline.limits);
                approved = rollout.approved;
                *known = Some(rollout);
            })
            .await;
        counted.map_err(Stopped::Ledger)?;
        if approved {
            info!(baseline.revision = %revision, "baseline {revision} is within its limits: {extent}");
        } else {
            error!(
                error.kind = "LimitsExceeded",
                baseline.revision = %revision,
                "baseline {revision} is not acted on, because it changes more than its limits allow ({extent}): read its plan, then guardrailctl approve {revision}"
            );
        }
        // Repairs and looks go on either way.
        let now = Timestamp::now();
        let sweep = Sweep {
            regions: crate::trigger::Regions::All,
            guardrails: None,
            page: None,
            began: now,
            accounts: 0,
            cause,
        };
        self.sweep(sweep).await
    }

    async fn sweep(self, mut sweep: Sweep) -> Result<(), HandlerError> {
        let Standing { baseline, .. } = self.keeper.standing_for(sweep.cause.revision.as_ref()).await?;
        if sweep.page.is_none() && sweep.guardrails.is_none() {
            // The owner's side first: accounts find what it recorded, and wait where it has work to do.
            let here = baseline.regions().into_iter().filter(|region| sweep.regions.contain(region));
            let owner = here.map(|region| {
                let cause = sweep.cause.clone();
                Task::Owner(OwnerTask { region, then: Then::Nothing, swept_since: None, cause })
            });
            self.send(owner.collect()).await?;
        }
        loop {
            let (accounts, next) = match self.page(sweep.page.clone()).await? {
                Page::Read(accounts, next) => (accounts, next),
                Page::TokenRefused => {
                    let cause = sweep.cause.again();
                    let delay = cause.delay_seconds();
                    let sweep = Sweep { page: None, accounts: 0, cause, ..sweep };
                    return self.later(&Errand::Sweep(sweep), delay).await;
                }
            };
            let placed_at = Timestamp::now();
            let tasks: Vec<Task> = accounts
                .into_iter()
                .filter(|account| account.state.is_active())
                .filter(|account| should_enforce(&baseline, account, sweep.guardrails.as_ref()))
                .map(|account| {
                    Task::Account(AccountTask {
                        account: account.id.clone(),
                        placement: Some(Placement { account, placed_at }),
                        regions: sweep.regions.clone(),
                        cause: sweep.cause.clone(),
                    })
                })
                .collect();
            sweep.accounts += tasks.len();
            self.send(tasks).await?;
            sweep.page = next;
            if sweep.page.is_none() {
                break;
            }
            if !self.deadline.leaves(PAGE_SECONDS) {
                return self.later(&Errand::Sweep(sweep), 0).await;
            }
        }
        info!(accounts = sweep.accounts, "queued {} accounts: {}", sweep.accounts, sweep.cause.reason);
        if !sweep.is_whole() {
            return Ok(());
        }
        let Sweep { began, accounts, cause, .. } = sweep;
        let cause = crate::task::Cause { attempt: 0, ..cause };
        let delay = cause.delay_seconds();
        self.later(&Errand::Settle(Settle { began, accounts, cause }), delay).await
    }

    /// Sees whether every account that a sweep queued was looked at, and ends it if so.
    async fn settle(self, settle: Settle) -> Result<(), HandlerError> {
        let Settle { began, accounts, cause } = settle;
        let tally = self.keeper.tally(began).await.map_err(Stopped::Ledger)?;
        let missing = accounts.saturating_sub(tally.looked_at);
        if missing > 0 && cause.attempt < LOOKS_FOR_AN_END {
            debug!(missing, "the sweep is still under way");
            let cause = cause.again();
            let delay = cause.delay_seconds();
            return self.later(&Errand::Settle(Settle { began, accounts, cause }), delay).await;
        }
        // Accounts that the record knows and that no list names any more: they may be gone.
        let lost: Vec<Task> = tally
            .not_looked_at
            .iter()
            .map(|account| {
                Task::Account(AccountTask {
                    account: account.clone(),
                    placement: None,
                    regions: crate::trigger::Regions::All,
                    cause: cause.clone(),
                })
            })
            .collect();
        self.send(lost).await?;
        // What nobody uses any more is taken back, now that everybody was seen.
        let grants = self.keeper.ledger().grants().await.map_err(Stopped::Ledger)?;
        let regions: BTreeSet<_> = grants.keys().map(|resource| resource.region().clone()).collect();
        let owner = regions.into_iter().map(|region| {
            let (then, cause) = (Then::Nothing, cause.clone());
            Task::Owner(OwnerTask { region, then, swept_since: Some(began), cause })
        });
        self.send(owner.collect()).await?;
        super::telling::sweep_completed(self.keeper, &tally, accounts, began, &cause).await;
        Ok(())
    }

    async fn page(self, from: Option<String>) -> Result<Page, HandlerError> {
        let goes_on = from.is_some();
        match self.keeper.page_of_accounts(from).await {
            Ok((accounts, next)) => Ok(Page::Read(accounts, next)),
            // How long a token lasts is not documented. Nothing is lost by beginning again.
            Err(Stopped::OrganizationUnreadable(failure))
                if goes_on && failure.category == Category::Rejected =>
            {
                info!("the list of accounts is begun again: {failure}");
                Ok(Page::TokenRefused)
            }
            Err(stopped) => Err(stopped.into()),
        }
    }

    /// Puts tasks into the FIFO queue.
    pub(super) async fn send(self, tasks: Vec<Task>) -> Result<(), HandlerError> {
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
        let message = DelayedMessage { body: errand.message().to_string(), delay_seconds };
        let sent = self.keeper.queues().send_events(&self.queues.events, &[message]).await;
        sent.map_err(|failure| HandlerError::NotQueued(failure.to_string()))
    }
}

enum Page {
    Read(Vec<Account>, Option<String>),
    TokenRefused,
}

/// Whether an account should enforce one of these guardrails. Where that isn't asked, every account counts.
fn should_enforce(
    baseline: &Baseline,
    account: &Account,
    guardrails: Option<&BTreeSet<GuardrailKey>>,
) -> bool {
    guardrails.is_none_or(|guardrails| {
        let assignment = baseline.assignment(&account.id, &account.path);
        assignment.and_then(|it| it.guardrail.as_ref()).is_some_and(|key| guardrails.contains(key))
    })
}

fn event_of(message: &Message) -> Option<String> {
    match message {
        Message::Event(event) => event.get("id")?.as_str().map(str::to_owned),
        Message::Unreadable(_) => None,
    }
}
