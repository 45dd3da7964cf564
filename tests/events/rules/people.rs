//! What people have to hear of at once, told by AWS itself: changes of what protects the keeper, and of the owner's
//! guardrails by anybody who is no author.

use guardrail_keeper::trigger::decide_value;
use serde_json::{Value, json};

use super::{Case, Hub, MANAGEMENT, OWNER, SECURITY};
use crate::harness::settings;

/// The ids of the two service control policies.
pub(super) const OURS: [&str; 2] = ["p-examplepolicy111", "p-guardrails1"];

/// The keys of the guardrails, as the parameter has them.
pub(super) const KEYS: &str =
    "arn:aws:kms:us-east-1:222222222222:key/one,arn:aws:kms:eu-west-1:222222222222:key/two";

/// What lifts or changes a policy, and who may do so from now on.
const LIFTING: [&str; 4] = ["DeletePolicy", "DetachPolicy", "DisablePolicyType", "UpdatePolicy"];
const DELEGATING: [&str; 2] = ["PutResourcePolicy", "RegisterDelegatedAdministrator"];

const OF_GUARDRAILS: [&str; 4] =
    ["CreateGuardrail", "CreateGuardrailVersion", "DeleteGuardrail", "UpdateGuardrail"];
const OF_GRANTS: [&str; 2] = ["DeleteResourcePolicy", "PutResourcePolicy"];
const OF_KEYS: [&str; 5] =
    ["DeleteImportedKeyMaterial", "DisableKey", "PutKeyPolicy", "RevokeGrant", "ScheduleKeyDeletion"];

const AUTHORS: [&str; 2] = ["GuardrailAuthor", "GuardrailKeyAdministrator"];
const KEEPER: [&str; 2] = ["GuardrailKeeperMember", "GuardrailKeeperFunction"];

fn name(event: &Value) -> &str {
    event["detail"]["eventName"].as_str().unwrap_or_default()
}

/// The role behind the caller, by its name; nothing for a user or the root.
fn role(event: &Value) -> Option<&str> {
    let issuer = event["detail"]["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"].as_str()?;
    issuer.split_once(":role/").map(|(_, name)| name)
}

/// Whether an event may be one for people, as far as the account knows that sends it on.
pub(super) fn may_concern(event: &Value) -> bool {
    if !event["detail"]["errorCode"].is_null() {
        return false;
    }
    event["source"] == "aws.organizations" && LIFTING.iter().chain(&DELEGATING).any(|one| *one == name(event))
        || event["source"] == "aws.bedrock" && name(event) == "UpdateGuardrail"
        || event["source"] == "aws.kms" && OF_KEYS.contains(&name(event))
}

/// Whether people have to hear of it.
pub(super) fn concerns(case: &Case) -> bool {
    let (account, event) = (case.place.0.as_str(), &case.event);
    let (name, is_by) = (name(event), |known: &[&str]| role(event).is_some_and(|role| known.contains(&role)));
    if !event["detail"]["errorCode"].is_null() {
        return false;
    }
    match event["source"].as_str().unwrap_or_default() {
        "aws.organizations" => {
            let policy = event["detail"]["requestParameters"]["policyId"].as_str();
            let ours = policy.is_none_or(|policy| OURS.contains(&policy));
            let lifts = LIFTING.contains(&name) && [MANAGEMENT, SECURITY].contains(&account);
            ours && (lifts || (DELEGATING.contains(&name) && account == MANAGEMENT))
        }
        "aws.bedrock" if account == OWNER && OF_GUARDRAILS.contains(&name) => !is_by(&AUTHORS),
        "aws.bedrock" if account == OWNER && OF_GRANTS.contains(&name) => !is_by(&AUTHORS) && !is_by(&KEEPER),
        "aws.kms" if account == OWNER && OF_KEYS.contains(&name) => {
            let keys = event["detail"]["resources"].as_array().into_iter().flatten();
            let mut keys = keys.filter_map(|key| key["ARN"].as_str());
            keys.any(|key| KEYS.split(',').any(|known| known == key)) && !is_by(&AUTHORS)
        }
        _ => false,
    }
}

/// A call of a role in an account.
fn called(
    source: &str,
    account: &str,
    region: &str,
    by: Option<&str>,
    name: &str,
    parameters: &Value,
) -> Value {
    let identity = match by {
        Some(role) => json!({
            "type": "AssumedRole",
            "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/alice"),
            "sessionContext": { "sessionIssuer": { "arn": format!("arn:aws:iam::{account}:role/{role}") } },
        }),
        None => json!({ "type": "Root", "arn": format!("arn:aws:iam::{account}:root") }),
    };
    json!({
        "source": source, "account": account, "region": region, "detail-type": "AWS API Call via CloudTrail",
        "id": format!("{source}-{name}"), "time": "2026-11-02T10:00:00Z",
        "detail": {
            "eventName": name, "eventSource": source.replace("aws.", "") + ".amazonaws.com",
            "userIdentity": identity, "requestParameters": parameters,
        },
    })
}

fn of_policies() -> Vec<Value> {
    let call = |account: &str, name: &str, parameters: &Value| {
        called("aws.organizations", account, "us-east-1", Some("Pipeline"), name, parameters)
    };
    let mut events = Vec::new();
    for account in [MANAGEMENT, SECURITY, "300000000001"] {
        for name in LIFTING {
            for policy in OURS.iter().chain(&["p-ofsomethingelse"]) {
                events.push(call(account, name, &json!({ "policyId": policy })));
            }
            events.push(call(account, name, &json!({ "policyType": "SERVICE_CONTROL_POLICY" })));
        }
    }
    // Nobody else may do that, and no rule of ours sends on that somebody tried.
    for (account, name) in
        [MANAGEMENT, "300000000001"].into_iter().zip(DELEGATING).chain([(MANAGEMENT, DELEGATING[1])])
    {
        events.push(call(account, name, &json!({})));
    }
    events.push(call(MANAGEMENT, "AttachPolicy", &json!({ "policyId": OURS[0] })));
    events
}

