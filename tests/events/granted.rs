//! What the roles of the templates may do, held against what the keeper does in tests: one permission
//! too few fails, and one too many.
//!
//! `tests/permissions/calls.txt` holds the calls; whoever makes a call in a test checks that it is there,
//! and `tools/check-calls` that nothing is there that no test makes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::Value;

use crate::policy::{Caller, Request, Verdict, is_like, verdict};
use crate::template;

const CALLS: &str = include_str!("../permissions/calls.txt");

const HUB: &str = "222222222222";
const OTHER: &str = "300000000001";
const ORGANIZATION: &str = "o-exampleorgid";
pub(crate) const KEY: &str = "arn:aws:kms:us-east-1:222222222222:key/copies";
pub(crate) const GUARDRAIL_KEY: &str = "arn:aws:kms:us-east-1:222222222222:key/guardrail";

/// Which function's code asks.
pub(crate) const OF_FUNCTION: &str = "lambda:SourceFunctionArn";
pub(crate) const FUNCTION: &str = "arn:aws:lambda:us-east-1:222222222222:function:guardrail-keeper-Keeper-1";

/// The type of the policies that a call is about.
pub(crate) const POLICY_TYPE: &str = "organizations:PolicyType";
/// The tag of the keeper's Bedrock policies (src/cloud/bedrock_policy_writer.rs).
pub(crate) const OWN_POLICY: &str = guardrail_keeper::cloud::OWN_POLICY_TAG;

/// The tag of copies.
pub(crate) const TAG: &str = keeper_core::copy::SOURCE_TAG;

/// What is granted and no call of the keeper's own needs: only a service does, in its name.
///
/// A role, an action, a part of the resource, and why.
const BY_SERVICES: &[(&str, &str, &str, &str)] = &[
    ("function", "logs:CreateLogStream", ":log-group:", "Lambda writes the function's log as its role"),
    ("function", "logs:PutLogEvents", ":log-group:", "Lambda writes the function's log as its role"),
    ("function", "sqs:ReceiveMessage", ":sqs:", "Lambda's mappings poll the queues as the function's role"),
    ("function", "sqs:DeleteMessage", ":sqs:", "Lambda deletes what was handled as the function's role"),
    ("function", "sqs:GetQueueAttributes", ":sqs:", "Lambda's mappings ask how to poll"),
    ("function", "kms:CreateGrant", KEY, "Bedrock encrypts a copy in the name of whoever makes it"),
    ("function", "kms:Decrypt", KEY, "Bedrock reads an encrypted copy in its caller's name"),
    ("function", "kms:DescribeKey", KEY, "Bedrock looks at the key that a copy is to have"),
    ("function", "kms:GenerateDataKey", KEY, "Bedrock encrypts a copy in the name of whoever makes it"),
    ("function", "kms:Decrypt", GUARDRAIL_KEY, "Bedrock reads an encrypted guardrail in its caller's name"),
    ("member", "kms:Decrypt", GUARDRAIL_KEY, "as for the function"),
    ("member", "kms:CreateGrant", KEY, "as for the function"),
    ("member", "kms:Decrypt", KEY, "as for the function"),
    ("member", "kms:DescribeKey", KEY, "as for the function"),
    ("member", "kms:GenerateDataKey", KEY, "as for the function"),
    ("reader", "kms:Decrypt", GUARDRAIL_KEY, "as for the function"),
    ("reader", "bedrock:ApplyGuardrail", ":guardrail-profile/", "as for the function"),
    (
        "function",
        "bedrock:ApplyGuardrail",
        ":guardrail-profile/",
        "Bedrock asks for it besides where the guardrail has a cross-Region profile",
    ),
    ("member", "bedrock:ApplyGuardrail", ":guardrail-profile/", "as for the function"),
    (
        "function",
        "bedrock:UpdateGuardrail",
        ":guardrail-profile/",
        "Bedrock asks for it besides where the copy has a cross-Region profile",
    ),
    ("member", "bedrock:UpdateGuardrail", ":guardrail-profile/", "as for the function"),
    (
        "function",
        "organizations:AttachPolicy",
        ":root/",
        "Organizations asks for it on what the policy is attached to as well",
    ),
    (
        "function",
        "organizations:AttachPolicy",
        ":ou/",
        "Organizations asks for it on what the policy is attached to as well",
    ),
    (
        "function",
        "organizations:AttachPolicy",
        ":account/",
        "Organizations asks for it on what the policy is attached to as well",
    ),
    (
        "function",
        "organizations:DetachPolicy",
        ":root/",
        "Organizations asks for it on what the policy is attached to as well",
    ),
    (
        "function",
        "organizations:DetachPolicy",
        ":ou/",
        "Organizations asks for it on what the policy is attached to as well",
    ),
    (
        "function",
        "organizations:DetachPolicy",
        ":account/",
        "Organizations asks for it on what the policy is attached to as well",
    ),
    (
        "function",
        "organizations:TagResource",
        ":policy/",
        "Organizations asks for it where a policy is created with tags",
    ),
    (
        "organization",
        "organizations:AttachPolicy",
        ":root/",
        "Organizations asks for it on what the policy is attached to as well",
    ),
    (
        "organization",
        "organizations:AttachPolicy",
        ":ou/",
        "Organizations asks for it on what the policy is attached to as well",
    ),
    (
        "organization",
        "organizations:AttachPolicy",
        ":account/",
        "Organizations asks for it on what the policy is attached to as well",
    ),
    (
        "organization",
        "organizations:DetachPolicy",
        ":root/",
        "Organizations asks for it on what the policy is attached to as well",
    ),
    (
        "organization",
        "organizations:DetachPolicy",
        ":ou/",
        "Organizations asks for it on what the policy is attached to as well",
    ),
    (
        "organization",
        "organizations:DetachPolicy",
        ":account/",
        "Organizations asks for it on what the policy is attached to as well",
    ),
    (
        "organization",
        "organizations:TagResource",
        ":policy/",
        "Organizations asks for it where a policy is created with tags",
    ),
];

