//! Making a model of a world's file.

use std::collections::{BTreeMap, HashMap};

use super::clock::Clock;
use super::control::ControlPolicy;
use super::event::HOME_REGION;
use super::ids::Ids;
use super::organization::{Account, Membership, Organization};
use super::organization_policy::PolicyTypeStatus;
use super::{Model, iam};
use crate::switches::Switches;
use crate::world::{AccountEntry, EnforcementEntry, GuardrailEntry, InvalidWorld, World, shared_roles};

impl Model {
    /// Makes a model of a world: the same world and seed make the same model.
    ///
    /// # Errors
    /// [`InvalidWorld`] with every reason why such a world can't be.
    pub fn new(world: &World, seed: u64, switches: Switches, clock: Clock) -> Result<Model, InvalidWorld> {
        let mut problems = Vec::new();
        let organization = organization(world);
        check_tree(world, &organization, &mut problems);
        let mut model = Model {
            organization,
            accounts: BTreeMap::new(),
            regions: world.regions.clone(),
            models: world.models.clone(),
            keys: world.keys.clone(),
            switches,
            settings: world.settings,
            clock,
            stack_set_roles: shared_roles(&world.stack_set_roles),
            sessions: HashMap::new(),
            sessions_swept_at: 1024,
            creations: BTreeMap::new(),
            handshakes: BTreeMap::new(),
            pending: Vec::new(),
            events: Vec::new(),
            emitted: 0,
            put_events: Vec::new(),
            put: 0,
            model_calls: Vec::new(),
            model_calls_made: 0,
            trails: world.trails.clone(),
            event_buses: world.event_buses.clone(),
            bus_rules: world.bus_rules.clone(),
            stack_sets: world.stack_sets.clone(),
            functions: world.functions.clone(),
            topics: world.topics.clone(),
            ids: Ids::seeded(seed),
        };
        for account in &world.accounts {
            model.build_account(account, &mut problems);
        }
        if model.member(&world.organization.management_account).is_none() {
            let id = &world.organization.management_account;
            problems.push(format!("the management account {id} is not an account of the organization"));
        }
        // What the file says is there from the start: it neither waits nor is it told.
        let settings = std::mem::take(&mut model.settings);
        for guardrail in &world.guardrails {
            model.build_guardrail(guardrail, &mut problems);
        }
        for enforcement in &world.enforcements {
            model.build_enforcement(enforcement, &mut problems);
        }
        model.build_policies(world, &mut problems);
        for parameter in &world.parameters {
            let administrator = format!("arn:aws:iam::{}:root", parameter.account);
            let made = model
                .caller(&administrator, &parameter.region)
                .and_then(|caller| model.put_parameter(&caller, parameter.put()));
            if let Err(error) = made {
                problems.push(format!("parameter {}: {error}", parameter.name));
            }
        }
        model.settings = settings;
        model.events.clear();
        model.emitted = 0;
        if problems.is_empty() { Ok(model) } else { Err(InvalidWorld { problems }) }
    }

