//! Who may put what where: the policies of the templates, held against those who should and those who
//! should not.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::policy::{Caller, Request, Verdict, verdict};
use crate::template;

pub(crate) const ORGANIZATION: &str = "o-exampleorgid";
const MANAGEMENT: &str = "111111111111";
const HUB: &str = "222222222222";
const MEMBER: &str = "300000000001";
const OWNER: &str = "200000000001";
const SECURITY: &str = "400000000001";
const STRANGER: &str = "999999999999";

pub(crate) const BUS: &str = "arn:aws:events:us-east-1:222222222222:event-bus/guardrail-keeper";

pub(crate) const KEEPER: &str = "arn:aws:iam::222222222222:role/GuardrailKeeper";

/// What the templates refer to, with a hub that isn't the management account.
pub(crate) fn given() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        ("AWS::Partition", "aws"),
        ("AWS::AccountId", HUB),
        ("AWS::Region", "us-east-1"),
        ("AWS::StackName", "guardrail-keeper"),
        ("OrganizationId", ORGANIZATION),
        ("ManagementAccountId", MANAGEMENT),
        ("HubAccountId", HUB),
        ("OwnerAccountId", OWNER),
        ("SecurityAccountId", SECURITY),
        ("DelegatesPolicies", "true"),
        ("HearsOfKeys", "true"),
        ("Bus.Arn", BUS),
        ("FunctionRole.Arn", KEEPER),
    ])
}

/// The statements of the bus.
pub(crate) fn of_the_bus(given: &BTreeMap<&str, &str>) -> Vec<Value> {
    let template = template::read("template.yaml");
    let resources = template["Resources"].as_object().unwrap().values();
    let policies = resources.filter(|resource| resource["Type"] == "AWS::Events::EventBusPolicy");
    policies.map(|policy| template::resolved(&policy["Properties"]["Statement"], &template, given)).collect()
}

/// A rule of this account sends an event to the bus, by a role of its own.
pub(crate) fn sends(account: &str, organization: &str, source: &str) -> Request {
    let request = Request {
        caller: Caller::Principal(format!("arn:aws:iam::{account}:role/GuardrailKeeperForwarder")),
        action: "events:PutEvents".to_owned(),
        resource: BUS.to_owned(),
        context: BTreeMap::new(),
    };
    request.with("aws:PrincipalOrgID", &[organization]).with("events:source", &[source])
}

fn admitted_to_the_bus() -> Vec<Request> {
    vec![
        sends(MEMBER, ORGANIZATION, "aws.bedrock"),
        sends(MEMBER, ORGANIZATION, "aws.account"),
        sends(MANAGEMENT, ORGANIZATION, "aws.bedrock"),
        sends(MANAGEMENT, ORGANIZATION, "aws.organizations"),
        sends(MANAGEMENT, ORGANIZATION, "aws.controltower"),
        sends(MANAGEMENT, ORGANIZATION, "aws.account"),
        // For people: what became of the guardrails' keys and of the policies that protect them.
        sends(OWNER, ORGANIZATION, "aws.kms"),
        sends(SECURITY, ORGANIZATION, "aws.organizations"),
    ]
}

