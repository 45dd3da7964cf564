//! `guardrailctl doctor`: a healthy deployment, everything that can be missing, and what can't be read.

use expect_test::{expect, expect_file};
use serde_json::{Value, json};
use simulator::{Fault, FaultKind, KeyState, ManagementEvents, Model, OptStatus, RecursiveLoop, Statement};

use crate::effective_policy::{all, policy};
use crate::keys::{encrypted, key, put_key};
use testkit::program::Ran;
use testkit::stack::events_queue;
use testkit::whole::{ACCESS, BUS, READER, recommended, terminal, terminal_in_the_recommended_hub, whole};
use testkit::world::{
    ABANDONED, Document, EU, HUB, MEMBER_ROLE, OWNER, PARAMETER, PAYMENTS, PLAYGROUND, SANDBOX, SEARCH,
    SHIPPING, US, WORKLOAD, World, check,
};

const AP: &str = "ap-southeast-2";
const ROLE: [&str; 2] = ["--role", ACCESS];

async fn healthy() -> World {
    whole(World::of(&Document::default())).start().await
}

async fn doctor(world: &World, arguments: &[&str]) -> Ran {
    let all: Vec<&str> = ["doctor"].iter().chain(arguments).copied().collect();
    terminal(world).run(&all).await
}

async fn findings(world: &World) -> Vec<Value> {
    let ran = doctor(world, &["--role", ACCESS, "--output", "json"]).await;
    let value: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran}"));
    let good = value["good"].as_bool().unwrap();
    assert_eq!(ran.code, i32::from(!good), "{ran}");
    value["findings"].as_array().unwrap().clone()
}

/// What isn't well, a line each.
fn bad(findings: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let bad = findings.iter().filter(|one| one["outcome"] == "problem" || one["outcome"] == "unknown");
    bad.map(|one| {
        let place = format!("{}/{}", text(&one["account"]), text(&one["region"]));
        assert!(!text(&one["todo"]).is_empty() && one["todo"].is_string(), "says what to do: {one}");
        format!("{} {} {place}: {}", text(&one["outcome"]), text(&one["check"]), text(&one["text"]))
    })
    .collect()
}

#[tokio::test]
async fn a_healthy_deployment_is_told_to_be_so_and_nothing_is_written() {
    let world = healthy().await;
    let ran = doctor(&world, &ROLE).await;
    expect_file!["golden/doctor-healthy.txt"].assert_eq(&ran.to_string());
    assert_eq!(ran.code, 0, "{ran}");
    assert_eq!(world.writes(), [""; 0]);
    assert!(!world.accounts_called().contains(ABANDONED));
}

/// As docs/deploy.md recommends it: nothing that somebody who follows it would have is left out.
#[tokio::test]
async fn the_recommended_deployment_is_healthy() {
    let world = recommended(World::of(&Document { format: 2, ..Document::default() })).await;
    let ran = terminal_in_the_recommended_hub(&world).run(&["doctor", "--role", READER]).await;
    expect_file!["golden/doctor-recommended.txt"].assert_eq(&ran.to_string());
    assert_eq!(ran.code, 0, "{ran}");
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn without_a_way_into_members_they_are_not_known() {
    let world = healthy().await;
    let ran = doctor(&world, &[]).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.out.contains("5 other accounts were not checked"), "{ran}");
    let called = world.server.calls();
    assert!(called.iter().filter(|call| call.operation == "AssumeRole").all(|call| {
        // The owner's guardrails are the one thing that is tried.
        call.target.as_deref().is_some_and(|target| target.contains(OWNER))
    }));
    let ran = doctor(&world, &["--no-members"]).await;
    // The member role of the simulator trusts the whole hub, so the owner can be read here.
    assert_eq!(ran.code, 0, "{ran}");
}

#[tokio::test]
async fn everything_that_can_be_wrong_is_found_at_once() {
    let world = healthy().await;
    world.server.with(break_everything);
    let ran = doctor(&world, &ROLE).await;
    expect_file!["golden/doctor-broken.txt"].assert_eq(&ran.to_string());
    assert_eq!(ran.code, 1, "{ran}");
}

