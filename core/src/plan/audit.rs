//! What mode `audit` shows: what another mode would do, and nothing of it is done.

use super::{Change, Decision, Held, HoldReason, Mark, Plan, PlanLine};
use crate::baseline::Mode;
use crate::copy::Enforced;
use crate::ids::Target;
use crate::record::State;

impl Plan {
    /// Of what waits for a grant that the keeper itself would make, the mode is the only reason.
    pub(super) fn audit(&mut self) {
        for decision in self.decisions.values_mut() {
            if let Decision::Held(held) = decision
                && held.would.is_some()
                && held.reason.waits_for_a_grant()
            {
                held.reason = HoldReason::Mode { mode: Mode::Audit };
            }
        }
    }
}

impl Held {
    /// The change that only mode `audit` keeps from being made.
    pub fn only_audited(&self) -> Option<&Change> {
        match self {
            Held { reason: HoldReason::Mode { mode: Mode::Audit }, would } => would.as_ref(),
            Held { .. } => None,
        }
    }

    /// The state of a target that is left so.
    pub fn state(&self) -> State {
        match self.only_audited() {
            // An adoption that the mode keeps from being made is in sync.
            None | Some(Change::Adopt { .. }) => State::Held,
            Some(Change::Replace { .. }) => State::WouldReplace,
            Some(Change::Release { .. }) => State::WouldRelease,
            Some(Change::EnsureCopy { enforced: Enforced::Own(_) | Enforced::OfAnother, .. }) => {
                State::WouldReplace
            }
            // A copy comes before its enforcement.
            Some(Change::Enforce { .. } | Change::EnsureCopy { .. }) => State::WouldEnforce,
        }
    }

    /// The decision's word in JSON.
    pub(super) fn verb(&self) -> &'static str {
        match self.state() {
            State::WouldEnforce => "would-enforce",
            State::WouldReplace => "would-replace",
            State::WouldRelease => "would-release",
            _ => "hold",
        }
    }

    /// Why, in words: for what is only audited, from what to what.
    pub fn words(&self) -> String {
        match self.only_audited() {
            Some(change) => change.what().to_string(),
            None => self.reason.to_string(),
        }
    }

    pub(super) fn line(&self, target: &Target) -> PlanLine {
        let (code, reason) = (self.reason.code(), &self.reason);
        let Some(change) = &self.would else {
            return PlanLine::about(Mark::Hold, target)
                .text(" held")
                .code(code)
                .text(format_args!(": {reason}"));
        };
        // A replacement is written as two versions and an arrow, the others with their verb.
        let verb = if matches!(change, Change::Replace { .. }) { "would replace" } else { "would" };
        let would = format!("{verb} {}", change.what());
        match self.only_audited() {
            Some(_) => PlanLine::about(Mark::Would, target).text(format_args!(" {would}")),
            None => {
                let line = PlanLine::about(Mark::Hold, target).text(" held").code(code);
                line.text(format_args!(", {would}: {reason}"))
            }
        }
    }
}
