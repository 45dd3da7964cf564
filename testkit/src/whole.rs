//! A deployment in which nothing is missing: trails, bus, rules, StackSets, and roles that may do all.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use simulator::{
    BusRule, ControlPolicy, EventBus, Function, ManagementEvents, Mapping, Permissions, RecursiveLoop, Role,
    RuleTarget, StackInstance, StackSet, Statement, Topic, TopicSubscription, Trail, Trust,
};

use crate::program::Guardrailctl;
use crate::queues;
use crate::stack::{events_queue, tasks_queue};
use crate::world::{
    FUNCTION_ROLE, HUB, OWNER, PARAMETER, PAYMENTS, REGIONS, SEARCH, SHIPPING, Setup, US, World, repository,
};

pub const BUS: &str = "guardrail-keeper";
pub const ACCESS: &str = "OrganizationAccountAccessRole";
/// The role of deploy/reader-role.yaml, by a name that somebody chose: what it is asked for under its own name goes on
/// record (tests/permissions).
pub const READER: &str = "PeopleRead";
pub const SUPPORT: &str = "300000000004";
/// Who is guarded by the example's baseline, and the owner.
pub const MEMBERS: [&str; 5] = [OWNER, PAYMENTS, SHIPPING, SEARCH, SUPPORT];

/// Where a deployment is, and whom it reaches by StackSets: never the management account, nor where the rules of the
/// hub's own stack are.
#[derive(Clone, Copy)]
struct Place {
    hub: &'static str,
    members: &'static [&'static str],
}

const IN_THE_MANAGEMENT_ACCOUNT: Place = Place { hub: HUB, members: &MEMBERS };

/// A hub that is neither the management account nor the owner, as docs/deploy.md recommends.
const DELEGATED: Place = Place { hub: SUPPORT, members: &[OWNER, PAYMENTS, SHIPPING, SEARCH] };

/// The ledger of the recommended deployment.
pub const TABLE: &str = "guardrail-keeper";

fn bus_arn(hub: &str) -> String {
    format!("arn:aws:events:{US}:{hub}:event-bus/{BUS}")
}

fn rule(account: &str, region: &str, bus: &str, name: &str, listens: (&str, &str), to: &str) -> BusRule {
    let (member, value) = listens;
    BusRule {
        account: account.to_owned(),
        region: region.to_owned(),
        bus: bus.to_owned(),
        name: name.to_owned(),
        pattern: json!({ member: [value] }),
        enabled: true,
        all_management_events: false,
        targets: vec![RuleTarget { id: "hub".to_owned(), arn: to.to_owned(), role: None }],
    }
}

/// What the templates put there.
fn rules(Place { hub, members }: Place) -> Vec<BusRule> {
    let queue = queues::events_queue(hub).arn();
    let bus = bus_arn(hub);
    let in_hub = [
        (BUS, ("source", "aws.bedrock")),
        (BUS, ("source", "aws.account")),
        (BUS, ("source", "aws.organizations")),
        (BUS, ("source", "aws.controltower")),
        (BUS, ("detail-type", "Reconcile Requested")),
        ("default", ("source", "aws.ssm")),
        ("default", ("source", "aws.bedrock")),
        ("default", ("source", "aws.organizations")),
    ];
    let in_hub = in_hub.into_iter().map(|(on, listens)| {
        let name = format!("{BUS}-{}", listens.1.replace(['.', ' '], ""));
        rule(hub, US, on, &name, listens, &queue)
    });
    let mut rules: Vec<BusRule> = in_hub.collect();
    rules.extend(FOR_PEOPLE.map(|kind| {
        let name = format!("{BUS}-{}", kind.replace(' ', ""));
        rule(hub, US, BUS, &name, ("detail-type", kind), &topic(hub, "alarms").arn())
    }));
    // What AWS tells, to people.
    for on in [BUS, "default"] {
        for source in ["aws.organizations", "aws.bedrock", "aws.kms"] {
            let name = format!("{BUS}-told-{}", source.replace('.', ""));
            rules.push(rule(hub, US, on, &name, ("source", source), &topic(hub, "changes").arn()));
        }
    }
    rules.push(rule(
        hub,
        US,
        "default",
        &format!("{BUS}-told-awsssm"),
        ("source", "aws.ssm"),
        &topic(hub, "changes").arn(),
    ));
    for region in REGIONS {
        for account in members.iter().copied().chain(BTreeSet::from([HUB, hub])) {
            let changed = "guardrail-keeper-guardrail-changed";
            rules.push(rule(account, region, "default", changed, ("source", "aws.bedrock"), &bus));
            let enabled = "guardrail-keeper-region-enabled";
            rules.push(rule(account, region, "default", enabled, ("source", "aws.account"), &bus));
        }
    }
    if hub != HUB {
        // Where the hub is the management account, its own stack's rule hears them.
        let changed = "guardrail-keeper-organization-changed";
        rules.push(rule(HUB, US, "default", changed, ("source", "aws.organizations"), &bus));
    }
    rules
}

