//! What the organization's guardrail does to calls of models.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{
    Enforce, Invocation, Model, OnOff, Origin, Piece, Presence, Surface, Switches, TwoConfigurations,
    WrongIdentifier,
};

use crate::client::{Client, GUARDRAIL, MANAGEMENT, MEMBER, OWNER, encode};
use crate::organized::{
    ARN, FORBIDDEN, NOVA, SHIPPING, TITAN, WORKLOAD, caller, document, enforcing, identifier, model,
    model_with, named, put, start, stopped, update,
};

const EMBEDDING: &str = "amazon.titan-embed-text-v2:0";

fn denied() -> Result<bool, String> {
    Err("AccessDeniedException".to_owned())
}

fn broken() -> Result<bool, String> {
    Err("ValidationException".to_owned())
}

#[test]
fn every_account_below_is_guarded() {
    let mut model = model();
    put(&mut model, "p-unit1234", enforcing("1"), &[WORKLOAD]);
    assert_eq!(stopped(&mut model, MEMBER, NOVA, FORBIDDEN), Ok(true));
    assert_eq!(stopped(&mut model, MEMBER, NOVA, "hello"), Ok(false));
    assert_eq!(stopped(&mut model, OWNER, NOVA, FORBIDDEN), Ok(false), "it isn't below");
    let in_europe =
        model.converse(&format!("arn:aws:iam::{MEMBER}:root"), MEMBER, "eu-west-1", NOVA, FORBIDDEN);
    assert!(!in_europe.expect("an answer").intervened, "a Region without a key is not guarded");
    assert_eq!(stopped(&mut model, MEMBER, EMBEDDING, "hello"), broken(), "no guardrail works with it");
}

#[tokio::test]
async fn every_api_of_the_runtime_is_guarded_and_says_why() {
    let switches = Switches { enforced_trace: Presence::Present, ..Switches::default() };
    let (simulator, _) = start(switches).await;
    simulator.with(|model| put(model, "p-root1234", enforcing("1"), &["r-exam"]));
    let member = Client::new(&simulator, MEMBER);
    let said = member.converse(NOVA, FORBIDDEN).await.json();
    assert_eq!(said["stopReason"], "guardrail_intervened");
    let details = &said["trace"]["guardrail"]["inputAssessment"]["orgus1a2b3c4"]["appliedGuardrailDetails"];
    assert_eq!(details["guardrailOrigin"], json!(["ORGANIZATION_ENFORCED"]));
    assert_eq!(details["guardrailOwnership"], "CROSS_ACCOUNT");
    let messages = json!([{ "role": "user", "content": [{ "text": FORBIDDEN }] }]);
    let body = json!({ "messages": messages });
    for operation in ["invoke", "invoke-with-response-stream", "converse-stream"] {
        let answer = member.rest("POST", &format!("/model/{}/{operation}", encode(NOVA)), body.clone()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!answer.text.contains("You said"), "{operation}: {answer:?}");
    }
    simulator.stop().await;
}

#[test]
fn the_guardrails_of_organization_account_and_request_all_apply() {
    let mut model = model();
    put(&mut model, "p-root1234", enforcing("1"), &["r-exam"]);
    let by = format!("arn:aws:iam::{MEMBER}:root");
    model
        .put_enforcement_as(&by, MEMBER, "us-east-1", Enforce::new(GUARDRAIL, "2"))
        .expect("it can be enforced");
    let member = caller(&mut model, MEMBER);
    let origins = |model: &Model, guardrail: Option<(&str, &str)>| -> Vec<Vec<Origin>> {
        let invocation = Invocation {
            model: NOVA.to_owned(),
            messages: vec![Piece { text: "hello".to_owned(), tagged: false }],
            guardrail: guardrail.map(|(arn, version)| (arn.to_owned(), version.to_owned())),
            ..Invocation::default()
        };
        let reply = model.invoke(&member, &invocation).expect("an answer");
        reply.assessments.into_iter().map(|(applied, ..)| applied.origins).collect()
    };
    use Origin::{AccountEnforced, OrganizationEnforced, Request};
    assert_eq!(origins(&model, None), [vec![OrganizationEnforced], vec![AccountEnforced]]);
    assert_eq!(
        origins(&model, Some((ARN, "2"))),
        [vec![OrganizationEnforced], vec![AccountEnforced], vec![Request]]
    );
    assert_eq!(
        origins(&model, Some((ARN, "1"))),
        [vec![OrganizationEnforced, Request], vec![AccountEnforced]]
    );
    model.put_enforcement_as(&by, MEMBER, "us-east-1", Enforce::new(ARN, "1")).expect("it can be enforced");
    assert_eq!(
        origins(&model, None),
        [vec![OrganizationEnforced, AccountEnforced]],
        "one guardrail, two reasons"
    );
}

