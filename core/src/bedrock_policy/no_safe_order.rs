//! Why no order of writes is safe, and so nothing is written.

use std::collections::BTreeSet;
use std::fmt;

use super::ids::{AttachPoint, PolicyAt};
use super::merge::MergeError;
use super::order::MAX_ATTACHED;
use super::split::DoesNotFit;
use super::step::PolicyStep;
use crate::ids::AccountId;

/// Why nothing is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoSafeOrder {
    /// What is wanted doesn't fit into policies.
    DoesNotFit(DoesNotFit),
    /// A point would have more policies than AWS allows.
    TooManyAttached {
        /// Where.
        point: AttachPoint,
        /// How many would be attached at once, foreign ones included.
        attached: usize,
    },
    /// An account's effective policy can't be predicted, because policies can't be read.
    Unreadable {
        /// Whose.
        account: AccountId,
        /// Which.
        policies: BTreeSet<PolicyAt>,
    },
    /// An account would be frozen.
    Freezes {
        /// Which.
        account: AccountId,
        /// The step that does it.
        step: Box<PolicyStep>,
        /// Why.
        errors: BTreeSet<MergeError>,
    },
    /// An account would for a moment have neither what it has now nor what it has at the end.
    Gap {
        /// Which.
        account: AccountId,
        /// Where.
        region: String,
        /// The step after which that is so.
        step: Box<PolicyStep>,
        /// The policies that its configuration would come from; nothing, if it would be unguarded.
        policies: BTreeSet<PolicyAt>,
    },
    /// So many policies of one point contradict each other that not every order of them was looked at.
    TooManyOrders {
        /// An account below it.
        account: AccountId,
        /// The policies.
        policies: BTreeSet<PolicyAt>,
    },
}

impl fmt::Display for NoSafeOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |policies: &BTreeSet<PolicyAt>| {
            policies.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        match self {
            NoSafeOrder::DoesNotFit(error) => error.fmt(f),
            NoSafeOrder::TooManyAttached { point, attached } => write!(
                f,
                "{point} would have {attached} Bedrock policies, and AWS allows {MAX_ATTACHED}; detach some of the others"
            ),
            NoSafeOrder::Unreadable { account, policies } => write!(
                f,
                "what {account} would get can't be predicted, because these policies can't be read: {}; correct them, or \
                 update the keeper",
                list(policies)
            ),
            NoSafeOrder::Freezes { account, step, errors } => {
                write!(f, "to {step} would freeze {account}:")?;
                errors.iter().try_for_each(|error| write!(f, " {error};"))?;
                f.write_str(" correct the policies that are not the keeper's")
            }
            NoSafeOrder::Gap { account, region, step, policies } if policies.is_empty() => write!(
                f,
                "after the step to {step}, {account} would be unguarded in {region} for a moment; see which other \
                 Bedrock policies act there"
            ),
            NoSafeOrder::Gap { account, region, step, policies } => write!(
                f,
                "after the step to {step}, {account} would have in {region} for a moment what it has neither now nor at \
                 the end, from {}; see what other Bedrock policies do there",
                list(policies)
            ),
            NoSafeOrder::TooManyOrders { account, policies } => write!(
                f,
                "what {account} would get depends on the order in which these policies were attached, which AWS doesn't \
                 show, and there are too many to look at every order: {}; detach some of them",
                list(policies)
            ),
        }
    }
}

impl std::error::Error for NoSafeOrder {}
