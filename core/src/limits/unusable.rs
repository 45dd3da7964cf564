//! How many targets lose their protection because a guardrail version can't be used, across the whole
//! organization: counted before the first of them is released, and held to `max_releases`.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::baseline::Limits;
use crate::ids::{GuardrailArn, GuardrailVersion};
use crate::plan::{Change, Decision, HoldReason, Plan};

/// One version of a guardrail.
pub type Version = (GuardrailArn, GuardrailVersion);

/// How long releases count together against the limits, in seconds: a day, as moves of accounts do.
pub const RELEASES_COUNTED_SECONDS: i64 = 24 * 3600;

/// How long a count may take before another run begins it again, in seconds.
const COUNTED_AGAIN_SECONDS: i64 = 900;

/// The versions that can't be used and that runs want to release, as the ledger keeps them for all runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnusableVersions(Vec<UnusableVersion>);

/// A version that can't be used, and how many targets it is to be released in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusableVersion {
    /// The guardrail.
    pub guardrail: GuardrailArn,
    /// The version.
    pub version: GuardrailVersion,
    /// When its count was begun.
    pub at: Timestamp,
    /// How many targets are released if all are: those that enforce it by the record, and those in which it
    /// was released already. `None` while that is being counted.
    pub targets: Option<u32>,
    /// Whether somebody approved to release all of them.
    pub approved: bool,
}

/// Whether a version may be released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseVerdict {
    /// It may.
    Within,
    /// How many targets would be released isn't known yet.
    NotCounted,
    /// More would be released than the limits allow: so many.
    TooMany(u32),
}

impl UnusableVersion {
    fn is_of(&self, (guardrail, version): &Version) -> bool {
        self.guardrail == *guardrail && self.version == *version
    }

    fn is_recent(&self, now: Timestamp) -> bool {
        now.as_second() - self.at.as_second() < RELEASES_COUNTED_SECONDS
    }

    fn needs_a_count(&self, now: Timestamp) -> bool {
        let late = now.as_second() - self.at.as_second() >= COUNTED_AGAIN_SECONDS;
        !self.is_recent(now) || (self.targets.is_none() && late)
    }
}

impl fmt::Display for UnusableVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UnusableVersion { guardrail, version, at: _, targets, approved: _ } = self;
        write!(f, "{}:{version} in {} can't be used: ", guardrail.id, guardrail.region)?;
        match targets {
            Some(targets) => write!(f, "to be released in {targets} targets, which are unguarded then"),
            None => f.write_str("how many targets it is to be released in is being counted"),
        }
    }
}

impl UnusableVersions {
    /// Those of `versions` that the caller is to count: nobody has within a day, nor is somebody at it.
    pub fn claim(&mut self, versions: &BTreeSet<Version>, now: Timestamp) -> BTreeSet<Version> {
        let claimed: BTreeSet<Version> = versions
            .iter()
            .filter(|version| self.of(version).is_none_or(|known| known.needs_a_count(now)))
            .cloned()
            .collect();
        for (guardrail, version) in &claimed {
            let approved = self
                .of(&(guardrail.clone(), *version))
                .is_some_and(|known| known.approved && known.is_recent(now));
            self.put(UnusableVersion {
                guardrail: guardrail.clone(),
                version: *version,
                at: now,
                targets: None,
                approved,
            });
        }
        self.0.retain(|known| known.is_recent(now));
        claimed
    }

    /// Takes note of how many targets a version is to be released in.
    pub fn count(&mut self, (guardrail, version): &Version, targets: u32, now: Timestamp) {
        let known = self.of(&(guardrail.clone(), *version));
        let (at, approved) = known.map_or((now, false), |known| (known.at, known.approved));
        let guardrail = guardrail.clone();
        self.put(UnusableVersion { guardrail, version: *version, at, targets: Some(targets), approved });
    }

    /// Lets everything be released that was known by then to be unusable. What is found later counts anew.
    pub fn approve(&mut self, then: Timestamp) {
        let known = |version: &&mut UnusableVersion| version.at.as_millisecond() <= then.as_millisecond();
        self.0.iter_mut().filter(known).for_each(|version| version.approved = true);
    }

