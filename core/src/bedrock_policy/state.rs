//! How the effective policy that AWS publishes to an account stands to what the attached policies come to, and where
//! each value comes from.
//!
//! | AWS shows | the attached policies | state |
//! | --- | --- | --- |
//! | that there is no effective policy | there are none, as far as they could be read | not set up |
//! | that there is no effective policy | there are some | differs |
//! | errors of validation | – | frozen |
//! | nothing that this program can read | – | unreadable |
//! | a policy, but not whether it has errors | – | not known |
//! | an empty policy | there are none | no policy |
//! | a policy | come to it, in one of the orders in which those of one point may have been attached | published |
//! | a policy | one of them, or a list of them, can't be read | not known |
//! | a policy | come to something else | differs: not published yet, or merged otherwise than predicted |

use std::collections::{BTreeMap, BTreeSet};

use super::effective::EffectivePolicy;
use super::ids::PolicyAt;
use super::leaf::{LeafPath, LeafValue, ValueOrigin};
use super::merge::{Forbidden, MergedPolicy};
use super::predict::{Forecast, Prediction};
use super::seen::{PublishedPolicy, SeenAccountPolicies};
use crate::words::words;

words! {
    /// How an account stands on the organization level.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum AccountPolicyState {
        /// Bedrock policies are not enabled in the organization.
        NotSetUp = "not_set_up",
        /// They are, and none reaches the account.
        NoPolicy = "no_policy",
        /// What AWS publishes is what the attached policies come to.
        Published = "published",
        /// It is something else: not published yet, which takes seconds, or merged otherwise than predicted.
        Differs = "differs",
        /// The merge is invalid: the account keeps its last valid effective policy, and no later change reaches it, not
        /// even the one that would undo the mistake, before every error is gone.
        Frozen = "frozen",
        /// What AWS publishes can't be read, or has a form that this program doesn't know.
        Unreadable = "unreadable",
        /// What AWS publishes is known; whether it is right isn't, because something else can't be read.
        NotKnown = "not_known",
    }

    /// A short stable name.
    pub fn code(self) -> &'static str;
}

impl AccountPolicyState {
    /// Whether everything is known, and as it should be.
    pub fn is_good(self) -> bool {
        match self {
            AccountPolicyState::NotSetUp | AccountPolicyState::NoPolicy | AccountPolicyState::Published => {
                true
            }
            AccountPolicyState::Differs
            | AccountPolicyState::Frozen
            | AccountPolicyState::Unreadable
            | AccountPolicyState::NotKnown => false,
        }
    }

    /// What it means, and what to do about it.
    pub fn meaning(self) -> &'static str {
        match self {
            AccountPolicyState::NotSetUp => "Bedrock policies are not enabled in the organization",
            AccountPolicyState::NoPolicy => {
                "Bedrock policies are enabled, and none is attached on the account's path"
            }
            AccountPolicyState::Published => "AWS publishes what the attached policies come to",
            AccountPolicyState::Differs => {
                "AWS publishes something else than the attached policies come to: a change is published within seconds, so \
                 run it again; if it stays so, AWS merges otherwise than docs/organization-level.md says, and we ask for \
                 a report"
            }
            AccountPolicyState::Frozen => {
                "the attached policies don't merge into a valid one: the account keeps its last valid effective policy, \
                 and no change of a Bedrock policy reaches it before every error is corrected"
            }
            AccountPolicyState::Unreadable => "what AWS publishes is not known, because it could not be read",
            AccountPolicyState::NotKnown => {
                "whether what AWS publishes is right is not known: see what could not be read"
            }
        }
    }
}

/// One value of an effective policy: what AWS publishes, and what the attached policies come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedValue {
    /// Where it stands.
    pub path: LeafPath,
    /// What AWS publishes there.
    pub published: Option<LeafValue>,
    /// What the attached policies come to there, in the order in which AWS lists them.
    pub computed: Option<LeafValue>,
    /// What it could be if those of one point had been attached in another order; empty where that makes no difference.
    pub possible: BTreeSet<LeafValue>,
    /// Where it comes from: what is published, if that is known. Nothing, where no attached policy says it.
    pub origin: ValueOrigin,
    /// Other policies of the same point that assign the same: to change the value is to change these too.
    pub also: BTreeSet<PolicyAt>,
}

