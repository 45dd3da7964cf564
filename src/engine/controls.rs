//! Takes over what people say in controls: parameters of SSM that name an account which is about to leave, or the answer
//! to `placement: auto`.
//!
//! Who wrote a control is taken from SSM's history. A control that can't be read changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use tracing::{error, info, warn};

use super::accounts::place;
use super::asked::is_deployed;
use super::{Keeper, Stopped};
use crate::baseline::Revision;
use crate::cloud::Parameter;
use crate::control::{Control, ControlVersion, Leaving};
use crate::failure::Failure;
use crate::ids::AccountId;
use crate::ledger::LedgerError;
use crate::limits::WrittenVersion;
use crate::placement::Answer;
use crate::trigger::{Accounts, Regions, Scope, Why};

/// What became of what a person said here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Controlled {
    /// It is in the ledger.
    Recorded,
    /// It is in its parameter, in this version. The deployed keeper hears of that and acts on it.
    Put {
        /// The parameter.
        parameter: String,
        /// The version.
        version: i64,
    },
    /// It is in its parameter, and waits there: as many accounts were marked as about to leave within a day as may be.
    Waits {
        /// The parameter.
        parameter: String,
        /// How many may be.
        most: u32,
    },
}

/// Says whether an account is about to leave: then nothing is enforced there any more, whatever the baseline says.
///
/// Where the baseline is in a parameter, this is a control, which a deployed keeper takes over; where none is deployed, it
/// is taken over here. Otherwise it is in the ledger alone.
///
/// # Errors
/// When the parameter or the ledger can't be used.
pub async fn offboard(keeper: &Keeper, account: &AccountId, leaving: Leaving) -> Result<Controlled, Stopped> {
    if let Some((parameter, version)) =
        put(keeper, &Control::Leaving(account.clone()), leaving.text()).await?
    {
        if is_deployed(keeper) {
            return Ok(Controlled::Put { parameter, version });
        }
        take_over_leaving(keeper, account).await.map_err(not_taken_over)?;
        let waits = keeper.ledger.account(account).await?.leaving_waits.is_some();
        if let Some(most) = keeper.settings.max_departures.filter(|_| waits) {
            return Ok(Controlled::Waits { parameter, most });
        }
        return Ok(Controlled::Recorded);
    }
    let now = keeper.clock.now();
    let noted = keeper.ledger.change_account(account, |record| {
        record.offboarding = match leaving {
            // It is recorded already, and keeps its first date.
            Leaving::Leaves => record.offboarding.or(Some(now)),
            Leaving::Stays => None,
        };
        Ok(())
    });
    noted.await?;
    Ok(Controlled::Recorded)
}

/// Whether the account's control says that it leaves, whether or not that is taken over yet.
///
/// # Errors
/// When the parameter can't be read.
pub async fn is_said_to_leave(keeper: &Keeper, account: &AccountId) -> Result<bool, Stopped> {
    let Some(path) = &keeper.settings.controls else { return Ok(false) };
    let parameter = Control::Leaving(account.clone()).parameter(path);
    let present = keeper.cloud.find_parameter(&parameter).await.map_err(not_taken_over)?;
    Ok(present.is_some_and(|present| Leaving::parse(&present.text) == Ok(Leaving::Leaves)))
}

/// Gives the answer to `placement: auto`, or has it found out anew; as [`offboard`] says it.
///
/// # Errors
/// When the parameter or the ledger can't be used.
pub async fn set_placement(
    keeper: &Keeper,
    answer: Answer,
    revision: &Revision,
) -> Result<Controlled, Stopped> {
    if let Some((parameter, version)) = put(keeper, &Control::Placement, answer.text()).await? {
        if is_deployed(keeper) {
            return Ok(Controlled::Put { parameter, version });
        }
        take_over_placement(keeper, revision).await.map_err(not_taken_over)?;
        return Ok(Controlled::Recorded);
    }
    let by = keeper.cloud.caller().await.unwrap_or_else(|_| "a person at a terminal".to_owned());
    let now = keeper.clock.now();
    keeper.ledger.change_placement(|record| record.set(answer, now, revision, &by)).await?;
    Ok(Controlled::Recorded)
}

fn not_taken_over(failure: Failure) -> Stopped {
    Stopped::NotControlled { failure }
}

/// Writes a control, and returns its parameter and version. `None` where there are no controls.
async fn put(keeper: &Keeper, control: &Control, text: &str) -> Result<Option<(String, i64)>, Stopped> {
    let Some(path) = &keeper.settings.controls else { return Ok(None) };
    let parameter = control.parameter(path);
    let is_new = keeper.cloud.find_parameter(&parameter).await.map_err(not_taken_over)?.is_none();
    let version = keeper.cloud.parameter_writer().put(&parameter, text, is_new).await;
    Ok(Some((parameter, version.map_err(not_taken_over)?)))
}

