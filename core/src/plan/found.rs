//! What a change comes to where a look right before the write finds that there is nothing left to write.

use super::claim::Case;
use super::{Change, Correction, Decision, DecisionContext, Held, HoldReason, InSync, Ownership};
use crate::enforcement::{Drift, Enforcement};
use crate::observed::{Observation, Seen};
use crate::own_roles::OwnRoles;
use crate::record::Record;

impl Change {
    /// What is decided instead, where `seen` is what is there right before the write. `None` where something is left
    /// to write, or where another look has to decide.
    ///
    /// Nothing is written then, so no write is published, and a foreign enforcement isn't taken for ours.
    pub fn found(
        &self,
        seen: &Observation,
        record: &Record,
        context: DecisionContext<'_>,
    ) -> Option<Decision> {
        match (self, seen) {
            (
                Change::Enforce { target, to, .. } | Change::Replace { target, to, .. },
                Observation::Enforced(seen),
            ) => {
                let ours = Case { target, record, context }.ownership(seen) == Ownership::Ours;
                let as_wanted = Drift::between(&seen.enforcement, to).is_none();
                (ours && as_wanted).then(|| in_sync(Some(seen.enforcement.clone()), Correction::Remember))
            }
            (Change::Release { broken: None, .. }, Observation::Absent) => {
                Some(in_sync(None, Correction::Forget))
            }
            (Change::Release { broken: Some(unusable), .. }, Observation::Absent) => {
                let reason = HoldReason::Unusable { unusable: unusable.clone() };
                Some(Decision::Held(Held { reason, would: None }))
            }
            (
                Change::Enforce { .. }
                | Change::Replace { .. }
                | Change::Release { .. }
                | Change::Adopt { .. }
                | Change::EnsureCopy { .. },
                _,
            ) => None,
        }
    }

    /// Whether what AWS refused because it is there already may be our own first attempt, whose answer was lost.
    pub fn may_have_made(&self, seen: &Seen, own_roles: &OwnRoles) -> bool {
        seen.last_writer().is_none_or(|principal| own_roles.wrote(principal, &self.target().account))
    }
}

fn in_sync(enforced: Option<Enforcement>, correction: Correction) -> Decision {
    Decision::InSync(InSync { enforced, correction: Some(correction), ..InSync::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforcement::{Guarding, Models};
    use crate::ids::{GuardrailVersion, Target};
    use crate::plan::LedgerState;
    use crate::record::{Origin, Ours};
    use crate::resolved::Unusable;

    const OURS: &str = "arn:aws:sts::300000000001:assumed-role/GuardrailKeeperMember/keeper";
    const THEIRS: &str = "arn:aws:iam::300000000001:user/alice";

    fn enforcement(version: u32) -> Enforcement {
        Enforcement {
            guardrail: "arn:aws:bedrock:us-east-1:222222222222:guardrail/base".parse().unwrap(),
            version: GuardrailVersion::new(version).unwrap(),
            models: Models::default(),
            guarding: Guarding::default(),
        }
    }

    fn there(version: u32, by: Option<&str>) -> Observation {
        Observation::recorded(Some(enforcement(version)), by.map(str::to_owned))
    }

    fn target() -> Target {
        "300000000001/us-east-1".parse().unwrap()
    }

    fn own_roles() -> OwnRoles {
        OwnRoles { members: ["GuardrailKeeperMember".parse().unwrap()].into(), ..OwnRoles::default() }
    }

    fn ours() -> Record {
        let ours = Ours {
            enforcement: enforcement(2),
            origin: Origin::Applied,
            at: jiff::Timestamp::UNIX_EPOCH,
            revision: "0123456789abcdef".parse().unwrap(),
            path: None,
            reads_back: None,
        };
        Record { ours: Some(ours), ..Record::default() }
    }

    fn enforce() -> Change {
        let key = "corporate".parse().unwrap();
        Change::Enforce { target: target(), key, to: enforcement(2), copied: None, repair: false }
    }

    fn release(broken: Option<Unusable>) -> Change {
        let Observation::Enforced(from) = there(2, Some(OURS)) else { unreachable!() };
        Change::Release { target: target(), from, broken, adopted: false }
    }

    fn found(change: &Change, seen: &Observation, record: &Record) -> Option<Decision> {
        let own_roles = own_roles();
        let now = jiff::Timestamp::UNIX_EPOCH;
        change.found(
            seen,
            record,
            DecisionContext { own_roles: &own_roles, ledger: LedgerState::Durable, now },
        )
    }

    #[test]
    fn what_is_there_already_is_in_sync_where_it_is_ours_and_left_to_another_look_otherwise() {
        let in_sync = Decision::InSync(InSync {
            enforced: Some(enforcement(2)),
            correction: Some(Correction::Remember),
            kept: None,
            reads_back: None,
        });
        for (seen, record, expected) in [
            (there(2, Some(OURS)), Record::default(), Some(&in_sync)),
            (there(2, Some(THEIRS)), ours(), Some(&in_sync)),
            (there(2, Some(THEIRS)), Record::default(), None),
            (there(2, None), Record::default(), None),
            (there(1, Some(OURS)), ours(), None),
            (Observation::Absent, ours(), None),
        ] {
            assert_eq!(found(&enforce(), &seen, &record).as_ref(), expected, "{seen:?}");
        }
    }

    #[test]
    fn what_is_gone_already_was_not_released_by_us() {
        let gone = Decision::InSync(InSync { correction: Some(Correction::Forget), ..InSync::default() });
        assert_eq!(found(&release(None), &Observation::Absent, &ours()), Some(gone));
        assert_eq!(found(&release(None), &there(2, Some(OURS)), &ours()), None);
        // Where a guardrail is wanted, nothing guards the account now.
        let unusable = Unusable::NotReady { status: "FAILED".to_owned().into() };
        let held = Held { reason: HoldReason::Unusable { unusable: unusable.clone() }, would: None };
        let given_up = release(Some(unusable));
        assert_eq!(found(&given_up, &Observation::Absent, &ours()), Some(Decision::Held(held)));
    }

    #[test]
    fn a_conflict_may_be_with_our_own_first_attempt() {
        for (by, ours) in [(Some(OURS), true), (None, true), (Some(THEIRS), false)] {
            let Observation::Enforced(seen) = there(2, by) else { unreachable!() };
            assert_eq!(enforce().may_have_made(&seen, &own_roles()), ours, "{by:?}");
        }
    }
}