#[test]
fn models_and_parts_of_requests_are_spared_as_the_document_says() {
    let mut model = model();
    let content = document(json!({
        "identifier": { "@@assign": identifier("1") },
        "selective_content_guarding": { "system": { "@@assign": "selective" } },
        "model_enforcement": {
            "included_models": { "@@assign": [] }, "excluded_models": { "@@assign": [TITAN, EMBEDDING] },
        },
    }));
    put(&mut model, "p-root1234", content, &["r-exam"]);
    assert_eq!(stopped(&mut model, MEMBER, NOVA, FORBIDDEN), Ok(true), "an empty list is every model");
    assert_eq!(stopped(&mut model, MEMBER, TITAN, FORBIDDEN), Ok(false));
    assert_eq!(stopped(&mut model, MEMBER, EMBEDDING, "hello"), Ok(false));
    let member = caller(&mut model, MEMBER);
    let piece = |text: &str| vec![Piece { text: text.to_owned(), tagged: false }];
    let invocation = Invocation {
        model: NOVA.to_owned(),
        system: piece(FORBIDDEN),
        messages: piece("hello"),
        ..Invocation::default()
    };
    assert!(
        !model.invoke(&member, &invocation).expect("an answer").intervened,
        "system: selective without tags"
    );
}

/// One guardrail that is enforced for two reasons looks at all that either wants looked at.
#[test]
fn a_guardrail_that_two_enforce_guards_what_either_wants() {
    let mut model = model();
    let content = document(json!({
        "identifier": { "@@assign": identifier("1") },
        "selective_content_guarding": { "system": { "@@assign": "selective" } },
    }));
    put(&mut model, "p-root1234", content, &["r-exam"]);
    let member = caller(&mut model, MEMBER);
    let piece = |text: &str| vec![Piece { text: text.to_owned(), tagged: false }];
    let (system, messages) = (piece(FORBIDDEN), piece("hello"));
    let invocation = Invocation { model: NOVA.to_owned(), system, messages, ..Invocation::default() };
    assert!(!model.invoke(&member, &invocation).expect("an answer").intervened);
    let by = format!("arn:aws:iam::{MEMBER}:root");
    model.put_enforcement_as(&by, MEMBER, "us-east-1", Enforce::new(ARN, "1")).expect("it can be enforced");
    assert!(
        model.invoke(&member, &invocation).expect("an answer").intervened,
        "the account's guards everything"
    );
}

#[test]
fn a_wrong_identifier_breaks_every_call_below() {
    for (wrong, why) in [
        (identifier("9"), "no such version"),
        (identifier("DRAFT"), "a draft"),
        (format!("{ARN}:01"), "not a number as AWS writes it"),
        (ARN.to_owned(), "no version"),
        ("guardrail".to_owned(), "no ARN"),
        (format!("{GUARDRAIL}:1"), "another owner"),
        (identifier("1").replace("us-east-1", "eu-west-1"), "another Region"),
    ] {
        let mut model = model();
        let content = document(json!({
            "identifier": { "@@assign": wrong },
            "model_enforcement": {
                "included_models": { "@@assign": ["ALL"] }, "excluded_models": { "@@assign": [TITAN] },
            },
        }));
        put(&mut model, "p-root1234", content, &["r-exam"]);
        assert_eq!(stopped(&mut model, MEMBER, NOVA, "hello"), broken(), "{why}");
        assert_eq!(
            stopped(&mut model, MEMBER, TITAN, "hello"),
            broken(),
            "also of a model that is spared: {why}"
        );
        model.switches.wrong_identifier = WrongIdentifier::NotEnforced;
        assert_eq!(stopped(&mut model, MEMBER, NOVA, FORBIDDEN), Ok(false), "or nothing is enforced: {why}");
    }
}

