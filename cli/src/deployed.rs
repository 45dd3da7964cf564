//! Asks the deployed keeper for work, and follows in the ledger what becomes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::ending;
use super::level;
use super::output::{self, Bar};
use super::time::Length;
use guardrail_keeper::engine::{self, Ask, Asked, Keeper, Step, Stopped, Survey};
use keeper_core::baseline::{Baseline, Revision};
use keeper_core::desired::Desired;
use keeper_core::failure::{Call, Category};
use keeper_core::ids::{AccountId, Target};
use keeper_core::organization::OrgPath;
use keeper_core::organization_level::OrganizationLook;
use keeper_core::plan::{Decision, GrantAction, Held, HoldReason, InSync, Plan};
use keeper_core::record::{Record, Records};
use keeper_core::resolved::Unusable;
use keeper_core::status::{Criteria, Judged, Standing, Subject, judge};

/// How long it takes until the ledger is looked at again.
const PAUSE: Duration = Duration::from_secs(1);

/// Asks for a look.
pub(super) async fn ask(keeper: &Keeper, ask: &Ask) -> anyhow::Result<Asked> {
    let asked = engine::ask(keeper, ask).await;
    ending::sent(asked, "whether the deployed keeper was asked", "the deployed keeper could not be asked")
}

/// Where a request was put, for people.
pub(super) fn in_words(asked: &Asked) -> String {
    match asked {
        Asked::OnBus(bus) => format!("asked the deployed keeper, on bus {bus}"),
        Asked::InQueue => "asked the deployed keeper, by the queue of its events".to_owned(),
    }
}

/// Where a request was put, for programs.
pub(super) fn in_json(asked: &Asked) -> Value {
    match asked {
        Asked::OnBus(bus) => json!({ "bus": bus }),
        Asked::InQueue => json!({ "queue": "events" }),
    }
}

/// What is waited for in one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// That the keeper looked at it.
    Looked,
    /// That it is good: it waits for something else first.
    Good,
    /// That the keeper looked at it, since this terminal can't: the member role trusts the function
    /// alone.
    Seen,
}

/// The targets of a plan that something is to be done in, now or once a grant is in place, and those
/// that only the keeper can look into.
pub(super) fn of_survey(survey: &Survey) -> BTreeMap<Target, Until> {
    let plan = survey.plan.plan();
    let is_by_record = survey.by_record.is_some();
    let until = |decision: &Decision| match decision {
        // It was in sync when the keeper looked last; whether it is, only the keeper can see.
        Decision::InSync(InSync { enforced: Some(_), .. }) if is_by_record => Some(Until::Seen),
        Decision::Change(_) | Decision::CleanUp(_) => Some(Until::Looked),
        Decision::Held(Held { reason: HoldReason::Unusable { unusable }, .. }) if mends(unusable) => {
            Some(Until::Good)
        }
        Decision::Held(Held { reason: HoldReason::Unreadable { failure }, .. })
            if is_by_record || failure.call() == Call::AssumeRole && failure.category != Category::Gone =>
        {
            Some(Until::Seen)
        }
        Decision::Held(Held {
            reason: HoldReason::Unusable { unusable: Unusable::CopyUnreadable { .. } },
            ..
        }) if is_by_record => Some(Until::Seen),
        Decision::Broken(broken) if mends(&broken.unusable) => Some(Until::Good),
        Decision::Held(_) | Decision::Broken(_) | Decision::InSync(_) | Decision::LeftAlone(_) => None,
    };
    let targets = plan.decisions.iter();
    targets.filter_map(|(target, decision)| Some((target.clone(), until(decision)?))).collect()
}

/// Whether something is held or broken that waiting doesn't help.
pub(super) fn leaves_held(plan: &Plan, targets: &BTreeMap<Target, Until>) -> bool {
    let grant = plan.grants.values().any(|grant| matches!(grant.action, GrantAction::Held(_)));
    let target = plan.decisions.iter().any(|(target, decision)| {
        matches!(decision, Decision::Held(_) | Decision::Broken(_)) && !targets.contains_key(target)
    });
    grant || target
}

fn mends(unusable: &Unusable) -> bool {
    unusable.is_being_mended()
}

/// What followed targets are judged by: the plan that was read.
pub(super) struct Aim<'a> {
    pub(super) baseline: &'a Baseline,
    pub(super) desired: Desired,
    /// Where each account stands.
    pub(super) paths: BTreeMap<AccountId, OrgPath>,
}

