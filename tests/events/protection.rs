//! The service control policies: what each statement stops, what it lets through, and which attacks
//! don't get to their end.

mod attacks;
mod guardrails;
mod keeper;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::granted;
use crate::policy::{Caller, Request, Verdict, verdict};

const MANAGEMENT: &str = "111111111111";
const HUB: &str = "222222222222";
const OWNER: &str = "200000000001";
const SECURITY: &str = "400000000001";
const MEMBER: &str = "300000000001";

const KEY: &str = "11111111-2222-3333-4444-555555555555";

const DOCUMENTS: [&str; 2] = ["deploy/protect-keeper.scp.json", "deploy/protect-guardrails.scp.json"];

/// What has to be replaced in the documents, and by what it is here.
const PLACEHOLDERS: [(&str, &str); 5] = [
    ("HUB_ACCOUNT_ID", HUB),
    ("OWNER_ACCOUNT_ID", OWNER),
    ("SECURITY_ACCOUNT_ID", SECURITY),
    ("TRAIL_NAME", "organization"),
    ("GUARDRAIL_KEY_ID", KEY),
];

fn read(path: &str) -> String {
    std::fs::read_to_string(testkit::world::repository(path)).unwrap()
}

/// The statements of a document in an organization whose guardrails are in the account `owner`.
fn statements_of(path: &str, owner: &str) -> Vec<Value> {
    let filled = PLACEHOLDERS.iter().fold(read(path), |text, (placeholder, value)| {
        text.replace(placeholder, if *placeholder == "OWNER_ACCOUNT_ID" { owner } else { value })
    });
    serde_json::from_str::<Value>(&filled).unwrap()["Statement"].as_array().unwrap().clone()
}

fn statements() -> Vec<Value> {
    DOCUMENTS.iter().flat_map(|path| statements_of(path, OWNER)).collect()
}

/// Somebody asks for something. `who` is an account and a role with its path: `300000000001/path/Role`.
fn asks(who: &str, action: &str, resource: &str) -> Request {
    let (account, role) = who.split_once('/').unwrap();
    let arn = match role {
        "root" => format!("arn:aws:iam::{account}:root"),
        role => format!("arn:aws:iam::{account}:role/{role}"),
    };
    let request = Request {
        caller: Caller::Principal(arn.clone()),
        action: action.to_owned(),
        resource: resource.to_owned(),
        context: BTreeMap::new(),
    };
    request.with("aws:PrincipalArn", &[&arn]).with("aws:PrincipalAccount", &[account])
}

/// Each of the actions on each of the resources.
fn each(who: &str, actions: &[&str], resources: &[&str]) -> Vec<Request> {
    let on = |action: &&str| resources.iter().map(|resource| asks(who, action, resource)).collect::<Vec<_>>();
    actions.iter().flat_map(on).collect()
}

/// Whether service control policies stop it. They bind neither the management account nor the roles that
/// AWS's services made for themselves.
fn stopped(statements: &[Value], request: &Request) -> bool {
    let Caller::Principal(arn) = &request.caller else { return false };
    let bound = !arn.contains(&format!("::{MANAGEMENT}:")) && !arn.contains(":role/aws-service-role/");
    bound && verdict(statements, request) == Verdict::Forbidden
}

fn administrator(account: &str) -> String {
    format!("{account}/Administrator")
}

fn role(account: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:role/{name}")
}

const STACK_SETS: &str = "stacksets-exec-0123456789abcdef0123456789abcdef";

/// What changes whom a role is, what it may do, or who may become it.
const ROLE_ACTIONS: [&str; 14] = [
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DeleteRole",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PassRole",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
    "iam:TagRole",
    "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
    "iam:UpdateRoleDescription",
];

const GUARDRAIL: &str = "arn:aws:bedrock:eu-west-1:200000000001:guardrail/base1234abcd";
const PROFILE: &str = "arn:aws:bedrock:eu-west-1:200000000001:guardrail-profile/eu.guardrail.v1:0";
const OF_A_MEMBER: &str = "arn:aws:bedrock:eu-west-1:300000000001:guardrail/own1234abcd";

/// The author of the guardrails.
fn author() -> String {
    format!("{OWNER}/GuardrailAuthor")
}

/// A statement, what it stops by itself, and what no statement stops.
struct Case {
    sid: &'static str,
    stops: Vec<Request>,
    lets: Vec<Request>,
}