#[test]
fn a_version_that_was_deleted_breaks_calls_and_a_change_in_place_mends_them() {
    let mut model = model();
    put(&mut model, "p-root1234", enforcing("1"), &["r-exam"]);
    let hub = caller(&mut model, MANAGEMENT);
    model.delete_guardrail_as(&hub, ARN, Some("1")).expect("nobody looks");
    assert_eq!(stopped(&mut model, MEMBER, NOVA, "hello"), broken());
    update(&mut model, "p-root1234", &enforcing("2")).expect("a document");
    assert_eq!(stopped(&mut model, MEMBER, NOVA, FORBIDDEN), Ok(true));
}

#[test]
fn who_may_not_apply_the_guardrail_is_denied() {
    let mut model = model();
    put(&mut model, "p-root1234", enforcing("1"), &["r-exam"]);
    model.set_resource_policy(ARN, None).expect("an ARN");
    assert_eq!(stopped(&mut model, MEMBER, NOVA, "hello"), denied(), "no grant");
    assert_eq!(stopped(&mut model, MANAGEMENT, NOVA, FORBIDDEN), Ok(true), "the owner needs none");
}

#[test]
fn a_guardrail_that_crosses_regions_needs_a_grant_on_its_profile() {
    let mut world = crate::organized::world();
    let guardrail = world.guardrails.last_mut().expect("the management account's");
    guardrail.content.cross_region_config = Some(
        serde_json::from_value(json!({ "guardrailProfileIdentifier": "us.guardrail.v1:0" })).expect("one"),
    );
    let clock = simulator::Clock::fixed(world.start);
    let mut model = Model::new(&world, 1, Switches::default(), clock).expect("a world");
    put(&mut model, "p-root1234", enforcing("1"), &["r-exam"]);
    assert_eq!(stopped(&mut model, MEMBER, NOVA, "hello"), denied(), "the profile isn't shared");
    let profile = format!("arn:aws:bedrock:us-east-1:{MANAGEMENT}:guardrail-profile/us.guardrail.v1:0");
    let policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "bedrock:ApplyGuardrail", "Resource": profile,
        "Condition": { "StringEquals": { "aws:PrincipalOrgID": "o-exampleorgid" } },
    }] });
    model.set_resource_policy(&profile, Some(&policy.to_string())).expect("an ARN");
    assert_eq!(stopped(&mut model, MEMBER, NOVA, FORBIDDEN), Ok(true));
}

#[test]
fn a_frozen_account_is_guarded_by_what_it_had() {
    let mut model = model();
    put(&mut model, "p-root1234", enforcing("1"), &["r-exam"]);
    put(
        &mut model,
        "p-own12345",
        named("config_2", json!({ "identifier": { "@@assign": identifier("2") } })),
        &[SHIPPING],
    );
    update(&mut model, "p-root1234", &enforcing("9")).expect("a document, though a wrong one");
    assert_eq!(stopped(&mut model, MEMBER, NOVA, "hello"), broken());
    assert_eq!(stopped(&mut model, SHIPPING, NOVA, FORBIDDEN), Ok(true));
}

#[test]
fn two_configurations_are_both_enforced_or_the_first_if_they_are_taken() {
    let applied = |answer| {
        let mut model = model_with(Switches { two_configurations: answer, ..Switches::default() });
        put(&mut model, "p-root1234", enforcing("1"), &["r-exam"]);
        put(
            &mut model,
            "p-unit1234",
            named("config_0", json!({ "identifier": { "@@assign": identifier("2") } })),
            &[WORKLOAD],
        );
        let by = format!("arn:aws:iam::{MEMBER}:root");
        let reply = model.converse(&by, MEMBER, "us-east-1", NOVA, "hello").expect("an answer");
        reply.assessments.into_iter().map(|(applied, ..)| applied.version).collect::<Vec<_>>()
    };
    assert_eq!(applied(TwoConfigurations::Both), ["2", "1"]);
    assert_eq!(applied(TwoConfigurations::First), ["2"]);
    assert_eq!(applied(TwoConfigurations::Refused), ["1"], "frozen on what it had");
}

