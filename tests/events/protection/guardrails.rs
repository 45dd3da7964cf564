//! `deploy/protect-guardrails.scp.json`: what each statement stops and what it lets through.

use super::*;

const GUARDRAIL_ACTIONS: [&str; 5] = [
    "bedrock:CreateGuardrailVersion",
    "bedrock:DeleteGuardrail",
    "bedrock:TagResource",
    "bedrock:UntagResource",
    "bedrock:UpdateGuardrail",
];

const GRANT_ACTIONS: [&str; 2] = ["bedrock:DeleteResourcePolicy", "bedrock:PutResourcePolicy"];

const KEY_ACTIONS: [&str; 5] = [
    "kms:DeleteImportedKeyMaterial",
    "kms:DisableKey",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
];

pub(super) fn about_guardrails() -> Case {
    let keeper = format!("{OWNER}/GuardrailKeeperMember");
    Case {
        sid: "OnlyAuthorsChangeTheGuardrails",
        stops: [
            each(&administrator(OWNER), &GUARDRAIL_ACTIONS, &[GUARDRAIL, PROFILE]),
            each(&format!("{OWNER}/root"), &GUARDRAIL_ACTIONS, &[GUARDRAIL]),
            each(&format!("{OWNER}/path/GuardrailAuthor"), &GUARDRAIL_ACTIONS, &[GUARDRAIL]),
            each(&format!("{OWNER}/guardrailauthor"), &GUARDRAIL_ACTIONS, &[GUARDRAIL]),
            each(&format!("{MEMBER}/GuardrailAuthor"), &GUARDRAIL_ACTIONS, &[GUARDRAIL]),
            each(&format!("{OWNER}/{STACK_SETS}"), &GUARDRAIL_ACTIONS, &[GUARDRAIL]),
            // The keeper reads them. Where it may make copies in every member, IAM would let it do more.
            each(&keeper, &GUARDRAIL_ACTIONS, &[GUARDRAIL]),
        ]
        .concat(),
        lets: [
            each(&author(), &GUARDRAIL_ACTIONS, &[GUARDRAIL, PROFILE]),
            each(&administrator(MEMBER), &GUARDRAIL_ACTIONS, &[OF_A_MEMBER]),
            each(&administrator(OWNER), &["bedrock:GetGuardrail", "bedrock:ApplyGuardrail"], &[GUARDRAIL]),
            each(&keeper, &["bedrock:GetGuardrail", "bedrock:ListTagsForResource"], &[GUARDRAIL]),
        ]
        .concat(),
    }
}

pub(super) fn about_making_guardrails() -> Case {
    let make = ["bedrock:CreateGuardrail"];
    Case {
        sid: "OnlyAuthorsMakeGuardrails",
        stops: [
            each(&administrator(OWNER), &make, &["*"]),
            each(&format!("{OWNER}/GuardrailKeeperMember"), &make, &["*"]),
        ]
        .concat(),
        lets: [
            each(&author(), &make, &["*"]),
            each(&administrator(MEMBER), &make, &["*"]),
            each(&format!("{MEMBER}/GuardrailKeeperMember"), &make, &["*"]),
            each(&format!("{HUB}/GuardrailKeeper"), &make, &["*"]),
        ]
        .concat(),
    }
}

pub(super) fn about_grants() -> Case {
    let keeper = format!("{OWNER}/GuardrailKeeperMember");
    let function = format!("{HUB}/GuardrailKeeper");
    Case {
        sid: "OnlyAuthorsAndTheKeeperChangeGrants",
        stops: [
            each(&administrator(OWNER), &GRANT_ACTIONS, &[GUARDRAIL, PROFILE]),
            each(&format!("{OWNER}/path/GuardrailKeeperMember"), &GRANT_ACTIONS, &[GUARDRAIL]),
            each(&format!("{MEMBER}/GuardrailKeeperMember"), &GRANT_ACTIONS, &[GUARDRAIL]),
        ]
        .concat(),
        lets: [
            each(&keeper, &GRANT_ACTIONS, &[GUARDRAIL, PROFILE]),
            each(&function, &GRANT_ACTIONS, &[GUARDRAIL, PROFILE]),
            each(&author(), &GRANT_ACTIONS, &[GUARDRAIL, PROFILE]),
            each(&administrator(MEMBER), &GRANT_ACTIONS, &[OF_A_MEMBER]),
            each(&administrator(OWNER), &["bedrock:GetResourcePolicy"], &[GUARDRAIL]),
        ]
        .concat(),
    }
}

/// The roles of the owner's account that are exempt from some statement, with and without a path.
fn of_the_owner() -> Vec<String> {
    let names = ["GuardrailAuthor", "path/GuardrailAuthor", "GuardrailKeyAdministrator"];
    let mut roles: Vec<String> = names.iter().map(|name| role(OWNER, name)).collect();
    roles.push(role(OWNER, "path/GuardrailKeyAdministrator"));
    roles
}

