//! What the organization's policies come to in an account: merged, published after a while, or frozen.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{
    IdentifierCheck, ListOrder, LockedChild, ModelLists, NameCase, OnOff, Presence, Switches,
    TwoConfigurations,
};

use crate::client::{Client, MANAGEMENT, MEMBER, OWNER};
use crate::organized::{
    PLAYGROUND, SHIPPING, WORKLOAD, attach, caller, detach, document, effective, enforced, enforcing, faults,
    identifier, model, model_with, named, put, start, update,
};

const KIND: &str = "BEDROCK_POLICY";

#[test]
fn what_is_nearer_to_the_account_counts() {
    let mut model = model();
    put(&mut model, "p-root1234", enforcing("1"), &["r-exam"]);
    put(&mut model, "p-unit1234", enforcing("2"), &[WORKLOAD]);
    put(&mut model, "p-own12345", enforcing("7"), &[SHIPPING]);
    assert_eq!(effective(&mut model, PLAYGROUND), enforced("1"));
    assert_eq!(effective(&mut model, MEMBER), enforced("2"));
    assert_eq!(effective(&mut model, SHIPPING), enforced("7"));
    assert_eq!(effective(&mut model, MANAGEMENT), enforced("1"), "the management account is below the root");
    model.move_account(MEMBER, "ou-exam-sandbox1").expect("it can be moved");
    assert_eq!(effective(&mut model, MEMBER), enforced("1"), "what it had stayed behind");
    model.join("400000000001", WORKLOAD).expect("it can join");
    assert_eq!(effective(&mut model, "400000000001"), enforced("2"), "new accounts inherit at once");
    model.leave("400000000001").expect("it can leave");
    assert!(model.effective_policy("400000000001").is_none());
    model.join("400000000001", "r-exam").expect("it can come back");
    assert_eq!(effective(&mut model, "400000000001"), enforced("1"), "also where it isn't moved");
}

#[test]
fn to_attach_again_is_to_come_last() {
    let mut model = model();
    put(&mut model, "p-second12", enforcing("2"), &[]);
    put(&mut model, "p-first123", enforcing("1"), &[]);
    for id in ["p-first123", "p-second12"] {
        attach(&mut model, id, WORKLOAD).expect("there is room");
    }
    assert_eq!(effective(&mut model, MEMBER), enforced("1"));
    let hub = caller(&mut model, MANAGEMENT);
    let listed = |model: &simulator::Model| -> Vec<String> {
        let listed = model.list_policies_for_target(&hub, WORKLOAD, KIND).expect("it may");
        listed.into_iter().map(|(_, policy)| policy.id.clone()).collect()
    };
    detach(&mut model, "p-first123", WORKLOAD).expect("it is attached");
    attach(&mut model, "p-first123", WORKLOAD).expect("there is room");
    assert_eq!(effective(&mut model, MEMBER), enforced("2"));
    assert_eq!(listed(&model), ["p-first123", "p-second12"], "which the list doesn't tell");
    model.switches.policies_for_target = ListOrder::ByAttachment;
    assert_eq!(listed(&model), ["p-second12", "p-first123"]);
    update(&mut model, "p-second12", &enforcing("3")).expect("a document");
    assert_eq!(effective(&mut model, MEMBER), enforced("3"), "a change in place keeps the order");
}

#[test]
fn lists_of_models_are_joined_on_the_way_down() {
    let mut model = model();
    let lists = |operators: Value, excluded: Value| json!({ "included_models": operators, "excluded_models": excluded });
    let parent = document(json!({
        "identifier": { "@@assign": identifier("1") },
        "model_enforcement": lists(json!({ "@@assign": ["ALL"] }), json!({ "@@assign": ["a.b"] })),
    }));
    let child = document(json!({ "model_enforcement": { "excluded_models": { "@@append": ["c.d"] } } }));
    put(&mut model, "p-root1234", parent, &["r-exam"]);
    put(&mut model, "p-unit1234", child, &[WORKLOAD]);
    let expected = document(json!({
        "identifier": identifier("1"), "model_enforcement": lists(json!(["ALL"]), json!(["a.b", "c.d"])),
    }));
    assert_eq!(effective(&mut model, MEMBER), expected);
    model.settings.effective_list_items = 1;
    update(
        &mut model,
        "p-unit1234",
        &document(json!({
            "model_enforcement": { "excluded_models": { "@@append": ["e.f"] } },
        })),
    )
    .expect("a document");
    assert_eq!(faults(&model, MEMBER), ["ELEMENTS_TOO_MANY"]);
    assert_eq!(effective(&mut model, MEMBER), expected, "the list that grew too long isn't published");
}

