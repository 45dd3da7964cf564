//! The service control policies that protect what the keeper rests on.

use std::collections::{BTreeMap, BTreeSet};

use super::{Doctor, Ground};
use keeper_core::doctor::{self, Attached, Check, ControlPolicy, Finding, Place, Shipped};
use keeper_core::failure::Failure;
use keeper_core::ids::AccountId;

const KEEPER: (&str, &str) =
    ("deploy/protect-keeper.scp.json", include_str!("../../../deploy/protect-keeper.scp.json"));
const GUARDRAILS: (&str, &str) =
    ("deploy/protect-guardrails.scp.json", include_str!("../../../deploy/protect-guardrails.scp.json"));

/// What the documents are compared with.
struct OrganizationFacts {
    /// The names of the trails that the hub sees.
    trails: BTreeSet<String>,
    /// Every account.
    accounts: BTreeSet<AccountId>,
}

impl Doctor<'_> {
    pub(super) async fn protection(&mut self, ground: &Ground) {
        let Ground { baseline, organization, .. } = ground;
        // Whether trails can be read is said elsewhere.
        let trails =
            self.own.trails().await.unwrap_or_default().into_iter().map(|trail| trail.name).collect();
        let known = OrganizationFacts { trails, accounts: organization.accounts.keys().cloned().collect() };
        // It says nothing of owners.
        let mut documents = vec![self.shipped(&baseline.owner, &known, KEEPER)];
        let owners = baseline.owners();
        let bound = owners.iter().filter(|owner| **owner != organization.management);
        documents.extend(bound.map(|owner| self.shipped(owner, &known, GUARDRAILS)));
        // Every account that these policies bind, and not only those that are looked into.
        let accounts = organization.accounts.values().filter(|account| account.state.admits_work());
        let chains: Vec<(AccountId, Vec<String>)> = accounts
            .filter(|account| account.id != organization.management)
            .filter(|account| self.chosen.is_empty() || self.chosen.contains(&account.id))
            .map(|account| {
                let parents = account.path.parents().iter().map(ToString::to_string);
                (account.id.clone(), parents.chain([account.id.to_string()]).collect())
            })
            .collect();
        let attached = self.attached(&documents, &chains).await;
        let ours = doctor::protecting(&documents, &attached);
        let mut findings: Vec<Finding> =
            documents.iter().flat_map(|one| doctor::protection(one, &attached, &chains)).collect();
        if owners.contains(&organization.management) {
            let owned = if owners.len() == 1 { "the guardrails" } else { "guardrails" };
            let text =
                format!("the management account owns {owned}: no service control policy protects them");
            findings.push(
                Check::ControlPolicies.at(Place::account(&organization.management)).not_applicable(text),
            );
        }
        self.findings.extend(findings);
        self.hearing.policies = ours;
    }

    fn shipped<'a>(
        &'a self,
        owner: &'a AccountId,
        known: &'a OrganizationFacts,
        (path, text): (&'a str, &'a str),
    ) -> Shipped<'a> {
        Shipped {
            path,
            text,
            hub: self.hub_account(),
            owner,
            function: self.settings.own_roles.function.as_ref().map(|role| &role.name),
            member: &self.settings.member_role,
            // The template names the bus after the stack.
            stack: self.settings.bus.as_deref().and_then(|bus| bus.rsplit('/').next()),
            keys: &self.hearing.keys,
            trails: &known.trails,
            accounts: &known.accounts,
        }
    }

    /// What is attached, from the root down, as far as accounts need it to be protected.
    async fn attached(&self, documents: &[Shipped<'_>], chains: &[(AccountId, Vec<String>)]) -> Attached {
        let mut attached = Attached::new();
        let mut known = BTreeMap::new();
        let depth = chains.iter().map(|(_, chain)| chain.len()).max().unwrap_or_default();
        // The root first, then the OUs in it, and so on; an account itself comes last in its chain. What
        // can't be read isn't known, whatever is attached below it.
        for level in 0..depth {
            let above: BTreeSet<&[String]> =
                chains.iter().filter_map(|(_, chain)| chain.get(..level)).collect();
            let settled = |above: &[String]| {
                above.iter().any(|target| matches!(attached.get(target), Some(Err(_))))
                    || documents.iter().all(|one| doctor::is_protected(one, &attached, above))
            };
            let open: BTreeSet<&[String]> = above.into_iter().filter(|above| !settled(above)).collect();
            let needy = chains
                .iter()
                .filter(|(_, chain)| chain.get(..level).is_some_and(|above| open.contains(above)));
            let targets: BTreeSet<&String> = needy.filter_map(|(_, chain)| chain.get(level)).collect();
            let mut found = Vec::new();
            for target in targets {
                found.push((target.clone(), self.attached_to(target, &mut known).await));
            }
            attached.extend(found);
        }
        attached
    }

    async fn attached_to(
        &self,
        target: &str,
        known: &mut BTreeMap<String, ControlPolicy>,
    ) -> Result<Vec<ControlPolicy>, Failure> {
        let organizations = self.keeper.cloud().organizations();
        let mut policies = Vec::new();
        for (id, name) in organizations.attached_policies(target).await? {
            let policy = match known.get(&id) {
                Some(policy) => policy.clone(),
                None => organizations.control_policy(&id, &name).await?,
            };
            known.insert(id, policy.clone());
            policies.push(policy);
        }
        Ok(policies)
    }
}