impl ExplainedValue {
    /// Whether AWS publishes what the attached policies come to, or can come to in another order of attachment. A list
    /// without items is as good as none: AWS may leave it out.
    pub fn agrees(&self) -> bool {
        fn said(value: Option<&LeafValue>) -> Option<&LeafValue> {
            value.filter(|value| !matches!(value, LeafValue::List(items) if items.is_empty()))
        }
        let published = said(self.published.as_ref());
        published == said(self.computed.as_ref())
            || self.possible.iter().any(|possible| said(Some(possible)) == published)
    }
}

/// How an account stands, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedPolicy {
    /// How it stands.
    pub state: AccountPolicyState,
    /// Whether AWS's effective policy was read: only then says a missing published value that there is none.
    pub is_published_known: bool,
    /// Every value that is published or computed, by its path.
    pub values: Vec<ExplainedValue>,
    /// What attached policies say in vain, because one above forbids it.
    pub forbidden: BTreeSet<Forbidden>,
    /// What the attached policies come to; `None` where a list of them could not be read.
    pub computed: Option<Prediction>,
    /// What else they may come to: AWS's answer to a question of [`super::MergeRules`] decides.
    pub otherwise: Vec<Prediction>,
}

impl SeenAccountPolicies {
    /// How the account stands, and where each value of its effective policy comes from.
    pub fn explained(&self) -> ExplainedPolicy {
        let forecast = self.forecast();
        let predictions = forecast.as_deref().map_or(&[][..], |forecast| &forecast.predictions);
        let compared: Vec<Option<Vec<ExplainedValue>>> =
            predictions.iter().map(|(_, prediction)| self.values_under(prediction)).collect();
        let agrees = |values: &Option<Vec<ExplainedValue>>| {
            values.as_ref().is_some_and(|values| values.iter().all(ExplainedValue::agrees))
        };
        let agreeing = self.effective().and_then(|_| compared.iter().position(agrees));
        // Where nothing agrees, the first that isn't an error says more than one that is.
        let chosen = agreeing.or_else(|| compared.iter().position(Option::is_some)).unwrap_or(0);
        let values = compared.into_iter().nth(chosen).flatten();
        let computed = predictions.get(chosen).map(|(_, prediction)| prediction.clone());
        let others = predictions.iter().enumerate().filter(|(index, _)| *index != chosen);
        ExplainedPolicy {
            state: self.state(forecast.as_deref(), agreeing.is_some()),
            is_published_known: self.effective().is_some(),
            values: values.unwrap_or_else(|| self.values(&MergedPolicy::default())),
            forbidden: match &computed {
                Some(Prediction::Effective(merged)) => merged.forbidden.clone(),
                Some(Prediction::Frozen(_) | Prediction::Unreadable(_)) | None => BTreeSet::new(),
            },
            computed,
            otherwise: others.map(|(_, (_, prediction))| prediction.clone()).collect(),
        }
    }

    fn state(&self, forecast: Option<&Forecast>, agrees: bool) -> AccountPolicyState {
        let published = match (&self.published, &self.errors) {
            // A member may be answered so where it has no effective policy. What is attached says more.
            (Ok(PublishedPolicy::NotSetUp), _) => {
                let is_attached = self.attached.values().flatten().any(|listed| !listed.is_empty());
                return if is_attached { AccountPolicyState::Differs } else { AccountPolicyState::NotSetUp };
            }
            (_, Ok(errors)) if !errors.is_empty() => return AccountPolicyState::Frozen,
            (Err(_) | Ok(PublishedPolicy::Strange(_)), _) => return AccountPolicyState::Unreadable,
            // A frozen account looks healthy: what it keeps is valid, and may even be what is attached.
            (Ok(PublishedPolicy::Effective(_)), Err(_)) => return AccountPolicyState::NotKnown,
            (Ok(PublishedPolicy::Effective(published)), Ok(_)) => published,
        };
        let is_unreadable = |forecast: &Forecast| {
            let mut predictions = forecast.predictions.iter();
            predictions.any(|(_, prediction)| matches!(prediction, Prediction::Unreadable(_)))
        };
        match forecast {
            Some(_) if published.leaves().is_empty() && self.has_no_policy() => AccountPolicyState::NoPolicy,
            Some(_) if agrees => AccountPolicyState::Published,
            Some(forecast) if !is_unreadable(forecast) => AccountPolicyState::Differs,
            Some(_) | None => AccountPolicyState::NotKnown,
        }
    }