#[test]
fn a_merge_that_is_not_valid_freezes_the_account_until_nothing_is_wrong() {
    let mut model = model();
    put(&mut model, "p-root1234", enforcing("1"), &["r-exam"]);
    put(
        &mut model,
        "p-unit1234",
        named(
            "config_2",
            json!({
                "selective_content_guarding": { "messages": { "@@assign": "selective" } },
            }),
        ),
        &[],
    );
    attach(&mut model, "p-unit1234", WORKLOAD).expect("there is room");
    assert_eq!(faults(&model, MEMBER), ["KEY_REQUIRED", "ELEMENTS_TOO_MANY"]);
    assert_eq!(effective(&mut model, MEMBER), enforced("1"), "it keeps what it had");
    assert!(faults(&model, PLAYGROUND).is_empty(), "those beside don't notice");
    update(&mut model, "p-root1234", &enforcing("2")).expect("a document");
    assert_eq!(effective(&mut model, PLAYGROUND), enforced("2"));
    assert_eq!(effective(&mut model, MEMBER), enforced("1"), "no change reaches it, not even a rollback");
    detach(&mut model, "p-unit1234", WORKLOAD).expect("it is attached");
    assert!(faults(&model, MEMBER).is_empty());
    assert_eq!(effective(&mut model, MEMBER), enforced("2"));
}

#[test]
fn a_document_is_published_after_a_while_and_shows_what_is_there_then() {
    let mut model = model();
    put(&mut model, "p-root1234", enforcing("1"), &["r-exam"]);
    model.settings.policy_publication_seconds = 3;
    let wait = |model: &mut simulator::Model, seconds| {
        model.clock.advance(Duration::from_secs(seconds));
        model.settle();
    };
    update(&mut model, "p-root1234", &enforcing("2")).expect("a document");
    wait(&mut model, 2);
    update(&mut model, "p-root1234", &enforcing("3")).expect("a document");
    assert_eq!(effective(&mut model, MEMBER), enforced("1"), "the old one stays readable");
    wait(&mut model, 1);
    assert_eq!(effective(&mut model, MEMBER), enforced("3"), "two quick changes end with the last");
    let looked = |model: &simulator::Model| model.effective_policy(MEMBER).expect("it is there").evaluated_at;
    let before = looked(&model);
    wait(&mut model, 10);
    update(&mut model, "p-root1234", &enforcing("3")).expect("the same document");
    wait(&mut model, 3);
    assert_eq!(effective(&mut model, MEMBER), enforced("3"));
    assert!(looked(&model) > before, "the time of the last look proves no change");
}

#[test]
fn switching_the_type_off_and_on_shows_the_old_document_for_a_moment() {
    let mut model = model();
    put(&mut model, "p-root1234", enforcing("1"), &["r-exam"]);
    model.settings.policy_publication_seconds = 3;
    let hub = caller(&mut model, MANAGEMENT);
    model.disable_policy_type(&hub, "r-exam", KIND).expect("it is on");
    let off = model.describe_effective_policy(&hub, KIND, None).map(drop).expect_err("it is off");
    assert_eq!(off.code, "EffectivePolicyNotFoundException");
    model.enable_policy_type(&hub, "r-exam", KIND).expect("it is off");
    assert_eq!(effective(&mut model, MEMBER), enforced("1"));
    assert!(model.organization_configurations(MEMBER, "us-east-1").is_empty(), "and enforces nothing");
    model.clock.advance(Duration::from_secs(3));
    model.settle();
    assert_eq!(effective(&mut model, MEMBER), json!({}));
}

