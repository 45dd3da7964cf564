//! Names and ids of AWS things, each parsed once at the border.
//!
//! Everything after the border assumes validity: an [`AccountId`] has twelve digits, a
//! [`GuardrailVersion`] is never `DRAFT`. Fields are private and serde goes through the parser.

mod arn;
mod role;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub(crate) use arn::parts_of_arn;
pub use arn::{GuardrailArn, GuardrailRef, KmsKeyArn, Partition};
pub use role::{Role, RoleName};

/// A text that is not the id it should be.
///
/// Displays as what was found and what was expected, so that it can stand alone in a report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {kind}: expected {expected}")]
pub struct InvalidId {
    kind: &'static str,
    expected: &'static str,
    text: String,
}

impl InvalidId {
    pub(crate) fn new(kind: &'static str, expected: &'static str, text: &str) -> InvalidId {
        // What is quoted may come from an event: it is kept short, whatever was sent.
        let text = text.chars().take(80).collect();
        InvalidId { kind, expected, text }
    }

    /// What would have been accepted, in words.
    pub fn expected(&self) -> &'static str {
        self.expected
    }
}

/// Lets serde write a type as its text, and read it through its parser. The type says
/// `#[serde(try_from = "String", into = "String")]`.
macro_rules! stored_as_text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = $crate::ids::InvalidId;

            fn try_from(text: String) -> Result<$name, $crate::ids::InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    };
}
pub(crate) use stored_as_text;

/// Defines a validated string type with one parser, `Display`, and serde through the parser.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text as AWS writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::ids::InvalidId;

            fn from_str(text: &str) -> Result<$name, $crate::ids::InvalidId> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok($name(text.to_owned()))
                } else {
                    Err($crate::ids::InvalidId::new($kind, $expected, text))
                }
            }
        }

        $crate::ids::stored_as_text!($name);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}
pub(crate) use text_id;

text_id!(
    /// An AWS account: 12 digits.
    AccountId,
    "an account id",
    "12 digits",
    |text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
);

text_id!(
    /// An AWS Region by its code, known to this program or not: AWS adds Regions without asking us.
    Region,
    "a Region",
    "a Region code such as us-east-1",
    |text| {
        // The Bedrock service model allows `[a-z0-9-]{1,20}` in an ARN. A code has at least
        // two hyphens and ends in a number, which distinguishes it from an availability zone or a typo.
        let parts: Vec<&str> = text.split('-').collect();
        text.len() <= 20
            && parts.len() >= 3
            && parts.iter().all(|part| {
                !part.is_empty()
                    && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            })
            && parts.last().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()))
    }
);

impl Region {
    /// The Region that is meant by an availability zone, or by another spelling of its code.
    pub(crate) fn meant_by(text: &str) -> Option<Region> {
        let text = text.trim().to_ascii_lowercase().replace(['_', ' '], "-");
        text.parse().or_else(|_| text.trim_end_matches(|c: char| c.is_ascii_lowercase()).parse()).ok()
    }
}

text_id!(
    /// An AWS Organization, `o-` and 10 to 32 lower-case letters or digits.
    OrganizationId,
    "an organization id",
    "o- and 10 to 32 lower-case letters or digits",
    |text| text
        .strip_prefix("o-")
        .is_some_and(|rest| (10..=32).contains(&rest.len()) && is_lower_alphanumeric(rest))
);

text_id!(
    /// A root (`r-…`) or an organizational unit (`ou-…-…`).
    ParentId,
    "a root or OU id",
    "r-xxxx or ou-xxxx-xxxxxxxx",
    |text| {
        if let Some(root) = text.strip_prefix("r-") {
            return (4..=32).contains(&root.len()) && is_lower_alphanumeric(root);
        }
        let Some((root, unit)) = text.strip_prefix("ou-").and_then(|rest| rest.split_once('-'))
        else {
            return false;
        };
        (4..=32).contains(&root.len())
            && is_lower_alphanumeric(root)
            && (8..=32).contains(&unit.len())
            && is_lower_alphanumeric(unit)
    }
);

