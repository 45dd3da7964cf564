//! `guardrailctl adopt-policy`: somebody's Bedrock policy becomes the keeper's, without any effect on any account.

use expect_test::expect;
use serde_json::{Value, json};
use simulator::{BedrockPolicyEntry, Fault, FaultKind};

use crate::effective_policy::ROOT;
use crate::organization_level::{CORPORATE, document, given, managed, policies, swept};
use testkit::program::{Guardrailctl, Ran, full_disk, unread_pipe};
use testkit::world::{HUB, PARAMETER, PAYMENTS, REGIONS, US, WORKLOAD, World, check, guardrail};

const ID: &str = "p-corporate1";
const OURS: &str = "guardrail-keeper-ou-exam-workload-1 on ou-exam-workload";

/// What the keeper would write, under this name of the configurations.
fn content(name: &str, version: u32) -> Value {
    let regions = REGIONS.map(|region| {
        let arn = guardrail(region).replace("222222222222", HUB);
        let settings = json!({
            "identifier": { "@@assign": format!("{arn}:{version}") },
            "selective_content_guarding": {
                "system": { "@@assign": "comprehensive" }, "messages": { "@@assign": "comprehensive" }
            },
            "model_enforcement": { "included_models": { "@@assign": ["ALL"] }, "excluded_models": { "@@assign": [] } },
        });
        (region.to_owned(), json!({ name: settings }))
    });
    json!({ "bedrock": { "guardrail_inference": Value::Object(regions.into_iter().collect()) } })
}

fn policy(targets: &[&str], content: &Value) -> BedrockPolicyEntry {
    serde_json::from_value(json!({ "id": ID, "name": "corporate", "targets": targets, "content": content }))
        .unwrap()
}

/// A world in which somebody guards by a policy, and the baseline assigns these.
async fn world(assigned: &[(&'static str, &'static str)], policy: BedrockPolicyEntry) -> World {
    managed(&document(assigned)).world(|world| world.bedrock_policies = vec![policy]).start().await
}

async fn assigned() -> World {
    world(&[(WORKLOAD, CORPORATE)], policy(&[WORKLOAD], &content("keeper", 2))).await
}

fn ctl(world: &World) -> Guardrailctl {
    Guardrailctl::of(world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", &format!("file:{}", world.ledger_file().display()))
}

async fn adopt(world: &World) -> Ran {
    ctl(world).run(&["adopt-policy", ID, "--yes"]).await
}

fn own(world: &World) -> Value {
    let text = std::fs::read_to_string(world.ledger_file()).unwrap_or_else(|_| "{}".to_owned());
    let ledger: Value = serde_json::from_str(&text).unwrap();
    find(&ledger, "own").cloned().unwrap_or_default()
}

/// The first member of this name, however deep.
fn find<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(members) => {
            members.get(name).or_else(|| members.values().find_map(|member| find(member, name)))
        }
        Value::Array(items) => items.iter().find_map(|item| find(item, name)),
        _ => None,
    }
}

