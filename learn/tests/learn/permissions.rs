//! The permissions that docs/live-run.md gives are enough, and none of them is for nothing.

use std::collections::BTreeSet;

use aws_sdk_bedrock::config::Credentials;
use guardrail_learn::experiment::Learned;
use serde_json::Value;
use simulator::{Permissions, Role, Statement, Trust};

use crate::stage::{self, ACCOUNT, MANAGEMENT, Setting, Stage, answer};

const MEMBER_ROLE: &str = "GuardrailLearnMember";
const MANAGEMENT_ROLE: &str = "GuardrailLearn";

/// The policies in the document: the management account's principal's, then the role's.
fn documented() -> [Permissions; 2] {
    let text = include_str!("../../../docs/live-run.md");
    let policies = text.split("```json").skip(1).map(|rest| {
        let (policy, _) = rest.split_once("```").expect("the block ends");
        let policy: Value = serde_json::from_str(policy).expect("a policy is JSON");
        let statements = policy["Statement"].as_array().expect("a list").iter().map(statement);
        Permissions { allow: statements.collect(), deny: Vec::new() }
    });
    let policies: Vec<Permissions> = policies.collect();
    policies.try_into().expect("two policies")
}

fn statement(statement: &Value) -> Statement {
    let texts = |value: &Value| -> Vec<String> {
        let many = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        many.iter().map(|one| one.as_str().expect("a text").to_owned()).collect()
    };
    let condition = &statement["Condition"];
    let tag = condition["Null"].as_object().and_then(|keys| keys.keys().next());
    let tagged = tag.map(|key| key.strip_prefix("aws:ResourceTag/").expect("a tag").to_owned());
    let policy_type = condition["StringEquals"]["organizations:PolicyType"].as_str().map(str::to_owned);
    assert!(condition.is_null() || tagged.is_some() || policy_type.is_some(), "{condition}");
    Statement {
        actions: texts(&statement["Action"]),
        resources: texts(&statement["Resource"]),
        tagged,
        policy_type,
        ..Statement::default()
    }
}

async fn stage_with([management, member]: [Permissions; 2]) -> Stage {
    let mut world = stage::world();
    let principal = |account: &str, name: &str| format!("arn:aws:iam::{account}:{name}");
    let trusts = |who: String| Trust { principals: vec![who], ..Trust::default() };
    let mut add = |account: &str, name: &str, trust: Trust, permissions: Permissions| {
        let entry = world.accounts.iter_mut().find(|entry| entry.id == account).expect("it is there");
        entry.roles.push(Role { name: name.to_owned(), trust, permissions, ..Role::default() });
    };
    add(MANAGEMENT, MANAGEMENT_ROLE, trusts(principal(MANAGEMENT, "root")), management);
    let by = trusts(principal(MANAGEMENT, &format!("role/{MANAGEMENT_ROLE}")));
    add(ACCOUNT, MEMBER_ROLE, by, member);
    let keys =
        Credentials::new(format!("SIM{MANAGEMENT}_{MANAGEMENT_ROLE}"), "simulator", None, None, "simulator");
    let client = stage::client().await.to_builder();
    let client = client.credentials_provider(aws_sdk_bedrock::config::SharedCredentialsProvider::new(keys));
    let mut stage = Stage::set(&client.build(), Setting { world: Some(world), ..Setting::default() }).await;
    stage.wanted.parties.role = Some(MEMBER_ROLE.to_owned());
    stage
}

#[tokio::test]
async fn the_documented_permissions_are_enough_and_all_needed() {
    let stage = stage_with(documented()).await;
    let before = stage.holdings();
    let report = stage.run().await.expect("the account is empty");
    for conclusion in &report.conducted.findings {
        let is_found = matches!(answer(&report, conclusion.switch), Learned::Position(_));
        // Another account's guardrail is taken here, so nobody learns how it would be refused.
        let is_moot = conclusion.switch == "cross-account-refusal";
        assert!(is_found || is_moot, "{conclusion:?}");
    }
    assert!(report.conducted.left.is_empty());
    assert_eq!(stage.holdings(), before);
    let calls = stage.server.calls();
    // Nobody may touch a guardrail that is gone, or apply one that isn't granted: these denials are answers.
    let answers = ["ApplyGuardrail", "Converse", "DeleteGuardrail", "DeleteResourcePolicy"];
    let denied = calls.iter().filter(|call| call.error.as_deref() == Some("AccessDeniedException"));
    let denied: Vec<_> = denied.filter(|call| !answers.contains(&call.operation.as_str())).collect();
    assert!(denied.is_empty(), "{denied:?}");

    // What is granted and never asked for is too much.
    for (account, permissions) in [(MANAGEMENT, &documented()[0]), (ACCOUNT, &documented()[1])] {
        let mut asked: BTreeSet<String> = BTreeSet::new();
        for call in calls.iter().filter(|call| call.account == account) {
            asked.extend(action(&call.service, &call.operation));
        }
        for action in permissions.allow.iter().flat_map(|statement| &statement.actions) {
            // What AWS asks for besides, for a call that is made; and the key's, which the guardrail's call asks for.
            let is_implied = ["bedrock:TagResource", "kms:Decrypt"].contains(&action.as_str());
            assert!(is_implied || asked.contains(action), "{account} never needs {action}");
        }
    }
}

/// The action that a call needs.
fn action(service: &str, operation: &str) -> Option<String> {
    Some(match (service, operation) {
        ("sts", "GetCallerIdentity") => return None,
        ("bedrock-mantle", _) => "bedrock-mantle:CreateInference".to_owned(),
        (_, "Converse" | "ChatCompletions" | "Messages" | "Responses") => "bedrock:InvokeModel".to_owned(),
        ("bedrock-runtime", operation) => format!("bedrock:{operation}"),
        (service, operation) => format!("{service}:{operation}"),
    })
}
