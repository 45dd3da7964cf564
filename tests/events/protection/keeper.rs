//! `deploy/protect-keeper.scp.json`: what each statement stops and what it lets through.

use super::*;

const STACK_ACTIONS: [&str; 9] = [
    "cloudformation:CancelUpdateStack",
    "cloudformation:ContinueUpdateRollback",
    "cloudformation:CreateChangeSet",
    "cloudformation:DeleteStack",
    "cloudformation:ExecuteChangeSet",
    "cloudformation:RollbackStack",
    "cloudformation:SetStackPolicy",
    "cloudformation:UpdateStack",
    "cloudformation:UpdateTerminationProtection",
];

const STACK_SET_ACTIONS: [&str; 7] = [
    "cloudformation:CreateStackInstances",
    "cloudformation:CreateStackSet",
    "cloudformation:DeleteStackInstances",
    "cloudformation:DeleteStackSet",
    "cloudformation:ImportStacksToStackSet",
    "cloudformation:UpdateStackInstances",
    "cloudformation:UpdateStackSet",
];

const RULE_ACTIONS: [&str; 5] = [
    "events:DeleteRule",
    "events:DisableRule",
    "events:PutRule",
    "events:PutTargets",
    "events:RemoveTargets",
];

const TRAIL_ACTIONS: [&str; 4] = [
    "cloudtrail:DeleteTrail",
    "cloudtrail:PutEventSelectors",
    "cloudtrail:StopLogging",
    "cloudtrail:UpdateTrail",
];

const POLICY_ACTIONS: [&str; 4] = [
    "organizations:DeletePolicy",
    "organizations:DetachPolicy",
    "organizations:DisablePolicyType",
    "organizations:UpdatePolicy",
];

const ENFORCEMENT: [&str; 2] =
    ["bedrock:PutEnforcedGuardrailConfiguration", "bedrock:DeleteEnforcedGuardrailConfiguration"];

pub(super) fn about_enforcement() -> Case {
    Case {
        sid: "OnlyTheKeeperChangesEnforcement",
        stops: [
            each(&administrator(MEMBER), &ENFORCEMENT, &["*"]),
            each(&format!("{MEMBER}/root"), &ENFORCEMENT, &["*"]),
            each(&administrator(HUB), &ENFORCEMENT, &["*"]),
            each(&administrator(OWNER), &ENFORCEMENT, &["*"]),
            // Neither of the names counts in another place than its own.
            each(&format!("{MEMBER}/GuardrailKeeper"), &ENFORCEMENT, &["*"]),
            each(&format!("{MEMBER}/path/GuardrailKeeperMember"), &ENFORCEMENT, &["*"]),
            each(&format!("{MEMBER}/guardrailkeepermember"), &ENFORCEMENT, &["*"]),
            each(&format!("{HUB}/path/GuardrailKeeper"), &ENFORCEMENT, &["*"]),
            // What deploys to members has no business with what is enforced there.
            each(&format!("{MEMBER}/{STACK_SETS}"), &ENFORCEMENT, &["*"]),
            each(&format!("{MEMBER}/OrganizationAccountAccessRole"), &ENFORCEMENT, &["*"]),
            each(&format!("{MEMBER}/AWSControlTowerExecution"), &ENFORCEMENT, &["*"]),
        ]
        .concat(),
        lets: [
            each(&format!("{MEMBER}/GuardrailKeeperMember"), &ENFORCEMENT, &["*"]),
            each(&format!("{HUB}/GuardrailKeeper"), &ENFORCEMENT, &["*"]),
            each(&administrator(MEMBER), &["bedrock:ListEnforcedGuardrailsConfiguration"], &["*"]),
            each(&administrator(MEMBER), &["bedrock:InvokeModel", "bedrock:ApplyGuardrail"], &["*"]),
        ]
        .concat(),
    }
}

