//! Attacks that service control policies have to end.

use super::*;

/// Attacks of more than one step. One step that is stopped ends them.
fn attacks() -> Vec<(&'static str, Vec<Request>)> {
    let author = role(OWNER, "GuardrailAuthor");
    let as_author = format!("{OWNER}/GuardrailAuthor");
    let member_role = role(MEMBER, "GuardrailKeeperMember");
    let stack =
        format!("arn:aws:cloudformation:eu-west-1:{MEMBER}:stack/StackSet-guardrail-keeper-member-role-1/2");
    let trail = format!("arn:aws:cloudtrail:us-east-1:{MEMBER}:trail/organization");
    let key = format!("arn:aws:kms:eu-west-1:{OWNER}:key/{KEY}");
    let policy =
        format!("arn:aws:organizations::{MANAGEMENT}:policy/o-exampleorgid/service_control_policy/p-1");
    let (owner, member, hub) = (administrator(OWNER), administrator(MEMBER), administrator(HUB));
    let on_the_role = |action: &str| asks(&member, action, &role(MEMBER, STACK_SETS));
    let one = |who: &str, action: &str, resource: &str| vec![asks(who, action, resource)];
    vec![
        (
            "the owner's administrator makes the author trust itself",
            vec![
                asks(&owner, "iam:UpdateAssumeRolePolicy", &author),
                asks(&owner, "sts:AssumeRole", &author),
                asks(&as_author, "bedrock:DeleteGuardrail", GUARDRAIL),
            ],
        ),
        (
            "the owner's administrator makes the author's role, which doesn't exist yet",
            vec![
                asks(&owner, "iam:CreateRole", &author),
                asks(&owner, "iam:AttachRolePolicy", &author),
                asks(&as_author, "bedrock:PutResourcePolicy", GUARDRAIL),
            ],
        ),
        (
            "the author's trust names the whole account",
            vec![
                asks(&owner, "sts:AssumeRole", &author),
                asks(&as_author, "bedrock:UpdateGuardrail", GUARDRAIL),
            ],
        ),
        (
            "the owner's administrator has a function of its own run as the author",
            vec![
                asks(&owner, "iam:PassRole", &author),
                asks(&as_author, "bedrock:DeleteGuardrail", GUARDRAIL),
            ],
        ),
        (
            "somebody publishes the author's draft under the number that is announced",
            one(&owner, "bedrock:CreateGuardrailVersion", GUARDRAIL),
        ),
        ("somebody gives a name to a second guardrail", one(&owner, "bedrock:CreateGuardrail", "*")),
        (
            "a new account's administrator occupies the member role's name in a path",
            one(&member, "iam:CreateRole", &role(MEMBER, "x/GuardrailKeeperMember")),
        ),
        (
            "a new account's administrator occupies the forwarder's name in a path",
            one(&member, "iam:CreateRole", &role(MEMBER, "x/y/GuardrailKeeperForwarder")),
        ),
        ("a member leaves the organization", one(&member, "organizations:LeaveOrganization", "*")),
        ("the owner leaves the organization", one(&owner, "organizations:LeaveOrganization", "*")),
        ("the owner's account is closed", one(&owner, "account:CloseAccount", "*")),
        ("a member stops the trail", one(&member, "cloudtrail:StopLogging", &trail)),
        ("a member deletes the trail", one(&member, "cloudtrail:DeleteTrail", &trail)),
        ("a member empties the trail", one(&member, "cloudtrail:PutEventSelectors", &trail)),
        ("a member turns the trail away", one(&member, "cloudtrail:UpdateTrail", &trail)),
        ("the guardrails' key is disabled", one(&owner, "kms:DisableKey", &key)),
        ("the guardrails' key is deleted", one(&owner, "kms:ScheduleKeyDeletion", &key)),
        ("the guardrails' key shuts members out", one(&owner, "kms:PutKeyPolicy", &key)),
        ("a grant on the guardrails' key is revoked", one(&owner, "kms:RevokeGrant", &key)),
        ("a member deletes StackSets' role", vec![on_the_role("iam:DeleteRole")]),
        ("a member takes away StackSets' permissions", vec![on_the_role("iam:DetachRolePolicy")]),
        ("a member takes away StackSets' own policy", vec![on_the_role("iam:DeleteRolePolicy")]),
        ("a member limits StackSets' role", vec![on_the_role("iam:PutRolePermissionsBoundary")]),
        ("a member shortens StackSets' sessions", vec![on_the_role("iam:UpdateRole")]),
        ("a member passes StackSets' role on", vec![on_the_role("iam:PassRole")]),
        ("a member operates StackSets' stack", one(&member, "cloudformation:UpdateStack", &stack)),
        ("a member executes a change of the stack", one(&member, "cloudformation:ExecuteChangeSet", &stack)),
        (
            "a member rolls the stack on with another role",
            one(&member, "cloudformation:ContinueUpdateRollback", &stack),
        ),
        (
            "a member puts its bus under a key of its own and disables that",
            one(
                &member,
                "events:UpdateEventBus",
                &format!("arn:aws:events:eu-west-1:{MEMBER}:event-bus/default"),
            ),
        ),
        (
            "a member deletes the keeper's copy",
            vec![
                asks(&member, "bedrock:DeleteGuardrail", OF_A_MEMBER)
                    .with("aws:ResourceTag/guardrail-keeper:source", &[GUARDRAIL]),
            ],
        ),
        (
            "somebody of the hub makes a StackSet of administrators",
            vec![
                asks(&hub, "cloudformation:CreateStackSet", "*"),
                asks(&hub, "cloudformation:CreateStackInstances", "*"),
            ],
        ),
        (
            "the deployer's trust names the whole account",
            vec![
                asks(&hub, "sts:AssumeRole", &role(HUB, "GuardrailKeeperDeployer")),
                asks(&format!("{HUB}/GuardrailKeeperDeployer"), "cloudformation:CreateStackSet", "*"),
            ],
        ),
        (
            "the security administrator's trust names the whole account",
            vec![
                asks(&administrator(SECURITY), "sts:AssumeRole", &role(SECURITY, "SecurityAdministrator")),
                asks(&format!("{SECURITY}/SecurityAdministrator"), "organizations:DetachPolicy", &policy)
                    .with("organizations:PolicyType", &["SERVICE_CONTROL_POLICY"]),
            ],
        ),
        (
            "somebody of the hub has another function run as the keeper",
            vec![asks(&hub, "iam:PassRole", &role(HUB, "GuardrailKeeper"))],
        ),
        (
            "the former hub's administrator makes the function's role anew",
            vec![
                asks(&hub, "iam:CreateRole", &role(HUB, "GuardrailKeeper")),
                asks(&format!("{HUB}/GuardrailKeeper"), "sts:AssumeRole", &member_role),
            ],
        ),
        (
            "a delegated administrator of policies takes the protection away",
            vec![
                asks(&format!("{SECURITY}/Pipeline"), "organizations:DetachPolicy", &policy)
                    .with("organizations:PolicyType", &["SERVICE_CONTROL_POLICY"]),
            ],
        ),
    ]
}

#[test]
fn no_attack_gets_to_its_end() {
    let statements = statements();
    let through: Vec<&str> = attacks()
        .iter()
        .filter(|(_, steps)| !steps.iter().any(|step| stopped(&statements, step)))
        .map(|(attack, _)| *attack)
        .collect();
    assert_eq!(through, [""; 0]);
}
