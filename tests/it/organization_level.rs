//! The organization's level: Bedrock policies that the keeper writes, by the jobs that a deployed function does.

use expect_test::expect;
use serde_json::{Value, json};
use simulator::{
    ApiError, Caller, CreateOrganizationPolicy, Fault, FaultKind, Model, PolicyKind, Presence,
    ServiceControl, Tags, UpdateOrganizationPolicy,
};

use crate::effective_policy::{self, ROOT};
use testkit::program::Guardrailctl;
use testkit::world::{
    Document, EU, HUB, ORGANIZATION_ROLE, OWNER, PARAMETER, PAYMENTS, PLAYGROUND, SANDBOX, SHIPPING, Setup,
    US, WORKLOAD, World, check, schedule,
};

/// The management account owns the guardrails, and the root gets one by a Bedrock policy.
pub(crate) fn document(assignments: &[(&'static str, &'static str)]) -> Document {
    Document { owner: HUB, assignments: assignments.to_vec(), ..Document::default() }
}

pub(crate) const CORPORATE: &str = "corporate, level: organization";

pub(crate) fn managed(document: &Document) -> Setup {
    World::of(document).durable().approved().variable("KEEPER_ORGANIZATION_ROLE", "own").world(|world| {
        world.bedrock_policies_enabled = true;
        for guardrail in &mut world.guardrails {
            guardrail.account = HUB.to_owned();
        }
    })
}

/// A sweep as the schedule begins it, and what came of the organization's level.
pub(crate) async fn swept(world: &World) -> Value {
    let answer = world.deliver(&from_the_hub(world, schedule())).await;
    let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", error.name()));
    answer["organization_level"].clone()
}

/// The event from the account that the keeper is in: from another one it doesn't count.
fn from_the_hub(world: &World, mut event: Value) -> Value {
    event["account"] = json!(world.setting("KEEPER_FUNCTION_ROLE").and_then(|role| role.split(':').nth(4)));
    event
}

/// What an account's effective policy names in a Region: the guardrail's id and version.
pub(crate) fn given(world: &World, account: &str, region: &str) -> Option<String> {
    let text = world.server.with(|model| Some(model.effective_policy(account)?.document().text.clone()))?;
    let policy: Value = serde_json::from_str(&text).unwrap();
    let regions = &policy["bedrock"]["guardrail_inference"][region];
    let named = regions.as_object()?.values().next()?.clone();
    let identifier = named["identifier"].as_str()?;
    identifier.rsplit_once('/').map(|(_, id)| id.to_owned())
}

/// Every Bedrock policy, and where it is attached.
pub(crate) fn policies(world: &World) -> Vec<String> {
    world.server.with(|model| {
        let mut lines: Vec<String> = model
            .organization
            .policies
            .iter()
            .filter(|policy| policy.kind == PolicyKind::BedrockPolicy)
            .map(|policy| {
                let targets: Vec<&str> = policy.attachments.iter().map(|one| one.target.as_str()).collect();
                format!("{} on {}", policy.name, targets.join(", "))
            })
            .collect();
        lines.sort();
        lines
    })
}

#[tokio::test]
async fn a_root_is_guarded_once_every_account_has_shown_that_it_can_apply_it() {
    let world = managed(&document(&[(ROOT, CORPORATE)])).start().await;
    let level = swept(&world).await;
    assert_eq!(level["holds"], json!([]), "{level}");
    assert_eq!(level["confirmed"], true, "{level}");
    assert_eq!(policies(&world), ["guardrail-keeper-r-exam-1 on r-exam"]);
    for account in [HUB, PAYMENTS, PLAYGROUND] {
        assert_eq!(given(&world, account, US).as_deref(), Some("usbase1a2b3c:2"), "{account}");
        assert_eq!(given(&world, account, EU).as_deref(), Some("eubase1a2b3c:2"), "{account}");
    }
    // A second time nothing is written.
    world.server.clear_calls();
    let level = swept(&world).await;
    assert_eq!(level["taken"], json!([]));
    assert_eq!(world.writes(), [""; 0]);
}

/// Everybody below the root has the second version, by a policy that the keeper wrote.
async fn carried_out(setup: Setup) -> World {
    let world = setup.start().await;
    let level = swept(&world).await;
    assert_eq!(level["confirmed"], true, "{level}");
    world.server.clear_calls();
    world
}

async fn of_the_root() -> World {
    carried_out(managed(&document(&[(ROOT, CORPORATE)]))).await
}

/// Hears of the last event of that name, and says what came of it.
async fn heard(world: &World, name: &str) -> Value {
    let answer = world.deliver(&world.event(name)).await;
    answer.unwrap_or_else(|error| panic!("{}: {error}", error.name()))["organization_level"].clone()
}

