//! What nobody outside AWS knows, as named switches: tests run with both answers.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Every behaviour of AWS that could not be confirmed. The default is what a client must be able to live
/// with, but for `cross_account_reference`, `paths`, `empty_pages`, `throttling`, `trusted_access_needed` and
/// `locked_child`: these let everything work, and a client has to be tried with the other answer as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Switches {
    /// Whether an account-level enforcement may name another account's guardrail (aws-facts §1.4: no source
    /// says so either way). Accepted by default, because the central placement is the main use; a client
    /// must be tested with `refused` too.
    pub cross_account_reference: Answer,
    /// How such an enforcement is refused. Calls about foreign ARNs of other kinds are denied before anybody looks
    /// whether the resource exists (organization-policies §3).
    pub cross_account_refusal: RefusalForm,
    /// Whether Put checks that the caller may use another account's guardrail. Accepted without a look by
    /// default: then the mistake is found out by the callers of models, which is what must be guarded against.
    pub put_without_grant: Answer,
    /// What Put without a `configId` does where a configuration exists (aws-facts §1.3: unknown).
    pub put_over_existing: PutOverExisting,
    /// Whether List shows the defaults of members that weren't sent (aws-facts §1.1: unknown).
    pub list_defaults: Defaults,
    /// In which form List shows the models that Put was sent (aws-facts §1.1: unknown). As sent by default.
    pub list_models: ListModels,
    /// Whether List shows what somebody else than the account enforces besides, such as the organization
    /// (aws-facts §1.1: the service model has no such owner today).
    pub other_owners: OtherOwners,
    /// Whether a resource policy may have several statements (aws-facts §2.2: unknown).
    pub several_statements: Answer,
    /// Whether a statement of a resource policy may have a `Sid` (aws-facts §2.2: unknown).
    pub sid: Answer,
    /// The form of `createdBy` and `updatedBy`. The service model calls it the ARN of the role, so that is
    /// the default.
    pub updated_by: UpdatedBy,
    /// Whether Organizations fills `Account.Paths` (aws-facts §5: not known for every account).
    pub paths: Presence,
    /// What List answers where nothing is enforced. `ResourceNotFoundException` was seen in a real run
    /// (aws-facts §1.3).
    pub empty_list: EmptyList,
    /// Whether a guardrail may be deleted while another account enforces it (aws-facts §1.5: unknown).
    /// Accepted by default: then enforcement breaks, which a client must notice.
    pub delete_enforced_elsewhere: Answer,
    /// Whether GetGuardrail finds the versions that ListGuardrails shows. Not finding them for some minutes
    /// was reported by users of AWS; a test sets it for as long.
    pub get_guardrail: GetGuardrail,
    /// Whether Converse shows a trace of an enforced guardrail to a request that names none (aws-facts §7:
    /// unknown).
    pub enforced_trace: Presence,
    /// What SimulatePrincipalPolicy decides about another account's resource whose policy it isn't given. Its
    /// documents say that both sides have to allow, and don't say what counts for the side that isn't there.
    pub cross_account_simulation: CrossAccountSimulation,
    /// Whether a guardrail that is encrypted with a customer managed key can be used by another account whose
    /// callers the key policy admits. AWS documents the permissions within one account only. Accepted by default,
    /// because KMS itself allows it; a client must be tested with `refused` too.
    pub customer_key_across_accounts: Answer,
    /// Whether policies of type BEDROCK_POLICY need trusted access of `bedrock.amazonaws.com` in the organization. An older
    /// page had such a step, the newer one has none (organization-policies §1.5), so the default is that they don't; a
    /// client must be tested with `on` too.
    pub trusted_access_needed: OnOff,
    /// Whether a merged configuration that has one list of models must have the other (organization-policies §1.1: the
    /// documents say both, a published program sends one).
    pub model_lists: ModelLists,
    /// Whether CreatePolicy still takes `input_tags`, the form of the preview (organization-policies §1.1).
    pub input_tags: Answer,
    /// What two configurations in one Region do (organization-policies §1.4: unknown). By default the merge is not valid,
    /// which freezes the account.
    pub two_configurations: TwoConfigurations,
    /// Whether a published document keeps the case of names, as some types of policies don't (organization-policies
    /// §1.4).
    pub configuration_names: NameCase,
    /// Whether a published document shows a list of models with nothing in it. Empty fragments vanish
    /// (organization-policies §1.4); whether an empty list is one is not known.
    pub empty_model_lists: Presence,
    /// Whether anybody looks whether the version that an identifier names exists, in its Region and in the management
    /// account (organization-policies §1.1: CreatePolicy and AttachPolicy don't look at the grants).
    pub identifier_check: IdentifierCheck,
    /// What a published identifier does that names no version: AWS says that calls of models fail, and that nothing is
    /// enforced (organization-policies §1.6).
    pub wrong_identifier: WrongIdentifier,
    /// Whether an operator that a policy above doesn't allow makes the merge invalid. That it has no effect was measured
    /// (organization-policies §1.4), so that is the default; a client must be tested with `invalid` too.
    pub locked_child: LockedChild,
    /// The order of ListPoliciesForTarget, which no document tells; by default it says nothing of precedence.
    pub policies_for_target: ListOrder,
    /// Whether Bedrock policies reach the management account too (organization-policies §7: inferred).
    pub management_account_inherits: OnOff,
    /// Whether a version can be deleted that the organization enforces; documents speak of guardrails only
    /// (organization-policies §7). Accepted by default: then calls break, which a client must notice.
    pub delete_organization_version: Answer,
    /// Whether enforced guardrails act on Chat Completions (organization-policies §4.2: likely). Off by default, as for
    /// every API of which no document says that they do.
    pub enforced_on_chat_completions: OnOff,
    /// Whether they act on Anthropic's Messages (organization-policies §4.2: likely).
    pub enforced_on_messages: OnOff,
    /// Whether they act on Responses, where guardrails of requests don't (organization-policies §4.2).
    pub enforced_on_responses: OnOff,
    /// Whether they act on the endpoint bedrock-mantle, where guardrails of requests don't (organization-policies
    /// §4.2).
    pub enforced_on_mantle: OnOff,
    /// Whether they act on StartAsyncInvoke, whose input has no guardrail (organization-policies §4.2).
    pub enforced_on_async_invoke: OnOff,
    /// Whether paged lists begin with an empty page that has a token, which AWS says may happen (aws-facts §5).
    pub empty_pages: OnOff,
    /// Whether calls are limited to the published rates (aws-facts §5).
    pub throttling: OnOff,
}

