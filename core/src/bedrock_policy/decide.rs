//! Decides what to do on the organization level: nothing, these steps, or why not. Pure.
//!
//! | what is known | decision |
//! | --- | --- |
//! | every point has what it is to have | in sync |
//! | the type isn't enabled, and something is to be written | held: `type_disabled` |
//! | a guardrail version that is to be written can't be used | held: `unusable` |
//! | no order of writes is without a gap, or one freezes an account | held: `no_safe_order` |
//! | an account that changes would get something else than what is wanted, from policies of others | held: `overridden` |
//! | what an account that changes would get depends on an order that AWS doesn't show | held: `depends_on_order` |
//! | an account that is given something can't be shown to be able to apply it | held: `not_proven` |
//! | something would be taken away under `enforce-only`, or while a revision waits | held: `takes_away` |
//! | more than one account changes, or more than the limits allow, and nobody approved it | held: `not_approved` |
//! | mode `audit` | the steps, which nobody takes |
//! | otherwise | the steps |
//!
//! All reasons are named at once. Under `enforce-only`, and while the baseline that is followed stands in for another one,
//! nothing is detached and no Region dropped: what the keeper's policies have stays wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::build::OwnDocument;
use super::change_extent::ChangeExtent;
use super::compare::{RegionComparison, compare};
use super::effective::{EffectivePolicy, Meaning};
use super::hold::OrganizationHold;
use super::ids::{AttachPoint, PolicyAt, PolicyKey};
use super::order::{OwnPolicies, WantedPolicies, ordered_steps, steps_that_take_nothing_back};
use super::predict::{AccountPaths, AttachedPolicies, Forecast, Prediction, forecast};
use super::step::PolicyStep;
use crate::baseline::{Limits, Mode};
use crate::enforcement::Enforcement;
use crate::ids::{AccountId, Region, Target};
use crate::organization::OrgPath;

/// What is known of the organization level.
#[derive(Clone, Copy, Debug)]
pub struct OrganizationLevel<'a> {
    /// Whether the type BEDROCK_POLICY is enabled on the root.
    pub is_enabled: bool,
    /// Every Bedrock policy, foreign ones too, and where it is attached.
    pub present: &'a AttachedPolicies,
    /// Which of them are the keeper's.
    pub own: &'a OwnPolicies,
    /// Every account, with its place.
    pub accounts: &'a AccountPaths,
    /// Accounts whose merge is invalid: what they have isn't what is attached.
    pub frozen: &'a BTreeSet<AccountId>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct OrganizationWants<'a> {
    /// What each point is to enforce.
    pub policies: &'a WantedPolicies,
    /// The baseline's mode.
    pub mode: Mode,
    /// Whether what exists is to stay, because the followed baseline stands in for another one.
    pub puts_back: bool,
    /// What may be changed without an approval.
    pub limits: Limits,
    /// Whether a person approved it.
    pub is_approved: bool,
}

/// What is known of the guardrails, and of who can apply them.
pub trait Proofs {
    /// Why a guardrail version can't be used in this Region by anybody.
    ///
    /// # Errors
    /// The reason, in words.
    fn guardrail(&self, region: &Region, enforcement: &Enforcement) -> Result<(), String>;

    /// Whether an account can apply it, or need not.
    fn account(&self, target: &Target, enforcement: &Enforcement) -> AccountProof;
}

/// Whether one account can apply what it would be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountProof {
    /// It did so lately.
    Proven,
    /// Nobody can use Bedrock there: the Region is not enabled, or the account not active.
    NotNeeded,
    /// It is not known, or it can't. The reason, in words.
    Missing(String),
}

impl AccountProof {
    fn missing(self) -> Option<String> {
        match self {
            AccountProof::Proven | AccountProof::NotNeeded => None,
            AccountProof::Missing(why) => Some(why),
        }
    }
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrganizationDecision {
    /// Nothing.
    InSync,
    /// To take these steps.
    Write(SafeSteps),
    /// Nothing, because the mode is `audit`; otherwise these steps.
    WouldWrite(SafeSteps),
    /// Nothing, for every one of these reasons.
    Held(Vec<OrganizationHold>),
}

/// Steps that passed every check. Only [`decide`] makes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafeSteps {
    steps: Vec<PolicyStep>,
    extent: ChangeExtent,
    unreached: BTreeSet<AccountId>,
}

impl SafeSteps {
    /// The steps, in their order.
    pub fn steps(&self) -> &[PolicyStep] {
        &self.steps
    }

    /// What they change.
    pub fn extent(&self) -> ChangeExtent {
        self.extent
    }

    /// Accounts that are frozen and stay as they are, whatever is written.
    pub fn unreached(&self) -> &BTreeSet<AccountId> {
        &self.unreached
    }
}

