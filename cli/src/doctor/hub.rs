//! What the function rests on in its own account.

use std::collections::{BTreeMap, BTreeSet};

use super::{Doctor, Ground};
use crate::inspector::{BusSeen, Inspector};
use keeper_core::baseline::Baseline;
use keeper_core::doctor::{self, BusFacts, Check, Listens, Place, RequiredAction};
use keeper_core::failure::Failure;
use keeper_core::ids::{AccountId, Partition, Target};
use keeper_core::settings::{LedgerSource, OrganizationAccess};
use keeper_core::simulation::Evaluated;

/// The ARNs of what is there.
#[derive(Debug, Default)]
pub(super) struct HubArns {
    pub(super) bus: Option<String>,
    /// Its policy, as JSON, if it has one.
    policy: Option<String>,
    pub(super) queues: Vec<String>,
    pub(super) table: Option<String>,
    /// The function that takes messages out of the queues.
    pub(super) function: Option<String>,
    /// With whose credentials it writes Bedrock policies; `None` where nobody asked.
    pub(super) organization_access: Option<Result<OrganizationAccess, Failure>>,
}

/// The tag of copies, on a guardrail and on one that is being made (`keeper_core::copy::SOURCE_TAG`).
const OF_COPY: &str = "aws:ResourceTag/guardrail-keeper:source";
const OF_NEW_COPY: &str = "aws:RequestTag/guardrail-keeper:source";
/// The tag of Bedrock policies, likewise (`guardrail_keeper::cloud::OWN_POLICY_TAG`), and their type.
const OF_POLICY: &str = "aws:ResourceTag/guardrail-keeper";
const OF_NEW_POLICY: &str = "aws:RequestTag/guardrail-keeper";
const POLICY_TYPE: &str = "organizations:PolicyType";
pub(super) const DEPLOY: &str = "deploy the hub's stack (template.yaml) again";

