//! Floods of events: what serves them, what SQS took for them, and who was named.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tracing::{info, warn};

use super::Keeper;
use super::effect::{Effect, Notice};
use super::kept::guardrails_meant;
use crate::ids::{AccountId, GuardrailArn, Target};
use crate::task::{Errand, Flooding, Floods, Sender, SentEvents, Served, cause_of};
use crate::trigger::{Scope, Why};

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

/// Whether the events about guardrails of this account come too fast to read the baseline for each.
pub(super) fn is_flooding(keeper: &Keeper, home: &AccountId, events: usize, now: Timestamp) -> bool {
    keeper.floods.locked().is_flooding(home, u32::try_from(events).unwrap_or(u32::MAX), now)
}

/// The scopes that are served at once, each with the position of its message; and those of senders whose events come
/// too fast, for which a look has to be queued. What a look serves that waits already is left out.
pub(super) async fn unlimited(
    keeper: &Keeper,
    scopes: Vec<(usize, Scope)>,
    now: Timestamp,
) -> (Vec<(usize, Scope)>, Vec<LimitedEvents>) {
    let mut limited = Vec::new();
    let (mut at_once, mut by_sender) = (Vec::new(), BTreeMap::<Sender, Vec<(usize, Scope)>>::new());
    for (position, scope) in scopes {
        match sender_of(keeper, &scope).await {
            Some(sender) => by_sender.entry(sender).or_default().push((position, scope)),
            None => at_once.push((position, scope)),
        }
    }
    for (sender, scopes) in by_sender {
        let count = u32::try_from(scopes.len()).unwrap_or(u32::MAX);
        let in_our_name = scopes.iter().any(|(_, scope)| scope.reasons.contains(&Why::UnrecordedWrite));
        let served = keeper.floods.locked().serve(&sender, SentEvents { count, in_our_name }, now);
        match served {
            Served::AtOnce => at_once.extend(scopes),
            Served::Already => {
                info!(%sender, events = count, "not queued: a look that waits already serves these events");
            }
            Served::Later(delay) => limited.push(LimitedEvents { sender, scopes, delay }),
        }
    }
    (at_once, limited)
}

/// Whom a scope counts for. What the baseline means is as the last owner task saw it, however long ago: a guardrail that
/// it has not seen yet counts with the others, and the look at their users leaves out none of them.
async fn sender_of(keeper: &Keeper, scope: &Scope) -> Option<Sender> {
    let changed = scope.guardrail.as_ref().and_then(|changed| changed.arn.as_ref());
    let meant = match changed {
        Some(GuardrailArn { account, region, .. }) => {
            let owner = Target { account: account.clone(), region: region.clone() };
            guardrails_meant(keeper, &owner).await
        }
        None => BTreeSet::new(),
    };
    Sender::of(scope, &meant)
}

/// A look that begins after so many seconds, and serves whatever its sender does until shortly before.
pub(super) fn later(limited: LimitedEvents, fallback: &str, now: Timestamp) -> Vec<Effect> {
    let LimitedEvents { sender, scopes, delay } = limited;
    let mut scopes = scopes.into_iter().map(|(_, scope)| scope);
    let Some(mut all) = scopes.next() else { return Vec::new() };
    scopes.for_each(|scope| all.absorb(scope));
    let cause = cause_of(&all, None, fallback, now);
    let due = now.checked_add(SignedDuration::from_secs(delay.into())).unwrap_or(now);
    let task = sender.look(&cause);
    let flooding = Flooding { sender, due, cause };
    // The notice comes second: it is performed only if SQS took the message.
    vec![Effect::Later(Errand::Retry(task), delay), Effect::Tell(Notice::Flooding(Box::new(flooding)))]
}

/// SQS took the message of the look that serves a flood. Returns the account to name on the bus, if neither it nor too
/// many others were named within the last hour.
pub async fn note_flood(keeper: &Keeper, flooding: &Flooding) -> Option<AccountId> {
    keeper.floods.locked().queued(flooding);
    let account = flooding.sender.account().clone();
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
