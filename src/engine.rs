//! The engine: the only place that knows the order of things.
//!
//! ```text
//! arriving   events and errands ─► jobs
//! job        a task or an errand ─► effects: what is queued and told next
//!   tasks      one account (account), one Region of the owner's (owner), or the organization's Bedrock policies
//!              (organization_level); and what follows
//!   counting   what a revision would change        sweeping   everybody, and a sweep's end
//! account    what the ledger knows ─► view: desired, observed, guardrails ─► plan ─► restrict to the mode
//!            ─► limits ─► prove ─► apply ─► record
//! survey     both wings at once, for a terminal     local   the jobs of a terminal without a deployed keeper
//! ```
//!
//! A write in AWS comes after its proof. Each change is attempted once; a failure doesn't stop the others, and the
//! next run tries again. Every function takes the plain [`Keeper`] first.

mod account;
mod accounts;
mod apply;
mod approving;
mod arriving;
mod asked;
mod baselines;
mod by_record;
mod controls;
mod copies;
mod counting;
mod deadline;
mod departed;
mod destinations;
mod effect;
mod figures;
mod flooding;
mod granting;
mod guardrails;
mod inherited;
mod inspected;
mod job;
mod kept;
mod leftovers;
mod listing;
mod local;
mod logged;
mod making;
mod members;
mod narrowing;
mod news;
mod notes;
mod organization_level;
mod owed;
mod owner;
mod placing;
mod progress;
mod remembered;
mod revision;
mod run;
mod stopped;
mod survey;
mod sweeping;
mod swept;
mod tasks;
mod trials;
mod trust;
mod unusable;
mod users;
mod view;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use tokio::sync::OnceCell;

use crate::baseline::Baseline;
use crate::cloud::{Access, Bus, Cloud, Head, Identity, Patience, Queues};
use crate::ledger::Ledger;
use crate::metrics::Calls;
use crate::report::Report;
use crate::settings::{Purpose, Settings};
use crate::trigger::{Accounts, Context, Known, Scope};

pub use crate::clock::Clock;
pub use account::{Worked, work_on_account};
pub use accounts::management;
pub use accounts::{page_of_accounts, place, whole_organization};
pub use approving::{Approving, approve, take_over_approval};
pub use arriving::{Arrived, Unplanned, arrive};
pub use asked::{Ask, Asked, ask, is_deployed, parameter, parameter_writer};
pub use baselines::{PresentBaseline, allowance, baseline, baseline_file, effective, present};
pub use by_record::RecordAge;
pub use controls::{Controlled, is_said_to_leave, offboard, set_placement};
pub use deadline::Deadline;
pub use departed::{Departed, Gone, close};
pub use effect::{ChangedBaseline, Effect, Notice, OrganizationNotice, SweepEnd, TaskReport, Undecided};
use figures::Figures;
pub use figures::{measure, metrics};
use flooding::KnownFloods;
pub use flooding::{note_flood, note_flood_told};
pub use inspected::{Applied, UnitNames, applied_in, guardrails, unit_names};
pub use job::{run_errand, run_task};
use kept::Cache;
pub use kept::placement_record;
pub use listing::PAGE_SECONDS;
pub use local::{local_jobs, record_looks};
pub use narrowing::Incoming;
pub(crate) use narrowing::NAMELESS;
pub use news::{is_report_due, news_of_task, note_news_published, note_reported};
pub use organization_level::{
    NotFound, PolicyAdopter, Unadopted, foresee_adopted, foresee_organization_level,
    note_organization_level_told, organization_session,
};
pub use owed::{note_departure_told, note_told};
pub use owner::{OwnerWork, work_for_owner};
pub use placing::Placing;
pub use progress::{Progress, Reviewer, Step, Write, unwatched};
pub use remembered::Remembered;
pub use revision::note_baseline_told;
pub use stopped::Stopped;
pub use survey::{Admission, Survey, SurveyPlan, survey, survey_as};
pub use sweeping::guardrail_warnings;
pub use swept::{Tally, catalog_for_counting, count, tally};
pub use tasks::decide;
pub use view::View;