#[tokio::test]
async fn it_shows_what_happens_asks_and_no_account_notices() {
    let world = assigned().await;
    for (answer, adopted) in [("n\n", false), ("y\n", true)] {
        let mut running = ctl(&world).start_at_a_terminal(&["adopt-policy", ID], answer);
        running.has_said("[y/N]").await;
        let ran = running.end().await;
        assert_eq!(ran.code, i32::from(!adopted), "{ran}");
        if adopted {
            check(
                &ran,
                expect![[r#"
                p-corporate1 (corporate) on ou-exam-workload
                  ap-southeast-2: apbase1a2b3c:2
                  eu-west-1: eubase1a2b3c:2
                  us-east-1: usbase1a2b3c:2
                becomes the keeper's:
                  renamed to guardrail-keeper-ou-exam-workload-1, tagged guardrail-keeper, recorded in the ledger
                  what it says and where it is attached stays: no account is affected

                Organization's level:
                nothing to write
                ok: p-corporate1 is the keeper's guardrail-keeper-ou-exam-workload-1
                stderr: Adopt p-corporate1? [y/N] 
                exit 0
            "#]],
            );
        } else {
            assert_eq!(world.writes(), [""; 0]);
        }
        assert_eq!(given(&world, PAYMENTS, US).as_deref(), Some("usbase1a2b3c:2"));
    }
    assert_eq!(world.writes(), ["TagResource 111111111111/us-east-1", "UpdatePolicy 111111111111/us-east-1"]);
    assert_eq!(policies(&world), [OURS]);
    assert_eq!(own(&world), json!({ ID: "guardrail-keeper-ou-exam-workload-1" }));
    // The keeper takes it for its own and has nothing to write.
    world.server.clear_calls();
    let level = swept(&world).await;
    assert_eq!(
        (&level["holds"], &level["taken"], &level["confirmed"]),
        (&json!([]), &json!([]), &json!(true)),
        "{level}"
    );
    assert_eq!(policies(&world), [OURS]);
    // A second time there is nothing to do.
    let ran = adopt(&world).await;
    assert!(ran.code == 0 && ran.out.contains("already: nothing was changed"), "{ran}");
}

#[tokio::test]
async fn what_the_keeper_would_change_next_is_shown_before() {
    let old = policy(&[WORKLOAD], &content("keeper", 1));
    let world = world(&[(WORKLOAD, CORPORATE)], old).await;
    let ran = ctl(&world).run(&["adopt-policy", ID, "--yes", "--output", "json"]).await;
    let value: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran}"));
    assert_eq!((ran.code, &value["adopted"]), (0, &json!(true)), "{ran}");
    let holds: Vec<&str> =
        value["next"]["holds"].as_array().unwrap().iter().filter_map(|hold| hold["code"].as_str()).collect();
    assert!(holds.contains(&"not_proven"), "nobody has tried the new version: {value:#}");
    assert_eq!(given(&world, PAYMENTS, US).as_deref(), Some("usbase1a2b3c:1"));
}

#[tokio::test]
async fn everything_that_stands_in_the_way_is_said_and_nothing_is_written() {
    let named = policy(&[WORKLOAD], &content("main", 2));
    let several = policy(&[ROOT, WORKLOAD], &content("keeper", 2));
    let mut told = String::new();
    for (assigned, policy) in [
        (WORKLOAD, named),
        (ROOT, several),
        (ROOT, policy(&[WORKLOAD], &content("keeper", 2))),
        (ROOT, policy(&[], &content("keeper", 2))),
    ] {
        let world = world(&[(assigned, CORPORATE)], policy).await;
        let ran = adopt(&world).await;
        assert_eq!(ran.code, 1, "{ran}");
        assert_eq!(world.writes(), [""; 0]);
        assert_eq!(own(&world), Value::Null);
        told.push_str(&ran.to_string());
    }
    check(
        &told,
        expect![[r#"
        other_form: no document of the keeper's says just this: the configuration "main" of ap-southeast-2 is not named "keeper"; the configuration "main" of eu-west-1 is not named "keeper"; the configuration "main" of us-east-1 is not named "keeper"
          → put the keeper's document into the policy first; preview-policy FILE --policy ID shows what that does
        the keeper's document that enforces the same:
        {"bedrock":{"guardrail_inference":{"ap-southeast-2":{"keeper":{"identifier":{"@@assign":"arn:aws:bedrock:ap-southeast-2:111111111111:guardrail/apbase1a2b3c:2"},"model_enforcement":{"excluded_models":{"@@assign":[]},"included_models":{"@@assign":["ALL"]}},"selective_content_guarding":{"messages":{"@@assign":"comprehensive"},"system":{"@@assign":"comprehensive"}}}},"eu-west-1":{"keeper":{"identifier":{"@@assign":"arn:aws:bedrock:eu-west-1:111111111111:guardrail/eubase1a2b3c:2"},"model_enforcement":{"excluded_models":{"@@assign":[]},"included_models":{"@@assign":["ALL"]}},"selective_content_guarding":{"messages":{"@@assign":"comprehensive"},"system":{"@@assign":"comprehensive"}}}},"us-east-1":{"keeper":{"identifier":{"@@assign":"arn:aws:bedrock:us-east-1:111111111111:guardrail/usbase1a2b3c:2"},"model_enforcement":{"excluded_models":{"@@assign":[]},"included_models":{"@@assign":["ALL"]}},"selective_content_guarding":{"messages":{"@@assign":"comprehensive"},"system":{"@@assign":"comprehensive"}}}}}}}
        stderr: error: p-corporate1 (corporate) can't be adopted
        exit 1
        several_points: it is attached to more than one point, and each policy of the keeper's is for one: ou-exam-workload, r-exam
          → attach policies of their own to the other points, and detach this one there; preview-policy shows what each step does
        stderr: error: p-corporate1 (corporate) can't be adopted
        exit 1
        not_assigned: the baseline assigns nothing to ou-exam-workload on the organization's level: the keeper would detach the policy at its next look
          → push a baseline that assigns it (targets: [ou-exam-workload], level: organization), in mode audit if the keeper is to write nothing there before
        stderr: error: p-corporate1 (corporate) can't be adopted
        exit 1
        unattached: it is attached to nothing
          → there is nothing to take over: let the baseline assign the point, and the keeper creates its own policy
        stderr: error: p-corporate1 (corporate) can't be adopted
        exit 1
    "#]],
    );
    let world = assigned().await;
    let ran = ctl(&world).run(&["adopt-policy", "p-otherother", "--yes"]).await;
    assert!(ran.code == 2 && ran.err.contains("there is no Bedrock policy p-otherother"), "{ran}");
    let ran = ctl(&world).variable("KEEPER_LEDGER", "memory").run(&["adopt-policy", ID, "--yes"]).await;
    assert!(ran.code == 2 && ran.err.contains("KEEPER_LEDGER"), "{ran}");
}

#[tokio::test]
async fn wherever_it_stops_the_policy_stays_what_it_was_and_a_second_run_continues() {
    let denied = || FaultKind::Denied { message: "no".to_owned() };
    let taken = || FaultKind::Error {
        code: "DuplicatePolicyException".to_owned(),
        message: "A policy with the same name already exists.".to_owned(),
        status: 400,
    };
    for (operation, kind, code, left) in [
        ("TagResource", denied(), 3, Value::Null),
        ("UpdatePolicy", denied(), 6, json!({})),
        ("UpdatePolicy", taken(), 6, json!({})),
    ] {
        let world = assigned().await;
        world.server.fault(Fault::new(kind).operation(operation));
        let ran = adopt(&world).await;
        assert!(ran.code == code && ran.err.contains(&format!("{ID} was not adopted")), "{operation}: {ran}");
        assert_eq!(
            (policies(&world), own(&world)),
            (vec![format!("corporate on {WORKLOAD}")], left),
            "{operation}"
        );
        world.server.clear_faults();
        let ran = adopt(&world).await;
        assert_eq!((ran.code, policies(&world)), (0, vec![OURS.to_owned()]), "{operation}: {ran}");
    }
    // It was renamed, and that answer was lost.
    let world = assigned().await;
    world.server.fault(Fault::new(FaultKind::Reset).operation("UpdatePolicy").after_carrying_out());
    let ran = adopt(&world).await;
    assert!(ran.code == 6 && ran.err.contains("run this again"), "{ran}");
    world.server.clear_faults();
    let ran = adopt(&world).await;
    assert!(ran.code == 0 && ran.out.contains("already: nothing was changed"), "{ran}");
}

/// The process ends after the record and before the new name: the keeper's jobs leave the policy alone.
#[tokio::test]
async fn between_the_record_and_the_name_the_policy_is_nobodys_but_its_authors() {
    let world = assigned().await;
    world.server.fault(Fault::new(FaultKind::Crash).operation("UpdatePolicy"));
    let begun = world.server.crashed();
    let running = ctl(&world).start(&["adopt-policy", ID, "--yes"]);
    begun.await;
    running.signal("KILL").await;
    running.end().await;
    world.server.clear_faults();
    assert_eq!(own(&world), json!({ ID: "guardrail-keeper-ou-exam-workload-1" }));
    let ran = adopt(&world).await;
    assert_eq!((ran.code, policies(&world)), (0, vec![OURS.to_owned()]), "{ran}");
    assert_eq!(given(&world, PAYMENTS, US).as_deref(), Some("usbase1a2b3c:2"));
}

#[tokio::test]
async fn nothing_is_adopted_that_could_not_be_shown() {
    let world = assigned().await;
    for out in [unread_pipe(), full_disk()] {
        let ran = ctl(&world).run_into(out, &["adopt-policy", ID, "--yes"]).await;
        assert!(ran.code == 5 && ran.err.contains(": nothing was changed"), "{ran}");
        assert_eq!((world.writes(), own(&world)), (Vec::new(), Value::Null));
    }
}

/// What was carried out before says nothing of what is adopted now: its first change is no repair, and waits for an
/// approval where it concerns more than one account.
#[tokio::test]
async fn the_first_change_of_an_adopted_policy_is_no_repair() {
    let world = assigned().await;
    let level = swept(&world).await;
    assert_eq!(level["confirmed"], true, "{level}");
    let twin = OURS.to_owned();
    assert_eq!(policies(&world), [format!("corporate on {WORKLOAD}"), twin.clone()]);
    let ran = adopt(&world).await;
    assert!(ran.code == 0 && ran.out.contains("guardrail-keeper-ou-exam-workload-2"), "{ran}");
    let confirmed = std::fs::read_to_string(world.ledger_file()).unwrap();
    let ledger: Value = serde_json::from_str(&confirmed).unwrap();
    assert_eq!(find(&ledger, "confirmed"), Some(&Value::Null), "what was confirmed doesn't cover it");
    // The twin guards the same, so the keeper takes the other one away without any effect.
    swept(&world).await;
    assert_eq!(policies(&world), [twin]);
    assert_eq!(given(&world, PAYMENTS, US).as_deref(), Some("usbase1a2b3c:2"));
}