    /// What is published, beside what a prediction has; `None` where it predicts no policy.
    fn values_under(&self, prediction: &Prediction) -> Option<Vec<ExplainedValue>> {
        match prediction {
            Prediction::Effective(merged) => Some(self.values(merged)),
            Prediction::Frozen(_) | Prediction::Unreadable(_) => None,
        }
    }

    fn values(&self, merged: &MergedPolicy) -> Vec<ExplainedValue> {
        let nothing = EffectivePolicy::default();
        let published = self.effective().unwrap_or(&nothing).leaves();
        let computed = merged.effective.leaves();
        let mut partners: BTreeMap<&LeafPath, &LeafPath> = BTreeMap::new();
        for path in computed.keys() {
            partners.extend(partner(path, computed, published).map(|partner| (partner, path)));
        }
        let of_computed = computed.iter().map(|(path, value)| {
            let partner = partner(path, computed, published);
            let published = partner.and_then(|partner| published.get(partner)).cloned();
            let possible = merged.contested.get(path).cloned().unwrap_or_default();
            let origin = self.origin(path, value, published.as_ref(), merged);
            let also = self.also(path, &origin);
            let path = partner.unwrap_or(path).clone();
            ExplainedValue { path, published, computed: Some(value.clone()), possible, origin, also }
        });
        let alone = published.iter().filter(|(path, _)| !partners.contains_key(path));
        let alone = alone.map(|(path, value)| ExplainedValue {
            path: path.clone(),
            published: Some(value.clone()),
            computed: None,
            possible: BTreeSet::new(),
            origin: ValueOrigin::default(),
            also: BTreeSet::new(),
        });
        let mut values: Vec<ExplainedValue> = of_computed.chain(alone).collect();
        values.sort_by(|one, other| one.path.cmp(&other.path));
        values
    }

    /// Where a value comes from. Of peers that contradict each other, the one that says what is published was first.
    fn origin(
        &self,
        path: &LeafPath,
        computed: &LeafValue,
        published: Option<&LeafValue>,
        merged: &MergedPolicy,
    ) -> ValueOrigin {
        let origin = merged.origins.get(path).cloned().unwrap_or_default();
        let Some(published) = published.filter(|value| *value != computed) else { return origin };
        let Some(first) = origin.assigned.as_ref().filter(|_| merged.contested.contains_key(path)) else {
            return origin;
        };
        let assigned = self.assigning(&first.point, path, published).pop_first();
        ValueOrigin { assigned, ..origin }
    }

    fn also(&self, path: &LeafPath, origin: &ValueOrigin) -> BTreeSet<PolicyAt> {
        let Some(assigned) = &origin.assigned else { return BTreeSet::new() };
        let Some(value) = self.assigned_by(&assigned.policy, path) else { return BTreeSet::new() };
        let mut also = self.assigning(&assigned.point, path, &value);
        also.remove(assigned);
        also
    }
}

/// The published value that belongs to a computed one: AWS may publish keys in lower case.
fn partner<'a>(
    path: &LeafPath,
    computed: &BTreeMap<LeafPath, LeafValue>,
    published: &'a BTreeMap<LeafPath, LeafValue>,
) -> Option<&'a LeafPath> {
    if let Some((exactly, _)) = published.get_key_value(path) {
        return Some(exactly);
    }
    let key = path.in_lower_case();
    published.keys().find(|other| other.in_lower_case() == key && !computed.contains_key(other))
}
