//! What an account-level enforcement says: which guardrail version guards which models and content.
//!
//! Comparison is semantic. AWS leaves out what equals its default, or echoes it (which of the two
//! is not documented), so the absent form and the explicit form are the same value here.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{GuardrailArn, GuardrailVersion, ModelId};
use crate::words::{words, write_list};

/// One account-level enforcement, as wanted or as seen.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enforcement {
    /// The guardrail.
    pub guardrail: GuardrailArn,
    /// Its published version.
    pub version: GuardrailVersion,
    /// The models it guards.
    pub models: Models,
    /// How much of a request is guarded.
    pub guarding: Guarding,
}

impl Enforcement {
    /// The version of a guardrail that is enforced.
    pub fn version(&self) -> (&GuardrailArn, GuardrailVersion) {
        (&self.guardrail, self.version)
    }
}

impl fmt::Display for Enforcement {
    /// `ID:VERSION`, then whatever is not the default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Enforcement { guardrail, version, models, guarding } = self;
        write!(f, "{}:{version}", guardrail.id)?;
        if *models != Models::default() {
            write!(f, " {models}")?;
        }
        if *guarding != Guarding::default() {
            write!(f, " {guarding}")?;
        }
        Ok(())
    }
}

/// An enforcement of ours that AWS shows in another form than it was written in, such as models by ARN
/// where ids were sent.
///
/// No other caller wrote in between, so the two are taken for the same. Only models and guarding can have two
/// forms: another guardrail or version is never one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadsBack {
    /// What was written.
    pub written: Enforcement,
    /// What AWS shows of it.
    pub shown: Enforcement,
}

impl ReadsBack {
    /// What came back right after a write, where that says something else than what was written. `None` too
    /// where it is about another guardrail or version: that is no other form.
    pub fn of(written: &Enforcement, shown: &Enforcement) -> Option<ReadsBack> {
        let differs = written.version() == shown.version() && Drift::between(shown, written).is_some();
        differs.then(|| ReadsBack { written: written.clone(), shown: shown.clone() })
    }

    /// Its kind, as `status`, plans and events call it.
    pub const CODE: &'static str = "reads_back_different";
}

impl fmt::Display for ReadsBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ReadsBack { written, shown } = self;
        f.write_str("reads back different:")?;
        if written.models != shown.models {
            write!(f, " {} were written, AWS shows {};", written.models, shown.models)?;
        }
        if written.guarding != shown.guarding {
            write!(f, " {} was written, AWS shows {};", written.guarding, shown.guarding)?;
        }
        f.write_str(" not written again for that")
    }
}

/// The models that an enforcement guards. By default all of them.
///
/// A model that is both included and excluded is excluded (Bedrock user guide, guardrails enforcements).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    /// The models guarded.
    pub include: Included,
    /// Models left unguarded all the same.
    pub exclude: BTreeSet<ModelId>,
}

/// The models an enforcement starts from, before exclusions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Included {
    /// Every model, those that AWS adds later too.
    #[default]
    All,
    /// These only.
    Only(BTreeSet<ModelId>),
}

impl Models {
    /// Whether every model that `other` guards is guarded here too.
    pub fn cover(&self, other: &Models) -> bool {
        match (&self.include, &other.include) {
            (Included::All, _) => self.exclude.iter().all(|model| !other.guards(model)),
            (Included::Only(_), Included::Only(theirs)) => {
                theirs.iter().all(|model| !other.guards(model) || self.guards(model))
            }
            // A list never covers "all": AWS may add a model tomorrow.
            (Included::Only(_), Included::All) => false,
        }
    }

    fn guards(&self, model: &ModelId) -> bool {
        let included = match &self.include {
            Included::All => true,
            Included::Only(models) => models.contains(model),
        };
        included && !self.exclude.contains(model)
    }
}

impl fmt::Display for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Models { include, exclude } = self;
        match include {
            Included::All => f.write_str("models ALL")?,
            Included::Only(models) => {
                f.write_str("models ")?;
                write_list(f, models, ", ")?;
            }
        }
        if !exclude.is_empty() {
            f.write_str(" except ")?;
            write_list(f, exclude, ", ")?;
        }
        Ok(())
    }
}

/// How much of a request the guardrail looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guarding {
    /// The system prompt.
    #[serde(default)]
    pub system: ContentGuarding,
    /// The messages.
    #[serde(default)]
    pub messages: ContentGuarding,
}

impl Guarding {
    /// Whether everything that `other` guards is guarded here too.
    pub fn covers(self, other: Guarding) -> bool {
        self.system >= other.system && self.messages >= other.messages
    }
}

impl fmt::Display for Guarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Guarding { system, messages } = self;
        write!(f, "guarding system {system}, messages {messages}")
    }
}

words! {
    /// Whether content is guarded whole, or only where the caller tagged it.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum ContentGuarding {
        /// Only what the caller tagged.
        Selective = "selective",
        /// Everything, tagged or not. What Bedrock does when nothing is said.
        #[default]
        Comprehensive = "comprehensive",
    }

    impl Display;
}