fn cases() -> Vec<Case> {
    vec![
        keeper::about_enforcement(),
        keeper::about_named_roles(),
        keeper::about_posing(),
        keeper::about_rules(),
        keeper::about_stacks(),
        keeper::about_the_functions_role(),
        keeper::about_becoming_deployer_or_administrator(),
        keeper::about_stack_sets(),
        keeper::about_trails(),
        keeper::about_policies(),
        keeper::about_leaving(),
        guardrails::about_guardrails(),
        guardrails::about_making_guardrails(),
        guardrails::about_grants(),
        guardrails::about_the_owners_roles(),
        guardrails::about_becoming_them(),
        guardrails::about_keys(),
        guardrails::about_copies(),
    ]
}

/// One word for a request, in messages.
fn told(request: &Request) -> String {
    format!("{:?}: {} on {}", request.caller, request.action, request.resource)
}

#[test]
fn each_statement_stops_what_it_is_for_and_nothing_else() {
    let statements = statements();
    let cases = cases();
    let sids = |values: Vec<&str>| values.iter().map(|sid| (*sid).to_owned()).collect::<BTreeSet<String>>();
    let known = sids(statements.iter().map(|statement| statement["Sid"].as_str().unwrap()).collect());
    assert_eq!(known.len(), statements.len(), "two statements of one Sid");
    assert_eq!(known, sids(cases.iter().map(|case| case.sid).collect()));
    for Case { sid, stops, lets } in &cases {
        let alone: Vec<Value> =
            statements.iter().filter(|statement| statement["Sid"] == *sid).cloned().collect();
        for request in stops {
            assert!(stopped(&alone, request), "{sid} lets through {}", told(request));
        }
        for request in lets {
            let by = statements.iter().find(|one| stopped(std::slice::from_ref(one), request));
            assert!(by.is_none(), "{} stops {}", by.unwrap()["Sid"], told(request));
        }
    }
}

/// The statement with one action or one resource less, each of them in turn.
fn with_less(statement: &Value) -> Vec<(String, Value)> {
    let mut lesser = Vec::new();
    for element in ["Action", "Resource"] {
        for (index, part) in statement[element].as_array().into_iter().flatten().enumerate() {
            let mut less = statement.clone();
            less[element].as_array_mut().unwrap().remove(index);
            lesser.push((format!("{element} {part}"), less));
        }
    }
    lesser
}

/// The statement with one exempt principal or one condition less, each of them in turn.
fn with_fewer_exceptions(statement: &Value) -> Vec<(String, Value)> {
    let mut lesser = Vec::new();
    for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
        let mut less = statement.clone();
        less["Condition"].as_object_mut().unwrap().remove(operator);
        lesser.push((operator.clone(), less));
        let spared = keys["aws:PrincipalArn"].as_array();
        for (index, principal) in spared.into_iter().flatten().enumerate() {
            let mut less = statement.clone();
            let principals = &mut less["Condition"][operator]["aws:PrincipalArn"];
            principals.as_array_mut().unwrap().remove(index);
            lesser.push((principal.to_string(), less));
        }
    }
    lesser
}

/// Without any one of its parts, a statement would let something through that it has to stop, or stop
/// something that it has to let through.
#[test]
fn every_part_of_the_protection_is_needed() {
    let statements = statements();
    let mut tried = 0;
    for Case { sid, stops, lets } in cases() {
        let statement = statements.iter().find(|statement| statement["Sid"] == *sid).unwrap();
        for (part, less) in with_less(statement) {
            let missed = stops.iter().any(|request| !stopped(std::slice::from_ref(&less), request));
            assert!(missed, "{sid} could do without {part}");
            tried += 1;
        }
        for (part, less) in with_fewer_exceptions(statement) {
            let missed = lets.iter().any(|request| stopped(std::slice::from_ref(&less), request));
            assert!(missed, "{sid} could do without {part}");
            tried += 1;
        }
    }
    assert!(tried > 100, "{tried}");
}

/// Whom these roles trust says a template of ours, and nobody else: `only_the_function_becomes_the_member_role`.
const TRUST_BY_TEMPLATE: [&str; 2] = ["GuardrailKeeper", "GuardrailKeeperMember"];