    fn build_account(&mut self, entry: &AccountEntry, problems: &mut Vec<String>) {
        let id = &entry.id;
        if id.len() != 12 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            problems.push(format!("account {id:?}: an account id has twelve digits, in quotes"));
        }
        if self.accounts.contains_key(id) {
            problems.push(format!("account {id}: it is listed twice"));
        }
        let email =
            entry.email.clone().unwrap_or_else(|| format!("{}@example.com", entry.name.replace(' ', "-")));
        let mut account = Account::standalone(id, &entry.name, &email);
        account.state = entry.state;
        account.told_state.clone_from(&entry.told_state);
        account.tags = entry.tags.clone();
        account.opt_in = entry.opt_in.clone();
        let start = self.now();
        account.delegated = entry.delegated.iter().map(|service| (service.clone(), start)).collect();
        account.reads_organization = entry.reads_organization;
        account.roles = shared_roles(&entry.roles);
        account.users.clone_from(&entry.users);
        if let Some(parent) = &entry.parent {
            if !self.organization.is_parent(parent) {
                problems.push(format!("account {id}: its parent {parent} is neither the root nor a unit"));
            }
            account.membership = Some(Membership { parent: parent.clone(), method: entry.joined, at: start });
            let management = self.organization.management_account.clone();
            if *id != management {
                account.roles.extend(self.stack_set_roles.iter().cloned());
                if entry.joined == super::organization::JoinedMethod::Created {
                    account
                        .roles
                        .push(iam::organization_access_role("OrganizationAccountAccessRole", &management));
                }
            }
        }
        self.accounts.insert(id.clone(), account);
    }

    fn build_guardrail(&mut self, entry: &GuardrailEntry, problems: &mut Vec<String>) {
        let name = entry.guardrail_name();
        let arn = name.arn();
        if !self.regions.contains_key(&entry.region) {
            problems.push(format!("guardrail {arn}: there is no such Region in this world"));
        }
        if entry.id.is_empty()
            || !entry.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        {
            problems.push(format!("guardrail {arn}: an id is made of lower-case letters and digits"));
        }
        let (account, region, content) = (&entry.account, &entry.region, entry.content.clone());
        let made =
            self.add_guardrail(account, region, &entry.id, content, entry.tags.clone()).and_then(|_| {
                (0..entry.versions).try_for_each(|_| self.add_guardrail_version(&name, None).map(drop))?;
                let policy = entry.policy(&self.organization.id);
                if policy.is_some() { self.attach_resource_policy(&arn, policy.as_deref()) } else { Ok(()) }
            });
        if let Err(error) = made {
            problems.push(format!("guardrail {arn}: {error}"));
        }
    }

    /// Policies of type BEDROCK_POLICY, which switch the type on, and the delegation policy.
    fn build_policies(&mut self, world: &World, problems: &mut Vec<String>) {
        for entry in &world.bedrock_policies {
            for target in entry.targets.iter().filter(|target| self.require_target(target).is_err()) {
                problems.push(format!("policy {}: there is no target {target}", entry.id));
            }
            self.put_bedrock_policy(entry);
        }
        if world.bedrock_policies_enabled || !world.bedrock_policies.is_empty() {
            self.enable_bedrock_policies();
        }
        let Some(document) = &world.delegation_policy else { return };
        let administrator = format!("arn:aws:iam::{}:root", self.organization.management_account);
        let put = self
            .caller(&administrator, HOME_REGION)
            .and_then(|caller| self.put_delegation_policy(&caller, &document.to_string(), BTreeMap::new()));
        if let Err(error) = put {
            problems.push(format!("delegation_policy: {error}"));
        }
    }

    fn build_enforcement(&mut self, entry: &EnforcementEntry, problems: &mut Vec<String>) {
        let administrator = format!("arn:aws:iam::{}:root", entry.account);
        let by = entry.by.as_deref().unwrap_or(&administrator);
        let put = self.put_enforcement_as(by, &entry.account, &entry.region, entry.configuration.clone());
        if let Err(error) = put {
            problems.push(format!("enforcement in {}/{}: {error}", entry.account, entry.region));
        }
    }
}

/// The organization as a world has it, without its policies of type BEDROCK_POLICY.
fn organization(world: &World) -> Organization {
    Organization {
        id: world.organization.id.clone(),
        root: world.organization.root.clone(),
        management_account: world.organization.management_account.clone(),
        units: world.organizational_units.iter().map(|unit| (unit.id.clone(), unit.clone())).collect(),
        service_control: world.service_control.clone(),
        policies: world.control_policies.iter().map(ControlPolicy::policy).collect(),
        attached: 0,
        bedrock_policies: PolicyTypeStatus::Off,
        policies_changed_at: None,
        effective: BTreeMap::new(),
        delegation_policy: None,
        trusted_services: BTreeMap::new(),
        tags: BTreeMap::new(),
    }
}

fn check_tree(world: &World, organization: &Organization, problems: &mut Vec<String>) {
    if world.regions.is_empty() {
        problems.push("regions: a world has at least one".to_owned());
    }
    for unit in &world.organizational_units {
        if !organization.is_parent(&unit.parent) {
            problems
                .push(format!("unit {}: its parent {} is neither the root nor a unit", unit.id, unit.parent));
        }
        let mut above = Some(unit);
        let mut steps = 0;
        while let Some(current) = above {
            above = organization.units.get(&current.parent);
            steps += 1;
            if steps > organization.units.len() {
                problems.push(format!("unit {}: it is above itself", unit.id));
                // Every path through a circle is endless, so the tree is made harmless before anything walks it.
                return;
            }
        }
    }
}
