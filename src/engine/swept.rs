//! What the record says of the whole organization: what a revision would change, how far a sweep is, and what may
//! still use a guardrail.
//!
//! A count reads the record, not AWS: to look at fifty thousand accounts before each change of the baseline would be a
//! sweep of its own.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::accounts::{head, whole_organization};
use super::guardrails::{CatalogScope, read_catalog};
use super::news::news_of;
use super::placing::placing_as_recorded;
use super::{Keeper, Stopped};
use crate::baseline::{Baseline, Mode};
use crate::desired::{Desired, Wanted, desired};
use crate::failure::Failure;
use crate::ids::{AccountId, GuardrailArn, Region, Target};
use crate::ledger::LedgerError;
use crate::limits::Extent;
use crate::observed::{Observation, Observed, ResourcePolicySeen};
use crate::organization::{Account, AccountState, Organization, Unplaced, not_looked_at};
use crate::outcome::{AttentionNews, BrokenVersions};
use crate::plan::{Decision, DecisionContext, Held, HoldReason, LedgerState, Sighting, plan};
use crate::record::{AccountRecord, NewsKind, Record, Records, ReleasedUnusable};
use crate::resolved::{Catalog, CatalogEntry, resolve};
use crate::resource_policy::{Document, Grant, Resource};
use crate::status::{Criteria, Judged, Standing, Subject, judge, judge_account};
use crate::trigger::Regions;

/// The state of the targets in the record after a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many targets are in which state, in accounts that were looked at since.
    pub standings: BTreeMap<Standing, usize>,
    /// How many accounts were looked at since, in any Region.
    pub looked_at: usize,
    /// Accounts with an enforcement of ours that were not looked at since, and those whose record can't be parsed.
    pub not_looked_at: BTreeSet<AccountId>,
    /// Accounts in which no calls are made.
    pub closed: usize,
    /// Those of them whose departure is not published yet.
    pub untold: BTreeSet<AccountId>,
    /// Enforcements of unusable guardrails.
    pub broken: BrokenVersions,
    /// Enforcements that were released because their guardrail is unusable, and are still wanted.
    pub unguarded: BrokenVersions,
    /// In how many targets a guardrail is wanted and enforced.
    pub guarded: usize,
    /// What people have to hear of now.
    pub news: AttentionNews,
    /// The first targets that are not good, for people.
    pub examples: Vec<String>,
}

/// How many examples are named.
const EXAMPLES: usize = 10;

/// Judges every recorded account by its look since `since`, by what this baseline wants where the account was placed
/// last. Reads only the ledger.
///
/// # Errors
/// When the ledger can't be read.
pub async fn tally(keeper: &Keeper, baseline: &Baseline, since: Timestamp) -> Result<Tally, LedgerError> {
    let now = keeper.clock.now();
    let criteria = Criteria { now, oldest: since, revision: Some(&baseline.revision) };
    let mut tally = Tally::default();
    let add = |account, record: Result<AccountRecord, LedgerError>| match &record {
        Ok(record) => tally.add(baseline, &account, record, criteria),
        Err(error) => tally.add_unread(&account, error),
    };
    keeper.ledger.each_known_account(add).await?;
    Ok(tally)
}

/// What this baseline would replace, release and abandon in a part of the organization, by the record. A target
/// without a record counts as a replacement: for an account that can't be placed, or whose record can't be parsed,
/// every Region of the baseline does.
///
/// # Errors
/// When the ledger can't be read.
pub async fn count(
    keeper: &Keeper,
    baseline: &Baseline,
    catalog: &Catalog,
    mut accounts: Vec<Account>,
    unplaced: &Unplaced,
) -> Result<Extent, Stopped> {
    let known = keeper.ledger.accounts_each(accounts.iter().map(|account| &account.id)).await?;
    accounts.retain(|account| matches!(known.get(&account.id), Some(Ok(_))));
    let unknown_accounts = unplaced.len() + known.len() - accounts.len();
    let known = known.iter().filter_map(|(account, record)| Some((account, record.as_ref().ok()?)));
    let records: Records = known.flat_map(|(account, record)| record.records(account)).collect();
    let head = head(keeper).await?;
    let organization = Organization::part(
        head.id,
        head.management,
        accounts.into_iter().map(|account| (account.id.clone(), account)).collect(),
    );
    let mut placing = placing_as_recorded(keeper, baseline).await?;
    let mut desired = desired(baseline, &organization, &records, &Regions::All, &BTreeSet::new());
    let (observed, unknown) = recorded(&desired, &records);
    let forgotten = if keeper.ledger.is_durable() { 0 } else { not_wanted(&desired, &records) };
    let (own_roles, now) = (&keeper.settings.own_roles, keeper.clock.now());
    placing.settle(baseline, &mut desired, &observed, &records, own_roles, now);
    desired.retain(|target, _| !unknown.contains(target));
    let resolved = resolve(desired, catalog, &baseline.organization);
    let context = DecisionContext { own_roles, ledger: LedgerState::Durable, now };
    let plan = plan(&resolved, &observed, &records, context);
    let plan = plan.spare(organization.states(AccountState::is_unknown)).restrict(baseline.mode);
    if baseline.mode == Mode::Audit {
        // Audit writes nothing; its looks make the count of the next revision exact.
        return Ok(Extent::default());
    }
    let counted = Extent::of(&plan, &records, &baseline.revision);
    // Something is enforced, and it isn't known yet what will be: it may be replaced.
    let undecided = plan.decisions.iter().filter(|(target, decision)| {
        matches!(decision, Decision::Held(Held { reason: HoldReason::Unusable { .. }, .. }))
            && matches!(observed.get(*target), Some(Observation::Enforced(_)))
    });
    let unknown = unknown.len() + undecided.count() + unknown_accounts * baseline.regions().len();
    let unknown = u32::try_from(unknown).unwrap_or(u32::MAX);
    Ok(counted.plus(Extent { replacements: unknown, releases: forgotten, abandonments: 0 }))
}

