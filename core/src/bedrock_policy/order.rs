//! Orders the writes, from what is attached now to what is wanted, so that no account is unguarded in between.
//!
//! | | what | in which order | why there is no gap |
//! | --- | --- | --- | --- |
//! | 1 | create, update in place, attach; Regions that are to be dropped stay | from the accounts up to the root | what is further down decides, and is final before what is further up changes |
//! | 2 | drop Regions, detach; each after a check | from the root down to the accounts | what an account falls back to is final already |
//! | 3 | delete what is attached to nothing | – | it affects nobody |
//!
//! On one point, a part that takes over a Region is written before the part that loses it.
//! Nothing foreign is a part of any step. Foreign policies can make any order unsafe, so the result is simulated: under
//! every order of peers and every answer to what isn't known, each Region of each account has, after each step, what
//! it had before or what it has at the end. Otherwise there are no steps.

use std::collections::{BTreeMap, BTreeSet};

use super::build::OwnDocument;
use super::ids::{AttachPoint, PolicyAt, PolicyId, PolicyKey, PolicyPart};
use super::no_safe_order::NoSafeOrder;
use super::predict::{AccountPaths, AttachedPolicies};
use super::safety::check_every_moment;
use super::split::{DoesNotFit, PolicyParts, split};
use super::step::PolicyStep;
use crate::enforcement::Enforcement;
use crate::ids::Region;

/// How many policies of the type may be attached to one point (Organizations user guide, quotas).
pub const MAX_ATTACHED: usize = 10;

/// What each point is to enforce by a policy of the keeper's. A point that isn't there has none.
pub type WantedPolicies = BTreeMap<AttachPoint, BTreeMap<Region, Enforcement>>;

/// The policies of the keeper's, each with the part that it is.
pub type OwnPolicies = BTreeMap<PolicyId, PolicyPart>;

/// The steps that lead from what is attached to what is wanted, none where nothing is to be done.
///
/// # Errors
/// Where it doesn't fit, or where no order is safe.
pub fn ordered_steps(
    present: &AttachedPolicies,
    own: &OwnPolicies,
    wanted: &WantedPolicies,
    accounts: &AccountPaths,
) -> Result<Vec<PolicyStep>, NoSafeOrder> {
    // Where ours was attached by others is taken back last: most often it guards somebody there.
    first_safe(present, own, wanted, accounts, &[Strays::Last, Strays::First])
}

/// The same without a step that takes a policy of ours away from where others attached it, or deletes one.
///
/// # Errors
/// As [`ordered_steps`].
pub(super) fn steps_that_take_nothing_back(
    present: &AttachedPolicies,
    own: &OwnPolicies,
    wanted: &WantedPolicies,
    accounts: &AccountPaths,
) -> Result<Vec<PolicyStep>, NoSafeOrder> {
    first_safe(present, own, wanted, accounts, &[Strays::Stay])
}

fn first_safe(
    present: &AttachedPolicies,
    own: &OwnPolicies,
    wanted: &WantedPolicies,
    accounts: &AccountPaths,
    ways: &[Strays],
) -> Result<Vec<PolicyStep>, NoSafeOrder> {
    let order = Order::new(present, own, wanted, accounts).map_err(NoSafeOrder::DoesNotFit)?;
    let mut first_error = None;
    for strays in ways.iter().copied() {
        let steps = order.steps(strays);
        match check_attached(present, &steps).and_then(|()| check_every_moment(present, &steps, accounts)) {
            Ok(()) => return Ok(steps),
            Err(error) => drop(first_error.get_or_insert(error)),
        }
    }
    first_error.map_or(Ok(Vec::new()), Err)
}

fn check_attached(present: &AttachedPolicies, steps: &[PolicyStep]) -> Result<(), NoSafeOrder> {
    let mut counts: BTreeMap<&AttachPoint, usize> =
        present.attached.iter().map(|(point, policies)| (point, policies.len())).collect();
    for step in steps {
        match step {
            PolicyStep::Attach { point, .. } => {
                let attached = counts.entry(point).or_default();
                *attached += 1;
                if *attached > MAX_ATTACHED {
                    return Err(NoSafeOrder::TooManyAttached { point: point.clone(), attached: *attached });
                }
            }
            PolicyStep::Detach { point, .. } => {
                counts.entry(point).and_modify(|attached| *attached = attached.saturating_sub(1));
            }
            PolicyStep::Create { .. }
            | PolicyStep::Update { .. }
            | PolicyStep::Check { .. }
            | PolicyStep::Delete { .. } => {}
        }
    }
    Ok(())
}

/// When ours are detached from points that they are not for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strays {
    Last,
    First,
    /// They stay, and what isn't needed any more is not deleted either.
    Stay,
}