fn break_everything(model: &mut Model) {
    // The trail logs reads only; one account has switched a Region off.
    model.trails[0].management = ManagementEvents::Read;
    // A role that is missing, and one that may not prove any more.
    model.revoke_role(PAYMENTS, MEMBER_ROLE);
    let role = model.role(SHIPPING, MEMBER_ROLE).unwrap().as_ref().clone();
    let mut weaker = role.clone();
    let actions = vec!["bedrock:ApplyGuardrail".to_owned()];
    weaker.permissions.deny.push(Statement { actions, ..Statement::default() });
    model.put_role(SHIPPING, weaker);
    let mut stranger = role;
    stranger.trust.principals = vec!["arn:aws:iam::999999999999:root".to_owned()];
    model.put_role(SEARCH, stranger);
    model.accounts.get_mut(SEARCH).unwrap().opt_in.insert(EU.to_owned(), OptStatus::Disabled);
    // A rule that is off, one that sends elsewhere, and some that are gone.
    for rule in &mut model.bus_rules {
        if rule.account == PAYMENTS && rule.region == US {
            rule.enabled = false;
        }
        if rule.account == SHIPPING && rule.region == EU {
            rule.targets[0].arn = "arn:aws:events:us-east-1:999999999999:event-bus/other".to_owned();
        }
    }
    model.bus_rules.retain(|rule| rule.account != OWNER && !(rule.account == HUB && rule.bus == BUS));
    // StackSets: one gone, stacks that failed and that are missing.
    model.stack_sets.retain(|set| set.name.ends_with("-role"));
    let roles = &mut model.stack_sets[0];
    roles.auto_deployment = false;
    roles.instances.retain(|one| one.account != PAYMENTS);
    let failed = roles.instances.iter_mut().find(|one| one.account == SHIPPING).unwrap();
    failed.status = "OUTDATED".to_owned();
    failed.detailed_status = "FAILED".to_owned();
    failed.reason = Some("Role with name GuardrailKeeperMember already exists.".to_owned());
    // Lambda may stop the function, and doesn't hand it its tasks.
    model.functions[0].recursive_loop = RecursiveLoop::Terminate;
    model.functions[0].mappings[1].state = "Disabled".to_owned();
    // What the hub needs.
    let mut function = model.role(HUB, "GuardrailKeeperFunction").unwrap().as_ref().clone();
    let all_but_queues = ["sts:*", "organizations:*", "ssm:*", "bedrock:*", "events:*", "dynamodb:*"];
    for statement in &mut function.permissions.allow {
        statement.actions = all_but_queues.map(str::to_owned).into();
    }
    model.put_role(HUB, function);
    model.set_resource_policy("arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c", None).unwrap();
}

/// Leaves a rule on a bus of an account only some names of a source.
fn narrow(model: &mut Model, bus: &str, account: &str, source: &str, names: &[&str]) {
    let listens = |rule: &&mut simulator::BusRule| {
        rule.bus == bus && rule.account == account && rule.pattern["source"][0] == source
    };
    for rule in model.bus_rules.iter_mut().filter(listens).filter(|rule| !rule.name.contains("told")) {
        rule.pattern["detail"] = json!({ "eventName": names });
    }
}

/// Changes the member role of one account.
fn change_role(model: &mut Model, change: impl FnOnce(&mut simulator::Role)) {
    let mut role = model.role(PAYMENTS, MEMBER_ROLE).unwrap().as_ref().clone();
    change(&mut role);
    assert!(model.revoke_role(PAYMENTS, MEMBER_ROLE));
    model.put_role(PAYMENTS, role);
}

