//! What people have to hear of at once, told by AWS itself: changes of what protects the keeper, and of the owner's
//! guardrails by anybody who is no author.

use guardrail_keeper::trigger::{Trigger, decide_value};
use serde_json::{Value, json};

use super::{Case, Hub, MANAGEMENT, OWNER, PARAMETER, SECURITY};
use crate::harness::settings;

/// The ids of the two service control policies.
pub(super) const OURS: [&str; 2] = ["p-examplepolicy111", "p-guardrails1"];

/// The keys of the guardrails, as the parameter has them.
pub(super) const KEYS: &str =
    "arn:aws:kms:us-east-1:222222222222:key/one,arn:aws:kms:eu-west-1:222222222222:key/two";

/// The OUs to which these are attached.
pub(super) const UNITS: &str = "ou-exam-protected,ou-exam-nested";

/// What lifts or changes a policy, what lifts all, and who may do so from now on.
const LIFTING: [&str; 3] = ["DeletePolicy", "DetachPolicy", "UpdatePolicy"];
const LIFTING_ALL: &str = "DisablePolicyType";
const DELEGATING: [&str; 2] = ["PutResourcePolicy", "RegisterDelegatedAdministrator"];

const OF_GUARDRAILS: [&str; 4] =
    ["CreateGuardrail", "CreateGuardrailVersion", "DeleteGuardrail", "UpdateGuardrail"];
const OF_GRANTS: [&str; 2] = ["DeleteResourcePolicy", "PutResourcePolicy"];
const OF_KEYS: [&str; 5] =
    ["DeleteImportedKeyMaterial", "DisableKey", "PutKeyPolicy", "RevokeGrant", "ScheduleKeyDeletion"];

/// The parameter that a person approves a revision in.
const APPROVAL: &str = "/guardrail-keeper/approval";
/// A control.
const PLACEMENT: &str = "/guardrail-keeper/controls/placement";

const AUTHORS: [&str; 2] = ["GuardrailAuthor", "GuardrailKeyAdministrator"];
const KEEPER: [&str; 2] = ["GuardrailKeeperMember", "GuardrailKeeperFunction"];

fn name(event: &Value) -> &str {
    event["detail"]["eventName"].as_str().unwrap_or_default()
}

/// The role behind the caller, by its account and its name; nothing for a user or the root.
fn role(event: &Value) -> Option<(&str, &str)> {
    let issuer = event["detail"]["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"].as_str()?;
    issuer.split_once("::").and_then(|(_, rest)| rest.split_once(":role/"))
}

/// Whether an event may be one for people, as far as the account knows that sends it on.
pub(super) fn may_concern(event: &Value) -> bool {
    if !event["detail"]["errorCode"].is_null() {
        return false;
    }
    let of_policies = LIFTING.iter().chain(&DELEGATING).chain([&LIFTING_ALL]);
    event["source"] == "aws.organizations" && of_policies.into_iter().any(|one| *one == name(event))
        || event["source"] == "aws.bedrock" && name(event) == "UpdateGuardrail"
        || event["source"] == "aws.kms" && OF_KEYS.contains(&name(event))
}

/// Whether people have to hear of it, where this is the hub.
pub(super) fn concerns(hub: &Hub, case: &Case) -> bool {
    let (account, event) = (case.place.0.as_str(), &case.event);
    let is_role = |account: &str, name: &str| role(event) == Some((account, name));
    // A role of the same name in another account is nobody.
    let by_an_author = AUTHORS.iter().any(|name| is_role(OWNER, name));
    let by_the_keeper = is_role(OWNER, KEEPER[0]) || is_role(&hub.account, KEEPER[1]);
    let name = name(event);
    if !event["detail"]["errorCode"].is_null() {
        return false;
    }
    match event["source"].as_str().unwrap_or_default() {
        "aws.organizations" => {
            let given = |what: &str| event["detail"]["requestParameters"][what].as_str();
            let ours = given("policyId").is_some_and(|policy| OURS.contains(&policy));
            let lifts = (ours && LIFTING.contains(&name)) || name == LIFTING_ALL;
            let leaves =
                || given("sourceParentId").is_some_and(|unit| UNITS.split(',').any(|one| one == unit));
            (lifts && [MANAGEMENT, SECURITY].contains(&account))
                || (account == MANAGEMENT
                    && (DELEGATING.contains(&name) || (name == "MoveAccount" && leaves())))
        }
        "aws.bedrock" if account == OWNER && OF_GUARDRAILS.contains(&name) => !by_an_author,
        "aws.bedrock" if account == OWNER && OF_GRANTS.contains(&name) => !by_an_author && !by_the_keeper,
        "aws.kms" if account == OWNER && OF_KEYS.contains(&name) => {
            let keys = event["detail"]["resources"].as_array().into_iter().flatten();
            let mut keys = keys.filter_map(|key| key["ARN"].as_str());
            keys.any(|key| KEYS.split(',').any(|known| known == key)) && !by_an_author
        }
        // What controls say is the keeper's to publish.
        "aws.ssm" if case.place == (hub.account.clone(), hub.region.clone()) => {
            let told = |what: &str| event["detail"][what].as_str();
            let ours = told("name").is_some_and(|name| [PARAMETER, APPROVAL].contains(&name));
            ours && told("operation").is_some_and(|one| ["Create", "Update", "Delete"].contains(&one))
        }
        _ => false,
    }
}

