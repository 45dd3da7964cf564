//! IAM: who is there, and what each would be allowed.

use std::collections::BTreeSet;

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};

use super::Inspector;
use guardrail_keeper::cloud::{RoleSeen, failure};
use keeper_core::callers::Principal;
use keeper_core::doctor::TrustingRole;
use keeper_core::failure::Failure;
use keeper_core::ids::RoleName;
use keeper_core::simulation::{Evaluated, SimulatedDecision};

/// How many resources one simulation asks about. How many IAM takes isn't documented.
const RESOURCES: usize = 50;

impl Inspector {
    fn iam(&self) -> aws_sdk_iam::Client {
        let config = aws_sdk_iam::config::Builder::from(&self.sdk());
        aws_sdk_iam::Client::from_conf(config.retry_partition(self.session.retries().clone()).build())
    }

    /// A role of the account; `None` where no role has that name.
    ///
    /// # Errors
    /// When IAM can't be read.
    pub async fn role(&self, name: &RoleName) -> Result<Option<RoleSeen>, Failure> {
        self.session.role(name, Some(&self.region)).await
    }

    /// The roles of the account whose names begin so, in any path, or whose path does.
    ///
    /// # Errors
    /// When a page can't be read: half a list counts for nothing.
    pub async fn roles_beginning(&self, prefix: &str) -> Result<Vec<TrustingRole>, Failure> {
        let client = self.iam();
        let mut roles = Vec::new();
        let mut pages = client.list_roles().into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failure("ListRoles", &error))?;
            let begins = |role: &&aws_sdk_iam::types::Role| {
                role.role_name().starts_with(prefix)
                    || role.path().trim_start_matches('/').starts_with(prefix)
            };
            roles.extend(page.roles().iter().filter(begins).map(RoleSeen::of));
        }
        Ok(roles.into_iter().map(|RoleSeen { arn, trust }| TrustingRole { arn, trust }).collect())
    }

    /// Every role and user of the account.
    ///
    /// # Errors
    /// When a page can't be read: half a list counts for nothing.
    pub async fn principals(&self) -> Result<Vec<Principal>, Failure> {
        let client = self.iam();
        let roles = client.list_roles().into_paginator().items().send().try_collect().await;
        let roles = roles.map_err(|error| failure("ListRoles", &error))?;
        let users = client.list_users().into_paginator().items().send().try_collect().await;
        let users = users.map_err(|error| failure("ListUsers", &error))?;
        let roles = roles.iter().map(|role| principal(role.arn(), role.path()));
        Ok(roles.chain(users.iter().map(|user| principal(user.arn(), user.path()))).collect())
    }

    /// Simulates actions of a role or user of the account on resources, in this Region.
    ///
    /// # Errors
    /// When not all of it can be read.
    pub async fn simulate(
        &self,
        principal: &str,
        actions: &[&str],
        resources: &[String],
        context: &[(&str, &str)],
    ) -> Result<Vec<Evaluated>, Failure> {
        let mut evaluated = Vec::new();
        for some in resources.chunks(RESOURCES) {
            evaluated.extend(self.simulate_some(principal, actions, some, context).await?);
        }
        Ok(evaluated)
    }

    async fn simulate_some(
        &self,
        principal: &str,
        actions: &[&str],
        resources: &[String],
        context: &[(&str, &str)],
    ) -> Result<Vec<Evaluated>, Failure> {
        const OPERATION: &str = "SimulatePrincipalPolicy";
        let region = self.region.to_string();
        let mut entries = vec![
            entry("aws:RequestedRegion", &region, ContextKeyTypeEnum::String),
            entry("aws:SecureTransport", "true", ContextKeyTypeEnum::Boolean),
        ];
        entries.extend(context.iter().map(|(key, value)| {
            // The one key with several values that we give.
            let several = *key == "events:source";
            let kind = if several { ContextKeyTypeEnum::StringList } else { ContextKeyTypeEnum::String };
            entry(key, value, kind)
        }));
        let request = self.iam().simulate_principal_policy().policy_source_arn(principal);
        let request = request
            .set_action_names(Some(actions.iter().map(|action| (*action).to_owned()).collect()))
            .set_resource_arns(Some(resources.to_vec()))
            .set_context_entries(Some(entries));
        let results = request.into_paginator().items().send().try_collect().await;
        let results = results.map_err(|error| failure(OPERATION, &error))?;
        Ok(results.iter().flat_map(read).collect())
    }
}