const ROLES: [&str; 5] = ["function", "member", "organization", "owner", "reader"];

/// What a stack's parameters say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shape {
    /// Whether there are copies.
    pub(crate) copies: bool,
    /// Whether the hub owns the guardrails.
    pub(crate) owns: bool,
    /// Who writes Bedrock policies.
    pub(crate) level: Level,
    /// Whether a type that somebody disabled is enabled again.
    pub(crate) repairs_type: bool,
}

/// Who writes Bedrock policies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    #[default]
    Nobody,
    /// The function, by its own role.
    TheFunction,
    /// The function, by a role in the management account.
    ARole,
}

/// Every stack.
fn stacks() -> impl Iterator<Item = Shape> {
    let levels = [Level::Nobody, Level::TheFunction, Level::ARole];
    levels.into_iter().flat_map(|level| {
        let both = [(false, false), (true, false), (false, true), (true, true)];
        let shapes = both.map(|(copies, owns)| Shape { copies, owns, level, repairs_type: false });
        shapes.into_iter().flat_map(|shape| [shape, Shape { repairs_type: true, ..shape }])
    })
}

/// One line of the file.
#[derive(Clone, Debug)]
struct Call {
    role: String,
    shape: Shape,
    action: String,
    resource: String,
    sources: Vec<String>,
}

fn calls() -> Vec<Call> {
    let lines = CALLS.lines();
    lines
        .map(|line| {
            let [role, deployment, action, resource, rest @ ..] = &line.split(' ').collect::<Vec<_>>()[..]
            else {
                panic!("{line:?} is no call")
            };
            let sources = rest.iter().map(|word| {
                word.strip_prefix("events:source=")
                    .unwrap_or_else(|| panic!("{line:?} is no call"))
                    .to_owned()
            });
            let has = |part: &str| deployment.split('+').any(|word| word == part);
            let level = match (has("organization"), has("organization-role")) {
                (false, false) => Level::Nobody,
                (true, _) => Level::TheFunction,
                (false, true) => Level::ARole,
            };
            Call {
                role: (*role).to_owned(),
                shape: Shape {
                    copies: has("copies"),
                    owns: has("owns"),
                    level,
                    repairs_type: has("repairs-type"),
                },
                action: (*action).to_owned(),
                resource: (*resource).to_owned(),
                sources: sources.collect(),
            }
        })
        .collect()
}

