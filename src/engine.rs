//! The only place that knows the order of things.
//!
//! ```text
//! baseline, organization, records ─► desired ─► observe, and look into the owner account
//!     ─► resolve ─► plan ─► restrict to the mode ─► hold to the limits ─► prove ─► apply ─► report
//! ```
//!
//! Everything up to the proofs only reads. Applying makes one attempt at each change and goes on
//! after a failure; the next run does the rest.

mod apply;
mod asked;
mod baselines;
mod copies;
mod destinations;
mod figures;
mod granting;
#[cfg(feature = "cli")]
mod inspected;
mod kept;
mod leftovers;
mod logged;
mod making;
mod manner;
mod members;
mod notes;
mod owed;
mod owner;
mod placing;
mod remembered;
mod revision;
mod rounds;
mod stopped;
mod survey;
mod swept;
mod trials;
mod unusable;
mod work;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::AtomicBool;

use jiff::Timestamp;
use tokio::sync::OnceCell;

use crate::baseline::{Baseline, Revision};
use crate::cloud::{Access, Bus, Cloud, Head, Identity, Patience, Queues};
use crate::failure::{Category, Failure};
use crate::ledger::Ledger;
use crate::limits::{RevisionApproval, UnusableVersions};
use crate::organization::Organization;
use crate::plan::{Change, CleanUp, GrantChange};
use crate::report::Report;
use crate::settings::{BaselineSource, Purpose, Settings};
use crate::trigger::{Accounts, Context, Known, Scope};

pub use crate::clock::Clock;
pub use asked::{Ask, Asked};
pub use baselines::PresentBaseline;
use figures::Figures;
#[cfg(feature = "cli")]
pub use inspected::{Applied, UnitNames};
use kept::Kept;
pub(crate) use logged::not_placed;
pub use manner::{Manner, Part};
pub use placing::Placing;
pub use rounds::Rounds;
pub use stopped::Stopped;
pub use survey::Survey;
pub use swept::Tally;
pub use work::{Departed, Gone, Worked, regions_for_the_owner};

/// How often one run looks at most: once, and once more after each thing that others were waiting for:
/// a grant, then a copy.
const MAX_ROUNDS: usize = 3;

/// How far a run has come, for whoever shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// So many accounts are going to be looked at.
    Looking {
        /// How many.
        accounts: usize,
    },
    /// One account was looked at.
    Looked,
    /// So many changes are going to be made.
    Writing {
        /// How many.
        changes: usize,
    },
    /// One write is about to be attempted.
    Begins(Write<'a>),
    /// There was nothing left to write.
    Needless(&'a Change),
    /// It came to this.
    Ended(Write<'a>, &'a Result<(), Failure>),
    /// One change was dealt with.
    Wrote,
}

/// One write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write<'a> {
    /// Of a target.
    Change(&'a Change),
    /// Of a resource policy.
    Grant(&'a GrantChange),
    /// Of what earlier copies left behind.
    CleanUp(&'a CleanUp),
}

impl fmt::Display for Write<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Write::Change(change) => change.fmt(f),
            Write::Grant(change) => change.fmt(f),
            Write::CleanUp(clean_up) => clean_up.fmt(f),
        }
    }
}