/// Decides.
pub fn decide(
    level: OrganizationLevel<'_>,
    wants: OrganizationWants<'_>,
    proofs: &dyn Proofs,
) -> OrganizationDecision {
    let takes_nothing = wants.mode == Mode::EnforceOnly || wants.puts_back;
    let (policies, ordered) = match takes_nothing {
        true => {
            let kept = keeping(level, wants.policies);
            let steps = steps_that_take_nothing_back(level.present, level.own, &kept, level.accounts);
            (kept, steps)
        }
        false => {
            let steps = ordered_steps(level.present, level.own, wants.policies, level.accounts);
            (wants.policies.clone(), steps)
        }
    };
    let steps = match ordered {
        Ok(steps) if steps.is_empty() => return OrganizationDecision::InSync,
        Ok(steps) => steps,
        Err(why) => return OrganizationDecision::Held(vec![OrganizationHold::NoSafeOrder(Box::new(why))]),
    };
    let outcome = StepOutcome::of(level, &policies, &steps);
    let mut holds = Vec::new();
    if !level.is_enabled {
        holds.push(OrganizationHold::TypeDisabled);
    }
    holds.extend(unusable(&steps, proofs));
    holds.extend(outcome.overridden());
    holds.extend(outcome.depends_on_order());
    holds.extend(outcome.not_proven(proofs));
    let extent = outcome.extent();
    if takes_nothing && extent.released > 0 {
        holds.push(OrganizationHold::TakesAway(extent));
    }
    if !wants.is_approved && !extent.is_within(wants.limits) {
        holds.push(OrganizationHold::NotApproved(extent));
    }
    if !holds.is_empty() {
        return OrganizationDecision::Held(holds);
    }
    let safe = SafeSteps { steps, extent, unreached: outcome.unreached };
    match wants.mode {
        Mode::Audit => OrganizationDecision::WouldWrite(safe),
        Mode::Sync | Mode::EnforceOnly => OrganizationDecision::Write(safe),
    }
}

/// What is wanted, and besides what the keeper's policies have where they are attached: so nothing is taken away.
fn keeping(level: OrganizationLevel<'_>, wanted: &WantedPolicies) -> WantedPolicies {
    let mut kept = wanted.clone();
    for (id, part) in level.own {
        let key = PolicyKey::Id(id.clone());
        let is_attached = level.present.attached.get(&part.point).is_some_and(|them| them.contains(&key));
        let Some(Ok(content)) = level.present.contents.get(&key).filter(|_| is_attached) else { continue };
        let regions = kept.entry(part.point.clone()).or_default();
        for (region, enforcement) in OwnDocument::of(content).regions {
            regions.entry(region).or_insert(enforcement);
        }
    }
    kept
}

/// Every guardrail version that a step writes and that can't be used.
fn unusable(steps: &[PolicyStep], proofs: &dyn Proofs) -> Vec<OrganizationHold> {
    let mut judged: BTreeSet<(Region, String)> = BTreeSet::new();
    let mut holds = Vec::new();
    let contents = steps.iter().filter_map(|step| match step {
        PolicyStep::Create { content, .. } | PolicyStep::Update { content, .. } => Some(content),
        PolicyStep::Attach { .. }
        | PolicyStep::Check { .. }
        | PolicyStep::Detach { .. }
        | PolicyStep::Delete { .. } => None,
    });
    for (region, enforcement) in contents.flat_map(|content| &content.regions) {
        let version = format!("{}:{}", enforcement.guardrail, enforcement.version);
        if judged.insert((region.clone(), version))
            && let Err(why) = proofs.guardrail(region, enforcement)
        {
            let enforcement = Box::new(enforcement.clone());
            holds.push(OrganizationHold::Unusable { region: region.clone(), enforcement, why });
        }
    }
    holds
}

/// What the steps come to in each account.
struct StepOutcome<'a> {
    accounts: Vec<AccountOutcome<'a>>,
    unreached: BTreeSet<AccountId>,
}

/// What one account has before and after. Accounts with the same policies share both forecasts.
struct AccountOutcome<'a> {
    account: &'a AccountId,
    wanted: BTreeMap<Region, Enforcement>,
    /// Nothing, where it is frozen: what it has isn't known.
    before: Option<Arc<Forecast>>,
    after: Arc<Forecast>,
    /// The Regions that change under any answer to what isn't known.
    changed: BTreeSet<Region>,
}