/// The events that people are sent.
const FOR_PEOPLE: [&str; 10] = [
    "Account Flooding",
    "Accounts Frozen",
    "Accounts Unguarded",
    "Attention Needed",
    "Baseline Changed",
    "Bedrock Policies Held",
    "Enforcement Broken",
    "Enforcement Contested",
    "Guardrail Opened",
    "Sweep Completed",
];

/// A topic, with somebody who confirmed to be sent what it says, and a queue beside it.
fn topic(hub: &str, name: &str) -> Topic {
    let subscription = |protocol: &str, endpoint: &str| TopicSubscription {
        protocol: protocol.to_owned(),
        endpoint: endpoint.to_owned(),
        confirmed: true,
    };
    Topic {
        account: hub.to_owned(),
        region: US.to_owned(),
        name: format!("{BUS}-{name}"),
        subscriptions: vec![
            subscription("email", "security@example.com"),
            subscription("sqs", "arn:aws:sqs:us-east-1:999999999999:tickets"),
        ],
    }
}

fn stack_set(Place { members, .. }: Place, name: &str, regions: &[&str]) -> StackSet {
    let instances = members
        .iter()
        .copied()
        .flat_map(|account| regions.iter().map(move |region| StackInstance::current(account, region)));
    StackSet {
        region: US.to_owned(),
        name: format!("{BUS}-{name}"),
        status: "ACTIVE".to_owned(),
        auto_deployment: true,
        instances: instances.collect(),
    }
}

/// A statement that allows, on everything.
pub fn allowing(actions: &[&str]) -> Permissions {
    let actions = actions.iter().map(|action| (*action).to_owned()).collect();
    Permissions { allow: vec![Statement { actions, ..Statement::default() }], ..Permissions::default() }
}

/// The example organization with everything deployed.
pub fn whole(setup: Setup) -> Setup {
    deployed(setup.queued().long_established(), IN_THE_MANAGEMENT_ACCOUNT)
}

/// The same as docs/deploy.md recommends it: the hub is an account that may read the organization, the management
/// account has the StackSets, the ledger is a table, and people read members by the role of deploy/reader-role.yaml.
pub async fn recommended(setup: Setup) -> World {
    let setup = deployed(setup.hub(SUPPORT).queued().long_established(), DELEGATED).world(|world| {
        // deploy/management.yaml makes the member role where StackSets make none.
        let member = Role { trust: trusting(SUPPORT), ..world.stack_set_roles[0].clone() };
        world.stack_set_roles[0].trust = trusting(SUPPORT);
        for account in &mut world.accounts {
            if account.id == SUPPORT {
                account.reads_organization = true;
            } else {
                account.roles.push(reader());
            }
            if account.id == HUB {
                account.roles.push(member.clone());
            }
        }
    });
    let world = setup.variable("KEEPER_LEDGER", &format!("table:{TABLE}")).start().await;
    world.server.with(|model| model.create_table(SUPPORT, US, TABLE, "key")).expect("it is new");
    world
}

fn trusting(hub: &str) -> Trust {
    Trust { principals: vec![format!("arn:aws:iam::{hub}:root")], ..Trust::default() }
}

/// The role of deploy/reader-role.yaml: nothing in it writes.
fn reader() -> Role {
    let permissions = allowing(&[
        "account:ListRegions",
        "bedrock:ApplyGuardrail",
        "bedrock:Get*",
        "bedrock:List*",
        "cloudtrail:DescribeTrails",
        "cloudtrail:Get*",
        "events:List*",
        "iam:GetRole",
        "iam:List*",
        "iam:SimulatePrincipalPolicy",
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:GetKeyPolicy",
    ]);
    Role { name: READER.to_owned(), trust: trusting(SUPPORT), permissions, ..Role::default() }
}

/// What the templates make, but for queues and the ledger.
fn deployed(setup: Setup, place: Place) -> Setup {
    setup.world(move |world| {
        world.trails = vec![Trail {
            account: HUB.to_owned(),
            region: US.to_owned(),
            name: "all".to_owned(),
            multi_region: true,
            organization: true,
            logging: true,
            management: ManagementEvents::All,
            excluded: Vec::new(),
            advanced: false,
        }];
        let (account, region, name) = (place.hub.to_owned(), US.to_owned(), BUS.to_owned());
        let policy = Some(bus_policy(place.hub));
        world.event_buses = vec![EventBus { account, region, name, policy }];
        world.bus_rules = rules(place);
        world.topics = vec![topic(place.hub, "alarms"), topic(place.hub, "changes")];
        let stack_set = |name, regions| stack_set(place, name, regions);
        world.stack_sets = vec![stack_set("member-role", &[US]), stack_set("member-rules", &REGIONS)];
        world.functions = vec![function_in(place.hub, RecursiveLoop::Allow)];
        world.control_policies = control_policies(place.hub);
    })
}