impl Call {
    /// As IAM sees it, with ids for words.
    fn request(&self) -> Request {
        let resource = [
            ("OWN:tasks", "222222222222:tasks"),
            ("OWN", HUB),
            ("OTHER", OTHER),
            ("MANAGEMENT", "111111111111"),
            ("ORGANIZATION", ORGANIZATION),
            ("REGION", "us-east-1"),
            ("account/o-exampleorgid/ID", "account/o-exampleorgid/300000000001"),
            ("ou/o-exampleorgid/ID", "ou/o-exampleorgid/ou-exam-workload"),
            ("root/o-exampleorgid/ID", "root/o-exampleorgid/r-exam"),
            ("bedrock_policy/ID", "bedrock_policy/p-12345678"),
            ("ID", "abc123"),
        ];
        let resource = resource.iter().fold(self.resource.clone(), |text, (word, id)| text.replace(word, id));
        let request = Request {
            caller: Caller::Principal(format!("arn:aws:iam::{HUB}:role/{}", self.role)),
            action: self.action.clone(),
            resource,
            context: BTreeMap::new(),
        };
        let request = request
            .with("aws:PrincipalOrgID", &[ORGANIZATION])
            // STS says which organization a role belongs to.
            .with("aws:ResourceOrgID", &[ORGANIZATION]);
        // Lambda says which function asks; Bedrock whether it is about a copy (simulator/worlds/example.yaml).
        let request = match self.role.as_str() {
            "function" => request.with(OF_FUNCTION, &[FUNCTION]),
            _ => request,
        };
        let request = match self.action.as_str() {
            "bedrock:CreateGuardrail" => request.with(&format!("aws:RequestTag/{TAG}"), &["it"]),
            "bedrock:UpdateGuardrail" | "bedrock:DeleteGuardrail" | "bedrock:TagResource" => {
                request.with(&format!("aws:ResourceTag/{TAG}"), &["it"])
            }
            // What a call of Organizations is about, and whether a policy is the keeper's.
            "organizations:CreatePolicy" => request
                .with(POLICY_TYPE, &["BEDROCK_POLICY"])
                .with(&format!("aws:RequestTag/{OWN_POLICY}"), &["it"]),
            "organizations:UpdatePolicy"
            | "organizations:DeletePolicy"
            | "organizations:AttachPolicy"
            | "organizations:DetachPolicy" => request
                .with(POLICY_TYPE, &["BEDROCK_POLICY"])
                .with(&format!("aws:ResourceTag/{OWN_POLICY}"), &["it"]),
            action if action.starts_with("organizations:") && action.contains("Polic") => {
                request.with(POLICY_TYPE, &["BEDROCK_POLICY"])
            }
            _ => request,
        };
        let sources: Vec<&str> = self.sources.iter().map(String::as_str).collect();
        if sources.is_empty() { request } else { request.with("events:source", &sources) }
    }
}

/// Each call with whose it is, and in which stack.
pub(crate) fn requests() -> Vec<(String, Shape, Request)> {
    calls().into_iter().map(|call| (call.role.clone(), call.shape, call.request())).collect()
}

/// What a role may do in a stack with these parameters.
pub(crate) fn permissions(role: &str, shape: Shape) -> Vec<Value> {
    match role {
        // One role, with a second policy; and no copies, since the originals are here.
        "owner" => {
            let member = own_permissions("member", Shape { copies: false, ..shape });
            [member, own_permissions("owner", shape)].concat()
        }
        "function" => {
            let binding = statements("template.yaml", "FunctionBinding", shape);
            [own_permissions("function", shape), binding].concat()
        }
        role => own_permissions(role, shape),
    }
}

/// What a template gives a role by itself: `owner`, what the owner's role has besides a member's.
fn own_permissions(role: &str, shape: Shape) -> Vec<Value> {
    type Known = BTreeMap<(String, Shape), Vec<Value>>;
    static KNOWN: OnceLock<Mutex<Known>> = OnceLock::new();
    let mut known = KNOWN.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    let read = || match role {
        "function" => statements("template.yaml", "FunctionRole", shape),
        "member" => statements("deploy/member-role.yaml", "MemberRole", shape),
        "organization" => statements("deploy/management.yaml", "OrganizationRole", shape),
        "owner" => statements("deploy/owner.yaml", "OwnerPolicy", shape),
        "reader" => statements("deploy/reader-role.yaml", "ReaderRole", shape),
        other => panic!("{other} is no role"),
    };
    known.entry((role.to_owned(), shape)).or_insert_with(read).clone()
}

