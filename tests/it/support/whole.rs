//! A deployment in which nothing is missing: trails, bus, rules, StackSets, and roles that may do all.

use serde_json::json;
use simulator::{
    BusRule, EventBus, Function, ManagementEvents, Mapping, Permissions, RecursiveLoop, Role, RuleTarget,
    StackInstance, StackSet, Statement, Trail,
};

use super::program::Guardrailctl;
use super::stack::{events_queue, tasks_queue};
use super::{FUNCTION_ROLE, HUB, OWNER, PARAMETER, PAYMENTS, REGIONS, SEARCH, SHIPPING, Setup, US, World};

pub(crate) const BUS: &str = "guardrail-keeper";
pub(crate) const ACCESS: &str = "OrganizationAccountAccessRole";
pub(crate) const SUPPORT: &str = "300000000004";
/// Who is guarded by the example's baseline, and the owner.
pub(crate) const MEMBERS: [&str; 5] = [OWNER, PAYMENTS, SHIPPING, SEARCH, SUPPORT];

fn bus_arn() -> String {
    format!("arn:aws:events:{US}:{HUB}:event-bus/{BUS}")
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
        targets: vec![RuleTarget { id: "hub".to_owned(), arn: to.to_owned(), role: None }],
    }
}

/// What the templates put there.
fn rules() -> Vec<BusRule> {
    let queue = events_queue().arn();
    let bus = bus_arn();
    let in_hub = [
        (BUS, ("source", "aws.bedrock")),
        (BUS, ("source", "aws.account")),
        (BUS, ("source", "aws.organizations")),
        (BUS, ("detail-type", "Reconcile Requested")),
        ("default", ("source", "aws.ssm")),
        ("default", ("source", "aws.bedrock")),
        ("default", ("source", "aws.organizations")),
    ];
    let in_hub = in_hub.into_iter().map(|(on, listens)| {
        let name = format!("{BUS}-{}", listens.1.replace(['.', ' '], ""));
        rule(HUB, US, on, &name, listens, &queue)
    });
    let mut rules: Vec<BusRule> = in_hub.collect();
    for region in REGIONS {
        for account in MEMBERS.into_iter().chain([HUB]) {
            let changed = "guardrail-keeper-guardrail-changed";
            rules.push(rule(account, region, "default", changed, ("source", "aws.bedrock"), &bus));
            let enabled = "guardrail-keeper-region-enabled";
            rules.push(rule(account, region, "default", enabled, ("source", "aws.account"), &bus));
        }
    }
    rules
}

fn stack_set(name: &str, regions: &[&str]) -> StackSet {
    let instances = MEMBERS
        .into_iter()
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
pub(crate) fn allowing(actions: &[&str]) -> Permissions {
    let actions = actions.iter().map(|action| (*action).to_owned()).collect();
    Permissions {
        allow: vec![Statement { actions, resources: vec!["*".to_owned()] }],
        ..Permissions::default()
    }
}

/// The example organization with everything deployed.
pub(crate) fn whole(setup: Setup) -> Setup {
    setup.queued().long_established().world(|world| {
        world.trails = vec![Trail {
            account: HUB.to_owned(),
            region: US.to_owned(),
            name: "all".to_owned(),
            multi_region: true,
            organization: true,
            logging: true,
            management: ManagementEvents::All,
            advanced: false,
        }];
        let (account, region, name) = (HUB.to_owned(), US.to_owned(), BUS.to_owned());
        world.event_buses = vec![EventBus { account, region, name }];
        world.bus_rules = rules();
        world.stack_sets = vec![stack_set("member-role", &[US]), stack_set("member-rules", &REGIONS)];
        world.functions = vec![function(RecursiveLoop::Allow)];
        let hub = world.accounts.iter_mut().find(|account| account.id == HUB).expect("it is there");
        let function: &mut Role = &mut hub.roles[0];
        let more = ["sqs:*", "bedrock:*", "dynamodb:*"];
        function.permissions.allow.extend(allowing(&more).allow);
    })
}

/// The function as the template makes it, but for what Lambda is to do with its loops.
pub(crate) fn function(recursive_loop: RecursiveLoop) -> Function {
    Function {
        account: HUB.to_owned(),
        region: US.to_owned(),
        name: BUS.to_owned(),
        recursive_loop,
        mappings: [events_queue(), tasks_queue()].map(|queue| Mapping::enabled(queue.arn())).into(),
    }
}

/// A terminal with the settings of that deployment.
pub(crate) fn terminal(world: &World) -> Guardrailctl {
    Guardrailctl::of(world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_FUNCTION_ROLE", FUNCTION_ROLE)
        .variable("KEEPER_EVENTS_QUEUE", &world.server.queue_url(&events_queue()))
        .variable("KEEPER_TASKS_QUEUE", &world.server.queue_url(&tasks_queue()))
        .variable("KEEPER_BUS", BUS)
}