pub(super) fn about_the_owners_roles() -> Case {
    let roles = of_the_owner();
    let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
    let own = role(OWNER, "Own");
    let elsewhere = role(MEMBER, "GuardrailAuthor");
    Case {
        sid: "OnlyStackSetsChangeTheOwnersNamedRoles",
        stops: [
            each(&administrator(OWNER), &ROLE_ACTIONS, &roles),
            each(&format!("{OWNER}/root"), &ROLE_ACTIONS, &roles),
            each(&author(), &ROLE_ACTIONS, &roles),
        ]
        .concat(),
        lets: [
            each(&format!("{OWNER}/{STACK_SETS}"), &ROLE_ACTIONS, &roles),
            each(&administrator(OWNER), &ROLE_ACTIONS, &[&own]),
            each(&administrator(MEMBER), &ROLE_ACTIONS, &[&elsewhere]),
            each(&administrator(OWNER), &["iam:GetRole"], &roles),
        ]
        .concat(),
    }
}

/// A role that IAM Identity Center made; nobody in the account can change it.
fn of_identity_center(account: &str, set: &str) -> String {
    format!("{account}/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_{set}_0123456789abcdef")
}

pub(super) fn about_becoming_them() -> Case {
    let roles = of_the_owner();
    let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
    let own = role(OWNER, "Own");
    let become_it = ["sts:AssumeRole"];
    Case {
        sid: "OnlyNamedPeopleBecomeThem",
        stops: [
            each(&administrator(OWNER), &become_it, &roles),
            each(&format!("{OWNER}/root"), &become_it, &roles),
            each(&format!("{MEMBER}/Pipeline"), &become_it, &roles),
            each(&format!("{OWNER}/{STACK_SETS}"), &become_it, &roles),
            each(&of_identity_center(OWNER, "Administrators"), &become_it, &roles),
            each(&format!("{OWNER}/AWSReservedSSO_GuardrailAuthor_0123456789abcdef"), &become_it, &roles),
        ]
        .concat(),
        lets: [
            each(&of_identity_center(OWNER, "GuardrailAuthor"), &become_it, &roles),
            each(&of_identity_center(MEMBER, "GuardrailAuthor"), &become_it, &roles),
            each(&of_identity_center(OWNER, "GuardrailKeyAdministrator"), &become_it, &roles),
            // Where Identity Center is in us-east-1, the path names no Region.
            each(&of_identity_center(OWNER, "GuardrailAuthor").replace("eu-west-1/", ""), &become_it, &roles),
            each(&administrator(OWNER), &become_it, &[&own]),
        ]
        .concat(),
    }
}

pub(super) fn about_keys() -> Case {
    let key = |id: &str| format!("arn:aws:kms:eu-west-1:{OWNER}:key/{id}");
    let of_guardrails = key(KEY);
    let own = key("99999999-8888-7777-6666-555555555555");
    let use_it = ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"];
    Case {
        sid: "OnlyKeyAdministratorsChangeTheKeys",
        stops: [
            each(&administrator(OWNER), &KEY_ACTIONS, &[&of_guardrails]),
            each(&author(), &KEY_ACTIONS, &[&of_guardrails]),
            each(&format!("{MEMBER}/GuardrailKeyAdministrator"), &KEY_ACTIONS, &[&of_guardrails]),
        ]
        .concat(),
        lets: [
            each(&format!("{OWNER}/GuardrailKeyAdministrator"), &KEY_ACTIONS, &[&of_guardrails]),
            each(&administrator(OWNER), &KEY_ACTIONS, &[&own]),
            // Guardrails are made and used with it as before.
            each(&author(), &use_it, &[&of_guardrails]),
            each(&format!("{MEMBER}/App"), &use_it, &[&of_guardrails]),
            each(&format!("{MEMBER}/GuardrailKeeperMember"), &use_it, &[&of_guardrails]),
        ]
        .concat(),
    }
}

pub(super) fn about_copies() -> Case {
    let actions = [&GUARDRAIL_ACTIONS[..], &GRANT_ACTIONS[..]].concat();
    let copies = |who: &str| -> Vec<Request> {
        let requests = each(who, &actions, &[OF_A_MEMBER]).into_iter();
        requests
            .map(|request| request.with("aws:ResourceTag/guardrail-keeper:source", &[GUARDRAIL]))
            .collect()
    };
    let read = each(&administrator(MEMBER), &["bedrock:GetGuardrail"], &[OF_A_MEMBER]).into_iter();
    Case {
        sid: "OnlyTheKeeperChangesCopies",
        stops: [copies(&administrator(MEMBER)), copies(&format!("{MEMBER}/path/GuardrailKeeperMember"))]
            .concat(),
        lets: [
            copies(&format!("{MEMBER}/GuardrailKeeperMember")),
            copies(&format!("{HUB}/GuardrailKeeper")),
            // A guardrail of the account's own has no such tag.
            each(&administrator(MEMBER), &actions, &[OF_A_MEMBER]),
            read.map(|request| request.with("aws:ResourceTag/guardrail-keeper:source", &[GUARDRAIL]))
                .collect(),
        ]
        .concat(),
    }
}
