//! Both wings at once, over any part of the organization, for a terminal without a deployed keeper. Reads only:
//! nothing in this file can write.

use super::accounts::asked_about;
use super::baselines::allowance;
use super::by_record::{RecordAge, only_the_keeper_sees, view_by_record};
use super::destinations::destinations;
use super::guardrails::CatalogScope;
use super::owner::{decided_grants, withdraw};
use super::remembered::{Remembered, remembered};
use super::revision::look_for_names;
use super::swept::left_out;
use super::unusable::foresee_unusable;
use super::view::{ReadDepth, View, plan_of, planned, proven, restricted, view, with_clean_ups};
use super::{Keeper, Progress, Step, Stopped};
use crate::baseline::Baseline;
use crate::ids::AccountId;
use crate::limits::{Approval, RevisionApproval};
use crate::organization::Organization;
use crate::plan::{Plan, SafePlan, Sighting};
use crate::record::{Arrival, Grants};
use crate::report::Report;
use crate::resolved::{differing, resolve};
use crate::trigger::{Accounts, Regions, Scope};

/// What was read, and the plan.
#[derive(Clone, Debug)]
#[must_use = "a survey that isn't printed or applied did nothing"]
pub struct Survey {
    /// The plan.
    pub plan: SurveyPlan,
    /// What was read.
    pub view: View,
    /// The age of the looks, if the plan follows from the record of the deployed keeper.
    pub by_record: Option<RecordAge>,
    /// Accounts of the scope that are not in the organization.
    pub strangers: Vec<AccountId>,
}

/// The plan of a survey.
#[derive(Clone, Debug)]
pub enum SurveyPlan {
    /// Every enforcement in it is proven.
    Proven(SafePlan),
    /// A plan from the record of the deployed keeper, which proves each enforcement before it writes it.
    Foreseen(Plan),
}

impl SurveyPlan {
    /// The plan, for reading.
    pub fn plan(&self) -> &Plan {
        match self {
            SurveyPlan::Proven(safe) => safe.plan(),
            SurveyPlan::Foreseen(plan) => plan,
        }
    }
}

/// How much of the plan may be applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Admission {
    /// What is approved, or within the limits.
    #[default]
    WithinLimits,
    /// Everything: the person approves the revision with the plan.
    Approved,
    /// This revision waits for approval, and accounts follow the one before it: only its grants are made.
    Waits(RevisionApproval),
    /// Another revision waits for approval. Enforcements of ours are put back, unguarded targets are guarded, and
    /// nothing else is done.
    PutBack(RevisionApproval),
}

impl Survey {
    /// Adds to the report of its jobs what only the survey knows: accounts that get no job, and its warnings.
    pub fn complete(&self, report: &mut Report) {
        let plan = self.plan.plan();
        report.skipped.extend(plan.skipped.clone());
        report.unplaced.extend(plan.unplaced.clone());
        report.strangers.extend(
            self.strangers.iter().filter(|it| !report.strangers.contains(it)).cloned().collect::<Vec<_>>(),
        );
        let news = self.view.known.warnings.iter().filter(|warning| !report.warnings.contains(warning));
        let news: Vec<String> = news.cloned().collect();
        report.warnings.splice(0..0, news);
    }

    /// Whether everything in the scope is known: the accounts, their states, and their records.
    pub fn is_known(&self) -> bool {
        self.strangers.is_empty()
            && self.plan.plan().unknown_states.is_empty()
            && self.plan.plan().unplaced.is_empty()
            && self.view.known.trouble.is_none()
    }
}

/// Reads everything in the scope and plans.
///
/// # Errors
/// When the organization can't be read, or the baseline is for another one.
pub async fn survey(
    keeper: &Keeper,
    baseline: &Baseline,
    scope: &Scope,
    progress: Progress<'_>,
) -> Result<Survey, Stopped> {
    survey_as(keeper, baseline, scope, &Admission::WithinLimits, progress).await
}