/// Whoever is exempt from a statement can't be made, changed, passed on or assumed by the administrator of its
/// account, or else that administrator would be exempt, too.
#[test]
fn no_administrator_makes_an_exempt_principal() {
    let statements = statements();
    let mut seen = BTreeSet::new();
    for statement in &statements {
        let exempt = &statement["Condition"]["ArnNotLike"]["aws:PrincipalArn"];
        let exempt = exempt.as_array().cloned().unwrap_or_else(|| vec![exempt.clone()]);
        for pattern in exempt.iter().filter_map(Value::as_str) {
            let (_, name) = pattern.split_once(":role/").expect("roles only");
            let account = pattern.split(':').nth(4).unwrap().replace('*', MEMBER);
            seen.insert(name.to_owned());
            if name.starts_with("aws-reserved/") {
                continue;
            }
            assert!(!name.trim_end_matches('*').contains('*'), "{pattern} is a wide exemption");
            let role = role(&account, &name.replace('*', "0123456789abcdef"));
            let assuming = (!TRUST_BY_TEMPLATE.contains(&name)).then_some("sts:AssumeRole");
            let actions: Vec<&str> = ROLE_ACTIONS.into_iter().chain(assuming).collect();
            for request in each(&administrator(&account), &actions, &[&role]) {
                assert!(stopped(&statements, &request), "{} is exempt: {}", statement["Sid"], told(&request));
            }
        }
    }
    assert_eq!(seen.len(), 11, "{seen:?}");
}

/// A role of an earlier deployment counts as ours for as long as it is in `FormerRoles`; docs/deploy.md
/// says where it has to be put.
#[test]
fn a_former_role_is_protected_where_the_documents_say() {
    let mut statements = statements();
    let former = [role(MEMBER, "OldMember"), role(MEMBER, "path/OldMember")];
    let former: Vec<&str> = former.iter().map(String::as_str).collect();
    let attack = each(&administrator(MEMBER), &ROLE_ACTIONS, &former);
    assert!(!attack.iter().any(|step| stopped(&statements, step)));
    let text = read("docs/deploy.md");
    let (sid, added) = ("OnlyStackSetsChangeTheNamedRoles", ["role/FORMER_NAME", "role/*/FORMER_NAME"]);
    assert!(added.iter().all(|part| text.contains(&format!("`arn:*:iam::*:{part}`"))) && text.contains(sid));
    let statement = statements.iter_mut().find(|statement| statement["Sid"] == sid).unwrap();
    for part in added {
        let resource = format!("arn:*:iam::*:{part}").replace("FORMER_NAME", "OldMember");
        statement["Resource"].as_array_mut().unwrap().push(json!(resource));
    }
    for step in attack {
        assert!(stopped(&statements, &step), "{}", told(&step));
    }
}

/// What no service control policy stops, or these don't; docs/threat-model.md says so of each.
#[test]
fn what_is_left_is_known() {
    let statements = statements();
    let member_role = role(MEMBER, "GuardrailKeeperMember");
    let function = format!("arn:aws:lambda:us-east-1:{HUB}:function:guardrail-keeper");
    for request in [
        // A name in other letters, before StackSets made the role: it gains nothing but its place.
        asks(&administrator(MEMBER), "iam:CreateRole", &role(MEMBER, "guardrailkeepermember")),
        // The management account, in its own account.
        asks(&administrator(MANAGEMENT), "bedrock:DeleteEnforcedGuardrailConfiguration", "*"),
        asks(
            &administrator(MANAGEMENT),
            "bedrock:DeleteGuardrail",
            &format!("arn:aws:bedrock:eu-west-1:{MANAGEMENT}:guardrail/base1234abcd"),
        ),
        // Every delegated administrator of StackSets, by the role of StackSets.
        asks(&format!("{MEMBER}/{STACK_SETS}"), "iam:UpdateAssumeRolePolicy", &member_role),
        // The hub's administrator, by the function itself.
        asks(&administrator(HUB), "lambda:UpdateFunctionCode", &function),
        // The author, and what becomes the author without a call that is bound.
        asks(&author(), "bedrock:DeleteGuardrail", GUARDRAIL),
        asks(
            &administrator(OWNER),
            "iam:UpdateSAMLProvider",
            &format!("arn:aws:iam::{OWNER}:saml-provider/own"),
        ),
    ] {
        assert!(!stopped(&statements, &request), "{}", told(&request));
    }
}