fn refused_by_the_bus() -> Vec<Request> {
    let of_nobody = |mut request: Request, key: &str| {
        request.context.remove(key);
        request
    };
    vec![
        // A member that says who belongs to the organization, alone or under cover.
        sends(MEMBER, ORGANIZATION, "aws.organizations"),
        sends(MEMBER, ORGANIZATION, "aws.controltower"),
        sends(MEMBER, ORGANIZATION, "aws.bedrock")
            .with("events:source", &["aws.bedrock", "aws.organizations"]),
        // Baselines, schedules and requests are the hub's own affair.
        sends(MEMBER, ORGANIZATION, "aws.ssm"),
        sends(MANAGEMENT, ORGANIZATION, "aws.ssm"),
        sends(MEMBER, ORGANIZATION, "aws.events"),
        sends(MEMBER, ORGANIZATION, "aws.scheduler"),
        sends(MEMBER, ORGANIZATION, "guardrail-keeper"),
        sends(MEMBER, ORGANIZATION, "guardrail-keeper.request"),
        sends(MEMBER, ORGANIZATION, "guardrail-keeper.schedule"),
        sends(MANAGEMENT, ORGANIZATION, "guardrail-keeper.request"),
        // Another organization, even one that the management account has come to belong to; nobody's.
        sends(STRANGER, "o-anotherone1", "aws.bedrock"),
        sends(STRANGER, "o-anotherone1", "aws.organizations"),
        sends(MANAGEMENT, "o-anotherone1", "aws.organizations"),
        of_nobody(sends(STRANGER, ORGANIZATION, "aws.bedrock"), "aws:principalorgid"),
        of_nobody(sends(MANAGEMENT, ORGANIZATION, "aws.organizations"), "aws:principalorgid"),
        // Who tells of keys or policies tells of nothing else, and nobody else does.
        sends(MEMBER, ORGANIZATION, "aws.kms"),
        sends(SECURITY, ORGANIZATION, "aws.kms"),
        sends(OWNER, ORGANIZATION, "aws.organizations"),
        sends(OWNER, "o-anotherone1", "aws.kms"),
        sends(SECURITY, "o-anotherone1", "aws.organizations"),
        of_nobody(sends(OWNER, ORGANIZATION, "aws.kms"), "events:source"),
        of_nobody(sends(SECURITY, ORGANIZATION, "aws.organizations"), "events:source"),
        // What doesn't say where it comes from.
        of_nobody(sends(MEMBER, ORGANIZATION, "aws.bedrock"), "events:source"),
        of_nobody(sends(MANAGEMENT, ORGANIZATION, "aws.organizations"), "events:source"),
        // Anything but events.
        Request { action: "events:PutRule".to_owned(), ..sends(MEMBER, ORGANIZATION, "aws.bedrock") },
        Request {
            action: "events:RemovePermission".to_owned(),
            ..sends(MANAGEMENT, ORGANIZATION, "aws.organizations")
        },
    ]
}

#[test]
fn the_bus_takes_from_each_account_what_it_may_tell_and_nothing_else() {
    let statements = of_the_bus(&given());
    assert_eq!(statements.len(), 6);
    for request in admitted_to_the_bus() {
        assert_eq!(verdict(&statements, &request), Verdict::Allowed, "{request:?}");
    }
    for request in refused_by_the_bus() {
        assert_ne!(verdict(&statements, &request), Verdict::Allowed, "{request:?}");
    }
}

/// Where their parameters are empty, the statements for them say nothing that the others don't.
#[test]
fn a_statement_whose_parameter_is_empty_admits_and_forbids_nothing_more() {
    let mut empty = given();
    empty.retain(|name, _| !["SecurityAccountId", "DelegatesPolicies", "HearsOfKeys"].contains(name));
    let optional = ["OnlyRequestersAsk", "OwnerMaySend", "SecurityMaySend"];
    for owner in [None, Some("true")] {
        empty.extend(owner.map(|holds| ("HubOwnsGuardrails", holds)));
        let whole = of_the_bus(&empty);
        let template = template::read("template.yaml");
        let without: Vec<Value> = template["Resources"]
            .as_object()
            .unwrap()
            .iter()
            .filter(|(name, it)| {
                it["Type"] == "AWS::Events::EventBusPolicy" && !optional.contains(&name.as_str())
            })
            .map(|(_, it)| template::resolved(&it["Properties"]["Statement"], &template, &empty))
            .collect();
        assert_eq!((whole.len(), without.len()), (6, 3));
        let asking =
            ["iam::222222222222:role/Tool", "iam::222222222222:root", "sts::222222222222:federated-user/bob"];
        let asking = asking.map(|name| puts(&format!("arn:aws:{name}"), "tool", "Reconcile Requested"));
        for request in admitted_to_the_bus().into_iter().chain(refused_by_the_bus()).chain(asking) {
            assert_eq!(verdict(&whole, &request), verdict(&without, &request), "{request:?}");
        }
    }
}

