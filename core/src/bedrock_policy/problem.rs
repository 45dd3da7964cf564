//! What is wrong with the text of a Bedrock policy: where, why, and what to write instead. AWS answers a malformed
//! policy with one sentence that says none of this.

use std::fmt;

use super::build::{MAX_POLICY_CHARACTERS, identifier};
use super::leaf::LeafPath;
use crate::enforcement::ContentGuarding;
use crate::ids::{GuardrailArn, GuardrailVersion, Partition, Region};
use crate::words::nearest;

/// One thing in the text of a Bedrock policy that is wrong, or probably not what was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyProblem {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The keys that lead there.
    pub path: LeafPath,
    /// What it is.
    pub kind: PolicyProblemKind,
}

impl PolicyProblem {
    /// Whether AWS would refuse the policy, as far as that is known: it holds a policy to what it documents of the
    /// type, in names as in words. It takes the others, whatever they do then.
    pub fn is_refused(&self) -> bool {
        self.kind.stops_reading()
            || matches!(
                self.kind,
                PolicyProblemKind::TooLong { .. }
                    | PolicyProblemKind::UnknownKey { .. }
                    | PolicyProblemKind::NoRegion { .. }
                    | PolicyProblemKind::NoGuarding { .. }
            )
    }
}

impl fmt::Display for PolicyProblem {
    /// `LINE:COLUMN: PATH: MESSAGE; INSTEAD`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PolicyProblem { line, column, path, kind } = self;
        write!(f, "{line}:{column}: ")?;
        if !path.keys().is_empty() {
            write!(f, "{path}: ")?;
        }
        kind.fmt(f)
    }
}

/// A text that is no Bedrock policy, or no good one. Holds every problem of it, in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidBedrockPolicy {
    problems: Vec<PolicyProblem>,
}

impl InvalidBedrockPolicy {
    pub(super) fn new(problems: Vec<PolicyProblem>) -> InvalidBedrockPolicy {
        InvalidBedrockPolicy { problems }
    }

    /// What is wrong; never empty.
    pub fn problems(&self) -> &[PolicyProblem] {
        &self.problems
    }
}