impl Doctor<'_> {
    pub(super) async fn hub(&mut self, baseline: Option<&Baseline>) -> HubArns {
        let here = Check::Hub.whole();
        let mut seen = HubArns::default();
        let mut events = None;
        match &self.settings.queues {
            None => {
                let text = "no queues are set (KEEPER_TASKS_QUEUE, KEEPER_EVENTS_QUEUE)";
                self.findings.push(here.not_applicable(text));
            }
            Some(queues) => {
                events = self.queue("events", &queues.events).await;
                let tasks = self.queue("tasks", &queues.tasks).await;
                let functions =
                    self.functions([("events", events.as_deref()), ("tasks", tasks.as_deref())]).await;
                seen.function = functions.into_iter().next();
                seen.queues = events.iter().cloned().chain(tasks).collect();
            }
        }
        seen.organization_access = self.deployed_access(baseline, seen.function.as_deref()).await;
        seen.table = self.ledger().await;
        match &self.settings.bus {
            None => {
                self.findings.push(here.not_applicable("no bus is set (KEEPER_BUS)"));
            }
            Some(bus) => {
                let name = bus_name(bus).to_owned();
                if let Some(bus) = self.bus(&name).await {
                    (seen.bus, seen.policy) = (Some(bus.arn), bus.policy);
                }
                if let (Some(_), Some(events)) = (&seen.bus, &events) {
                    self.rules(&name, &self.hearing.on_the_hubs_bus(), events).await;
                }
            }
        }
        if let Some(events) = &events {
            self.rules("default", &self.hearing.on_the_default_bus(), events).await;
        }
        seen
    }

    async fn queue(&mut self, what: &str, url: &str) -> Option<String> {
        let here = Check::Hub.whole();
        let (finding, arn) = match self.own.queue(url).await {
            Ok(Some(queue)) if queue.has_dead_letters => {
                let text = format!("the queue of {what} is there, and one for its dead letters");
                (here.ok(text), Some(queue.arn))
            }
            Ok(Some(queue)) => {
                let text =
                    format!("the queue of {what} has no dead letters: messages that fail are tried for ever");
                (here.problem(text, DEPLOY), Some(queue.arn))
            }
            Ok(None) => {
                (here.problem(format!("the queue of {what} isn't there"), DEPLOY).detailed(url), None)
            }
            Err(failure) => (
                here.unread(format_args!("it isn't known whether the queue of {what} is there"), &failure),
                None,
            ),
        };
        self.findings.push(finding);
        arn
    }

    /// Who takes messages out of the queues, by the queues' ARNs.
    async fn functions(&mut self, queues: [(&str, Option<&str>); 2]) -> BTreeSet<String> {
        let mut functions = BTreeSet::new();
        for (what, arn) in queues {
            let Some(arn) = arn else { continue };
            let seen = self.own.mappings(arn).await;
            self.findings.push(doctor::mapping(what, &seen, DEPLOY));
            functions.extend(seen.into_iter().flatten().map(|mapping| mapping.function));
        }
        for function in &functions {
            let seen = self.own.recursion(function).await;
            self.findings.push(doctor::recursion(function, &seen, DEPLOY));
        }
        functions
    }

    async fn ledger(&mut self) -> Option<String> {
        let here = Check::Hub.whole();
        let LedgerSource::Table(name) = &self.settings.ledger else {
            self.findings.push(here.not_applicable("the ledger is no table (KEEPER_LEDGER)"));
            return None;
        };
        let (finding, arn) = match self.own.table(name).await {
            Ok(Some((arn, status))) if matches!(status.as_str(), "ACTIVE" | "UPDATING") => {
                (here.ok(format!("the ledger's table {name} is there")), Some(arn))
            }
            Ok(Some((arn, status))) => {
                let text = format!("the ledger's table {name} is {status}");
                (here.problem(text, "wait, or restore it from a backup"), Some(arn))
            }
            Ok(None) => {
                let text = format!("the ledger's table {name} isn't there");
                let todo = "restore it from a backup: only it knows which enforcements are ours";
                (here.problem(text, todo), None)
            }
            Err(failure) => {
                (here.unread("it isn't known whether the ledger's table is there", &failure), None)
            }
        };
        self.findings.push(finding);
        arn
    }

    async fn bus(&mut self, name: &str) -> Option<BusSeen> {
        let here = Check::Hub.whole();
        let (finding, bus) = match self.own.bus(name).await {
            Ok(Some(bus)) => (here.ok(format!("the bus {name} is there")), Some(bus)),
            Ok(None) => (here.problem(format!("the bus {name} isn't there"), DEPLOY), None),
            Err(failure) => {
                (here.unread(format_args!("it isn't known whether the bus {name} is there"), &failure), None)
            }
        };
        self.findings.push(finding);
        bus
    }

    /// Whom the bus's policy admits.
    pub(super) fn bus_policy(&mut self, ground: &Ground, hub: &HubArns) {
        let Some(bus) = &hub.bus else { return };
        let Ground { baseline, organization, .. } = ground;
        let owners = baseline.owners();
        let known = [&organization.management, self.hub_account()];
        let is_none = |id: &&AccountId| !known.contains(id) && !owners.contains(*id);
        let member = organization.accounts.keys().find(is_none).cloned();
        let facts = BusFacts {
            bus,
            partition: &Partition::of(self.own.region()),
            organization: &baseline.organization,
            management: &organization.management,
            hub: self.hub_account(),
            owners: &owners,
            member: member.as_ref(),
            function: self.settings.own_roles.function.as_ref(),
            keys: !self.hearing.keys.is_empty(),
        };
        let findings = doctor::bus_policy(&facts, hub.policy.as_deref(), DEPLOY);
        self.findings.extend(findings);
    }

    async fn rules(&mut self, bus: &str, needs: &[Listens], destination: &str) {
        let seen = self.own.rules(bus, "", needs).await;
        self.findings.extend(doctor::rules(&Check::Hub.whole(), bus, needs, &seen, destination, DEPLOY));
    }

    /// Whether news, alarms and what AWS itself tells reach anybody.
    pub(super) async fn notifications(&mut self, hub: &HubArns) {
        let here = Check::Notifications.whole();
        let Some(bus) = self.settings.bus.as_deref().filter(|_| hub.bus.is_some()).map(bus_name) else {
            return;
        };
        let todo = "deploy the hub's stack (template.yaml) again, with the ids of the policies and the keys \
                    (KeeperPolicyId, GuardrailsPolicyId, GuardrailKeyArns)";
        let mut topics = BTreeSet::new();
        for (bus, needs) in [(bus, self.hearing.to_people()), ("default", self.hearing.to_people_at_once())] {
            let seen = self.own.rules(bus, "", &needs).await;
            let Ok(rules) = &seen else {
                self.findings.extend(doctor::rules(&here, bus, &needs, &seen, "a topic", todo));
                continue;
            };
            topics.extend(doctor::topics(&needs, rules));
            for need in needs.chunks(1) {
                // What AWS itself tells has a topic of its own. Where no rule sends anything to a topic, each kind of
                // event is named.
                let topics_here = doctor::topics(need, rules);
                let destination = topics_here.first().or(topics.first()).map_or("a topic", String::as_str);
                self.findings.extend(doctor::rules(&here, bus, need, &seen, destination, todo));
            }
        }
        for topic in &topics {
            let subscriptions = self.own.subscriptions(topic).await;
            self.findings.push(doctor::subscribed(topic, &subscriptions, DEPLOY));
            self.findings.extend(doctor::only_by_mail(topic, &subscriptions));
        }
    }

    pub(super) async fn function_role(&mut self, ground: &Ground, hub: &HubArns) {
        let check = Check::FunctionRole;
        let Some(role) = &self.settings.own_roles.function else {
            let text = "the function's role isn't set (KEEPER_FUNCTION_ROLE)";
            self.findings.push(check.whole().not_applicable(text));
            return;
        };
        let here = check.at(Place::account(&role.account));
        if role.account != *self.own_account() {
            let text = format!("{} is in another account than these credentials", role.name);
            let todo = format!("run this with credentials of {}", role.account);
            self.findings.push(here.unknown(text, todo));
            return;
        }
        let Some(facts) = self.facts(ground, hub) else { return };
        let seen = match self.own.role(&role.name).await {
            Ok(Some(seen)) => seen,
            Ok(None) => {
                self.findings.push(here.problem(format!("there is no role {}", role.name), DEPLOY));
                return;
            }
            Err(failure) => {
                self.findings
                    .push(here.unread(format_args!("it isn't known whether {} exists", role.name), &failure));
                return;
            }
        };
        let name = role.name.to_string();
        if hub.function.is_none() && self.settings.queues.is_some() {
            let text = format!("what {name} may do isn't known: no queue says which function asks");
            let todo = "mend what is said of the function above";
            self.findings.push(here.unknown(text, todo));
            return;
        }
        let needs = doctor::of_function(&facts);
        let function = hub.function.as_deref();
        let evaluated = simulate(&self.own, &seen.arn, &needs, function).await;
        let todo = "deploy the hub's stack again; if that doesn't help, a permissions boundary or a service control \
                    policy denies it";
        self.findings.extend(doctor::lacking(&here, &name, &needs, &evaluated, todo));
        if function.is_some() {
            let becoming: Vec<RequiredAction> =
                needs.into_iter().filter(|need| need.action == "sts:AssumeRole").collect();
            let elsewhere = simulate(&self.own, &seen.arn, &becoming, None).await;
            self.findings.push(doctor::binding(&here, &name, &elsewhere, DEPLOY));
        }
    }

    pub(super) async fn stack_sets(&mut self, ground: &Ground) {
        let here = Check::StackSets.whole();
        let Some(bus) = &self.settings.bus else {
            self.findings.push(here.not_applicable("without KEEPER_BUS their names aren't known"));
            return;
        };
        if !self.sees_stack_sets {
            let text = "those of the management account can't be seen from here: role and rules are looked at in each \
                        account";
            self.findings.push(here.not_applicable(text));
            return;
        }
        // The template names the bus after the stack, and the StackSets too.
        let stack = bus.rsplit('/').next().unwrap_or(bus);
        let Ground { baseline, organization, accounts } = ground;
        let as_delegate = *self.own_account() != organization.management;
        let members = || accounts.iter().filter(|one| one.id != organization.management);
        let in_regions = |regions: &[keeper_core::ids::Region]| {
            members()
                .filter(|one| one.id != *self.hub_account())
                .flat_map(|one| {
                    let target = |region: &keeper_core::ids::Region| Target {
                        account: one.id.clone(),
                        region: region.clone(),
                    };
                    regions.iter().map(target).collect::<Vec<_>>()
                })
                .collect()
        };
        let regions: Vec<_> = baseline.regions().into_iter().collect();
        let sets = [
            (format!("{stack}-member-role"), in_regions(std::slice::from_ref(self.own.region()))),
            (format!("{stack}-member-rules"), in_regions(&regions)),
        ];
        let mut findings = Vec::new();
        let mut missing = Vec::new();
        for (name, expected) in sets {
            match self.own.stack_set(&name, as_delegate).await {
                Ok(Some(set)) => {
                    let instances = self.own.stack_instances(&name, as_delegate).await;
                    findings.extend(doctor::stack_set(&name, &set, &instances, &expected));
                }
                Ok(None) => missing.push(name),
                Err(failure) => {
                    findings.push(here.unread(format_args!("{name} isn't known"), &failure));
                }
            }
        }
        if missing.len() == 2 {
            let text = format!(
                "there are none ({}): role and rules are deployed by other means",
                missing.join(", ")
            );
            findings.push(here.not_applicable(text));
        } else {
            findings.extend(
                missing.iter().map(|name| here.problem(format!("there is no StackSet {name}"), DEPLOY)),
            );
        }
        self.findings.extend(findings);
    }
}

