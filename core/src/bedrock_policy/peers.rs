//! The orders in which the policies of one point may have been attached: AWS shows none, and the first of those that
//! contradict each other decides.

use std::collections::{BTreeMap, BTreeSet};

use super::ids::{AttachPoint, PolicyAt, PolicyKey};
use super::leaf::{LeafPath, LeafValue};
use super::merge::MergeLevel;
use super::predict::AttachedPolicies;

/// The most orders of peers that are looked at for one account.
///
/// Five policies of one point that contradict each other have as many. Each order is merged in every state, under every
/// answer.
const MAX_ORDERS: usize = 120;

/// The policies of each point that contradict each other, in one of the orders in which they may have been attached.
pub(super) type PeerOrder = BTreeMap<AttachPoint, Vec<PolicyKey>>;

/// Puts the policies of each level into an order. That of those which contradict nobody makes no difference.
pub(super) fn in_order(levels: &mut [MergeLevel<'_>], order: &PeerOrder) {
    for level in levels {
        let order = order.get(level.point);
        level.policies.sort_by_key(|(key, _)| order?.iter().position(|other| other == *key));
    }
}

/// Every order of the policies that contradict each other on one point, in any of these states.
///
/// # Errors
/// The policies of a point, where there are too many orders to look at.
pub(super) fn peer_orders(
    chain: &[AttachPoint],
    states: &[&AttachedPolicies],
) -> Result<Vec<PeerOrder>, BTreeSet<PolicyAt>> {
    let mut orders = vec![PeerOrder::new()];
    for point in chain {
        let contradicting = contradicting(states, point);
        if (1..=contradicting.len()).product::<usize>().saturating_mul(orders.len()) > MAX_ORDERS {
            let at = |policy| PolicyAt { policy, point: point.clone() };
            return Err(contradicting.into_iter().map(at).collect());
        }
        let contradicting: Vec<PolicyKey> = contradicting.into_iter().collect();
        let mut more = Vec::new();
        for permutation in permutations(&contradicting) {
            for order in &orders {
                let mut order = order.clone();
                order.insert(point.clone(), permutation.clone());
                more.push(order);
            }
        }
        orders = more;
    }
    Ok(orders)
}

fn contradicting(states: &[&AttachedPolicies], point: &AttachPoint) -> BTreeSet<PolicyKey> {
    let mut assigned: BTreeMap<LeafPath, Vec<(&PolicyKey, &LeafValue)>> = BTreeMap::new();
    for state in states {
        for key in state.attached.get(point).into_iter().flatten() {
            let Some(Ok(document)) = state.contents.get(key) else { continue };
            for (path, leaf) in &document.leaves {
                if let Some(value) = &leaf.assign {
                    assigned.entry(path.in_lower_case()).or_default().push((key, value));
                }
            }
        }
    }
    let mut contradicting = BTreeSet::new();
    for values in assigned.values() {
        let differ = |(key, value): &(&PolicyKey, &LeafValue)| {
            values.iter().any(|(other, theirs)| other != key && theirs != value)
        };
        contradicting.extend(values.iter().filter(|it| differ(it)).map(|(key, _)| (*key).clone()));
    }
    contradicting
}

fn permutations(of: &[PolicyKey]) -> Vec<Vec<PolicyKey>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (position, first) in of.iter().enumerate() {
        let rest: Vec<PolicyKey> = of
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != position)
            .map(|(_, key)| key.clone())
            .collect();
        for mut permutation in permutations(&rest) {
            permutation.insert(0, first.clone());
            all.push(permutation);
        }
    }
    all
}
