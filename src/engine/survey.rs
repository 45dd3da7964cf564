//! Looks and decides. Reads only: nothing in this file can write.

use std::collections::BTreeMap;

use super::copies::Originals;
use super::owner::{Needs, decided_grants, lost_grants, once_granted};
use super::placing::Placing;
use super::remembered::Remembered;
use super::swept::left_out;
use super::{Keeper, Manner, Part, Progress, Step, Stopped};
use crate::baseline::{Baseline, GuardrailKey};
use crate::cloud::Head;
use crate::desired::{Desired, desired, release_leaving};
use crate::failure::Failure;
use crate::ids::{AccountId, Target};
use crate::limits::{Approval, Extent, RevisionApproval};
use crate::observed::Observed;
use crate::organization::{AccountState, OrgPath, Organization, Placement};
use crate::plan::{Change, Grounds, HoldReason, LedgerState, Plan, SafePlan, Sighting, plan};
use crate::record::{Arrival, Arrivals, Grants, Records};
use crate::resolved::{Catalog, differing, resolve};
use crate::resource_policy::Resource;
use crate::trigger::{Accounts, Regions, Scope};

/// What was seen, and the plan that follows from it.
#[derive(Clone, Debug)]
#[must_use = "a survey that nobody prints or applies did nothing"]
pub struct Survey {
    /// What is to be done, each enforcement proven.
    pub plan: SafePlan,
    /// The accounts that were looked at.
    pub organization: Organization,
    /// What is wanted of each target.
    pub desired: Desired,
    /// What was seen in each target.
    pub observed: Observed,
    /// Whether the whole organization was looked at in every Region, so that the plan is all there is to do.
    pub whole: bool,
    /// Accounts that the scope names and that are no members of the organization.
    pub strangers: Vec<AccountId>,
    /// How far this revision has come.
    pub approval: RevisionApproval,
    /// What the ledger knew.
    pub records: Records,
    /// How the run differs from an ordinary one.
    pub manner: Manner,
    /// Whether the ledger was there and outlives this process, so that what it doesn't know is new.
    pub(super) ledger_remembers: bool,
    /// What the ledger could not tell, in words.
    pub(super) ledger_trouble: Option<String>,
    /// Grants that the ledger has for ours and that aren't there any more.
    pub(super) lost_grants: Vec<Resource>,
    /// What went wrong besides.
    pub warnings: Vec<String>,
    /// The guardrails that are to be copied.
    pub(super) originals: Originals,
    /// When each account came to where it stands.
    pub(super) arrivals: Arrivals,
    /// What the owner account was seen to hold.
    pub(super) catalog: Catalog,
    /// What is known of AWS's answer, where the baseline leaves the placement to it.
    pub placing: Placing,
}

impl Survey {
    /// Whether what was asked about is known: accounts, their states, and what is recorded of them.
    pub fn is_known(&self) -> bool {
        self.strangers.is_empty()
            && self.plan.plan().unknown_states.is_empty()
            && self.plan.plan().unplaced.is_empty()
            && self.ledger_trouble.is_none()
    }

    /// What the ledger could not tell, in words: then nothing is written where it is missing.
    pub fn ledger_trouble(&self) -> Option<&str> {
        self.ledger_trouble.as_deref()
    }
}

impl Keeper {
    /// Reads everything in scope and decides about it.
    ///
    /// # Errors
    /// When the organization can't be read, or is another one.
    pub async fn survey(
        &self,
        baseline: &Baseline,
        scope: &Scope,
        progress: Progress<'_>,
    ) -> Result<Survey, Stopped> {
        self.survey_as(baseline, scope, &Manner::default(), progress).await
    }

