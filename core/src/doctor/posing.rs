//! Roles that bear the name of StackSets' own. The service control policies exempt that name, and freeze whoever has it.

use super::{Check, Finding, Place};
use crate::failure::Failure;
use crate::ids::AccountId;
use crate::trust::others_than_stack_sets;

/// How the name of the role begins that StackSets with service-managed permissions make in each member.
pub const EXECUTION_ROLE: &str = "stacksets-exec-";

/// A role by its ARN and whom it trusts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrustingRole {
    /// Its ARN, with its path.
    pub arn: String,
    /// Its trust policy, as JSON.
    pub trust: String,
}

impl TrustingRole {
    /// Whether the service control policies take it for StackSets': by what follows `:role/`, a path included.
    fn is_exempt(&self) -> bool {
        let resource = self.arn.splitn(6, ':').nth(5).unwrap_or_default();
        resource.strip_prefix("role/").is_some_and(|name| name.starts_with(EXECUTION_ROLE))
    }
}

/// Judges the roles of one member that the policies exempt as StackSets'. One that was made before the policies were
/// attached, or that came with an invited account, may admit anybody.
pub fn posing(
    account: &AccountId,
    management: &AccountId,
    seen: &Result<Vec<TrustingRole>, Failure>,
) -> Vec<Finding> {
    let here = Check::ControlPolicies.at(Place::account(account));
    let roles = match seen {
        Ok(roles) => roles,
        Err(failure) => {
            let what = "it isn't known whether a role poses as StackSets'";
            return vec![here.unread(what, failure)];
        }
    };
    let posing = roles.iter().filter(|role| role.is_exempt()).filter_map(|role| {
        let others = match others_than_stack_sets(&role.trust, management) {
            Ok(others) => others.join(", "),
            Err(problem) => problem.to_string(),
        };
        (!others.is_empty()).then(|| {
            let text = format!(
                "a role has the name of StackSets' own, which the service control policies exempt, and trusts others: \
                 {others}"
            );
            let todo = "find out who made it; delete it as docs/deploy.md says (Before you attach them)";
            here.problem(text, todo).detailed(&role.arn)
        })
    });
    let found: Vec<Finding> = posing.collect();
    if found.is_empty() {
        let text = "no role poses as StackSets'";
        return vec![here.ok(text)];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(roles: &[(&str, &str)]) -> Vec<String> {
        let role = |(name, trusts): &(&str, &str)| TrustingRole {
            arn: format!("arn:aws:iam::300000000001:role/{name}"),
            trust: format!(r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{trusts}"}}}}]}}"#),
        };
        let seen = Ok(roles.iter().map(role).collect());
        let found = posing(&"300000000001".parse().unwrap(), &"111111111111".parse().unwrap(), &seen);
        let told =
            |one: &Finding| format!("{:?} {}", one.outcome, one.detail.as_deref().unwrap_or(&one.text));
        found.iter().map(told).collect()
    }

    #[test]
    fn a_role_that_the_policies_take_for_stack_sets_and_others_may_become_is_a_problem() {
        let ours =
            "arn:aws:iam::111111111111:role/aws-service-role/stacksets.cloudformation.amazonaws.com/Any";
        let former = ours.replace("111111111111", "999999999999");
        let root = "arn:aws:iam::300000000001:root";
        let good = "Ok no role poses as StackSets'";
        assert_eq!(told(&[]), [good]);
        assert_eq!(told(&[("stacksets-exec-1", ours)]), [good]);
        // What isn't exempt may trust whom it wants.
        for name in ["Admin", "x/stacksets-exec-1", "StackSets-exec-1", "astacksets-exec-1"] {
            assert_eq!(told(&[(name, root)]), [good], "{name}");
        }
        // The role of the organization that an invited account comes from is another's, too.
        for (name, trusts) in [
            ("stacksets-exec-1", root),
            ("stacksets-exec-1", former.as_str()),
            ("stacksets-exec-of-ours/Anything", root),
        ] {
            let expected = format!("Problem arn:aws:iam::300000000001:role/{name}");
            assert_eq!(told(&[("stacksets-exec-2", ours), (name, trusts)]), [expected], "{name} {trusts}");
        }
    }

    #[test]
    fn roles_that_cannot_be_read_are_not_known() {
        let failure = Err(Failure::rejected("ListRoles", "no"));
        let found = posing(&"300000000001".parse().unwrap(), &"111111111111".parse().unwrap(), &failure);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].outcome, crate::doctor::Outcome::Unknown);
        let seen = Ok(vec![TrustingRole {
            arn: "arn:aws:iam::300000000001:role/stacksets-exec-1".to_owned(),
            trust: "nonsense".to_owned(),
        }]);
        let found = posing(&"300000000001".parse().unwrap(), &"111111111111".parse().unwrap(), &seen);
        assert_eq!(found[0].outcome, crate::doctor::Outcome::Problem);
    }
}