/// Each call that the keeper and the reader made in any test, by the role that made it.
#[test]
fn the_keepers_own_calls_are_let_through() {
    let mut writes = 0;
    for (who, granted::Shape { copies, owns, .. }, request) in granted::requests() {
        let (account, name, owner) = match (who.as_str(), owns) {
            ("function", true) => (HUB, "GuardrailKeeper", HUB),
            ("function", false) => (HUB, "GuardrailKeeper", OWNER),
            ("member", _) => (MEMBER, "GuardrailKeeperMember", OWNER),
            ("owner", _) => (OWNER, "GuardrailKeeperMember", OWNER),
            ("reader", _) => (MEMBER, "GuardrailKeeperReader", OWNER),
            // No service control policy binds the management account.
            ("organization", _) => continue,
            other => panic!("{other:?} is no role"),
        };
        let resource = request.resource.replace(HUB, account);
        let call = asks(&format!("{account}/{name}"), &request.action, &resource);
        let is_a_copy = copies && !owns && who != "owner" && resource.contains(":guardrail/");
        let call = match is_a_copy {
            true => call.with("aws:ResourceTag/guardrail-keeper:source", &[GUARDRAIL]),
            false => call,
        };
        let statements: Vec<Value> = DOCUMENTS.iter().flat_map(|path| statements_of(path, owner)).collect();
        assert!(!stopped(&statements, &call), "{who}, owns: {owns}: {}", told(&call));
        writes += usize::from(is_a_copy || request.action.contains("ResourcePolicy"));
    }
    assert!(writes > 10, "{writes}");
}

/// What Organizations took before May 2026; it takes twice as much now. Half of it can still be reviewed.
const LONGEST: usize = 5120;

/// With names and ids as long as they get, and white space left out, as docs/deploy.md says.
#[test]
fn each_document_is_as_short_as_organizations_wants_it() {
    let mut lengths = Vec::new();
    for path in DOCUMENTS {
        let mut document: Value = serde_json::from_str(&read(path)).unwrap();
        for statement in document["Statement"].as_array_mut().unwrap() {
            // A key of its own in each of six Regions, and two former roles.
            let more: Vec<Value> = match statement["Sid"].as_str().unwrap() {
                "OnlyKeyAdministratorsChangeTheKeys" => vec![statement["Resource"].clone(); 6],
                "OnlyStackSetsChangeTheNamedRoles" => {
                    let former = ["role/OldKeeperMember", "role/*/OldKeeperMember"];
                    former.iter().map(|part| json!(format!("arn:*:iam::*:{part}"))).collect()
                }
                _ => continue,
            };
            match &mut statement["Resource"] {
                Value::Array(resources) => resources.extend(more),
                one => *one = Value::Array(more),
            }
        }
        let mut text = serde_json::to_string(&document).unwrap();
        for (placeholder, value) in PLACEHOLDERS {
            let value =
                if placeholder == "TRAIL_NAME" { "aws-controltower-BaselineCloudTrail" } else { value };
            text = text.replace(placeholder, value);
        }
        for name in ["SecurityAdministrator", "GuardrailKeeperDeployer", "GuardrailKeyAdministrator"] {
            text = text.replace(name, &format!("{name}-of-Example"));
        }
        assert!(text.len() <= LONGEST, "{path}: {} characters", text.len());
        lengths.push(text.len());
    }
    assert!(lengths.iter().sum::<usize>() > LONGEST, "one document would do: {lengths:?}");
}

/// A placeholder that stays is an account or a name that nobody has: nothing would be protected.
#[test]
fn every_placeholder_is_in_the_guide() {
    let guide = read("docs/deploy.md");
    let is_one = |word: &&str| word.contains('_') && word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let mut found = BTreeSet::new();
    for path in DOCUMENTS {
        let text = read(path);
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        found.extend(words.filter(is_one).map(str::to_owned));
        for statement in statements_of(path, OWNER) {
            let sid = statement["Sid"].as_str().unwrap();
            assert!(guide.contains(&format!("`{sid}`")), "{sid} has no reason in docs/deploy.md");
        }
    }
    assert!(found.remove("SERVICE_CONTROL_POLICY"), "a value, and no placeholder");
    assert_eq!(found, PLACEHOLDERS.iter().map(|(name, _)| (*name).to_owned()).collect());
    for (name, _) in PLACEHOLDERS {
        assert!(guide.contains(&format!("| `{name}` |")), "{name} is not explained in docs/deploy.md");
    }
}