/// As [`survey`], with another admission.
///
/// # Errors
/// As [`survey`].
pub async fn survey_as(
    keeper: &Keeper,
    baseline: &Baseline,
    scope: &Scope,
    admission: &Admission,
    progress: Progress<'_>,
) -> Result<Survey, Stopped> {
    let (organization, strangers) = asked_about(keeper, baseline, &scope.accounts).await?;
    progress(Step::Looking { accounts: organization.accounts.len() });
    let told = scope.arrival(keeper.clock.now()).map(|at| Arrival::told(at, scope.regions.named()));
    let mut known = remembered(keeper, baseline, &organization, told.as_ref()).await;
    known.approval.approved |= *admission == Admission::Approved;
    let problems = look_for_names(keeper, baseline, &organization, &mut known.approval).await?;
    let whole = scope.accounts == Accounts::All && scope.regions == Regions::All;
    if only_the_keeper_sees(keeper, baseline, &organization).await {
        known.warnings.extend(problems);
        let regions = &scope.regions;
        let survey = survey_by_record(keeper, baseline, (organization, regions), admission, known).await;
        return Ok(Survey { strangers, ..survey });
    }
    // Only a look at everything shows that a grant isn't needed any more. Releases of this run take a while to have
    // effect; the next sweep takes the grant back.
    let ours = if whole { known.grants.clone() } else { Grants::new() };
    let also = ours.keys().map(|resource| resource.region().clone()).collect();
    let needs = if whole { CatalogScope::Whole } else { CatalogScope::Wanted };
    let reading = ReadDepth { regions: &scope.regions, also: &also, needs };
    let mut view = view(keeper, baseline, organization, known, reading, progress).await;
    view.known.warnings.extend(problems);
    if whole {
        let warnings = differing(baseline, &view.catalog).into_iter().map(|it| it.to_string()).collect();
        let settled = view.known.placing.settled(baseline);
        let elsewhere = destinations(keeper, &settled, &view.catalog).await;
        view.known.warnings.extend::<Vec<String>>(warnings);
        view.known.warnings.extend(elsewhere);
    }
    let plan = planned(keeper, baseline, &view).await;
    let mut plan = with_grants(keeper, baseline, &view, plan);
    let (observed, records) = (view.observed.clone(), view.known.records.clone());
    let everybody = Sighting { observed, records, incomplete: left_out(&view.organization) };
    withdraw(keeper, baseline, &mut plan, &ours, &view.catalog, &everybody).await;
    plan = with_clean_ups(keeper, baseline, plan, &view).await;
    let plan = restricted(baseline, plan, &view);
    let plan = admitted(keeper, baseline, admission, plan, &mut view).await;
    let plan = SurveyPlan::Proven(proven(keeper, baseline, plan, &mut view).await);
    Ok(Survey { plan, view, by_record: None, strangers })
}

/// The plan of the deployed keeper, from its record. Doesn't foresee clean-ups, nor grants that the end of a sweep takes
/// back.
async fn survey_by_record(
    keeper: &Keeper,
    baseline: &Baseline,
    (organization, regions): (Organization, &Regions),
    admission: &Admission,
    known: Remembered,
) -> Survey {
    let (mut view, age) = view_by_record(keeper, baseline, organization, known, regions).await;
    view.known.warnings.extend(differing(baseline, &view.catalog).iter().map(ToString::to_string));
    let resolved = resolve(view.desired.clone(), &view.catalog, &baseline.organization);
    let plan = plan_of(keeper, &view, &resolved);
    let plan = with_grants(keeper, baseline, &view, plan);
    let plan = restricted(baseline, plan, &view);
    let plan = admitted(keeper, baseline, admission, plan, &mut view).await;
    let plan = SurveyPlan::Foreseen(view.known.placing.hold(plan, keeper.clock.now()));
    Survey { plan, view, by_record: Some(age), strangers: Vec::new() }
}

/// The plan for the accounts and the grants, with the changes that these grants make possible.
fn with_grants(keeper: &Keeper, baseline: &Baseline, view: &View, mut plan: Plan) -> Plan {
    plan.skipped = view.organization.states(|state| !state.admits_work());
    plan.unplaced.clone_from(&view.organization.unplaced);
    plan.grants = decided_grants(baseline, &view.catalog);
    let granted = plan.granted();
    if granted.is_empty() {
        return plan;
    }
    let catalog = view.catalog.once_granted(granted);
    let then = resolve(view.desired.clone(), &catalog, &baseline.organization);
    plan.expect(&plan_of(keeper, view, &then))
}

/// Holds changes that are not approved, and those over the limits. Records nothing.
async fn admitted(
    keeper: &Keeper,
    baseline: &Baseline,
    admission: &Admission,
    plan: Plan,
    view: &mut View,
) -> Plan {
    let (approval, records) = (&view.known.approval, &view.known.records);
    match admission {
        Admission::PutBack(candidate) => {
            return plan.put_back(&baseline.revision, candidate, records, &view.known.offboarding);
        }
        Admission::Waits(candidate) => return plan.wait_for_approval(candidate, records),
        Admission::WithinLimits | Admission::Approved => {}
    }
    let is_given_with_the_plan = *admission == Admission::Approved;
    let approved = Approval { approval, is_given_with_the_plan, leaving: &view.known.offboarding };
    let plan = plan.hold_adopted(approved, records, |stood, target| view.has_moved(baseline, stood, target));
    if !view.known.approval_is_known {
        return plan.hold_uncountable(approval, records);
    }
    let plan = plan.limit(approval, approval.room(allowance(keeper, baseline)), records);
    if is_given_with_the_plan {
        return plan;
    }
    foresee_unusable(keeper, baseline, plan, &mut view.known.warnings).await
}