#[tokio::test]
async fn each_thing_that_is_wrong_is_found_by_itself() {
    type Break = fn(&mut Model);
    let world = healthy().await;
    world.server.snapshot("healthy");
    let table: [(Break, &str); 35] = [
        (|model| model.trails.clear(), "problem trails 111111111111/us-east-1: no trail logs here"),
        (
            |model| model.trails[0].logging = false,
            "problem trails 300000000001/eu-west-1: trail all is switched off",
        ),
        (
            |model| (model.trails[0].advanced, model.trails[0].management) = (true, ManagementEvents::None),
            "problem trails 300000000001/eu-west-1: trail all doesn't log management events that write",
        ),
        (
            |model| assert!(model.revoke_role(PAYMENTS, MEMBER_ROLE)),
            "problem member_role 300000000001/-: there is no role GuardrailKeeperMember",
        ),
        (
            |model| change_role(model, |role| "/x/".clone_into(&mut role.path)),
            "problem member_role 300000000001/-: another role has the name GuardrailKeeperMember, in a path or in other letters",
        ),
        (
            |model| {
                let more = "arn:aws:iam::300000000001:root".to_owned();
                change_role(model, |role| role.trust.principals.push(more));
            },
            "problem member_role 300000000001/-: GuardrailKeeperMember trusts others besides the hub: arn:aws:iam::300000000001:root",
        ),
        (|model| model.event_buses.clear(), "problem hub -/-: the bus guardrail-keeper isn't there"),
        (
            |model| model.bus_rules.retain(|rule| rule.bus != "default" || rule.account != HUB),
            "problem hub -/-: no rule sends events of aws.ssm about the baseline's parameter on default to events",
        ),
        (
            |model| model.bus_rules.retain(|rule| rule.account != SEARCH || rule.region != EU),
            "problem forwarding_rules 300000000003/eu-west-1: no rule sends events of aws.bedrock on default to guardrail-keeper",
        ),
        (
            |model| model.functions[0].recursive_loop = RecursiveLoop::Terminate,
            "problem function -/-: Lambda takes guardrail-keeper for a loop and stops it after 16 runs: an account whose role comes more than half an hour after it joined stays unguarded until the next sweep",
        ),
        (
            |model| model.functions[0].mappings[1].state = "Disabled".to_owned(),
            "problem function -/-: the mapping from the queue of tasks to guardrail-keeper is disabled, so nothing is taken out of it",
        ),
        (
            |model| model.functions.clear(),
            "problem function -/-: no function takes events out of their queue",
        ),
        (
            |model| model.topics[0].subscriptions.clear(),
            "problem notifications -/-: nobody is subscribed to the topic guardrail-keeper-alarms, so what is sent to it reaches nobody",
        ),
        (
            |model| model.topics[0].subscriptions.iter_mut().for_each(|one| one.confirmed = false),
            "problem notifications -/-: no subscription of the topic guardrail-keeper-alarms is confirmed (2 pending), so what is sent to it reaches nobody",
        ),
        (
            |model| model.topics[1].subscriptions.iter_mut().for_each(|one| one.confirmed = false),
            "problem notifications -/-: no subscription of the topic guardrail-keeper-changes is confirmed (2 pending), so what is sent to it reaches nobody",
        ),
        (
            |model| model.topics.clear(),
            "problem notifications -/-: the topic guardrail-keeper-alarms isn't there, so what is sent to it reaches nobody",
        ),
        (
            |model| model.bus_rules.retain(|rule| rule.name != "guardrail-keeper-AttentionNeeded"),
            "problem notifications -/-: no rule sends events “Attention Needed” on guardrail-keeper to guardrail-keeper-alarms",
        ),
        (
            |model| narrow(model, "default", HUB, "aws.bedrock", &["CreateGuardrail"]),
            "problem hub -/-: no rule sends events of aws.bedrock on default to events: CreateGuardrailVersion, DeleteGuardrail, PutResourcePolicy, DeleteResourcePolicy, PutEnforcedGuardrailConfiguration, DeleteEnforcedGuardrailConfiguration",
        ),
        (
            |model| {
                narrow(model, "default", PAYMENTS, "aws.bedrock", &["DeleteEnforcedGuardrailConfiguration"]);
            },
            "problem forwarding_rules 300000000001/eu-west-1: no rule sends events of aws.bedrock on default to guardrail-keeper: CreateGuardrail, CreateGuardrailVersion, DeleteGuardrail, PutResourcePolicy, DeleteResourcePolicy, PutEnforcedGuardrailConfiguration",
        ),
        (
            |model| model.bus_rules.retain(|rule| rule.name != "guardrail-keeper-told-awsorganizations"),
            "problem notifications -/-: no rule sends changes of what protects the keeper on guardrail-keeper to guardrail-keeper-alarms",
        ),
        (
            |model| {
                let of_another = json!({ "source": ["aws.organizations"],
                    "$or": [{ "detail": { "requestParameters": { "policyId": ["p-keeper12345"] } } },
                        { "detail": { "requestParameters": { "policyId": [{ "exists": false }] } } }] });
                let told =
                    model.bus_rules.iter_mut().filter(|rule| rule.name.ends_with("told-awsorganizations"));
                told.for_each(|rule| rule.pattern = of_another.clone());
            },
            "problem notifications -/-: no rule sends changes of what protects the keeper on guardrail-keeper to guardrail-keeper-changes: DeletePolicy, DetachPolicy, UpdatePolicy",
        ),
        (
            |model| model.bus_rules.retain(|rule| rule.name != "guardrail-keeper-told-awsbedrock"),
            "problem notifications -/-: no rule sends changes of the guardrails by no author on guardrail-keeper to guardrail-keeper-alarms",
        ),
        (
            |model| model.bus_rules.retain(|rule| rule.name != "guardrail-keeper-told-awsssm"),
            "problem notifications -/-: no rule sends changes of the baseline's parameter on default to guardrail-keeper-alarms",
        ),
        (
            |model| {
                let name = "stacksets-exec-0123456789abcdef0123456789abcdef".to_owned();
                let mut role = model.role(PAYMENTS, MEMBER_ROLE).unwrap().as_ref().clone();
                role.name = name;
                role.trust.principals = vec!["arn:aws:iam::300000000001:root".to_owned()];
                model.put_role(PAYMENTS, role);
            },
            "problem control_policies 300000000001/-: a role has the name of StackSets' own, which the service control policies exempt, and trusts others: arn:aws:iam::300000000001:root",
        ),
        (
            |model| {
                let keeper = &mut model.organization.policies[2];
                keeper.content = keeper.content.replace("trail/all", "trail/another");
            },
            "problem control_policies 300000000001/-: OnlyTheSecurityAdministratorChangesTheTrail of keeper names another for TRAIL_NAME, and the hub sees no trail of that name",
        ),
        (
            |model| {
                let statements =
                    model.event_buses[0].policy.as_mut().unwrap()["Statement"].as_array_mut().unwrap();
                statements.retain(|one| one["Sid"] != "MembersMaySend");
            },
            "problem hub -/-: the bus's policy doesn't take events of aws.bedrock from 300000000001",
        ),
        (
            |model| {
                let policy = model.event_buses[0].policy.as_mut().unwrap();
                policy["Statement"][0]["Condition"]["StringEquals"] = json!({});
            },
            "problem hub -/-: the bus's policy takes events from outside the organization",
        ),
        (
            |model| model.stack_sets[1].instances[0].status = "INOPERABLE".to_owned(),
            "problem stack_sets 222222222222/ap-southeast-2: the stack of guardrail-keeper-member-rules is inoperable",
        ),
        (
            |model| drop(model.stack_sets.pop()),
            "problem stack_sets -/-: there is no StackSet guardrail-keeper-member-rules",
        ),
        (
            |model| model.organization.policies.retain(|policy| policy.name != "keeper"),
            "problem control_policies 300000000005/-: deploy/protect-keeper.scp.json isn't attached",
        ),
        (
            |model| {
                let keeper = &mut model.organization.policies[2];
                keeper.content = keeper.content.replace("bedrock:DeleteEnforced", "bedrock:Another");
            },
            "problem control_policies 300000000001/-: OnlyTheKeeperChangesEnforcement of keeper doesn't deny bedrock:DeleteEnforcedGuardrailConfiguration",
        ),
        (
            // Attached to one account, it protects no other.
            |model| model.organization.policies[1].set_targets(&[OWNER]),
            "problem control_policies 300000000001/-: deploy/protect-guardrails.scp.json isn't attached",
        ),
        (
            |model| assert!(model.revoke_role(HUB, "GuardrailKeeperFunction")),
            "problem function_role 111111111111/-: there is no role GuardrailKeeperFunction",
        ),
        (
            |model| {
                model.accounts.get_mut(SHIPPING).unwrap().opt_in.insert(EU.to_owned(), OptStatus::Enabling);
            },
            "unknown regions 300000000002/eu-west-1: being enabled",
        ),
        (
            |model| assert!(model.revoke_role(PAYMENTS, ACCESS)),
            "unknown trails 300000000001/-: not checked: AssumeRole was denied",
        ),
    ];
    for (broken, expected) in table {
        world.server.restore("healthy");
        world.server.with(broken);
        let bad = bad(&findings(&world).await);
        assert!(bad.iter().any(|line| line == expected), "{expected}\nis not among {bad:#?}");
    }
    world.server.restore("healthy");
    assert_eq!(bad(&findings(&world).await), [""; 0]);
}