pub(super) fn about_named_roles() -> Case {
    let named = [
        role(MEMBER, "GuardrailKeeperMember"),
        role(MEMBER, "path/GuardrailKeeperMember"),
        role(MEMBER, "GuardrailKeeperForwarder"),
        role(MEMBER, "a/longer/path/GuardrailKeeperForwarder"),
    ];
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    let deployer = [role(HUB, "GuardrailKeeperDeployer"), role(HUB, "path/GuardrailKeeperDeployer")];
    let deployer: Vec<&str> = deployer.iter().map(String::as_str).collect();
    let security = [role(SECURITY, "SecurityAdministrator"), role(SECURITY, "path/SecurityAdministrator")];
    let security: Vec<&str> = security.iter().map(String::as_str).collect();
    let own = role(MEMBER, "Own");
    let longer = role(MEMBER, "GuardrailKeeperMemberOfOurs");
    let elsewhere = role(MEMBER, "SecurityAdministrator");
    Case {
        sid: "OnlyStackSetsChangeTheNamedRoles",
        stops: [
            each(&administrator(MEMBER), &ROLE_ACTIONS, &named),
            each(&format!("{MEMBER}/root"), &ROLE_ACTIONS, &named),
            each(&format!("{MEMBER}/GuardrailKeeperMember"), &ROLE_ACTIONS, &named),
            each(&administrator(HUB), &ROLE_ACTIONS, &deployer),
            each(&administrator(SECURITY), &ROLE_ACTIONS, &security),
            // The name of what is exempt, in another place.
            each(&format!("{MEMBER}/path/{STACK_SETS}"), &["iam:PutRolePolicy"], &named),
        ]
        .concat(),
        lets: [
            each(&format!("{MEMBER}/{STACK_SETS}"), &ROLE_ACTIONS, &named),
            each(&administrator(MEMBER), &ROLE_ACTIONS, &[&own, &longer, &elsewhere]),
            each(&administrator(MEMBER), &["iam:GetRole", "iam:ListRolePolicies"], &named),
            each(&format!("{HUB}/GuardrailKeeper"), &["sts:AssumeRole"], &named),
        ]
        .concat(),
    }
}

pub(super) fn about_posing() -> Case {
    let posing = [role(MEMBER, STACK_SETS), role(MEMBER, &format!("path/{STACK_SETS}"))];
    let posing: Vec<&str> = posing.iter().map(String::as_str).collect();
    // Whatever is in a path of this beginning would be exempt, too.
    let beneath = role(MEMBER, "stacksets-exec-of-ours/Anything");
    let to_be = [&ROLE_ACTIONS[..], &["sts:AssumeRole"]].concat();
    let for_self_managed = role(MEMBER, "AWSCloudFormationStackSetExecutionRole");
    Case {
        sid: "NobodyPosesAsStackSets",
        stops: [
            each(&administrator(MEMBER), &to_be, &posing),
            each(&administrator(MEMBER), &to_be, &[&beneath]),
            each(&format!("{MEMBER}/{STACK_SETS}"), &to_be, &posing),
        ]
        .concat(),
        lets: [
            // StackSets make the role, and become it, by roles that no such policy binds.
            each(
                &format!(
                    "{MEMBER}/aws-service-role/member.org.stacksets.cloudformation.amazonaws.com/\
                     AWSServiceRoleForCloudFormationStackSetsOrgMember"
                ),
                &to_be,
                &posing,
            ),
            each(&format!("{MANAGEMENT}/Anybody"), &["sts:AssumeRole"], &posing),
            each(&administrator(MEMBER), &to_be, &[&for_self_managed]),
            each(&administrator(MEMBER), &["iam:GetRole"], &posing),
        ]
        .concat(),
    }
}

pub(super) fn about_rules() -> Case {
    let rule = format!("arn:aws:events:eu-west-1:{MEMBER}:rule/guardrail-keeper-guardrail-changed");
    let bus = format!("arn:aws:events:eu-west-1:{MEMBER}:event-bus/default");
    let own = format!("arn:aws:events:eu-west-1:{MEMBER}:rule/own");
    let own_bus = format!("arn:aws:events:eu-west-1:{MEMBER}:event-bus/own");
    // What the hub's stack makes bears the stack's name.
    let of_the_hub = format!("arn:aws:events:us-east-1:{HUB}:rule/guardrail-keeper-BaselineChanged-ABC");
    let with_bus = [&RULE_ACTIONS[..], &["events:UpdateEventBus"]].concat();
    Case {
        sid: "OnlyStackSetsChangeTheRules",
        stops: [
            each(&administrator(MEMBER), &RULE_ACTIONS, &[&rule]),
            each(&format!("{MEMBER}/root"), &RULE_ACTIONS, &[&rule]),
            each(&administrator(MEMBER), &["events:UpdateEventBus"], &[&bus]),
            each(&administrator(HUB), &RULE_ACTIONS, &[&of_the_hub]),
        ]
        .concat(),
        lets: [
            each(&format!("{MEMBER}/{STACK_SETS}"), &RULE_ACTIONS, &[&rule]),
            each(&format!("{HUB}/GuardrailKeeperDeployer"), &RULE_ACTIONS, &[&of_the_hub]),
            each(&administrator(MEMBER), &with_bus, &[&own, &own_bus]),
            each(&administrator(MEMBER), &["events:PutEvents", "events:PutPermission"], &[&bus]),
            each(&administrator(MEMBER), &["events:DescribeRule", "events:EnableRule"], &[&rule]),
        ]
        .concat(),
    }
}

