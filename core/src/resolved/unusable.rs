//! Why a guardrail can't be enforced: one row per reason. A new reason needs a row here, and one in docs/runbook.md.

use crate::baseline::GuardrailName;
use crate::content::CannotCopy;
use crate::copy::{CopyHeld, NoOriginal, Status};
use crate::failure::Failure;
use crate::ids::{GuardrailArn, GuardrailVersion, KmsKeyArn};
use crate::reasons::reasons;
use crate::resource_policy::Resource;

/// What AWS calls the edition that can be edited.
pub const DRAFT: &str = "DRAFT";

reasons! {
    /// Why a guardrail can't be enforced. Displays as what is wrong and what to do about it.
    Unusable,
    /// Whether AWS says in so many words that it can't be used, or it is only not known to be usable. What
    /// one look calls certain is reported; it is given up only when a later look agrees.
    is_certain {
        /// No guardrail of that name in the Region.
        NotFound {
            /// The name that was looked for.
            name: GuardrailName,
        } => {
            code: "not_found",
            says: "no guardrail named {name} in this Region of the owner account",
            remedy: "create it there, or take the Region out of the baseline",
            waits: false,
            is_certain: true,
        }
        /// Several guardrails of that name in the Region.
        Ambiguous {
            /// The name that was looked for.
            name: GuardrailName,
            /// How many there are.
            count: usize,
        } => {
            code: "ambiguous",
            says: "{count} guardrails are named {name} in this Region",
            remedy: "give its ARN in the baseline",
            waits: false,
            is_certain: true,
        }
        /// The guardrail, or this version of it, is gone or was never made.
        Missing {
            /// The guardrail.
            guardrail: GuardrailArn,
            /// The version.
            version: GuardrailVersion,
            /// The newest version that is there, where that is known. A number is never used again: a newer
            /// one says that this one was deleted.
            #[serde(default)]
            newest: Option<GuardrailVersion>,
        } => {
            code: "missing",
            says: "{}" (match newest {
                Some(newest) if newest > version => format!("version {version} of guardrail {} was deleted in this Region, and AWS never uses a number again", guardrail.id),
                Some(newest) => format!("guardrail {} has no version {version} in this Region, its newest is {newest}", guardrail.id),
                None => format!("guardrail {} has no version {version} in this Region", guardrail.id),
            }),
            remedy: "{}" (match newest {
                Some(newest) if newest > version => "publish a new version, and put its number into the baseline",
                Some(_) => "put that into the baseline, or publish a version and put the number that AWS gives it",
                None => "put the number of a published version into the baseline; a deleted one never comes back, so publish a new one",
            }),
            waits: false,
            is_certain: true,
        }
        /// AWS's answers contradict each other: ListGuardrails shows the version, and GetGuardrail doesn't
        /// find it.
        AnswersDisagree {
            /// The guardrail.
            guardrail: GuardrailArn,
            /// The version.
            version: GuardrailVersion,
        } => {
            code: "answers_disagree",
            says: "AWS contradicts itself: ListGuardrails shows version {version} of guardrail {}, and GetGuardrail \
                   doesn't find it; the keeper asks again soon, and holds the target until both agree" (guardrail.id),
            waits: true,
            // One of the two answers is wrong, and it isn't known which.
            is_certain: false,
        }
        /// The guardrail has a draft and no published version at all.
        OnlyDraft {
            /// The guardrail.
            guardrail: GuardrailArn,
        } => {
            code: "only_draft",
            says: "guardrail {} has only a draft, which can't be enforced" (guardrail.id),
            remedy: "publish a version, and give its number in the baseline",
            waits: false,
            is_certain: true,
        }
        /// The version exists but isn't ready.
        NotReady {
            /// Its state.
            status: Status,
        } => {
            code: "not_ready",
            says: "the guardrail is {status}, not READY",
            waits: status.passes(),
            is_certain: matches!(status, Status::Failed | Status::Deleting),
        }
        /// It carries an Automated Reasoning policy, which fails at run time when enforced.
        AutomatedReasoning => {
            code: "automated_reasoning",
            says: "it carries an Automated Reasoning policy, which fails every call when enforced",
            remedy: "publish a version without one",
            waits: false,
            is_certain: true,
        }
        /// Its resource policy doesn't admit the organization.
        NotGranted {
            /// The guardrail or profile.
            resource: Box<Resource>,
            /// What its policy lacks, in words.
            why: String,
            /// Whether the keeper is about to put that right.
            being_mended: bool,
            /// Whether members are known to be unable to apply it, or only not known to be able.
            certain: bool,
        } => {
            code: "not_granted",
            says: "{resource} isn't granted to the organization{}" (
                match (being_mended, lacks(why)) {
                    (true, why) => format!(" yet: {why}"),
                    (false, why) => format!(" ({why}), and the keeper can't change its policy here"),
                }
            ),
            waits: *being_mended,
            is_certain: *certain,
        }
        /// The customer managed key that encrypts it can't be used at present, so calls under it fail.
        KeyUnusable {
            /// The key.
            key: KmsKeyArn,
            /// KMS's word for its state, such as `Disabled`.
            state: String,
        } => {
            code: "key_unusable",
            says: "its KMS key {key} is {state}, so every call under it would fail",
            remedy: "enable the key, or publish a version without it",
            waits: false,
            is_certain: true,
        }
        /// The customer managed key that encrypts it doesn't admit the account.
        KeyNotShared {
            /// The key.
            key: KmsKeyArn,
            /// What its key policy lacks, in words.
            why: String,
        } => {
            code: "key_not_shared",
            says: "its KMS key {key} does not let this account decrypt ({})" (lacks(why)),
            remedy: "allow kms:Decrypt to the organization in the key policy",
            waits: false,
            // The probe shows whether calls fail because of the key policy.
            is_certain: false,
        }
        /// The owner account could not be read, so nothing is known.
        Unreadable {
            /// Why.
            failure: Failure,
        } => {
            code: "owner_unreadable" of failure,
            says: "the owner account could not be read: {failure}",
            waits: failure.category.is_worth_waiting(),
            is_certain: false,
        }
        // A copy that is enforced works, whatever became of the original or of its next version: nothing that is
        // wrong with copies is certain.
        /// It can't be turned into a copy.
        CannotCopy {
            /// Why, in words.
            why: String,
        } => {
            code: "cannot_copy",
            says: "it can't be copied: {why}",
            waits: false,
            is_certain: false,
        }
        /// The member's copy of it is held up.
        CopyHeld {
            /// Why.
            held: CopyHeld,
        } => {
            code: "copy_held",
            says: "{held}",
            waits: false,
            is_certain: false,
        }
        /// The member's copy of it could not be read.
        CopyUnreadable {
            /// Why.
            failure: Failure,
        } => {
            code: "copy_unreadable" of failure,
            says: "the account's copy could not be read: {failure}",
            waits: failure.category.is_worth_waiting(),
            is_certain: false,
        }
        /// The member's copy of it isn't there yet, or isn't up to date.
        CopyNeeded {
            /// The next step.
            step: String,
        } => {
            code: "copy_needed",
            says: "the account's copy isn't up to date: {step}",
            waits: false,
            is_certain: false,
        }
    }
}