/// Accepted or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It works.
    Accepted,
    /// It is an error.
    Refused,
}

/// How a foreign guardrail is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalForm {
    /// `ValidationException`.
    Validation,
    /// `AccessDeniedException`.
    AccessDenied,
}

/// What Put without a `configId` does over an existing configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum PutOverExisting {
    /// It replaces the configuration, which keeps its `configId`.
    Overwrites,
    /// `ConflictException`.
    Conflicts,
}

/// What List shows for members that weren't sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Defaults {
    /// Comprehensive guarding, all models.
    Echoed,
    /// Nothing.
    Omitted,
}

/// In which form List shows models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ListModels {
    /// As they were sent.
    AsSent,
    /// As ARNs of foundation models.
    Arns,
}

/// Whether List shows entries of other owners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum OtherOwners {
    /// The account's own configuration only.
    Hidden,
    /// A guardrail that the organization enforces on every account, before the account's own.
    Organization,
}

/// The form of `createdBy` and `updatedBy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum UpdatedBy {
    /// `arn:aws:iam::…:role/Name`.
    Role,
    /// `arn:aws:sts::…:assumed-role/Name/session`.
    AssumedRole,
}

/// There or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// There.
    Present,
    /// Left out.
    Absent,
}

/// What List answers where nothing is enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum EmptyList {
    /// `ResourceNotFoundException`.
    NotFound,
    /// An empty list.
    Empty,
}