pub(super) fn about_stacks() -> Case {
    let id = "0a1b2c3d-0000-1111-2222-333344445555";
    let stack = |name: &str| format!("arn:aws:cloudformation:eu-west-1:{MEMBER}:stack/{name}/{id}");
    let ours = stack(&format!("StackSet-guardrail-keeper-member-role-{id}"));
    let rules = stack(&format!("StackSet-guardrail-keeper-member-rules-{id}"));
    let of_stack_sets = stack("stacksets-exec-role-stack-0123456789abcdef");
    let others = stack(&format!("StackSet-baseline-{id}"));
    let own = stack("own");
    let stacks = [ours.as_str(), &rules, &of_stack_sets];
    Case {
        sid: "OnlyStackSetsChangeTheirStacks",
        stops: [
            each(&administrator(MEMBER), &STACK_ACTIONS, &stacks),
            each(&format!("{MEMBER}/root"), &STACK_ACTIONS, &stacks),
        ]
        .concat(),
        lets: [
            each(&format!("{MEMBER}/{STACK_SETS}"), &STACK_ACTIONS, &[&ours, &rules]),
            each(&administrator(MEMBER), &STACK_ACTIONS, &[&own, &others]),
            each(&administrator(MEMBER), &["cloudformation:CreateStack"], &[&own]),
            each(&administrator(MEMBER), &["cloudformation:DescribeStacks"], &stacks),
        ]
        .concat(),
    }
}

pub(super) fn about_the_functions_role() -> Case {
    let roles = [role(HUB, "GuardrailKeeper"), role(HUB, "path/GuardrailKeeper")];
    let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
    let own = role(HUB, "Own");
    let elsewhere = role(MEMBER, "GuardrailKeeper");
    Case {
        sid: "OnlyTheDeployerChangesTheFunctionsRole",
        stops: [
            each(&administrator(HUB), &ROLE_ACTIONS, &roles),
            each(&format!("{HUB}/GuardrailKeeper"), &ROLE_ACTIONS, &roles),
            each(&format!("{MEMBER}/GuardrailKeeperDeployer"), &ROLE_ACTIONS, &roles),
            each(&format!("{HUB}/{STACK_SETS}"), &ROLE_ACTIONS, &roles),
        ]
        .concat(),
        lets: [
            each(&format!("{HUB}/GuardrailKeeperDeployer"), &ROLE_ACTIONS, &roles),
            each(&administrator(HUB), &ROLE_ACTIONS, &[&own]),
            // A namesake elsewhere is trusted by nobody.
            each(&administrator(MEMBER), &ROLE_ACTIONS, &[&elsewhere]),
            each(&administrator(HUB), &["iam:GetRole", "iam:SimulatePrincipalPolicy"], &roles),
        ]
        .concat(),
    }
}

pub(super) fn about_becoming_deployer_or_administrator() -> Case {
    let assume = ["sts:AssumeRole"];
    let (deployer, security) =
        (role(HUB, "GuardrailKeeperDeployer"), role(SECURITY, "SecurityAdministrator"));
    let both = [deployer.as_str(), &security];
    let of_identity_center = |account: &str, set: &str| {
        format!("{account}/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_{set}_0123456789abcdef")
    };
    let elsewhere = [role(MEMBER, "GuardrailKeeperDeployer"), role(HUB, "Own"), role(HUB, "GuardrailKeeper")];
    let elsewhere: Vec<&str> = elsewhere.iter().map(String::as_str).collect();
    Case {
        sid: "OnlyNamedPeopleBecomeTheseTwo",
        stops: [
            each(&administrator(HUB), &assume, &both),
            each(&administrator(SECURITY), &assume, &both),
            each(&administrator(MEMBER), &assume, &both),
            each(&format!("{HUB}/{STACK_SETS}"), &assume, &both),
            each(&of_identity_center(HUB, "AdministratorAccess"), &assume, &both),
            // The permission set's name, in a role of the account's own.
            each(&format!("{HUB}/AWSReservedSSO_GuardrailKeeperDeployer_0123456789abcdef"), &assume, &both),
        ]
        .concat(),
        lets: [
            each(&of_identity_center(HUB, "GuardrailKeeperDeployer"), &assume, &[&deployer]),
            each(&of_identity_center(SECURITY, "SecurityAdministrator"), &assume, &[&security]),
            each(&format!("{MANAGEMENT}/Administrator"), &assume, &both),
            each(&administrator(HUB), &assume, &elsewhere),
            each(&administrator(HUB), &["iam:GetRole"], &both),
        ]
        .concat(),
    }
}

