//! Short stable names for why something is held: for metrics, events, and whatever compares two looks.

use super::{HoldReason, LeaveReason};

impl HoldReason {
    /// A short stable name. What a call was refused for is a part of it: a role that isn't there yet and
    /// one that is refused are two things to whoever has to act.
    pub fn code(&self) -> String {
        match self {
            HoldReason::NotOurs { .. } => "not_ours".to_owned(),
            HoldReason::NoDurableLedger => "no_durable_ledger".to_owned(),
            HoldReason::LedgerUnavailable => "ledger_unavailable".to_owned(),
            HoldReason::Unreadable { failure } => format!("unreadable.{}", failure.category.code()),
            HoldReason::Unusable { unusable } => unusable.code(),
            HoldReason::ChangedBySomeoneElse { .. } => "changed_by_someone_else".to_owned(),
            HoldReason::Mode { .. } => "mode".to_owned(),
            HoldReason::ProbeFailed { failure } => format!("probe_failed.{}", failure.category.code()),
            HoldReason::ProbeBlocked { .. } => "probe_blocked".to_owned(),
            HoldReason::MayBeEnforced { .. } => "may_be_enforced".to_owned(),
            HoldReason::Policy { .. } => "policy".to_owned(),
            HoldReason::NotProven => "not_proven".to_owned(),
            HoldReason::ReleasesAdopted { .. } => "releases_adopted".to_owned(),
            HoldReason::NotApproved { .. } => "not_approved".to_owned(),
            HoldReason::NotCounted { .. } => "not_counted".to_owned(),
            HoldReason::TooManyMoves { .. } => "too_many_moves".to_owned(),
            HoldReason::PlacementUndecided { .. } => "placement_undecided".to_owned(),
            HoldReason::AccountStateUnknown { .. } => "account_state_unknown".to_owned(),
            HoldReason::Contested { .. } => "contested".to_owned(),
            HoldReason::NotConfirmed => "not_confirmed".to_owned(),
            HoldReason::TooManyUnusable { .. } => "too_many_unusable".to_owned(),
            HoldReason::Unguarded { .. } => "unguarded".to_owned(),
            HoldReason::Interrupted => "interrupted".to_owned(),
        }
    }
}

impl LeaveReason {
    /// A short stable name, as it is stored.
    pub fn code(self) -> &'static str {
        match self {
            LeaveReason::Unassigned => "unassigned",
            LeaveReason::Excluded => "excluded",
            LeaveReason::Foreign => "foreign",
            LeaveReason::Unreadable => "unreadable",
        }
    }
}
