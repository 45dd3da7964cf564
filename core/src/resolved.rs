//! What is wanted, with the guardrail's ARN: `Desired` after a look into the owner account.
//!
//! Separate from `Desired` because the same desired state ends in different ARNs: each Region has its own
//! guardrail, and with copies each account has too.

mod differing;
mod key;
mod owner_snapshot;
mod unusable;

use std::collections::BTreeMap;

use crate::baseline::{Existing, GuardrailKey, OnUnusable, Placement};
use crate::content::Digest;
use crate::copy::{CopyStep, CopyVerdict, Published};
use crate::desired::{Desired, Wanted, WantedGuardrail};
use crate::enforcement::Enforcement;
use crate::failure::Failure;
use crate::ids::{GuardrailArn, GuardrailVersion, OrganizationId, Region, Target};
use crate::observed::ResourcePolicySeen;
use crate::resource_policy::{
    AccessVerdict, Action, Document, Ensure, Grant, MissingGrant, ProfileArn, Resource, ensure, judge,
};

pub use differing::{Differing, differing};
pub use key::{CustomerKey, KeyState};
pub use owner_snapshot::{Openings, OwnerSnapshot, newly_open};
pub use unusable::{DRAFT, Unusable};

/// What the owner account was seen to hold, for every guardrail and Region that a run needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// One entry per guardrail of the baseline and Region.
    pub entries: BTreeMap<(GuardrailKey, Region), CatalogEntry>,
    /// The resource policies of those guardrails and of their cross-Region profiles.
    pub resource_policies: BTreeMap<Resource, ResourcePolicySeen>,
    /// Why there is no original to copy, of a guardrail that members get copies of.
    pub uncopied: BTreeMap<(GuardrailKey, Region), Unusable>,
    /// Where members get copies: what a look at each came to.
    pub copies: BTreeMap<Target, Result<CopyVerdict, Failure>>,
}

impl Catalog {
    /// The same, once these resource policies are in place.
    #[must_use]
    pub fn once_granted(&self, resource_policies: BTreeMap<Resource, Document>) -> Catalog {
        let mut then = self.clone();
        then.resource_policies.extend(
            resource_policies
                .into_iter()
                .map(|(resource, document)| (resource, ResourcePolicySeen::Attached(document))),
        );
        then
    }
}

/// One guardrail in one Region, as the owner account showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogEntry {
    /// The guardrail, where it could be found at all.
    pub arn: Option<GuardrailArn>,
    /// Why the version asked for can't be enforced; `None` if it can.
    pub unusable: Option<Unusable>,
    /// The guardrail profile that it uses for inference in other Regions, which has a resource policy of its own.
    pub profile: Option<ProfileArn>,
    /// What the version does, comparable between Regions; `None` where that isn't known.
    pub content: Option<Digest>,
    /// The customer managed key that it is encrypted with, where it is.
    pub customer_key: Option<CustomerKey>,
}

impl CatalogEntry {
    /// A guardrail that could not be found or looked at.
    pub fn unusable(unusable: Unusable) -> CatalogEntry {
        CatalogEntry { arn: None, unusable: Some(unusable), profile: None, content: None, customer_key: None }
    }

    /// What must be granted to the accounts that apply the guardrail.
    pub fn resources(&self) -> impl Iterator<Item = Resource> {
        let guardrail = self.arn.clone().map(Resource::Guardrail);
        guardrail.into_iter().chain(self.profile.clone().map(Resource::Profile))
    }
}

/// What is wanted of every target, with nothing left to look up.
pub type Resolved = BTreeMap<Target, ResolvedTarget>;

/// What is wanted of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolvedTarget {
    /// This enforcement.
    Enforce(Box<Enforce>),
    /// No enforcement.
    Nothing {
        /// What to do with a foreign configuration.
        existing: Existing,
    },
    /// The baseline doesn't say: keep what is there.
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
    /// Where that is the account's copy: the version of the owner's guardrail that it is a copy of.
    pub copied: Option<GuardrailVersion>,
    /// Why it can't be enforced.
    pub unusable: Option<Unusable>,
    /// Why what is enforced in its stead can't be used either, where that was looked up: the
    /// guardrail behind an earlier version or an earlier name may be dead, too.
    pub present_unusable: Option<Unusable>,
    /// What is to be done about the account's copy before it can be enforced.
    pub copy: Option<CopyWork>,
    /// What to do with a foreign configuration.
    pub existing: Existing,
    /// What to do with an enforcement whose guardrail can't be used.
    pub on_unusable: OnUnusable,
}

/// Work on an account's copy of a guardrail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyWork {
    /// The version that is copied.
    pub original: Published,
    /// The next step.
    pub step: CopyStep,
}

/// Fills in the ARNs of what is desired.
pub fn resolve(desired: Desired, catalog: &Catalog, organization: &OrganizationId) -> Resolved {
    desired
        .into_iter()
        .map(|(target, wanted)| {
            let desired = match wanted {
                Wanted::Guardrail(wanted) => ResolvedTarget::Enforce(Box::new(resolve_guardrail(
                    *wanted,
                    &target,
                    catalog,
                    organization,
                ))),
                Wanted::Nothing { existing } => ResolvedTarget::Nothing { existing },
                Wanted::Unassigned => ResolvedTarget::Unassigned,
                Wanted::Excluded => ResolvedTarget::Excluded,
            };
            (target, desired)
        })
        .collect()
}

