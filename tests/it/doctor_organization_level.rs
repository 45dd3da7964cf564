//! `guardrailctl doctor` where the baseline assigns on the organization's level: who writes Bedrock policies, and whether
//! they may.

use serde_json::{Value, json};
use simulator::{Fault, FaultKind, Model, PolicyTypeStatus, Role, Statement, Trust};

use crate::organization_level::{CORPORATE, document, managed};
use crate::reading::with_readers;
use testkit::program::Guardrailctl;
use testkit::whole::{ACCESS, SUPPORT, allowing, terminal, whole};
use testkit::world::{
    Document, HUB, MEMBER_ROLE, ORGANIZATION_ROLE, OWNER, PAYMENTS, READER, SHIPPING, US, WORKLOAD, World,
};

async fn deployed(access: &str) -> World {
    let world = whole(managed(&document(&[(WORKLOAD, CORPORATE)]))).start().await;
    set(&world, access);
    world.server.with(|model| {
        for rule in &mut model.bus_rules {
            rule.all_management_events = true;
        }
    });
    world
}

/// The setting of the deployed function.
fn set(world: &World, access: &str) {
    world.server.with(|model| {
        model.functions[0].environment.insert("KEEPER_ORGANIZATION_ROLE".to_owned(), access.to_owned());
    });
}

async fn findings(ctl: Guardrailctl) -> Vec<Value> {
    let ran = ctl.run(&["doctor", "--role", ACCESS, "--output", "json"]).await;
    let value: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran}"));
    value["findings"].as_array().unwrap().clone()
}

/// What isn't well, a line each, with the remedy of one.
async fn bad(world: &World) -> Vec<String> {
    let all = findings(terminal(world)).await;
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let bad = all.iter().filter(|one| one["outcome"] == "problem" || one["outcome"] == "unknown");
    bad.map(|one| {
        assert!(one["todo"].is_string(), "says what to do: {one}");
        format!(
            "{} {} {}: {}",
            text(&one["outcome"]),
            text(&one["check"]),
            text(&one["account"]),
            text(&one["text"])
        )
    })
    .collect()
}

/// The role of deploy/management.yaml, as far as the simulator has conditions.
fn organization_role(actions: &[&str]) -> Role {
    let trust = Trust { principals: vec![format!("arn:aws:iam::{HUB}:root")], ..Trust::default() };
    Role { name: ORGANIZATION_ROLE.to_owned(), trust, permissions: allowing(actions), ..Role::default() }
}

#[tokio::test]
async fn a_deployment_that_writes_by_its_own_role_is_healthy() {
    let world = deployed("own").await;
    assert_eq!(bad(&world).await, [""; 0]);
    assert_eq!(world.writes(), [""; 0]);
    let told = findings(terminal(&world)).await;
    let level: Vec<&str> = told
        .iter()
        .filter(|one| one["check"] == "organization_level")
        .filter_map(|one| one["text"].as_str())
        .collect();
    assert_eq!(level, ["the function writes Bedrock policies with its own credentials"]);
}

#[tokio::test]
async fn each_thing_that_keeps_bedrock_policies_from_being_written_is_found() {
    type Break = fn(&mut Model);
    let world = deployed("own").await;
    world.server.snapshot("healthy");
    let nobody = "problem organization_level -: the baseline assigns with `level: organization`, and \
                  KEEPER_ORGANIZATION_ROLE of the function is none: nobody writes Bedrock policies";
    let off = "problem organization_level -: the baseline assigns with `level: organization`, and the policy type \
               BEDROCK_POLICY isn't enabled: no Bedrock policy can be attached";
    let table: [(Break, &str); 6] = [
        (|model| model.functions[0].environment.clear(), nobody),
        (
            |model| {
                let said = "both".to_owned() + " of them";
                model.functions[0].environment.insert("KEEPER_ORGANIZATION_ROLE".to_owned(), said);
            },
            "unknown organization_level -: who writes Bedrock policies isn't known: GetFunctionConfiguration failed (rejected)",
        ),
        (|model| model.organization.bedrock_policies = PolicyTypeStatus::Off, off),
        (
            |model| {
                let mut role = model.role(HUB, "GuardrailKeeperFunction").unwrap().as_ref().clone();
                let actions =
                    vec!["organizations:AttachPolicy".to_owned(), "organizations:TagResource".to_owned()];
                role.permissions.deny.push(Statement { actions, ..Statement::default() });
                model.put_role(HUB, role);
            },
            "problem function_role 111111111111: GuardrailKeeperFunction may not organizations:AttachPolicy, organizations:TagResource: a policy of its own denies it",
        ),
        (
            |model| {
                let mut role = model.role(PAYMENTS, MEMBER_ROLE).unwrap().as_ref().clone();
                let actions = vec!["organizations:DescribeEffectivePolicy".to_owned()];
                role.permissions.deny.push(Statement { actions, ..Statement::default() });
                model.put_role(PAYMENTS, role);
            },
            "problem member_role 300000000001: GuardrailKeeperMember may not organizations:DescribeEffectivePolicy: a policy of its own denies it",
        ),
        (
            |model| model.bus_rules.iter_mut().for_each(|rule| rule.all_management_events = false),
            "problem hub -: rule guardrail-keeper-awsorganizations for events of Bedrock policies on default isn't shown calls that only read: EffectivePolicyValidation",
        ),
    ];
    for (change, expected) in table {
        world.server.restore("healthy");
        world.server.with(change);
        let found = bad(&world).await;
        assert!(found.iter().any(|line| line == expected), "{expected}\n{found:#?}");
    }
}