/// Told of every [`Step`].
pub type Progress<'a> = &'a (dyn Fn(Step<'_>) + Send + Sync);

/// Progress that nobody watches.
pub fn unwatched(_: Step<'_>) {}

/// Everything a run needs, made once.
#[derive(Debug)]
pub struct Keeper {
    cloud: Cloud,
    ledger: Ledger,
    settings: Settings,
    head: OnceCell<Head>,
    kept: Kept,
    figures: Figures,
    clock: Clock,
    stopping: AtomicBool,
}

impl Keeper {
    /// Connects to AWS as the settings say.
    ///
    /// # Errors
    /// When it can't be found out which account we are in.
    pub async fn connect(settings: Settings, access: Access, patience: Patience) -> Result<Keeper, Stopped> {
        let identity = Identity {
            member_role: settings.member_role.clone(),
            // A terminal may have the function's settings and somebody else's credentials: there, whose
            // they are is asked.
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
            kept: Kept::default(),
            figures: Figures::default(),
            clock: Clock::default(),
            stopping: AtomicBool::new(false),
        })
    }

    /// With another clock than the machine's.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Keeper {
        Keeper { cloud: self.cloud.with_clock(clock.clone()), clock, ..self }
    }

    /// What time it is.
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

    /// The event bus.
    pub fn bus(&self) -> Bus {
        self.cloud.bus()
    }

    /// What was recorded.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Reads the baseline.
    ///
    /// # Errors
    /// When it can't be read, or has problems.
    pub async fn baseline(&self) -> Result<Baseline, Stopped> {
        parse(&self.settings.baseline, &self.baseline_text().await?)
    }

    /// Reads a baseline from a file, for which no connection is needed.
    ///
    /// # Errors
    /// When it is none, can't be read, or has problems.
    pub async fn baseline_file(origin: &BaselineSource) -> Result<Baseline, Stopped> {
        match origin {
            BaselineSource::File(path) => parse(origin, &text_of(origin, path).await?),
            BaselineSource::Parameter(_) => Err(unreadable(origin, &"it is not a file", Category::Rejected)),
        }
    }

    /// The whole organization, to hold a baseline against.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn whole_organization(&self) -> Result<Organization, Stopped> {
        let head = self.head().await?;
        self.cloud.organizations().everything(head).await.map_err(Stopped::OrganizationUnreadable)
    }

    /// The organization's id and management account, which don't change while we live.
    async fn head(&self) -> Result<Head, Stopped> {
        let ask = || async { self.cloud.organizations().head().await };
        let head = self.head.get_or_try_init(ask).await.map_err(Stopped::OrganizationUnreadable)?;
        Ok(head.clone())
    }

    /// Lets a revision replace and release as much as it wants, and lets go what is known by now to be
    /// unusable.
    ///
    /// # Errors
    /// When the ledger can't be used.
    pub async fn approve(&self, revision: &Revision) -> Result<(), Stopped> {
        let approve = |known: &mut Option<RevisionApproval>| {
            let approval = known.take().filter(|approval| approval.revision == *revision);
            *known = Some(approval.unwrap_or_else(|| RevisionApproval::new(revision.clone())).approve());
        };
        self.ledger.change_revision_approval(approve).await?;
        Ok(self.ledger.change_unusable(UnusableVersions::approve).await?)
    }

    /// What events are judged against. A baseline that can't be read narrows nothing.
    pub fn context(&self, baseline: Option<&Baseline>, now: Timestamp) -> Context {
        let Settings { baseline: origin, own_roles, max_event_age_hours, .. } = &self.settings;
        Context {
            own_roles: own_roles.clone(),
            baseline_parameter: match origin {
                BaselineSource::Parameter(name) => Some(name.clone()),
                BaselineSource::File(_) => None,
            },
            hub: Some(self.cloud.own_account().clone()),
            baseline: baseline.map(Known::of),
            now: Some(now.as_second()),
            max_age_seconds: max_event_age_hours.map(|hours| hours * 3600),
        }
    }

    /// Looks, decides, writes and records: one whole run over a part of the organization.
    ///
    /// # Errors
    /// When the run stopped before anything was written.
    pub async fn reconcile(
        &self,
        baseline: &Baseline,
        scope: &Scope,
        progress: Progress<'_>,
    ) -> Result<Report, Stopped> {
        self.reconcile_as(baseline, scope, &Manner::default(), progress).await
    }

    /// As [`Keeper::reconcile`], in a special manner.
    ///
    /// # Errors
    /// When the run stopped before anything was written.
    pub async fn reconcile_as(
        &self,
        baseline: &Baseline,
        scope: &Scope,
        manner: &Manner,
        progress: Progress<'_>,
    ) -> Result<Report, Stopped> {
        let mut rounds = Rounds::default();
        let mut warning = None;
        loop {
            let manner = Manner { again: rounds.again() || manner.again, ..manner.clone() };
            match self.survey_as(baseline, scope, &manner, progress).await {
                Ok(survey) => {
                    if !rounds.add(self.apply(baseline, survey, progress).await) || self.is_stopping() {
                        break;
                    }
                }
                // What was written stays reported; what waited for it is left to the next run.
                Err(stopped) if rounds.again() => {
                    let text = format!("the look after what was put in place stopped: {stopped}");
                    tracing::warn!("{text}");
                    warning = Some(text);
                    break;
                }
                Err(stopped) => return Err(stopped),
            }
        }
        let mut report = rounds.report().expect("there was at least one round");
        report.warnings.extend(warning);
        Ok(report)
    }
}

fn parse(origin: &BaselineSource, text: &str) -> Result<Baseline, Stopped> {
    Baseline::parse(text).map_err(|invalid| Stopped::BaselineInvalid(invalid.named(origin.to_string())))
}

/// The text of a file.
async fn text_of(origin: &BaselineSource, path: &std::path::Path) -> Result<String, Stopped> {
    let bytes =
        tokio::fs::read(path).await.map_err(|error| unreadable(origin, &error, Category::Rejected))?;
    Baseline::text_of(bytes).map_err(|invalid| Stopped::BaselineInvalid(invalid.named(origin.to_string())))
}

fn unreadable(origin: &BaselineSource, reason: &dyn std::fmt::Display, category: Category) -> Stopped {
    Stopped::BaselineUnreadable {
        origin: origin.clone(),
        reason: reason.to_string(),
        category,
        failure: None,
    }
}

fn unread(origin: &BaselineSource, failure: Failure) -> Stopped {
    Stopped::BaselineUnreadable {
        origin: origin.clone(),
        reason: failure.to_string(),
        category: failure.category,
        failure: Some(Box::new(failure)),
    }
}

/// A scope that a person asked for at a terminal.
pub fn everything() -> Scope {
    Scope {
        accounts: Accounts::All,
        regions: crate::trigger::Regions::All,
        guardrail: None,
        request: None,
        reasons: BTreeSet::new(),
        events: BTreeSet::new(),
        since: None,
    }
}