words! {
    /// How what is seen differs from what is wanted, from the point of view of protection.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Drift {
        /// It guards less: fewer models or less content of the same guardrail version, or an older version.
        Weaker = "weaker",
        /// It guards more: more models or more content of the same guardrail version.
        Stronger = "stronger",
        /// Neither can be said: another guardrail, a newer version, or more here and less there.
        Different = "different",
    }

    impl Display;
}

impl Drift {
    /// The drift of `seen` from `wanted`, or `None` where they mean the same.
    pub fn between(seen: &Enforcement, wanted: &Enforcement) -> Option<Drift> {
        if seen == wanted {
            return None;
        }
        if seen.guardrail != wanted.guardrail {
            return Some(Drift::Different);
        }
        let covered = wanted.models.cover(&seen.models) && wanted.guarding.covers(seen.guarding);
        let covers = seen.models.cover(&wanted.models) && seen.guarding.covers(wanted.guarding);
        Some(match (seen.version.cmp(&wanted.version), covers, covered) {
            // What an older version holds is not known here; that it is not the one asked for is.
            (std::cmp::Ordering::Less, _, true) | (std::cmp::Ordering::Equal, false, true) => Drift::Weaker,
            (std::cmp::Ordering::Equal, true, false) => Drift::Stronger,
            // The lists are written in two ways, as in `Only(a, b) except b` for `Only(a)`.
            (std::cmp::Ordering::Equal, true, true) => return None,
            (std::cmp::Ordering::Less | std::cmp::Ordering::Equal, _, false)
            | (std::cmp::Ordering::Greater, _, _) => Drift::Different,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enforcement(version: u32, include: &[&str], exclude: &[&str], guarding: Guarding) -> Enforcement {
        let ids = |names: &[&str]| names.iter().map(|name| ModelId::as_reported(name)).collect();
        Enforcement {
            guardrail: "arn:aws:bedrock:us-east-1:222222222222:guardrail/base".parse().unwrap(),
            version: GuardrailVersion::new(version).unwrap(),
            models: Models {
                include: if include == ["ALL"] { Included::All } else { Included::Only(ids(include)) },
                exclude: ids(exclude),
            },
            guarding,
        }
    }

    const ALL: Guarding =
        Guarding { system: ContentGuarding::Comprehensive, messages: ContentGuarding::Comprehensive };
    const SELECTIVE: Guarding =
        Guarding { system: ContentGuarding::Selective, messages: ContentGuarding::Comprehensive };

    #[test]
    fn drift_says_which_side_guards_more() {
        let wanted = enforcement(2, &["ALL"], &["a.x"], ALL);
        for (seen, drift) in [
            (enforcement(2, &["ALL"], &["a.x"], ALL), None),
            (enforcement(2, &["ALL"], &["a.x", "a.y"], ALL), Some(Drift::Weaker)),
            (enforcement(2, &["ALL"], &[], ALL), Some(Drift::Stronger)),
            (enforcement(2, &["a.y"], &[], ALL), Some(Drift::Weaker)),
            (enforcement(2, &["ALL"], &["a.y"], ALL), Some(Drift::Different)),
            (enforcement(2, &["ALL"], &["a.x"], SELECTIVE), Some(Drift::Weaker)),
            (enforcement(2, &["ALL"], &[], SELECTIVE), Some(Drift::Different)),
            (enforcement(1, &["ALL"], &["a.x"], ALL), Some(Drift::Weaker)),
            (enforcement(1, &["ALL"], &[], ALL), Some(Drift::Different)),
            (enforcement(3, &["ALL"], &["a.x"], ALL), Some(Drift::Different)),
        ] {
            assert_eq!(Drift::between(&seen, &wanted), drift, "{seen}");
        }
    }

    #[test]
    fn two_ways_to_write_the_same_models_are_no_drift() {
        let seen = enforcement(2, &["a.x", "a.y"], &["a.y"], ALL);
        let wanted = enforcement(2, &["a.x"], &[], ALL);
        assert_eq!(Drift::between(&seen, &wanted), None);
    }

    #[test]
    fn another_guardrail_is_different() {
        let wanted = enforcement(2, &["ALL"], &[], ALL);
        let mut seen = wanted.clone();
        seen.guardrail = "arn:aws:bedrock:us-east-1:222222222222:guardrail/other".parse().unwrap();
        assert_eq!(Drift::between(&seen, &wanted), Some(Drift::Different));
    }

    #[test]
    fn only_models_and_guarding_have_another_form() {
        let written = enforcement(2, &["ALL"], &["a.x"], ALL);
        let arn = "arn:aws:bedrock:us-east-1::foundation-model/a.x";
        for (shown, is_another_form) in [
            (written.clone(), false),
            (enforcement(2, &["ALL"], &[arn], ALL), true),
            (enforcement(2, &["ALL"], &["a.x"], SELECTIVE), true),
            (enforcement(1, &["ALL"], &[arn], ALL), false),
            (enforcement(3, &["ALL"], &["a.x"], ALL), false),
        ] {
            assert_eq!(ReadsBack::of(&written, &shown).is_some(), is_another_form, "{shown}");
        }
        let mut other = enforcement(2, &["ALL"], &[arn], ALL);
        other.guardrail = "arn:aws:bedrock:us-east-1:222222222222:guardrail/other".parse().unwrap();
        assert_eq!(ReadsBack::of(&written, &other), None);
    }
}