    /// As [`Keeper::survey`], in a special manner.
    ///
    /// # Errors
    /// As [`Keeper::survey`].
    pub async fn survey_as(
        &self,
        baseline: &Baseline,
        scope: &Scope,
        manner: &Manner,
        progress: Progress<'_>,
    ) -> Result<Survey, Stopped> {
        let mut warnings = Vec::new();
        let (organization, strangers) = self.organization(baseline, scope, manner).await?;
        progress(Step::Looking { accounts: organization.accounts.len() });

        let told = manner.arrival.or_else(|| scope.arrival(self.clock.now()));
        let told = told.map(|at| Arrival::told(at, scope.regions.named()));
        let Remembered { records, offboarding, arrivals, unread, trouble } =
            self.remembered(&organization, told.as_ref()).await;
        let (mut approval, unknown) = self.revision_approval(baseline).await;
        warnings.extend(trouble.iter().chain(&unknown).cloned());
        approval.approved |= manner.approved;
        self.look_for_names(baseline, &organization, scope, manner, &mut approval, &mut warnings).await?;
        let whole = scope.accounts == Accounts::All && scope.regions == Regions::All;
        // Only a look at everything can tell that a grant isn't needed any more.
        let (grants, no_grants_why) = self.grants().await;
        warnings.extend(no_grants_why.clone());
        let (no_approval, no_grants) = (unknown.is_some(), no_grants_why.is_some());
        let mut ledger_trouble = trouble.or(unknown).or(no_grants_why);
        // What this very run released may have effect for a while yet: the next sweep takes back.
        let leftovers = match manner.part {
            Part::Everything if whole && !manner.again => grants.clone(),
            Part::Owner { swept_since: Some(_) } => {
                let here = |resource: &Resource| scope.regions.contain(resource.region());
                grants.clone().into_iter().filter(|(resource, _)| here(resource)).collect()
            }
            Part::Everything | Part::Account | Part::Owner { swept_since: None } => Grants::new(),
        };
        let mut placing = self.placing(baseline, &grants, ledger_trouble.as_ref()).await;
        let settled = placing.settled(baseline);
        if ledger_trouble.is_none() {
            warnings.extend(placing.trouble.clone());
            ledger_trouble.clone_from(&placing.trouble);
        }
        // A grant is taken back once a sweep saw that nobody uses it, in a Region that the baseline dropped as well.
        let looked_for = if matches!(manner.part, Part::Account) { &grants } else { &leftovers };
        let also = looked_for.keys().map(|resource| resource.region().clone()).collect();
        let mut desired = desired(&settled, &organization, &records, &scope.regions, &also);
        release_leaving(&mut desired, &offboarding);
        let needs = match manner.part {
            Part::Everything if whole => Needs::Whole,
            Part::Everything => Needs::Wanted,
            Part::Account if manner.owner_anew => Needs::Wanted,
            Part::Account => Needs::WantedAsRecorded { since: manner.owner_seen_since },
            Part::Owner { .. } => Needs::AllOf(&scope.regions),
        };
        let (observed, mut catalog) = futures_util::join!(
            self.observe(&organization, &desired, &arrivals, progress),
            self.catalog(&settled, &desired, needs)
        );

        if whole && !manner.again {
            warnings.extend(differing(baseline, &catalog).iter().map(ToString::to_string));
            warnings.extend(self.destinations(&settled, &catalog).await);
        }
        let seen = (&observed, &records);
        self.settle(&mut placing, baseline, (&mut desired, needs), &mut catalog, seen).await;
        let mut originals = match manner.part {
            Part::Everything | Part::Account => self.originals(baseline, &desired, &mut catalog).await,
            Part::Owner { .. } => Originals::default(),
        };
        catalog.copies = self.look_at_copies(&desired, &mut originals, &observed).await;
        for (target, verdict) in &mut catalog.copies {
            if let Err(failure) = verdict {
                *failure = self.in_grace(&organization, &arrivals, target, failure.clone());
            }
        }
        let decided = match manner.part {
            Part::Everything | Part::Owner { .. } => decided_grants(baseline, &catalog),
            Part::Account => BTreeMap::new(),
        };
        let then = once_granted(baseline, manner.part, &decided, &desired, &catalog);
        let mut resolved = resolve(desired.clone(), &catalog, &baseline.organization);
        self.look_at_the_present(baseline, &mut resolved, &observed).await;
        let ledger = if self.ledger.is_durable() { LedgerState::Durable } else { LedgerState::Volatile };
        let grounds = Grounds { own_roles: &self.settings.own_roles, ledger, now: self.clock.now() };
        let then = then.map(|then| plan(&then, &observed, &records, grounds));
        let mut plan = plan(&resolved, &observed, &records, grounds);
        plan.skipped = organization.states(|state| !state.admits_work());
        plan.unplaced.clone_from(&organization.unplaced);
        plan.grants = decided;
        if let Some(then) = then {
            plan = plan.expect(&then);
        }
        let mut lost = match manner.part {
            Part::Everything | Part::Owner { .. } => lost_grants(baseline, &grants, &catalog),
            Part::Account => Vec::new(),
        };
        let everybody = match manner.part {
            Part::Owner { swept_since: Some(since) } if !leftovers.is_empty() => {
                self.seen_by_the_sweep(since, &scope.regions).await
            }
            Part::Everything | Part::Account | Part::Owner { .. } => Sighting {
                observed: observed.clone(),
                records: records.clone(),
                incomplete: left_out(&organization),
            },
        };
        let withdrawals = self.withdrawals(baseline, &leftovers, &catalog, &everybody).await;
        for (resource, decision) in withdrawals {
            match decision {
                Some(decision) => {
                    plan.grants.insert(resource, decision);
                }
                None => lost.push(resource),
            }
        }
        if !manner.again && !matches!(manner.part, Part::Owner { .. }) {
            let leftovers = self.leftovers(baseline, &plan, &catalog, &records).await;
            plan = plan.clean_up(leftovers);
        }
        plan = plan.hold_unread(&unread);
        if no_grants {
            plan = plan.hold_unread_grants();
        }
        let mut plan = plan.spare(organization.states(AccountState::is_unknown)).restrict(baseline.mode);
        if manner.part == Part::Account && !manner.owner_anew && plan.changes().any(Change::gives_up) {
            // It rests on what may be over by now.
            let anew = Manner { owner_anew: true, ..manner.clone() };
            return Box::pin(self.survey_as(baseline, scope, &anew, progress)).await;
        }
        let has_moved = |stood: &OrgPath, target: &Target| has_moved(baseline, &organization, stood, target);
        if manner.candidate.is_none() {
            let is_given_with_the_plan = manner.approved;
            let approval = Approval { approval: &approval, is_given_with_the_plan, leaving: &offboarding };
            plan = plan.hold_adopted(approval, &records, has_moved);
        }
        let plan = match (&manner.candidate, manner.part) {
            (Some(candidate), _) => plan.put_back(candidate, &records),
            (None, Part::Everything | Part::Account) if no_approval => {
                plan.hold_uncountable(&approval, &records)
            }
            (None, Part::Everything) => {
                let plan = plan.limit(&approval, baseline.limits, &records);
                self.admit_unusable(baseline, manner, plan, &mut warnings).await
            }
            (None, Part::Account) => {
                let plan = plan.limit_part(&approval, &records);
                let plan = self.admit_moves(baseline, plan, &records, &has_moved, &mut warnings).await;
                self.admit_unusable(baseline, manner, plan, &mut warnings).await
            }
            // Grants take nothing from anybody, and are taken back only where nobody uses them.
            (None, Part::Owner { .. }) => plan,
        };
        let plan = placing.hold(plan, self.clock.now());
        let proofs = self.prove(&plan, &organization, &arrivals, &grants, &catalog).await;
        let is_meant = |key: &GuardrailKey| baseline.means_to_block(key);
        warnings.extend(plan.blocked_in_force(&proofs, is_meant));
        let plan = plan.prove(&proofs, is_meant);

        Ok(Survey {
            plan,
            organization,
            desired,
            observed,
            whole,
            strangers,
            approval,
            records,
            manner: manner.clone(),
            ledger_remembers: ledger == LedgerState::Durable && unread.is_empty(),
            ledger_trouble,
            lost_grants: lost,
            warnings,
            originals,
            arrivals,
            catalog,
            placing,
        })
    }