impl fmt::Display for InvalidBedrockPolicy {
    /// One line a problem.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.problems.iter().enumerate() {
            let end = if position > 0 { "\n" } else { "" };
            write!(f, "{end}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for InvalidBedrockPolicy {}

/// What can be wrong. Displays as what it is and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyProblemKind {
    /// No JSON at all.
    Syntax(String),
    /// A member that is written twice.
    Twice,
    /// Two members whose names differ in letter case only.
    LetterCase {
        /// The one before.
        first: String,
    },
    /// A list or a value where keys belong.
    NoKeys,
    /// Nothing at all: AWS refuses `{}`.
    Empty,
    /// A value without an operator, in a document that needs one.
    BareValue,
    /// An operator in an effective policy, which has none.
    OperatorInEffective,
    /// An operator that isn't known.
    UnknownOperator,
    /// Operators and keys side by side.
    OperatorBesideKeys,
    /// A value of a kind that doesn't belong there.
    WrongKind {
        /// What belongs there.
        wanted: &'static str,
    },
    /// `@@append` or `@@remove` of a setting that is no list.
    NoList,
    /// What `@@operators_allowed_for_child_policies` doesn't take.
    UnknownControl,
    /// A key that AWS doesn't document. It is kept, and its meaning isn't known.
    UnknownKey {
        /// The key that is misspelt, of those that lead there, and what to write in its place.
        meant: Option<(String, &'static str)>,
    },
    /// The preview's `input_tags`.
    InputTags,
    /// A key that is no Region.
    NoRegion {
        /// The Region whose code is written another way.
        meant: Option<Region>,
    },
    /// What is no guardrail's ARN with a numeric version.
    NoIdentifier {
        /// What is written.
        text: String,
    },
    /// A guardrail of another Region than the key says.
    OtherRegion,
    /// A guardrail's ARN whose partition isn't that of its Region.
    OtherPartition {
        /// The guardrail.
        guardrail: GuardrailArn,
        /// Its Region's partition.
        wanted: Partition,
    },
    /// Neither `selective` nor `comprehensive`.
    NoGuarding {
        /// What is written.
        text: String,
    },
    /// A configuration without an identifier: it is valid only where a policy above has one.
    NoGuardrail,
    /// One list of models without the other.
    OneModelList,
    /// A name with capitals, which may be published in lower case.
    Capitals,
    /// More characters than AWS takes.
    TooLong {
        /// How many.
        characters: usize,
    },
}

impl PolicyProblemKind {
    /// Whether nothing can be said of what the document does: AWS would not have taken it, or has learnt a form that
    /// this program doesn't know.
    pub fn stops_reading(&self) -> bool {
        match self {
            PolicyProblemKind::Syntax(_)
            | PolicyProblemKind::Twice
            | PolicyProblemKind::LetterCase { .. }
            | PolicyProblemKind::NoKeys
            | PolicyProblemKind::Empty
            | PolicyProblemKind::BareValue
            | PolicyProblemKind::OperatorInEffective
            | PolicyProblemKind::UnknownOperator
            | PolicyProblemKind::OperatorBesideKeys
            | PolicyProblemKind::WrongKind { .. }
            | PolicyProblemKind::NoList
            | PolicyProblemKind::UnknownControl => true,
            PolicyProblemKind::UnknownKey { .. }
            | PolicyProblemKind::InputTags
            | PolicyProblemKind::NoRegion { .. }
            | PolicyProblemKind::NoIdentifier { .. }
            | PolicyProblemKind::OtherRegion
            | PolicyProblemKind::OtherPartition { .. }
            | PolicyProblemKind::NoGuarding { .. }
            | PolicyProblemKind::NoGuardrail
            | PolicyProblemKind::OneModelList
            | PolicyProblemKind::Capitals
            | PolicyProblemKind::TooLong { .. } => false,
        }
    }
}

impl fmt::Display for PolicyProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PolicyProblemKind::Syntax(message) => f.write_str(message),
            PolicyProblemKind::Twice => f.write_str("written twice; keep one"),
            PolicyProblemKind::LetterCase { first } => {
                write!(f, "differs from {} in letter case only; keep one", quoted(first))
            }
            PolicyProblemKind::NoKeys => f.write_str("no keys stand here; write an object"),
            PolicyProblemKind::Empty => {
                f.write_str("AWS refuses an empty policy; write {\"bedrock\":{}} at least")
            }
            PolicyProblemKind::BareValue => {
                f.write_str("a value without an operator; write {\"@@assign\": …}")
            }
            PolicyProblemKind::OperatorInEffective => {
                f.write_str("an effective policy has no operators; give the policy as AWS published it")
            }
            PolicyProblemKind::UnknownOperator => f.write_str(
                "an unknown operator; known are @@assign, @@append, @@remove and \
                 @@operators_allowed_for_child_policies",
            ),
            PolicyProblemKind::OperatorBesideKeys => {
                f.write_str("an operator stands beside keys; a setting has operators, and what holds settings has keys")
            }
            PolicyProblemKind::WrongKind { wanted } => write!(f, "{wanted} belongs here; write one"),
            PolicyProblemKind::NoList => f.write_str("the setting is no list; write @@assign"),
            PolicyProblemKind::UnknownControl => f.write_str(
                "no list of operators; write [\"@@all\"], [\"@@none\"], or some of @@assign, @@append and @@remove",
            ),
            PolicyProblemKind::UnknownKey { meant } => {
                write!(f, "AWS documents no such setting; {}", key_instead(meant.as_ref()))
            }
            PolicyProblemKind::InputTags => {
                f.write_str("AWS's preview had this setting; write selective_content_guarding instead")
            }
            PolicyProblemKind::NoRegion { meant: Some(region) } => write!(f, "no Region; write {region}"),
            PolicyProblemKind::NoRegion { meant: None } => {
                f.write_str("no Region; write its code, for example us-east-1: there is no form for all Regions")
            }
            PolicyProblemKind::NoIdentifier { text } => write!(
                f,
                "{} is no guardrail's ARN with a numeric version, and every call would fail; {}",
                quoted(text),
                identifier_instead(text)
            ),
            PolicyProblemKind::OtherRegion => {
                f.write_str("the guardrail is of another Region, and every call would fail; write one of this Region")
            }
            PolicyProblemKind::OtherPartition { guardrail, wanted } => {
                f.write_str(&other_partition(guardrail, wanted))
            }
            PolicyProblemKind::NoGuarding { text } => {
                write!(f, "{} is not known; write {}", quoted(text), guarding_instead(text))
            }
            PolicyProblemKind::NoGuardrail => f.write_str(
                "no identifier is assigned: unless a policy above does, accounts are frozen; write one",
            ),
            PolicyProblemKind::OneModelList => {
                f.write_str("one of two lists of models, and AWS may require both; write both")
            }
            PolicyProblemKind::Capitals => {
                f.write_str("AWS may publish the name in lower case; write it in lower case")
            }
            PolicyProblemKind::TooLong { characters } => write!(
                f,
                "{characters} characters, and AWS takes {MAX_POLICY_CHARACTERS}, white space included; \
                 write it without white space, or split it by Region"
            ),
        }
    }
}

