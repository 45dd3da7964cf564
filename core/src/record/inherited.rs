//! What an account has of the organization's level, as a look from the account itself found it, and whether it can apply
//! what the baseline gives it there.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::baseline::Revision;
use crate::enforcement::Enforcement;
use crate::ids::{GuardrailArn, GuardrailVersion, Region};
use crate::words::words;

/// How long a probe counts, in seconds: a day. A sweep that looks again twice a day keeps every probe fresh.
const PROBE_COUNTS_SECONDS: i64 = 24 * 3600;

/// After how long a probe that succeeded is made again, in seconds: long before it counts no more.
const PROBED_AGAIN_SECONDS: i64 = 10 * 3600;

/// What an account has of the organization's level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InheritedLevel {
    /// When it was looked at.
    pub at: Timestamp,
    /// By which baseline.
    pub revision: Revision,
    /// Each Region in which the baseline gives it something, or something is published.
    pub regions: BTreeMap<Region, InheritedRegion>,
}

/// One Region of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InheritedRegion {
    /// What the baseline gives it; `None` where that is nothing, or where the guardrail could not be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Enforcement>,
    /// How what is published stands to that.
    pub standing: InheritedStanding,
    /// The same in words, where there is more to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The last try to apply what the baseline gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<InheritedProbe>,
}

words! {
    /// How what AWS publishes to an account stands to what the baseline gives it on the organization's level.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum InheritedStanding {
        /// What is published is what the baseline gives.
        AsWanted = "as_wanted",
        /// Nothing is published, and the baseline gives something: it isn't written or not published yet, or was taken away.
        Absent = "absent",
        /// Something else is published.
        Differs = "differs",
        /// Something is published, and the baseline gives nothing: it is somebody else's, or about to be taken back.
        NotWanted = "not_wanted",
        /// Bedrock policies are not enabled in the organization.
        NotSetUp = "not_set_up",
        /// What is published could not be read.
        Unreadable = "unreadable",
        /// The guardrail that the baseline means could not be found.
        NotFound = "not_found",
    }

    /// A short stable name, as it is stored.
    pub fn code(self) -> &'static str;

    impl Display;
}

impl InheritedStanding {
    /// Whether nothing is wrong. What is somebody else's, where the baseline gives nothing, is none of the keeper's business.
    pub fn is_good(self) -> bool {
        match self {
            InheritedStanding::AsWanted | InheritedStanding::NotWanted => true,
            InheritedStanding::Absent
            | InheritedStanding::Differs
            | InheritedStanding::NotSetUp
            | InheritedStanding::Unreadable
            | InheritedStanding::NotFound => false,
        }
    }
}

/// A try of an account to apply a guardrail version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InheritedProbe {
    /// The guardrail.
    pub guardrail: GuardrailArn,
    /// Its version.
    pub version: GuardrailVersion,
    /// When.
    pub at: Timestamp,
    /// What came of it.
    pub result: InheritedProbeResult,
}

/// What came of a try to apply a guardrail version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InheritedProbeResult {
    /// The account can apply it.
    Applied,
    /// The Region isn't enabled in the account, so that nobody can use Bedrock there.
    NotEnabled,
    /// It can't, or it isn't known: in words.
    Failed(String),
}

impl InheritedProbe {
    /// Whether it is of this version and still counts.
    pub fn counts_for(&self, enforcement: &Enforcement, now: Timestamp) -> bool {
        self.is_of(enforcement) && self.age(now) < PROBE_COUNTS_SECONDS
    }

    /// Whether another one is due. One that failed, or found the Region not enabled, is tried again by each look.
    pub fn is_due_again(&self, enforcement: &Enforcement, now: Timestamp) -> bool {
        let applied = self.result == InheritedProbeResult::Applied;
        !applied || !self.is_of(enforcement) || self.age(now) >= PROBED_AGAIN_SECONDS
    }

    fn is_of(&self, enforcement: &Enforcement) -> bool {
        self.guardrail == enforcement.guardrail && self.version == enforcement.version
    }

    /// A time that is ahead of ours counts as far away as one behind it.
    fn age(&self, now: Timestamp) -> i64 {
        (now.as_second() - self.at.as_second()).abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforcement::{Guarding, Models};

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_900_000_000 + hours * 3600).unwrap()
    }

    fn enforcement(version: u32) -> Enforcement {
        Enforcement {
            guardrail: "arn:aws:bedrock:us-east-1:111111111111:guardrail/base1234abcd".parse().unwrap(),
            version: GuardrailVersion::new(version).unwrap(),
            models: Models::default(),
            guarding: Guarding::default(),
        }
    }

    #[test]
    fn a_probe_counts_for_its_version_and_for_a_day() {
        let probe = |result| InheritedProbe {
            guardrail: enforcement(2).guardrail,
            version: enforcement(2).version,
            at: at(0),
            result,
        };
        let applied = probe(InheritedProbeResult::Applied);
        for (version, hours, counts, due) in [
            (2, 0, true, false),
            (2, 9, true, false),
            (2, 10, true, true),
            (2, 23, true, true),
            (2, 24, false, true),
            (3, 0, false, true),
            // A clock that is far ahead makes no old probe young.
            (2, -25, false, true),
        ] {
            let case = format!("version {version} after {hours} hours");
            assert_eq!(applied.counts_for(&enforcement(version), at(hours)), counts, "{case}");
            assert_eq!(applied.is_due_again(&enforcement(version), at(hours)), due, "{case}");
        }
        let failed = probe(InheritedProbeResult::Failed("denied".to_owned()));
        assert!(failed.is_due_again(&enforcement(2), at(0)));
        assert!(probe(InheritedProbeResult::NotEnabled).is_due_again(&enforcement(2), at(0)));
        assert!(probe(InheritedProbeResult::NotEnabled).counts_for(&enforcement(2), at(1)));
    }
}