#[tokio::test]
async fn rules_for_policies_events_are_asked_for_only_where_the_function_has_to_do_with_them() {
    let narrowed = |model: &mut Model| {
        for rule in model.bus_rules.iter_mut().filter(|rule| !rule.name.contains("told")) {
            if rule.pattern["source"][0] == "aws.organizations" {
                rule.pattern["detail"] = json!({ "eventName": [
                    "CreateAccountResult", "AccountJoinedOrganization", "AcceptHandshake", "MoveAccount",
                    "AccountDepartedOrganization", "RemoveAccountFromOrganization", "LeaveOrganization", "CloseAccount",
                    "CloseAccountResult",
                ] });
            }
        }
    };
    let world = deployed("own").await;
    world.server.with(narrowed);
    let found = bad(&world).await;
    let missing =
        |on: &str| format!("problem hub -: no rule sends events of Bedrock policies on {on} to events");
    assert!(
        found.contains(&missing("guardrail-keeper")) && found.contains(&missing("default")),
        "{found:#?}"
    );
    let plain = whole(World::of(&Document::default())).start().await;
    plain.server.with(narrowed);
    assert_eq!(bad(&plain).await, [""; 0]);
}

#[tokio::test]
async fn the_role_in_the_management_account_is_looked_at() {
    let world = deployed(ORGANIZATION_ROLE).await;
    let missing = format!("problem organization_level {HUB}: there is no role {ORGANIZATION_ROLE}");
    assert_eq!(bad(&world).await, [missing]);
    world.server.with(|model| model.put_role(HUB, organization_role(&["organizations:*"])));
    assert_eq!(bad(&world).await, [""; 0]);
    world.server.with(|model| {
        model.put_role(HUB, organization_role(&["organizations:List*", "organizations:Describe*"]));
    });
    let found = bad(&world).await;
    let [line] = found.as_slice() else { panic!("{found:#?}") };
    assert!(
        line.starts_with(&format!(
            "problem organization_level {HUB}: {ORGANIZATION_ROLE} may not organizations:AttachPolicy, "
        )),
        "{line}"
    );
    world.server.with(|model| {
        let mut role = organization_role(&["organizations:*"]);
        role.trust.principals = vec![format!("arn:aws:iam::{SHIPPING}:root")];
        model.put_role(HUB, role);
    });
    let found = bad(&world).await;
    let [line] = found.as_slice() else { panic!("{found:#?}") };
    assert!(line.contains(&format!("{ORGANIZATION_ROLE} doesn't trust the function: ")), "{line}");
    world.server.fault(
        Fault::new(FaultKind::Denied { message: "no".to_owned() }).operation("GetFunctionConfiguration"),
    );
    let found = bad(&world).await;
    assert!(found.iter().any(|line| line.contains("who writes Bedrock policies isn't known")), "{found:#?}");
}

/// A guardrail that the management account doesn't own can be in no Bedrock policy.
#[tokio::test]
async fn another_owner_than_the_management_account_is_found() {
    let other = Document { owner: OWNER, ..document(&[(WORKLOAD, CORPORATE)]) };
    let world = whole(World::of(&other)).start().await;
    set(&world, "own");
    let found = bad(&world).await;
    assert!(
        found.iter().any(|line| line.starts_with("problem baseline ") && line.contains("management account")),
        "{found:#?}"
    );
}