/// Somebody with an administrator's rights in the management account.
fn administrator(world: &World, act: impl FnOnce(&mut Model, &Caller) -> Result<(), ApiError>) {
    let done = world.server.with(|model| {
        let caller = model.caller(&format!("arn:aws:iam::{HUB}:user/somebody"), US)?;
        act(model, &caller)
    });
    done.unwrap_or_else(|error| panic!("{error:?}"));
}

/// The id of a policy.
pub(crate) fn id_of(model: &Model, name: &str) -> String {
    let policy = model.organization.policies.iter().find(|policy| policy.name == name);
    policy.unwrap_or_else(|| panic!("there is no {name}")).id.clone()
}

pub(crate) const OURS: &str = "guardrail-keeper-r-exam-1";

fn codes(level: &Value) -> Vec<&str> {
    level["holds"].as_array().unwrap().iter().map(|hold| hold["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_somebody_does_to_our_policies_is_undone_at_once() {
    type Drift = (&'static str, fn(&mut Model, &Caller, &str) -> Result<(), ApiError>);
    let drifts: [Drift; 4] = [
        ("DetachPolicy", |model, caller, id| model.detach_policy(caller, id, ROOT)),
        ("UpdatePolicy", |model, caller, id| {
            let content = Some(policy_text(1));
            let wanted = UpdateOrganizationPolicy { content, ..UpdateOrganizationPolicy::default() };
            model.update_policy(caller, id, wanted).map(drop)
        }),
        ("DeletePolicy", |model, caller, id| {
            model.detach_policy(caller, id, ROOT)?;
            model.delete_policy(caller, id)
        }),
        // Attached where it doesn't belong.
        ("AttachPolicy", |model, caller, id| model.attach_policy(caller, id, WORKLOAD)),
    ];
    for (event, drift) in drifts {
        let world = of_the_root().await;
        administrator(&world, |model, caller| {
            let id = id_of(model, OURS);
            drift(model, caller, &id)
        });
        let level = heard(&world, event).await;
        assert_eq!(level["confirmed"], true, "{event}: {level}");
        assert_eq!(level["repair"], true, "{event}: {level}");
        assert_eq!(policies(&world), ["guardrail-keeper-r-exam-1 on r-exam"], "{event}");
        assert_eq!(given(&world, PAYMENTS, US).as_deref(), Some("usbase1a2b3c:2"), "{event}");
        // The keeper hears of its own writes as well, and has nothing to do.
        world.server.clear_calls();
        heard(&world, event).await;
        assert_eq!(world.writes(), [""; 0], "{event}");
    }
}

/// A policy in the keeper's form, with this version.
pub(crate) fn policy_text(version: u32) -> String {
    let region = |region: &str| {
        let id = format!("arn:aws:bedrock:{region}:{HUB}:guardrail/{}base1a2b3c:{version}", &region[..2]);
        json!({ "keeper": {
            "identifier": { "@@assign": id },
            "model_enforcement": {
                "included_models": { "@@assign": ["ALL"] }, "excluded_models": { "@@assign": [] },
            },
            "selective_content_guarding": {
                "messages": { "@@assign": "comprehensive" }, "system": { "@@assign": "comprehensive" },
            },
        } })
    };
    let regions = json!({ US: region(US), EU: region(EU), "ap-southeast-2": region("ap-southeast-2") });
    json!({ "bedrock": { "guardrail_inference": regions } }).to_string()
}

#[tokio::test]
async fn an_ou_and_an_account_get_policies_of_their_own() {
    let world = managed(&document(&[(WORKLOAD, CORPORATE), (PLAYGROUND, CORPORATE)]));
    let world = carried_out(world).await;
    assert_eq!(
        policies(&world),
        [
            format!("guardrail-keeper-{PLAYGROUND}-1 on {PLAYGROUND}"),
            format!("guardrail-keeper-{WORKLOAD}-1 on {WORKLOAD}"),
        ]
    );
    assert_eq!(given(&world, PAYMENTS, US).as_deref(), Some("usbase1a2b3c:2"));
    assert_eq!(given(&world, PLAYGROUND, US).as_deref(), Some("usbase1a2b3c:2"));
    assert_eq!(given(&world, HUB, US), None);
}

#[tokio::test]
async fn another_version_is_written_in_place() {
    let earlier = Document { version: 1, ..document(&[(ROOT, CORPORATE)]) };
    let world = carried_out(managed(&earlier)).await;
    assert_eq!(given(&world, PAYMENTS, US).as_deref(), Some("usbase1a2b3c:1"));
    world.publish(&document(&[(ROOT, CORPORATE)]));
    // It changes more than one account, so it waits for a person.
    let level = swept(&world).await;
    assert_eq!(codes(&level), ["not_approved"]);
    // Whoever approves reads what is approved, also where only the keeper may read policies.
    assert!(level["left"].as_array().is_some_and(|steps| !steps.is_empty()), "{level}");
    assert_eq!(given(&world, PAYMENTS, US).as_deref(), Some("usbase1a2b3c:1"));
    world.approve().await;
    world.server.clear_calls();
    let level = swept(&world).await;
    assert_eq!(level["confirmed"], true, "{level}");
    assert_eq!(given(&world, PAYMENTS, US).as_deref(), Some("usbase1a2b3c:2"));
    let writes: Vec<String> = world.writes();
    assert_eq!(writes, [format!("UpdatePolicy {HUB}/{US}")]);
}

#[tokio::test]
async fn a_moved_assignment_leaves_nobody_unguarded() {
    let world = of_the_root().await;
    world.publish(&document(&[
        (WORKLOAD, CORPORATE),
        (SANDBOX, CORPORATE),
        (HUB, CORPORATE),
        (OWNER, CORPORATE),
    ]));
    world.approve().await;
    let level = swept(&world).await;
    assert_eq!(level["confirmed"], true, "{level}");
    assert_eq!(policies(&world).len(), 4);
    let calls = world.server.calls();
    let order: Vec<&str> = calls
        .iter()
        .map(|call| call.operation.as_str())
        .filter(|operation| ["AttachPolicy", "DetachPolicy", "DeletePolicy"].contains(operation))
        .collect();
    assert_eq!(
        order,
        ["AttachPolicy", "AttachPolicy", "AttachPolicy", "AttachPolicy", "DetachPolicy", "DeletePolicy"]
    );
}

#[tokio::test]
async fn what_is_not_assigned_any_more_is_taken_back() {
    let world = of_the_root().await;
    world.publish(&document(&[(ROOT, "none")]));
    world.approve().await;
    let level = swept(&world).await;
    assert_eq!(level["confirmed"], true, "{level}");
    assert_eq!(policies(&world), [""; 0]);
    assert_eq!(given(&world, PAYMENTS, US), None);
}

#[tokio::test]
async fn a_guardrail_that_nobody_can_use_is_never_written() {
    // Neither version exists.
    let world = managed(&Document { version: 7, ..document(&[(ROOT, CORPORATE)]) }).start().await;
    let level = swept(&world).await;
    assert!(codes(&level).contains(&"unusable"), "{level}");
    assert_eq!(policies(&world), [""; 0]);
    // It isn't granted, and the keeper may not grant it.
    let world = managed(&Document { mode: "audit", ..document(&[(ROOT, CORPORATE)]) });
    let world = world.world(|world| {
        for guardrail in &mut world.guardrails {
            guardrail.share_with_organization = false;
        }
    });
    let world = world.start().await;
    let level = swept(&world).await;
    assert!(codes(&level).contains(&"unusable") && codes(&level).contains(&"not_proven"), "{level}");
    assert_eq!(policies(&world), [""; 0]);
}

#[tokio::test]
async fn an_account_that_cannot_apply_it_holds_the_write_unless_the_baseline_accepts_that() {
    let denied = |world: &mut simulator::World| {
        world.service_control.push(ServiceControl {
            targets: vec![SHIPPING.to_owned()],
            deny: vec!["bedrock:ApplyGuardrail".to_owned()],
            except: Vec::new(),
            regions: Vec::new(),
        });
    };
    let world = managed(&document(&[(ROOT, CORPORATE)])).world(denied).start().await;
    let level = swept(&world).await;
    assert_eq!(codes(&level), ["not_proven"], "{level}");
    let text = level["holds"][0]["text"].as_str().unwrap();
    assert!(text.contains(SHIPPING) && !text.contains(PAYMENTS), "{text}");
    assert_eq!(policies(&world), [""; 0]);
    let accepting =
        Document { rest: vec!["accept_unproven: [\"300000000002\"]"], ..document(&[(ROOT, CORPORATE)]) };
    let world = carried_out(managed(&accepting).world(denied)).await;
    assert_eq!(given(&world, SHIPPING, US).as_deref(), Some("usbase1a2b3c:2"));
}

#[tokio::test]
async fn in_audit_mode_it_is_said_what_would_be_written() {
    let audit = Document { mode: "audit", ..document(&[(ROOT, CORPORATE)]) };
    let world = managed(&audit).start().await;
    let level = swept(&world).await;
    assert_eq!(level["holds"], json!([]));
    let left = level["left"].as_array().unwrap();
    assert!(left[0].as_str().unwrap().starts_with("create guardrail-keeper-r-exam-1"), "{level}");
    assert_eq!(policies(&world), [""; 0]);
}

#[tokio::test]
async fn a_disabled_type_is_reported_and_never_enabled() {
    let world = of_the_root().await;
    administrator(&world, |model, caller| {
        model.disable_policy_type(caller, ROOT, "BEDROCK_POLICY").map(drop)
    });
    let level = heard(&world, "DisablePolicyType").await;
    assert!(codes(&level).contains(&"type_disabled"), "{level}");
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn a_disabled_type_is_enabled_again_where_the_deployment_says_so() {
    for setup in [managed(&document(&[(ROOT, CORPORATE)])), from_elsewhere(&document(&[(ROOT, CORPORATE)]))] {
        let world = carried_out(setup.variable("KEEPER_REPAIR_POLICY_TYPE", "yes")).await;
        administrator(&world, |model, caller| {
            model.disable_policy_type(caller, ROOT, "BEDROCK_POLICY").map(drop)
        });
        assert_eq!(policies(&world), ["guardrail-keeper-r-exam-1 on "]);
        let level = swept(&world).await;
        assert_eq!((&level["confirmed"], &level["repair"]), (&json!(true), &json!(true)), "{level}");
        assert_eq!(level["taken"][0], "enable the policy type BEDROCK_POLICY again on r-exam");
        assert_eq!(given(&world, PAYMENTS, US).as_deref(), Some("usbase1a2b3c:2"));
        assert_eq!(policies(&world), ["guardrail-keeper-r-exam-1 on r-exam"]);
    }
}

#[tokio::test]
async fn an_account_without_a_place_holds_what_is_new_and_not_what_is_put_back() {
    let lost = || {
        let message = "not authorized to perform: organizations:ListParents".to_owned();
        Fault::new(FaultKind::Denied { message }).operation("ListParents").about(PLAYGROUND)
    };
    let setup = managed(&document(&[(ROOT, CORPORATE)]));
    let world = carried_out(setup.switches(|switches| switches.paths = Presence::Absent)).await;
    world.server.fault(lost());
    administrator(&world, |model, caller| model.detach_policy(caller, &id_of(model, OURS), ROOT));
    let level = heard(&world, "DetachPolicy").await;
    assert_eq!((&level["confirmed"], &level["repair"]), (&json!(true), &json!(true)), "{level}");
    assert_eq!(given(&world, PLAYGROUND, US).as_deref(), Some("usbase1a2b3c:2"));
    let world =
        managed(&document(&[(ROOT, CORPORATE)])).switches(|switches| switches.paths = Presence::Absent);
    let world = world.start().await;
    world.server.fault(lost());
    administrator(&world, |model, caller| {
        let wanted = CreateOrganizationPolicy {
            name: "theirs".to_owned(),
            description: String::new(),
            kind: PolicyKind::BedrockPolicy.name().to_owned(),
            content: policy_text(1),
            tags: Tags::default(),
        };
        model.create_policy(caller, wanted).map(drop)
    });
    assert_eq!(codes(&heard(&world, "CreatePolicy").await), ["unplaced"]);
    assert_eq!(policies(&world), ["theirs on "]);
}

#[tokio::test]
async fn a_type_that_was_never_enabled_is_for_people_to_enable() {
    let setup = managed(&document(&[(ROOT, CORPORATE)])).variable("KEEPER_REPAIR_POLICY_TYPE", "yes");
    let world = setup.world(|world| world.bedrock_policies_enabled = false).start().await;
    assert!(codes(&swept(&world).await).contains(&"type_disabled"));
    assert_eq!(world.count("EnablePolicyType"), 0);
}

#[tokio::test]
async fn a_type_is_not_enabled_again_in_audit_mode_nor_without_the_permission() {
    let root = || document(&[(ROOT, CORPORATE)]);
    let disable = |world: &World| {
        administrator(world, |model, caller| {
            model.disable_policy_type(caller, ROOT, "BEDROCK_POLICY").map(drop)
        });
    };
    let world = carried_out(managed(&root()).variable("KEEPER_REPAIR_POLICY_TYPE", "yes")).await;
    disable(&world);
    world.publish(&Document { mode: "audit", ..root() });
    world.approve().await;
    assert!(codes(&swept(&world).await).contains(&"type_disabled"));
    assert_eq!(world.count("EnablePolicyType"), 0);
    let world = carried_out(managed(&root()).variable("KEEPER_REPAIR_POLICY_TYPE", "yes")).await;
    disable(&world);
    let message = "You don't have permissions to access this resource.".to_owned();
    world.server.fault(Fault::new(FaultKind::Denied { message }).operation("EnablePolicyType"));
    let level = swept(&world).await;
    let text = level["holds"].to_string();
    assert!(text.contains("EnablePolicyType"), "{level}");
}

#[tokio::test]
async fn another_owner_than_the_management_account_is_refused() {
    let world = managed(&Document { owner: OWNER, ..document(&[(ROOT, CORPORATE)]) }).start().await;
    assert_eq!(codes(&swept(&world).await), ["wrong_owner"]);
    assert_eq!(policies(&world), [""; 0]);
}

#[tokio::test]
async fn without_access_the_baseline_is_said_to_ask_for_it() {
    let setup = managed(&document(&[(ROOT, CORPORATE)])).variable("KEEPER_ORGANIZATION_ROLE", "none");
    let world = setup.start().await;
    assert_eq!(codes(&swept(&world).await), ["not_deployed"]);
    assert_eq!(world.count("ListPolicies"), 0);
}

#[tokio::test]
async fn a_policy_of_somebody_elses_is_never_written_and_one_that_ours_would_freeze_is_named() {
    // Ours has another name for its configuration, so that two would be there.
    let foreign =
        effective_policy::policy("p-corporate1", "corporate", &[ROOT], &[(US, effective_policy::all(US, 1))]);
    let world = managed(&document(&[(WORKLOAD, CORPORATE)]));
    let world = world.world(|world| world.bedrock_policies = vec![foreign]).start().await;
    let level = swept(&world).await;
    assert_eq!(codes(&level), ["no_safe_order"], "{level}");
    assert!(level["holds"][0]["text"].as_str().unwrap().contains("p-corporate1 on r-exam"), "{level}");
    assert_eq!(policies(&world), ["corporate on r-exam"]);
    assert_eq!(given(&world, PAYMENTS, US).as_deref(), Some("base1a2b3c4d:1"));
}

#[tokio::test]
async fn a_frozen_account_is_reported_and_its_own_change_waits() {
    // A policy without an identifier freezes the sandbox.
    let broken = json!({ "selective_content_guarding": { "system": { "@@assign": "selective" } } });
    let foreign =
        effective_policy::policy("p-embeddings", "embeddings", &[SANDBOX], &[("eu-west-3", broken)]);
    let world = managed(&document(&[(WORKLOAD, CORPORATE)]));
    let world = world.world(|world| world.bedrock_policies = vec![foreign]).start().await;
    let level = swept(&world).await;
    let frozen = level["frozen"].as_object().unwrap();
    assert!(frozen.contains_key(PLAYGROUND), "{level}");
    assert!(frozen[PLAYGROUND].as_str().unwrap().contains("KEY_REQUIRED"), "{level}");
    // The others get theirs all the same.
    assert_eq!(given(&world, PAYMENTS, US).as_deref(), Some("usbase1a2b3c:2"), "{level}");
}

#[tokio::test]
async fn a_process_that_ends_right_after_a_creation_leaves_no_second_policy() {
    let world = managed(&document(&[(ROOT, CORPORATE)])).start().await;
    // AWS creates the policy, and the answer is lost.
    world.server.fault(Fault::new(FaultKind::Reset).operation("CreatePolicy").after_carrying_out().times(1));
    drop(world.deliver(&schedule()).await);
    let level = swept(&world).await;
    assert_eq!(level["confirmed"], true, "{level}");
    assert_eq!(policies(&world), ["guardrail-keeper-r-exam-1 on r-exam"]);
}

#[tokio::test]
async fn a_grant_stays_as_long_as_a_bedrock_policy_names_the_guardrail() {
    let setup = managed(&document(&[(ROOT, CORPORATE)])).world(|world| {
        for guardrail in &mut world.guardrails {
            guardrail.share_with_organization = false;
        }
    });
    // The first sweep grants, and the accounts can apply it by the next one.
    let world = setup.start().await;
    swept(&world).await;
    let level = swept(&world).await;
    assert_eq!(level["confirmed"], true, "{level}");
    let granted = |world: &World| {
        world.server.with(|model| {
            let arn = format!("arn:aws:bedrock:{US}:{HUB}:guardrail/usbase1a2b3c");
            model.resource_policy(&arn).is_some()
        })
    };
    assert!(granted(&world));
    // The baseline forgets the guardrail, and nobody approves that the policies go.
    let other = Document { regions: EU, ..document(&[(ROOT, CORPORATE)]) };
    world.publish(&other);
    swept(&world).await;
    let level = swept(&world).await;
    assert_eq!(codes(&level), ["not_approved"], "{level}");
    assert!(granted(&world), "whoever inherits the guardrail needs its grant");
    world.approve().await;
    swept(&world).await;
    let level = swept(&world).await;
    assert_eq!(level["confirmed"], true, "{level}");
    assert_eq!(given(&world, PAYMENTS, US), None);
    assert!(!granted(&world), "nobody needs it any more");
}

#[tokio::test]
async fn a_person_reads_what_would_be_written_and_how_it_stands() {
    let earlier = Document { version: 1, ..document(&[(WORKLOAD, CORPORATE)]) };
    let world = carried_out(managed(&earlier)).await;
    world.publish(&document(&[(WORKLOAD, CORPORATE)]));
    // The sweep tries the next version as each account.
    swept(&world).await;
    let ran = terminal(&world).run(&["plan"]).await;
    check(
        &level_of(&ran.out),
        expect![[r#"
        :
        held [not_approved] it changes more than may be changed without an approval: 4 accounts; 0 added, 12 replaced, 0 released
        + update p-j8l6ycjhtq, ap-southeast-2: apbase1a2b3c:2, eu-west-1: eubase1a2b3c:2, us-east-1: usbase1a2b3c:2
        4 accounts; 0 added, 12 replaced, 0 released
        to let it be done: guardrailctl approve 5245ace7728cd9f3
    "#]],
    );
    let ran = terminal(&world).run(&["status", "--recorded"]).await;
    check(
        &level_of(&ran.out),
        expect![[r#"

            held [not_approved] it changes more than may be changed without an approval: 4 accounts; 0 added, 12 replaced, 0 released
            1 step left to be written
                    update p-j8l6ycjhtq, ap-southeast-2: apbase1a2b3c:2, eu-west-1: eubase1a2b3c:2, us-east-1: usbase1a2b3c:2
                 12 differs
                    300000000001/ap-southeast-2 differs: weaker: identifier is "arn:aws:bedrock:ap-southeast-2:111111111111:guardrail/apbase1a2b3c:1", not "arn:aws:bedrock:ap-southeast-2:111111111111:guardrail/apbase1a2b3c:2"
                    300000000001/eu-west-1 differs: weaker: identifier is "arn:aws:bedrock:eu-west-1:111111111111:guardrail/eubase1a2b3c:1", not "arn:aws:bedrock:eu-west-1:111111111111:guardrail/eubase1a2b3c:2"
                    300000000001/us-east-1 differs: weaker: identifier is "arn:aws:bedrock:us-east-1:111111111111:guardrail/usbase1a2b3c:1", not "arn:aws:bedrock:us-east-1:111111111111:guardrail/usbase1a2b3c:2"
                    300000000002/ap-southeast-2 differs: weaker: identifier is "arn:aws:bedrock:ap-southeast-2:111111111111:guardrail/apbase1a2b3c:1", not "arn:aws:bedrock:ap-southeast-2:111111111111:guardrail/apbase1a2b3c:2"
                    300000000002/eu-west-1 differs: weaker: identifier is "arn:aws:bedrock:eu-west-1:111111111111:guardrail/eubase1a2b3c:1", not "arn:aws:bedrock:eu-west-1:111111111111:guardrail/eubase1a2b3c:2"
                    300000000002/us-east-1 differs: weaker: identifier is "arn:aws:bedrock:us-east-1:111111111111:guardrail/usbase1a2b3c:1", not "arn:aws:bedrock:us-east-1:111111111111:guardrail/usbase1a2b3c:2"
                    300000000003/ap-southeast-2 differs: weaker: identifier is "arn:aws:bedrock:ap-southeast-2:111111111111:guardrail/apbase1a2b3c:1", not "arn:aws:bedrock:ap-southeast-2:111111111111:guardrail/apbase1a2b3c:2"
                    300000000003/eu-west-1 differs: weaker: identifier is "arn:aws:bedrock:eu-west-1:111111111111:guardrail/eubase1a2b3c:1", not "arn:aws:bedrock:eu-west-1:111111111111:guardrail/eubase1a2b3c:2"
                    300000000003/us-east-1 differs: weaker: identifier is "arn:aws:bedrock:us-east-1:111111111111:guardrail/usbase1a2b3c:1", not "arn:aws:bedrock:us-east-1:111111111111:guardrail/usbase1a2b3c:2"
                    300000000004/ap-southeast-2 differs: weaker: identifier is "arn:aws:bedrock:ap-southeast-2:111111111111:guardrail/apbase1a2b3c:1", not "arn:aws:bedrock:ap-southeast-2:111111111111:guardrail/apbase1a2b3c:2"
        "#]],
    );
    let ran = terminal(&world).run(&["status", "--recorded", "--output", "json"]).await;
    let told: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran}"));
    let level = &told["summary"]["organization_level"];
    assert_eq!(level["good"], false);
    assert_eq!(level["states"], json!({ "differs": 12 }));
    assert_eq!(level["look"]["holds"][0]["code"], "not_approved");
    world.approve().await;
    swept(&world).await;
    swept(&world).await;
    let ran = terminal(&world).run(&["status", "--recorded"]).await;
    assert_eq!(level_of(&ran.out).trim(), "12 as wanted");
}

/// A terminal with the baseline and the ledger of the deployment.
fn terminal(world: &World) -> Guardrailctl {
    Guardrailctl::of(world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", &format!("file:{}", world.ledger_file().display()))
}

/// The part of an output that is about the organization's level, without times.
fn level_of(text: &str) -> String {
    let Some((_, part)) = text.split_once("Organization's level") else { return text.to_owned() };
    let lines = part.lines().filter(|line| !line.starts_with("looked at "));
    lines.map(|line| format!("{line}\n")).collect()
}

/// A keeper in a security account, which writes by a role in the management account.
fn from_elsewhere(document: &Document) -> Setup {
    managed(document).hub(OWNER).variable("KEEPER_ORGANIZATION_ROLE", ORGANIZATION_ROLE).world(|world| {
        let hub = world.accounts.iter_mut().find(|account| account.id == OWNER).expect("the hub");
        hub.delegated.push("bedrock.amazonaws.com".to_owned());
        let mut member = world.stack_set_roles[0].clone();
        member.trust.principals = vec![format!("arn:aws:iam::{OWNER}:root")];
        let mut organization = member.clone();
        ORGANIZATION_ROLE.clone_into(&mut organization.name);
        // As deploy/management.yaml has it.
        let policy = "arn:aws:organizations::*:policy/o-*/bedrock_policy/*";
        let points = ["root", "ou", "account"].map(|kind| format!("arn:aws:organizations::*:{kind}/o-*"));
        let statement = |actions: &[&str], resources: Value, tagged: Option<&str>| {
            let actions: Vec<String> = actions.iter().map(|action| format!("organizations:{action}")).collect();
            json!({ "actions": actions, "resources": resources, "tagged": tagged, "policy_type": "BEDROCK_POLICY" })
        };
        organization.permissions = serde_json::from_value(json!({ "allow": [
            statement(&["ListPolicies", "ListAccountsWithInvalidEffectivePolicy", "CreatePolicy"], json!(["*"]), None),
            statement(
                &["DescribePolicy", "ListTargetsForPolicy", "ListTagsForResource", "TagResource"],
                json!([policy]),
                None,
            ),
            statement(
                &["UpdatePolicy", "DeletePolicy", "AttachPolicy", "DetachPolicy"],
                json!([policy]),
                Some("guardrail-keeper"),
            ),
            statement(
                &[
                    "ListPoliciesForTarget",
                    "DescribeEffectivePolicy",
                    "ListEffectivePolicyValidationErrors",
                    "AttachPolicy",
                    "DetachPolicy",
                    "EnablePolicyType",
                ],
                json!(points),
                None,
            ),
        ] }))
        .unwrap();
        let management = world.accounts.iter_mut().find(|account| account.id == HUB);
        management.expect("the management account").roles.extend([member.clone(), organization]);
        world.stack_set_roles = vec![member];
    })
}

#[tokio::test]
async fn a_hub_in_another_account_writes_by_a_role_in_the_management_account() {
    let world = carried_out(from_elsewhere(&document(&[(ROOT, CORPORATE)]))).await;
    assert_eq!(policies(&world), ["guardrail-keeper-r-exam-1 on r-exam"]);
    assert_eq!(given(&world, HUB, US).as_deref(), Some("usbase1a2b3c:2"));
    // Every way of reading and writing: another version, other points, none, and what goes wrong.
    world.server.fault(Fault::new(FaultKind::Reset).operation("CreatePolicy").after_carrying_out().times(3));
    for next in [
        document(&[(ROOT, CORPORATE), (PLAYGROUND, CORPORATE)]),
        Document { version: 1, ..document(&[(ROOT, CORPORATE)]) },
        document(&[(WORKLOAD, CORPORATE)]),
        document(&[(ROOT, "none")]),
    ] {
        world.publish(&next);
        world.approve().await;
        let begins = from_the_hub(&world, schedule());
        // The first time AWS creates a policy and no answer comes, so that the task waits.
        drop(world.deliver(&begins).await);
        let level = swept(&world).await;
        assert_eq!(level["confirmed"], true, "{level}");
    }
    assert_eq!(policies(&world), [""; 0]);
    let broken = json!({ "bedrock": { "guardrail_inference": { "eu-west-3": { "main": {
        "selective_content_guarding": { "system": { "@@assign": "selective" } },
    } } } } });
    administrator(&world, |model, caller| {
        let wanted = CreateOrganizationPolicy {
            name: "embeddings".to_owned(),
            description: String::new(),
            kind: "BEDROCK_POLICY".to_owned(),
            content: broken.to_string(),
            tags: Tags::new(),
        };
        let id = model.create_policy(caller, wanted)?.id;
        model.attach_policy(caller, &id, SANDBOX)
    });
    let level = swept(&world).await;
    assert!(level["frozen"][PLAYGROUND].as_str().unwrap().contains("KEY_REQUIRED"), "{level}");
}

/// Where the permission to read a policy is for those of one type, AWS may deny access to one that isn't there.
#[tokio::test]
async fn a_deleted_policy_is_made_again_where_access_to_it_is_denied() {
    let world = carried_out(from_elsewhere(&document(&[(ROOT, CORPORATE)]))).await;
    administrator(&world, |model, caller| {
        let id = id_of(model, OURS);
        model.detach_policy(caller, &id, ROOT)?;
        model.delete_policy(caller, &id)
    });
    let level = heard(&world, "DeletePolicy").await;
    assert_eq!((&level["confirmed"], &level["repair"]), (&json!(true), &json!(true)), "{level}");
    assert!(world.server.calls().iter().any(|call| call.error.as_deref() == Some("AccessDeniedException")));
    assert_eq!(policies(&world), ["guardrail-keeper-r-exam-1 on r-exam"]);
}

#[tokio::test]
async fn a_policy_that_is_deleted_while_it_is_read_stops_no_look() {
    let theirs =
        effective_policy::policy("p-corporate1", "corporate", &[], &[(US, effective_policy::all(US, 1))]);
    let setup = from_elsewhere(&document(&[(ROOT, CORPORATE)]));
    let world = setup.world(|world| world.bedrock_policies = vec![theirs]).start().await;
    world.server.watch(|call, model| {
        if call.operation == "ListPolicies" {
            model.organization.policies.retain(|policy| policy.name != "corporate");
        }
    });
    let level = swept(&world).await;
    assert_eq!((&level["holds"], &level["confirmed"]), (&json!([]), &json!(true)), "{level}");
    assert!(world.server.calls().iter().any(|call| call.error.as_deref() == Some("AccessDeniedException")));
}

#[tokio::test]
async fn what_enforce_only_leaves_in_place_is_not_taken_for_confirmed() {
    let world = of_the_root().await;
    let none = |mode| Document { mode, ..document(&[(ROOT, "none")]) };
    world.publish(&none("enforce-only"));
    let level = swept(&world).await;
    assert_eq!((&level["confirmed"], &level["taken"]), (&json!(false), &json!([])), "{level}");
    // The same with `sync` releases everybody, so it waits for a person.
    world.publish(&none("sync"));
    let level = swept(&world).await;
    assert_eq!(codes(&level), ["not_approved"], "{level}");
    assert_eq!(given(&world, PAYMENTS, US).as_deref(), Some("usbase1a2b3c:2"));
}

#[tokio::test]
async fn two_guardrails_are_assigned_in_one_region() {
    let text = document(&[(ROOT, CORPORATE), (WORKLOAD, "strict, level: organization")]).text();
    let strict =
        "  strict:\n    name: corporate-baseline\n    version: 1\n    regions: [us-east-1]\nassignments:\n";
    let text = text.replacen("assignments:\n", strict, 1);
    let world = managed(&document(&[(PLAYGROUND, "none")])).start().await;
    world.publish_text(&text);
    world.approve().await;
    swept(&world).await;
    let level = swept(&world).await;
    assert_eq!(level["confirmed"], true, "{level}");
    // What is further down counts, and only in the Region that it names.
    assert_eq!(given(&world, PAYMENTS, US).as_deref(), Some("usbase1a2b3c:1"));
    assert_eq!(given(&world, PAYMENTS, EU).as_deref(), Some("eubase1a2b3c:2"));
    assert_eq!(given(&world, PLAYGROUND, US).as_deref(), Some("usbase1a2b3c:2"));
}

#[tokio::test]
async fn policies_that_stay_while_the_type_is_off_are_attached_again() {
    let world = carried_out(managed(&document(&[(WORKLOAD, CORPORATE), (SANDBOX, CORPORATE)]))).await;
    administrator(&world, |model, caller| {
        model.disable_policy_type(caller, ROOT, "BEDROCK_POLICY").map(drop)
    });
    let level = heard(&world, "DisablePolicyType").await;
    assert!(codes(&level).contains(&"type_disabled"), "{level}");
    administrator(&world, |model, caller| model.enable_policy_type(caller, ROOT, "BEDROCK_POLICY").map(drop));
    world.server.clear_calls();
    let level = heard(&world, "EnablePolicyType").await;
    assert_eq!((&level["confirmed"], &level["repair"]), (&json!(true), &json!(true)), "{level}");
    assert_eq!(world.writes(), [format!("AttachPolicy {HUB}/{US}"), format!("AttachPolicy {HUB}/{US}")]);
}