/// How many rounds a run makes at most: one, and one more after each thing that others wait for (a grant, then a
/// copy).
pub const MAX_ROUNDS: usize = 3;

/// Everything a run needs, made once for the process.
#[derive(Debug)]
pub struct Keeper {
    cloud: Cloud,
    ledger: Ledger,
    settings: Settings,
    head: OnceCell<Head>,
    kept: Cache,
    figures: Figures,
    floods: KnownFloods,
    clock: Clock,
    stopping: AtomicBool,
}

impl Keeper {
    /// Connects to AWS as the settings say.
    ///
    /// # Errors
    /// When AWS doesn't say which account the credentials belong to.
    pub async fn connect(settings: Settings, access: Access, patience: Patience) -> Result<Keeper, Stopped> {
        let identity = Identity {
            member_role: settings.member_role.clone(),
            // A terminal may run with the function's settings and another principal's credentials: there, AWS is asked
            // whose they are.
            function_role: match settings.purpose {
                Purpose::Function => settings.own_roles.function.clone(),
                Purpose::Terminal => None,
            },
            external_id: settings.external_id.clone(),
        };
        let cloud = Cloud::connect(access, identity, patience).await.map_err(Stopped::NoIdentity)?;
        let ledger = Ledger::open(&settings.ledger, &cloud);
        Ok(Keeper {
            cloud,
            ledger,
            settings,
            head: OnceCell::new(),
            kept: Cache::default(),
            figures: Figures::default(),
            floods: KnownFloods::default(),
            clock: Clock::default(),
            stopping: AtomicBool::new(false),
        })
    }

    /// The same keeper with another clock than the machine's.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Keeper {
        Keeper { cloud: self.cloud.with_clock(clock.clone()), clock, ..self }
    }

    /// The clock of this keeper.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The settings it runs with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The queues.
    pub fn queues(&self) -> Queues {
        self.cloud.queues()
    }

    /// The event bus for outcome events.
    pub fn bus(&self) -> Bus {
        self.cloud.bus()
    }

    /// The ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The access to AWS.
    pub fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    /// The requests to AWS that this process has sent so far.
    pub fn calls(&self) -> Calls {
        self.cloud.calls()
    }

    /// Begins no further write. Writes under way are finished; changes that were not begun are held.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// What events are judged against. Without a baseline nothing is narrowed.
pub fn context(keeper: &Keeper, baseline: Option<&Baseline>, now: Timestamp) -> Context {
    let Settings { baseline: origin, approval, controls, own_roles, max_event_age_hours, .. } =
        &keeper.settings;
    Context {
        own_roles: own_roles.clone(),
        baseline_parameter: origin.parameter().cloned(),
        approval_parameter: approval.clone(),
        controls_path: controls.clone(),
        hub: Some(keeper.cloud.own_account().clone()),
        baseline: baseline.map(Known::of),
        now: Some(now.as_second()),
        max_age_seconds: max_event_age_hours.map(|hours| hours * 3600),
    }
}

/// Looks and writes in rounds, until a round puts nothing in place that other targets wait for (a grant, a copy).
async fn in_rounds(
    keeper: &Keeper,
    mut round: impl AsyncFnMut(bool) -> Result<Report, Stopped>,
) -> Result<Report, Stopped> {
    let mut report = round(false).await?;
    for _ in 1..MAX_ROUNDS {
        if !report.is_due_another_look() || keeper.is_stopping() {
            break;
        }
        match round(true).await {
            Ok(next) => report.absorb(next),
            // What was written stays in the report; the next run does what waited for it.
            Err(stopped) => {
                let text =
                    format!("the second look, after grants and copies were written, stopped: {stopped}");
                tracing::warn!("{text}");
                report.warnings.push(text);
                break;
            }
        }
    }
    Ok(report)
}

/// The scope of a person at a terminal: every account and Region.
pub fn everything() -> Scope {
    Scope {
        accounts: Accounts::All,
        regions: crate::trigger::Regions::All,
        guardrail: None,
        changed_in: None,
        request: None,
        reasons: BTreeSet::new(),
        events: BTreeSet::new(),
        since: None,
    }
}
