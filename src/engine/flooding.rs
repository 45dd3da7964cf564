//! Floods of events: what serves them, what SQS took for them, and who was named.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use super::Keeper;
use super::effect::{Effect, Notice};
use crate::ids::AccountId;
use crate::task::{Errand, Flooding, Floods, Sender, Served, Task, planned};
use crate::trigger::{Scope, Why, merge};

/// The floods that this process knows.
#[derive(Debug, Default)]
pub(super) struct KnownFloods(Mutex<Floods>);

impl KnownFloods {
    fn locked(&self) -> MutexGuard<'_, Floods> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Events of a sender that come too fast, each scope with the position of its message: one look serves them all.
#[derive(Debug)]
pub(super) struct LimitedEvents {
    pub(super) sender: Sender,
    pub(super) scopes: Vec<(usize, Scope)>,
    /// After how many seconds the look begins.
    pub(super) delay: u16,
}

/// The scopes that are served at once, each with the position of its message; and those of senders whose events come
/// too fast, for which a look has to be queued. What a look serves that waits already is left out.
pub(super) fn unlimited(
    keeper: &Keeper,
    scopes: Vec<(usize, Scope)>,
    now: Timestamp,
) -> (Vec<(usize, Scope)>, Vec<LimitedEvents>) {
    if keeper.settings.queues.is_none() {
        return (scopes, Vec::new());
    }
    let mut limited = Vec::new();
    let (mut at_once, mut by_sender) = (Vec::new(), BTreeMap::<Sender, Vec<(usize, Scope)>>::new());
    for (position, scope) in scopes {
        // A write in our name that the ledger doesn't know is published with the look at it, so each has its own.
        let sender = Sender::of(&scope).filter(|_| !scope.reasons.contains(&Why::UnrecordedWrite));
        match sender {
            Some(sender) => by_sender.entry(sender).or_default().push((position, scope)),
            None => at_once.push((position, scope)),
        }
    }
    for (sender, scopes) in by_sender {
        let events = scopes.len();
        let served = keeper.floods.locked().serve(&sender, u32::try_from(events).unwrap_or(u32::MAX), now);
        match served {
            Served::AtOnce => at_once.extend(scopes),
            Served::Already => {
                info!(%sender, events, "not queued: a look that waits already serves these events");
            }
            Served::Later(delay) => limited.push(LimitedEvents { sender, scopes, delay }),
        }
    }
    (at_once, limited)
}

/// A look that begins after so many seconds, and serves whatever its sender does until shortly before.
pub(super) fn later(limited: LimitedEvents, fallback: &str, now: Timestamp) -> Vec<Effect> {
    let LimitedEvents { sender, scopes, delay } = limited;
    let named = BTreeSet::new();
    let tasks = merge(scopes.into_iter().map(|(_, scope)| scope))
        .into_iter()
        .flat_map(|merged| planned(&merged.scope, &named, None, fallback, now).tasks);
    let Some(task) = tasks.map(Task::for_all_of_its_sender).next() else { return Vec::new() };
    let due = now.checked_add(SignedDuration::from_secs(delay.into())).unwrap_or(now);
    let flooding = Flooding { sender, due, cause: task.cause().clone() };
    // The notice comes second: it is performed only if SQS took the message.
    vec![Effect::Later(Errand::Retry(task), delay), Effect::Tell(Notice::Flooding(Box::new(flooding)))]
}

/// SQS took the message of the look that serves a flood. Returns the account to name on the bus, if neither it nor too
/// many others were named within the last hour.
pub async fn note_flood(keeper: &Keeper, flooding: &Flooding) -> Option<AccountId> {
    let Flooding { sender, due, cause: _ } = flooding;
    keeper.floods.locked().queued(sender, *due);
    let account = match sender {
        Sender::Account(account) => account.clone(),
        Sender::Guardrail(_, guardrail) => guardrail.account.clone(),
    };
    match keeper.ledger.floods().await {
        Ok(floods) => floods.is_to_be_named(&account, keeper.clock.now()).then_some(account),
        // Named twice is better than never.
        Err(error) => {
            warn!(account.id = %account, "failed to read whether the flood of {account} was published: {error}");
            Some(account)
        }
    }
}

/// Records that an account that floods was named on the bus.
pub async fn note_flood_told(keeper: &Keeper, account: &AccountId) {
    let now = keeper.clock.now();
    if let Err(error) = keeper.ledger.change_floods(|floods| floods.name(account.clone(), now)).await {
        warn!(account.id = %account, "failed to record that the flood of {account} was published: {error}");
    }
}