/// What is missing, where the sentence around it says already that something isn't granted.
fn lacks(why: &str) -> &str {
    why.strip_prefix("not granted: ").unwrap_or(why)
}

impl Unusable {
    /// Why GetGuardrail doesn't find a version, by the editions that ListGuardrails shows of its guardrail:
    /// none where that doesn't know the guardrail either.
    pub fn without(guardrail: &GuardrailArn, version: GuardrailVersion, editions: &[String]) -> Unusable {
        let guardrail = guardrail.clone();
        match editions {
            [draft] if draft == DRAFT => Unusable::OnlyDraft { guardrail },
            editions if editions.contains(&version.to_string()) => {
                Unusable::AnswersDisagree { guardrail, version }
            }
            editions => {
                let newest = editions.iter().filter_map(|edition| edition.parse().ok()).max();
                Unusable::Missing { guardrail, version, newest }
            }
        }
    }

    /// Whether the keeper itself is about to mend it, so that nothing is given up for it.
    pub fn is_being_mended(&self) -> bool {
        self.awaited_grant().is_some()
    }

    /// What the keeper itself is about to grant.
    pub fn awaited_grant(&self) -> Option<&Resource> {
        match self {
            Unusable::NotGranted { being_mended: true, resource, .. } => Some(resource),
            _ => None,
        }
    }

    /// Why the account's copy could not be read, where that is why.
    pub fn copy_failure(&self) -> Option<&Failure> {
        match self {
            Unusable::CopyUnreadable { failure } => Some(failure),
            _ => None,
        }
    }

    /// Whether it can be made usable again as it is, so that nothing is released for it: a key that is
    /// disabled, or about to be deleted, is enabled again in one step.
    pub fn may_come_back(&self) -> bool {
        matches!(self, Unusable::KeyUnusable { .. } | Unusable::KeyNotShared { .. })
    }
}