/// The documents of deploy/, filled in and attached to the root, beside what AWS attaches everywhere.
pub(crate) fn control_policies(hub: &str) -> Vec<ControlPolicy> {
    let read = |name: &str| {
        let path = repository(&format!("deploy/{name}.scp.json"));
        let text = std::fs::read_to_string(path).unwrap();
        // The simulator's function has a name of its own.
        text.replace("HUB_ACCOUNT_ID", hub)
            .replace("OWNER_ACCOUNT_ID", OWNER)
            .replace("SECURITY_ACCOUNT_ID", SEARCH)
            .replace("TRAIL_NAME", "all")
            .replace("GUARDRAIL_KEY_ID", "11111111-2222-3333-4444-555555555555")
            .replace("/GuardrailKeeper\"", "/GuardrailKeeperFunction\"")
    };
    let policy = |id: &str, name: &str, content: String, of_aws: bool| ControlPolicy {
        id: id.to_owned(),
        name: name.to_owned(),
        content,
        targets: vec!["r-exam".to_owned()],
        of_aws,
    };
    vec![
        policy("p-FullAWSAccess", "FullAWSAccess", "{}".to_owned(), true),
        policy("p-guardrails1", "guardrails", read("protect-guardrails"), false),
        policy("p-keeper12345", "keeper", read("protect-keeper"), false),
    ]
}

/// The policy of the hub's bus, as template.yaml writes it.
fn bus_policy(hub: &str) -> serde_json::Value {
    let admit = |sid: &str, principal: serde_json::Value, sources: &[&str]| {
        json!({
            "Sid": sid, "Effect": "Allow", "Principal": principal, "Action": "events:PutEvents",
            "Resource": bus_arn(hub),
            "Condition": {
                "StringEquals": { "aws:PrincipalOrgID": "o-exampleorgid" },
                "ForAllValues:StringEquals": { "events:source": sources },
                "Null": { "events:source": "false" },
            },
        })
    };
    let root = |account: &str| json!({ "AWS": format!("arn:aws:iam::{account}:root") });
    let only = |sid: &str, key: &str, value: &str, who: &str| {
        json!({
            "Sid": sid, "Effect": "Deny", "Principal": "*", "Action": "events:PutEvents", "Resource": bus_arn(hub),
            "Condition": {
                "ForAnyValue:StringEquals": { key: [value] },
                "ArnNotLike": { "aws:PrincipalArn": format!("arn:aws:iam::{hub}:{who}") },
            },
        })
    };
    json!({ "Version": "2012-10-17", "Statement": [
        admit("MembersMaySend", json!("*"), &["aws.bedrock", "aws.account"]),
        admit("ManagementMaySend", root(HUB), &["aws.organizations", "aws.controltower", "aws.account"]),
        admit("OwnerMaySend", root(OWNER), &["aws.kms"]),
        only("OnlyTheKeeperPublishes", "events:source", "guardrail-keeper", "role/GuardrailKeeperFunction"),
        only("OnlyRequestersAsk", "events:detail-type", "Reconcile Requested", "*"),
    ] })
}

/// The function as the template makes it, but for what Lambda is to do with its loops.
pub fn function(recursive_loop: RecursiveLoop) -> Function {
    function_in(HUB, recursive_loop)
}

fn function_in(hub: &str, recursive_loop: RecursiveLoop) -> Function {
    Function {
        account: hub.to_owned(),
        region: US.to_owned(),
        name: BUS.to_owned(),
        recursive_loop,
        mappings: [queues::events_queue(hub), queues::tasks_queue(hub)]
            .map(|queue| Mapping::enabled(queue.arn()))
            .into(),
        environment: BTreeMap::new(),
    }
}

/// A terminal with the settings of that deployment.
pub fn terminal(world: &World) -> Guardrailctl {
    Guardrailctl::of(world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_FUNCTION_ROLE", FUNCTION_ROLE)
        .variable("KEEPER_EVENTS_QUEUE", &world.server.queue_url(&events_queue()))
        .variable("KEEPER_TASKS_QUEUE", &world.server.queue_url(&tasks_queue()))
        .variable("KEEPER_BUS", BUS)
}

/// A terminal of somebody in the recommended hub, with the settings of its stack.
pub fn terminal_in_the_recommended_hub(world: &World) -> Guardrailctl {
    Guardrailctl::of(world)
        .variable("AWS_ACCESS_KEY_ID", &format!("SIM{SUPPORT}"))
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", &format!("table:{TABLE}"))
        .variable("KEEPER_FUNCTION_ROLE", &format!("arn:aws:iam::{SUPPORT}:role/GuardrailKeeperFunction"))
        .variable("KEEPER_EVENTS_QUEUE", &world.server.queue_url(&queues::events_queue(SUPPORT)))
        .variable("KEEPER_TASKS_QUEUE", &world.server.queue_url(&queues::tasks_queue(SUPPORT)))
        .variable("KEEPER_BUS", BUS)
}