/// Somebody of the hub puts events on the bus: what the account allows itself anyway, unless the bus forbids it.
fn puts(role: &str, source: &str, detail_type: &str) -> Request {
    Request {
        caller: Caller::Principal(role.to_owned()),
        action: "events:PutEvents".to_owned(),
        resource: BUS.to_owned(),
        context: BTreeMap::new(),
    }
    .with("aws:PrincipalOrgID", &[ORGANIZATION])
    .with("aws:PrincipalArn", &[role])
    .with("events:source", &[source])
    .with("events:detail-type", &[detail_type])
}

#[test]
fn outcome_events_are_put_by_the_function_alone() {
    let statements = of_the_bus(&given());
    let tool = "arn:aws:iam::222222222222:role/Tool";
    let forbidden = |request: &Request| verdict(&statements, request) == Verdict::Forbidden;
    let forged = puts(tool, "guardrail-keeper", "Enforcement Contested");
    assert!(forbidden(&forged));
    // Among others in one call; by a role whose name only begins alike.
    assert!(forbidden(&forged.clone().with("events:source", &["tool", "guardrail-keeper"])));
    let namesake = format!("{KEEPER}Backup");
    assert!(forbidden(&puts(&namesake, "guardrail-keeper", "Enforcement Contested")));
    assert!(!forbidden(&puts(KEEPER, "guardrail-keeper", "Enforcement Contested")));
    // Tools may use the bus for events of their own, and ask for a look.
    assert!(!forbidden(&puts(tool, "tool", "Something Else")));
    assert!(!forbidden(&puts(tool, "guardrail-keeper.request", "Reconcile Requested")));
}

#[test]
fn only_those_who_are_named_ask_for_looks_where_somebody_is_named() {
    let mut given = given();
    given.extend([
        ("RequesterArns", "arn:aws:iam::222222222222:role/*/Operator"),
        ("NamesRequesters", "true"),
    ]);
    let statements = of_the_bus(&given);
    let forbidden = |request: &Request| verdict(&statements, request) == Verdict::Forbidden;
    let operator = "arn:aws:iam::222222222222:role/aws-reserved/sso.amazonaws.com/Operator";
    let tool = "arn:aws:iam::222222222222:role/Tool";
    assert!(!forbidden(&puts(operator, "guardrail-keeper.request", "Reconcile Requested")));
    // Under any source: the rule that takes requests looks at none.
    for source in ["guardrail-keeper.request", "tool"] {
        assert!(forbidden(&puts(tool, source, "Reconcile Requested")), "{source}");
    }
    assert!(!forbidden(&puts(tool, "tool", "Something Else")));
    assert!(!forbidden(&puts(KEEPER, "guardrail-keeper", "Enforcement Applied")));
    assert!(forbidden(&puts(operator, "guardrail-keeper", "Enforcement Contested")));
}

/// Without any one of its conditions, the bus would take something that it must refuse; without any one
/// of its values, it would refuse something that it must take.
#[test]
fn every_part_of_the_bus_policy_is_needed() {
    let whole = of_the_bus(&given());
    let mut broken = 0;
    // What it forbids has tests of its own.
    for (index, statement) in whole.iter().enumerate().filter(|(_, it)| it["Effect"] == "Allow") {
        for (operator, keys) in statement["Condition"].as_object().unwrap() {
            let mut statements = whole.clone();
            statements[index]["Condition"].as_object_mut().unwrap().remove(operator);
            let takes = |request: &Request| verdict(&statements, request) == Verdict::Allowed;
            assert!(refused_by_the_bus().iter().any(takes), "{statement} could do without {operator}");
            broken += 1;
            let sources = keys["events:source"].as_array().into_iter().flatten();
            for (position, source) in sources.enumerate() {
                let mut statements = whole.clone();
                let values = &mut statements[index]["Condition"][operator]["events:source"];
                values.as_array_mut().unwrap().remove(position);
                let takes = |request: &Request| verdict(&statements, request) == Verdict::Allowed;
                // Each account may tell of its Regions; the management account does so in both ways.
                let needed = !admitted_to_the_bus().iter().all(takes);
                let twice =
                    source == "aws.account" && statement["Sid"].is_null() && statement["Principal"] != "*";
                assert!(needed || twice, "{statement} could do without {source}");
                broken += 1;
            }
        }
    }
    assert!(broken > 8, "{broken}");
}

