//! `guardrailctl doctor`: is everything there that the keeper needs, and what is to be done?

mod bedrock_policies;
mod hub;
mod keys;
mod members;
mod organization;
mod organization_level;
mod placement;
mod print;
mod protection;

use std::collections::BTreeMap;

use clap::Args;
use serde_json::json;

use super::names::{self, Named};
use super::output::{self, Bar};
use super::reading::ReadingRole;
use super::{OK, Output, UNFINISHED, connect, settings};
use crate::inspector::Inspector;
use guardrail_keeper::engine::{self, Keeper, Stopped};
use keeper_core::baseline::{Baseline, Severity};
use keeper_core::doctor::{Check, DoctorSummary, Facts, Finding, Hearing, Outcome, Place};
use keeper_core::ids::{AccountId, Partition, Region, Target};
use keeper_core::organization::{Account, Organization};
use keeper_core::plan::GrantAction;
use keeper_core::resolved::Unusable;
use keeper_core::settings::{BaselineSource, OrganizationAccess, Settings};

const LONG_ABOUT: &str = "\
Check everything that the keeper needs, and say what to do

Only reads. It reads the hub with your credentials, and members with --role: a role with read access that your \
credentials may assume there, such as the one of deploy/reader-role.yaml, or OrganizationAccountAccessRole from the \
management account. The keeper's own role trusts only the function. Without --role, members count as not known; \
--no-members leaves them out.

It checks the accounts that the baseline guards on either level, the owner of the guardrails, the hub and the \
management account; or those of --account.

Exits with 0 only if everything could be checked and nothing is wrong, with 1 otherwise.";

/// Check everything that the keeper needs, in the hub and in members, and say what to do
#[derive(Debug, Args)]
#[command(long_about = LONG_ABOUT)]
pub(super) struct Arguments {
    /// The baseline: a file, or ssm:NAME [env: KEEPER_BASELINE]
    #[arg(long, value_name = "FILE")]
    baseline: Option<BaselineSource>,
    /// Look into no other account
    #[arg(long, conflicts_with = "role")]
    no_members: bool,
    /// Only this account, by its id or its name; may be given several times
    #[arg(long, value_name = "ACCOUNT")]
    account: Vec<Named<AccountId>>,
    /// An account that is meant to be a delegated administrator of StackSets; may be given several times
    #[arg(long, value_name = "ACCOUNT")]
    delegate: Vec<AccountId>,
    /// How many places the text names for one problem
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    limit: usize,
    #[command(flatten)]
    reading: ReadingRole,
    /// The form of the results
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let settings = settings(arguments.baseline.clone())?;
    // Everything that is read in other accounts is read by that role. The keeper's own would refuse us.
    let keeper = connect(arguments.reading.settings(settings.clone())).await?;
    let own = Inspector::own(keeper.cloud(), None).await.map_err(Stopped::NoIdentity)?;
    let chosen = names::accounts(&keeper, &arguments.account).await?;
    let findings = Vec::new();
    let mut doctor = Doctor {
        keeper: &keeper,
        settings: &settings,
        arguments,
        chosen,
        own,
        sees_stack_sets: true,
        copies: false,
        hearing: Hearing::default(),
        organization_access: OrganizationAccess::None,
        repairs_policy_type: false,
        findings,
    };
    let bar = Bar::new();
    doctor.examine(&bar).await;
    drop(bar);
    let findings = doctor.findings;
    let summary = DoctorSummary::of(&findings);
    match arguments.output {
        Output::Text => print::print(&summary, arguments.limit),
        Output::Json => output::print_json(&json!({
            "good": summary.is_good(),
            "counts": {
                "problem": summary.counts.get(&Outcome::Problem).copied().unwrap_or_default(),
                "unknown": summary.counts.get(&Outcome::Unknown).copied().unwrap_or_default(),
                "not_applicable": summary.counts.get(&Outcome::NotApplicable).copied().unwrap_or_default(),
                "ok": summary.counts.get(&Outcome::Ok).copied().unwrap_or_default(),
            },
            "findings": findings,
        })),
    }
    Ok(if summary.is_good() { OK } else { UNFINISHED })
}

struct Doctor<'a> {
    keeper: &'a Keeper,
    /// The keeper's settings, as it would have them.
    settings: &'a Settings,
    arguments: &'a Arguments,
    /// The accounts that were named; none for all.
    chosen: Vec<AccountId>,
    /// The account that we run in, and its Region.
    own: Inspector,
    /// Whether StackSets of the organization can be seen from here.
    sees_stack_sets: bool,
    /// Whether members get copies of guardrails.
    copies: bool,
    /// What events depend on, as far as it is known by now.
    hearing: Hearing,
    /// With whose credentials the deployed function writes Bedrock policies, as far as that is known by now.
    organization_access: OrganizationAccess,
    /// Whether it enables their type again where somebody disabled it, as far as that is known by now.
    repairs_policy_type: bool,
    findings: Vec<Finding>,
}