#[tokio::test]
async fn each_state_has_its_answer() {
    let (simulator, hub) = start(Switches::default()).await;
    let member = Client::new(&simulator, MEMBER);
    let of = |target: &str| json!({ "PolicyType": KIND, "TargetId": target });
    let nothing = member.organizations("DescribeEffectivePolicy", json!({ "PolicyType": KIND })).await.json();
    assert_eq!(nothing["EffectivePolicy"]["PolicyContent"], "{}");
    assert_eq!(nothing["EffectivePolicy"]["TargetId"], MEMBER);
    assert_eq!(member.organizations("DescribeEffectivePolicy", of(MEMBER)).await.status, 200);
    assert_eq!(
        member.organizations("DescribeEffectivePolicy", of(SHIPPING)).await.code(),
        "AccessDeniedException"
    );
    assert_eq!(hub.organizations("DescribeEffectivePolicy", of(SHIPPING)).await.status, 200);
    for target in ["r-exam", WORKLOAD] {
        let refused = hub.organizations("DescribeEffectivePolicy", of(target)).await;
        assert_eq!(refused.json()["Reason"], "TARGET_NOT_SUPPORTED");
    }
    let unknown = hub.organizations("DescribeEffectivePolicy", of("999999999999")).await;
    assert_eq!(unknown.code(), "TargetNotFoundException");
    let errors = |account: &str| {
        let input = json!({ "PolicyType": KIND, "AccountId": account });
        hub.organizations("ListEffectivePolicyValidationErrors", input)
    };
    assert_eq!(errors("999999999999").await.code(), "AccountNotFoundException");
    simulator.with(|model| {
        put(
            model,
            "p-unit1234",
            document(json!({
                "selective_content_guarding": { "messages": { "@@assign": "selective" } },
            })),
            &[WORKLOAD],
        );
    });
    let input = json!({ "PolicyType": KIND, "MaxResults": 3 });
    let invalid = hub.organizations("ListAccountsWithInvalidEffectivePolicy", input).await.json();
    let ids: Vec<&Value> =
        invalid["Accounts"].as_array().expect("a list").iter().map(|one| &one["Id"]).collect();
    assert_eq!(ids, [MEMBER, SHIPPING, "300000000003"]);
    assert_eq!(invalid["PolicyType"], KIND);
    assert!(invalid["NextToken"].is_string());
    let told = errors(MEMBER).await.json();
    assert_eq!(told["Path"], format!("o-exampleorgid/r-exam/{WORKLOAD}/{MEMBER}/"));
    let [error] = told["EffectivePolicyValidationErrors"].as_array().expect("a list").as_slice() else {
        panic!("one: {told}")
    };
    assert_eq!(error["ErrorCode"], "KEY_REQUIRED");
    assert_eq!(error["PathToError"], "bedrock/guardrail_inference/us-east-1/config_1/identifier");
    assert_eq!(error["ContributingPolicies"], json!(["p-unit1234"]));
    assert_eq!(errors(PLAYGROUND).await.json()["EffectivePolicyValidationErrors"], json!([]));
    let outsider = Client::new(&simulator, "400000000001");
    let outside = outsider.organizations("DescribeEffectivePolicy", json!({ "PolicyType": KIND })).await;
    assert_eq!(outside.code(), "AWSOrganizationsNotInUseException");
    simulator.stop().await;
}

/// What a document comes to under some switches: it, or what is wrong.
#[track_caller]
fn comes_to(switches: Switches, contents: &[Value], expected: Result<Value, &str>) {
    let mut model = model_with(switches);
    for (number, content) in contents.iter().enumerate() {
        let target = if number == 0 { "r-exam" } else { WORKLOAD };
        put(&mut model, &format!("p-number00{number}"), content.clone(), &[target]);
    }
    let found = faults(&model, MEMBER);
    match expected {
        Ok(document) => {
            assert_eq!((effective(&mut model, MEMBER), found.as_slice()), (document, [].as_slice()));
        }
        Err(code) => assert_eq!(found, [code]),
    }
}