impl From<NoOriginal> for Unusable {
    fn from(reason: NoOriginal) -> Unusable {
        match reason {
            NoOriginal::NotReady(status) => Unusable::NotReady { status },
            NoOriginal::CannotCopy(CannotCopy::AutomatedReasoning) => Unusable::AutomatedReasoning,
            NoOriginal::Unreadable(failure) => Unusable::Unreadable { failure },
            other @ (NoOriginal::Missing | NoOriginal::CannotCopy(_)) => {
                Unusable::CannotCopy { why: other.to_string() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Category;

    #[test]
    fn what_is_certain_and_what_passes_are_two_things() {
        let guardrail: GuardrailArn =
            "arn:aws:bedrock:us-east-1:222222222222:guardrail/base".parse().unwrap();
        let version = GuardrailVersion::new(2).unwrap();
        let name: GuardrailName = "base".parse().unwrap();
        let failure = |category| Failure::new(category, "Get", "no");
        let status = |word: &str| Unusable::NotReady { status: Status::from(word.to_owned()) };
        let granted = |being_mended, certain| Unusable::NotGranted {
            resource: Box::new(Resource::Guardrail(guardrail.clone())),
            why: "it is not granted".to_owned(),
            being_mended,
            certain,
        };
        for (unusable, certain, passes) in [
            (Unusable::NotFound { name: name.clone() }, true, false),
            (Unusable::Ambiguous { name, count: 2 }, true, false),
            (Unusable::Missing { guardrail: guardrail.clone(), version, newest: None }, true, false),
            (Unusable::OnlyDraft { guardrail: guardrail.clone() }, true, false),
            (Unusable::AnswersDisagree { guardrail: guardrail.clone(), version }, false, true),
            (status("FAILED"), true, false),
            (status("DELETING"), true, false),
            (status("CREATING"), false, true),
            (status("UPDATING"), false, true),
            (status("VERSIONING"), false, true),
            // An unknown word says nothing, and isn't waited for.
            (status("HIBERNATING"), false, false),
            (Unusable::AutomatedReasoning, true, false),
            (granted(true, true), true, true),
            (granted(false, true), true, false),
            (granted(true, false), false, true),
            (granted(false, false), false, false),
            (Unusable::Unreadable { failure: failure(Category::Transient) }, false, true),
            (Unusable::Unreadable { failure: failure(Category::Denied) }, false, false),
            (Unusable::CopyUnreadable { failure: failure(Category::Transient) }, false, true),
            (Unusable::CopyUnreadable { failure: failure(Category::Denied) }, false, false),
            (Unusable::CannotCopy { why: "too long".to_owned() }, false, false),
            (Unusable::CopyNeeded { step: "create the copy".to_owned() }, false, false),
        ] {
            assert_eq!((unusable.is_certain(), unusable.is_worth_waiting()), (certain, passes), "{unusable}");
        }
    }

    #[test]
    fn a_draft_alone_a_missing_version_and_a_contradiction_are_three_things() {
        let guardrail: GuardrailArn =
            "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base".parse().unwrap();
        let version = GuardrailVersion::new(2).unwrap();
        let cases: [(&[&str], &str, bool); 8] = [
            (&["DRAFT"], "guardrail base has only a draft", true),
            (&["DRAFT", "1"], "guardrail base has no version 2 in this Region, its newest is 1: put", true),
            (&["1"], "guardrail base has no version 2 in this Region, its newest is 1: put", true),
            // A number is never used again, so the remedy isn't to publish version 2.
            (&["DRAFT", "1", "3"], "version 2 of guardrail base was deleted", true),
            (&["10", "9", "DRAFT"], "version 2 of guardrail base was deleted", true),
            // The guardrail itself is gone.
            (&[], "guardrail base has no version 2 in this Region: put", true),
            // Two answers that disagree are no certainty.
            (&["DRAFT", "1", "2"], "AWS contradicts itself", false),
            (&["2"], "AWS contradicts itself", false),
        ];
        for (editions, expected, certain) in cases {
            let editions: Vec<String> = editions.iter().map(|it| (*it).to_owned()).collect();
            let unusable = Unusable::without(&guardrail, version, &editions);
            assert!(unusable.to_string().starts_with(expected), "{editions:?}: {unusable}");
            assert!(!unusable.to_string().contains("publish it"), "{unusable}");
            assert_eq!((unusable.is_certain(), unusable.is_worth_waiting()), (certain, !certain));
        }
    }
}