/// Takes over the controls that these scopes may be about: those that their events name, and all before a look at
/// everything, because an event may be lost. Returns whether all of them are known.
pub(super) async fn controls_by_now(keeper: &Keeper, revision: &Revision, scopes: &[Scope]) -> bool {
    let Some(path) = &keeper.settings.controls else { return true };
    let is_whole = |scope: &Scope| scope.accounts == Accounts::All && scope.regions == Regions::All;
    let mut named = BTreeSet::new();
    for scope in scopes.iter().filter(|scope| scope.reasons.contains(&Why::LeavingSaid)) {
        if let Accounts::Only(accounts) = &scope.accounts {
            named.extend(accounts);
        }
    }
    // On the heap: it is rarely more than two calls, and everything that arrives waits for it.
    let taken_over = Box::pin(async {
        // One that can't be taken over keeps no other from it.
        let mut so_far = Ok(());
        for account in named {
            so_far = so_far.and(take_over_leaving(keeper, account).await);
        }
        if scopes.iter().any(is_whole) {
            so_far = so_far.and(take_over_all(keeper, path, revision).await);
        }
        so_far
    })
    .await;
    if let Err(failure) = &taken_over {
        error!(
            error.kind = "ControlsUnread",
            "what people say in the controls is not known, so it changes nothing now: {failure}"
        );
    }
    taken_over.is_ok()
}

/// Takes over all controls that were written since.
async fn take_over_all(keeper: &Keeper, path: &str, revision: &Revision) -> Result<(), Failure> {
    let leaving = keeper.cloud.parameters_below(&Control::leaving_path(path)).await?;
    let mut controls = BTreeMap::new();
    for (name, parameter) in leaving {
        match Control::of(path, &name) {
            Some(Control::Leaving(account)) => drop(controls.insert(account, parameter)),
            Some(Control::Placement) | None => {
                warn!("{name} is below the controls' path and names no account, so it says nothing");
            }
        }
    }
    let mut so_far = Ok(());
    for (account, parameter) in &controls {
        so_far = so_far.and(take_over_leaving_of(keeper, account, parameter).await);
    }
    so_far.and(take_over_placement(keeper, revision).await)
}

async fn take_over_leaving(keeper: &Keeper, account: &AccountId) -> Result<(), Failure> {
    let Some(path) = &keeper.settings.controls else { return Ok(()) };
    let parameter = Control::Leaving(account.clone()).parameter(path);
    match keeper.cloud.find_parameter(&parameter).await? {
        Some(parameter) => take_over_leaving_of(keeper, account, &parameter).await,
        None => Ok(()),
    }
}

async fn take_over_leaving_of(
    keeper: &Keeper,
    account: &AccountId,
    present: &Parameter,
) -> Result<(), Failure> {
    let known = keeper.ledger.account(account).await.map_err(|error| not_recorded(&error))?;
    if !is_news(present, known.leaving_control) {
        return Ok(());
    }
    // One that waits costs no call of AWS's as long as there is no room: there may be many.
    let waits = known.leaving_waits.is_some_and(|waits| !is_news(present, Some(waits)));
    if waits && !has_room(keeper, account).await? {
        return Ok(());
    }
    let Some(path) = &keeper.settings.controls else { return Ok(()) };
    let parameter = Control::Leaving(account.clone()).parameter(path);
    let Some(last) = last_written(keeper, &parameter).await? else { return Ok(()) };
    let leaving = match Leaving::parse(&last.text) {
        Ok(leaving) => leaving,
        Err(why) => {
            refused(&parameter, &why);
            return Ok(());
        }
    };
    let placed = place(keeper, account).await.map_err(|stopped| match stopped {
        Stopped::AccountNotPlaced { failure, .. } | Stopped::OrganizationUnreadable(failure) => failure,
        other => Failure::transient("DescribeAccount", other.to_string()),
    })?;
    let Some(placed) = placed else {
        warn!(account.id = %account, "{parameter} says nothing, because {account} is no member of the organization");
        return Ok(());
    };
    // What was said before the account came (back) was said of another time.
    let is_over = placed.account.joined.is_some_and(|joined| joined > last.at);
    let leaving = if is_over { Leaving::Stays } else { leaving };
    let (by, mut is_taken_over) = (writer(&last), false);
    if leaving == Leaving::Leaves
        && known.offboarding.is_none()
        && let Some(most) = keeper.settings.max_departures
        && !is_admitted(keeper, account, most).await?
    {
        return let_wait(keeper, account, &last, most).await;
    }
    let noted = keeper.ledger.change_account(account, |record| {
        is_taken_over = record.take_over_leaving(leaving, version_of(&last), by);
        Ok(())
    });
    noted.await.map_err(|error| not_recorded(&error))?;
    if is_taken_over {
        let words = match leaving {
            Leaving::Leaves => "is about to leave the organization, so what is ours there is released",
            Leaving::Stays if is_over => "joined the organization since, so the baseline counts there",
            Leaving::Stays => "stays in the organization, so the baseline counts there",
        };
        info!(account.id = %account, by, "{account} {words}: {by} wrote that into {parameter}");
        if leaving == Leaving::Leaves && known.regions.is_empty() {
            // The record has no Region that could keep news of it.
            error!(
                error.kind = "UnknownAccountLeaves",
                account.id = %account, by,
                "{account} stays unguarded before anybody looked at it: {by} wrote into {parameter} that it leaves"
            );
        }
    }
    Ok(())
}