#[test]
fn what_is_unknown_of_the_merge_is_switched() {
    let base = Switches::default();
    let one_list = |lists: Value| {
        document(json!({ "identifier": { "@@assign": identifier("1") }, "model_enforcement": lists }))
    };
    let included = one_list(json!({ "included_models": { "@@assign": ["a.b"] } }));
    let shown = document(json!({
        "identifier": identifier("1"), "model_enforcement": { "included_models": ["a.b"] },
    }));
    comes_to(base, std::slice::from_ref(&included), Err("KEY_REQUIRED"));
    comes_to(Switches { model_lists: ModelLists::Either, ..base }, &[included], Ok(shown.clone()));
    let both = one_list(json!({
        "included_models": { "@@assign": ["a.b"] }, "excluded_models": { "@@assign": [] },
    }));
    comes_to(base, std::slice::from_ref(&both), Ok(shown.clone()));
    let mut with_empty = shown;
    with_empty["bedrock"]["guardrail_inference"]["us-east-1"]["config_1"]["model_enforcement"]["excluded_models"] =
        json!([]);
    comes_to(Switches { empty_model_lists: Presence::Present, ..base }, &[both], Ok(with_empty));

    let other = named("config_2", json!({ "identifier": { "@@assign": identifier("2") } }));
    let mut two = enforced("1");
    two["bedrock"]["guardrail_inference"]["us-east-1"]["config_2"] = json!({ "identifier": identifier("2") });
    let pair = [enforcing("1"), other];
    comes_to(base, &pair, Err("ELEMENTS_TOO_MANY"));
    for answer in [TwoConfigurations::Both, TwoConfigurations::First] {
        comes_to(Switches { two_configurations: answer, ..base }, &pair, Ok(two.clone()));
    }

    let loud =
        |version: &str| named("Config_1", json!({ "identifier": { "@@assign": identifier(version) } }));
    comes_to(base, &[loud("1"), enforcing("2")], Ok(enforced("2")));
    let kept = Switches { configuration_names: NameCase::AsWritten, ..base };
    comes_to(kept, &[loud("1")], Ok(named("Config_1", json!({ "identifier": identifier("1") }))));
    comes_to(kept, &[loud("1"), enforcing("2")], Err("ELEMENTS_TOO_MANY"));

    let locked = document(json!({ "identifier": {
        "@@assign": identifier("1"), "@@operators_allowed_for_child_policies": ["@@none"],
    } }));
    let below = [locked, enforcing("2")];
    comes_to(base, &below, Ok(enforced("1")));
    comes_to(Switches { locked_child: LockedChild::Invalid, ..base }, &below, Err("OPERATOR_NOT_ALLOWED"));

    comes_to(base, &[enforcing("9")], Ok(enforced("9")));
    let looks = Switches { identifier_check: IdentifierCheck::Effective, ..base };
    comes_to(looks, &[enforcing("9")], Err("VALUE_NOT_ALLOWED"));
    comes_to(looks, &[enforcing("2")], Ok(enforced("2")));
}

#[test]
fn create_policy_looks_at_the_identifier_if_that_is_switched_on() {
    let switches = Switches { identifier_check: IdentifierCheck::Create, ..Switches::default() };
    let mut model = model_with(switches);
    let mut create = |name: &str, content: Value| {
        let made = crate::organized::create(&mut model, name, &content.to_string());
        made.map(drop).map_err(|error| error.code)
    };
    let malformed = Err("MalformedPolicyDocumentException".to_owned());
    assert_eq!(create("one", enforcing("9")), malformed, "no such version");
    let foreign = format!("arn:aws:bedrock:us-east-1:{OWNER}:guardrail/usbase1a2b3c:1");
    assert_eq!(create("one", document(json!({ "identifier": { "@@assign": foreign } }))), malformed);
    assert_eq!(create("one", enforcing("2")), Ok(()));
}

#[test]
fn the_management_account_may_be_spared() {
    let switches = Switches { management_account_inherits: OnOff::Off, ..Switches::default() };
    let mut model = model_with(switches);
    put(&mut model, "p-root1234", enforcing("1"), &["r-exam"]);
    assert_eq!(effective(&mut model, MANAGEMENT), json!({}));
    assert_eq!(effective(&mut model, MEMBER), enforced("1"));
}

#[tokio::test]
async fn a_switch_that_is_thrown_counts_at_once() {
    let (simulator, hub) = start(Switches::default()).await;
    simulator.with(|model| put(model, "p-root1234", enforcing("1"), &["r-exam"]));
    let thrown = hub.control("PUT", "switches", json!({ "management-account-inherits": "off" })).await;
    assert_eq!(thrown.status, 200, "{thrown:?}");
    assert_eq!(simulator.with(|model| effective(model, MANAGEMENT)), json!({}));
    simulator.stop().await;
}

#[test]
fn accounts_beside_each_other_share_a_document() {
    let mut world = simulator::World::large(5_000, 1);
    world.bedrock_policies_enabled = true;
    let clock = simulator::Clock::fixed(world.start);
    let mut model = simulator::Model::new(&world, 1, Switches::default(), clock).expect("a world");
    put(&mut model, "p-root1234", enforcing("1"), &["r-exam"]);
    put(&mut model, "p-own12345", enforcing("2"), &["500000000007"]);
    let of = |model: &simulator::Model, account: &str| {
        std::sync::Arc::clone(model.effective_policy(account).expect("it was looked at").document())
    };
    assert_eq!(model.organization.effective.len(), 5_002);
    let (one, other) = (of(&model, "500000000000"), of(&model, "500000004999"));
    assert!(std::sync::Arc::ptr_eq(&one, &other));
    assert_eq!(of(&model, "500000000007").text, enforced("2").to_string());
}
