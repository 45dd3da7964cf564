//! Which versions of a copy nobody needs any more.

use std::collections::BTreeSet;

use super::{Enforced, SeenCopy, Status};
use crate::ids::GuardrailVersion;

/// The versions that may be deleted, oldest first.
///
/// Never: the enforced one and the one before it, to which somebody may want to go back; the
/// `chosen` one, which is about to be enforced; the newest `keep`; one that isn't settled yet; one
/// without our marker, because whoever published it in our copy may be using it. Where it isn't
/// known what is enforced, none.
///
/// A version that an application names in its own requests is not seen from here. It has our marker,
/// so whoever pins one of our versions has until it is the fourth newest.
pub fn prunable(
    seen: &SeenCopy,
    enforced: &Enforced,
    chosen: Option<GuardrailVersion>,
    keep: usize,
) -> Vec<GuardrailVersion> {
    if *enforced == Enforced::Unknown {
        return Vec::new();
    }
    let in_use = enforced.version_of(&seen.guardrail);
    let before = in_use.and_then(|version| seen.versions.range(..version).next_back());
    let mut needed: BTreeSet<GuardrailVersion> = seen.versions.keys().rev().take(keep).copied().collect();
    needed.extend(in_use);
    needed.extend(before.map(|(version, _)| *version));
    needed.extend(chosen);
    let removable = seen.versions.iter().filter(|(version, edition)| {
        let settled = matches!(edition.status, Status::Ready | Status::Failed);
        settled && edition.marker.is_some() && !needed.contains(version)
    });
    removable.map(|(version, _)| *version).collect()
}
