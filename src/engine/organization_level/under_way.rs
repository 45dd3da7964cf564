//! A look that takes several invocations: who comes meanwhile leaves a note in it, and another look follows.

use tracing::{info, warn};

use crate::engine::Keeper;
use crate::organization_level::{BegunLook, OrganizationLevelRecord};
use crate::task::{Cause, OrganizationTask};

/// Whether a task continues this look.
pub(super) fn is_continued_by(begun: &BegunLook, task: &OrganizationTask) -> bool {
    task.continues.is_some_and(|look| look.number == begun.number)
}

/// Where another task's look is under way, leaves a note that asks for one more after it. Says whether the task ends here:
/// two looks at a time would take twice as long. A look that has ended meanwhile is not continued either.
pub(super) async fn leave_a_note(
    keeper: &Keeper,
    task: &OrganizationTask,
    known: &OrganizationLevelRecord,
) -> Result<bool, String> {
    let now = keeper.clock.now();
    let Some(begun) = known.begun.as_ref().filter(|begun| begun.is_under_way(now)) else {
        // The one that it continues was given up, or has ended.
        return Ok(false);
    };
    if is_continued_by(begun, task) {
        return Ok(false);
    }
    info!(
        "a look at the organization's level is under way, and another one follows it: {}",
        task.cause.reason
    );
    let number = begun.number;
    let change = |known: &mut OrganizationLevelRecord| {
        if let Some(begun) = known.begun.as_mut().filter(|begun| begun.number == number) {
            begun.asked.get_or_insert_with(|| task.cause.clone());
        }
    };
    let noted = keeper.ledger.change_organization_level(change).await;
    noted.map_err(|error| format!("failed to note that another look is needed: {error}"))?;
    Ok(true)
}

/// Takes note that a look that took several invocations has ended. Returns what asked for another one meanwhile.
pub(super) async fn end_of_look(keeper: &Keeper) -> Option<Cause> {
    let mut asked = None;
    let change = |known: &mut OrganizationLevelRecord| {
        asked = known.begun.take().and_then(|begun| begun.asked);
    };
    if let Err(error) = keeper.ledger.change_organization_level(change).await {
        warn!(
            "failed to record that the look at the organization's level has ended, so tasks wait for it: {error}"
        );
    }
    asked
}