pub(super) fn about_stack_sets() -> Case {
    let of_the_hub =
        format!("arn:aws:cloudformation:us-east-1:{MANAGEMENT}:stackset/guardrail-keeper-owner:1");
    Case {
        sid: "OnlyTheDeployerUsesStackSetsInTheHub",
        stops: [
            each(&administrator(HUB), &STACK_SET_ACTIONS, &["*", &of_the_hub]),
            each(&format!("{HUB}/Pipeline"), &STACK_SET_ACTIONS, &["*"]),
            each(&format!("{HUB}/path/GuardrailKeeperDeployer"), &STACK_SET_ACTIONS, &["*"]),
        ]
        .concat(),
        lets: [
            each(&format!("{HUB}/GuardrailKeeperDeployer"), &STACK_SET_ACTIONS, &["*", &of_the_hub]),
            each(&administrator(MEMBER), &STACK_SET_ACTIONS, &["*"]),
            each(&administrator(HUB), &["cloudformation:DescribeStackSet"], &[&of_the_hub]),
            each(&administrator(HUB), &["cloudformation:ListStackInstances"], &[&of_the_hub]),
        ]
        .concat(),
    }
}

pub(super) fn about_trails() -> Case {
    let trail = |account: &str, name: &str| format!("arn:aws:cloudtrail:us-east-1:{account}:trail/{name}");
    let (in_a_member, central) = (trail(MEMBER, "organization"), trail(SECURITY, "organization"));
    let own = trail(MEMBER, "own");
    Case {
        sid: "OnlyTheSecurityAdministratorChangesTheTrail",
        stops: [
            each(&administrator(MEMBER), &TRAIL_ACTIONS, &[&in_a_member]),
            each(&format!("{MEMBER}/root"), &TRAIL_ACTIONS, &[&in_a_member]),
            each(&administrator(SECURITY), &TRAIL_ACTIONS, &[&central]),
            each(&format!("{MEMBER}/SecurityAdministrator"), &TRAIL_ACTIONS, &[&in_a_member]),
        ]
        .concat(),
        lets: [
            each(&format!("{SECURITY}/SecurityAdministrator"), &TRAIL_ACTIONS, &[&central]),
            each(&format!("{MEMBER}/{STACK_SETS}"), &TRAIL_ACTIONS, &[&in_a_member]),
            each(&administrator(MEMBER), &TRAIL_ACTIONS, &[&own]),
            each(&administrator(MEMBER), &["cloudtrail:CreateTrail"], &[&own]),
            each(&administrator(MEMBER), &["cloudtrail:GetTrailStatus"], &[&in_a_member]),
        ]
        .concat(),
    }
}

pub(super) fn about_policies() -> Case {
    let policy =
        format!("arn:aws:organizations::{MANAGEMENT}:policy/o-exampleorgid/service_control_policy/p-1");
    let of_type = |requests: Vec<Request>, kind: &str| -> Vec<Request> {
        requests.into_iter().map(|request| request.with("organizations:PolicyType", &[kind])).collect()
    };
    let ours = |who: &str| of_type(each(who, &POLICY_ACTIONS, &[&policy]), "SERVICE_CONTROL_POLICY");
    let tags = policy.replace("service_control_policy", "tag_policy");
    Case {
        sid: "OnlyTheSecurityAdministratorLiftsPolicies",
        stops: [
            ours(&administrator(SECURITY)),
            ours(&format!("{SECURITY}/Pipeline")),
            ours(&format!("{MEMBER}/SecurityAdministrator")),
        ]
        .concat(),
        lets: [
            ours(&format!("{SECURITY}/SecurityAdministrator")),
            ours(&format!("{MANAGEMENT}/Administrator")),
            of_type(each(&administrator(SECURITY), &POLICY_ACTIONS, &[&tags]), "TAG_POLICY"),
            of_type(
                each(
                    &administrator(SECURITY),
                    &["organizations:AttachPolicy", "organizations:ListPolicies"],
                    &[&policy],
                ),
                "SERVICE_CONTROL_POLICY",
            ),
        ]
        .concat(),
    }
}

pub(super) fn about_leaving() -> Case {
    let leaving = ["account:CloseAccount", "organizations:LeaveOrganization"];
    Case {
        sid: "NobodyLeavesOrCloses",
        stops: [administrator(MEMBER), format!("{MEMBER}/root"), administrator(OWNER), administrator(HUB)]
            .iter()
            .flat_map(|who| each(who, &leaving, &["*"]))
            .collect(),
        lets: [
            each(
                &format!("{MANAGEMENT}/Administrator"),
                &["organizations:RemoveAccountFromOrganization", "organizations:CloseAccount"],
                &["*"],
            ),
            each(&administrator(MEMBER), &["account:EnableRegion", "account:PutContactInformation"], &["*"]),
            each(&administrator(MEMBER), &["organizations:DescribeOrganization"], &["*"]),
        ]
        .concat(),
    }
}