    async fn organization(
        &self,
        baseline: &Baseline,
        scope: &Scope,
        manner: &Manner,
    ) -> Result<(Organization, Vec<AccountId>), Stopped> {
        let mut strangers = Vec::new();
        let organization = match (&scope.accounts, manner) {
            (_, Manner { part: Part::Owner { .. }, .. }) => {
                let Head { id, management } = self.head().await?;
                Organization::part(id, management, BTreeMap::new())
            }
            (_, Manner { placement: Some(Placement { account, placed_at: _ }), .. }) => {
                let Head { id, management } = self.head().await?;
                let accounts = BTreeMap::from([(account.id.clone(), account.clone())]);
                Organization::part(id, management, accounts)
            }
            (Accounts::All, _) => {
                let organization = self.whole_organization().await?;
                if !organization.accounts.values().any(|account| account.state.admits_work()) {
                    return Err(Stopped::OrganizationUnreadable(Failure::no_accounts()));
                }
                organization
            }
            (Accounts::Only(ids), _) => {
                let Head { id, management } = self.head().await?;
                let (mut accounts, mut unplaced) = (BTreeMap::new(), BTreeMap::new());
                for id in ids {
                    // An event may name any account. Only one that the organization knows is entered.
                    match self.place(id).await {
                        Ok(Some(Placement { account, placed_at: _ })) => {
                            accounts.insert(account.id.clone(), account);
                        }
                        Ok(None) => strangers.push(id.clone()),
                        Err(Stopped::AccountNotPlaced { account, failure }) => {
                            unplaced.insert(account, failure);
                        }
                        Err(stopped) => return Err(stopped),
                    }
                }
                if unplaced.len() == ids.len()
                    && let Some((account, failure)) = unplaced.pop_first()
                {
                    return Err(Stopped::AccountNotPlaced { account, failure });
                }
                let unplaced = unplaced.into_iter().map(|(id, failure)| (id.to_string(), failure)).collect();
                Organization { unplaced, ..Organization::part(id, management, accounts) }
            }
        };
        if organization.id == baseline.organization {
            Ok((organization, strangers))
        } else {
            let (baseline, actual) = (baseline.organization.clone(), organization.id);
            Err(Stopped::WrongOrganization { baseline, actual })
        }
    }

