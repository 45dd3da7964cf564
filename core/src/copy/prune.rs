//! Which versions of a copy aren't needed any more.

use std::collections::{BTreeMap, BTreeSet};

use super::{Enforced, SeenCopy, Status};
use crate::ids::{GuardrailArn, GuardrailVersion};

/// What pruning asks of a version. A list shows it; the version needn't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Whether it can be used.
    pub status: Status,
    /// Whether it has our marker.
    pub is_marked: bool,
}

/// The versions of a copy that may be deleted, see [`prunable_among`].
pub fn prunable(
    seen: &SeenCopy,
    enforced: &Enforced,
    chosen: Option<GuardrailVersion>,
    keep: usize,
) -> Vec<GuardrailVersion> {
    let listed = seen.versions.iter().map(|(version, edition)| {
        let listed = Listed { status: edition.status.clone(), is_marked: edition.marker.is_some() };
        (*version, listed)
    });
    prunable_among(&seen.guardrail, &listed.collect(), enforced, chosen, keep)
}

/// The versions of a guardrail that may be deleted, oldest first.
///
/// Never: the enforced one and the one before it, to which a person may want to go back; the
/// `chosen` one, which is about to be enforced; the newest `keep`; one that isn't settled yet; one
/// without our marker, because the principal that published it in our copy may be using it. Where it isn't
/// known what is enforced, none.
///
/// A version that an application names in its own requests is not seen from here. It has our marker,
/// so a version that others pin stays until it is the fourth newest.
pub fn prunable_among(
    guardrail: &GuardrailArn,
    versions: &BTreeMap<GuardrailVersion, Listed>,
    enforced: &Enforced,
    chosen: Option<GuardrailVersion>,
    keep: usize,
) -> Vec<GuardrailVersion> {
    if *enforced == Enforced::Unknown {
        return Vec::new();
    }
    let in_use = enforced.version_of(guardrail);
    let before = in_use.and_then(|version| versions.range(..version).next_back());
    let mut needed: BTreeSet<GuardrailVersion> = versions.keys().rev().take(keep).copied().collect();
    needed.extend(in_use);
    needed.extend(before.map(|(version, _)| *version));
    needed.extend(chosen);
    let removable = versions.iter().filter(|(version, listed)| {
        let settled = matches!(listed.status, Status::Ready | Status::Failed);
        settled && listed.is_marked && !needed.contains(version)
    });
    removable.map(|(version, _)| *version).collect()
}
