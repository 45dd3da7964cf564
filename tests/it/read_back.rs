//! What List shows: in another form than it was written in, and of other owners than the account.

use expect_test::expect;
use guardrail_keeper::record::Origin;
use serde_json::{Value, json};
use simulator::{Enforce, ListModels, ModelEnforcement, OtherOwners};

use testkit::lambda::Function;
use testkit::program::Guardrailctl;
use testkit::stack::Stack;
use testkit::world::{
    DELETE, Document, EU, PARAMETER, PAYMENTS, PUT, Setup, World, check, schedule, version,
};

const SPARING: &str = "models: { include: [ALL], exclude: [amazon.titan-embed-text-v2:0] }";

fn document() -> Document {
    Document { regions: EU, guardrail: vec![SPARING], ..Document::only(PAYMENTS) }
}

/// A world in which List shows the ARNs of models that were sent as ids.
fn in_arns(document: &Document) -> Setup {
    World::of(document).durable().switches(|switches| switches.list_models = ListModels::Arns)
}

fn sparing(model: &str) -> Enforce {
    let model_enforcement = Some(ModelEnforcement {
        included_models: vec!["ALL".to_owned()],
        excluded_models: vec![model.to_owned()],
    });
    Enforce { model_enforcement, ..version(EU, "2") }
}

/// What the terminal prints of this world, by its ledger.
async fn print(world: &World, arguments: &[&str]) -> String {
    let program = Guardrailctl::of(world)
        .variable("KEEPER_LEDGER", &format!("file:{}", world.ledger_file().display()))
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"));
    let ran = program.run(arguments).await;
    assert_eq!(ran.code, 0, "{ran}");
    ran.out
}

