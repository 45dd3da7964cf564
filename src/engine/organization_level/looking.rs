//! Reads everything that a decision on the organization's level needs. Only reads.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tokio::time::sleep;

use super::NotLooked;
use super::reading::{DECIDING_SECONDS, Reading};
use super::writing::{LISTED_AFTER_LOOKS, LOOKED_AGAIN_AFTER};
use crate::baseline::{Baseline, OrganizationAssignment, Revision};
use crate::bedrock_policy::{
    AccountPaths, AttachedPolicies, OrganizationHold, OwnDocument, OwnPolicies, PolicyId, PolicyKey,
    PolicyPart,
};
use crate::cloud::{BedrockPolicyReader, Reader, Session, may_be_gone};
use crate::desired::Desired;
use crate::enforcement::Enforcement;
use crate::engine::Keeper;
use crate::engine::accounts::head_of;
use crate::engine::guardrails::{CatalogScope, read_catalog};
use crate::failure::{Code, Failure};
use crate::ids::{AccountId, GuardrailArn, Target};
use crate::organization::Account;
use crate::organization_level::{
    LookPart, OrganizationLevelRecord, OrganizationLook, RecordedHold, ResolvedLevel, VersionAt, inherited_of,
};
use crate::resolved::{Catalog, ResolvedTarget, resolve};
use crate::settings::OrganizationAccess;
use crate::trigger::Regions;

/// How many frozen accounts are asked for their reasons.
const REASONS: usize = 10;

/// Everything that a decision needs.
pub(super) struct LevelView {
    /// When the look began.
    pub(super) began: Timestamp,
    /// When SQS handed out the message of this look first, by its clock.
    pub(super) looked_ms: Option<u64>,
    /// Every account; none before [`LevelView::with_accounts`].
    pub(super) accounts: BTreeMap<AccountId, Account>,
    pub(super) paths: AccountPaths,
    /// What AWS showed of accounts that can't be placed.
    pub(super) unplaced: BTreeSet<String>,
    pub(super) is_enabled: bool,
    pub(super) present: AttachedPolicies,
    pub(super) own: OwnPolicies,
    pub(super) frozen: BTreeSet<AccountId>,
    /// Why, of each frozen account; empty where that was not asked.
    pub(super) reasons: BTreeMap<AccountId, String>,
    pub(super) level: ResolvedLevel,
    pub(super) versions: BTreeMap<VersionAt, Result<(), String>>,
    /// What is held beside whatever is decided.
    pub(super) holds: Vec<OrganizationHold>,
    pub(super) known: OrganizationLevelRecord,
    /// With whose credentials it was read.
    pub(super) session: Session,
}

/// What came of a look.
pub(super) enum LookOutcome {
    /// All that a decision needs was seen.
    Saw(Box<LevelView>),
    /// This stands in the way of any decision.
    Held(Box<OrganizationHold>),
    /// There was no time for everything.
    NotAll,
}

/// Looks.
pub(super) async fn look(
    keeper: &Keeper,
    baseline: &Baseline,
    keeps: Keeps,
    reading: &mut Reading<'_>,
) -> Result<LookOutcome, NotLooked> {
    let head = head_of(keeper, baseline).await?;
    let Some(session) = organization_session(keeper, &head.management).await? else {
        return Ok(LookOutcome::Held(Box::new(OrganizationHold::NotDeployed)));
    };
    let mut owners = baseline.organization_assignments.iter().map(|one| baseline.owner_of(&one.guardrail));
    if let Some(owner) = owners.find(|owner| **owner != head.management) {
        let (owner, management) = (owner.clone(), head.management.clone());
        return Ok(LookOutcome::Held(Box::new(OrganizationHold::WrongOwner { owner, management })));
    }
    let reader = keeper.cloud.bedrock_policies(&session);
    // Before the list, which takes its time: what is created meanwhile isn't missing.
    let known = keeper.ledger.organization_level().await?;
    let Some(mut seen) = reading.policies(&reader).await? else { return Ok(LookOutcome::NotAll) };
    if !reading.has_time(DECIDING_SECONDS) {
        return Ok(LookOutcome::NotAll);
    }
    let catalog = read_catalog(keeper, baseline, &Desired::new(), CatalogScope::AllOf(&Regions::All)).await;
    let frozen = reader.frozen().await?;
    let is_enabled = frozen.is_some();
    let known = match keeps {
        // Where the type is off, AWS lists no policy.
        Keeps::WhatIsOurs if is_enabled => own_by_now(keeper, &session, known, &seen.names).await?,
        Keeps::WhatIsOurs | Keeps::Nothing => known,
        Keeps::AsIfAdopted(id, part) => {
            seen.names.insert(id.clone(), part.to_string());
            let own = known.own.into_iter().chain([(id, part)]).collect();
            OrganizationLevelRecord { own, confirmed: None, ..known }
        }
    };
    let own = known.own_among(&seen.names);
    let frozen = frozen.unwrap_or_default();
    let reasons = reasons(&reader, &frozen).await;
    let level = ResolvedLevel::of(baseline, &catalog).keeping(&seen.policies, &own);
    let holds: Vec<OrganizationHold> = level.not_found.iter().map(not_found).collect();
    let versions = versions(keeper, baseline, &catalog, &seen.policies, &own).await;
    let present = seen.policies;
    Ok(LookOutcome::Saw(Box::new(LevelView {
        began: reading.began(),
        looked_ms: reading.looked_ms(),
        accounts: BTreeMap::new(),
        paths: AccountPaths::new(),
        unplaced: BTreeSet::new(),
        is_enabled,
        present,
        own,
        frozen,
        reasons,
        level,
        versions,
        holds,
        known,
        session,
    })))
}