#[test]
fn what_is_published_has_effect_after_a_while() {
    let mut model = model();
    model.settings.policy_enforcement_seconds = 30;
    put(&mut model, "p-root1234", enforcing("1"), &["r-exam"]);
    assert_eq!(stopped(&mut model, MEMBER, NOVA, FORBIDDEN), Ok(false));
    model.clock.advance(Duration::from_secs(30));
    assert_eq!(stopped(&mut model, MEMBER, NOVA, FORBIDDEN), Ok(true));
    let hub = caller(&mut model, MANAGEMENT);
    model.disable_policy_type(&hub, "r-exam", "BEDROCK_POLICY").expect("it is on");
    assert_eq!(stopped(&mut model, MEMBER, NOVA, FORBIDDEN), Ok(false), "nothing is enforced any more");
}

#[test]
fn input_tags_of_the_preview_spare_what_nobody_tagged() {
    let mut model = model();
    let content = |tags: &str| {
        document(json!({ "identifier": { "@@assign": identifier("1") }, "input_tags": { "@@assign": tags } }))
    };
    put(&mut model, "p-root1234", content("honor"), &["r-exam"]);
    let member = caller(&mut model, MEMBER);
    let pieces = |tagged: &str, other: &str| {
        vec![Piece { text: tagged.to_owned(), tagged: true }, Piece { text: other.to_owned(), tagged: false }]
    };
    let ask = |model: &Model| {
        let messages = pieces("hello", FORBIDDEN);
        let invocation = Invocation { model: NOVA.to_owned(), messages, ..Invocation::default() };
        model.invoke(&member, &invocation).expect("an answer").assessments[0].1.blocked()
    };
    assert!(!ask(&model));
    put(&mut model, "p-root1234", content("ignore"), &["r-exam"]);
    assert!(ask(&model));
}

/// Whether a guardrail that is enforced stops a call through an API, and whether one does that the request names.
fn acts_on(surface: Surface, switches: Switches) -> (bool, bool) {
    let mut model = model_with(switches);
    let member = caller(&mut model, MEMBER);
    let intervened = |model: &Model, guardrail: Option<(String, String)>| {
        let messages = vec![Piece { text: FORBIDDEN.to_owned(), tagged: false }];
        let invocation =
            Invocation { model: NOVA.to_owned(), messages, guardrail, surface, ..Invocation::default() };
        model.invoke(&member, &invocation).expect("an answer").intervened
    };
    let requested = intervened(&model, Some((ARN.to_owned(), "1".to_owned())));
    put(&mut model, "p-root1234", enforcing("1"), &["r-exam"]);
    (intervened(&model, None), requested)
}

#[test]
fn what_enforcement_does_not_reach_is_switched() {
    let base = Switches::default();
    let on = OnOff::On;
    assert_eq!(acts_on(Surface::Invoke, base), (true, true));
    for (surface, requested, switched) in [
        (Surface::ChatCompletions, true, Switches { enforced_on_chat_completions: on, ..base }),
        (Surface::Messages, true, Switches { enforced_on_messages: on, ..base }),
        (Surface::Responses, false, Switches { enforced_on_responses: on, ..base }),
        (Surface::Mantle, false, Switches { enforced_on_mantle: on, ..base }),
        (Surface::AsyncInvoke, false, Switches { enforced_on_async_invoke: on, ..base }),
    ] {
        assert_eq!(acts_on(surface, base), (false, requested), "{surface:?}");
        assert_eq!(acts_on(surface, switched), (true, requested), "{surface:?}");
    }
}

#[tokio::test]
async fn the_lists_of_enforced_guardrails_say_nothing_of_the_organization() {
    let (simulator, hub) = start(Switches::default()).await;
    simulator.with(|model| put(model, "p-root1234", enforcing("1"), &["r-exam"]));
    let member = Client::new(&simulator, MEMBER);
    assert_eq!(member.enforced().await.code(), "ResourceNotFoundException");
    hub.control("PUT", "switches", json!({ "other-owners": "organization" })).await;
    let listed: Value = member.enforced().await.json();
    assert_eq!(listed["guardrailsConfig"][0]["guardrailArn"], ARN);
    assert_eq!(listed["guardrailsConfig"][0]["owner"], "ORGANIZATION");
    simulator.stop().await;
}
