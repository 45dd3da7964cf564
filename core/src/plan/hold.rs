//! Why nothing is done: one row per reason. A new reason needs a row here, and one in docs/runbook.md.

use super::UseDoubt;
use crate::baseline::{Mode, NamedIds, Revision};
use crate::failure::Failure;
use crate::observed::PROBE_TEXT;
use crate::organization::AccountState;
use crate::placement::PlacementWait;
use crate::reasons::reasons;
use crate::resolved::Unusable;
use crate::resource_policy::Resource;

reasons! {
    /// Why nothing is done. Displays as a sentence that says what to do about it.
    HoldReason,
    /// Whether a person's approval lets it be done.
    waits_for_approval {
        /// A foreign enforcement is there, and the baseline says to keep those.
        NotOurs {
            /// The principal that wrote it, as far as AWS says.
            by: Option<String>,
        } => {
            code: "not_ours",
            says: "another configuration is enforced there, {}" (
                by.as_ref().map_or("which isn't ours".to_owned(), |by| format!("made by {by}"))
            ),
            remedy: "to replace it, write `existing: replace`",
            waits: false,
            waits_for_approval: false,
        }
        /// A foreign configuration may be replaced only where the previous one is kept durably.
        NoDurableLedger => {
            code: "no_durable_ledger",
            says: "`existing: replace` needs a ledger that lasts, to keep what was there",
            remedy: "set KEEPER_LEDGER",
            waits: false,
            waits_for_approval: false,
        }
        /// The ledger can't be read or written at the moment, and nothing is written without a record.
        LedgerUnavailable => {
            code: "ledger_unavailable",
            says: "the ledger could not be read or written, and nothing is written without a record",
            remedy: "see its error in the log; the next run tries again",
            waits: true,
            waits_for_approval: false,
        }
        /// The target could not be read.
        Unreadable {
            /// Why.
            failure: Failure,
        } => {
            code: "unreadable" of failure,
            says: "could not be read: {failure}",
            waits: failure.category.is_worth_waiting(),
            waits_for_approval: false,
        }
        /// The guardrail can't be enforced at present.
        Unusable {
            /// Why.
            unusable: Unusable,
        } => {
            code: "unusable" or unusable,
            says: "{unusable}",
            waits: unusable.is_worth_waiting(),
            waits_for_approval: false,
        }
        /// Ours was to be released, but another principal changed it since.
        ChangedBySomeoneElse {
            /// The principal that wrote it, as far as AWS says.
            by: Option<String>,
        } => {
            code: "changed_by_someone_else",
            says: "to be released, but changed {}" (
                by.as_ref().map_or("by someone else since".to_owned(), |by| format!("since by {by}"))
            ),
            remedy: "release it by hand, or put it back first",
            waits: false,
            waits_for_approval: false,
        }
        /// The baseline's mode doesn't allow it.
        Mode {
            /// The mode.
            mode: Mode,
        } => {
            code: "mode",
            says: "mode {mode} doesn't write this",
            waits: false,
            waits_for_approval: false,
        }
        /// The member could not apply the guardrail, so enforcing it would break its Bedrock calls.
        ProbeFailed {
            /// What the probe was answered.
            failure: Failure,
        } => {
            code: "probe_failed" of failure,
            says: "the account can't apply the guardrail, so enforcing it would break its calls: {failure}",
            waits: failure.category.is_worth_waiting(),
            waits_for_approval: false,
        }
        /// The guardrail stops even the probe's harmless text, so enforcing it would stop the account's calls.
        ProbeBlocked {
            /// By which of its policies, in words; empty where AWS doesn't say.
            by: String,
        } => {
            code: "probe_blocked",
            says: "the guardrail stops even the harmless text \"{PROBE_TEXT}\"{}, so enforcing it would stop the account's calls" (
                by_its(by)
            ),
            remedy: "correct it and publish a new version; if it is meant to, write `on_blocked_probe: enforce` in the baseline",
            waits: false,
            waits_for_approval: false,
        }
        /// A grant is no longer needed, but a target that could not be read may still need it.
        MayBeEnforced {
            /// Who that is.
            doubt: UseDoubt,
        } => {
            code: "may_be_enforced",
            says: "the grant is no longer needed, but {doubt}",
            waits: false,
            waits_for_approval: false,
        }
        /// The resource policy can't be made to grant what is needed, or may not be touched.
        #[serde(rename = "policy")]
        ResourcePolicy {
            /// Why, in words.
            why: String,
        } => {
            code: "policy",
            says: "its resource policy is left as it is: {why}",
            waits: false,
            waits_for_approval: false,
        }
        /// No probe showed that the member can apply the guardrail.
        NotProven => {
            code: "not_proven",
            says: "no probe has shown that the account can apply the guardrail",
            waits: false,
            waits_for_approval: false,
        }
        /// It would release what another principal made and we adopted. That takes an approval, whatever the limits.
        ReleasesAdopted {
            /// The baseline's revision.
            revision: Revision,
            /// Who made it, as far as AWS says.
            by: Option<String>,
        } => {
            code: "releases_adopted",
            says: "made by {} and adopted by the keeper, so its release always needs an approval" (
                by.as_deref().unwrap_or("another principal")
            ),
            remedy: "read the plan, then run guardrailctl approve {revision}",
            waits: false,
            waits_for_approval: true,
        }
        /// The revision changes more than its limits allow, or names accounts or OUs that are not there, and
        /// it isn't approved.
        NotApproved {
            /// The baseline's revision.
            revision: Revision,
            /// The ids in it for which there is no account.
            #[serde(default)]
            names_nobody: NamedIds,
        } => {
            code: "not_approved",
            says: "baseline {revision} {}" (
                if names_nobody.is_empty() { OVER_LIMITS.to_owned() } else { format!("names {names_nobody}") }
            ),
            remedy: "{}" (
                if names_nobody.is_empty() { "read the plan, then approve it" } else { CORRECT_IT }
            ),
            waits: false,
            waits_for_approval: true,
        }
        /// How much the revision changes isn't counted yet.
        NotCounted {
            /// The baseline's revision.
            revision: Revision,
        } => {
            code: "not_counted",
            says: "the changes of baseline {revision} are still being counted",
            waits: true,
            waits_for_approval: false,
        }
        /// More accounts were moved lately than the limits let lose or change their guardrail.
        TooManyMoves {
            /// The baseline's revision.
            revision: Revision,
        } => {
            code: "too_many_moves",
            says: "moves of accounts within a day take away or change more guardrails than the limits allow",
            remedy: "check in Organizations where the accounts are now, then approve {revision}",
            waits: false,
            waits_for_approval: true,
        }
        /// Whether members can enforce the owner's guardrail or need copies (`placement: auto`) isn't decided.
        PlacementUndecided {
            /// What it waits for.
            wait: PlacementWait,
        } => {
            code: "placement_undecided",
            says: "{wait}",
            waits: true,
            waits_for_approval: false,
        }
        /// The person at the terminal read a plan without this change: the target changed since.
        NotReviewed => {
            code: "not_reviewed",
            says: "this change is not in the plan that was read, because the target or the baseline changed since",
            remedy: "run the command again and read the new plan",
            waits: false,
            waits_for_approval: false,
        }
        /// The program was asked to end before this was begun.
        Interrupted => {
            code: "interrupted",
            says: "not begun: the program was asked to end first",
            waits: true,
            waits_for_approval: false,
        }
        /// This version doesn't know what the account's state means, so nothing is taken away there.
        AccountStateUnknown {
            /// The state.
            state: AccountState,
        } => {
            code: "account_state_unknown",
            says: "the account is {state}; nothing is released or replaced there until it is active",
            remedy: "look at it in Organizations",
            waits: false,
            waits_for_approval: false,
        }
        /// Another principal undoes each repair; the next repair is made later.
        Contested {
            /// The other principal, as far as AWS says.
            by: Option<String>,
        } => {
            code: "contested",
            says: "{} undoes each repair" (by.as_deref().unwrap_or("another principal")),
            remedy: "{}; the next repair waits" (
                by.as_ref().map_or("find out in CloudTrail who does", |_| "stop it, or change the baseline")
            ),
            waits: true,
            waits_for_approval: false,
        }
        /// What is enforced can't be used and is to be released, and no second look has agreed yet; or how many
        /// others would be released with it isn't counted yet.
        NotConfirmed => {
            code: "not_confirmed",
            says: "`on_unusable: release` releases it once a second look, minutes after the first, confirms it and \
                   the targets to release are counted",
            waits: true,
            waits_for_approval: false,
        }
        /// What is enforced can't be used and is to be released, and so are more than the limits allow.
        TooManyUnusable {
            /// The baseline's revision.
            revision: Revision,
            /// How many targets would be released, by the record.
            releases: u32,
        } => {
            code: "too_many_unusable",
            says: "`on_unusable: release` would release {releases} targets, more than the limit max_releases allows",
            remedy: "restore the guardrail, or approve {revision} to release them",
            waits: false,
            waits_for_approval: true,
        }
        /// What is wanted can't be enforced, and what was enforced was released, because it can't be used: the
        /// account calls models unguarded.
        Unguarded {
            /// Why what is wanted can't be enforced.
            unusable: Unusable,
        } => {
            code: "unguarded",
            says: "UNGUARDED: the enforcement was released because its guardrail can't be used, and what is wanted can't be enforced: {unusable}",
            waits: true,
            waits_for_approval: false,
        }
    }
}

const OVER_LIMITS: &str = "replaces or releases more than its limits allow";
const CORRECT_IT: &str = "correct the id, or approve the baseline if it is right";

impl HoldReason {
    /// Who made what is in the way, as far as AWS says.
    pub fn other_principal(&self) -> Option<&str> {
        match self {
            HoldReason::NotOurs { by }
            | HoldReason::ChangedBySomeoneElse { by }
            | HoldReason::ReleasesAdopted { by, revision: _ } => by.as_deref(),
            _ => None,
        }
    }

    /// Whether it waits for a grant that the keeper itself is about to make.
    pub fn waits_for_a_grant(&self) -> bool {
        self.awaited_grant().is_some()
    }

    /// What it waits for the keeper itself to grant.
    pub fn awaited_grant(&self) -> Option<&Resource> {
        match self {
            HoldReason::Unusable { unusable } => unusable.awaited_grant(),
            _ => None,
        }
    }
}

/// By which policies a guardrail stops the probe, in brackets.
pub(super) fn by_its(policies: &str) -> String {
    if policies.is_empty() { String::new() } else { format!(" (by its {policies})") }
}