impl<'a> Aim<'a> {
    /// What a survey found to be wanted.
    pub(super) fn of(baseline: &'a Baseline, survey: &Survey) -> Aim<'a> {
        let accounts = survey.view.organization.accounts.values();
        let paths = accounts.map(|account| (account.id.clone(), account.path.clone())).collect();
        Aim { baseline, desired: survey.view.desired.clone(), paths }
    }

    /// How a target stands. Whether the keeper looked since is known otherwise, so no look is too old.
    fn judge(&self, target: &Target, record: &Record) -> Judged {
        let Baseline { revision, .. } = self.baseline;
        let (now, oldest) = (Timestamp::now(), Timestamp::MIN);
        let criteria = Criteria { now, oldest, revision: Some(revision) };
        let (wanted, path) = (self.desired.get(target), self.paths.get(&target.account));
        judge(Subject { target, wanted, path, record }, criteria)
    }
}

/// A look that was waited for.
pub(super) struct Look {
    pub(super) at: Timestamp,
    pub(super) judged: Judged,
}

impl Look {
    /// How the target stands, and why.
    pub(super) fn text(&self) -> String {
        let Judged { standing, reason } = &self.judged;
        let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("{standing}{reason}")
    }
}

/// Targets that are followed, each with its last look before the keeper was asked. Whether the keeper
/// looked since is decided by that, and not by two machines' clocks.
pub(super) struct Following<'a> {
    keeper: &'a Keeper,
    aim: Aim<'a>,
    left: BTreeMap<Target, (Until, Option<Timestamp>)>,
    looks: BTreeMap<Target, Look>,
    /// Owners, each in a Region, in which something is to be done.
    owners: BTreeMap<Target, Option<Timestamp>>,
    /// The organization's level, where it is followed.
    level: Option<FollowedLevel>,
}

/// The organization's level, followed until the keeper looked at it.
pub(super) struct FollowedLevel {
    /// The last look before the keeper was asked.
    before: Option<Timestamp>,
    /// The first look since.
    look: Option<OrganizationLook>,
}

/// What became of followed targets.
pub(super) struct Followed {
    /// The looks that were waited for.
    pub(super) looks: BTreeMap<Target, Look>,
    /// Targets at which the keeper hasn't looked in time, or that still wait.
    pub(super) left: BTreeSet<Target>,
    /// Owners, each in a Region, at which the keeper hasn't looked in time.
    owners: BTreeSet<Target>,
    /// The organization's level, where it was followed.
    level: Option<FollowedLevel>,
    /// The baseline that it was followed for.
    revision: Revision,
}