/// What a rule of this account and Region has EventBridge do.
fn on_behalf_of(rule: &str, account: &str, queue: &str) -> Request {
    let request = Request {
        caller: Caller::Service("events.amazonaws.com".to_owned()),
        action: "sqs:SendMessage".to_owned(),
        resource: queue.to_owned(),
        context: BTreeMap::new(),
    };
    request
        .with("aws:SourceArn", &[rule])
        .with("aws:SourceAccount", &[account])
        .with("aws:SecureTransport", &["true"])
}

/// Each queue with the statements of its policy, and the ARNs of the rules.
fn queues() -> (BTreeMap<String, Vec<Value>>, Vec<String>) {
    let template = template::read("template.yaml");
    let resources = template["Resources"].as_object().unwrap();
    let of_kind = |kind: &'static str| {
        resources.iter().filter(move |(_, resource)| resource["Type"] == kind).map(|(name, _)| name.clone())
    };
    let queues: Vec<String> = of_kind("AWS::SQS::Queue").collect();
    let rules: Vec<String> = of_kind("AWS::Events::Rule").collect();
    let arns: BTreeMap<String, String> = queues
        .iter()
        .map(|name| (format!("{name}.Arn"), format!("arn:aws:sqs:us-east-1:{HUB}:{name}")))
        .chain(
            rules
                .iter()
                .map(|name| (format!("{name}.Arn"), format!("arn:aws:events:us-east-1:{HUB}:rule/{name}"))),
        )
        .collect();
    let mut given = given();
    given.insert("WritesPolicies", "true");
    given.extend(queues.iter().map(|name| (name.as_str(), name.as_str())));
    given.extend(arns.iter().map(|(name, arn)| (name.as_str(), arn.as_str())));
    let mut policies: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for name in of_kind("AWS::SQS::QueuePolicy") {
        let policy = template::resolved(&resources[&name]["Properties"], &template, &given);
        let [Value::String(queue)] = policy["Queues"].as_array().unwrap().as_slice() else {
            panic!("{name}: one queue each")
        };
        let statements = policy["PolicyDocument"]["Statement"].as_array().unwrap().clone();
        assert!(policies.insert(queue.clone(), statements).is_none(), "{queue} has two policies");
    }
    assert_eq!(policies.keys().collect::<Vec<_>>(), {
        let mut queues: Vec<&String> = queues.iter().collect();
        queues.sort();
        queues
    });
    // Those that tell people fill no queue.
    let tells = |name: &&String| resources[*name]["Properties"]["Targets"][0]["Id"] == "alarms";
    let rules = rules.iter().filter(|name| !tells(name));
    (policies, rules.map(|name| arns[&format!("{name}.Arn")].clone()).collect())
}