/// Wherever they are attached, as long as every account that they bind is below; and no more is read than
/// that takes.
#[tokio::test]
async fn service_control_policies_are_looked_for_from_the_root_down() {
    let world = healthy().await;
    let asked = |world: &World| {
        let calls = world.server.calls();
        let count = |operation: &str| calls.iter().filter(|call| call.operation == operation).count();
        (count("ListPoliciesForTarget"), count("DescribePolicy"))
    };
    world.server.clear_calls();
    assert_eq!(bad(&findings(&world).await), [""; 0]);
    assert_eq!(asked(&world), (1, 2));
    let everywhere = world.server.with(|model| {
        let mut targets: Vec<String> = model.organization.units.keys().cloned().collect();
        let below_the_root = |account: &&simulator::Account| account.parent() == Some("r-exam");
        targets.extend(model.members().filter(below_the_root).map(|account| account.id.clone()));
        for policy in &mut model.organization.policies {
            policy.set_targets(&targets);
        }
        targets.len()
    });
    world.server.clear_calls();
    assert_eq!(bad(&findings(&world).await), [""; 0]);
    let (lists, reads) = asked(&world);
    assert!(lists > 1 && lists <= everywhere + 1, "{lists} of {everywhere}");
    assert_eq!(reads, 2, "each is read once");
}

#[tokio::test]
async fn the_management_accounts_guardrails_are_told_to_be_unprotected() {
    let world = healthy().await;
    world.publish_text(&Document::default().text().replace(OWNER, HUB));
    let found = findings(&world).await;
    let of_check = found.iter().filter(|one| one["check"] == "control_policies" && one["account"] == HUB);
    let told: Vec<&Value> = of_check.map(|one| &one["text"]).collect();
    assert_eq!(told, ["the management account owns the guardrails: no service control policy protects them"]);
    let text = |one: &Value| one["text"].as_str().unwrap().to_owned();
    assert!(!found.iter().map(text).any(|text| text.contains("protect-guardrails")), "{found:#?}");
}

