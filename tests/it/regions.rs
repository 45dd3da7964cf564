//! One name, several Regions: whether the guardrails behind it do the same.

use expect_test::expect;
use guardrail_keeper::engine;
use guardrail_keeper::report::Report;
use serde_json::json;
use simulator::{CrossRegion, Fault, FaultKind, GuardrailName};

use testkit::log::Log;
use testkit::world::{
    DELETE, Document, EU, OWNER, PAYMENTS, PUT, Setup, US, World, check, guardrail, schedule,
};

/// The example organization, with another word denied in Europe.
fn other_in_europe(baseline: &Document) -> Setup {
    World::of(baseline).world(|world| {
        let words = json!({ "wordsConfig": [{ "text": "zinc-rosebud" }] });
        world.guardrails[1].content.word_policy = serde_json::from_value(words).unwrap();
    })
}

fn warnings(report: &Report) -> String {
    report.warnings.join("\n")
}

#[tokio::test]
async fn one_name_with_two_contents_is_warned_of_and_enforced() {
    let expected = expect![[
        "guardrail corporate: corporate-baseline doesn't do the same in all Regions (ap-southeast-2 version 2, us-east-1 version 2 | eu-west-1 version 2): publish one content in all of them, unless that is meant"
    ]];
    for placement in ["placement: central", "placement: copy"] {
        let baseline = Document { guardrail: vec![placement], ..Document::default() };
        let world = other_in_europe(&baseline).start().await;
        let report = world.sweep().await;
        assert!(report.is_converged(), "{report}");
        expected.assert_eq(&warnings(&report));
        assert_eq!(report.to_json()["warnings"].as_array().unwrap().len(), 1);

        // The plan tells it as well.
        let baseline = world.baseline().await;
        let everything = guardrail_keeper::engine::everything();
        let survey = engine::survey(&world.keeper, &baseline, &everything, &|_| ()).await.unwrap();
        assert_eq!(survey.view.known.warnings.len(), 1, "{:?}", survey.view.known.warnings);

        // A look at a part of the organization doesn't.
        assert_eq!(warnings(&world.look_at(&[PAYMENTS]).await), "");
    }
}

#[tokio::test]
async fn what_the_condition_was_told_is_compared_without_another_call() {
    let world = World::guarded(other_in_europe(&Document::default())).await;
    let everything = guardrail_keeper::engine::everything();
    let survey = engine::survey(&world.keeper, &world.baseline().await, &everything, &|_| ()).await.unwrap();
    assert_eq!(survey.view.known.warnings.len(), 1, "{:?}", survey.view.known.warnings);
    let looks = world.server.calls().into_iter();
    let looks = looks.filter(|call| call.operation == "GetGuardrail" && call.account == OWNER);
    assert_eq!(looks.count(), 3, "one in each Region");
}

#[tokio::test]
async fn the_profile_of_a_part_of_the_world_is_no_difference() {
    let world = World::of(&Document::default())
        .world(|world| {
            for (guardrail, part) in world.guardrails.iter_mut().zip(["us", "eu", "apac"]) {
                let profile = format!("{part}.guardrail.v1:0");
                guardrail.content.cross_region_config =
                    Some(CrossRegion { guardrail_profile_identifier: profile });
            }
        })
        .start()
        .await;
    let report = world.sweep().await;
    assert!(!warnings(&report).contains("doesn't do the same"), "{report}");
}

#[tokio::test]
async fn the_same_content_under_other_numbers_is_no_difference() {
    let regions = "{ us-east-1: { version: 1 }, eu-west-1: , ap-southeast-2: }";
    let text = Document::default().text().replace("[us-east-1, eu-west-1, ap-southeast-2]", regions);
    let world = World::of(&Document::default()).start().await;
    world.publish_text(&text);
    assert_eq!(warnings(&world.sweep().await), "");

    // Version 3 does something else, and Europe gets it first.
    world.server.with(|model| {
        let name = GuardrailName::from_arn(&guardrail(EU)).unwrap();
        let caller = model.caller(&format!("arn:aws:iam::{OWNER}:root"), EU).unwrap();
        let mut content = simulator::Content::clone(&model.guardrail(&name).unwrap().draft.content);
        content.blocked_input_messaging = "Not here.".to_owned();
        model.update_guardrail(&caller, &name.id, content).unwrap();
        model.create_guardrail_version(&caller, &name.id, None).unwrap();
    });
    world.publish_text(&text.replace("eu-west-1: ,", "eu-west-1: { version: 3 },"));
    let (_, log) = Log::of(world.converge(&schedule())).await;
    let warned =
        log.iter().filter(|line| line["level"] == "WARN").filter_map(|line| line["message"].as_str());
    let warned: Vec<&str> = warned.collect();
    // The first run, and the one that finds nothing to write.
    assert_eq!(warned.len(), 2, "{warned:?}");
    for warning in warned {
        check(
            warning,
            expect![
                "guardrail corporate: corporate-baseline doesn't do the same in all Regions (ap-southeast-2 version 2, us-east-1 version 1 | eu-west-1 version 3): publish one content in all of them, unless that is meant"
            ],
        );
    }
}