/// The statements of a role or of a policy in a template.
fn statements(path: &str, resource: &str, Shape { copies, owns, level, repairs_type }: Shape) -> Vec<Value> {
    let condition = |holds: bool| if holds { "true" } else { "false" };
    let is_hub = resource == "FunctionRole";
    // The role's account is the same in all, as `Call::request` has it.
    let given = BTreeMap::from([
        ("AWS::Partition", "aws"),
        ("AWS::AccountId", HUB),
        ("AWS::Region", "us-east-1"),
        ("AWS::StackName", "guardrail-keeper"),
        ("Bus.Arn", "arn:aws:events:us-east-1:222222222222:event-bus/BUS"),
        ("Tasks.Arn", "arn:aws:sqs:us-east-1:222222222222:tasks"),
        ("Events.Arn", "arn:aws:sqs:us-east-1:222222222222:events"),
        ("Ledger.Arn", "arn:aws:dynamodb:us-east-1:222222222222:table/LEDGER"),
        ("LogGroup", "/aws/lambda/guardrail-keeper"),
        ("AWS::URLSuffix", "amazonaws.com"),
        ("FunctionRole", "GuardrailKeeper"),
        ("KeeperFunction.Arn", FUNCTION),
        ("CopiesHere", condition(copies && !owns)),
        ("CopyKeyArns", KEY),
        ("GuardrailKeyArns", GUARDRAIL_KEY),
        ("HasGuardrailKeys", "true"),
        ("MakesLedger", "true"),
        ("HubOwnsGuardrails", condition(owns)),
        ("HubIsAnOwner", condition(owns)),
        ("OwnsGuardrails", condition(owns)),
        ("MemberRoleName", "GuardrailKeeperMember"),
        ("ManagementAccountId", OTHER),
        ("OrganizationLevel", "GuardrailKeeperOrganization"),
        ("OrganizationRoleName", "GuardrailKeeperOrganization"),
        ("HasOrganizationRole", "true"),
        ("WritesPolicies", condition(level != Level::Nobody)),
        ("WritesPoliciesItself", condition(level == Level::TheFunction)),
        ("WritesPoliciesByRole", condition(level == Level::ARole)),
        ("EnablesTypeItself", condition(level == Level::TheFunction && repairs_type)),
        ("EnablesType", condition(repairs_type)),
        ("CopiesGuardrails", condition(copies)),
        ("FindsGuardrails", condition(owns || copies)),
        ("EncryptsCopies", condition(copies && !(is_hub && owns))),
    ]);
    let template = template::read(path);
    let properties = &template["Resources"][resource]["Properties"];
    let properties = template::resolved(&without_trust(properties), &template, &given);
    let policies = match &properties["Policies"] {
        Value::Array(policies) => policies.clone(),
        _ => vec![properties],
    };
    let statements = policies.iter().flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array());
    statements.flatten().cloned().collect()
}

/// Only what may be done; who may become the role is another test's.
fn without_trust(properties: &Value) -> Value {
    let mut properties = properties.clone();
    properties.as_object_mut().expect("properties").remove("AssumeRolePolicyDocument");
    properties
}

/// The calls that a policy doesn't allow.
fn refused(permissions: &dyn Fn(&Call) -> Vec<Value>) -> Vec<String> {
    let calls = calls().into_iter();
    let refused = calls.filter(|call| verdict(&permissions(call), &call.request()) != Verdict::Allowed);
    refused.map(|call| format!("{call:?}")).collect()
}

/// One action of a statement on one of its resources.
type Grant = (String, String, String);

fn grants(role: &str, statements: &[Value]) -> Vec<Grant> {
    let texts = |value: &Value| match value {
        Value::Array(items) => items.iter().map(|item| item.as_str().unwrap().to_owned()).collect(),
        value => vec![value.as_str().unwrap().to_owned()],
    };
    let mut grants = Vec::new();
    for statement in statements {
        assert_eq!(statement["Effect"], "Allow");
        for action in texts(&statement["Action"]) {
            for resource in texts(&statement["Resource"]) {
                grants.push((role.to_owned(), action.clone(), resource));
            }
        }
    }
    grants
}

/// What is granted in some stack and needed by nobody in any.
fn superfluous(permissions: &dyn Fn(&str, Shape) -> Vec<Value>) -> BTreeSet<Grant> {
    let calls = calls();
    let mut left = BTreeSet::new();
    for role in ROLES {
        let mut granted = BTreeSet::new();
        for shape in stacks() {
            granted.extend(grants(role, &permissions(role, shape)));
        }
        left.extend(granted.into_iter().filter(|(_, action, resource)| {
            let needs = |call: &Call| {
                // The member's role is also the owner's.
                let role = call.role == role || (role == "member" && call.role == "owner");
                role && call.action == *action && is_like(resource, &call.request().resource)
            };
            !calls.iter().any(needs)
        }));
    }
    let by_a_service = |(role, action, resource): &Grant| {
        BY_SERVICES
            .iter()
            .any(|(whose, what, part, _)| whose == role && what == action && resource.contains(part))
    };
    left.into_iter().filter(|grant| !by_a_service(grant)).collect()
}