/// Everything that is to be done, before it has an order.
struct Order<'a> {
    accounts: &'a AccountPaths,
    points: BTreeMap<AttachPoint, Vec<PartChange>>,
    /// Policies of ours on points that they are not for.
    strays: Vec<PolicyAt>,
    /// Policies of ours that are not needed any more.
    leftover: BTreeSet<PolicyKey>,
}

/// What becomes of one part of one point.
struct PartChange {
    part: PolicyPart,
    /// The policy, where there is one.
    policy: Option<PolicyKey>,
    is_attached: bool,
    /// Whether the policy says what `between` says.
    is_between: bool,
    /// What it has until everything else is attached: Regions that it loses are still in it.
    between: OwnDocument,
    /// What it has at the end; nothing, if it goes.
    end: OwnDocument,
    /// Whether it takes over a Region from another part.
    takes_over: bool,
}

impl<'a> Order<'a> {
    fn new(
        present: &AttachedPolicies,
        own: &OwnPolicies,
        wanted: &WantedPolicies,
        accounts: &'a AccountPaths,
    ) -> Result<Order<'a>, DoesNotFit> {
        let mut order =
            Order { accounts, points: BTreeMap::new(), strays: Vec::new(), leftover: BTreeSet::new() };
        let mut policies: BTreeMap<&AttachPoint, BTreeMap<usize, PolicyKey>> = BTreeMap::new();
        for (id, part) in own {
            let key = PolicyKey::Id(id.clone());
            let points = present.attached.iter().filter(|(_, policies)| policies.contains(&key));
            let parts = policies.entry(&part.point).or_default();
            // Two with one part can't be, since a name is unique. All but the first go.
            let is_second = parts.contains_key(&part.number);
            for (point, _) in points.filter(|(point, _)| is_second || **point != part.point) {
                order.strays.push(PolicyAt { policy: key.clone(), point: point.clone() });
            }
            if is_second {
                order.leftover.insert(key);
            } else {
                parts.insert(part.number, key);
            }
        }
        for point in policies.keys().copied().chain(wanted.keys()).collect::<BTreeSet<_>>() {
            let parts = policies.get(point).cloned().unwrap_or_default();
            let changes = part_changes(present, point, &parts, wanted.get(point))?;
            let goes = changes.iter().filter(|change| change.end.regions.is_empty());
            order.leftover.extend(goes.filter_map(|change| change.policy.clone()));
            order.points.insert(point.clone(), changes);
        }
        Ok(order)
    }

    fn steps(&self, strays: Strays) -> Vec<PolicyStep> {
        let mut steps = Vec::new();
        if strays == Strays::First {
            let mut taken_back = Vec::new();
            self.take_back(&mut taken_back);
            steps.extend(taken_back.into_iter().flat_map(|(_, steps)| steps));
        }
        let depths = self.depths();
        let depth = |point: &AttachPoint| depths.get(point).copied().unwrap_or_default();
        let mut upwards: Vec<&AttachPoint> = self.points.keys().collect();
        upwards.sort_by_key(|point| std::cmp::Reverse(depth(point)));
        for point in upwards {
            add_and_change(point, &self.points[point], &mut steps);
        }
        let mut downwards = Vec::new();
        let goes = |change: &&PartChange| change.end.regions.is_empty();
        for (point, changes) in &self.points {
            // What somebody edited beyond recognition stays attached, too, where nothing is to go.
            let changes = changes.iter().filter(|change| strays != Strays::Stay || !goes(change));
            downwards.extend(changes.map(|change| (point.clone(), take_away(point, change))));
        }
        if strays == Strays::Last {
            self.take_back(&mut downwards);
        }
        downwards.sort_by_key(|(point, _)| depth(point));
        steps.extend(downwards.into_iter().flat_map(|(_, steps)| steps));
        if strays != Strays::Stay {
            steps.extend(self.leftover.iter().map(|policy| PolicyStep::Delete { policy: policy.clone() }));
        }
        steps
    }

    fn take_back(&self, steps: &mut Vec<(AttachPoint, Vec<PolicyStep>)>) {
        for PolicyAt { policy, point } in &self.strays {
            let check = PolicyStep::Check { point: point.clone() };
            let detach = PolicyStep::Detach { policy: policy.clone(), point: point.clone() };
            steps.push((point.clone(), vec![check, detach]));
        }
    }

    /// How far each point is from the root.
    fn depths(&self) -> BTreeMap<AttachPoint, usize> {
        let chains = self.accounts.iter().map(|(account, path)| AttachPoint::chain(account, path));
        let deepest = chains.flat_map(|chain| chain.enumerate().map(|(depth, point)| (point, depth)));
        let mut depths: BTreeMap<AttachPoint, usize> = deepest.collect();
        // An account is below everything.
        for (point, depth) in &mut depths {
            if matches!(point, AttachPoint::Account(_)) {
                *depth = usize::MAX;
            }
        }
        depths
    }
}