/// What the later checks go by.
struct Ground {
    baseline: Baseline,
    organization: Organization,
    /// The accounts that are looked into.
    accounts: Vec<Account>,
}

impl Doctor<'_> {
    async fn examine(&mut self, bar: &Bar) {
        let organization = self.organization().await;
        let baseline = self.baseline(organization.as_ref()).await;
        if let Some(baseline) = &baseline {
            self.guardrails(baseline).await;
            self.placement(baseline).await;
        }
        self.hears(organization.as_ref(), baseline.as_ref());
        let hub = self.hub(baseline.as_ref()).await;
        let ground = match (baseline, organization) {
            (Some(baseline), Some(organization)) => {
                let accounts = self.accounts(&baseline, &organization);
                Some(Ground { baseline, organization, accounts })
            }
            _ => None,
        };
        let is_enabled = self.bedrock_policies(ground.as_ref()).await;
        match &ground {
            Some(ground) => {
                self.organization_level(ground, &hub, is_enabled).await;
                self.function_role(ground, &hub).await;
                self.stack_sets(ground).await;
                self.bus_policy(ground, &hub);
                self.protection(ground).await;
                self.members(ground, &hub, bar).await;
            }
            None => {
                let later = [
                    Check::FunctionRole,
                    Check::StackSets,
                    Check::ControlPolicies,
                    Check::Trails,
                    Check::MemberRole,
                    Check::ForwardingRules,
                    Check::Regions,
                ];
                self.findings.extend(later.map(|check| {
                    let text = "not checked: that needs the baseline and the list of accounts";
                    check.whole().unknown(text, "correct the problems above first")
                }));
            }
        }
        // Which policies people have to hear of is known by now.
        self.notifications(&hub).await;
    }

    /// What is known by now of where events come from.
    fn hears(&mut self, organization: Option<&Organization>, baseline: Option<&Baseline>) {
        self.hearing = Hearing {
            hub: Some(self.hub_account().clone()),
            management: organization.map(|organization| organization.management.clone()),
            owners: baseline.map(Baseline::owners).unwrap_or_default(),
            at_home: home_region(&Partition::of(self.own.region())).as_ref() == Some(self.own.region()),
            parameter: self.settings.baseline.parameter().cloned(),
            approval: self.settings.approval.clone(),
            controls: self.settings.controls.clone(),
            ..std::mem::take(&mut self.hearing)
        };
    }

    fn own_account(&self) -> &AccountId {
        self.keeper.cloud().own_account()
    }

    /// The account that the function is in.
    fn hub_account(&self) -> &AccountId {
        self.settings.own_roles.function.as_ref().map_or_else(|| self.own_account(), |role| &role.account)
    }

    async fn baseline(&mut self, organization: Option<&Organization>) -> Option<Baseline> {
        let here = Check::Baseline.whole();
        let origin = &self.settings.baseline;
        let baseline = match engine::baseline(self.keeper).await {
            Ok(baseline) => baseline,
            Err(Stopped::BaselineInvalid(invalid)) => {
                self.findings.extend(
                    invalid
                        .problems()
                        .iter()
                        .map(|problem| here.problem(format!("{origin}:{problem}"), problem.instead.clone())),
                );
                return None;
            }
            Err(stopped) => {
                let todo = "check the name and your permissions; guardrailctl push puts a baseline there";
                self.findings.push(here.unknown(stopped.to_string(), todo));
                return None;
            }
        };
        let problems = organization.map(|organization| baseline.check_organization(organization));
        let problems: Vec<_> = problems.into_iter().flatten().chain(baseline.warnings()).collect();
        let (errors, warnings): (Vec<_>, Vec<_>) =
            problems.into_iter().partition(|problem| problem.severity == Severity::Error);
        self.findings.extend(
            errors.iter().map(|problem| here.problem(format!("{origin}:{problem}"), problem.instead.clone())),
        );
        if errors.is_empty() {
            let text = format!("{origin} is valid, revision {}, mode {}", baseline.revision, baseline.mode);
            self.findings.push(here.ok(text));
        }
        self.findings.extend(warnings.iter().map(|one| here.not_applicable(format!("{origin}:{one}"))));
        Some(baseline)
    }

    async fn guardrails(&mut self, baseline: &Baseline) {
        let check = Check::Guardrails;
        let (catalog, grants) = engine::guardrails(self.keeper, baseline).await;
        for ((key, region), entry) in &catalog.entries {
            let owner = Target { account: baseline.owner_of(key).clone(), region: region.clone() };
            let here = check.at(Place::target(&owner.account, region));
            self.findings.push(match &entry.unusable {
                None => here.ok(format!("{key} is there and ready")),
                Some(Unusable::Unreadable { failure }) => {
                    here.unread(format_args!("{key} isn't known"), failure)
                }
                Some(unusable) => here.problem(
                    format!("{key} can't be enforced: {unusable}"),
                    "docs/runbook.md, Why something is held, says what to do about each reason",
                ),
            });
            if let Some(key) = &entry.customer_key {
                self.hearing.keys.insert(key.arn.to_string());
                self.findings.push(keys::finding(baseline, &owner, key));
            }
        }
        for (resource, decision) in grants {
            let here = check.at(Place::target(resource.account(), resource.region()));
            self.findings.push(match &decision.action {
                GrantAction::Granted => here.ok("granted to the organization"),
                GrantAction::Change(_) => here
                    .ok("not granted to the organization yet: the keeper grants it")
                    .detailed(resource.to_string()),
                GrantAction::Held(reason) => here
                    .problem(
                        format!("can't be granted to the organization: {reason}"),
                        "see docs/resource-policy.md",
                    )
                    .detailed(resource.to_string()),
            });
            self.findings.extend(decision.openings.iter().map(|opening| {
                here.problem(opening.to_string(), "see docs/resource-policy.md")
                    .detailed(resource.to_string())
            }));
        }
    }

    /// The accounts in which the keeper has something to do, and some that it rests on.
    fn accounts(&mut self, baseline: &Baseline, organization: &Organization) -> Vec<Account> {
        let (hub, management) = (self.hub_account().clone(), &organization.management);
        let chosen = &self.chosen;
        let wanted = |account: &&Account| {
            if !chosen.is_empty() {
                return chosen.contains(&account.id);
            }
            let assigned = baseline.assignment(&account.id, &account.path);
            let guarded = assigned.is_some_and(|assignment| assignment.guardrail.is_some());
            let guarded = guarded && !baseline.exclude.contains(&account.id);
            let inherits = baseline.covering_by_organization(&account.id, &account.path).next().is_some();
            guarded
                || inherits
                || baseline.is_owner(&account.id)
                || account.id == hub
                || account.id == *management
        };
        let accounts: Vec<Account> = organization
            .accounts
            .values()
            .filter(|account| account.state.admits_work())
            .filter(wanted)
            .cloned()
            .collect();
        let unknown = accounts.iter().filter(|account| account.state.is_unknown());
        self.findings.extend(unknown.map(|account| {
            let todo = "check the account in Organizations; if AWS has a new state, look for a newer version of the \
                        keeper";
            let text = format!("the account is {}", account.state);
            Check::Organization.at(Place::account(&account.id)).unknown(text, todo)
        }));
        for id in chosen.iter().filter(|id| !accounts.iter().any(|account| account.id == **id)) {
            let text = "not an active account of the organization";
            self.findings
                .push(Check::Organization.at(Place::account(id)).problem(text, "correct the number"));
        }
        accounts
    }

    fn facts(&self, ground: &Ground, hub: &hub::HubArns) -> Option<Facts> {
        let Ground { baseline, organization, accounts } = ground;
        let region = baseline.regions().first().cloned()?;
        let other = accounts.iter().map(|account| &account.id).find(|id| *id != self.hub_account());
        let partition = Partition::of(self.own.region());
        let arn = |name: &String| {
            let (region, account) = (self.own.region(), self.own_account());
            format!("arn:{partition}:ssm:{region}:{account}:parameter/{}", name.trim_start_matches('/'))
        };
        let parameter = self.settings.baseline.parameter().map(arn);
        let approval = self.settings.approval.as_ref().map(arn);
        let controls = self.settings.controls.as_ref().map(arn);
        Some(Facts {
            organization: baseline.organization.clone(),
            management: organization.management.clone(),
            hub: self.hub_account().clone(),
            owners: baseline.owners(),
            member: other.unwrap_or(&organization.management).clone(),
            region,
            member_role: self.settings.member_role.clone(),
            copies: self.copies,
            parameter,
            approval,
            controls,
            queues: hub.queues.clone(),
            table: hub.table.clone(),
            bus: hub.bus.clone(),
            organization_access: self.organization_access.clone(),
            repairs_policy_type: self.repairs_policy_type,
            partition,
        })
    }
}

/// Where the events of Organizations are sent, and those of Regions that were enabled (docs/deploy.md).
fn home_region(partition: &Partition) -> Option<Region> {
    let home = BTreeMap::from([
        ("aws", "us-east-1"),
        ("aws-us-gov", "us-gov-west-1"),
        ("aws-cn", "cn-northwest-1"),
        ("aws-eusc", "eusc-de-east-1"),
    ]);
    home.get(partition.as_str()).and_then(|region| region.parse().ok())
}