    /// Where an account stands now; `None` where the organization doesn't know it.
    pub(super) async fn place(&self, id: &AccountId) -> Result<Option<Placement>, Stopped> {
        let head = self.head().await?;
        let placed_at = self.clock.now();
        match self.cloud.organizations().account(&head, id).await {
            Ok(account) => Ok(account.map(|account| Placement { account, placed_at })),
            Err(failure) => Err(Stopped::AccountNotPlaced { account: id.clone(), failure }),
        }
    }

    /// Holds what accounts would lose or change because they were moved, where that is more than the
    /// limits allow within a day: a slip in the tree is like one in the baseline.
    async fn admit_moves(
        &self,
        baseline: &Baseline,
        plan: Plan,
        records: &Records,
        has_moved: impl Fn(&OrgPath, &Target) -> bool,
        warnings: &mut Vec<String>,
    ) -> Plan {
        let extent = plan.extent_of_moves(records, &has_moved);
        if extent == Extent::default() {
            return plan;
        }
        let (mut admitted, now) = (false, self.clock.now().as_second());
        let reserved = self
            .ledger
            .change_revision_approval(|known| {
                let approval = known.get_or_insert_with(|| RevisionApproval::new(baseline.revision.clone()));
                admitted = approval.admit_moves(extent, baseline.limits, now);
            })
            .await;
        let reason = match reserved {
            Ok(()) if admitted => return plan,
            Ok(()) => HoldReason::TooManyMoves { revision: baseline.revision.clone() },
            Err(error) => {
                warnings.push(format!("how much moves of accounts have changed is not known: {error}"));
                HoldReason::LedgerUnavailable
            }
        };
        plan.hold_moves(&reason, records, &has_moved)
    }
}

/// Whether another assignment covers an account where it stands now than where it stood.
fn has_moved(baseline: &Baseline, organization: &Organization, stood: &OrgPath, target: &Target) -> bool {
    let Some(account) = organization.accounts.get(&target.account) else { return false };
    baseline.assignment(&account.id, stood) != baseline.assignment(&account.id, &account.path)
}
