//! What the record keeps of a guardrail that is enforced and can't be used: nothing is given up for one
//! answer of AWS.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Record;
use crate::enforcement::Enforcement;
use crate::ids::{GuardrailArn, GuardrailVersion};

/// How old the first look must be, in seconds, that found an enforced guardrail unusable, before a second
/// look that agrees may release the enforcement. AWS's answers may be wrong for some minutes, and every
/// wrong release leaves an account unguarded.
pub const CONFIRMED_AFTER_SECONDS: i64 = 300;

/// That the guardrail of what is enforced was found unusable, since when, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundUnusable {
    /// The guardrail.
    pub guardrail: GuardrailArn,
    /// The version that is enforced.
    pub version: GuardrailVersion,
    /// The kind of reason, a short stable name. A look that finds another reason begins anew.
    pub code: String,
    /// When a look found it so first. Every look since then that could decide it agreed.
    pub since: Timestamp,
}

/// An enforcement that was released although it is wanted, because its guardrail can't be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasedUnusable {
    /// The guardrail.
    pub guardrail: GuardrailArn,
    /// The version that was enforced.
    pub version: GuardrailVersion,
    /// When it was released.
    pub at: Timestamp,
}

/// What a look shows of the guardrail of what is enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Usability {
    /// It is not known to be unusable, or nothing is enforced.
    NotUnusable,
    /// It can't be used.
    Unusable(FoundUnusable),
    /// The look could not decide it.
    Unknown,
}

impl FoundUnusable {
    fn is_about(&self, enforcement: &Enforcement, code: &str) -> bool {
        let FoundUnusable { guardrail, version, code: known, since: _ } = self;
        *guardrail == enforcement.guardrail && *version == enforcement.version && known == code
    }

    fn agrees_with(&self, other: &FoundUnusable) -> bool {
        self.guardrail == other.guardrail && self.version == other.version && self.code == other.code
    }
}

impl Record {
    /// Whether an earlier look, some minutes ago or more, found this enforcement unusable for the same
    /// kind of reason, and no look since then found otherwise.
    pub fn confirms_unusable(&self, enforcement: &Enforcement, code: &str, now: Timestamp) -> bool {
        self.unusable.as_ref().is_some_and(|found| {
            let age = now.as_second() - found.since.as_second();
            found.is_about(enforcement, code) && age >= CONFIRMED_AFTER_SECONDS
        })
    }

    /// Whether anything of what is there, was there or is being written has this guardrail.
    pub fn names(&self, guardrail: &GuardrailArn) -> bool {
        self.names_any(|named| named == guardrail)
    }

    /// The same for any guardrail of these.
    pub fn names_any(&self, is_one: impl Fn(&GuardrailArn) -> bool) -> bool {
        let ours = self.ours.as_ref().map(|ours| &ours.enforcement);
        let begun = self.intent.as_ref().and_then(|intent| intent.to.as_ref());
        let seen = self.seen.as_ref().and_then(|seen| seen.enforcement.as_ref());
        let released = self.released_unusable.as_ref().map(|released| &released.guardrail);
        let enforced = [ours, begun, seen].into_iter().flatten().map(|enforcement| &enforcement.guardrail);
        enforced.chain(released).chain(&self.former).any(is_one)
    }

    /// Whether this target counts among those that a version that can't be used takes the protection from:
    /// the version is enforced here and ours, or it was released here since `since` because it can't be used.
    pub fn loses(&self, guardrail: &GuardrailArn, version: GuardrailVersion, since: Timestamp) -> bool {
        let enforces = self.ours.as_ref().is_some_and(|ours| {
            ours.enforcement.guardrail == *guardrail && ours.enforcement.version == version
        });
        let released = self.released_unusable.as_ref().is_some_and(|released| {
            released.guardrail == *guardrail && released.version == version && released.at >= since
        });
        enforces || released
    }

    pub(super) fn find_usability(&mut self, usability: Usability) {
        match usability {
            Usability::NotUnusable => self.unusable = None,
            // The first look is what counts.
            Usability::Unusable(found) if self.unusable.as_ref().is_some_and(|it| it.agrees_with(&found)) => {
            }
            Usability::Unusable(found) => self.unusable = Some(found),
            Usability::Unknown => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforcement::{Guarding, Models};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn enforcement(version: u32) -> Enforcement {
        Enforcement {
            guardrail: "arn:aws:bedrock:us-east-1:222222222222:guardrail/base".parse().unwrap(),
            version: GuardrailVersion::new(version).unwrap(),
            models: Models::default(),
            guarding: Guarding::default(),
        }
    }

    fn unusable(version: u32, code: &str, second: i64) -> Usability {
        let Enforcement { guardrail, version, .. } = enforcement(version);
        Usability::Unusable(FoundUnusable { guardrail, version, code: code.to_owned(), since: at(second) })
    }

    #[test]
    fn only_a_later_look_that_agrees_confirms_it() {
        let minutes = CONFIRMED_AFTER_SECONDS;
        for (looks, confirmed) in [
            (vec![], false),
            (vec![unusable(2, "missing", 0)], true),
            (vec![unusable(2, "missing", 1)], false),
            (vec![unusable(2, "missing", 0), unusable(2, "missing", 60)], true),
            // A look that could not decide it changes nothing.
            (vec![unusable(2, "missing", 0), Usability::Unknown], true),
            // One look that found otherwise, and all begins anew.
            (vec![unusable(2, "missing", 0), Usability::NotUnusable], false),
            (vec![unusable(2, "missing", 0), Usability::NotUnusable, unusable(2, "missing", 60)], false),
            (vec![unusable(2, "not_ready", 0), unusable(2, "missing", 60)], false),
            (vec![unusable(1, "missing", 0)], false),
            (vec![unusable(1, "missing", 0), unusable(2, "missing", 60)], false),
        ] {
            let mut record = Record::default();
            let told = format!("{looks:?}");
            looks.into_iter().for_each(|look| record.find_usability(look));
            assert_eq!(
                record.confirms_unusable(&enforcement(2), "missing", at(minutes)),
                confirmed,
                "{told}"
            );
        }
    }
}
