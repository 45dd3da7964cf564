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
    let wanted = WantedArn { region, partition: Partition::of(region), owner };
    let text = part.text("a guardrail's ARN", &wanted.example("ID"), problems)?;
    let mistakes = match WrittenArn::split(text, &wanted) {
        Ok(written) => written.mistakes(&wanted),
        Err(mistake) => vec![mistake],
    };
    let is_exact = mistakes.is_empty();
    for ArnMistake { message, instead } in mistakes {
        problems.report(&part.place, message, instead);
    }
    if !is_exact {
        return None;
    }
    let arn = text.parse().ok();
    if arn.is_none() {
        let ArnMistake { message, instead } = no_arn(text, wanted.example("ID"));
        problems.report(&part.place, message, instead);
    }
    arn
}

/// What is wrong with an ARN, and what to write instead.
struct ArnMistake {
    message: String,
    instead: String,
}

fn no_arn(text: &str, instead: String) -> ArnMistake {
    ArnMistake { message: format!("{} is not a guardrail's ARN", quoted(text)), instead }
}

/// What the ARN has to name.
struct WantedArn<'a> {
    region: &'a Region,
    partition: Partition,
    owner: Option<&'a AccountId>,
}

impl WantedArn<'_> {
    /// An instruction with the ARN in full, of the guardrail `id`.
    fn example(&self, id: &str) -> String {
        let WantedArn { region, partition, owner } = self;
        let account = owner.map_or("OWNER", AccountId::as_str);
        format!("write arn:{partition}:bedrock:{region}:{account}:guardrail/{id}")
    }
}

/// An ARN as it was written, which names some guardrail.
struct WrittenArn<'a> {
    text: &'a str,
    partition: &'a str,
    region: &'a str,
    account: &'a str,
    id: &'a str,
    /// What follows the id: an ARN of one version.
    version: Option<&'a str>,
}

impl<'a> WrittenArn<'a> {
    /// Takes the text apart.
    fn split(text: &'a str, wanted: &WantedArn<'_>) -> Result<WrittenArn<'a>, ArnMistake> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let &["arn", partition, "bedrock", region, account, resource] = parts.as_slice() else {
            let id = if text.parse::<GuardrailId>().is_ok() { text } else { "ID" };
            return Err(no_arn(text, wanted.example(id)));
        };
        let Some(name) = resource.strip_prefix("guardrail/") else {
            let message = format!("{} names something else than a guardrail", quoted(text));
            return Err(ArnMistake { message, instead: wanted.example("ID") });
        };
        let (id, version) = match name.find([':', '/']) {
            Some(end) => (&name[..end], Some(&name[end + 1..])),
            None => (name, None),
        };
        Ok(WrittenArn { text, partition, region, account, id, version })
    }

    fn mistakes(&self, wanted: &WantedArn<'_>) -> Vec<ArnMistake> {
        let found = [
            self.version.map(|version| self.carries(version)),
            self.id_mistake(wanted),
            self.partition_mistake(wanted),
            self.region_mistake(wanted),
            self.account_mistake(wanted),
        ];
        found.into_iter().flatten().collect()
    }

    fn carries(&self, version: &str) -> ArnMistake {
        let stem = &self.text[..self.text.len() - version.len() - 1];
        let digits = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit());
        let version = if digits { version } else { "NUMBER" };
        ArnMistake {
            message: "a guardrail's ARN carries no version".to_owned(),
            instead: format!("write arn: {} and, as a key of its own, version: {version}", quoted(stem)),
        }
    }

    fn id_mistake(&self, wanted: &WantedArn<'_>) -> Option<ArnMistake> {
        let length = self.text.len();
        if length > LONGEST {
            let message =
                format!("a guardrail's ARN has {LONGEST} characters at most, and this one has {length}");
            return Some(ArnMistake { message, instead: wanted.example("ID") });
        }
        self.id.parse::<GuardrailId>().is_err().then(|| ArnMistake {
            message: format!("{} is not a guardrail's id", quoted(self.id)),
            instead:
                "end the ARN in the id that the console shows, not the name; or write name: instead of arn:"
                    .to_owned(),
        })
    }

    fn partition_mistake(&self, wanted: &WantedArn<'_>) -> Option<ArnMistake> {
        let WantedArn { region, partition, .. } = wanted;
        (self.partition != partition.as_str()).then(|| ArnMistake {
            message: format!(
                "the ARN is of partition {}, and {region} is in {partition}",
                quoted(self.partition)
            ),
            instead: wanted.example("ID"),
        })
    }

    fn region_mistake(&self, wanted: &WantedArn<'_>) -> Option<ArnMistake> {
        (self.region != wanted.region.as_str()).then(|| ArnMistake {
            message: format!(
                "the ARN is of Region {}, and a guardrail is enforced in its own Region only",
                quoted(self.region)
            ),
            instead: format!("write the ARN of the guardrail in {}", wanted.region),
        })
    }

    fn account_mistake(&self, wanted: &WantedArn<'_>) -> Option<ArnMistake> {
        let owner = wanted.owner.filter(|owner| self.account != owner.as_str())?;
        Some(ArnMistake {
            message: format!("the ARN is of account {}, and owner is {owner}", quoted(self.account)),
            instead: "write the ARN of a guardrail of the owner, or change owner".to_owned(),
        })
    }
}