    /// Whether a version may be released, counted together with the others of the same day.
    pub fn verdict(&self, version: &Version, limits: Limits, now: Timestamp) -> ReleaseVerdict {
        let known = self.of(version).filter(|known| known.is_recent(now));
        if known.is_some_and(|known| known.approved) {
            return ReleaseVerdict::Within;
        }
        if known.is_none() {
            return ReleaseVerdict::NotCounted;
        }
        let counted = self.0.iter().filter(|other| other.is_recent(now) && !other.approved);
        let counts: Option<Vec<u32>> = counted.map(|other| other.targets).collect();
        let Some(counts) = counts else { return ReleaseVerdict::NotCounted };
        let releases = counts.into_iter().fold(0, u32::saturating_add);
        if releases <= limits.max_releases {
            ReleaseVerdict::Within
        } else {
            ReleaseVerdict::TooMany(releases)
        }
    }

    /// Those that somebody would have to approve, with how many targets they are to be released in.
    pub fn unapproved(&self, now: Timestamp) -> impl Iterator<Item = &UnusableVersion> {
        self.0.iter().filter(move |known| known.is_recent(now) && !known.approved)
    }

    fn of(&self, version: &Version) -> Option<&UnusableVersion> {
        self.0.iter().find(|known| known.is_of(version))
    }

    fn put(&mut self, version: UnusableVersion) {
        self.0.retain(|known| !known.is_of(&(version.guardrail.clone(), version.version)));
        self.0.push(version);
        self.0.sort_by(|one, other| (&one.guardrail, one.version).cmp(&(&other.guardrail, other.version)));
    }
}

impl Plan {
    /// The versions that are to be released because they can't be used, those too that wait for a second look
    /// or an approval.
    pub fn unusable_versions(&self) -> BTreeSet<Version> {
        let seen = self.decisions.values().filter_map(|decision| match decision {
            Decision::Change(Change::Release { from, broken: Some(_), .. }) => Some(from),
            Decision::Broken(broken) => broken
                .stays
                .as_ref()
                .filter(|why| matches!(why, HoldReason::NotConfirmed | HoldReason::TooManyUnusable { .. }))
                .map(|_| &broken.seen),
            Decision::Change(_)
            | Decision::CleanUp(_)
            | Decision::Held(_)
            | Decision::InSync(_)
            | Decision::LeftAlone(_) => None,
        });
        seen.map(|seen| (seen.enforcement.guardrail.clone(), seen.enforcement.version)).collect()
    }