/// What to write in place of a key that AWS doesn't document.
fn key_instead(meant: Option<&(String, &'static str)>) -> String {
    match meant {
        Some((key, meant)) => format!("write {meant} in place of {}", quoted(key)),
        None => "remove it".to_owned(),
    }
}

fn other_partition(guardrail: &GuardrailArn, wanted: &Partition) -> String {
    format!(
        "the ARN is of partition {}, and {} is in {wanted}, so every call would fail; write arn:{wanted}:…",
        guardrail.partition, guardrail.region
    )
}

/// What to write in place of a guarding that isn't known.
fn guarding_instead(text: &str) -> String {
    let known = ContentGuarding::ALL.map(|guarding| guarding.to_string());
    let meant = nearest(text, known.iter().map(String::as_str));
    meant.unwrap_or("selective or comprehensive").to_owned()
}

/// What to write in place of an identifier: the nearest to what is written.
fn identifier_instead(text: &str) -> String {
    const EXAMPLE: &str = "write arn:aws:bedrock:REGION:ACCOUNT:guardrail/ID:VERSION";
    if text.trim() != text && identifier(text.trim()).is_some() {
        return format!("write {}, without the white space around it", text.trim());
    }
    let is_arn = |text: &str| text.parse::<GuardrailArn>().is_ok();
    if is_arn(text) {
        return "write `:` and a published version's number behind it".to_owned();
    }
    match text.rsplit_once([':', '/']) {
        Some((arn, version)) if is_arn(arn) && version.parse::<GuardrailVersion>().is_ok() => {
            format!("write {arn}:{version}, with a colon before the version")
        }
        Some((arn, version)) if is_arn(arn) && version.eq_ignore_ascii_case("draft") => {
            format!("DRAFT can't be enforced: publish a version, and write {arn}:NUMBER")
        }
        Some((arn, _)) if is_arn(arn) => format!("write {arn}:NUMBER, with a published version's number"),
        _ => EXAMPLE.to_owned(),
    }
}

/// Text from the document, fit to be shown: quoted, without control characters, kept short.
fn quoted(text: &str) -> String {
    const SHOWN: usize = 80;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_identifier_is_told_with_the_nearest_right_one() {
        let arn = "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123";
        for (text, instead) in [
            (arn.to_owned(), "write `:` and a published version's number behind it".to_owned()),
            (format!("{arn}/2"), format!("write {arn}:2, with a colon before the version")),
            (
                format!("{arn}:DRAFT"),
                format!("DRAFT can't be enforced: publish a version, and write {arn}:NUMBER"),
            ),
            (format!("{arn}:$LATEST"), format!("write {arn}:NUMBER, with a published version's number")),
            (format!(" {arn}:2\n"), format!("write {arn}:2, without the white space around it")),
            ("abc123".to_owned(), "write arn:aws:bedrock:REGION:ACCOUNT:guardrail/ID:VERSION".to_owned()),
            (String::new(), "write arn:aws:bedrock:REGION:ACCOUNT:guardrail/ID:VERSION".to_owned()),
        ] {
            let told = PolicyProblemKind::NoIdentifier { text: text.clone() }.to_string();
            assert!(told.ends_with(&format!("; {instead}")), "{text}: {told}");
        }
    }
}