/// The guardrails of the baseline as a count needs them: all, whoever gets them. Without resource policies: the grants
/// will be made, so none is missing.
pub async fn catalog_for_counting(keeper: &Keeper, baseline: &Baseline) -> Catalog {
    // Every placement needs the same entries; the grants are put in below.
    let mut catalog =
        read_catalog(keeper, baseline, &Desired::new(), CatalogScope::AllOf(&Regions::All)).await;
    catalog.resource_policies.clear();
    for entry in catalog.entries.values_mut() {
        // What can't be enforced today may be enforced tomorrow; then it replaces what is there.
        entry.unusable = None;
    }
    let resources: Vec<Resource> = catalog.entries.values().flat_map(CatalogEntry::resources).collect();
    for resource in resources {
        let grant = Grant { resource: resource.clone(), organization: baseline.organization.clone() };
        catalog.resource_policies.insert(resource, ResourcePolicySeen::Attached(Document::granting(&grant)));
    }
    catalog
}

/// The accounts whose record names a guardrail in a Region, and those whose record can't be understood.
///
/// # Errors
/// When the ledger can't be read.
pub(super) async fn users_by_record(
    keeper: &Keeper,
    region: &Region,
    is_one: impl Fn(&GuardrailArn) -> bool,
) -> Result<BTreeSet<AccountId>, LedgerError> {
    let mut users = BTreeSet::new();
    let is_user = |record: &Result<AccountRecord, LedgerError>| match record {
        Ok(AccountRecord { closed: Some(_), .. }) => false,
        Ok(account) => account.regions.get(region).is_some_and(|record| record.names_any(&is_one)),
        Err(_) => true,
    };
    let add = |account, record| users.extend(is_user(&record).then_some(account));
    keeper.ledger.each_known_account(add).await?;
    Ok(users)
}

/// What a sweep that began at `since` saw in every account, for taking back a grant. An account that it didn't see may
/// use any guardrail.
pub(super) async fn seen_by_the_sweep(keeper: &Keeper, since: Timestamp, regions: &Regions) -> Sighting {
    let nobody_knows = |why: String| Sighting { incomplete: Some(why), ..Sighting::default() };
    let organization = match whole_organization(keeper).await {
        Ok(organization) => organization,
        Err(stopped) => return nobody_knows(stopped.to_string()),
    };
    let known = match keeper.ledger.accounts(organization.accounts.keys()).await {
        Ok(known) => known,
        Err(error) => return nobody_knows(format!("the ledger can't be read: {error}")),
    };
    let Regions::Only(regions) = regions else {
        return nobody_knows("it isn't known which Regions".to_owned());
    };
    let mut observed = Observed::new();
    for account in organization.accounts.values().filter(|account| account.state.admits_work()) {
        for region in regions {
            let record = known.get(&account.id).and_then(|record| record.regions.get(region));
            // A write that was begun and never confirmed may have come after the look.
            let begun = |record: &&Record| record.intent.as_ref().is_some_and(|begun| begun.to.is_some());
            let record = record.filter(|record| !begun(record));
            let seen = record.and_then(|record| record.seen.as_ref()).filter(|seen| seen.at >= since);
            let observation = match seen {
                Some(seen) => Observation::recorded(seen.enforcement.clone(), seen.by.clone()),
                None => Observation::Unreadable(Failure::not_observed()),
            };
            observed.insert(Target { account: account.id.clone(), region: region.clone() }, observation);
        }
    }
    let records = known.iter().flat_map(|(account, record)| record.records(account)).collect();
    Sighting { observed, records, incomplete: left_out(&organization) }
}

/// Why an account may be missing in the organization's list, if so.
pub(super) fn left_out(organization: &Organization) -> Option<String> {
    let (account, failure) = organization.unplaced.iter().next()?;
    Some(not_looked_at(account, failure))
}