/// Whether GetGuardrail and ListGuardrails agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum GetGuardrail {
    /// What one shows the other finds.
    Agrees,
    /// GetGuardrail answers `ResourceNotFoundException` for every version that ListGuardrails shows.
    FindsNoVersion,
}

/// Whose policies decide about another account's resource in a simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum CrossAccountSimulation {
    /// Both sides': what isn't there allows nothing, and the details tell who is to blame.
    BothSides,
    /// The principal's own.
    Identity,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum OnOff {
    /// On.
    On,
    /// Off.
    Off,
}

/// Which lists of models a merged configuration needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ModelLists {
    /// Both, if it has one.
    BothRequired,
    /// Any.
    Either,
}

/// What two configurations in one Region do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum TwoConfigurations {
    /// `ELEMENTS_TOO_MANY`: the merge isn't valid.
    Refused,
    /// Both guardrails are enforced.
    Both,
    /// The one whose name comes first is enforced.
    First,
}

/// How a published document writes names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum NameCase {
    /// In small letters; names that differ in case only are one.
    Lowered,
    /// As the policies write them.
    AsWritten,
}

/// Who looks whether an identifier names a version that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum IdentifierCheck {
    /// Nobody.
    Nowhere,
    /// CreatePolicy and UpdatePolicy, which refuse it.
    Create,
    /// The merge, which isn't valid then.
    Effective,
}

/// What a published identifier does that names no version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum WrongIdentifier {
    /// Every call of a model in the Region fails.
    BreaksCalls,
    /// Nothing is enforced.
    NotEnforced,
}

/// What an operator does that a policy above doesn't allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LockedChild {
    /// Nothing.
    Ignored,
    /// The merge isn't valid.
    Invalid,
}

/// The order of ListPoliciesForTarget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ListOrder {
    /// By the ids of the policies.
    ById,
    /// As they were attached.
    ByAttachment,
}

impl Default for Switches {
    fn default() -> Switches {
        Switches {
            cross_account_reference: Answer::Accepted,
            cross_account_refusal: RefusalForm::Validation,
            put_without_grant: Answer::Accepted,
            put_over_existing: PutOverExisting::Conflicts,
            list_defaults: Defaults::Omitted,
            list_models: ListModels::AsSent,
            other_owners: OtherOwners::Hidden,
            several_statements: Answer::Refused,
            sid: Answer::Refused,
            updated_by: UpdatedBy::Role,
            paths: Presence::Present,
            empty_list: EmptyList::NotFound,
            delete_enforced_elsewhere: Answer::Accepted,
            get_guardrail: GetGuardrail::Agrees,
            enforced_trace: Presence::Absent,
            cross_account_simulation: CrossAccountSimulation::BothSides,
            customer_key_across_accounts: Answer::Accepted,
            trusted_access_needed: OnOff::Off,
            model_lists: ModelLists::BothRequired,
            input_tags: Answer::Refused,
            two_configurations: TwoConfigurations::Refused,
            configuration_names: NameCase::Lowered,
            empty_model_lists: Presence::Absent,
            identifier_check: IdentifierCheck::Nowhere,
            wrong_identifier: WrongIdentifier::BreaksCalls,
            locked_child: LockedChild::Ignored,
            policies_for_target: ListOrder::ById,
            management_account_inherits: OnOff::On,
            delete_organization_version: Answer::Accepted,
            enforced_on_chat_completions: OnOff::Off,
            enforced_on_messages: OnOff::Off,
            enforced_on_responses: OnOff::Off,
            enforced_on_mantle: OnOff::Off,
            enforced_on_async_invoke: OnOff::Off,
            empty_pages: OnOff::Off,
            throttling: OnOff::Off,
        }
    }
}