fn principal(arn: &str, path: &str) -> Principal {
    Principal { arn: arn.to_owned(), path: path.to_owned() }
}

fn entry(key: &str, value: &str, kind: ContextKeyTypeEnum) -> ContextEntry {
    ContextEntry::builder().context_key_name(key).context_key_type(kind).context_key_values(value).build()
}

/// One result is for one resource; where it is for several, it says so of each.
fn read(result: &EvaluationResult) -> Vec<Evaluated> {
    let of = |resource: &str, decision, details: Option<_>, missing: &[String], boundary: Option<bool>| {
        let details: Option<&std::collections::HashMap<String, PolicyEvaluationDecisionType>> = details;
        let details = details.into_iter().flatten();
        Evaluated {
            action: result.eval_action_name().to_owned(),
            resource: resource.to_owned(),
            decision: meant(decision),
            details: details.map(|(kind, decision)| (kind.clone(), meant(decision))).collect(),
            by_organization: result
                .organizations_decision_detail()
                .map(aws_sdk_iam::types::OrganizationsDecisionDetail::allowed_by_organizations),
            by_boundary: boundary,
            missing_keys: result
                .missing_context_values()
                .iter()
                .chain(missing)
                .cloned()
                .collect::<BTreeSet<_>>(),
        }
    };
    let boundary = |detail: Option<&aws_sdk_iam::types::PermissionsBoundaryDecisionDetail>| {
        detail.map(aws_sdk_iam::types::PermissionsBoundaryDecisionDetail::allowed_by_permissions_boundary)
    };
    let whole = boundary(result.permissions_boundary_decision_detail());
    let each = result.resource_specific_results();
    if each.is_empty() {
        let resource = result.eval_resource_name().unwrap_or("*");
        return vec![of(resource, result.eval_decision(), result.eval_decision_details(), &[], whole)];
    }
    each.iter()
        .map(|one| {
            // A member that only the whole answer has counts for every part.
            let details = one.eval_decision_details().filter(|details| !details.is_empty());
            let details = details.or_else(|| result.eval_decision_details());
            let boundary = boundary(one.permissions_boundary_decision_detail()).or(whole);
            let decision = one.eval_resource_decision();
            of(one.eval_resource_name(), decision, details, one.missing_context_values(), boundary)
        })
        .collect()
}

fn meant(decision: &PolicyEvaluationDecisionType) -> SimulatedDecision {
    match decision {
        PolicyEvaluationDecisionType::Allowed => SimulatedDecision::Allowed,
        PolicyEvaluationDecisionType::ImplicitDeny => SimulatedDecision::Implicit,
        // A word that AWS added since is no permission.
        _ => SimulatedDecision::Explicit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_iam::types::ResourceSpecificResult;

    #[test]
    fn a_result_for_several_resources_is_one_for_each() {
        let one = |resource: &str, decision| {
            ResourceSpecificResult::builder()
                .eval_resource_name(resource)
                .eval_resource_decision(decision)
                .missing_context_values("aws:SourceVpce")
                .build()
                .unwrap()
        };
        let result = EvaluationResult::builder()
            .eval_action_name("bedrock:InvokeModel")
            .eval_decision(PolicyEvaluationDecisionType::Allowed)
            .eval_decision_details("IAM Policy", PolicyEvaluationDecisionType::Allowed)
            .resource_specific_results(one("a", PolicyEvaluationDecisionType::ImplicitDeny))
            .resource_specific_results(one("b", PolicyEvaluationDecisionType::from("someNewWord")))
            .build()
            .unwrap();
        let evaluated = read(&result);
        let said: Vec<(&str, SimulatedDecision)> =
            evaluated.iter().map(|one| (one.resource.as_str(), one.decision)).collect();
        assert_eq!(said, [("a", SimulatedDecision::Implicit), ("b", SimulatedDecision::Explicit)]);
        assert!(evaluated.iter().all(|one| one.missing_keys.contains("aws:SourceVpce")));
        assert_eq!(evaluated[0].details["IAM Policy"], SimulatedDecision::Allowed);
    }
}