fn resolve_guardrail(
    wanted: WantedGuardrail,
    target: &Target,
    catalog: &Catalog,
    organization: &OrganizationId,
) -> Enforce {
    let WantedGuardrail { key, owner: _, source, models, guarding, placement, on_unusable, existing } =
        wanted;
    let entry = catalog.entries.get(&(key.clone(), target.region.clone())).cloned();
    // The catalog lacks this one; that is not "usable".
    let entry = entry.unwrap_or_else(|| {
        CatalogEntry::unusable(Unusable::Unreadable { failure: Failure::not_looked_up(&key) })
    });
    let GuardrailHome { published, copied, unusable, copy } = match placement {
        // What isn't decided yet is tried centrally.
        Placement::Central | Placement::Auto => GuardrailHome {
            unusable: entry
                .unusable
                .clone()
                .or_else(|| not_granted(&entry, target, catalog, organization))
                .or_else(|| entry.customer_key.as_ref()?.stands_in_the_way(&target.account, organization)),
            published: entry.arn.map(|guardrail| Published { guardrail, version: source.version }),
            copied: None,
            copy: None,
        },
        Placement::Copy => place_of_copy(&key, entry, source.version, target, catalog),
    };
    Enforce {
        enforcement: published.map(|Published { guardrail, version }| Enforcement {
            guardrail,
            version,
            models,
            guarding,
        }),
        copied,
        key,
        unusable,
        present_unusable: None,
        copy,
        existing,
        on_unusable,
    }
}

/// Where the guardrail that a target should enforce lives.
struct GuardrailHome {
    published: Option<Published>,
    /// Where it is a copy: the version that it is a copy of.
    copied: Option<GuardrailVersion>,
    unusable: Option<Unusable>,
    copy: Option<CopyWork>,
}

fn place_of_copy(
    key: &GuardrailKey,
    entry: CatalogEntry,
    version: GuardrailVersion,
    target: &Target,
    catalog: &Catalog,
) -> GuardrailHome {
    let unusable =
        |unusable| GuardrailHome { published: None, copied: None, unusable: Some(unusable), copy: None };
    let CatalogEntry { arn, unusable: why, profile: _, content: _, customer_key: _ } = entry;
    let why = why.or_else(|| catalog.uncopied.get(&(key.clone(), target.region.clone())).cloned());
    let original = match (arn, why) {
        (_, Some(why)) => return unusable(why),
        (Some(guardrail), None) => Published { guardrail, version },
        (None, None) => {
            return unusable(Unusable::Unreadable { failure: Failure::not_looked_up(target) });
        }
    };
    match catalog.copies.get(target) {
        Some(Ok(CopyVerdict::Ready(published))) => GuardrailHome {
            published: Some(published.clone()),
            copied: Some(version),
            unusable: None,
            copy: None,
        },
        Some(Ok(CopyVerdict::Needs(step))) => GuardrailHome {
            published: None,
            copied: None,
            unusable: Some(Unusable::CopyNeeded { step: step.to_string() }),
            copy: Some(CopyWork { original, step: step.clone() }),
        },
        Some(Ok(CopyVerdict::NotReady(status))) => unusable(Unusable::NotReady { status: status.clone() }),
        Some(Ok(CopyVerdict::Held(held))) => unusable(Unusable::CopyHeld { held: held.clone() }),
        Some(Err(failure)) => unusable(Unusable::CopyUnreadable { failure: failure.clone() }),
        None => unusable(Unusable::CopyUnreadable { failure: Failure::not_looked_up(target) }),
    }
}

/// Why an account may not use the guardrail, as far as resource policies show. The owner's own
/// account needs none.
fn not_granted(
    entry: &CatalogEntry,
    target: &Target,
    catalog: &Catalog,
    organization: &OrganizationId,
) -> Option<Unusable> {
    entry.resources().find_map(|resource| {
        let document = match catalog.resource_policies.get(&resource) {
            Some(ResourcePolicySeen::Absent) => None,
            Some(ResourcePolicySeen::Attached(document)) => Some(document),
            // Not understood is not the same as not granted.
            Some(ResourcePolicySeen::Invalid(invalid)) => {
                let why = invalid.to_string();
                return Some(Unusable::NotGranted {
                    resource: Box::new(resource),
                    why,
                    being_mended: false,
                    certain: false,
                });
            }
            Some(ResourcePolicySeen::Unreadable(failure)) => {
                return Some(Unusable::Unreadable { failure: failure.clone() });
            }
            None => return Some(Unusable::Unreadable { failure: Failure::not_looked_up(&resource) }),
        };
        let grant = Grant { resource: resource.clone(), organization: organization.clone() };
        let verdict = judge(document, &grant).verdict;
        let certain = match &verdict {
            AccessVerdict::Granted => return None,
            // Whether GetGuardrail is needed to be guarded isn't documented; ApplyGuardrail is.
            AccessVerdict::NotGranted(MissingGrant::Missing(actions)) => {
                actions.contains(&Action::ApplyGuardrail)
            }
            AccessVerdict::NotGranted(MissingGrant::Denied(_)) => true,
            AccessVerdict::Unclear(_) => false,
        };
        let denied = matches!(verdict, AccessVerdict::NotGranted(MissingGrant::Denied(_)));
        if *resource.account() == target.account && !denied {
            // The owner's own account needs no grant; a denial hits it like every other account.
            return None;
        }
        Some(Unusable::NotGranted {
            being_mended: matches!(ensure(document, &grant), Ensure::Put(_)),
            resource: Box::new(resource),
            why: verdict.to_string(),
            certain,
        })
    })
}

#[cfg(test)]
mod tests;
