//! The organization: what we are in it, and who administers something for it.

use std::collections::{BTreeMap, BTreeSet};

use super::Doctor;
use guardrail_keeper::engine::{self, Stopped};
use keeper_core::doctor::{self, Check, Finding, Membership};
use keeper_core::failure::Failure;
use keeper_core::ids::AccountId;
use keeper_core::organization::Organization;

impl Doctor<'_> {
    pub(super) async fn organization(&mut self) -> Option<Organization> {
        let organizations = self.keeper.cloud().organizations();
        let unread =
            |failure: &Failure| Check::Organization.whole().unread("the organization isn't known", failure);
        let organization = match engine::whole_organization(self.keeper).await {
            Ok(organization) => organization,
            Err(Stopped::OrganizationUnreadable(failure)) => {
                let todo = "the hub has to be the management account, or an account that may read the organization: \
                            docs/deploy.md, Who deploys to members";
                self.findings.push(Finding { todo: Some(todo.to_owned()), ..unread(&failure) });
                return None;
            }
            Err(stopped) => {
                let failure = Failure::transient("ListAccounts", stopped.to_string());
                self.findings.push(unread(&failure));
                return None;
            }
        };
        self.findings.extend(organization.unplaced.iter().map(|(account, failure)| {
            let what = match account.parse::<AccountId>() {
                Ok(_) => format!("the path of {account} isn't known"),
                Err(_) => format!("{account} can't be checked"),
            };
            Check::Organization.whole().unread(&what, failure)
        }));
        let features = match organizations.features().await {
            Ok(features) => features,
            Err(failure) => {
                self.findings.push(unread(&failure));
                return Some(organization);
            }
        };
        let own = self.own_account().clone();
        let own_is_management = own == organization.management;
        let delegation = if own_is_management {
            Ok(BTreeSet::new())
        } else {
            organizations.delegated_services(&own).await
        };
        let membership = Membership {
            id: organization.id.clone(),
            management: organization.management.clone(),
            features,
            own,
            hub: self.settings.own_roles.function.as_ref().map(|role| role.account.clone()),
        };
        self.sees_stack_sets = own_is_management || doctor::sees_stack_sets(&delegation);
        self.findings.extend(doctor::standing(&membership, &delegation));
        self.delegates().await;
        Some(organization)
    }

    /// Who administers what for the organization.
    async fn delegates(&mut self) {
        let organizations = self.keeper.cloud().organizations();
        let seen = match organizations.delegated_administrators().await {
            Ok(accounts) => {
                let mut seen = BTreeMap::new();
                for account in accounts {
                    let services = organizations.delegated_services(&account).await;
                    seen.insert(account, services);
                }
                Ok(seen)
            }
            Err(failure) => Err(failure),
        };
        let meant = self.arguments.delegate.iter().cloned().collect();
        let hub = self.hub_account().clone();
        self.findings.extend(doctor::delegates(&hub, &meant, &seen));
    }
}