/// A call of a role in an account.
pub(super) fn called(
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
        }
        events.push(call(account, LIFTING_ALL, &json!({ "policyType": "SERVICE_CONTROL_POLICY" })));
    }
    for from in UNITS.split(',').chain(["ou-exam-workload"]) {
        let parents =
            json!({ "accountId": "300000000001", "sourceParentId": from, "destinationParentId": "r-exam" });
        events.push(call(MANAGEMENT, "MoveAccount", &parents));
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
    // Whom another account's administrator may be: a key's policy may let in other accounts, and a guardrail's, too.
    let from_elsewhere = |mut event: Value, by: &str, account: &str| {
        let identity = &mut event["detail"]["userIdentity"];
        identity["arn"] = format!("arn:aws:sts::{account}:assumed-role/{by}/mallory").into();
        identity["sessionContext"]["sessionIssuer"]["arn"] =
            format!("arn:aws:iam::{account}:role/{by}").into();
        event
    };
    for by in AUTHORS.into_iter().chain(KEEPER) {
        for account in ["300000000001", "999999999999"] {
            events.push(from_elsewhere(of_a_guardrail(Some(by), "UpdateGuardrail"), by, account));
            events.push(from_elsewhere(of_a_grant(Some(by), "PutResourcePolicy"), by, account));
            events.push(from_elsewhere(of_a_key(Some(by), "PutKeyPolicy", us, "one"), by, account));
        }
    }
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

/// What becomes of the parameters in the hub's own place, and of some that nobody has to hear of.
fn of_parameters(hub: &Hub) -> Vec<Value> {
    let names = [PARAMETER, APPROVAL, "/guardrail-keeper/baseline-of-another", PLACEMENT];
    let changed = |name: &str, operation: &str| {
        json!({
            "source": "aws.ssm", "account": hub.account, "region": hub.region, "id": format!("{name}-{operation}"),
            "detail-type": "Parameter Store Change", "time": "2026-11-02T10:00:00Z",
            "detail": { "name": name, "operation": operation, "type": "String" },
        })
    };
    let operations = ["Create", "Update", "Delete", "LabelParameterVersion"];
    names.iter().flat_map(|name| operations.map(|operation| changed(name, operation))).collect()
}

fn deletes_what_was_said(event: &Value) -> bool {
    let said = [APPROVAL, PLACEMENT].iter().any(|name| event["detail"]["name"] == *name);
    said && event["detail"]["operation"] == "Delete"
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
        let trigger = decide_value(event, &context);
        let administers = [MANAGEMENT, SECURITY].contains(&member("account").as_str());
        let excuse = match trigger {
            Trigger::BedrockPolicies { .. } if !administers => {
                Some("an account to which nothing is delegated changes no policy")
            }
            _ if deletes_what_was_said(event) => {
                Some("an approval or a control stays when its parameter is deleted")
            }
            _ => None,
        };
        let label = format!("{} by {:?}", name(event), role(event));
        Case { label, place: (member("account"), member("region")), trigger, event: event.clone(), excuse }
    };
    hubs.into_iter()
        .map(|hub| {
            let here = of_parameters(&hub);
            let cases = events.iter().chain(&here).map(|event| case(&hub, event)).collect();
            (hub, cases)
        })
        .collect()
}

/// How long a pattern may be. More is to be had from AWS's support.
const LONGEST: usize = 2048;

