//! What the function and the member role have to be allowed, and whether they are.

use std::collections::{BTreeMap, BTreeSet};

use super::{CheckedPlace, Finding};
use crate::failure::Failure;
use crate::ids::{AccountId, OrganizationId, Partition, Region, RoleName};
use crate::settings::OrganizationAccess;
use crate::simulation::{Evaluated, Refusal};

/// An action that a role needs, on one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequiredAction {
    /// The resource's ARN, or `*` where the action has no resource types.
    pub resource: String,
    /// For example `bedrock:ApplyGuardrail`.
    pub action: &'static str,
}

/// What the needs depend on.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The partition.
    pub partition: Partition,
    /// The organization.
    pub organization: OrganizationId,
    /// Its management account.
    pub management: AccountId,
    /// The account of the function.
    pub hub: AccountId,
    /// The accounts that own guardrails.
    pub owners: BTreeSet<AccountId>,
    /// A member account to ask about: permissions are the same for all members.
    pub member: AccountId,
    /// A Region of the baseline, for the same reason.
    pub region: Region,
    /// The role in members.
    pub member_role: RoleName,
    /// Whether the baseline has guardrails copied.
    pub copies: bool,
    /// What the function reads, sends to and keeps: the ARNs of what there is.
    pub parameter: Option<String>,
    /// The ARN of the parameter that a person approves it in, if it is there.
    pub approval: Option<String>,
    /// The ARN of the controls' path, if there are any.
    pub controls: Option<String>,
    /// The queues of events and tasks.
    pub queues: Vec<String>,
    /// The ledger's table.
    pub table: Option<String>,
    /// The bus.
    pub bus: Option<String>,
    /// With whose credentials the function writes Bedrock policies.
    pub organization_access: OrganizationAccess,
    /// Whether it enables their type again where somebody disabled it.
    pub repairs_policy_type: bool,
}

const ENFORCEMENT: &[&str] = &[
    "bedrock:ListEnforcedGuardrailsConfiguration",
    "bedrock:PutEnforcedGuardrailConfiguration",
    "bedrock:DeleteEnforcedGuardrailConfiguration",
];
const PROVE: &[&str] = &["bedrock:GetGuardrail", "bedrock:ApplyGuardrail"];
const SHARE: &[&str] =
    &["bedrock:GetResourcePolicy", "bedrock:PutResourcePolicy", "bedrock:DeleteResourcePolicy"];
const TAGS: &[&str] = &["bedrock:ListTagsForResource"];
const COPY: &[&str] = &[
    "bedrock:CreateGuardrailVersion",
    "bedrock:UpdateGuardrail",
    "bedrock:DeleteGuardrail",
    "bedrock:ListTagsForResource",
    "bedrock:TagResource",
];
const KEYS: &[&str] = &["kms:DescribeKey", "kms:GetKeyPolicy"];
const LIST_POLICIES: &[&str] = &[
    "organizations:CreatePolicy",
    "organizations:ListAccountsWithInvalidEffectivePolicy",
    "organizations:ListPolicies",
];
const WRITE_POLICIES: &[&str] = &[
    "organizations:AttachPolicy",
    "organizations:DeletePolicy",
    "organizations:DescribePolicy",
    "organizations:DetachPolicy",
    "organizations:ListTagsForResource",
    "organizations:ListTargetsForPolicy",
    "organizations:TagResource",
    "organizations:UpdatePolicy",
];
const ATTACH: &[&str] =
    &["organizations:AttachPolicy", "organizations:DetachPolicy", "organizations:ListPoliciesForTarget"];
const EFFECTIVE: &[&str] =
    &["organizations:DescribeEffectivePolicy", "organizations:ListEffectivePolicyValidationErrors"];