text_id!(
    /// A guardrail's id, unique in its account and Region; not its name.
    GuardrailId,
    "a guardrail id",
    "lower-case letters and digits",
    |text| text.len() <= 2048 && is_lower_alphanumeric(text)
);

text_id!(
    /// A system-defined guardrail profile for cross-Region inference, by the id that it has in every account.
    ProfileId,
    "a guardrail profile id",
    "a profile such as us.guardrail.v1:0",
    |text| {
        // `[a-z0-9-]+[.]{1}guardrail[.]{1}v[0-9:]+` in the Bedrock API reference.
        let area = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b':');
        text.len() <= 256 && text.split_once(".guardrail.v").is_some_and(|(front, back)| area(front) && number(back))
    }
);

text_id!(
    /// The id that Bedrock gave to an enforced guardrail configuration. It is never made up.
    ConfigId,
    "an enforced configuration id",
    "lower-case letters and digits",
    |text| text.len() <= 2048 && is_lower_alphanumeric(text)
);

/// A base model, as enforced configurations name models.
///
/// The pattern is the Bedrock service model's. It refuses inference-profile ids
/// (`us.anthropic.…`) and model ARNs.
///
/// What is read from the ledger is taken as it is: it may be what AWS reported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelId(String);

impl FromStr for ModelId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<ModelId, InvalidId> {
        if is_model_id(text) {
            Ok(ModelId(text.to_owned()))
        } else {
            Err(InvalidId::new("a model id", "a base model such as amazon.nova-pro-v1:0", text))
        }
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl ModelId {
    /// A model as AWS reports it, taken as it is: whether the service is looser than its own
    /// published pattern is unknown, and what is there must be comparable all the same.
    pub fn as_reported(text: &str) -> ModelId {
        ModelId(text.to_owned())
    }
}

impl ParentId {
    /// Whether this is the root of an organization, not an OU.
    pub fn is_root(&self) -> bool {
        self.0.starts_with("r-")
    }
}

fn is_lower_alphanumeric(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// `([a-z0-9-]{1,63}[.]{1}[a-z0-9-]{1,63})([:][a-z0-9-]{1,63}){0,2}(/[a-z0-9]{12}){0,1}`
fn is_model_id(text: &str) -> bool {
    let word = |text: &str| {
        (1..=63).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let (name, suffix) = match text.split_once('/') {
        Some((name, suffix)) => (name, Some(suffix)),
        None => (text, None),
    };
    let mut parts = name.split(':');
    let base = parts.next().and_then(|base| base.split_once('.'));
    let qualifiers: Vec<&str> = parts.collect();
    base.is_some_and(|(provider, model)| word(provider) && word(model))
        && qualifiers.len() <= 2
        && qualifiers.iter().all(|part| word(part))
        && suffix.is_none_or(|suffix| suffix.len() == 12 && is_lower_alphanumeric(suffix))
}

/// A published version of a guardrail: 1 to 99,999,999. `DRAFT` can't be enforced, so it is no version here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GuardrailVersion(u32);

impl GuardrailVersion {
    /// The version with this number, if AWS could have given it.
    pub fn new(number: u32) -> Result<GuardrailVersion, InvalidId> {
        if (1..=99_999_999).contains(&number) {
            Ok(GuardrailVersion(number))
        } else {
            Err(invalid_version(&number.to_string()))
        }
    }

    /// The version's number.
    pub fn number(self) -> u32 {
        self.0
    }
}

stored_as_text!(GuardrailVersion);

impl FromStr for GuardrailVersion {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<GuardrailVersion, InvalidId> {
        let digits = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
        match text.parse::<u32>() {
            Ok(number) if digits => GuardrailVersion::new(number),
            Ok(_) | Err(_) => Err(invalid_version(text)),
        }
    }
}

impl fmt::Display for GuardrailVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn invalid_version(text: &str) -> InvalidId {
    InvalidId::new("a guardrail version", "a published version's number, 1 to 99999999", text)
}

/// One account in one Region: what is enforced, replaced or released.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Target {
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
}

stored_as_text!(Target);

impl FromStr for Target {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Target, InvalidId> {
        let invalid = || InvalidId::new("a target", "account/Region", text);
        let (account, region) = text.split_once('/').ok_or_else(invalid)?;
        Ok(Target { account: account.parse()?, region: region.parse()? })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn accepts<T: FromStr<Err = InvalidId> + fmt::Display>(texts: &[&str]) {
        for text in texts {
            match text.parse::<T>() {
                Ok(id) => assert_eq!(&id.to_string(), text),
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[track_caller]
    fn refuses<T: FromStr<Err = InvalidId> + fmt::Display>(texts: &[&str]) {
        for text in texts {
            if let Ok(id) = text.parse::<T>() {
                panic!("{text:?} was taken for {id}");
            }
        }
    }

    #[test]
    fn accounts() {
        accepts::<AccountId>(&["111111111111", "000000000001"]);
        refuses::<AccountId>(&["", "11111111111", "1111111111111", "11111111111a", " 11111111111"]);
    }

    #[test]
    fn regions_need_not_be_known() {
        accepts::<Region>(&["us-east-1", "us-gov-west-1", "eusc-de-east-1", "ap-southeast-12", "xx-new-9"]);
        refuses::<Region>(&["", "us-east", "us-east-1a", "US-EAST-1", "us--1", "us-east-1/../x", "mars"]);
    }

    #[test]
    fn organizations_and_parents() {
        accepts::<OrganizationId>(&["o-exampleorgid"]);
        refuses::<OrganizationId>(&["o-short", "exampleorgid", "o-EXAMPLEORGID"]);
        accepts::<ParentId>(&["r-exam", "ou-exam-sandbox1"]);
        refuses::<ParentId>(&["r-", "ou-exam", "ou-exam-short", "o-exampleorgid", "111111111111"]);
    }

    #[test]
    fn versions_are_published_numbers() {
        accepts::<GuardrailVersion>(&["1", "99999999"]);
        refuses::<GuardrailVersion>(&["0", "01", "+1", "DRAFT", "100000000", "1.0", ""]);
    }

    #[test]
    fn models_are_base_models() {
        accepts::<ModelId>(&[
            "anthropic.claude-3-5-sonnet-20240620-v1:0",
            "amazon.titan-embed-text-v2:0",
            "amazon.nova-pro-v1:0:300k",
            "openai.gpt-oss-120b-1:0",
            "amazon.titan-text-lite-v1:0:4k/abcdefghijkl",
        ]);
        refuses::<ModelId>(&[
            "ALL",
            "us.anthropic.claude-sonnet-4-20250514-v1:0",
            "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0",
            "amazon.nova-pro-v1:0:300k:x",
            "amazon",
        ]);
    }

    #[test]
    fn a_model_that_was_reported_in_another_form_is_read_from_the_ledger() {
        for text in
            ["arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0", "Claude", "minimax.m2.1"]
        {
            let stored = serde_json::to_string(&ModelId::as_reported(text)).unwrap();
            assert_eq!(stored, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<ModelId>(&stored).unwrap(), ModelId::as_reported(text));
        }
    }

    #[test]
    fn an_error_says_what_was_found_and_what_was_expected() {
        let error = "12".parse::<AccountId>().unwrap_err();
        assert_eq!(error.to_string(), r#""12" is not an account id: expected 12 digits"#);
    }

    #[test]
    fn a_target_is_read_back() {
        accepts::<Target>(&["300000000001/eu-west-1"]);
        refuses::<Target>(&["300000000001", "300000000001/", "/eu-west-1", "a/b/c"]);
    }
}