/// Whether an account may be marked as about to leave now, which is then counted.
async fn is_admitted(keeper: &Keeper, account: &AccountId, most: u32) -> Result<bool, Failure> {
    let (now, mut is_admitted) = (keeper.clock.now(), false);
    let counted = keeper.ledger.change_departures(|recent| is_admitted = recent.admit(account, most, now));
    counted.await.map_err(|error| not_recorded(&error))?;
    Ok(is_admitted)
}

/// Whether another account may be marked now. Only reads.
async fn has_room(keeper: &Keeper, account: &AccountId) -> Result<bool, Failure> {
    let Some(most) = keeper.settings.max_departures else { return Ok(true) };
    let mut recent = keeper.ledger.departures().await.map_err(|error| not_recorded(&error))?;
    Ok(recent.admit(account, most, keeper.clock.now()))
}

/// Leaves an account guarded whose control says that it is about to leave. Each sweep tries again.
async fn let_wait(
    keeper: &Keeper,
    account: &AccountId,
    last: &WrittenVersion,
    most: u32,
) -> Result<(), Failure> {
    let (by, mut is_news) = (writer(last), false);
    let noted = keeper.ledger.change_account(account, |record| {
        is_news = record.let_leaving_wait(version_of(last), by, most);
        Ok(())
    });
    noted.await.map_err(|error| not_recorded(&error))?;
    if is_news {
        error!(
            error.kind = "DepartureWaits",
            account.id = %account, by,
            "{account} stays guarded: {by} wrote that it leaves, and {most} accounts were marked so within a day"
        );
    }
    Ok(())
}

async fn take_over_placement(keeper: &Keeper, revision: &Revision) -> Result<(), Failure> {
    let Some(path) = &keeper.settings.controls else { return Ok(()) };
    let parameter = Control::Placement.parameter(path);
    let Some(present) = keeper.cloud.find_parameter(&parameter).await? else { return Ok(()) };
    let known = keeper.ledger.placement().await.map_err(|error| not_recorded(&error))?;
    if !is_news(&present, known.control) {
        return Ok(());
    }
    let Some(last) = last_written(keeper, &parameter).await? else { return Ok(()) };
    let answer = match Answer::parse(&last.text) {
        Ok(answer) => answer,
        Err(why) => {
            refused(&parameter, &why);
            return Ok(());
        }
    };
    let by = writer(&last);
    let mut is_taken_over = false;
    let noted = keeper.ledger.change_placement(|record| {
        is_taken_over = record.take_over(answer, version_of(&last), revision, by);
    });
    noted.await.map_err(|error| not_recorded(&error))?;
    if is_taken_over {
        info!(by, "placement auto: {} ({by} wrote that into {parameter})", answer.text());
    }
    Ok(())
}

/// Whether a parameter may have been written after the version that was taken over. Where SSM gives no time, its history
/// says it.
fn is_news(present: &Parameter, known: Option<ControlVersion>) -> bool {
    present.at.is_none_or(|at| ControlVersion { version: present.version, at }.is_after(known))
}

/// The last version of a control, with who wrote it.
async fn last_written(keeper: &Keeper, parameter: &str) -> Result<Option<WrittenVersion>, Failure> {
    let history = keeper.cloud.parameter_history(parameter).await?;
    Ok(history.into_iter().max_by_key(|written| (written.at, written.version)))
}

fn version_of(written: &WrittenVersion) -> ControlVersion {
    ControlVersion { version: written.version, at: written.at }
}

fn writer(written: &WrittenVersion) -> &str {
    written.by.as_deref().unwrap_or("somebody that SSM does not name")
}

fn refused(parameter: &str, why: &str) {
    error!(error.kind = "ControlRefused", "{parameter} changes nothing, because {why}");
}

fn not_recorded(error: &LedgerError) -> Failure {
    Failure::transient("ReadLedger", format!("the ledger could not be used: {error}"))
}