#[test]
fn only_the_rules_of_the_stack_fill_the_queue_of_events() {
    let (policies, rules) = queues();
    assert_eq!(rules.len(), 14);
    for (queue, statements) in &policies {
        let arn = format!("arn:aws:sqs:us-east-1:{HUB}:{queue}");
        let takes_events = queue.starts_with("Events");
        for rule in &rules {
            let expected = if takes_events { Verdict::Allowed } else { Verdict::NotAllowed };
            assert_eq!(verdict(statements, &on_behalf_of(rule, HUB, &arn)), expected, "{queue}: {rule}");
        }
        let elsewhere = format!("arn:aws:events:us-east-1:{STRANGER}:rule/OrganizationChanged");
        let stranger = Caller::Principal(format!("arn:aws:iam::{STRANGER}:role/Administrator"));
        let member = Caller::Principal(format!("arn:aws:iam::{MEMBER}:role/GuardrailKeeperMember"));
        let known = on_behalf_of(&rules[0], HUB, &arn);
        let mut unsaid = known.clone();
        unsaid.context.remove("aws:sourceaccount");
        for request in [
            // A rule of somebody else, whatever it says of itself; another one of this account.
            on_behalf_of(&elsewhere, STRANGER, &arn),
            on_behalf_of(&rules[0], STRANGER, &arn),
            on_behalf_of(&format!("arn:aws:events:us-east-1:{HUB}:rule/another"), HUB, &arn),
            unsaid,
            Request { caller: Caller::Service("sns.amazonaws.com".to_owned()), ..known.clone() },
            Request { caller: stranger, ..known.clone() },
            Request { caller: member, ..known.clone() },
            Request { action: "sqs:ReceiveMessage".to_owned(), ..known.clone() },
            Request { action: "sqs:PurgeQueue".to_owned(), ..known.clone() },
        ] {
            assert_eq!(verdict(statements, &request), Verdict::NotAllowed, "{queue}: {request:?}");
        }
        let in_the_clear = known.with("aws:SecureTransport", &["false"]);
        assert_eq!(verdict(statements, &in_the_clear), Verdict::Forbidden, "{queue}");
        let function = Caller::Principal(format!("arn:aws:iam::{HUB}:role/GuardrailKeeper"));
        let receive = Request { caller: function, action: "sqs:ReceiveMessage".to_owned(), ..in_the_clear };
        assert_eq!(verdict(statements, &receive), Verdict::Forbidden, "{queue}");
    }
}

/// The statements of a role's trust.
pub(crate) fn trust(path: &str, role: &str, given: &BTreeMap<&str, &str>) -> Vec<Value> {
    let template = template::read(path);
    let policy = &template["Resources"][role]["Properties"]["AssumeRolePolicyDocument"];
    template::resolved(policy, &template, given)["Statement"].as_array().unwrap().clone()
}

pub(crate) fn assumes(caller: Caller) -> Request {
    let principal = match &caller {
        Caller::Principal(arn) | Caller::Service(arn) => arn.clone(),
    };
    let request = Request {
        caller,
        action: "sts:AssumeRole".to_owned(),
        resource: "the role itself".to_owned(),
        context: BTreeMap::new(),
    };
    request.with("aws:PrincipalArn", &[&principal])
}

#[test]
fn only_the_function_becomes_the_member_role() {
    let principal =
        |account: &str, role: &str| Caller::Principal(format!("arn:aws:iam::{account}:role/{role}"));
    let open = trust("deploy/member-role.yaml", "MemberRole", &given());
    let mut given = given();
    given.extend([("ExternalId", "agreed"), ("AsksForExternalId", "true")]);
    let asking = trust("deploy/member-role.yaml", "MemberRole", &given);
    let function = assumes(principal(HUB, "GuardrailKeeper"));
    assert_eq!(verdict(&open, &function), Verdict::Allowed);
    assert_eq!(verdict(&asking, &function), Verdict::NotAllowed);
    assert_eq!(verdict(&asking, &function.clone().with("sts:ExternalId", &["agreed"])), Verdict::Allowed);
    assert_eq!(verdict(&asking, &function.with("sts:ExternalId", &["guessed"])), Verdict::NotAllowed);
    for caller in [
        principal(HUB, "Administrator"),
        principal(HUB, "GuardrailKeeper2"),
        principal(HUB, "path/GuardrailKeeper"),
        principal(MEMBER, "GuardrailKeeper"),
        principal(STRANGER, "GuardrailKeeper"),
        Caller::Service("lambda.amazonaws.com".to_owned()),
    ] {
        let request = assumes(caller).with("sts:ExternalId", &["agreed"]);
        assert_eq!(verdict(&open, &request), Verdict::NotAllowed, "{request:?}");
        assert_eq!(verdict(&asking, &request), Verdict::NotAllowed, "{request:?}");
    }
}

