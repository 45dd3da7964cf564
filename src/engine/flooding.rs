//! Floods of events: what serves them, what SQS took for them, and who was named.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use super::Keeper;
use super::effect::{Effect, Notice};
use crate::ids::AccountId;
use crate::task::{Errand, Flooding, Floods, Sender, Served, Task};
use crate::trigger::Scope;

/// The floods that this process knows.
#[derive(Debug, Default)]
pub(super) struct KnownFloods(Mutex<Floods>);

impl KnownFloods {
    fn locked(&self) -> MutexGuard<'_, Floods> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is queued for a task that so many events of a scope led to: the task, the task after a while, or nothing if one
/// that waits already serves them.
pub(super) fn queued(keeper: &Keeper, task: Task, scope: &Scope, events: usize, now: Timestamp) -> Vec<Effect> {
    let at_will = !scope.reasons.is_empty() && scope.reasons.iter().all(|reason| reason.is_made_at_will());
    if keeper.settings.queues.is_none() || !at_will {
        return vec![Effect::Queue(task)];
    }
    let sender = Sender::of(&task);
    let events = u32::try_from(events).unwrap_or(u32::MAX);
    match keeper.floods.locked().serve(&sender, events, now) {
        Served::AtOnce => vec![Effect::Queue(task)],
        Served::Already => {
            info!(group = %task.group(), events, "not queued: a look that is queued already comes later than these events");
            Vec::new()
        }
        Served::Later(delay) => {
            let task = task.for_all_of_its_sender();
            let due = now.checked_add(SignedDuration::from_secs(delay.into())).unwrap_or(now);
            let flooding = Flooding { sender, due, cause: task.cause().clone() };
            // The notice comes second: it is performed only if SQS took the message.
            vec![
                Effect::Later(Errand::Retry(task), delay),
                Effect::Tell(Notice::Flooding(Box::new(flooding))),
            ]
        }
    }
}

/// SQS took the message of the look that serves a flood. Returns the account to name on the bus, if nobody named it
/// within the last hour.
pub async fn note_flood(keeper: &Keeper, flooding: &Flooding) -> Option<AccountId> {
    let Flooding { sender, due, cause: _ } = flooding;
    keeper.floods.locked().queued(sender, *due);
    let account = match sender {
        Sender::Account(account) => account.clone(),
        Sender::Guardrail(_, guardrail) => guardrail.as_ref()?.account.clone(),
    };
    match keeper.ledger.floods().await {
        Ok(floods) => (!floods.was_named_lately(&account, keeper.clock.now())).then_some(account),
        // Named twice is better than never.
        Err(error) => {
            warn!(account.id = %account, "whether the flood of {account} was published is not known: {error}");
            Some(account)
        }
    }
}

/// Records that an account that floods was named on the bus.
pub async fn note_flood_told(keeper: &Keeper, account: &AccountId) {
    let now = keeper.clock.now();
    if let Err(error) = keeper.ledger.change_floods(|floods| floods.name(account.clone(), now)).await {
        warn!(account.id = %account, "that the flood of {account} was published could not be recorded: {error}");
    }
}
