//! Who writes Bedrock policies, and whether they may.

use super::{Doctor, Ground, hub};
use crate::inspector::Inspector;
use guardrail_keeper::cloud::RoleSeen;
use keeper_core::baseline::Baseline;
use keeper_core::doctor::{self, Trusted};
use keeper_core::failure::Failure;
use keeper_core::ids::RoleName;
use keeper_core::settings::OrganizationAccess;

impl Doctor<'_> {
    /// What the deployed function's settings say of Bedrock policies. `None` where that matters to nobody, or where no
    /// function was found.
    pub(super) async fn deployed_access(
        &mut self,
        baseline: Option<&Baseline>,
        function: Option<&str>,
    ) -> Option<Result<OrganizationAccess, Failure>> {
        let is_role = matches!(self.settings.organization_access, OrganizationAccess::Role(_));
        let is_asked = is_role || baseline.is_some_and(Baseline::has_organization_level);
        let environment = self.own.environment(function.filter(|_| is_asked)?).await;
        self.repairs_policy_type = environment.as_ref().is_ok_and(|environment| {
            environment.get("KEEPER_REPAIR_POLICY_TYPE").is_some_and(|value| value == "yes")
        });
        let access = environment.and_then(|environment| {
            doctor::access_of_function(&environment).map_err(|text| {
                let said =
                    format!("KEEPER_ORGANIZATION_ROLE is {text:?}: neither none, nor own, nor a role's name");
                Failure::rejected("GetFunctionConfiguration", said)
            })
        });
        self.organization_access = access.clone().unwrap_or(OrganizationAccess::None);
        self.hearing.bedrock_policies = self.organization_access != OrganizationAccess::None;
        Some(access)
    }

    /// Judges who writes Bedrock policies.
    pub(super) async fn organization_level(
        &mut self,
        ground: &Ground,
        seen: &hub::HubArns,
        is_enabled: Option<bool>,
    ) {
        let assigns = ground.baseline.has_organization_level();
        let (who, access) = match &seen.organization_access {
            Some(access) => ("the function", access.clone()),
            // Without a function it is this terminal that writes.
            None if assigns && self.settings.queues.is_none() => {
                ("this terminal", Ok(self.settings.organization_access.clone()))
            }
            None => return,
        };
        self.findings.extend(doctor::organization_access(who, assigns, &access, is_enabled));
        match access {
            Ok(OrganizationAccess::Own) if *self.hub_account() != ground.organization.management => {
                let Some(facts) = self.facts(ground, seen) else { return };
                let policy = self.keeper.cloud().organizations().resource_policy().await;
                self.findings.push(doctor::delegated(&facts, &policy));
            }
            Ok(OrganizationAccess::Role(role)) => self.organization_role(ground, seen, &role).await,
            Ok(OrganizationAccess::None | OrganizationAccess::Own) | Err(_) => {}
        }
    }

    /// Judges the role in the management account.
    async fn organization_role(&mut self, ground: &Ground, seen: &hub::HubArns, name: &RoleName) {
        let management = &ground.organization.management;
        let here = doctor::role_at(management);
        if management != self.own_account() && self.arguments.reading.role.is_none() {
            let text = format!("what {name} may do was not checked: it is in the management account");
            let todo = "give --role NAME of a role there that these credentials may assume (deploy/reader-role.yaml \
                        creates one)";
            self.findings.push(if self.arguments.no_members {
                here.not_applicable(text)
            } else {
                here.unknown(text, todo)
            });
            return;
        }
        let session = match self.keeper.cloud().session(management).await {
            Ok(session) => session,
            Err(failure) => {
                self.findings.push(here.unread(format_args!("what {name} may do isn't known"), &failure));
                return;
            }
        };
        let inspector = Inspector::new(&session, self.own.region());
        let role = inspector.role(name).await;
        let trust = role.as_ref().map(|role| role.as_ref().map(|RoleSeen { trust, .. }| trust.clone()));
        let trusted = Trusted {
            function: self.settings.own_roles.function.as_ref(),
            hub: self.hub_account(),
            external_id: self.settings.external_id.as_deref(),
        };
        let trust = trust.map_err(Failure::clone);
        let mut findings = vec![doctor::organization_role(management, name, &trust, trusted)];
        if let (Ok(Some(role)), Some(facts)) = (role, self.facts(ground, seen)) {
            let needs = doctor::of_organization_role(&facts);
            let evaluated = hub::simulate(&inspector, &role.arn, &needs, None).await;
            let todo = "deploy deploy/management.yaml again with OrganizationLevel; if that doesn't help, a permissions \
                        boundary denies it";
            findings.extend(doctor::lacking(&here, name.as_str(), &needs, &evaluated, todo));
        }
        self.findings.extend(findings);
    }
}