#[tokio::test]
async fn what_is_denied_is_not_known_and_never_well() {
    let world = healthy().await;
    let table = [
        ("DescribeOrganization", "organization"),
        ("ListAccounts", "organization"),
        ("GetParameter", "baseline"),
        ("GetGuardrail", "guardrails"),
        ("ListGuardrails", "guardrails"),
        ("DescribeEventBus", "hub"),
        ("ListRules", "forwarding_rules"),
        ("ListTargetsByRule", "forwarding_rules"),
        ("GetQueueAttributes", "hub"),
        ("ListEventSourceMappings", "function"),
        ("GetFunctionRecursionConfig", "function"),
        ("GetRole", "member_role"),
        ("SimulatePrincipalPolicy", "function_role"),
        ("SimulatePrincipalPolicy", "member_role"),
        ("DescribeStackSet", "stack_sets"),
        ("ListStackInstances", "stack_sets"),
        ("ListPoliciesForTarget", "control_policies"),
        ("ListRoles", "control_policies"),
        ("ListAccountsWithInvalidEffectivePolicy", "bedrock_policies"),
        ("DescribePolicy", "control_policies"),
        ("DescribeTrails", "trails"),
        ("GetTrailStatus", "trails"),
        ("GetEventSelectors", "trails"),
        ("ListRegions", "regions"),
    ];
    for (operation, name) in table {
        world.server.clear_faults();
        let denied = FaultKind::Denied { message: "User is not authorized.".to_owned() };
        world.server.fault(Fault::new(denied).operation(operation));
        let found = findings(&world).await;
        let of_check: Vec<&Value> = found.iter().filter(|one| one["check"] == name).collect();
        assert!(of_check.iter().any(|one| one["outcome"] == "unknown"), "{operation}: {of_check:#?}");
        assert!(!of_check.iter().any(|one| one["outcome"] == "problem"), "{operation}: {of_check:#?}");
        let told = of_check.iter().any(|one| one["text"].as_str().unwrap().contains(operation));
        assert!(told || operation == "GetParameter", "{operation} is named: {of_check:#?}");
    }
}

/// What the check of Bedrock policies has to say, a line each.
fn of_bedrock_policies(findings: &[Value]) -> String {
    let of_check = findings.iter().filter(|one| one["check"] == "bedrock_policies");
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let line = |one: &Value| {
        let [outcome, account, region, said, detail, todo] =
            ["outcome", "account", "region", "text", "detail", "todo"].map(|member| text(&one[member]));
        format!("{outcome} {account}/{region}: {said}\n  {detail}\n  {todo}\n")
    };
    of_check.map(line).collect()
}