const OWN_EFFECTIVE: &[&str] = &["organizations:DescribeEffectivePolicy"];
const QUEUE: &[&str] =
    &["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
const TABLE: &[&str] = &["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Scan", "dynamodb:PutItem"];

impl Facts {
    /// Some guardrail of an account: permissions are given on all of them, since their ids aren't known
    /// beforehand.
    fn guardrail(&self, account: &AccountId) -> String {
        format!("arn:{}:bedrock:{}:{account}:guardrail/abcdefghijkl", self.partition, self.region)
    }

    /// Some customer managed key of a guardrail.
    fn key(&self, account: &AccountId) -> String {
        let id = "11111111-2222-4333-8444-555555555555";
        format!("arn:{}:kms:{}:{account}:key/{id}", self.partition, self.region)
    }

    /// What is needed in an account in which the keeper works, by whichever role.
    fn in_account(&self, account: &AccountId) -> Vec<RequiredAction> {
        let mut needs = on("*", ENFORCEMENT);
        needs.extend(self.owners.iter().flat_map(|owner| on(&self.guardrail(owner), PROVE)));
        let owns = self.owners.contains(account);
        if owns || self.copies {
            needs.extend(on("*", &["bedrock:ListGuardrails"]));
        }
        if owns {
            needs.extend(on(&self.guardrail(account), SHARE));
            needs.extend(on(&self.guardrail(account), TAGS));
            needs.extend(on(&self.key(account), KEYS));
        }
        // An owner's account holds originals.
        if self.copies && !owns {
            needs.extend(on("*", &["bedrock:CreateGuardrail"]));
            needs.extend(on(&self.guardrail(account), COPY));
        }
        // Each account asks for its own effective policy itself.
        if self.organization_access != OrganizationAccess::None {
            needs.extend(on(&self.of_organizations("account", account.as_str()), OWN_EFFECTIVE));
        }
        needs
    }

    /// Something that Organizations has.
    fn of_organizations(&self, kind: &str, id: &str) -> String {
        let Facts { partition, management, organization, .. } = self;
        format!("arn:{partition}:organizations::{management}:{kind}/{organization}/{id}")
    }
}

/// What reading and writing Bedrock policies needs.
pub(super) fn on_bedrock_policies(facts: &Facts) -> Vec<RequiredAction> {
    let account = facts.of_organizations("account", facts.member.as_str());
    let mut needs = on("*", LIST_POLICIES);
    needs.extend(on(&facts.of_organizations("policy", "bedrock_policy/p-abcdefghij"), WRITE_POLICIES));
    let above = [facts.of_organizations("root", "r-abcd"), facts.of_organizations("ou", "ou-abcd-abcdefgh")];
    for point in above.iter().chain([&account]) {
        needs.extend(on(point, ATTACH));
    }
    needs.extend(on(&account, EFFECTIVE));
    if facts.repairs_policy_type {
        needs.extend(on(&above[0], &["organizations:EnablePolicyType"]));
    }
    needs
}

fn on(resource: &str, actions: &[&'static str]) -> Vec<RequiredAction> {
    actions.iter().map(|action| RequiredAction { resource: resource.to_owned(), action }).collect()
}

fn sorted(mut needs: Vec<RequiredAction>) -> Vec<RequiredAction> {
    needs.sort();
    needs.dedup();
    needs
}

/// What the function's role needs.
pub fn of_function(facts: &Facts) -> Vec<RequiredAction> {
    let Facts { partition, organization, management, hub, member, member_role, .. } = facts;
    let mut needs = facts.in_account(hub);
    let role = format!("arn:{partition}:iam::{member}:role/{member_role}");
    needs.extend(on(&role, &["sts:AssumeRole"]));
    needs.extend(on("*", &["organizations:DescribeOrganization", "organizations:ListAccounts"]));
    let account = format!("arn:{partition}:organizations::{management}:account/{organization}/{member}");
    needs.extend(on(&account, &["organizations:DescribeAccount", "organizations:ListParents"]));
    if let Some(parameter) = &facts.parameter {
        needs.extend(on(parameter, &["ssm:GetParameter", "ssm:GetParameterHistory"]));
    }
    if let Some(approval) = &facts.approval {
        needs.extend(on(approval, &["ssm:GetParameter", "ssm:GetParameterHistory"]));
    }
    if let Some(controls) = &facts.controls {
        let placement = format!("{controls}/placement");
        needs.extend(on(&placement, &["ssm:GetParameter", "ssm:GetParameterHistory"]));
        needs.extend(on(&format!("{controls}/leaving"), &["ssm:GetParametersByPath"]));
        let leaving = format!("{controls}/leaving/{member}");
        needs.extend(on(&leaving, &["ssm:GetParameter", "ssm:GetParameterHistory"]));
    }
    for queue in &facts.queues {
        needs.extend(on(queue, QUEUE));
    }
    if let Some(table) = &facts.table {
        needs.extend(on(table, TABLE));
    }
    if let Some(bus) = &facts.bus {
        needs.extend(on(bus, &["events:PutEvents"]));
    }
    match &facts.organization_access {
        OrganizationAccess::None => {}
        OrganizationAccess::Own => needs.extend(on_bedrock_policies(facts)),
        OrganizationAccess::Role(role) => {
            needs.extend(on(&format!("arn:{partition}:iam::{management}:role/{role}"), &["sts:AssumeRole"]));
        }
    }
    sorted(needs)
}

/// What the role in the management account needs, by which the function writes Bedrock policies.
pub fn of_organization_role(facts: &Facts) -> Vec<RequiredAction> {
    sorted(on_bedrock_policies(facts))
}

/// What the member role of an account needs.
pub fn of_member(facts: &Facts, account: &AccountId) -> Vec<RequiredAction> {
    let Facts { partition, member_role, .. } = facts;
    let mut needs = facts.in_account(account);
    // The function compares whom it admits.
    needs.extend(on(&format!("arn:{partition}:iam::{account}:role/{member_role}"), &["iam:GetRole"]));
    sorted(needs)
}

/// Why something isn't known to be allowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum NotKnown {
    Refused(Refusal),
    /// By itself nothing allows it, and conditions ask for these keys.
    Depends(BTreeSet<String>),
    NotSaid,
}

impl NotKnown {
    /// `None` where it is allowed.
    fn of(said: Option<&Evaluated>) -> Option<NotKnown> {
        let Some(said) = said else { return Some(NotKnown::NotSaid) };
        let refusal = said.own_side().err()?;
        let open = refusal == Refusal::NotAllowed && !said.missing_keys.is_empty();
        Some(if open { NotKnown::Depends(said.missing_keys.clone()) } else { NotKnown::Refused(refusal) })
    }
}

/// Judges a simulation of everything that a role needs.
pub fn lacking(
    here: &CheckedPlace,
    role: &str,
    needs: &[RequiredAction],
    seen: &Result<Vec<Evaluated>, Failure>,
    todo: &str,
) -> Vec<Finding> {
    let evaluated = match seen {
        Ok(evaluated) => evaluated,
        Err(failure) => {
            return vec![here.unread(format_args!("what {role} may do isn't known"), failure)];
        }
    };
    // One finding for all that is refused for one reason, however many actions and resources that are.
    let mut reasons: BTreeMap<NotKnown, (BTreeSet<&str>, BTreeSet<&str>)> = BTreeMap::new();
    for RequiredAction { action, resource } in needs {
        let said = evaluated.iter().find(|one| one.action == *action && one.resource == *resource);
        let Some(reason) = NotKnown::of(said) else { continue };
        let (actions, resources) = reasons.entry(reason).or_default();
        actions.insert(action);
        resources.insert(resource);
    }
    let finding = |(reason, (actions, resources)): (NotKnown, (BTreeSet<&str>, BTreeSet<&str>))| {
        let actions = actions.into_iter().collect::<Vec<_>>().join(", ");
        let detail = format!("on {}", resources.into_iter().collect::<Vec<_>>().join(", "));
        let finding = match reason {
            NotKnown::Refused(refusal) => here.problem(format!("{role} may not {actions}: {refusal}"), todo),
            NotKnown::Depends(keys) => {
                let keys = keys.into_iter().collect::<Vec<_>>().join(", ");
                let text = format!("whether {role} may {actions} depends on {keys}");
                here.unknown(text, "check that the condition holds for the function")
            }
            NotKnown::NotSaid => {
                let text = format!("whether {role} may {actions} isn't known: IAM didn't say");
                here.unknown(text, "run doctor again")
            }
        };
        finding.detailed(detail)
    };
    let found: Vec<Finding> = reasons.into_iter().map(finding).collect();
    if found.is_empty() {
        let actions: BTreeSet<&str> = needs.iter().map(|need| need.action).collect();
        return vec![here.ok(format!("{role} has all {} permissions that it needs", actions.len()))];
    }
    found
}
