//! ARNs of guardrails, and the partition they live in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{AccountId, GuardrailId, InvalidId, Region, stored_as_text, text_id};

text_id!(
    /// An AWS partition: `aws`, `aws-us-gov`, `aws-eusc`, …
    Partition,
    "a partition",
    "aws or aws-…",
    |text| {
        text == "aws"
            || text
                .strip_prefix("aws-")
                .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'))
    }
);

impl Partition {
    /// The partition a Region lies in, by the prefixes that AWS uses.
    ///
    /// An unknown Region is taken for a commercial one, as the AWS SDKs do.
    pub fn of(region: &Region) -> Partition {
        let name = match region.as_str().split('-').collect::<Vec<_>>().as_slice() {
            ["us", "gov", ..] => "aws-us-gov",
            ["eusc", ..] => "aws-eusc",
            ["cn", ..] => "aws-cn",
            ["us", "iso", ..] => "aws-iso",
            ["us", "isob", ..] => "aws-iso-b",
            ["us", "isof", ..] => "aws-iso-f",
            ["eu", "isoe", ..] => "aws-iso-e",
            _ => "aws",
        };
        Partition(name.to_owned())
    }
}

/// A guardrail, in full. It never carries a version: versions have no ARN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GuardrailArn {
    /// The partition.
    pub partition: Partition,
    /// The Region that holds the guardrail; it can be enforced only there.
    pub region: Region,
    /// The account that owns the guardrail.
    pub account: AccountId,
    /// Its id there.
    pub id: GuardrailId,
}

stored_as_text!(GuardrailArn);

impl FromStr for GuardrailArn {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<GuardrailArn, InvalidId> {
        let read = || {
            let (partition, region, account, id) = parts_of_arn(text, "bedrock", "guardrail/")?;
            Some(GuardrailArn { partition, region, account, id: id.parse().ok()? })
        };
        let expected = "arn:aws:bedrock:REGION:ACCOUNT:guardrail/ID, without a version";
        read().ok_or_else(|| InvalidId::new("a guardrail ARN", expected, text))
    }
}

/// Takes apart the ARN of something in one account and Region. What stands behind `prefix`, its id, is not checked.
pub(crate) fn parts_of_arn<'a>(
    text: &'a str,
    service: &str,
    prefix: &str,
) -> Option<(Partition, Region, AccountId, &'a str)> {
    // An id may hold a colon.
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let &["arn", partition, of_service, region, account, resource] = parts.as_slice() else { return None };
    let id = resource.strip_prefix(prefix).filter(|_| of_service == service)?;
    Some((partition.parse().ok()?, region.parse().ok()?, account.parse().ok()?, id))
}

impl fmt::Display for GuardrailArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GuardrailArn { partition, region, account, id } = self;
        write!(f, "arn:{partition}:bedrock:{region}:{account}:guardrail/{id}")
    }
}

/// A KMS key, in full. An alias isn't one: what is behind it can change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KmsKeyArn {
    /// The partition.
    pub partition: Partition,
    /// The Region that holds the key.
    pub region: Region,
    /// The account that owns the key.
    pub account: AccountId,
    id: String,
}

stored_as_text!(KmsKeyArn);

impl FromStr for KmsKeyArn {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<KmsKeyArn, InvalidId> {
        let read = || {
            let (partition, region, account, id) = parts_of_arn(text, "kms", "key/")?;
            // 36 characters in the Bedrock service model: a UUID, or `mrk-` and 32 digits.
            let valid = id.len() == 36 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            valid.then(|| KmsKeyArn { partition, region, account, id: id.to_owned() })
        };
        read().ok_or_else(|| InvalidId::new("a KMS key's ARN", "arn:aws:kms:REGION:ACCOUNT:key/ID", text))
    }
}

impl fmt::Display for KmsKeyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KmsKeyArn { partition, region, account, id } = self;
        write!(f, "arn:{partition}:kms:{region}:{account}:key/{id}")
    }
}

/// A guardrail as an event names it: by ARN, or by an id that means something only in the event's account and Region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum GuardrailRef {
    /// In full.
    Arn(GuardrailArn),
    /// By id.
    Id(GuardrailId),
}

impl GuardrailRef {
    /// The guardrail's id, however it is named.
    pub fn id(&self) -> &GuardrailId {
        match self {
            GuardrailRef::Arn(arn) => &arn.id,
            GuardrailRef::Id(id) => id,
        }
    }
}

stored_as_text!(GuardrailRef);

impl FromStr for GuardrailRef {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<GuardrailRef, InvalidId> {
        if text.starts_with("arn:") {
            text.parse().map(GuardrailRef::Arn)
        } else {
            text.parse().map(GuardrailRef::Id)
        }
    }
}

impl fmt::Display for GuardrailRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GuardrailRef::Arn(arn) => arn.fmt(f),
            GuardrailRef::Id(id) => id.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_is_read_back() {
        for text in [
            "arn:aws:bedrock:us-east-1:222222222222:guardrail/hu1dlsv9wy1d",
            "arn:aws-us-gov:bedrock:us-gov-west-1:222222222222:guardrail/a",
            "arn:aws-eusc:bedrock:eusc-de-east-1:222222222222:guardrail/0z",
        ] {
            let arn: GuardrailArn = text.parse().unwrap();
            assert_eq!(arn.to_string(), text);
            assert_eq!(arn.partition, Partition::of(&arn.region));
        }
    }

    #[test]
    fn what_looks_like_one_is_refused() {
        for text in [
            "arn:aws:bedrock:us-east-1:222222222222:guardrail/hu1dlsv9wy1d:1",
            "arn:aws:bedrock:us-east-1:222222222222:guardrail/my-guardrail",
            "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc/1",
            "arn:aws:bedrock:us-east-1:*:guardrail/abc",
            "arn:aws:bedrock:us-east-1:222222222222:guardrail-profile/us.guardrail.v1:0",
            "arn:aws:s3:us-east-1:222222222222:guardrail/abc",
            "hu1dlsv9wy1d",
        ] {
            assert!(text.parse::<GuardrailArn>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_is_told_from_an_alias_and_from_an_id() {
        for text in [
            "arn:aws:kms:us-east-1:222222222222:key/11111111-2222-4333-8444-555555555555",
            "arn:aws-us-gov:kms:us-gov-west-1:222222222222:key/mrk-0123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(text.parse::<KmsKeyArn>().unwrap().to_string(), text);
        }
        for text in [
            "arn:aws:kms:us-east-1:222222222222:alias/guardrails",
            "arn:aws:kms:us-east-1:222222222222:key/1111",
            "arn:aws:kms:us-east-1:222222222222:key/11111111-2222-4333-8444-55555555555*",
            "arn:aws:bedrock:us-east-1:222222222222:key/11111111-2222-4333-8444-555555555555",
            "11111111-2222-4333-8444-555555555555",
            "alias/guardrails",
        ] {
            assert!(text.parse::<KmsKeyArn>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_reference_is_an_arn_or_an_id() {
        let arn = "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc";
        assert_eq!(arn.parse::<GuardrailRef>().unwrap().id().as_str(), "abc");
        assert_eq!("abc".parse::<GuardrailRef>().unwrap().to_string(), "abc");
        assert!("arn:aws:iam::222222222222:role/x".parse::<GuardrailRef>().is_err());
        assert!("HIDDEN_DUE_TO_SECURITY_REASONS".parse::<GuardrailRef>().is_err());
    }
}