#[test]
fn every_call_is_granted_to_whoever_makes_it() {
    assert!(calls().len() > 50, "{}", calls().len());
    assert_eq!(refused(&|call| permissions(&call.role, call.shape)), [""; 0]);
}

#[test]
fn nothing_is_granted_that_nobody_needs() {
    let superfluous = superfluous(&own_permissions);
    assert!(superfluous.is_empty(), "granted, and no call in any test needs it: {superfluous:#?}");
}

/// Whatever is left out, some call is refused: but for what only services need.
#[test]
fn every_single_action_would_be_missed() {
    let mut left_out = 0;
    for role in ROLES {
        let all: Vec<Value> = stacks().flat_map(|shape| own_permissions(role, shape)).collect();
        let actions: BTreeSet<String> = grants(role, &all).into_iter().map(|(_, action, _)| action).collect();
        for action in actions {
            let without = |call: &Call| {
                let mut statements = permissions(&call.role, call.shape);
                if call.role == role || (role == "member" && call.role == "owner") {
                    for statement in &mut statements {
                        leave_out(statement, &action);
                    }
                }
                statements
            };
            let by_a_service = BY_SERVICES
                .iter()
                .any(|(whose, what, part, _)| *whose == role && *what == action && !part.contains("profile"));
            // DescribeKey is Bedrock's call for copies and the keeper's own for guardrails' keys.
            let by_a_service = by_a_service
                && !calls().iter().any(|call| {
                    (call.role == role || (role == "member" && call.role == "owner")) && call.action == action
                });
            assert_eq!(refused(&without).is_empty(), by_a_service, "{role} without {action}");
            left_out += 1;
        }
    }
    assert!(left_out > 40, "{left_out}");
}

fn leave_out(statement: &mut Value, action: &str) {
    match &mut statement["Action"] {
        Value::Array(actions) => actions.retain(|other| other != action),
        one if one == action => *one = Value::Array(Vec::new()),
        _ => {}
    }
}

#[test]
fn an_action_too_many_is_found() {
    let more = |role: &str, shape: Shape| {
        let mut statements = own_permissions(role, shape);
        let resource = "arn:aws:bedrock:*:222222222222:guardrail/*";
        if role == "member" {
            statements.push(serde_json::json!({
                "Effect": "Allow", "Action": ["bedrock:UntagResource", "bedrock:TagResource"], "Resource": resource,
            }));
        }
        statements
    };
    let found: Vec<Grant> = superfluous(&more).into_iter().collect();
    let [(role, action, _)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((role.as_str(), action.as_str()), ("member", "bedrock:UntagResource"));
}

/// Each exception is for something that is granted, and has a reason.
#[test]
fn no_exception_is_left_over() {
    for (role, action, part, why) in BY_SERVICES {
        let all = stacks().flat_map(|shape| own_permissions(role, shape));
        let granted = grants(role, &all.collect::<Vec<_>>());
        let found = granted.iter().any(|(_, what, resource)| what == action && resource.contains(part));
        assert!(found && !why.is_empty(), "{role} {action} {part}");
    }
}

/// Every role of the templates is looked at here, or has no caller but a service.
#[test]
fn no_role_is_forgotten() {
    let mut roles = Vec::new();
    for path in [
        "template.yaml",
        "deploy/member-role.yaml",
        "deploy/owner.yaml",
        "deploy/management.yaml",
        "deploy/stack-sets.yaml",
        "deploy/reader-role.yaml",
    ] {
        let template = template::read(path);
        for (name, resource) in template["Resources"].as_object().unwrap() {
            let kind = resource["Type"].as_str().unwrap();
            if kind.starts_with("AWS::IAM::") {
                roles.push(format!("{path} {name}"));
            }
            assert!(!resource["Properties"]["Policies"].is_string(), "{path} {name}");
        }
    }
    roles.sort();
    assert_eq!(
        roles,
        [
            "deploy/management.yaml OrganizationRole",
            // By EventBridge: `only_our_rules_and_schedule_become_their_roles`.
            "deploy/member-role.yaml ForwarderRole",
            "deploy/member-role.yaml MemberRole",
            "deploy/owner.yaml OwnerPolicy",
            "deploy/reader-role.yaml ReaderRole",
            // It only denies.
            "template.yaml FunctionBinding",
            "template.yaml FunctionRole",
            // By Scheduler: the same.
            "template.yaml SweepRole",
        ]
    );
}