/// With as many authors as the parameter takes, among them permission sets, and a key in each of six Regions.
#[test]
fn patterns_are_as_short_as_eventbridge_wants_them() {
    let template = crate::template::read("template.yaml");
    let parameter = &template["Parameters"]["GuardrailAuthors"];
    let longest = usize::try_from(parameter["MaxLength"].as_u64().unwrap()).unwrap();
    let set = |name: &str| {
        format!("arn:aws-us-gov:iam::{OWNER}:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_{name}_*")
    };
    let mut authors = [set("BedrockGuardrailAuthors"), set("BedrockGuardrailKeyAdministrators")].join(",");
    let another = format!(",arn:aws:iam::{OWNER}:role/A");
    while authors.len() + another.len() <= longest {
        authors.push_str(&another);
    }
    authors.push_str(&"A".repeat(longest - authors.len()));
    let key = format!("arn:aws-us-gov:kms:ap-southeast-2:{OWNER}:key/11111111-2222-3333-4444-555555555555");
    let keys = vec![key; 6].join(",");
    let mut given = super::given("999999999999");
    given.extend([
        ("GuardrailAuthors", authors.as_str()),
        ("NamesAuthors", "true"),
        ("HasSecondOwner", "true"),
        ("SecondOwnerAccountId", "333333333333"),
        ("GuardrailKeyArns", keys.as_str()),
    ]);
    for (name, resource) in template["Resources"].as_object().unwrap() {
        if resource["Type"] == "AWS::Events::Rule" {
            let pattern = &resource["Properties"]["EventPattern"];
            let length = crate::template::resolved(pattern, &template, &given).to_string().len();
            assert!(length < LONGEST, "{name}: {length}");
        }
    }
}

/// One of the two ids alone would end the reports about the other policy.
#[test]
fn policies_are_told_apart_only_where_both_are_named() {
    let template = crate::template::read("template.yaml");
    let mails = |keeper: &'static str, guardrails: &'static str, owners: [&'static str; 2], policy: &str| {
        let mut given = super::given("999999999999");
        given.extend([
            ("KeeperPolicyId", keeper),
            ("GuardrailsPolicyId", guardrails),
            ("OwnerAccountId", owners[0]),
            ("SecondOwnerAccountId", owners[1]),
        ]);
        given.extend([("AWS::Region", "us-east-1"), ("AWS::StackName", "it"), ("ExistingLedgerTable", "")]);
        let known = crate::template::with_conditions(&template, &given);
        let rule = &template["Resources"]["ProtectionChanged"]["Properties"]["EventPattern"];
        let rule = super::Rule::of(crate::template::resolved(rule, &template, &known));
        let detached = json!({ "policyId": policy, "targetId": "r-exam" });
        rule.read.matches(&called(
            "aws.organizations",
            MANAGEMENT,
            "us-east-1",
            None,
            "DetachPolicy",
            &detached,
        ))
    };
    let [keeper, guardrails] = OURS;
    let another = "p-ofsomethingelse";
    for (given, expected) in [
        // Owned by a member: both policies are there.
        (("", "", [OWNER, ""]), [true, true, true]),
        ((keeper, "", [OWNER, ""]), [true, true, true]),
        (("", guardrails, [OWNER, ""]), [true, true, true]),
        ((keeper, guardrails, [OWNER, ""]), [true, true, false]),
        // A second owner, which they bind or don't.
        ((keeper, "", [OWNER, MANAGEMENT]), [true, true, true]),
        ((keeper, "", [MANAGEMENT, OWNER]), [true, true, true]),
        // Owned by the management account, to which no such policy applies.
        ((keeper, "", [MANAGEMENT, ""]), [true, false, false]),
        (("", "", [MANAGEMENT, ""]), [true, true, true]),
    ] {
        let told = [keeper, guardrails, another].map(|policy| mails(given.0, given.1, given.2, policy));
        assert_eq!(told, expected, "{given:?}");
    }
}

/// What the parameter takes, and what would let somebody of another account pass for an author.
#[test]
fn authors_are_named_with_their_account() {
    let template = crate::template::read("template.yaml");
    let parameter = &template["Parameters"]["GuardrailAuthors"];
    let pattern = format!("^(?:{})$", parameter["AllowedPattern"].as_str().unwrap());
    let pattern = regex::Regex::new(&pattern).unwrap();
    let good = "arn:aws:iam::222222222222:role/GuardrailAuthor";
    let set = "arn:*:iam::222222222222:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_GuardrailAuthor_*";
    for taken in [String::new(), good.to_owned(), set.to_owned(), format!("{good},{set},{good}")] {
        assert!(pattern.is_match(&taken), "{taken}");
    }
    for refused in [
        "GuardrailAuthor".to_owned(),
        good.replace("222222222222", "*"),
        good.replace("222222222222", "22222222222*"),
        good.replace(":role/", ":user/"),
        format!("{good},"),
        format!("{good},{}", set.replace("222222222222", "*")),
        set.replace("*AWS", "**AWS"),
    ] {
        assert!(!pattern.is_match(&refused), "{refused}");
    }
}