#[test]
fn what_the_keeper_rests_on_is_protected_from_everybody_else() {
    let statements = statements();
    let owner = OWNER;
    let asks = |account: &str, role: &str, action: &str, resource: &str| {
        let arn = format!("arn:aws:iam::{account}:role/{role}");
        let request = Request {
            caller: Caller::Principal(arn.clone()),
            action: action.to_owned(),
            resource: resource.to_owned(),
            context: BTreeMap::new(),
        };
        verdict(&statements, &request.with("aws:PrincipalArn", &[&arn])) == Verdict::Forbidden
    };
    let stack_sets = "stacksets-exec-0123456789abcdef";
    let member_role = format!("arn:aws:iam::{MEMBER}:role/GuardrailKeeperMember");
    let forwarder = format!("arn:aws:iam::{MEMBER}:role/GuardrailKeeperForwarder");
    let rule = format!("arn:aws:events:eu-west-1:{MEMBER}:rule/guardrail-keeper-guardrail-changed");
    let guardrail = format!("arn:aws:bedrock:eu-west-1:{owner}:guardrail/base1234abcd");
    let posing = format!("arn:aws:iam::{MEMBER}:role/{stack_sets}");
    let forbidden = [
        (MEMBER, "Administrator", "bedrock:PutEnforcedGuardrailConfiguration", "*"),
        (MEMBER, "Administrator", "bedrock:DeleteEnforcedGuardrailConfiguration", "*"),
        // The function's name in another account than the hub is nobody's.
        (MEMBER, "GuardrailKeeper", "bedrock:DeleteEnforcedGuardrailConfiguration", "*"),
        (MEMBER, "Administrator", "iam:DeleteRole", &member_role),
        (MEMBER, "Administrator", "iam:CreateRole", &member_role),
        (MEMBER, "Administrator", "iam:UpdateAssumeRolePolicy", &member_role),
        (MEMBER, "Administrator", "iam:PutRolePolicy", &member_role),
        (MEMBER, "GuardrailKeeperMember", "iam:PutRolePolicy", &member_role),
        (MEMBER, "Administrator", "iam:DeleteRolePolicy", &forwarder),
        (MEMBER, "Administrator", "iam:CreateRole", &posing),
        (MEMBER, "Administrator", "sts:AssumeRole", &posing),
        (MEMBER, "Administrator", "events:DisableRule", &rule),
        (MEMBER, "Administrator", "events:RemoveTargets", &rule),
        (owner, "Administrator", "bedrock:DeleteGuardrail", &guardrail),
        (owner, "Administrator", "bedrock:UpdateGuardrail", &guardrail),
        (owner, "Administrator", "bedrock:DeleteResourcePolicy", &guardrail),
        (owner, "Administrator", "bedrock:CreateGuardrailVersion", &guardrail),
    ];
    for (account, role, action, resource) in forbidden {
        assert!(asks(account, role, action, resource), "{role} of {account}: {action} on {resource}");
    }
    let left_alone = [
        (MEMBER, "GuardrailKeeperMember", "bedrock:PutEnforcedGuardrailConfiguration", "*"),
        (MEMBER, "GuardrailKeeperMember", "bedrock:DeleteEnforcedGuardrailConfiguration", "*"),
        (HUB, "GuardrailKeeper", "bedrock:PutEnforcedGuardrailConfiguration", "*"),
        (MEMBER, stack_sets, "iam:PutRolePolicy", &member_role),
        (MEMBER, stack_sets, "events:PutRule", &rule),
        (owner, "GuardrailAuthor", "bedrock:UpdateGuardrail", &guardrail),
        (owner, "GuardrailKeeperMember", "bedrock:PutResourcePolicy", &guardrail),
        // What is nobody's business.
        (MEMBER, "Administrator", "bedrock:ListEnforcedGuardrailsConfiguration", "*"),
        (
            MEMBER,
            "Administrator",
            "bedrock:UpdateGuardrail",
            "arn:aws:bedrock:eu-west-1:300000000001:guardrail/own",
        ),
        (MEMBER, "Administrator", "events:DisableRule", "arn:aws:events:eu-west-1:300000000001:rule/own"),
        (MEMBER, "Administrator", "iam:DeleteRole", "arn:aws:iam::300000000001:role/Own"),
    ];
    for (account, role, action, resource) in left_alone {
        assert!(!asks(account, role, action, resource), "{role} of {account}: {action} on {resource}");
    }
}