fn of_guardrails() -> Vec<Value> {
    let mut events = Vec::new();
    let (us, eu) = ("us-east-1", "eu-west-1");
    let of_a_guardrail = |by: Option<&str>, name: &str| {
        called("aws.bedrock", OWNER, eu, by, name, &json!({ "guardrailIdentifier": "base1234abcd" }))
    };
    let of_a_grant = |by: Option<&str>, name: &str| {
        let arn = format!("arn:aws:bedrock:{eu}:{OWNER}:guardrail/base1234abcd");
        called("aws.bedrock", OWNER, eu, by, name, &json!({ "resourceArn": arn }))
    };
    let of_a_key = |by: Option<&str>, name: &str, region: &str, key: &str| {
        let mut event = called("aws.kms", OWNER, region, by, name, &json!({ "keyId": key }));
        let arn = format!("arn:aws:kms:{region}:{OWNER}:key/{key}");
        event["detail"]["resources"] = json!([{ "type": "AWS::KMS::Key", "ARN": arn }]);
        event
    };
    let principals = [None, Some("Administrator"), Some("GuardrailAuthors"), Some("x/GuardrailAuthor")];
    for by in principals.into_iter().chain(AUTHORS.map(Some)).chain(KEEPER.map(Some)) {
        events.push(of_a_guardrail(by, "DeleteGuardrail"));
        events.push(of_a_grant(by, "PutResourcePolicy"));
        events.push(of_a_key(by, "DisableKey", us, "one"));
    }
    for by in [Some("Administrator"), Some(AUTHORS[0])] {
        events.extend(OF_GUARDRAILS.map(|name| of_a_guardrail(by, name)));
        events.extend(OF_GRANTS.map(|name| of_a_grant(by, name)));
        events.extend(OF_KEYS.map(|name| of_a_key(by, name, eu, "two")));
        events.push(of_a_key(by, "DisableKey", us, "another"));
    }
    // What a member does to its own.
    let member = "300000000001";
    events.push(called("aws.bedrock", member, us, None, "UpdateGuardrail", &json!({})));
    events.push(called("aws.kms", member, us, None, "DisableKey", &json!({})));
    events
}

/// Each with a hub elsewhere, and with one where it happens.
pub(super) fn cases() -> Vec<(Hub, Vec<Case>)> {
    let hub = |account: &str, region: &str| Hub { account: account.to_owned(), region: region.to_owned() };
    let hubs = [
        hub("999999999999", "ca-west-1"),
        hub(MANAGEMENT, "us-east-1"),
        hub(OWNER, "eu-west-1"),
        hub(SECURITY, "us-east-1"),
    ];
    let events: Vec<Value> = of_policies().into_iter().chain(of_guardrails()).collect();
    // One of each kind could have been refused as well.
    let mut kinds = std::collections::BTreeSet::new();
    let one_of_each =
        events.iter().filter(|event| kinds.insert((event["account"].to_string(), name(event).to_owned())));
    let refused: Vec<Value> = one_of_each
        .map(|event| {
            let mut refused = event.clone();
            refused["detail"]["errorCode"] = "AccessDenied".into();
            refused
        })
        .collect();
    let events: Vec<Value> = events.into_iter().chain(refused).collect();
    let case = |hub: &Hub, event: &Value| {
        let member = |name: &str| event[name].as_str().unwrap().to_owned();
        let context =
            guardrail_keeper::trigger::Context { hub: Some(hub.account.parse().unwrap()), ..settings() };
        Case {
            label: format!("{} by {:?}", name(event), role(event)),
            place: (member("account"), member("region")),
            trigger: decide_value(event, &context),
            event: event.clone(),
            excuse: None,
        }
    };
    hubs.into_iter()
        .map(|hub| {
            let cases = events.iter().map(|event| case(&hub, event)).collect();
            (hub, cases)
        })
        .collect()
}

/// How long a pattern may be. More is to be had from AWS's support.
const LONGEST: usize = 2048;

/// With permission sets for both kinds of authors, and a key in each of six Regions.
#[test]
fn patterns_are_as_short_as_eventbridge_wants_them() {
    let template = crate::template::read("template.yaml");
    let set =
        |name: &str| format!("arn:*:iam::*:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_{name}_*");
    let authors = [set("BedrockGuardrailAuthors"), set("BedrockGuardrailKeyAdministrators")].join(",");
    let key = format!("arn:aws-us-gov:kms:ap-southeast-2:{OWNER}:key/11111111-2222-3333-4444-555555555555");
    let keys = vec![key; 6].join(",");
    let mut given = super::given("999999999999");
    given.extend([("GuardrailAuthors", authors.as_str()), ("GuardrailKeyArns", keys.as_str())]);
    for (name, resource) in template["Resources"].as_object().unwrap() {
        if resource["Type"] == "AWS::Events::Rule" {
            let pattern = &resource["Properties"]["EventPattern"];
            let length = crate::template::resolved(pattern, &template, &given).to_string().len();
            assert!(length < LONGEST, "{name}: {length}");
        }
    }
}
