//! Why nothing is done about a copy.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::SOURCE_TAG;
use crate::failure::Failure;
use crate::ids::GuardrailArn;

/// Why nothing is done about a copy. Displays as what is wrong and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum CopyHeld {
    /// The account owns guardrails of the baseline itself.
    OwnsGuardrails,
    /// The member has a guardrail of that name which isn't a copy of ours.
    NameTaken {
        /// The guardrail.
        guardrail: GuardrailArn,
    },
    /// Every version that may be deleted is gone, and there is still no room for another.
    VersionsFull {
        /// The guardrail.
        guardrail: GuardrailArn,
        /// How many versions there are.
        count: usize,
    },
    /// AWS failed to make the version, twice.
    VersionsFailed {
        /// The guardrail.
        guardrail: GuardrailArn,
    },
    /// Two versions that we published read back as something else than the draft they came from.
    VersionsReadBackDifferent {
        /// The guardrail.
        guardrail: GuardrailArn,
    },
    /// What was written reads back as something else.
    ReadsBackDifferent {
        /// The guardrail.
        guardrail: GuardrailArn,
    },
}

impl fmt::Display for CopyHeld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CopyHeld::OwnsGuardrails => f.write_str(
                "the account owns guardrails of the baseline, and none are copied there: who may write copies could change \
                 the originals; write placement: central, or assign the account a guardrail of its own",
            ),
            CopyHeld::NameTaken { guardrail } => write!(
                f,
                "another guardrail has the copy's name, and the keeper didn't make it ({}): rename or delete it, or \
                 give it the tag {SOURCE_TAG} to hand it over to the keeper",
                guardrail.id
            ),
            CopyHeld::VersionsFull { guardrail, count } => write!(
                f,
                "the copy {} has {count} versions and the keeper may delete none of them: delete some that aren't in \
                 use",
                guardrail.id
            ),
            CopyHeld::VersionsFailed { guardrail } => write!(
                f,
                "AWS failed twice to make a version of the copy {}: see its status reasons, then delete the failed versions",
                guardrail.id
            ),
            CopyHeld::VersionsReadBackDifferent { guardrail } => write!(
                f,
                "two versions of the copy {} were published and read back different from their draft: AWS shows them \
                 in another form, or another principal publishes under the keeper's mark; delete those two, and the \
                 keeper publishes again",
                guardrail.id
            ),
            CopyHeld::ReadsBackDifferent { guardrail } => write!(
                f,
                "the draft of the copy {} was written and reads back different: another principal writes it too, or \
                 AWS shows it in another form; nothing was published",
                guardrail.id
            ),
        }
    }
}

/// A failure with a member's copy, with what to do about it where the member role isn't allowed to copy.
pub fn of_a_copy(failure: Failure) -> Failure {
    // An explicit denial says itself what forbids the call.
    if !failure.is_a_lacking_permission() {
        return failure;
    }
    let message = format!(
        "{}; the member role may not copy guardrails: deploy it with AllowCopies=true",
        failure.message.trim_end_matches('.')
    );
    failure.in_words(message)
}
