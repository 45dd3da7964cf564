//! What is wanted, with the guardrail's ARN: `Desired` after a look into the owner account.
//!
//! Separate from `Desired` because the same wish ends in different ARNs: each Region has its own
//! guardrail, and with copies each account has too.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::baseline::{Existing, GuardrailKey, GuardrailName, OnUnusable, Placement};
use crate::desired::{Desired, Wanted, WantedGuardrail};
use crate::enforcement::Enforcement;
use crate::failure::Failure;
use crate::ids::{GuardrailArn, GuardrailVersion, Region, Target};

/// What the owner account was seen to hold, for every guardrail and Region that a run needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// One entry per guardrail of the baseline and Region.
    pub entries: BTreeMap<(GuardrailKey, Region), CatalogEntry>,
}

/// One guardrail in one Region, as the owner account showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogEntry {
    /// The guardrail, where it could be found at all.
    pub arn: Option<GuardrailArn>,
    /// Why the version asked for can't be enforced; `None` if it can.
    pub unusable: Option<Unusable>,
}

/// Why a guardrail can't be enforced. Displays as what is wrong and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Unusable {
    /// No guardrail of that name in the Region.
    NotFound {
        /// The name that was looked for.
        name: GuardrailName,
    },
    /// Several guardrails of that name in the Region.
    Ambiguous {
        /// The name that was looked for.
        name: GuardrailName,
        /// How many there are.
        count: usize,
    },
    /// The guardrail, or this version of it, is gone or was never made.
    Missing {
        /// The guardrail.
        guardrail: GuardrailArn,
        /// The version.
        version: GuardrailVersion,
    },
    /// The version exists but isn't ready.
    NotReady {
        /// Bedrock's word for its state, for example `CREATING` or `FAILED`.
        status: String,
    },
    /// It carries an Automated Reasoning policy, which fails at run time when enforced.
    AutomatedReasoning,
    /// The owner account could not be read, so nothing is known.
    Unreadable {
        /// Why.
        failure: Failure,
    },
    /// The baseline asks for a copy in each member.
    CopyUnsupported,
}

impl Unusable {
    /// Whether it is known to be unusable, or only not known to be usable.
    pub fn is_certain(&self) -> bool {
        match self {
            Unusable::NotFound { .. }
            | Unusable::Ambiguous { .. }
            | Unusable::Missing { .. }
            | Unusable::NotReady { .. }
            | Unusable::AutomatedReasoning => true,
            Unusable::Unreadable { .. } | Unusable::CopyUnsupported => false,
        }
    }

    /// Whether time alone may mend it.
    pub fn is_worth_waiting(&self) -> bool {
        match self {
            Unusable::NotReady { status } => {
                status == "CREATING" || status == "UPDATING" || status == "VERSIONING"
            }
            Unusable::Unreadable { failure } => failure.category.is_worth_waiting(),
            Unusable::NotFound { .. }
            | Unusable::Ambiguous { .. }
            | Unusable::Missing { .. }
            | Unusable::AutomatedReasoning
            | Unusable::CopyUnsupported => false,
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusable::NotFound { name } => {
                write!(f, "no guardrail named {name} in this Region of the owner account: create it there, or take the Region out of the baseline")
            }
            Unusable::Ambiguous { name, count } => {
                write!(f, "{count} guardrails are named {name} in this Region: give its ARN in the baseline")
            }
            Unusable::Missing { guardrail, version } => {
                write!(f, "guardrail {} has no version {version} in this Region: publish it, or correct the baseline", guardrail.id)
            }
            Unusable::NotReady { status } => write!(f, "the guardrail is {status}, not READY"),
            Unusable::AutomatedReasoning => {
                f.write_str("it carries an Automated Reasoning policy, which fails every call when enforced: publish a version without one")
            }
            Unusable::Unreadable { failure } => write!(f, "the owner account could not be read: {failure}"),
            Unusable::CopyUnsupported => f.write_str("`placement: copy` is not supported by this version: use central"),
        }
    }
}

/// What is wanted of every target, with nothing left to look up.
pub type Resolved = BTreeMap<Target, Wish>;

/// What is wanted of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// This enforcement.
    Enforce(Enforce),
    /// No enforcement.
    Nothing,
    /// Nobody said: keep what is there.
    Unassigned,
    /// Hands off.
    Excluded,
}

/// An enforcement that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enforce {
    /// What the baseline calls the guardrail.
    pub key: GuardrailKey,
    /// What should be enforced; `None` where no such guardrail could be found.
    pub enforcement: Option<Enforcement>,
    /// Why it can't be enforced.
    pub unusable: Option<Unusable>,
    /// Why what is enforced in its stead can't be used either, where that was looked up: the
    /// guardrail behind an earlier version or an earlier name may be dead, too.
    pub present_unusable: Option<Unusable>,
    /// What to do with a configuration that somebody else made.
    pub existing: Existing,
    /// What to do with an enforcement whose guardrail can't be used.
    pub on_unusable: OnUnusable,
}

/// Puts ARNs to wishes.
pub fn resolve(desired: Desired, catalog: &Catalog) -> Resolved {
    desired
        .into_iter()
        .map(|(target, wanted)| {
            let wish = match wanted {
                Wanted::Guardrail(wanted) => {
                    Wish::Enforce(resolve_guardrail(wanted, &target.region, catalog))
                }
                Wanted::Nothing => Wish::Nothing,
                Wanted::Unassigned => Wish::Unassigned,
                Wanted::Excluded => Wish::Excluded,
            };
            (target, wish)
        })
        .collect()
}

fn resolve_guardrail(wanted: WantedGuardrail, region: &Region, catalog: &Catalog) -> Enforce {
    let WantedGuardrail { key, source, guardrail, existing } = wanted;
    let entry = match guardrail.placement {
        Placement::Central => catalog.entries.get(&(key.clone(), region.clone())).cloned(),
        Placement::Copy => Some(CatalogEntry { arn: None, unusable: Some(Unusable::CopyUnsupported) }),
    };
    // Whoever filled the catalog left this one out; that is not "usable".
    let entry = entry.unwrap_or_else(|| CatalogEntry {
        arn: None,
        unusable: Some(Unusable::Unreadable { failure: Failure::not_looked_up(&key) }),
    });
    Enforce {
        enforcement: entry.arn.map(|arn| Enforcement {
            guardrail: arn,
            version: source.version,
            models: guardrail.models,
            guarding: guardrail.guarding,
        }),
        key,
        unusable: entry.unusable,
        present_unusable: None,
        existing,
        on_unusable: guardrail.on_unusable,
    }
}
