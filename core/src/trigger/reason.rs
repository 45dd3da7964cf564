//! Why an event ends as it does: closed lists, so that tests, metrics and documents can enumerate them.

use std::fmt;

use super::request::RequestProblem;
use crate::words::write_list;

/// Defines a list of reasons with their codes, for metrics, and their sentences, for people.
macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal: $sentence:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* #[doc = concat!("*", $sentence, "*.")] $variant,)+
        }

        impl $name {
            /// Every reason of this kind.
            pub const ALL: &[$name] = &[$($name::$variant,)+];

            /// A short stable name for metrics and logs.
            pub fn code(self) -> &'static str {
                match self {
                    $($name::$variant => $code,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self {
                    $($name::$variant => $sentence,)+
                })
            }
        }
    };
}

reasons! {
    /// Why something is looked at.
    Why {
        AccountCreated = "account_created": "the account was created",
        AccountJoined = "account_joined": "the account joined the organization",
        InvitationAccepted = "invitation_accepted": "the account accepted its invitation",
        AccountMoved = "account_moved": "the account moved in the organization",
        AccountEnrolled = "account_enrolled": "Control Tower created or enrolled the account",
        AccountUpdated = "account_updated": "Control Tower updated the account",
        RegionEnabled = "region_enabled": "the Region was enabled in the account",
        GuardrailCreated = "guardrail_created": "a guardrail was created, which may be one that was missing",
        VersionCreated = "version_created": "a guardrail version was created, which may be one that was missing",
        GuardrailDeleted = "guardrail_deleted": "a guardrail was deleted",
        VersionDeleted = "version_deleted": "a guardrail version was deleted",
        ResourcePolicyPut = "resource_policy_put": "the resource policy of a guardrail was changed",
        ResourcePolicyDeleted = "resource_policy_deleted": "the resource policy of a guardrail was deleted",
        CopyChanged = "copy_changed": "a guardrail was changed in the account, which may be our copy",
        EnforcementPut = "enforcement_put": "the account's enforcement was changed",
        EnforcementDeleted = "enforcement_deleted": "the account's enforcement was removed",
        UnrecordedWrite = "unrecorded_write": "something was written in the keeper's name, and the record has \
                                               no such write",
        AccountNotNamed = "account_not_named": "an account joined or moved, and the event doesn't name it: every \
                                                account is looked at",
        OrganizationPolicies = "organization_policies": "a policy of the organization was changed, attached or detached, or a \
                                                         type of policies enabled or disabled",
        EffectivePolicyValidated = "effective_policy_validated": "AWS validated the merged policies of an account",
        BaselineChanged = "baseline_changed": "the baseline was changed",
        ApprovalGiven = "approval_given": "a revision of the baseline was approved",
        LeavingSaid = "leaving_said": "a control says whether the account is about to leave",
        PlacementSaid = "placement_said": "a control gives the answer to placement auto",
        Schedule = "schedule": "the schedule starts a sweep",
        Request = "request": "it was requested",
    }
}

reasons! {
    /// Why an account gets no more calls.
    Departure {
        Departed = "departed": "the account departed from the organization",
        Left = "left": "the account left the organization",
        Removed = "removed": "the account was removed from the organization",
        Closing = "closing": "the account is being closed",
        Closed = "closed": "the account was closed",
        Cleaned = "cleaned": "the closed account was taken off the organization",
    }
}

reasons! {
    /// Why nothing is done.
    Ignored {
        FailedCall = "failed_call": "the call failed, so nothing changed",
        ReadOnly = "read_only": "the call only read",
        TooOld = "too_old": "the event is older than the limit, and a sweep has looked since",
        OtherSource = "other_source": "the event comes from a source that the keeper doesn't listen to",
        SourcesDisagree = "sources_disagree": "source and eventSource name two services",
        UnknownEvent = "unknown_event": "the keeper doesn't act on events of this name",
        NoAccount = "no_account": "the event names no account; the next sweep looks at all of them",
        InvalidAccount = "invalid_account": "what the event gives as an account is not 12 digits",
        AccountsDisagree = "accounts_disagree": "the event names two accounts as the one where it happened",
        OwnWrite = "own_write": "the keeper wrote this itself",
        OwnOutcome = "own_outcome": "this is an outcome event of the keeper's own",
        NotFromHub = "not_from_hub": "this counts only from the account the keeper runs in",
        ResultFollows = "result_follows": "the account is still being created; its result follows as an event of its own",
        NotCreated = "not_created": "the account was not created",
        NotEnrolled = "not_enrolled": "Control Tower failed to set the account up",
        NotClosed = "not_closed": "the account was not closed",
        GovCloudAccount = "gov_cloud_account": "the GovCloud account stands in no organization until it is invited to one there; the other one's result follows",
        Invited = "invited": "an account that is invited is no member yet",
        NotAJoin = "not_a_join": "the handshake is not an invitation to join",
        JoinFollows = "join_follows": "the event doesn't say which account accepted; the join follows as an event of \
                                       its own",
        OrganizationalUnit = "organizational_unit": "an OU by itself holds no target; its accounts arrive by moves",
        Tags = "tags": "the baseline doesn't depend on tags",
        OrganizationPolicy = "organization_policy": "the policy is of another type than those for Bedrock; the next sweep looks \
                                                     again where one denied a call",
        NoOrganizationLevel = "no_organization_level": "the keeper may not read or write Bedrock policies here",
        RegionNotEnabled = "region_not_enabled": "the Region is not enabled in the account",
        RegionEnabling = "region_enabling": "the Region is still being enabled; its status follows as an event of its own",
        DraftOnly = "draft_only": "only the draft changed, and a draft can't be enforced",
        NotOwner = "not_owner": "the account doesn't own the baseline's guardrails",
        NotInBaseline = "not_in_baseline": "the baseline names other guardrails in that Region",
        NotAGuardrail = "not_a_guardrail": "the resource policy belongs to something else than a guardrail",
        GuardrailElsewhere = "guardrail_elsewhere": "the guardrail named lies in another account or Region than the event",
        OtherParameter = "other_parameter": "the parameter is not the baseline, its approval or a control",
        ParameterUnchanged = "parameter_unchanged": "the parameter's value did not change",
    }
}