/// What the record says is there, and the targets that it doesn't know.
pub(super) fn recorded(desired: &Desired, records: &Records) -> (Observed, BTreeSet<Target>) {
    let mut observed = Observed::new();
    let mut unknown = BTreeSet::new();
    for (target, wanted) in desired {
        let record = records.get(target);
        match (record.and_then(|record| record.seen.as_ref()), wanted) {
            (Some(seen), _) => {
                let seen = Observation::recorded(seen.enforcement.clone(), seen.by.clone());
                observed.insert(target.clone(), seen);
            }
            (None, Wanted::Guardrail(_)) => {
                unknown.insert(target.clone());
            }
            // Nothing of ours is known there, so nothing is released.
            (None, Wanted::Nothing { .. } | Wanted::Unassigned | Wanted::Excluded) => {
                observed.insert(target.clone(), Observation::Absent);
            }
        }
    }
    (observed, unknown)
}

/// How many targets want nothing and are not recorded. With a ledger that isn't durable one of ours may be there, and
/// would be released.
fn not_wanted(desired: &Desired, records: &Records) -> u32 {
    let nothing = desired.iter().filter(|(target, wanted)| {
        matches!(wanted, Wanted::Nothing { .. }) && records.get(*target).is_none_or(|it| it.seen.is_none())
    });
    u32::try_from(nothing.count()).unwrap_or(u32::MAX)
}

/// Whether a target that isn't looked at any more has to be reported.
fn is_of_interest(record: &Record) -> bool {
    record.ours.is_some() || record.released_unusable.is_some()
}

impl Tally {
    /// Adds an account whose record can't be parsed: it isn't known whether it was looked at.
    fn add_unread(&mut self, id: &AccountId, error: &LedgerError) {
        self.not_looked_at.insert(id.clone());
        if self.examples.len() < EXAMPLES {
            self.examples.push(format!("{id}: its record can't be read: {error}"));
        }
    }

    fn add(&mut self, baseline: &Baseline, id: &AccountId, record: &AccountRecord, criteria: Criteria<'_>) {
        if let Some(closed) = &record.closed {
            self.closed += 1;
            if closed.untold {
                self.untold.insert(id.clone());
            }
            // Of its troubles it is rid, and its departure has a message; what somebody did there before is still news.
            for (target, news) in news_of(id, record, criteria.now) {
                if !news.kind.is_trouble() {
                    self.news.add(&target, &news, false);
                }
            }
            return;
        }
        let mut covered = BTreeSet::new();
        if record.was_looked_at_since(criteria.oldest) {
            self.looked_at += 1;
            for (target, wanted, judged) in judged(baseline, id, record, criteria) {
                let is_wanted = matches!(wanted, Some(Wanted::Guardrail(_)));
                self.guarded += usize::from(is_wanted && judged.standing.is_good());
                let kind = self.count(&target, &judged, record);
                covered.extend(kind.map(|kind| (target, kind)));
            }
        } else if record.regions.values().any(is_of_interest) {
            self.not_looked_at.insert(id.clone());
        }
        // Also of an account that this sweep didn't see: no other message has them then.
        for (target, news) in news_of(id, record, criteria.now) {
            let is_covered = covered.contains(&(target.clone(), news.kind));
            self.news.add(&target, &news, is_covered);
        }
    }

    /// Counts a target. Returns which kind of news the sweep's own events have of it.
    fn count(&mut self, target: &Target, judged: &Judged, account: &AccountRecord) -> Option<NewsKind> {
        let Judged { standing, reason } = judged;
        *self.standings.entry(*standing).or_default() += 1;
        let reason = reason.as_deref().unwrap_or_default();
        let mut covered = None;
        if let Some(record) = account.regions.get(&target.region) {
            let code = record.checked.as_ref().and_then(|checked| checked.code.clone());
            let (code, words) = (code.unwrap_or_default(), reason.to_owned());
            let seen = record.seen.as_ref().and_then(|seen| seen.enforcement.as_ref());
            match (standing, &record.released_unusable, seen) {
                (Standing::Unguarded, Some(ReleasedUnusable { guardrail, version, at: _ }), _) => {
                    let code = if code.is_empty() { "unguarded".to_owned() } else { code };
                    self.unguarded.add(&target.account, (guardrail, *version), code, words);
                    covered = Some(NewsKind::Unguarded);
                }
                (Standing::Broken, _, Some(enforcement)) => {
                    self.broken.add(&target.account, enforcement.version(), code, words);
                    covered = Some(NewsKind::Broken);
                }
                (_, _, _) => {}
            }
        }
        if !standing.is_good() && self.examples.len() < EXAMPLES {
            self.examples.push(format!("{target} {standing}: {reason}"));
        }
        covered
    }
}

/// Judges every target of an account; the recorded ones only, if its place is not recorded.
fn judged(
    baseline: &Baseline,
    id: &AccountId,
    record: &AccountRecord,
    criteria: Criteria<'_>,
) -> Vec<(Target, Option<Wanted>, Judged)> {
    match record.last_known(id) {
        Some(account) => {
            let judged = judge_account(baseline, &account, record, criteria).into_iter();
            judged.map(|(target, wanted, judged)| (target, Some(wanted), judged)).collect()
        }
        None => {
            let regions = record.regions.iter().map(|(region, record)| {
                let target = Target { account: id.clone(), region: region.clone() };
                let judged = judge(Subject { target: &target, wanted: None, path: None, record }, criteria);
                (target, None, judged)
            });
            regions.collect()
        }
    }
}
