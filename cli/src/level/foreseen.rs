//! What would be written on the organization's level, as far as this terminal can see.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{NOT_APPROVED, print_foreseen, print_look};
use crate::output::{self, HEADING, paint};
use guardrail_keeper::engine::{self, Keeper};
use keeper_core::baseline::{Baseline, Mode};
use keeper_core::organization_level::{OrganizationLevelReport, OrganizationLook, RecordedHold};
use keeper_core::trigger::{Accounts, Regions, Scope};

/// What would be written on the organization's level.
pub(crate) enum LevelPlan {
    /// The baseline has nothing to do with this level, or only some accounts or Regions are asked for.
    NotConcerned,
    /// The level was read from here.
    Foreseen {
        report: Box<OrganizationLevelReport>,
        /// Whether the mode of the baseline allows writes, and no approval is missing.
        writes: bool,
    },
    /// It can't be read from here: how the deployed keeper found it last, by the baseline that is shown.
    ByRecord {
        look: Option<Box<OrganizationLook>>,
        /// Whether the mode of the baseline allows writes, and no approval is missing.
        writes: bool,
    },
}

impl LevelPlan {
    /// Reads the level. Where that isn't possible from here, a warning says so, and the ledger's last look counts. `approves`
    /// is whether the revision gets its approval together with what is asked for.
    pub(crate) async fn read(
        keeper: &Keeper,
        baseline: &Baseline,
        scope: &Scope,
        approves: bool,
    ) -> LevelPlan {
        if scope.accounts != Accounts::All || scope.regions != Regions::All {
            return LevelPlan::NotConcerned;
        }
        let may_write = |holds: &[RecordedHold]| {
            baseline.mode != Mode::Audit && (approves || holds.iter().all(|hold| hold.code != NOT_APPROVED))
        };
        let why = match Box::pin(engine::foresee_organization_level(keeper, baseline)).await {
            Ok(None) => return LevelPlan::NotConcerned,
            Ok(Some(report)) => {
                let writes = may_write(&report.holds);
                return LevelPlan::Foreseen { report: Box::new(report), writes };
            }
            // Most often the ledger can't be read, which the plan of the accounts says.
            Err(_) if !baseline.has_organization_level() => return LevelPlan::NotConcerned,
            Err(why) => why,
        };
        output::warning(format_args!(
            "what would be written on the organization's level can't be read from here, so the last look of the deployed \
             keeper is shown: {why}"
        ));
        let look = keeper.ledger().organization_level().await.ok().and_then(|known| known.look);
        let look = look.filter(|look| look.revision == baseline.revision).map(Box::new);
        let writes = may_write(look.as_ref().map_or(&[], |look| look.holds.as_slice()));
        LevelPlan::ByRecord { look, writes }
    }

    /// How many steps would be written.
    pub(crate) fn steps(&self) -> usize {
        match self {
            LevelPlan::NotConcerned => 0,
            LevelPlan::Foreseen { report, .. } => report.left.len(),
            LevelPlan::ByRecord { look, .. } => look.as_ref().map_or(0, |look| look.left.len()),
        }
    }

    /// Whether nothing holds the level, as far as is known.
    pub(crate) fn is_free(&self) -> bool {
        match self {
            LevelPlan::NotConcerned => true,
            LevelPlan::Foreseen { report, .. } => report.holds.is_empty(),
            LevelPlan::ByRecord { look, .. } => look.as_ref().is_some_and(|look| look.holds.is_empty()),
        }
    }

    /// Whether there is nothing to write, and nothing holds it.
    pub(crate) fn is_done(&self) -> bool {
        self.is_free() && self.steps() == 0
    }

    /// Whether a look of the keeper may write something: what holds it now, such as an account that wasn't looked at yet, may
    /// be gone by then.
    pub(crate) fn may_be_written(&self) -> bool {
        match self {
            LevelPlan::NotConcerned => false,
            LevelPlan::Foreseen { report, writes } => *writes && report.is_looked && !self.is_done(),
            LevelPlan::ByRecord { writes, .. } => *writes && !self.is_done(),
        }
    }

    /// Prints it.
    pub(crate) fn print(&self) {
        match self {
            LevelPlan::NotConcerned => {}
            LevelPlan::Foreseen { report, .. } => print_foreseen(report),
            LevelPlan::ByRecord { look, .. } => {
                output::print(format_args!("\n{}", paint(HEADING, "Organization's level, by the record:")));
                match look {
                    Some(look) => print_look(look, Timestamp::now()),
                    None => output::print("not looked at yet by this baseline"),
                }
                if self.is_done() {
                    output::print("nothing to write");
                }
            }
        }
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            LevelPlan::NotConcerned => Value::Null,
            LevelPlan::Foreseen { report, .. } => report.to_json(),
            LevelPlan::ByRecord { look, .. } => {
                let look = look.as_ref();
                json!({ "by_record": look.map(|look| super::look_in_json(look)) })
            }
        }
    }

    /// What was shown, so that a later one can be compared with it.
    pub(crate) fn contents(&self) -> (Vec<String>, Vec<String>) {
        match self {
            LevelPlan::NotConcerned => (Vec::new(), Vec::new()),
            LevelPlan::Foreseen { report, .. } => {
                (report.left.clone(), report.holds.iter().map(|hold| hold.text.clone()).collect())
            }
            LevelPlan::ByRecord { look, .. } => {
                let Some(look) = look else { return (Vec::new(), Vec::new()) };
                (look.left.clone(), look.holds.iter().map(|hold| hold.text.clone()).collect())
            }
        }
    }
}