#[tokio::test]
async fn what_reads_back_in_another_form_is_told_once_and_not_written_again() {
    let world = in_arns(&document()).start().await;
    let report = world.look_at(&[PAYMENTS]).await;
    assert!(report.is_converged(), "{report}");
    check(
        &report,
        expect![[r#"
            + 300000000001/eu-west-1 enforce corporate:2 models ALL except amazon.titan-embed-text-v2:0
            ! 300000000001/eu-west-1 reads back different: models ALL except amazon.titan-embed-text-v2:0 were written, AWS shows models ALL except arn:aws:bedrock:eu-west-1::foundation-model/amazon.titan-embed-text-v2:0; not written again for that
            1 changed, 0 held, 0 in sync"#]],
    );
    // More often than would make it a contest.
    world.server.clear_calls();
    for _ in 0..6 {
        world.wait(60);
        let report = world.look_at(&[PAYMENTS]).await;
        assert!(report.is_converged(), "{report}");
    }
    assert_eq!(world.writes(), [""; 0]);
    let record = world.keeper.ledger().account(&PAYMENTS.parse().unwrap()).await.unwrap();
    let record = &record.regions[&EU.parse().unwrap()];
    assert!(record.repairs.is_empty(), "{record:#?}");
    let ours = record.ours.as_ref().unwrap();
    assert_eq!(ours.origin, Origin::Applied);
    assert!(ours.reads_back.as_ref().is_some_and(|shown| shown.to_string().contains("foundation-model/")));
    check(
        &print(&world, &["plan"]).await,
        expect![[r#"
        0 to change, 0 held, 1 in sync, 6 left alone, 1 account skipped
        plan e3b0c44298fc1c14 of baseline 3f1c05294e9497d4, mode sync
    "#]],
    );
    check(
        &print(&world, &["explain", PAYMENTS, EU]).await,
        expect![[r#"
            300000000001/eu-west-1  Workload/payments, o-exampleorgid/r-exam/ou-exam-workload/
            wanted    corporate:2, by the assignment of 300000000001 (line 12)
            seen      eubase1a2b3c:2 models ALL except arn:aws:bedrock:eu-west-1::foundation-model/amazon.titan-embed-text-v2:0, written last by arn:aws:iam::300000000001:role/GuardrailKeeperMember
            ours      eubase1a2b3c:2 models ALL except amazon.titan-embed-text-v2:0, applied under a minute ago by baseline 3f1c05294e9497d4
            last      in sync: reads back different: models ALL except amazon.titan-embed-text-v2:0 were written, AWS shows models ALL except arn:aws:bedrock:eu-west-1::foundation-model/amazon.titan-embed-text-v2:0; not written again for that, under a minute ago, by baseline 3f1c05294e9497d4
            decision  in sync
            history   under a minute ago: in sync: reads back different: models ALL except amazon.titan-embed-text-v2:0 were written, AWS shows models ALL except arn:aws:bedrock:eu-west-1::foundation-model/amazon.titan-embed-text-v2:0; not written again for that, by event terminal
                      under a minute ago: 300000000001/eu-west-1 enforce corporate:2 models ALL except amazon.titan-embed-text-v2:0; reads back different: models ALL except amazon.titan-embed-text-v2:0 were written, AWS shows models ALL except arn:aws:bedrock:eu-west-1::foundation-model/amazon.titan-embed-text-v2:0; not written again for that, by event terminal
            baseline 3f1c05294e9497d4, mode sync
        "#]],
    );
    check(
        &print(&world, &["status", "--account", PAYMENTS]).await,
        expect![[r#"
        1 target
              1 in sync
        oldest look: under a minute ago, 300000000001/eu-west-1
        1 of these read back different from what was written: see reads_back_different in docs/runbook.md
        baseline 3f1c05294e9497d4, mode sync
    "#]],
    );
    let status = print(&world, &["status", "--account", PAYMENTS, "--output", "json"]).await;
    let status: Value = serde_json::from_str(&status).unwrap();
    let target = &status["targets"][0];
    check(
        &format!("{:#}", json!([target["state"], target["reason"], target["code"]])),
        expect![[r#"
        [
          "in_sync",
          "reads back different: models ALL except amazon.titan-embed-text-v2:0 were written, AWS shows models ALL except arn:aws:bedrock:eu-west-1::foundation-model/amazon.titan-embed-text-v2:0; not written again for that",
          "reads_back_different"
        ]"#]],
    );
}

#[tokio::test]
async fn what_is_wanted_anew_or_seen_in_a_third_form_is_written() {
    let world = World::guarded(in_arns(&document())).await;
    // Somebody exempts another model.
    world.administrator_enforces(PAYMENTS, EU, sparing("amazon.nova-pro-v1:0"));
    let report = world.look_at(&[PAYMENTS]).await;
    assert_eq!(world.writes(), [format!("{PUT} {PAYMENTS}/{EU}")], "{report}");
    world.quiet(&[PAYMENTS]).await;

    // Somebody sends what AWS would show: nothing is different for it.
    let models = "models: { include: [ALL], exclude: [amazon.nova-pro-v1:0] }";
    world.publish(&Document { guardrail: vec![models], ..document() });
    let report = world.look_at(&[PAYMENTS]).await;
    assert_eq!(world.writes(), [format!("{PUT} {PAYMENTS}/{EU}")], "{report}");
    world.quiet(&[PAYMENTS]).await;

    world.publish(&Document { assignments: vec![(PAYMENTS, "none")], ..document() });
    let report = world.look_at(&[PAYMENTS]).await;
    assert_eq!(world.writes(), [format!("{DELETE} {PAYMENTS}/{EU}")], "{report}");
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn what_others_made_is_recorded_in_whatever_form_it_is_shown() {
    let world = in_arns(&document()).start().await;
    world.administrator_enforces(PAYMENTS, EU, sparing("amazon.nova-pro-v1:0"));
    check(
        &world.look_at(&[PAYMENTS]).await,
        expect![[r#"
        ! 300000000001/eu-west-1 held, would replace corporate:2 models ALL except arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-pro-v1:0 => corporate:2 models ALL except amazon.titan-embed-text-v2:0 (different, not ours: arn:aws:iam::300000000001:user/administrator): another configuration is enforced there, made by arn:aws:iam::300000000001:user/administrator: to replace it, write `existing: replace`
        0 changed, 1 held, 0 in sync"#]],
    );
    let again = world.look_at(&[PAYMENTS]).await;
    assert!(again.ledger_trouble.is_none(), "{again}");
    world.publish(&Document { assignments: vec![(PAYMENTS, "corporate, existing: replace")], ..document() });
    let report = world.look_at(&[PAYMENTS]).await;
    assert!(report.is_converged(), "{report}");
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn the_bus_hears_once_that_it_reads_back_different() {
    let setup = in_arns(&document()).variable("KEEPER_BUS", "outcomes");
    let mut stack = Stack::guarded(setup).await;
    let heard = |stack: &Stack| {
        stack.world.server.with(|model| {
            let events: Vec<Value> = model.put_events().iter().map(|put| put.event.clone()).collect();
            model.clear_put_events();
            let ours =
                events.into_iter().filter(|event| event["detail-type"] == "Enforcement Reads Back Different");
            ours.collect::<Vec<_>>()
        })
    };
    let first = heard(&stack);
    assert_eq!(first.len(), 1, "{first:#?}");
    check(
        &format!("{:#}", json!([first[0]["detail"]["reason"], first[0]["detail"]["present"]])),
        expect![[r#"
            [
              {
                "code": "reads_back_different",
                "text": "300000000001/eu-west-1 reads back different: models ALL except amazon.titan-embed-text-v2:0 were written, AWS shows models ALL except arn:aws:bedrock:eu-west-1::foundation-model/amazon.titan-embed-text-v2:0; not written again for that"
              },
              {
                "guarding": {
                  "messages": "comprehensive",
                  "system": "comprehensive"
                },
                "guardrail": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c",
                "models": {
                  "exclude": [
                    "arn:aws:bedrock:eu-west-1::foundation-model/amazon.titan-embed-text-v2:0"
                  ],
                  "include": "all"
                },
                "version": "2"
              }
            ]"#]],
    );

    // Neither a sweep nor a repair that reads back in the same form tells it again.
    stack.deliver(&stack.schedule()).await;
    stack.world.administrator_releases(PAYMENTS, EU);
    stack.deliver(&stack.schedule()).await;
    assert!(stack.world.enforced_in(PAYMENTS).contains(":2"));
    assert_eq!(heard(&stack), [Value::Null; 0]);
}

#[tokio::test]
async fn the_log_warns_once_that_it_reads_back_different() {
    let world = in_arns(&document()).start().await;
    let mut function = Function::start(&world, &[]).await;
    for _ in 0..2 {
        function.answer(&schedule()).await;
    }
    let ended = function.terminate().await;
    let log = ended.log.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let warned = log.filter(|line| {
        let message = line["message"].as_str().or(line["fields"]["message"].as_str()).unwrap_or_default();
        line["level"] == "WARN" && message.contains("reads back different")
    });
    assert_eq!(warned.count(), 1, "{:#?}", ended.log);
}

#[tokio::test]
async fn what_another_owner_enforces_is_never_taken_for_the_accounts_own() {
    let organization =
        |setup: Setup| setup.switches(|switches| switches.other_owners = OtherOwners::Organization);
    let world = organization(World::of(&document()).durable()).start().await;
    let report = world.look_at(&[PAYMENTS]).await;
    assert_eq!(world.writes(), [format!("{PUT} {PAYMENTS}/{EU}")], "{report}");
    assert!(report.is_converged(), "{report}");
    world.quiet(&[PAYMENTS]).await;

    // Where nothing is wanted, what the account itself enforces is released, and no more.
    world.publish(&Document { assignments: vec![(PAYMENTS, "none")], ..document() });
    let report = world.look_at(&[PAYMENTS]).await;
    assert_eq!(world.writes(), [format!("{DELETE} {PAYMENTS}/{EU}")], "{report}");
    world.quiet(&[PAYMENTS]).await;

    // Nor is it adopted, replaced or told as foreign.
    for assignment in
        ["corporate, existing: keep", "corporate, existing: adopt", "corporate, existing: replace"]
    {
        let document = Document { assignments: vec![(PAYMENTS, assignment)], ..document() };
        let world = organization(World::of(&document).durable()).start().await;
        let report = world.look_at(&[PAYMENTS]).await;
        assert_eq!(world.writes(), [format!("{PUT} {PAYMENTS}/{EU}")], "{assignment}: {report}");
    }
}
