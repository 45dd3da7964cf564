//! What the keeper rests on in other accounts, side by side.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use futures_util::stream;

use super::{Bar, Doctor, Ground, home_region, hub};
use crate::inspector::Inspector;
use guardrail_keeper::cloud::Session;
use guardrail_keeper::engine::Step;
use keeper_core::doctor::{self, Check, Finding, Listens, Place, Trusted};
use keeper_core::failure::Failure;
use keeper_core::ids::{AccountId, Partition, Region};

/// How the names of the forwarding rules begin in deploy/.
const PREFIX: &str = "guardrail-keeper-";
const IN_MEMBERS: [Check; 5] =
    [Check::ControlPolicies, Check::Trails, Check::MemberRole, Check::ForwardingRules, Check::Regions];

impl Doctor<'_> {
    pub(super) async fn members(&mut self, ground: &Ground, seen: &hub::HubArns, bar: &Bar) {
        let own = self.own_account().clone();
        let others = || ground.accounts.iter().map(|account| &account.id).filter(|id| **id != own);
        let looked_into: Vec<&AccountId> = match &self.arguments.reading.role {
            Some(_) => ground.accounts.iter().map(|account| &account.id).collect(),
            None => ground.accounts.iter().map(|account| &account.id).filter(|id| **id == own).collect(),
        };
        let count = others().count();
        if self.arguments.reading.role.is_none() && count > 0 {
            let findings = self.left_out(ground, count).await;
            self.findings.extend(findings);
        }
        bar.step(Step::Looking { accounts: looked_into.len() });
        let looks = looked_into.into_iter().map(|account| {
            let this = &*self;
            async move {
                let findings = this.account(account, ground, seen).await;
                bar.step(Step::Looked);
                findings
            }
        });
        let found: Vec<Vec<Finding>> =
            stream::iter(looks).buffer_unordered(self.settings.concurrency).collect().await;
        self.findings.extend(found.into_iter().flatten());
        // They come as they come.
        self.findings.sort_by(|one, other| (one.check, &one.place).cmp(&(other.check, &other.place)));
    }

    /// Accounts for which no role is given. The management account can ask for their Regions.
    async fn left_out(&self, ground: &Ground, count: usize) -> Vec<Finding> {
        let own = self.own_account();
        let accounts = if count == 1 { "account was" } else { "accounts were" };
        let mut findings = Vec::new();
        for check in IN_MEMBERS {
            if check == Check::Regions && !self.arguments.no_members && *own == ground.organization.management
            {
                let wanted = ground.baseline.regions();
                let others = ground.accounts.iter().map(|account| &account.id).filter(|id| *id != own);
                let looks = others.map(|account| {
                    let wanted = &wanted;
                    async move { doctor::regions(account, wanted, &self.own.regions(Some(account)).await) }
                });
                let found: Vec<Vec<Finding>> =
                    stream::iter(looks).buffered(self.settings.concurrency).collect().await;
                findings.extend(found.into_iter().flatten());
                continue;
            }
            let text = format!("{count} other {accounts} not checked");
            findings.push(if self.arguments.no_members {
                check.whole().not_applicable(text)
            } else {
                check.whole().unknown(
                    text,
                    "give --role NAME to check them with a role that these credentials may assume \
                     (deploy/reader-role.yaml creates one); --no-members leaves them out",
                )
            });
        }
        findings
    }

    async fn account(&self, account: &AccountId, ground: &Ground, seen: &hub::HubArns) -> Vec<Finding> {
        let session = match self.keeper.cloud().session(account).await {
            Ok(session) => session,
            Err(failure) => {
                let unread = |check: Check| check.at(Place::account(account)).unread("not checked", &failure);
                return IN_MEMBERS.map(unread).into();
            }
        };
        let home = home_region(&Partition::of(self.own.region()));
        let regions = ground.baseline.regions();
        let is_management = *account == ground.organization.management;
        let enabled = Inspector::new(&session, self.own.region()).regions(None).await;
        let mut findings = doctor::regions(account, &regions, &enabled);
        let usable = usable(&regions, &enabled);
        // Joining and leaving are reported in one Region of the management account.
        let mut listening: BTreeSet<Region> = usable.clone();
        listening.extend(home.clone());
        for region in &listening {
            let inspector = Inspector::new(&session, region);
            let (guarded, at_home) = (usable.contains(region), home.as_ref() == Some(region));
            let owns_a_key_here = self.hearing.tells_of_a_key(account, region.as_str());
            let services = [
                ("bedrock.amazonaws.com", guarded),
                ("organizations.amazonaws.com", at_home && is_management),
                ("kms.amazonaws.com", guarded && owns_a_key_here),
            ];
            let services: Vec<&str> =
                services.iter().filter(|(_, needed)| *needed).map(|(name, _)| *name).collect();
            if !services.is_empty() {
                findings.push(doctor::trail(account, region, &services, &inspector.trails().await));
            }
            let needs = self.hearing.sent_on(account, region.as_str(), guarded, at_home);
            findings.extend(self.forwarding(account, &inspector, &needs, seen).await);
        }
        if !is_management {
            // Service control policies don't bind the management account.
            let roles =
                Inspector::new(&session, self.own.region()).roles_beginning(doctor::EXECUTION_ROLE).await;
            findings.extend(doctor::posing(account, &ground.organization.management, &roles));
        }
        if account == self.hub_account() {
            let text = "the hub needs none: the function works there with its own role";
            findings.push(Check::MemberRole.at(Place::account(account)).not_applicable(text));
        } else {
            findings.extend(self.member_role(account, &session, ground, seen).await);
        }
        findings
    }

    async fn forwarding(
        &self,
        account: &AccountId,
        inspector: &Inspector,
        needs: &[Listens],
        seen: &hub::HubArns,
    ) -> Vec<Finding> {
        if needs.is_empty() || (account == self.hub_account() && inspector.region() == self.own.region()) {
            // There the hub's own rules listen, which are looked at with the hub.
            return Vec::new();
        }
        let Some(bus) = &seen.bus else {
            return vec![
                Check::ForwardingRules
                    .whole()
                    .not_applicable("without the hub's bus there is nowhere to send to"),
            ];
        };
        let rules = inspector.rules("default", PREFIX, needs).await;
        let todo = "deploy deploy/member-rules.yaml there; in the management account deploy/management.yaml";
        let here = Check::ForwardingRules.at(Place::target(account, inspector.region()));
        doctor::rules(&here, "default", needs, &rules, bus, todo)
    }

    async fn member_role(
        &self,
        account: &AccountId,
        session: &Session,
        ground: &Ground,
        seen: &hub::HubArns,
    ) -> Vec<Finding> {
        let name = &self.settings.member_role;
        let inspector = Inspector::new(session, self.own.region());
        let role = inspector.role(name).await;
        let trust = role.as_ref().map(|role| role.as_ref().map(|role| role.trust.clone()));
        let trust = trust.map_err(Failure::clone);
        let trusted = Trusted {
            function: self.settings.own_roles.function.as_ref(),
            hub: self.hub_account(),
            external_id: self.settings.external_id.as_deref(),
        };
        let mut findings = vec![doctor::trust(account, name.as_str(), &trust, trusted)];
        if let Ok(Some(role)) = &role {
            let hub = self.hub_account();
            findings.extend(doctor::foreign(account, name.as_str(), &role.arn, &role.trust, hub));
        }
        if let (Ok(Some(role)), Some(facts)) = (role, self.facts(ground, seen)) {
            let needs = doctor::of_member(&facts, account);
            let evaluated = hub::simulate(&inspector, &role.arn, &needs, None).await;
            let todo = "deploy deploy/member-role.yaml again (AllowCopies where guardrails are copied), and \
                        deploy/owner.yaml in the owner; check that no permissions boundary or service control policy \
                        denies it";
            let here = Check::MemberRole.at(Place::account(account));
            findings.extend(doctor::lacking(&here, name.as_str(), &needs, &evaluated, todo));
        }
        findings
    }
}

/// The Regions that calls can be made in. Where that isn't known, they are tried.
fn usable(
    wanted: &BTreeSet<Region>,
    seen: &Result<std::collections::BTreeMap<String, String>, Failure>,
) -> BTreeSet<Region> {
    let is_off = |region: &&Region| {
        let status = seen.as_ref().ok().and_then(|seen| seen.get(region.as_str()));
        status.is_some_and(|status| matches!(status.as_str(), "DISABLED" | "DISABLING" | "ENABLING"))
    };
    wanted.iter().filter(|region| !is_off(region)).cloned().collect()
}