/// Without a deployed function it is the terminal that writes, and a member may do so only where that is delegated.
#[tokio::test]
async fn a_member_that_writes_itself_needs_the_organizations_resource_policy() {
    let world = managed(&document(&[(WORKLOAD, CORPORATE)])).world(|world| {
        for account in world.accounts.iter_mut().filter(|account| account.id == SHIPPING) {
            account.reads_organization = true;
        }
    });
    let world = world.start().await;
    let baseline = world.folder().join("baseline.yaml");
    std::fs::write(&baseline, document(&[(WORKLOAD, CORPORATE)]).text()).unwrap();
    let ctl = || {
        Guardrailctl::of(&world)
            .variable("AWS_ACCESS_KEY_ID", &format!("SIM{SHIPPING}"))
            .variable("KEEPER_BASELINE", "baseline.yaml")
    };
    let level = |all: Vec<Value>| {
        let level = all.into_iter().filter(|one| one["check"] == "organization_level");
        level
            .map(|one| format!("{} {}", one["outcome"].as_str().unwrap(), one["text"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    let found = level(findings(ctl()).await);
    assert!(found.iter().any(|line| line.contains("has no resource policy that delegates")), "{found:#?}");
    world.server.with(|model| {
        let management = model.caller(&format!("arn:aws:iam::{HUB}:root"), US).unwrap();
        let policy = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{SHIPPING}:root") },
            "Action": [
                "organizations:AttachPolicy", "organizations:CreatePolicy", "organizations:DeletePolicy",
                "organizations:DescribeEffectivePolicy", "organizations:DescribePolicy", "organizations:DetachPolicy",
                "organizations:ListAccountsWithInvalidEffectivePolicy",
                "organizations:ListEffectivePolicyValidationErrors", "organizations:ListPolicies",
                "organizations:ListPoliciesForTarget", "organizations:ListTagsForResource",
                "organizations:ListTargetsForPolicy", "organizations:TagResource", "organizations:UpdatePolicy",
            ],
            "Resource": "*", "Condition": { "StringEquals": { "organizations:PolicyType": "BEDROCK_POLICY" } },
        }] });
        model.put_delegation_policy(&management, &policy.to_string(), simulator::Tags::new()).unwrap();
    });
    let found = level(findings(ctl()).await);
    assert!(
        found.iter().any(|line| *line
            == format!("ok the organization's resource policy delegates Bedrock policies to {SHIPPING}")),
        "{found:#?}"
    );
}

/// Of another hub, by the role of deploy/reader-role.yaml in the management account.
#[tokio::test]
async fn people_see_the_role_by_the_role_that_is_there_for_them() {
    let setup = World::of(&document(&[(WORKLOAD, CORPORATE)])).hub(SUPPORT).long_established().durable();
    let setup = setup.world(|world| {
        world.bedrock_policies_enabled = true;
        for guardrail in &mut world.guardrails {
            guardrail.account = HUB.to_owned();
        }
        for account in world.accounts.iter_mut().filter(|account| account.id == SUPPORT) {
            account.reads_organization = true;
        }
    });
    let world = with_readers(setup, SUPPORT).start().await;
    let mut role = organization_role(&["organizations:*"]);
    role.trust.principals = vec![format!("arn:aws:iam::{SUPPORT}:root")];
    world.server.with(|model| model.put_role(HUB, role));
    std::fs::write(world.folder().join("baseline.yaml"), document(&[(WORKLOAD, CORPORATE)]).text()).unwrap();
    let ctl = || {
        Guardrailctl::of(&world)
            .variable("AWS_ACCESS_KEY_ID", &format!("SIM{SUPPORT}"))
            .variable("KEEPER_BASELINE", "baseline.yaml")
            .variable("KEEPER_ORGANIZATION_ROLE", ORGANIZATION_ROLE)
    };
    for (more, expected) in [
        (
            &["--role", READER][..],
            vec![
                format!(
                    "ok this terminal writes Bedrock policies by {ORGANIZATION_ROLE} in the management account"
                ),
                format!("ok {ORGANIZATION_ROLE} is there and trusts the function"),
                format!("ok {ORGANIZATION_ROLE} has all 14 permissions that it needs"),
            ],
        ),
        (
            &[],
            vec![
                format!(
                    "ok this terminal writes Bedrock policies by {ORGANIZATION_ROLE} in the management account"
                ),
                format!(
                    "unknown what {ORGANIZATION_ROLE} may do was not checked: it is in the management account"
                ),
            ],
        ),
    ] {
        let ran = ctl().run(&[&["doctor", "--account", HUB, "--output", "json"], more].concat()).await;
        let value: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran}"));
        let all = value["findings"].as_array().unwrap().iter();
        let level = all.filter(|one| one["check"] == "organization_level");
        let level = level
            .map(|one| format!("{} {}", one["outcome"].as_str().unwrap(), one["text"].as_str().unwrap()));
        let level: Vec<String> = level.collect();
        assert_eq!(level, expected, "{ran}");
    }
}