#[test]
fn only_those_who_are_named_become_the_reader() {
    let mut given = given();
    let named =
        "arn:aws:iam::222222222222:role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Keepers_*";
    given.insert("ReaderPrincipalArns", named);
    let statements = trust("deploy/reader-role.yaml", "ReaderRole", &given);
    let asks = |arn: &str, organization: &str| {
        let request = assumes(Caller::Principal(arn.to_owned())).with("aws:PrincipalOrgID", &[organization]);
        verdict(&statements, &request)
    };
    let person = named.replace('*', "0123456789abcdef");
    assert_eq!(asks(&person, ORGANIZATION), Verdict::Allowed);
    for (arn, organization) in [
        (person.clone(), "o-strangers0"),
        (person.replace(HUB, MEMBER), ORGANIZATION),
        (person.replace(HUB, STRANGER), ORGANIZATION),
        (person.replace("Keepers", "Others"), ORGANIZATION),
        (format!("arn:aws:iam::{HUB}:role/GuardrailKeeper"), ORGANIZATION),
        (format!("arn:aws:iam::{HUB}:root"), ORGANIZATION),
    ] {
        assert_eq!(asks(&arn, organization), Verdict::NotAllowed, "{arn} of {organization}");
    }
    let unsaid = assumes(Caller::Principal(person));
    assert_eq!(verdict(&statements, &unsaid), Verdict::NotAllowed, "no organization is told");
}

#[test]
fn only_our_rules_and_schedule_become_their_roles() {
    let mut given = given();
    let group = "arn:aws:scheduler:us-east-1:222222222222:schedule-group/guardrail-keeper";
    given.insert("SweepGroup.Arn", group);
    let rule = |account: &str, name: &str| format!("arn:aws:events:eu-west-1:{account}:rule/{name}");
    let ours = rule(HUB, "guardrail-keeper-guardrail-changed");
    let roles = [
        ("deploy/member-role.yaml", "ForwarderRole", "events.amazonaws.com", ours.as_str()),
        ("template.yaml", "SweepRole", "scheduler.amazonaws.com", group),
    ];
    for (path, role, service, source) in roles {
        let statements = trust(path, role, &given);
        let asks = |service: &str, account: &str, source: &str| {
            let request = assumes(Caller::Service(service.to_owned()));
            verdict(
                &statements,
                &request.with("aws:SourceAccount", &[account]).with("aws:SourceArn", &[source]),
            )
        };
        assert_eq!(asks(service, HUB, source), Verdict::Allowed, "{role}");
        assert_eq!(asks(service, STRANGER, source), Verdict::NotAllowed, "{role}");
        assert_eq!(asks(service, HUB, &rule(HUB, "another")), Verdict::NotAllowed, "{role}");
        assert_eq!(asks("lambda.amazonaws.com", HUB, source), Verdict::NotAllowed, "{role}");
    }
}

/// The sweep's message, as Scheduler sends it.
#[test]
fn two_sweeps_are_two_events() {
    use guardrail_keeper::trigger::{Accounts, Trigger, decide};

    let template = template::read("template.yaml");
    let target = &template["Resources"]["Sweep"]["Properties"]["Target"];
    assert_eq!(target["Arn"], json!({ "Fn::GetAtt": "Events.Arn" }));
    let input = target["Input"].as_str().unwrap();
    let sent = |execution: &str| {
        let input = input.replace("<aws.scheduler.execution-id>", execution);
        let input = input.replace("<aws.scheduler.scheduled-time>", "2026-09-01T08:30:00Z");
        assert!(!input.contains('<'), "{input}");
        match decide(&input, &crate::harness::settings()) {
            Trigger::Reconcile(scope) => scope,
            other => panic!("{other}"),
        }
    };
    let (first, second) = (sent("d32c5kddcf5bb8c3"), sent("e43d6leedg6cc9d4"));
    assert_eq!(first.accounts, Accounts::All);
    assert_eq!(first.events.iter().collect::<Vec<_>>(), ["d32c5kddcf5bb8c3"]);
    assert_ne!(first.events, second.events);
    assert_eq!(first.since, Some(1_788_251_400));
}
