//! Every key and every word that a baseline may hold, in one table.
//!
//! The checker reads with it, and a test holds `docs/baseline.schema.json` to it.

use super::{EnforcementLevel, Existing, Mode, OnBlockedProbe, OnUnusable, Placement};
use crate::enforcement::ContentGuarding;

pub(super) const BASELINE: &[&str] = &[
    "version",
    "organization",
    "owner",
    "mode",
    "guardrails",
    "assignments",
    "exclude",
    "accept_unproven",
    "limits",
];
pub(super) const GUARDRAIL: &[&str] = &[
    "owner",
    "name",
    "version",
    "regions",
    "models",
    "guarding",
    "placement",
    "copy",
    "on_unusable",
    "on_blocked_probe",
];
pub(super) const REGION: &[&str] = &["arn", "name", "version"];
pub(super) const MODELS: &[&str] = &["include", "exclude"];
pub(super) const GUARDING: &[&str] = &["system", "messages"];
pub(super) const COPY: &[&str] = &["kms_keys"];
pub(super) const ASSIGNMENT: &[&str] = &["targets", "guardrail", "level", "existing"];
pub(super) const LIMITS: &[&str] = &["max_replacements", "max_releases", "max_abandonments"];

/// A format of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Written before there was `placement: auto`.
    One,
    /// The present one.
    Two,
}

impl Format {
    /// What a guardrail's `placement` is where the document doesn't say.
    pub(super) fn default_placement(self) -> Placement {
        match self {
            Format::One => Placement::Central,
            Format::Two => Placement::Auto,
        }
    }
}

/// A key that stands where people expect it, and not where it belongs.
pub(super) struct Mistake {
    pub(super) key: &'static str,
    /// The key that would have served.
    pub(super) meant: &'static str,
    pub(super) message: &'static str,
    pub(super) instead: &'static str,
}

/// What AWS's API and its Bedrock policies call a key of ours.
const AWS_NAME: &str = "this is AWS's name of the key";
/// Keys of whole documents that are something else.
const NO_BASELINE: &str =
    "write the baseline, which says where which guardrail is enforced: docs/baseline.md";

const fn of_aws(key: &'static str, meant: &'static str, instead: &'static str) -> Mistake {
    Mistake { key, meant, message: AWS_NAME, instead }
}

pub(super) const BASELINE_MISTAKES: &[Mistake] = &[
    Mistake {
        key: "Statement",
        meant: "guardrails",
        message: "this is an IAM policy or a resource policy, and no baseline",
        instead: NO_BASELINE,
    },
    Mistake {
        key: "bedrock",
        meant: "guardrails",
        message: "this is a Bedrock policy of AWS Organizations, and no baseline",
        instead: NO_BASELINE,
    },
    Mistake {
        key: "guardrailInferenceConfig",
        meant: "guardrails",
        message: "this is a request of AWS's API, and no baseline",
        instead: NO_BASELINE,
    },
];

pub(super) const GUARDRAIL_MISTAKES: &[Mistake] = &[
    Mistake {
        key: "arn",
        meant: "name",
        message: "an ARN is of one Region, and this is for all of them",
        instead: "write it under its Region, as in regions: {us-east-1: {arn: …, version: 3}}",
    },
    of_aws("guardrailIdentifier", "name", WHICH_GUARDRAIL),
    of_aws("identifier", "name", WHICH_GUARDRAIL),
    of_aws("guardrailVersion", "version", "write version, with a published version's number"),
    of_aws("modelEnforcement", "models", WHICH_MODELS),
    of_aws("model_enforcement", "models", WHICH_MODELS),
    of_aws("selectiveContentGuarding", "guarding", WHICH_CONTENT),
    of_aws("selective_content_guarding", "guarding", WHICH_CONTENT),
    of_aws("inputTags", "guarding", WHICH_CONTENT),
    of_aws("input_tags", "guarding", WHICH_CONTENT),
];
const WHICH_GUARDRAIL: &str =
    "write name, or an arn for each Region, as in regions: {us-east-1: {arn: …, version: 3}}";
const WHICH_MODELS: &str =
    "write models, as in models: {include: [ALL], exclude: [amazon.titan-embed-text-v2:0]}";
const WHICH_CONTENT: &str = "write guarding, as in guarding: {system: comprehensive, messages: selective}";

pub(super) const REGION_MISTAKES: &[Mistake] = &[
    of_aws("guardrailIdentifier", "arn", "write arn or name"),
    of_aws("guardrailArn", "arn", "write arn"),
    of_aws("identifier", "arn", "write arn, without the version at its end"),
    of_aws("guardrailVersion", "version", "write version"),
];

pub(super) const MODEL_MISTAKES: &[Mistake] = &[
    of_aws("includedModels", "include", "write include"),
    of_aws("included_models", "include", "write include"),
    of_aws("excludedModels", "exclude", "write exclude"),
    of_aws("excluded_models", "exclude", "write exclude"),
];

/// The guardrail of those who get none, on purpose.
pub(super) const NONE: &str = "none";
/// The model that stands for every model.
pub(super) const ALL: &str = "ALL";

/// The words a key may have as its value, each with what it means.
pub(super) type Choices<T> = [(&'static str, T)];

pub(super) const MODES: &Choices<Mode> =
    &[("sync", Mode::Sync), ("enforce-only", Mode::EnforceOnly), ("audit", Mode::Audit)];
pub(super) const GUARDINGS: &Choices<ContentGuarding> =
    &[("comprehensive", ContentGuarding::Comprehensive), ("selective", ContentGuarding::Selective)];
/// The formats of the document: all have the same keys, and differ in what a key that is left out means.
pub(super) const FORMATS: &Choices<Format> = &[("1", Format::One), ("2", Format::Two)];
pub(super) const PLACEMENTS: &Choices<Placement> =
    &[("auto", Placement::Auto), ("central", Placement::Central), ("copy", Placement::Copy)];
pub(super) const ON_UNUSABLE: &Choices<OnUnusable> =
    &[("keep", OnUnusable::Keep), ("release", OnUnusable::Release)];
pub(super) const ON_BLOCKED_PROBE: &Choices<OnBlockedProbe> =
    &[("hold", OnBlockedProbe::Hold), ("enforce", OnBlockedProbe::Enforce)];
pub(super) const LEVELS: &Choices<EnforcementLevel> =
    &[("account", EnforcementLevel::Account), ("organization", EnforcementLevel::Organization)];
pub(super) const EXISTING: &Choices<Existing> =
    &[("keep", Existing::Keep), ("adopt", Existing::Adopt), ("replace", Existing::Replace)];

/// `a, b or c`, for messages.
pub(super) fn or<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    joined(words, "or")
}

/// `a, b and c`, for messages.
pub(super) fn and<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    joined(words, "and")
}

/// How many words a sentence names before it counts the rest.
const NAMED: usize = 20;

/// `a, b and c`, or the first of many and how many more there are.
pub(super) fn first_of(words: &[impl AsRef<str>]) -> String {
    let shown = words.iter().take(NAMED).map(AsRef::as_ref);
    match words.len().saturating_sub(NAMED) {
        0 => and(shown),
        more => and(shown.chain([format!("{more} more").as_str()])),
    }
}

fn joined<'a>(words: impl IntoIterator<Item = &'a str>, conjunction: &str) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    match words.as_slice() {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [first @ .., last] => format!("{} {conjunction} {last}", first.join(", ")),
    }
}