#[tokio::test]
async fn frozen_accounts_are_found_with_the_policies_to_correct() {
    let world = healthy().await;
    world.server.with(|model| model.organization.bedrock_policies = simulator::PolicyTypeStatus::Enabled);
    check(
        &of_bedrock_policies(&findings(&world).await),
        expect![[r#"
        not_applicable -/-: Bedrock policies are enabled, and there are none
          -
          -
    "#]],
    );
    let fine = policy("p-corporate1", "corporate", &[WORKLOAD], &[(AP, all(AP, 1))]);
    world.server.with(|model| model.put_bedrock_policy(&fine));
    let found = findings(&world).await;
    check(
        &of_bedrock_policies(&found),
        expect![[r#"
        ok -/-: 1 Bedrock policy, and no account is frozen
          -
          -
        not_applicable 300000000001/ap-southeast-2: the organization enforces a guardrail there, and the baseline guards it on the account level as well: each call is evaluated on both levels, and AWS bills both
          -
          -
        not_applicable 300000000002/ap-southeast-2: the organization enforces a guardrail there, and the baseline guards it on the account level as well: each call is evaluated on both levels, and AWS bills both
          -
          -
        not_applicable 300000000003/ap-southeast-2: the organization enforces a guardrail there, and the baseline guards it on the account level as well: each call is evaluated on both levels, and AWS bills both
          -
          -
        not_applicable 300000000004/ap-southeast-2: the organization enforces a guardrail there, and the baseline guards it on the account level as well: each call is evaluated on both levels, and AWS bills both
          -
          -
    "#]],
    );
    assert_eq!(bad(&found), [""; 0]);
    let broken = json!({ "selective_content_guarding": { "system": { "@@assign": "selective" } } });
    let broken = policy("p-broken1234", "half done", &[SANDBOX, PAYMENTS], &[(US, broken)]);
    world.server.with(|model| model.put_bedrock_policy(&broken));
    let found = findings(&world).await;
    check(
        &of_bedrock_policies(&found),
        expect![[r#"
        problem 300000000001/-: frozen: the Bedrock policies on its path don't merge into a valid one, so the account keeps its last valid one, and no change of a Bedrock policy reaches it
          KEY_REQUIRED at bedrock/guardrail_inference/us-east-1/main/identifier: The key identifier is required.
          correct p-broken1234 ("half done"); guardrailctl effective-policy ACCOUNT shows where each value comes from
        not_applicable 300000000001/ap-southeast-2: the organization enforces a guardrail there, and the baseline guards it on the account level as well: each call is evaluated on both levels, and AWS bills both
          -
          -
        not_applicable 300000000002/ap-southeast-2: the organization enforces a guardrail there, and the baseline guards it on the account level as well: each call is evaluated on both levels, and AWS bills both
          -
          -
        not_applicable 300000000003/ap-southeast-2: the organization enforces a guardrail there, and the baseline guards it on the account level as well: each call is evaluated on both levels, and AWS bills both
          -
          -
        not_applicable 300000000004/ap-southeast-2: the organization enforces a guardrail there, and the baseline guards it on the account level as well: each call is evaluated on both levels, and AWS bills both
          -
          -
        problem 300000000005/-: frozen: the Bedrock policies on its path don't merge into a valid one, so the account keeps its last valid one, and no change of a Bedrock policy reaches it
          KEY_REQUIRED at bedrock/guardrail_inference/us-east-1/main/identifier: The key identifier is required.
          correct p-broken1234 ("half done"); guardrailctl effective-policy ACCOUNT shows where each value comes from
        problem 300000000006/-: frozen: the Bedrock policies on its path don't merge into a valid one, so the account keeps its last valid one, and no change of a Bedrock policy reaches it
          KEY_REQUIRED at bedrock/guardrail_inference/us-east-1/main/identifier: The key identifier is required.
          correct p-broken1234 ("half done"); guardrailctl effective-policy ACCOUNT shows where each value comes from
    "#]],
    );
    let ran = doctor(&world, &["--role", ACCESS, "--account", PAYMENTS]).await;
    assert!(ran.out.contains("frozen: ") && !ran.out.contains(PLAYGROUND), "{ran}");
    assert_eq!(ran.code, 1, "{ran}");
    let ran = doctor(&world, &ROLE).await;
    let section = ran.out.lines().skip_while(|line| !line.starts_with("Bedrock policies"));
    let section = section.take_while(|line| !line.starts_with("trails"));
    check(
        &section.collect::<Vec<_>>().join("\n"),
        expect![[r#"
        Bedrock policies of the organization
          problem  frozen: the Bedrock policies on its path don't merge into a valid one, so the account
                   keeps its last valid one, and no change of a Bedrock policy reaches it
                   3 places: 300000000001, 300000000005, 300000000006
                   KEY_REQUIRED at bedrock/guardrail_inference/us-east-1/main/identifier: The key identifier
                   is required.
                   → correct p-broken1234 ("half done"); guardrailctl effective-policy ACCOUNT shows where
                   each value comes from
          n/a      the organization enforces a guardrail there, and the baseline guards it on the account
                   level as well: each call is evaluated on both levels, and AWS bills both (4 places)"#]],
    );
}

/// It costs money, and nothing is wrong: one line, and few calls however many accounts there are.
#[tokio::test]
async fn what_both_levels_guard_is_said_once_with_its_cost() {
    let world = healthy().await;
    let policies = [
        policy("p-corporate1", "corporate", &["r-exam"], &[(US, all(US, 1)), (AP, all(AP, 1))]),
        policy("p-payments12", "payments", &[PAYMENTS], &[(EU, all(EU, 1))]),
    ];
    world.server.with(|model| {
        model.organization.bedrock_policies = simulator::PolicyTypeStatus::Enabled;
        policies.iter().for_each(|entry| model.put_bedrock_policy(entry));
    });
    world.server.clear_calls();
    let ran = doctor(&world, &ROLE).await;
    let section = ran.out.lines().skip_while(|line| !line.starts_with("Bedrock policies"));
    let section = section.take_while(|line| !line.starts_with("trails"));
    check(
        &section.collect::<Vec<_>>().join("\n"),
        expect![[r#"
        Bedrock policies of the organization
          n/a      the organization enforces a guardrail there, and the baseline guards it on the account
                   level as well: each call is evaluated on both levels, and AWS bills both (13 places)
          ok       2 Bedrock policies, and no account is frozen"#]],
    );
    assert_eq!(ran.code, 0, "{ran}");
    assert_eq!(world.count("DescribeEffectivePolicy"), 2, "one for whom the root reaches, one for payments");
    for operation in ["ListPolicies", "ListTargetsForPolicy", "DescribeEffectivePolicy"] {
        world.server.clear_faults();
        let denied = FaultKind::Denied { message: "User is not authorized.".to_owned() };
        world.server.fault(Fault::new(denied).operation(operation));
        let found = of_bedrock_policies(&findings(&world).await);
        assert!(found.contains("unknown ") && found.contains(operation), "{operation}: {found}");
        assert!(!found.contains("problem "), "{operation}: {found}");
    }
}

#[tokio::test]
async fn a_baseline_that_cannot_be_used_is_the_first_thing_to_mend() {
    let world = healthy().await;
    world.publish_text("version: 1\norganization: o-exampleorgid\n");
    let ran = doctor(&world, &ROLE).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.out.contains("correct the problems above first"), "{ran}");
    assert!(ran.out.contains(&format!("ssm:{PARAMETER}:")), "{ran}");
    // What doesn't depend on it is looked at all the same.
    assert!(ran.out.contains("the bus guardrail-keeper is there"), "{ran}");
}

#[tokio::test]
async fn some_accounts_can_be_looked_at_alone() {
    let world = healthy().await;
    world.server.with(|model| {
        model.revoke_role(PAYMENTS, MEMBER_ROLE);
        model.revoke_role(SHIPPING, MEMBER_ROLE);
    });
    world.server.clear_calls();
    let ran = doctor(&world, &["--role", ACCESS, "--account", SHIPPING]).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.out.contains(SHIPPING) && !ran.out.contains(PAYMENTS), "{ran}");
    let ran = doctor(&world, &["--role", ACCESS, "--account", "999999999999"]).await;
    assert!(ran.out.contains("not an active account of the organization"), "{ran}");
    assert_eq!(ran.code, 1, "{ran}");
}

#[tokio::test]
async fn what_is_not_deployed_is_not_asked_for() {
    let world = World::of(&Document::default()).start().await;
    let ran = testkit::program::Guardrailctl::of(&world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .run(&["doctor", "--no-members"])
        .await;
    assert!(ran.out.contains("no queues are set"), "{ran}");
    assert!(ran.out.contains("no bus is set"), "{ran}");
    // Trails are the account's own business, deployed or not.
    assert!(ran.out.contains("no trail logs here"), "{ran}");
    assert_eq!(ran.code, 1, "{ran}");
}

#[tokio::test]
async fn a_queue_that_is_gone_is_a_problem() {
    let world = healthy().await;
    let gone = world.server.url().to_owned() + "/111111111111/gone";
    let ran = terminal(&world).variable("KEEPER_EVENTS_QUEUE", &gone).run(&["doctor", "--no-members"]).await;
    assert!(ran.out.contains("the queue of events isn't there"), "{ran}");
    assert!(world.server.with(|model| model.queue(&events_queue()).is_some()));
    // The two say opposite things.
    let ran = doctor(&world, &["--role", ACCESS, "--no-members"]).await;
    assert_eq!(ran.code, 2, "{ran}");
}

#[tokio::test]
async fn a_delegated_administrator_is_told_from_any_other_account() {
    let delegated = |services: &'static [&'static str]| async move {
        let setup = World::of(&Document::default()).world(|world| {
            let owner = world.accounts.iter_mut().find(|account| account.id == OWNER).unwrap();
            owner.delegated = services.iter().map(|service| (*service).to_owned()).collect();
        });
        let world = setup.hub(OWNER).start().await;
        let role = format!("arn:aws:iam::{OWNER}:role/GuardrailKeeperFunction");
        let hub = testkit::program::Guardrailctl::of(&world)
            .variable("AWS_ACCESS_KEY_ID", &format!("SIM{OWNER}"))
            .variable("KEEPER_FUNCTION_ROLE", &role)
            .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
            .variable("KEEPER_BUS", BUS);
        let ran = hub.run(&["doctor", "--no-members"]).await;
        (ran.code, ran.out.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let (_, out) = delegated(&["member.org.stacksets.cloudformation.amazonaws.com"]).await;
    assert!(
        out.contains("the hub is a delegated administrator of StackSets: whoever may use them there"),
        "{out}"
    );
    assert!(out.contains("n/a there are none (guardrail-keeper-member-role"), "it may ask for them: {out}");
    let (_, out) = delegated(&["guardduty.amazonaws.com"]).await;
    assert!(out.contains("a delegated administrator, but not for StackSets"), "{out}");
    assert!(out.contains("n/a those of the management account can't be seen from here"), "{out}");
    let (code, out) = delegated(&[]).await;
    assert!(out.contains("the organization isn't known: ListAccounts was denied"), "{out}");
    assert!(
        out.contains(
            "the hub has to be the management account, or an account that may read the organization"
        ),
        "{out}"
    );
    assert_eq!(code, 1, "{out}");
}

/// Lambda gives the role to any function that is made with it.
#[tokio::test]
async fn a_role_that_another_function_could_use_is_found() {
    let world = healthy().await;
    world.server.with(|model| {
        let mut role = model.role(HUB, "GuardrailKeeperFunction").unwrap().as_ref().clone();
        role.permissions.deny.clear();
        model.put_role(HUB, role);
    });
    assert_eq!(
        bad(&findings(&world).await),
        [
            "problem function_role 111111111111/-: another function that is given GuardrailKeeperFunction may become the member roles"
        ]
    );
}

const STACK_SETS: &str = "member.org.stacksets.cloudformation.amazonaws.com";

fn delegated(world: &World, account: &str, service: &str) {
    world.server.with(|model| {
        let management = model.caller(&format!("arn:aws:iam::{HUB}:root"), US).unwrap();
        model.register_delegate(&management, account, service).unwrap();
    });
}

#[tokio::test]
async fn a_delegated_administrator_of_stack_sets_is_named_unless_it_is_expected() {
    let world = healthy().await;
    delegated(&world, SEARCH, "guardduty.amazonaws.com");
    assert_eq!(bad(&findings(&world).await), [""; 0]);
    delegated(&world, SEARCH, "sso.amazonaws.com");
    let found = findings(&world).await;
    assert_eq!(bad(&found), [""; 0]);
    let advice =
        |one: &&Value| one["text"].as_str().unwrap().starts_with("administers IAM Identity Center: ");
    let advice = found.iter().find(advice).unwrap();
    assert_eq!((&advice["account"], &advice["outcome"]), (&json!(SEARCH), &json!("not_applicable")));
    delegated(&world, SEARCH, STACK_SETS);
    let found = bad(&findings(&world).await);
    let [line] = found.as_slice() else { panic!("{found:?}") };
    assert!(
        line.starts_with(&format!("problem delegates {SEARCH}/-: ")) && line.contains("every member"),
        "{line}"
    );
    let ran = doctor(&world, &["--role", ACCESS, "--delegate", SEARCH]).await;
    assert!(ran.code == 0 && ran.out.contains("administers guardduty.amazonaws.com, member.org"), "{ran}");
}

#[tokio::test]
async fn delegated_administrators_that_cannot_be_read_are_not_known() {
    for (operation, text) in [
        ("ListDelegatedAdministrators", "who is a delegated administrator isn't known"),
        ("ListDelegatedServicesForAccount", "what it administers isn't known"),
    ] {
        let world = healthy().await;
        delegated(&world, SEARCH, "guardduty.amazonaws.com");
        world.server.fault(Fault::new(FaultKind::Denied { message: "no".to_owned() }).operation(operation));
        let found = bad(&findings(&world).await);
        assert!(
            found.len() == 1 && found[0].contains(text) && found[0].starts_with("unknown delegates"),
            "{found:?}"
        );
    }
}

/// What becomes of the guardrails' keys is told by CloudTrail's events of KMS, which a trail may leave out.
#[tokio::test]
async fn a_trail_without_keys_is_found_where_a_guardrail_has_one() {
    let world = healthy().await;
    world.server.with(|model| model.trails[0].excluded = vec!["kms.amazonaws.com".to_owned()]);
    assert_eq!(bad(&findings(&world).await), [""; 0], "no guardrail has a key");
    let world = whole(World::of(&Document::default()).world(encrypted)).start().await;
    put_key(&world, key(KeyState::Enabled, true));
    world.server.with(|model| model.trails[0].excluded = vec!["kms.amazonaws.com".to_owned()]);
    let found = bad(&findings(&world).await);
    let expected = format!(
        "problem trails {OWNER}/{EU}: trail all doesn't log management events of kms.amazonaws.com that write"
    );
    assert!(found.contains(&expected), "{found:#?}");
    world.server.with(|model| model.trails[0].excluded.clear());
    assert!(!bad(&findings(&world).await).iter().any(|line| line.contains(" trails ")));
}

/// SNS suspends an e-mail subscription that gets many messages at once: advice, and no problem.
#[tokio::test]
async fn a_topic_that_only_mail_is_sent_from_is_advised_about() {
    let world = healthy().await;
    world.server.with(|model| model.topics[0].subscriptions.truncate(1));
    let found = findings(&world).await;
    assert_eq!(bad(&found), [""; 0]);
    let advice = found.iter().find(|one| one["text"].as_str().unwrap().contains("by e-mail only")).unwrap();
    assert_eq!((&advice["check"], &advice["outcome"]), (&json!("notifications"), &json!("not_applicable")));
}

#[tokio::test]
async fn a_second_owner_is_looked_into_like_the_first() {
    let world = whole(crate::owners::setup()).start().await;
    world.server.with(|model| {
        // Nothing tells of what is done in the second owner's account, and its role may share nothing.
        model.bus_rules.retain(|rule| rule.account != SEARCH);
        let mut role = model.role(SEARCH, MEMBER_ROLE).unwrap().as_ref().clone();
        role.permissions.deny.push(Statement {
            actions: ["bedrock:PutResourcePolicy".to_owned()].into(),
            ..Statement::default()
        });
        model.put_role(SEARCH, role);
    });
    let found = bad(&findings(&world).await);
    let about: Vec<&str> = found
        .iter()
        .map(String::as_str)
        .filter(|line| line.contains(SEARCH) && (line.contains(OWNER) || !line.contains("control_policies")))
        .collect();
    check(
        &about.join("\n"),
        expect![[r#"
        problem control_policies 222222222222/-: OnlyAuthorsChangeTheGuardrails of guardrails doesn't cover arn:*:bedrock:*:300000000003:guardrail/*
        problem control_policies 222222222222/-: OnlyAuthorsAndTheKeeperChangeGrants of guardrails doesn't cover arn:*:bedrock:*:300000000003:guardrail/*
        problem control_policies 222222222222/-: OnlyStackSetsChangeTheOwnersNamedRoles of guardrails doesn't cover arn:*:iam::300000000003:role/GuardrailAuthor
        problem control_policies 222222222222/-: OnlyNamedPeopleBecomeThem of guardrails doesn't cover arn:*:iam::300000000003:role/GuardrailAuthor
        problem control_policies 222222222222/-: OnlyKeyAdministratorsChangeTheKeys of guardrails doesn't cover arn:*:kms:*:300000000003:key/GUARDRAIL_KEY_ID
        problem control_policies 300000000003/-: OnlyAuthorsMakeGuardrails of guardrails has other values for aws:PrincipalAccount: 222222222222
        problem member_role 300000000003/-: GuardrailKeeperMember may not bedrock:PutResourcePolicy: a policy of its own denies it
        problem forwarding_rules 300000000003/eu-west-1: no rule sends events of aws.bedrock on default to guardrail-keeper
        problem forwarding_rules 300000000003/eu-west-1: no rule sends changes of drafts on default to guardrail-keeper
        problem forwarding_rules 300000000003/us-east-1: no rule sends events of aws.account on default to guardrail-keeper"#]],
    );
}
