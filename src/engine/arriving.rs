//! From messages to jobs. An event says where to look, never what to do. Makes as few calls as possible, and none in a
//! member.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tracing::{debug, error, info, warn};

use super::approving::approved_by_now;
use super::baselines::present_lately;
use super::controls::controls_by_now;
use super::effect::Effect;
use super::flooding::{later, unlimited};
use super::narrowing::{
    Incoming, NAMELESS, NarrowedScopes, ReadBaseline, Scopes, ignored, narrowed_guardrails,
};
use super::sweeping::{beginning, regions};
use super::{Keeper, Stopped, context};
use crate::ids::Target;
use crate::ledger::LedgerError;
use crate::own_roles::OwnRoles;
use crate::record::{AccountRecord, Record};
use crate::settings::OrganizationAccess;
use crate::task::{Errand, Planned, bedrock_policies, departed, planned};
use crate::trigger::{
    Accounts, Context, Ignored, Merged, Message, Regions, Rejected, Scope, Trigger, Why, merge,
};

/// The jobs that messages ask for.
#[derive(Debug, Default)]
pub struct Arrived {
    /// Jobs, each with the positions of the messages that asked for it.
    pub jobs: Vec<(BTreeSet<usize>, Vec<Effect>)>,
    /// Ignored messages, by their position.
    pub ignored: Vec<(usize, Ignored)>,
    /// Messages that could not be parsed or planned, by their position.
    pub failed: Vec<(usize, Unplanned)>,
}

/// Why a message led to no job.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unplanned {
    /// It is no event.
    #[error("not an event: {0}")]
    Rejected(Rejected),
    /// It has the form of an errand and can't be parsed: another version of this program wrote it.
    #[error("not a message of this version: {0}")]
    ForeignErrand(String),
    /// There is no baseline: neither the present one nor an earlier one can be read.
    #[error("{0}")]
    NoBaseline(String),
    /// The ledger doesn't say whether the revision has to be counted before the sweep.
    #[error("not queued: {0}")]
    NotBegun(String),
    /// The ledger doesn't say whether a write in the keeper's name was the keeper's.
    #[error("not known to be the keeper's write: {0}")]
    NotKnown(String),
}