impl Why {
    /// Whether an account came to where it stands, or may use a Region from now on: what the keeper needs there
    /// may come later.
    pub fn is_an_arrival(self) -> bool {
        match self {
            Why::AccountCreated
            | Why::AccountJoined
            | Why::InvitationAccepted
            | Why::AccountMoved
            | Why::AccountEnrolled
            | Why::AccountUpdated
            | Why::RegionEnabled => true,
            Why::GuardrailCreated
            | Why::VersionCreated
            | Why::GuardrailDeleted
            | Why::VersionDeleted
            | Why::ResourcePolicyPut
            | Why::ResourcePolicyDeleted
            | Why::CopyChanged
            | Why::EnforcementPut
            | Why::EnforcementDeleted
            | Why::UnrecordedWrite
            // It says this of one account, and all of them are looked at.
            | Why::AccountNotNamed
            | Why::OrganizationPolicies
            | Why::EffectivePolicyValidated
            | Why::BaselineChanged
            | Why::ApprovalGiven
            | Why::LeavingSaid
            | Why::PlacementSaid
            | Why::Schedule
            | Why::Request => false,
        }
    }
}

impl Why {
    /// Whether a guardrail or a version was only made, which nobody can have enforced before.
    pub fn is_an_addition(self) -> bool {
        matches!(self, Why::GuardrailCreated | Why::VersionCreated)
    }

    /// Whether whoever administers the account in which it happened can make any number of such events.
    pub fn is_made_at_will(self) -> bool {
        match self {
            Why::GuardrailCreated
            | Why::VersionCreated
            | Why::GuardrailDeleted
            | Why::VersionDeleted
            | Why::ResourcePolicyPut
            | Why::ResourcePolicyDeleted
            | Why::CopyChanged
            | Why::EnforcementPut
            | Why::EnforcementDeleted
            | Why::UnrecordedWrite => true,
            Why::AccountCreated
            | Why::AccountJoined
            | Why::InvitationAccepted
            | Why::AccountMoved
            | Why::AccountEnrolled
            | Why::AccountUpdated
            // AWS takes minutes for each.
            | Why::RegionEnabled
            | Why::AccountNotNamed
            | Why::OrganizationPolicies
            | Why::EffectivePolicyValidated
            | Why::BaselineChanged
            | Why::ApprovalGiven
            | Why::LeavingSaid
            | Why::PlacementSaid
            | Why::Schedule
            | Why::Request => false,
        }
    }
}

/// Why a message can't be understood. It belongs in the dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// Not JSON.
    NotJson,
    /// JSON nested deeper than any event.
    TooDeep,
    /// JSON, but no object.
    NotAnObject,
    /// Nothing says where the event comes from.
    NoSource,
    /// A notification of SNS, with what may be an event as text inside.
    SnsNotification,
    /// What Lambda keeps of an invocation that failed, with the event inside.
    FailedInvocation,
    /// A batch of SQS, where one message of it was expected.
    NestedBatch,
    /// An event of a service we listen to that says nothing else.
    NoDetail,
    /// A record of a batch that did not come from SQS, or has no body.
    NotARecord,
    /// A request that asks for something unclear. Nothing of it is done.
    Request(Vec<RequestProblem>),
}

impl Rejected {
    /// A short stable name for metrics and logs.
    pub fn code(&self) -> &'static str {
        match self {
            Rejected::NotJson => "not_json",
            Rejected::TooDeep => "too_deep",
            Rejected::NotAnObject => "not_an_object",
            Rejected::NoSource => "no_source",
            Rejected::SnsNotification => "sns_notification",
            Rejected::FailedInvocation => "failed_invocation",
            Rejected::NestedBatch => "nested_batch",
            Rejected::NoDetail => "no_detail",
            Rejected::NotARecord => "not_a_record",
            Rejected::Request(_) => "malformed_request",
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejected::NotJson => f.write_str("the message is not JSON"),
            Rejected::TooDeep => f.write_str("the message is nested deeper than any event"),
            Rejected::NotAnObject => f.write_str("the message is not a JSON object"),
            Rejected::NoSource => f.write_str("the message has no source, so it is no event"),
            Rejected::SnsNotification => f.write_str(
                "the message is a notification of SNS; turn on raw message delivery in its subscription",
            ),
            Rejected::FailedInvocation => f.write_str(
                "the message is Lambda's record of a failed invocation; its event is in `requestPayload`",
            ),
            Rejected::NestedBatch => f.write_str("the message is a batch of SQS, not an event"),
            Rejected::NoDetail => f.write_str("the event has no detail"),
            Rejected::NotARecord => f.write_str("the record is not an SQS message with a body"),
            Rejected::Request(problems) => {
                f.write_str("the request is malformed: ")?;
                write_list(f, problems, "; ")
            }
        }
    }
}