impl<'a> StepOutcome<'a> {
    fn of(level: OrganizationLevel<'a>, policies: &WantedPolicies, steps: &[PolicyStep]) -> StepOutcome<'a> {
        let mut end = level.present.clone();
        steps.iter().for_each(|step| step.apply(&mut end));
        let (before, after) = (forecast(level.present, level.accounts), forecast(&end, level.accounts));
        let (mut accounts, mut unreached) = (Vec::new(), BTreeSet::new());
        for (account, path) in level.accounts {
            let (before, after) = (&before[account], &after[account]);
            let is_frozen = level.frozen.contains(account) || is_ever_frozen(before);
            let before = (!is_frozen).then(|| Arc::clone(before));
            let changed = changed_regions(before.as_deref(), after);
            if changed.is_empty() {
                continue;
            }
            if is_frozen {
                unreached.insert(account.clone());
            }
            let wanted = wanted_of(account, path, policies);
            accounts.push(AccountOutcome { account, wanted, before, after: Arc::clone(after), changed });
        }
        StepOutcome { accounts, unreached }
    }

    fn overridden(&self) -> Option<OrganizationHold> {
        let mut places = BTreeMap::new();
        for account in &self.accounts {
            for (_, prediction) in &account.after.predictions {
                let Prediction::Effective(merged) = prediction else { continue };
                let seen = compare(&account.wanted, &merged.effective, &merged.origins);
                for (region, comparison) in seen {
                    // What the keeper doesn't name in a Region of a foreign policy isn't its business.
                    let is_foreign = matches!(comparison, RegionComparison::NotWanted(_));
                    if account.changed.contains(&region)
                        && comparison != RegionComparison::Equal
                        && !is_foreign
                    {
                        places.entry(account.target(region)).or_insert(comparison);
                    }
                }
            }
        }
        (!places.is_empty()).then_some(OrganizationHold::Overridden(places))
    }

    fn depends_on_order(&self) -> Option<OrganizationHold> {
        let (mut targets, mut policies) = (BTreeSet::new(), BTreeSet::<PolicyAt>::new());
        for account in &self.accounts {
            for (_, prediction) in &account.after.predictions {
                let Prediction::Effective(merged) = prediction else { continue };
                for region in account.changed.iter().filter(|region| merged.depends_on_order(region)) {
                    targets.insert(account.target(region.clone()));
                    let contested = merged
                        .contested
                        .iter()
                        .filter(|path| path.configuration().is_some_and(|(key, _)| key == region.as_str()));
                    let origins = contested.filter_map(|path| merged.origins.get(path));
                    policies.extend(origins.flat_map(|origin| origin.policies().cloned()));
                }
            }
        }
        (!targets.is_empty()).then_some(OrganizationHold::DependsOnOrder { targets, policies })
    }

    /// Where something is given that was not there, by the keeper's policies or by others' behind them, and nothing shows
    /// that the account can apply it.
    fn not_proven(&self, proofs: &dyn Proofs) -> Option<OrganizationHold> {
        let mut places = BTreeMap::new();
        for account in &self.accounts {
            for effective in effectives(&account.after).flatten() {
                let named = effective.regions();
                for region in &account.changed {
                    let target = account.target(region.clone());
                    let why = named.get(region).into_iter().flat_map(BTreeMap::values).find_map(|meaning| {
                        match meaning {
                            Meaning::Enforcement(enforcement) => {
                                proofs.account(&target, enforcement).missing()
                            }
                            Meaning::Unclear(_) => {
                                Some("what it would be given can't be understood".to_owned())
                            }
                        }
                    });
                    if let Some(why) = why {
                        places.entry(target).or_insert(why);
                    }
                }
            }
        }
        (!places.is_empty()).then_some(OrganizationHold::NotProven(places))
    }

    fn extent(&self) -> ChangeExtent {
        let mut extent = ChangeExtent { accounts: self.accounts.len(), ..ChangeExtent::default() };
        for account in &self.accounts {
            for region in &account.changed {
                let before = account.before.as_deref().is_none_or(|it| has_any(it, region));
                match (before, has_any(&account.after, region)) {
                    (false, _) => extent.added += 1,
                    (true, true) => extent.replaced += 1,
                    (true, false) => extent.released += 1,
                }
            }
        }
        extent
    }
}

impl AccountOutcome<'_> {
    fn target(&self, region: Region) -> Target {
        Target { account: self.account.clone(), region }
    }
}

/// What the nearest point above an account wants in each Region.
fn wanted_of(
    account: &AccountId,
    path: &OrgPath,
    policies: &WantedPolicies,
) -> BTreeMap<Region, Enforcement> {
    let of_points = AttachPoint::chain(account, path).filter_map(|point| policies.get(&point));
    of_points.flatten().map(|(region, enforcement)| (region.clone(), enforcement.clone())).collect()
}

fn effectives(forecast: &Forecast) -> impl Iterator<Item = Option<&EffectivePolicy>> {
    forecast.predictions.iter().map(|(_, prediction)| match prediction {
        Prediction::Effective(merged) => Some(&merged.effective),
        Prediction::Frozen(_) | Prediction::Unreadable(_) => None,
    })
}

fn is_ever_frozen(forecast: &Forecast) -> bool {
    effectives(forecast).any(|effective| effective.is_none())
}

/// Whether something is enforced in a Region, under any answer.
fn has_any(forecast: &Forecast, region: &Region) -> bool {
    effectives(forecast).flatten().any(|effective| effective.regions().contains_key(region))
}

/// The Regions in which any effective policy of after differs from any of before. Before may not be known: then every
/// Region of after counts.
fn changed_regions(before: Option<&Forecast>, after: &Forecast) -> BTreeSet<Region> {
    let nothing = EffectivePolicy::default();
    let mut changed = BTreeSet::new();
    for after in effectives(after).flatten() {
        match before {
            None => changed.extend(nothing.changed_regions(after)),
            Some(before) => {
                let before: Vec<_> = effectives(before).flatten().collect();
                // Where answers differ before already, what doesn't change under any of them is no change of ours.
                let same = before.iter().any(|before| before.changed_regions(after).is_empty());
                if !same {
                    changed.extend(before.iter().flat_map(|before| before.changed_regions(after)));
                }
            }
        }
    }
    changed
}