/// Turns messages into jobs: events with the help of the baseline, errands as they are. Long work comes last.
pub async fn arrive(keeper: &Keeper, incoming: &[Incoming<'_>]) -> Arrived {
    let now = keeper.clock.now();
    let mut arrived = Arrived::default();
    let (mut scopes, mut errands) = (Vec::new(), Vec::new());
    for (position, one) in incoming.iter().enumerate() {
        let sorted = sorted(keeper, *one, now);
        match unrecorded_write(keeper, *one, &sorted, now).await {
            Ok(None) => {}
            Ok(Some(scope)) => {
                scopes.push((position, scope));
                continue;
            }
            Err(unplanned) => {
                arrived.failed.push((position, unplanned));
                continue;
            }
        }
        if let Sorted::Ignored(reason) = &sorted {
            ignored(one.id.unwrap_or(NAMELESS), reason);
        }
        match sorted {
            Sorted::Scope(scope) => scopes.push((position, *scope)),
            Sorted::Errand(errand) => {
                errands.push((BTreeSet::from([position]), vec![Effect::GoOn(*errand)]));
            }
            Sorted::Jobs(jobs) => arrived.jobs.push((BTreeSet::from([position]), jobs)),
            Sorted::Ignored(reason) => arrived.ignored.push((position, reason)),
            Sorted::Failed(unplanned) => arrived.failed.push((position, unplanned)),
        }
    }
    // Before the baseline is read for the others: a flood costs no read of it for each event.
    let (scopes, read) = match keeper.settings.queues {
        // On the heap, because it is large.
        Some(_) => Box::pin(counted(keeper, incoming, scopes, now, &mut arrived)).await,
        None => (scopes, None),
    };
    if !scopes.is_empty() {
        // On the heap, because it is large.
        Box::pin(by_the_baseline(keeper, incoming, scopes, read, now, &mut arrived)).await;
    }
    arrived.jobs.extend(errands);
    arrived
}

/// The first decision about a message, without the baseline. The baseline only narrows scopes, so a message that is
/// ignored here costs no call.
enum Sorted {
    Scope(Box<Scope>),
    Errand(Box<Errand>),
    Jobs(Vec<Effect>),
    Ignored(Ignored),
    Failed(Unplanned),
}

fn sorted(keeper: &Keeper, incoming: Incoming<'_>, now: Timestamp) -> Sorted {
    let Incoming { id, repeated, from_queue, message } = incoming;
    if from_queue
        && let Message::Event(value) = message
        && let Some(errand) = Errand::of_message(value)
    {
        return match errand {
            Ok(errand) => Sorted::Errand(Box::new(errand)),
            Err(error) => Sorted::Failed(Unplanned::ForeignErrand(error.to_string())),
        };
    }
    let name = id.unwrap_or(NAMELESS);
    match message.decide(&context(keeper, None, now)) {
        Trigger::Reconcile(scope) => Sorted::Scope(scope),
        Trigger::Departed { accounts, reason, event, at } => {
            let gone = departed(&accounts, reason, event.as_deref(), at, id.unwrap_or("direct"), now);
            info!(
                record = name,
                reason = reason.code(),
                "queued a look at accounts that may be gone: {reason}"
            );
            Sorted::Jobs(gone.into_iter().map(Effect::Queue).collect())
        }
        Trigger::BedrockPolicies { .. }
            if keeper.settings.organization_access == OrganizationAccess::None =>
        {
            Sorted::Ignored(Ignored::NoOrganizationLevel)
        }
        Trigger::BedrockPolicies { why, event, at } => {
            let task = bedrock_policies(why, event.as_deref(), at, id.unwrap_or("direct"), now);
            info!(record = name, reason = why.code(), "queued a look at the Bedrock policies: {why}");
            Sorted::Jobs(vec![Effect::Queue(task)])
        }
        Trigger::Ignore(reason) => Sorted::Ignored(reason),
        Trigger::Reject(reason) => {
            if repeated {
                // SQS delivers it again until it is a dead letter; the reason stays the same.
                debug!(record = name, reason = reason.code(), "rejected again: {reason}");
            } else if id.is_some() {
                error!(record = name, reason = reason.code(), "rejected: {reason}");
            }
            Sorted::Failed(Unplanned::Rejected(reason))
        }
    }
}

/// How long after a write its confirmation is recorded at most, in seconds: the write's own tries, and the look after
/// it. Where it takes longer, the write is looked at once more.
const CONFIRMED_WITHIN_SECONDS: i64 = 120;

/// What to look at after a write in the keeper's name that the record does not know: anybody who can use the name of
/// the member role could otherwise change an enforcement, a copy or a grant and go unnoticed until the next sweep.
/// Without a ledger that lasts, the name is all there is to go by.
async fn unrecorded_write(
    keeper: &Keeper,
    incoming: Incoming<'_>,
    sorted: &Sorted,
    now: Timestamp,
) -> Result<Option<Scope>, Unplanned> {
    if !matches!(sorted, Sorted::Ignored(Ignored::OwnWrite)) || !keeper.ledger.is_durable() {
        return Ok(None);
    }
    // As if somebody else had written it.
    let anybodys = Context { own_roles: OwnRoles::default(), ..context(keeper, None, now) };
    let Trigger::Reconcile(scope) = incoming.message.decide(&anybodys) else { return Ok(None) };
    let is_enforcement =
        [Why::EnforcementPut, Why::EnforcementDeleted].iter().any(|why| scope.reasons.contains(why));
    let scope = if is_enforcement {
        *scope
    } else {
        // Whether it is a copy or the owner's is for the baseline to say. Without one there is nothing to look for.
        let happened = scope.since.and_then(|second| Timestamp::from_second(second).ok());
        let Ok(known) = present_lately(keeper, happened.unwrap_or(now)).await else { return Ok(None) };
        let anybodys =
            Context { own_roles: OwnRoles::default(), ..context(keeper, Some(&known.baseline), now) };
        let Trigger::Reconcile(scope) = incoming.message.decide(&anybodys) else { return Ok(None) };
        *scope
    };
    match is_recorded(keeper, &scope, is_enforcement).await {
        Ok(true) => return Ok(None),
        Ok(false) => warn!(
            reason = Why::UnrecordedWrite.code(),
            "there is a look at {scope}: {}",
            Why::UnrecordedWrite
        ),
        // SQS delivers it once more, and by then it may be known. To say of the keeper's own write that somebody else made
        // it would be a false alarm.
        Err(error) if incoming.id.is_some() && !incoming.repeated => {
            return Err(Unplanned::NotKnown(error.to_string()));
        }
        // Whether it was ours is still not known. A look costs little.
        Err(error) => {
            warn!(
                "failed to read whether the ledger has a write in the keeper's name, so there is a look at {scope}: {error}"
            );
        }
    }
    Ok(Some(Scope { reasons: BTreeSet::from([Why::UnrecordedWrite]), ..scope }))
}

/// Whether the ledger knows of a write in the keeper's name, or of a look since then.
async fn is_recorded(keeper: &Keeper, scope: &Scope, is_enforcement: bool) -> Result<bool, LedgerError> {
    let (Regions::Only(regions), Some(since)) = (&scope.regions, scope.since) else { return Ok(true) };
    let is_removal = scope.reasons.contains(&Why::EnforcementDeleted);
    let in_all = |record: &AccountRecord, is_known: &dyn Fn(&Record) -> bool| {
        regions.iter().all(|region| record.regions.get(region).is_some_and(is_known))
    };
    // The record has when the keeper's last write of each kind was confirmed, which is shortly after it was made. A
    // write of the same kind that somebody else makes in between is taken for the keeper's.
    let wrote_it = |record: &Record| {
        let put = record.ours.as_ref().map(|ours| ours.at);
        let confirmed = if is_removal { record.released_at } else { put };
        confirmed.is_some_and(|at| (0..=CONFIRMED_WITHIN_SECONDS).contains(&(at.as_second() - since)))
    };
    // A copy or a grant that the keeper wrote was looked at right after that, by the same run.
    let looked_since = |at: Timestamp| at.as_second() >= since;
    let looked_at_it = |record: &Record| record.checked.as_ref().is_some_and(|it| looked_since(it.at));
    match &scope.accounts {
        Accounts::Only(accounts) => {
            for account in accounts {
                let record = keeper.ledger.account(account).await?;
                let is_known = match is_enforcement {
                    true => in_all(&record, &wrote_it),
                    false => in_all(&record, &looked_at_it),
                };
                if record.closed.is_none() && !is_known {
                    return Ok(false);
                }
            }
        }
        Accounts::All => {
            let Some(account) = &scope.changed_in else { return Ok(false) };
            for region in regions {
                let owner = Target { account: account.clone(), region: region.clone() };
                let snapshot = keeper.ledger.owner_snapshot(&owner).await?;
                if !snapshot.is_some_and(|snapshot| looked_since(snapshot.at)) {
                    return Ok(false);
                }
            }
        }
    }
    Ok(true)
}

/// Counts what senders send, and queues one look each for those whose events come too fast. Returns the scopes that are
/// served at once, and the baseline if it was read.
async fn counted(
    keeper: &Keeper,
    incoming: &[Incoming<'_>],
    scopes: Scopes,
    now: Timestamp,
    arrived: &mut Arrived,
) -> (Scopes, Option<ReadBaseline>) {
    let NarrowedScopes { scopes, ignored, unread, read } =
        narrowed_guardrails(keeper, incoming, scopes, now).await;
    arrived.ignored.extend(ignored);
    if let Some((positions, stopped)) = unread {
        arrived.failed.extend(without_a_baseline(positions, &stopped));
    }
    let (at_once, floods) = unlimited(keeper, scopes, now).await;
    for flood in floods {
        let positions: BTreeSet<usize> = flood.scopes.iter().map(|(position, _)| *position).collect();
        let fallback = fallback_of(incoming, positions.first().copied().unwrap_or_default());
        arrived.jobs.push((positions, later(flood, &fallback, now)));
    }
    (at_once, read)
}

fn without_a_baseline(positions: Vec<usize>, stopped: &Stopped) -> Vec<(usize, Unplanned)> {
    let why = stopped.to_string();
    positions.into_iter().map(|position| (position, Unplanned::NoBaseline(why.clone()))).collect()
}

/// What names the work of a message where no event does.
fn fallback_of(incoming: &[Incoming<'_>], position: usize) -> String {
    incoming.get(position).and_then(|one| one.id).unwrap_or("direct").to_owned()
}

/// Plans the jobs of scopes, narrowed by the present baseline.
async fn by_the_baseline(
    keeper: &Keeper,
    incoming: &[Incoming<'_>],
    scopes: Scopes,
    read: Option<ReadBaseline>,
    now: Timestamp,
    arrived: &mut Arrived,
) {
    let read = match read {
        Some(read) => Ok(read),
        None => ReadBaseline::present(keeper).await,
    };
    let read = match read {
        Ok(read) => read,
        Err(stopped) => {
            let positions = scopes.into_iter().map(|(position, _)| position).collect();
            arrived.failed.extend(without_a_baseline(positions, &stopped));
            return;
        }
    };
    let narrowed = read.narrowed(keeper, incoming, scopes, now, &mut arrived.ignored);
    let ReadBaseline { known, mut followed } = read;
    let (from, scopes): (Vec<usize>, Vec<Scope>) = narrowed.into_iter().unzip();
    let approval_is_known = approved_by_now(keeper, &known, &scopes, &mut followed).await;
    let controls_are_known = controls_by_now(keeper, &known.baseline.revision, &scopes).await;
    let named = regions(&known.baseline, followed.as_ref());
    let (mut sweeps, mut unheard) = (Vec::new(), BTreeSet::new());
    for Merged { scope, from: merged } in merge(scopes) {
        let served: BTreeSet<usize> = merged.iter().map(|index| from[*index]).collect();
        let fallback = fallback_of(incoming, served.first().copied().unwrap_or_default());
        let Planned { tasks, sweep } =
            planned(&scope, &named, Some(&known.baseline.revision), &fallback, now);
        tell_unnamed(&scope);
        let records: Vec<&str> = served.iter().map(|it| incoming[*it].id.unwrap_or(NAMELESS)).collect();
        let records = records.join(" ");
        info!(%records, tasks = tasks.len(), "planned {scope}: {}", scope.reason());
        let has = |why: Why| scope.reasons.contains(&why);
        let is_of_controls = has(Why::LeavingSaid) || has(Why::PlacementSaid);
        if (known.refused && has(Why::BaselineChanged))
            || (!approval_is_known && has(Why::ApprovalGiven))
            || (!controls_are_known && is_of_controls)
        {
            unheard.extend(served.iter().copied());
        }
        if let Some(sweep) = sweep {
            sweeps.push((served.clone(), sweep));
        }
        arrived.jobs.push((served, tasks.into_iter().map(Effect::Queue).collect()));
    }
    for (served, sweep) in sweeps {
        match beginning(keeper, sweep, &known).await {
            Ok(errand) => arrived.jobs.push((served, vec![Effect::GoOn(errand)])),
            Err(stopped) => {
                let why = stopped.to_string();
                let failed = served.into_iter().map(|it| (it, Unplanned::NotBegun(why.clone())));
                arrived.failed.extend(failed);
            }
        }
    }
    // The new baseline, its approval or a control could not be read. SQS delivers the event again, even though the last
    // good one was used.
    let why = "a parameter of ours was changed, and AWS denies reading it".to_owned();
    let unheard = unheard.into_iter().map(|position| (position, Unplanned::NoBaseline(why.clone())));
    arrived.failed.extend(unheard);
}

/// Warns of an event that doesn't name its account.
fn tell_unnamed(scope: &Scope) {
    if scope.reasons.contains(&Why::AccountNotNamed) {
        let events: Vec<&str> = scope.events.iter().map(String::as_str).collect();
        warn!(reason = Why::AccountNotNamed.code(), event.id = %events.join(", "), "{}", Why::AccountNotNamed);
    }
}