impl<'a> Following<'a> {
    pub(super) async fn begin(
        keeper: &'a Keeper,
        aim: Aim<'a>,
        targets: BTreeMap<Target, Until>,
    ) -> Result<Following<'a>, Stopped> {
        let (left, looks, owners) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut following = Following { keeper, aim, left, looks, owners, level: None };
        let known = following.recorded(targets.keys()).await?;
        following.left = targets
            .into_iter()
            .map(|(target, until)| {
                let before = known.get(&target).and_then(|record| Some(record.checked.as_ref()?.at));
                (target, (until, before))
            })
            .collect();
        Ok(following)
    }

    /// Follows these owners in these Regions as well, where tasks of their own do that work.
    pub(super) async fn and_the_owners(mut self, owners: BTreeSet<Target>) -> Result<Following<'a>, Stopped> {
        if self.keeper.settings().queues.is_some() {
            for owner in owners {
                let at = self.looked_at(&owner).await?;
                self.owners.insert(owner, at);
            }
        }
        Ok(self)
    }

    /// Follows the organization's level as well.
    pub(super) async fn and_the_level(mut self) -> Result<Following<'a>, Stopped> {
        let before = self.level_look().await?.map(|look| look.at);
        self.level = Some(FollowedLevel { before, look: None });
        Ok(self)
    }

    async fn level_look(&self) -> Result<Option<OrganizationLook>, Stopped> {
        Ok(self.keeper.ledger().organization_level().await?.look)
    }

    /// Whether the organization's level is waited for no longer.
    async fn has_level(&mut self) -> Result<bool, Stopped> {
        let Some(FollowedLevel { before, look: None }) = self.level else { return Ok(true) };
        let look = self.level_look().await?.filter(|look| Some(look.at) != before);
        let is_there = look.is_some();
        self.level = Some(FollowedLevel { before, look });
        Ok(is_there)
    }

    /// When an owner was looked at last in a Region.
    async fn looked_at(&self, owner: &Target) -> Result<Option<Timestamp>, Stopped> {
        let readiness = self.keeper.ledger().owner_snapshot(owner).await?;
        Ok(readiness.map(|readiness| readiness.at))
    }

    async fn recorded(&self, targets: impl Iterator<Item = &Target> + Clone) -> Result<Records, Stopped> {
        let accounts: BTreeSet<&AccountId> = targets.clone().map(|target| &target.account).collect();
        let known = self.keeper.ledger().accounts_each(accounts).await?;
        // Where the record can't be understood, it isn't known whether the keeper looked: that stays open.
        let record =
            |target: &Target| known.get(&target.account)?.as_ref().ok()?.regions.get(&target.region).cloned();
        Ok(targets.filter_map(|target| Some((target.clone(), record(target)?))).collect())
    }

    /// Waits until all were looked at, or for so long.
    pub(super) async fn wait(mut self, longest: Length) -> Result<Followed, Stopped> {
        let began = Instant::now();
        let longest = Duration::from_secs(u64::try_from(longest.seconds).unwrap_or_default());
        let bar = Bar::new();
        bar.step(Step::Writing { changes: self.left.len() + self.owners.len() });
        loop {
            for (owner, before) in self.owners.clone() {
                if self.looked_at(&owner).await? != before {
                    self.owners.remove(&owner);
                    bar.step(Step::Wrote);
                }
            }
            for (target, record) in self.recorded(self.left.keys()).await? {
                let (Some((until, before)), Some(checked)) = (self.left.get(&target), &record.checked) else {
                    continue;
                };
                let judged = self.aim.judge(&target, &record);
                let news = *before != Some(checked.at);
                let enough = match until {
                    // A look that was made for something else isn't the one that was asked for.
                    Until::Looked | Until::Seen => {
                        !matches!(judged.standing, Standing::Copied | Standing::Stale | Standing::Unknown)
                    }
                    Until::Good => judged.standing.is_good(),
                };
                if news {
                    self.looks.insert(target.clone(), Look { at: checked.at, judged });
                }
                if news && enough {
                    self.left.remove(&target);
                    bar.step(Step::Wrote);
                }
            }
            let has_level = self.has_level().await?;
            if has_level && self.left.is_empty() && self.owners.is_empty() || began.elapsed() >= longest {
                let left = self.left.into_keys().collect();
                let owners = self.owners.into_keys().collect();
                let revision = self.aim.baseline.revision.clone();
                return Ok(Followed { looks: self.looks, left, owners, level: self.level, revision });
            }
            // Reading thousands of records each second would cost more than it is worth.
            let thousands = u32::try_from(self.left.len() / 1000).unwrap_or(u32::MAX);
            tokio::time::sleep(PAUSE.saturating_mul(thousands.saturating_add(1)).min(longest)).await;
        }
    }
}

impl Followed {
    /// Whether everything was looked at and is good.
    pub(super) fn is_good(&self) -> bool {
        self.left.is_empty()
            && self.owners.is_empty()
            && self.level.as_ref().is_none_or(|level| level.is_good(&self.revision))
            && self.looks.values().all(|look| look.judged.standing.is_good())
    }

    pub(super) fn print(&self) {
        for (target, look) in &self.looks {
            output::print_done(format_args!("{target} {}", look.text()));
        }
        let unseen = self.left.iter().filter(|target| !self.looks.contains_key(*target));
        for target in unseen {
            output::print_done(format_args!("{target} not looked at yet"));
        }
        for owner in &self.owners {
            output::print_done(format_args!(
                "Region {} of the owner {} not looked at yet",
                owner.region, owner.account
            ));
        }
        if let Some(level) = &self.level {
            match &level.look {
                Some(_) if level.is_good(&self.revision) => {
                    output::print_done("organization's level: as the baseline wants it");
                }
                Some(look) => {
                    output::print_done("organization's level:");
                    level::print_look(look, Timestamp::now());
                }
                None => output::print_done(
                    "organization's level not looked at yet: see guardrailctl status later",
                ),
            }
        }
        if !self.left.is_empty() {
            output::note(format_args!(
                "{} of {} aren't done yet: see guardrailctl status later",
                self.left.len(),
                self.left.union(&self.looks.keys().cloned().collect()).count()
            ));
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let looks = self.looks.iter().map(|(target, Look { at, judged: Judged { standing, reason } })| {
            json!({
                "account": target.account,
                "region": target.region,
                "state": standing,
                "reason": reason,
                "checked_at": at,
            })
        });
        let level = self.level.as_ref().map(|level| level.look.as_ref().map(level::look_in_json));
        json!({
            "targets": looks.collect::<Vec<_>>(),
            "left": self.left,
            "owner_left": self.owners,
            "organization_level": level.flatten(),
            "organization_level_left": self.level.as_ref().is_some_and(|level| level.look.is_none()),
        })
    }
}

impl FollowedLevel {
    fn is_good(&self, revision: &Revision) -> bool {
        self.look.as_ref().is_some_and(|look| level::is_carried_out(look, revision))
    }
}