fn part_changes(
    present: &AttachedPolicies,
    point: &AttachPoint,
    policies: &BTreeMap<usize, PolicyKey>,
    wanted: Option<&BTreeMap<Region, Enforcement>>,
) -> Result<Vec<PartChange>, DoesNotFit> {
    let attached = present.attached.get(point).map(Vec::as_slice).unwrap_or_default();
    let content = |key: &PolicyKey| present.contents.get(key).and_then(|content| content.as_ref().ok());
    // What isn't attached acts on nobody, so that nothing of it has to stay.
    let acting = |key: &PolicyKey| content(key).filter(|_| attached.contains(key)).map(OwnDocument::of);
    let now: PolicyParts =
        policies.iter().map(|(number, key)| (*number, acting(key).unwrap_or_default())).collect();
    let end = match wanted {
        Some(wanted) => split(point, wanted, &now)?,
        None => PolicyParts::new(),
    };
    let home =
        |region: &Region| end.iter().find(|(_, part)| part.regions.contains_key(region)).map(|(it, _)| *it);
    let numbers: BTreeSet<usize> = policies.keys().chain(end.keys()).copied().collect();
    let change = |number: usize| {
        let policy = policies.get(&number).cloned();
        let end = end.get(&number).cloned().unwrap_or_default();
        let mut between = end.clone();
        for (region, enforcement) in now.get(&number).into_iter().flat_map(|part| &part.regions) {
            if home(region).is_none() {
                between.regions.insert(region.clone(), enforcement.clone());
            }
        }
        let elsewhere = now.iter().filter(|(other, _)| **other != number);
        let mut elsewhere = elsewhere.flat_map(|(_, part)| part.regions.keys());
        PartChange {
            is_attached: policy.as_ref().is_some_and(|key| attached.contains(key)),
            is_between: policy.as_ref().and_then(content).is_some_and(|content| content.says(&between)),
            takes_over: elsewhere.any(|region| home(region) == Some(number)),
            part: PolicyPart { point: point.clone(), number },
            policy,
            between,
            end,
        }
    };
    Ok(numbers.into_iter().map(change).collect())
}

/// What one point gets, in the first half of the way.
fn add_and_change(point: &AttachPoint, changes: &[PartChange], steps: &mut Vec<PolicyStep>) {
    let (first, second): (Vec<_>, Vec<_>) = changes.iter().partition(|change| change.takes_over);
    let takes_over = !first.is_empty();
    first.into_iter().for_each(|change| add_or_change(point, change, steps));
    let mut later = Vec::new();
    second.into_iter().for_each(|change| add_or_change(point, change, &mut later));
    // What loses a Region waits for what takes it over, also where an earlier run wrote that.
    if takes_over && !later.is_empty() {
        steps.push(PolicyStep::Check { point: point.clone() });
    }
    steps.append(&mut later);
}

fn add_or_change(point: &AttachPoint, change: &PartChange, steps: &mut Vec<PolicyStep>) {
    let PartChange { part, policy, is_attached, is_between, between, end, takes_over: _ } = change;
    // What goes stays as it is until then.
    if end.regions.is_empty() {
        return;
    }
    let Some(policy) = policy else {
        steps.push(PolicyStep::Create { part: part.clone(), content: between.clone() });
        let policy = PolicyKey::New(part.clone());
        steps.push(PolicyStep::Attach { policy, point: point.clone() });
        return;
    };
    if !is_between {
        steps.push(PolicyStep::Update { policy: policy.clone(), content: between.clone() });
    }
    if !is_attached {
        steps.push(PolicyStep::Attach { policy: policy.clone(), point: point.clone() });
    }
}

/// What one part of a point loses, in the second half of the way.
fn take_away(point: &AttachPoint, change: &PartChange) -> Vec<PolicyStep> {
    let PartChange { policy: Some(policy), is_attached, between, end, .. } = change else {
        return Vec::new();
    };
    let check = PolicyStep::Check { point: point.clone() };
    if end.regions.is_empty() {
        let detach = PolicyStep::Detach { policy: policy.clone(), point: point.clone() };
        return if *is_attached { vec![check, detach] } else { Vec::new() };
    }
    if between == end {
        return Vec::new();
    }
    vec![check, PolicyStep::Update { policy: policy.clone(), content: end.clone() }]
}
