//! What holds for copies: a KMS key for each Region, held against the Regions of the guardrail.

use std::collections::BTreeMap;

use super::super::document::NodeKind;
use super::super::part::PlacedNode;
use super::super::problem::{Problems, quoted};
use super::super::{Placement, keys};
use super::regions::region;
use crate::ids::{KmsKeyArn, Partition, Region};

/// What of a guardrail says that members get copies of it.
pub(super) struct WantsCopies {
    /// In words, for example `placement: copy`.
    pub(super) what: &'static str,
    /// The line that it stands on.
    pub(super) line: usize,
}

/// Whether a guardrail is written to be copied. Looks at the text alone: the rest of the guardrail may have problems.
pub(super) fn asked_for(part: &PlacedNode<'_>) -> Option<WantsCopies> {
    let NodeKind::Mapping(pairs) = &part.node.kind else { return None };
    pairs.iter().find_map(|(key, value)| {
        let NodeKind::Scalar { text: key, .. } = &key.kind else { return None };
        let what = match (key.as_str(), &value.kind) {
            ("placement", NodeKind::Scalar { text, .. }) if text == "copy" => "placement: copy",
            ("copy", _) => "keys under copy",
            (_, _) => return None,
        };
        Some(WantsCopies { what, line: value.position.line })
    })
}

/// Reads the keys. `placement` is unknown where it was refused; `regions` are all that the guardrail
/// names, those with problems included.
pub(super) fn keys(
    part: &PlacedNode<'_>,
    placement: Option<Placement>,
    regions: &[&Region],
    problems: &mut Problems,
) -> Option<BTreeMap<Region, KmsKeyArn>> {
    if placement == Some(Placement::Central) {
        let message = "it says how copies are made, and with placement: central there are none";
        problems.report(&part.place, message, "write placement: auto or copy as well, or remove it");
    }
    let fields = part.fields(keys::COPY, &[], problems)?;
    let mut found = BTreeMap::new();
    let Some(part) = fields.optional("kms_keys") else { return Some(found) };
    let instead = "write a key's ARN under each Region, as in kms_keys: {us-east-1: \"arn:aws:kms:…\"}";
    for (name, part) in part.entries("a mapping by Region", instead, problems)? {
        let Some(region) = region(name.text, &name.place, problems) else { continue };
        if !regions.is_empty() && !regions.contains(&&region) {
            let message = format!("the guardrail isn't enforced in {region}, so no copy there needs a key");
            problems.report(&name.place, message, "add the Region to regions, or remove the key");
        }
        if let Some(key) = key(&part, &region, problems) {
            found.insert(region, key);
        }
    }
    Some(found)
}

fn key(part: &PlacedNode<'_>, region: &Region, problems: &mut Problems) -> Option<KmsKeyArn> {
    let partition = Partition::of(region);
    let example = format!("write arn:{partition}:kms:{region}:ACCOUNT:key/ID");
    let text = part.text("a KMS key's ARN", &example, problems)?;
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", in_partition, "kms", in_region, _, resource] = parts.as_slice() else {
        let message = if !text.contains(':') {
            // Each member would take it for a key of its own.
            format!("{} has no account, so in each account it would name another key", quoted(text))
        } else {
            format!("{} is not a KMS key's ARN", quoted(text))
        };
        problems.report(&part.place, message, example);
        return None;
    };
    if resource.starts_with("alias/") {
        let message = format!(
            "{} is an alias, and AWS shows a guardrail's key only by its ARN, so the two can't be \
                               compared",
            quoted(text)
        );
        problems.report(&part.place, message, example);
        return None;
    }
    let mut exact = true;
    let mut refuse = |message: String, instead: String| {
        exact = false;
        problems.report(&part.place, message, instead);
    };
    if *in_partition != partition.as_str() {
        let message =
            format!("the key is of partition {}, and {region} is in {partition}", quoted(in_partition));
        refuse(message, example.clone());
    }
    if *in_region != region.as_str() {
        let message =
            format!("the key is of Region {}, and a copy is encrypted in its own Region", quoted(in_region));
        refuse(message, format!("write the ARN of a key in {region}; a multi-Region key has one in each"));
    }
    if !exact {
        return None;
    }
    let key = text.parse().ok();
    if key.is_none() {
        problems.report(&part.place, format!("{} is not a KMS key's ARN", quoted(text)), example);
    }
    key
}