    /// Holds each release of what can't be used for which `reason` finds one.
    pub fn hold_unusable(self, reason: impl Fn(&Version) -> Option<HoldReason>) -> Plan {
        self.hold_changes(|change| match change {
            Change::Release { from, broken: Some(_), .. } => {
                reason(&(from.enforcement.guardrail.clone(), from.enforcement.version))
            }
            Change::Release { broken: None, .. }
            | Change::Enforce { .. }
            | Change::Replace { .. }
            | Change::Adopt { .. }
            | Change::EnsureCopy { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn version(number: u32) -> Version {
        let guardrail = "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base".parse().unwrap();
        (guardrail, GuardrailVersion::new(number).unwrap())
    }

    fn limits(max_releases: u32) -> Limits {
        Limits { max_replacements: 50, max_releases, max_abandonments: 5 }
    }

    #[test]
    fn one_run_counts_for_all_and_another_takes_over_after_a_while() {
        let mut known = UnusableVersions::default();
        let both = BTreeSet::from([version(1), version(2)]);
        assert_eq!(known.claim(&BTreeSet::from([version(1)]), at(0)), BTreeSet::from([version(1)]));
        assert_eq!(known.claim(&both, at(10)), BTreeSet::from([version(2)]));
        assert_eq!(known.claim(&both, at(899)), BTreeSet::new());
        // Whoever counted the first was never heard of again.
        known.count(&version(2), 3, at(20));
        assert_eq!(known.claim(&both, at(900)), BTreeSet::from([version(1)]));
        known.count(&version(1), 4, at(901));
        assert_eq!(known.claim(&both, at(86_409)), BTreeSet::new());
        // A day later they are counted anew.
        assert_eq!(known.claim(&both, at(86_410)), BTreeSet::from([version(2)]));
        assert_eq!(known.claim(&both, at(87_310)), BTreeSet::from([version(1), version(2)]));
    }

    #[test]
    fn nothing_is_released_before_all_is_counted_and_nothing_beyond_the_limits() {
        let mut known = UnusableVersions::default();
        assert_eq!(known.verdict(&version(1), limits(5), at(0)), ReleaseVerdict::NotCounted);
        known.claim(&BTreeSet::from([version(1)]), at(0));
        assert_eq!(known.verdict(&version(1), limits(5), at(0)), ReleaseVerdict::NotCounted);
        known.count(&version(1), 5, at(0));
        assert_eq!(known.verdict(&version(1), limits(5), at(0)), ReleaseVerdict::Within);
        assert_eq!(known.verdict(&version(1), limits(4), at(0)), ReleaseVerdict::TooMany(5));
        // Another one of the same day counts together with it, from when it is found.
        known.claim(&BTreeSet::from([version(2)]), at(60));
        assert_eq!(known.verdict(&version(1), limits(9), at(60)), ReleaseVerdict::NotCounted);
        known.count(&version(2), 1, at(61));
        for version in [version(1), version(2)] {
            assert_eq!(known.verdict(&version, limits(5), at(61)), ReleaseVerdict::TooMany(6));
            assert_eq!(known.verdict(&version, limits(6), at(61)), ReleaseVerdict::Within);
            // An old count is none.
            assert_eq!(known.verdict(&version, limits(6), at(90_000)), ReleaseVerdict::NotCounted);
        }
    }

    #[test]
    fn an_approval_is_for_what_was_found_by_then() {
        let mut known = UnusableVersions::default();
        known.claim(&BTreeSet::from([version(1)]), at(0));
        // Even while it is still being counted.
        known.approve(at(0));
        assert_eq!(known.verdict(&version(1), limits(5), at(1)), ReleaseVerdict::Within);
        known.count(&version(1), 21, at(2));
        assert_eq!(known.verdict(&version(1), limits(5), at(2)), ReleaseVerdict::Within);
        known.claim(&BTreeSet::from([version(2)]), at(3));
        known.count(&version(2), 6, at(3));
        // One that was given before doesn't know it.
        known.approve(at(2));
        assert_eq!(known.verdict(&version(2), limits(5), at(3)), ReleaseVerdict::TooMany(6));
        assert_eq!(known.verdict(&version(1), limits(5), at(3)), ReleaseVerdict::Within);
        let waiting: Vec<Option<u32>> = known.unapproved(at(3)).map(|it| it.targets).collect();
        assert_eq!(waiting, [Some(6)]);
        // It lasts for a day.
        let both = BTreeSet::from([version(1), version(2)]);
        known.claim(&both, at(90_000));
        known.count(&version(1), 21, at(90_001));
        known.count(&version(2), 0, at(90_001));
        assert_eq!(known.verdict(&version(1), limits(5), at(90_001)), ReleaseVerdict::TooMany(21));
    }

    #[test]
    fn what_waits_for_an_approval_says_how_many_it_leaves_unguarded() {
        let mut known = UnusableVersions::default();
        known.claim(&BTreeSet::from([version(1), version(2)]), at(0));
        known.count(&version(1), 4, at(1));
        let told: Vec<String> = known.unapproved(at(2)).map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "base:1 in eu-west-1 can't be used: to be released in 4 targets, which are unguarded then",
                "base:2 in eu-west-1 can't be used: how many targets it is to be released in is being counted",
            ]
        );
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let mut known = UnusableVersions::default();
        known.claim(&BTreeSet::from([version(1), version(2)]), at(0));
        known.count(&version(1), 4, at(1));
        let text = serde_json::to_string(&known).unwrap();
        assert_eq!(serde_json::from_str::<UnusableVersions>(&text).unwrap(), known, "{text}");
    }
}
