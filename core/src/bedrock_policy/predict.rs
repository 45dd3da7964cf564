//! Predicts the effective policy of every account, from what is attached where.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::document::BedrockPolicy;
use super::ids::{AttachPoint, PolicyAt, PolicyKey};
use super::merge::{MergeError, MergeLevel, MergedPolicy, merge};
use super::problem::InvalidBedrockPolicy;
use super::rules::MergeRules;
use crate::ids::AccountId;
use crate::organization::OrgPath;

/// The Bedrock policies of an organization, foreign ones included, and where they are attached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttachedPolicies {
    /// What each policy says, or why that can't be read.
    pub contents: BTreeMap<PolicyKey, Result<BedrockPolicy, InvalidBedrockPolicy>>,
    /// The policies of each point, in the order in which `ListPoliciesForTarget` lists them. Whether that is the
    /// order of attachment isn't documented.
    pub attached: BTreeMap<AttachPoint, Vec<PolicyKey>>,
}

/// Where each account stands.
pub type AccountPaths = BTreeMap<AccountId, OrgPath>;

/// What an account's effective policy will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prediction {
    /// This.
    Effective(Box<MergedPolicy>),
    /// The merge is invalid: the account keeps what it had, and no later change of a Bedrock policy reaches it, before
    /// each of these reasons is gone.
    Frozen(BTreeSet<MergeError>),
    /// The content of these policies could not be read.
    Unreadable(BTreeSet<PolicyAt>),
}

impl fmt::Display for Prediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Prediction::Effective(merged) => f.write_str(&merged.effective.text()),
            Prediction::Frozen(errors) => {
                f.write_str("frozen:")?;
                errors.iter().try_for_each(|error| write!(f, " {error};"))?;
                f.write_str(" no change of a Bedrock policy reaches the account before that is corrected")
            }
            Prediction::Unreadable(policies) => {
                f.write_str("not known, because these can't be read:")?;
                policies.iter().try_for_each(|policy| write!(f, " {policy}"))
            }
        }
    }
}

/// What an account's effective policy may be: one prediction for each answer of [`MergeRules`] that makes a
/// difference, never none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// Each different prediction, with the first rules that lead to it.
    pub predictions: Vec<(MergeRules, Prediction)>,
}

impl Forecast {
    /// The prediction, where every answer leads to the same, and no order of peers to another.
    pub fn certain(&self) -> Option<&Prediction> {
        match self.predictions.as_slice() {
            [(_, prediction)] if !self.depends_on_order() => Some(prediction),
            _ => None,
        }
    }

    /// Whether the order in which the policies of one point were attached makes a difference. AWS shows no such order.
    pub fn depends_on_order(&self) -> bool {
        self.predictions.iter().any(|(_, prediction)| match prediction {
            Prediction::Effective(merged) => !merged.contested.is_empty(),
            Prediction::Frozen(_) | Prediction::Unreadable(_) => false,
        })
    }
}

impl AttachedPolicies {
    /// The points of a chain that have policies.
    pub(super) fn of_chain(&self, chain: impl IntoIterator<Item = AttachPoint>) -> Vec<AttachPoint> {
        let has_any = |point: &AttachPoint| self.attached.get(point).is_some_and(|them| !them.is_empty());
        chain.into_iter().filter(has_any).collect()
    }

    /// The levels of a chain.
    ///
    /// # Errors
    /// The policies that can't be read.
    pub(super) fn levels<'a>(
        &'a self,
        chain: &'a [AttachPoint],
    ) -> Result<Vec<MergeLevel<'a>>, BTreeSet<PolicyAt>> {
        let mut unreadable = BTreeSet::new();
        let mut levels = Vec::new();
        for point in chain {
            let mut policies = Vec::new();
            for key in self.attached.get(point).into_iter().flatten() {
                match self.contents.get(key) {
                    Some(Ok(document)) => policies.push((key, document)),
                    // What is attached and wasn't read says nothing good.
                    Some(Err(_)) | None => {
                        unreadable.insert(PolicyAt { policy: key.clone(), point: point.clone() });
                    }
                }
            }
            levels.push(MergeLevel { point, policies });
        }
        if unreadable.is_empty() { Ok(levels) } else { Err(unreadable) }
    }

    fn predict_chain(&self, chain: &[AttachPoint], rules: MergeRules) -> Prediction {
        match self.levels(chain).map(|levels| merge(&levels, rules)) {
            Ok(Ok(merged)) => Prediction::Effective(Box::new(merged)),
            Ok(Err(errors)) => Prediction::Frozen(errors),
            Err(policies) => Prediction::Unreadable(policies),
        }
    }

    fn forecast_chain(&self, chain: &[AttachPoint]) -> Forecast {
        let documents = self.levels(chain).unwrap_or_default();
        let documents = documents.iter().flat_map(|level| level.policies.iter().map(|(_, it)| *it));
        let mut predictions: Vec<(MergeRules, Prediction)> = Vec::new();
        for rules in MergeRules::that_matter(documents) {
            let prediction = self.predict_chain(chain, rules);
            if predictions.iter().all(|(_, other)| *other != prediction) {
                predictions.push((rules, prediction));
            }
        }
        Forecast { predictions }
    }
}

/// The effective policy of each account, under these rules and in the order that AWS lists policies in.
pub fn predict(
    policies: &AttachedPolicies,
    accounts: &AccountPaths,
    rules: MergeRules,
) -> BTreeMap<AccountId, Arc<Prediction>> {
    for_each_chain(policies, accounts, |chain| policies.predict_chain(chain, rules))
}

/// The effective policy of each account, under every answer to what isn't known.
pub fn forecast(policies: &AttachedPolicies, accounts: &AccountPaths) -> BTreeMap<AccountId, Arc<Forecast>> {
    for_each_chain(policies, accounts, |chain| policies.forecast_chain(chain))
}

/// Puts accounts together that the same points with policies reach: they have the same effective policy, unless one is
/// frozen. Accounts that no policy reaches are left out.
pub fn reached_alike(
    points: &BTreeSet<AttachPoint>,
    accounts: &AccountPaths,
) -> BTreeMap<Vec<AttachPoint>, BTreeSet<AccountId>> {
    let mut alike: BTreeMap<Vec<AttachPoint>, BTreeSet<AccountId>> = BTreeMap::new();
    for (account, path) in accounts {
        let chain: Vec<AttachPoint> =
            AttachPoint::chain(account, path).filter(|point| points.contains(point)).collect();
        if !chain.is_empty() {
            alike.entry(chain).or_default().insert(account.clone());
        }
    }
    alike
}

/// Accounts with the same policies on their paths share one result: most of an organization has few.
fn for_each_chain<T>(
    policies: &AttachedPolicies,
    accounts: &AccountPaths,
    result: impl Fn(&[AttachPoint]) -> T,
) -> BTreeMap<AccountId, Arc<T>> {
    let mut known: BTreeMap<Vec<AttachPoint>, Arc<T>> = BTreeMap::new();
    let mut results = BTreeMap::new();
    for (account, path) in accounts {
        let chain = policies.of_chain(AttachPoint::chain(account, path));
        let shared = match known.get(&chain) {
            Some(shared) => Arc::clone(shared),
            None => {
                let shared = Arc::new(result(&chain));
                known.insert(chain, Arc::clone(&shared));
                shared
            }
        };
        results.insert(account.clone(), shared);
    }
    results
}
