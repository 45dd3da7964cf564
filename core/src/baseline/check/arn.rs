//! A guardrail's ARN, held against the Region it stands under and the owner.

use super::super::part::PlacedNode;
use super::super::problem::{Problems, quoted};
use crate::ids::{AccountId, GuardrailArn, GuardrailId, Partition, Region};

/// The longest ARN that a resource policy can be attached to (`resourceArn` in the Bedrock service model).
const LONGEST: usize = 255;

/// Reads the ARN of the guardrail to enforce in `region`. The owner is unknown where it was refused.
pub(super) fn guardrail_arn(
    part: &PlacedNode<'_>,
    region: &Region,
    owner: Option<&AccountId>,
    problems: &mut Problems,
) -> Option<GuardrailArn> {
    let partition = Partition::of(region);
    let account = owner.map_or("OWNER", AccountId::as_str);
    let example = |id: &str| format!("write arn:{partition}:bedrock:{region}:{account}:guardrail/{id}");

    let text = part.text("a guardrail's ARN", &example("ID"), problems)?;
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", in_partition, "bedrock", in_region, in_account, resource] = parts.as_slice() else {
        let instead = if text.parse::<GuardrailId>().is_ok() { example(text) } else { example("ID") };
        problems.report(&part.place, format!("{} is not a guardrail's ARN", quoted(text)), instead);
        return None;
    };
    let Some(name) = resource.strip_prefix("guardrail/") else {
        let message = format!("{} names something else than a guardrail", quoted(text));
        problems.report(&part.place, message, example("ID"));
        return None;
    };

    let mut exact = true;
    let mut refuse = |message: String, instead: String| {
        exact = false;
        problems.report(&part.place, message, instead);
    };
    let (id, version) = match name.find([':', '/']) {
        Some(end) => (&name[..end], Some(&name[end + 1..])),
        None => (name, None),
    };
    if let Some(version) = version {
        let stem = &text[..text.len() - version.len() - 1];
        let digits = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit());
        let version = if digits { version } else { "NUMBER" };
        refuse(
            "a guardrail's ARN carries no version".to_owned(),
            format!("write arn: {} and, as a key of its own, version: {version}", quoted(stem)),
        );
    }
    if text.len() > LONGEST {
        refuse(
            format!("a guardrail's ARN has {LONGEST} characters at most, and this one has {}", text.len()),
            example("ID"),
        );
    } else if id.parse::<GuardrailId>().is_err() {
        refuse(
            format!("{} is not a guardrail's id", quoted(id)),
            "end the ARN in the id that the console shows, not the name; or write name: instead of arn:"
                .to_owned(),
        );
    }
    if *in_partition != partition.as_str() {
        refuse(
            format!("the ARN is of partition {}, and {region} is in {partition}", quoted(in_partition)),
            example("ID"),
        );
    }
    if *in_region != region.as_str() {
        refuse(
            format!(
                "the ARN is of Region {}, and a guardrail is enforced in its own Region only",
                quoted(in_region)
            ),
            format!("write the ARN of the guardrail in {region}"),
        );
    }
    if let Some(owner) = owner.filter(|owner| *in_account != owner.as_str()) {
        refuse(
            format!("the ARN is of account {}, and owner is {owner}", quoted(in_account)),
            "write the ARN of a guardrail of the owner, or change owner".to_owned(),
        );
    }
    if !exact {
        return None;
    }
    let arn = text.parse().ok();
    if arn.is_none() {
        problems.report(&part.place, format!("{} is not a guardrail's ARN", quoted(text)), example("ID"));
    }
    arn
}