/// The bus of another account can't be looked at by its name alone.
fn bus_name(bus: &str) -> &str {
    bus.rsplit('/').next().unwrap_or(bus)
}

/// Simulates everything that a role needs: a call for each resource.
pub(super) async fn simulate(
    inspector: &Inspector,
    role: &str,
    needs: &[RequiredAction],
    function: Option<&str>,
) -> Result<Vec<Evaluated>, Failure> {
    // What the keeper says of itself when it puts events, and what is true of copies.
    let mut context =
        vec![("events:source", guardrail_keeper::cloud::SOURCE), (OF_COPY, "it"), (OF_NEW_COPY, "it")];
    if needs.iter().any(|need| need.action.starts_with("organizations:")) {
        context.extend([(OF_POLICY, "it"), (OF_NEW_POLICY, "it"), (POLICY_TYPE, "BEDROCK_POLICY")]);
    }
    context.extend(function.map(|function| ("lambda:SourceFunctionArn", function)));
    let mut by_resource: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for RequiredAction { resource, action } in needs {
        by_resource.entry(resource).or_default().push(action);
    }
    let mut evaluated = Vec::new();
    for (resource, actions) in by_resource {
        evaluated.extend(inspector.simulate(role, &actions, &[resource.to_owned()], &context).await?);
    }
    Ok(evaluated)
}