/// A session that reads and writes Bedrock policies, as the settings say; `None` where they say that nobody does.
///
/// # Errors
/// When the role can't be assumed.
pub async fn organization_session(
    keeper: &Keeper,
    management: &AccountId,
) -> Result<Option<Session>, Failure> {
    match &keeper.settings.organization_access {
        OrganizationAccess::None => Ok(None),
        OrganizationAccess::Own => keeper.cloud.session(keeper.cloud.own_account()).await.map(Some),
        OrganizationAccess::Role(role) => keeper.cloud.session_as(management, role).await.map(Some),
    }
}

fn not_found(it: &crate::organization_level::NotFoundGuardrail) -> OrganizationHold {
    OrganizationHold::NotFound {
        point: it.point.clone(),
        region: it.region.clone(),
        key: it.key.clone(),
        why: it.why.clone(),
    }
}

/// What a look records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Keeps {
    /// Which policies are the keeper's, where that has changed.
    WhatIsOurs,
    /// Nothing.
    Nothing,
    /// Nothing; a policy of somebody's is taken for the keeper's, as this part.
    AsIfAdopted(PolicyId, PolicyPart),
}

/// What the ledger knows of the keeper's policies, once it has forgotten those that are gone and claimed one whose id could
/// not be kept.
async fn own_by_now(
    keeper: &Keeper,
    session: &Session,
    mut known: OrganizationLevelRecord,
    names: &BTreeMap<PolicyId, String>,
) -> Result<OrganizationLevelRecord, NotLooked> {
    let claimed = match known.unclaimed(names) {
        // Its name is not enough: somebody else may have made one of that name meanwhile.
        Some((id, part)) if keeper.cloud.bedrock_policy_writer(session).is_tagged(&id).await? => {
            Some((id, part))
        }
        Some(_) | None => None,
    };
    // A list may be some seconds late: a policy is gone only if AWS says so of this one.
    let (mut gone, mut denied) = (BTreeSet::<PolicyId>::new(), BTreeSet::new());
    let reader = keeper.cloud.bedrock_policies(session);
    for id in known.own.keys().filter(|id| !names.contains_key(*id)) {
        match reader.content(id).await {
            Err(failure) if failure.code == Code::Missing => drop(gone.insert(id.clone())),
            Err(failure) if may_be_gone(&failure) => drop(denied.insert(id.clone())),
            Ok(_) => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    gone.extend(unlisted(&reader, denied).await?);
    let creating = known.creating.clone();
    let before = known.clone();
    let change = |known: &mut OrganizationLevelRecord| {
        known.own.retain(|id, _| !gone.contains(id));
        known.own.extend(claimed.clone());
        if known.creating == creating {
            known.creating = None;
        }
    };
    change(&mut known);
    if known != before {
        keeper.ledger.change_organization_level(change).await?;
    }
    Ok(known)
}

/// Those of these policies that AWS doesn't list for longer than its lists may be late.
async fn unlisted(
    reader: &BedrockPolicyReader,
    mut policies: BTreeSet<PolicyId>,
) -> Result<BTreeSet<PolicyId>, NotLooked> {
    for _ in 0..LISTED_AFTER_LOOKS {
        if policies.is_empty() {
            break;
        }
        sleep(LOOKED_AGAIN_AFTER).await;
        let listed = reader.all().await?;
        policies.retain(|id| !listed.iter().any(|one| one.id == *id));
    }
    Ok(policies)
}

/// AWS's reasons for the first frozen accounts.
async fn reasons(reader: &BedrockPolicyReader, frozen: &BTreeSet<AccountId>) -> BTreeMap<AccountId, String> {
    let mut reasons = BTreeMap::new();
    for (position, account) in frozen.iter().enumerate() {
        let mut text = String::new();
        if position < REASONS {
            text = match reader.errors(account).await {
                Ok(errors) => {
                    let words = errors.iter().map(|error| {
                        format!("{} at {}: {}", error.code, error.path, error.policies.join(", "))
                    });
                    words.collect::<Vec<_>>().join("; ")
                }
                Err(failure) => format!("its reasons could not be read: {failure}"),
            };
        }
        reasons.insert(account.clone(), text);
    }
    reasons
}

/// Whether each guardrail version can be used that is wanted, or that a policy of the keeper's names.
async fn versions(
    keeper: &Keeper,
    baseline: &Baseline,
    catalog: &Catalog,
    present: &AttachedPolicies,
    own: &OwnPolicies,
) -> BTreeMap<VersionAt, Result<(), String>> {
    let mut versions = wanted_versions(baseline, catalog);
    let contents =
        own.keys().filter_map(|id| present.contents.get(&PolicyKey::Id(id.clone()))?.as_ref().ok());
    let there: Vec<Enforcement> =
        contents.flat_map(|content| OwnDocument::of(content).regions.into_values()).collect();
    for Enforcement { guardrail, version, .. } in there {
        let at = (guardrail.region.clone(), guardrail.clone(), version);
        if versions.contains_key(&at) {
            continue;
        }
        let usable = match keeper.cloud.session(&guardrail.account).await {
            Ok(session) => {
                let condition = Reader::new(&session, &guardrail.region).condition(&guardrail, version).await;
                condition.unusable.map_or(Ok(()), |unusable| Err(unusable.to_string()))
            }
            Err(failure) => Err(failure.to_string()),
        };
        versions.insert(at, usable);
    }
    versions
}

/// An account that nobody has: what it may use is what every member may.
const ANY_MEMBER: &str = "000000000000";

/// The wanted versions, each judged as for any member: its grants count.
fn wanted_versions(baseline: &Baseline, catalog: &Catalog) -> BTreeMap<VersionAt, Result<(), String>> {
    let account: AccountId = ANY_MEMBER.parse().expect("it is 12 digits");
    let mut versions = BTreeMap::new();
    // One by one: two guardrails may be assigned in one Region.
    for OrganizationAssignment { guardrail: key, .. } in &baseline.organization_assignments {
        let desired = inherited_of(baseline, key, &account);
        for (Target { region, .. }, one) in resolve(desired, catalog, &baseline.organization) {
            let ResolvedTarget::Enforce(enforce) = one else { continue };
            let Some(Enforcement { guardrail, version, .. }) = enforce.enforcement else { continue };
            let usable = enforce.unusable.map_or(Ok(()), |unusable| Err(unusable.to_string()));
            versions.insert((region, guardrail, version), usable);
        }
    }
    versions
}

impl LevelView {
    /// Adds every account of the organization, which takes AWS a minute for each ten thousand: only a look that has something
    /// to write needs them. Says whether there was time for it.
    pub(super) async fn add_accounts(&mut self, reading: &mut Reading<'_>) -> Result<bool, NotLooked> {
        let Some(LookPart { accounts, unplaced, .. }) = reading.accounts().await? else { return Ok(false) };
        self.paths = accounts.values().map(|one| (one.id.clone(), one.path.clone())).collect();
        self.accounts.clone_from(accounts);
        self.unplaced.clone_from(unplaced);
        Ok(true)
    }

    /// The look, as the ledger keeps it.
    pub(super) fn recorded(
        &self,
        revision: &Revision,
        holds: Vec<RecordedHold>,
        left: Vec<String>,
    ) -> OrganizationLook {
        let (at, is_enabled) = (self.began, self.is_enabled);
        // The ledger's document has to stay far below 400 KB.
        let (holds, left) = (first(holds), first(left));
        let look = OrganizationLook {
            at,
            is_enabled,
            holds,
            left,
            named: named_by(&self.present).filter(|_| self.frozen.is_empty()),
            looked_ms: self.looked_ms,
            ..nothing_seen(at, revision.clone())
        };
        look.with_frozen(&self.frozen)
    }
}

/// Every guardrail that an attached policy names; `None` where one of them can't be read.
fn named_by(present: &AttachedPolicies) -> Option<BTreeSet<GuardrailArn>> {
    let attached: BTreeSet<&PolicyKey> = present.attached.values().flatten().collect();
    let contents = attached.into_iter().map(|key| present.contents.get(key)?.as_ref().ok());
    let contents: Option<Vec<&crate::bedrock_policy::BedrockPolicy>> = contents.collect();
    Some(contents?.into_iter().flat_map(crate::bedrock_policy::BedrockPolicy::guardrails).collect())
}

/// How many holds and steps the ledger keeps.
const KEPT: usize = 100;

fn first<T>(mut all: Vec<T>) -> Vec<T> {
    all.truncate(KEPT);
    all
}

/// A look that saw nothing.
pub(super) fn nothing_seen(at: Timestamp, revision: Revision) -> OrganizationLook {
    OrganizationLook {
        at,
        revision,
        is_enabled: true,
        holds: Vec::new(),
        left: Vec::new(),
        frozen: BTreeSet::new(),
        frozen_count: 0,
        named: None,
        looked_ms: None,
    }
}
