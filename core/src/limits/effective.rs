//! Which baseline accounts follow: the present one or, while that waits for its approval, the one that was approved
//! before it.
//!
//! A revision that waits is one that has not begun for any account. Until it is approved, accounts follow the
//! baseline before it, in a mode of its own ([`Plan::put_back`](crate::plan::Plan)): what is missing is enforced,
//! what others changed is put back, and nothing is replaced or released. For accounts that had no approved
//! baseline for, there is nothing to follow but the present one, which then changes nothing but repairs.

use super::RevisionApproval;
use crate::baseline::{Baseline, Mode};
use crate::plan::HoldReason;

/// The baseline that accounts follow.
#[derive(Clone, Debug)]
pub struct EffectiveBaseline {
    /// The baseline.
    pub baseline: Baseline,
    /// Whether it is approved: by a person, or because it stays within its limits.
    pub approved: bool,
    /// How far the present revision has come, where it waits and [`baseline`](Self::baseline) is the one that was
    /// approved before it; `None` where accounts follow the present revision.
    pub candidate: Option<RevisionApproval>,
}

impl EffectiveBaseline {
    /// Accounts follow the present baseline, which is approved.
    pub fn approved(present: &Baseline) -> EffectiveBaseline {
        EffectiveBaseline { baseline: present.clone(), approved: true, candidate: None }
    }

    /// What accounts follow. `known` is what the ledger knows of a revision, and `before` the text of the baseline
    /// that was approved last.
    ///
    /// A present baseline that only audits is followed at once: nothing is written by it. The one before it is not
    /// followed where it can't be read any more, only audits, or is for another organization.
    pub fn of(
        present: &Baseline,
        known: Option<RevisionApproval>,
        before: Option<&str>,
    ) -> EffectiveBaseline {
        let candidate = RevisionApproval::of(known, &present.revision);
        if candidate.approved {
            return EffectiveBaseline::approved(present);
        }
        match before.and_then(|text| Baseline::parse(text).ok()) {
            Some(before)
                if present.mode != Mode::Audit
                    && before.mode != Mode::Audit
                    && before.organization == present.organization =>
            {
                EffectiveBaseline { baseline: before, approved: true, candidate: Some(candidate) }
            }
            Some(_) | None => {
                EffectiveBaseline { baseline: present.clone(), approved: false, candidate: None }
            }
        }
    }

    /// Whether accounts follow the present baseline.
    pub fn is_present(&self) -> bool {
        self.candidate.is_none()
    }

    /// Whether the present revision waits because its changes are not counted yet.
    pub fn waits_for_its_count(&self) -> bool {
        self.candidate.as_ref().is_some_and(|candidate| candidate.counted.is_none())
    }
}

impl RevisionApproval {
    /// Why a revision that isn't approved changes nothing but repairs: its changes are not counted yet, or it
    /// waits for a person.
    pub fn why_it_waits(&self) -> HoldReason {
        match self.counted {
            Some(_) => self.not_approved(),
            None => HoldReason::NotCounted { revision: self.revision.clone() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Extent;

    fn text(mode: &str, organization: &str, rest: &str) -> String {
        format!(
            "version: 1\norganization: {organization}\nowner: \"222222222222\"\nmode: {mode}\nguardrails: {{}}\n\
             assignments: []\n{rest}"
        )
    }

    fn baseline(mode: &str, rest: &str) -> Baseline {
        Baseline::parse(&text(mode, "o-exampleorgid", rest)).unwrap()
    }

    fn counted(revision: &crate::baseline::Revision, approved: bool) -> RevisionApproval {
        RevisionApproval {
            approved,
            counted: Some(Extent::default()),
            ..RevisionApproval::new(revision.clone())
        }
    }

    #[test]
    fn accounts_follow_what_was_approved_until_the_present_one_is() {
        let present = baseline("sync", "exclude: [\"300000000002\"]\n");
        let before = text("sync", "o-exampleorgid", "exclude: [\"300000000001\"]\n");
        let of_another = counted(&baseline("audit", "").revision, true);
        for (known, waits_for_its_count) in [
            (None, true),
            (Some(of_another), true),
            (Some(RevisionApproval::new(present.revision.clone())), true),
            (Some(counted(&present.revision, false)), false),
        ] {
            let effective = EffectiveBaseline::of(&present, known, Some(&before));
            assert_eq!(effective.baseline.revision, Baseline::parse(&before).unwrap().revision);
            assert_eq!(
                effective.baseline.mode,
                Mode::Sync,
                "what is held is held because the other one waits"
            );
            let excluded: Vec<String> = effective.baseline.exclude.iter().map(ToString::to_string).collect();
            assert_eq!(excluded, ["300000000001"], "what waits takes nobody away");
            assert!(effective.approved && !effective.is_present());
            assert_eq!(effective.waits_for_its_count(), waits_for_its_count);
        }
        let effective =
            EffectiveBaseline::of(&present, Some(counted(&present.revision, true)), Some(&before));
        assert_eq!((effective.baseline, effective.approved), (present, true));
        assert!(effective.candidate.is_none());
        let effective = EffectiveBaseline::approved(&baseline("sync", ""));
        assert!(effective.is_present() && !effective.waits_for_its_count());
    }

    #[test]
    fn what_cannot_be_followed_any_more_is_not_followed() {
        let present = baseline("sync", "");
        for before in [
            None,
            Some("version: 1\n".to_owned()),
            Some(text("audit", "o-exampleorgid", "")),
            Some(text("sync", "o-anotherorgid", "")),
        ] {
            let effective = EffectiveBaseline::of(&present, None, before.as_deref());
            assert!(effective.is_present() && !effective.waits_for_its_count());
            assert_eq!((effective.baseline, effective.approved), (present.clone(), false), "{before:?}");
        }
        // Nothing is written by a baseline that only audits, so that it needs no approval.
        let audit = baseline("audit", "");
        let before = text("sync", "o-exampleorgid", "");
        let effective = EffectiveBaseline::of(&audit, None, Some(&before));
        assert_eq!((effective.baseline, effective.candidate.is_none()), (audit, true));
    }
}