/// America's guardrail with inference in other Regions, and these policies for its profile there.
async fn with_a_profile(document: &Document, granted: &[&str]) -> World {
    let setup = World::of(document).world(|world| {
        for region in ["us-east-2", "us-west-2"] {
            world.regions.insert(region.to_owned(), world.regions[US]);
        }
        let profile = CrossRegion { guardrail_profile_identifier: "us.guardrail.v1:0".to_owned() };
        world.guardrails[0].content.cross_region_config = Some(profile);
    });
    let world = setup.start().await;
    for region in granted {
        let arn = format!("arn:aws:bedrock:{region}:{OWNER}:guardrail-profile/us.guardrail.v1:0");
        let policy = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": "*", "Action": ["bedrock:ApplyGuardrail"], "Resource": arn,
            "Condition": { "StringEquals": { "aws:PrincipalOrgID": "o-exampleorgid" } } }] });
        world.server.with(|model| {
            let caller = model.caller(&format!("arn:aws:iam::{OWNER}:root"), region).unwrap();
            model.put_resource_policy(&caller, &arn, &policy.to_string()).unwrap();
        });
    }
    world
}

#[tokio::test]
async fn a_profile_that_leads_where_it_is_not_granted_is_warned_of() {
    let america = Document { regions: US, ..Document::default() };
    let world = with_a_profile(&america, &["us-west-2"]).await;
    let report = world.sweep().await;
    assert!(report.is_converged(), "{report}");
    check(
        &warnings(&report),
        expect![[
            r#"guardrail corporate: profile us.guardrail.v1:0 may route calls from us-east-1 to us-east-2, where the owner's profile isn't known to be granted to the organization, so guarded calls may fail: attach this resource policy to the profile in each of these Regions, with that Region in the ARN: {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":["bedrock:ApplyGuardrail"],"Resource":"arn:aws:bedrock:us-east-2:222222222222:guardrail-profile/us.guardrail.v1:0","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-exampleorgid"}}}]}"#
        ]],
    );
    let written = world.writes().into_iter().filter(|write| write.starts_with("PutResourcePolicy"));
    assert_eq!(
        written.collect::<Vec<_>>(),
        [format!("PutResourcePolicy {OWNER}/{US}")],
        "in its own Region alone"
    );

    // Not told of a part, of copies, nor where all is granted.
    assert_eq!(warnings(&world.look_at(&[PAYMENTS]).await), "");
    let world = with_a_profile(&america, &["us-east-2", "us-west-2"]).await;
    assert_eq!(warnings(&world.sweep().await), "");
    let copied = Document { guardrail: vec!["placement: copy"], ..america };
    assert_eq!(warnings(&with_a_profile(&copied, &[]).await.sweep().await), "");
}

/// Only what the record knows of leads to a Region that the baseline doesn't name, and of a write whose answer was
/// lost it knows no more than that it was begun.
#[tokio::test]
async fn a_write_whose_answer_was_lost_is_looked_for_in_a_region_that_the_baseline_dropped() {
    let document = |regions| Document { regions, ..Document::only(PAYMENTS) };
    for arrived in [true, false] {
        let world = World::of(&document("us-east-1, eu-west-1")).durable().start().await;
        let lost = Fault::new(FaultKind::Reset).operation(PUT).account(PAYMENTS).region(US);
        world.server.fault(if arrived { lost.after_carrying_out() } else { lost });
        assert!(!world.look_at(&[PAYMENTS]).await.is_converged());
        world.server.clear_faults();
        world.server.clear_calls();

        world.publish(&document(EU));
        let released = if arrived { vec![format!("{DELETE} {PAYMENTS}/{US}")] } else { Vec::new() };
        let _ = world.sweep().await;
        assert_eq!(world.writes(), released, "arrived: {arrived}");
        let known = world.keeper.ledger().account(&PAYMENTS.parse().unwrap()).await.unwrap();
        assert!(!known.regions[&US.parse().unwrap()].may_be_ours(), "arrived: {arrived}");

        // And is forgotten: nobody looks there for ever.
        world.server.clear_calls();
        let _ = world.sweep().await;
        assert_eq!(world.writes(), [""; 0]);
        assert!(!world.server.calls().iter().any(|call| call.account == PAYMENTS && call.region == US));
    }
}
