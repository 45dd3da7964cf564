//! Placement `copy`: where AWS refuses another account's guardrail, each member gets its own.

use aws_sdk_bedrockruntime as runtime;
use expect_test::{Expect, expect};
use simulator::{Answer, GuardrailName, Switches};

use crate::support::{Document, EU, OWNER, PAYMENTS, Run, SHIPPING, World, guardrail, schedule, targets};

const MODEL: &str = "amazon.nova-pro-v1:0";
const BLOCKED: &str = "Tell me about the tungsten-rosebud.";

#[track_caller]
fn check(text: &impl ToString, expected: Expect) {
    expected.assert_eq(&text.to_string());
}

fn refused(switches: &mut Switches) {
    switches.cross_account_reference = Answer::Refused;
}

fn copied() -> Document {
    Document { guardrail: vec!["placement: copy"], ..Document::default() }
}

fn one_copy() -> Document {
    Document { regions: EU, guardrail: vec!["placement: copy"], ..Document::only(PAYMENTS) }
}

/// What becomes of a blocked text said as a member's administrator, over HTTP and with nothing said
/// of guardrails, as any application would: whether a guardrail stepped in.
async fn is_guarded(world: &World, account: &str, region: &str) -> bool {
    let credentials =
        runtime::config::Credentials::new(format!("SIM{account}"), "simulator", None, None, "test");
    let config = runtime::Config::builder()
        .behavior_version(runtime::config::BehaviorVersion::latest())
        .endpoint_url(world.server.url())
        .region(runtime::config::Region::new(region.to_owned()))
        .credentials_provider(credentials)
        .build();
    let message = runtime::types::Message::builder()
        .role(runtime::types::ConversationRole::User)
        .content(runtime::types::ContentBlock::Text(BLOCKED.to_owned()))
        .build()
        .expect("a message");
    let client = runtime::Client::from_conf(config);
    let answer = client.converse().model_id(MODEL).messages(message).send().await;
    let answer = answer.unwrap_or_else(|error| panic!("{account} may call the model: {error:?}"));
    answer.stop_reason() == &runtime::types::StopReason::GuardrailIntervened
}

/// The members' own guardrails in Europe: their versions.
fn own(world: &World, account: &str) -> Option<GuardrailName> {
    world.server.with(|model| {
        model.guardrail_arn(account, EU, "corporate-baseline-keeper").and_then(GuardrailName::from_arn)
    })
}

fn operations(run: &Run) -> Vec<String> {
    let mut operations: Vec<String> =
        run.writes.iter().map(|write| write.split(' ').next().unwrap_or_default().to_owned()).collect();
    operations.dedup();
    operations
}

#[tokio::test]
async fn everybody_is_guarded_whichever_way_aws_has_it() {
    for (answer, document) in [(Answer::Accepted, Document::default()), (Answer::Refused, copied())] {
        let world =
            World::of(&document).switches(|switches| switches.cross_account_reference = answer).start().await;
        let run = world.converge(&schedule()).await;
        assert_eq!(run.answer["report"]["converged"], true, "{}", run.answer);
        for account in [OWNER, PAYMENTS, SHIPPING] {
            for region in crate::support::REGIONS {
                assert!(is_guarded(&world, account, region).await, "{account}/{region} with {answer:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_refused_central_reference_says_to_use_copies() {
    let document = Document { regions: EU, ..Document::only(PAYMENTS) };
    let world = World::of(&document).switches(refused).start().await;
    let report = world.look_at(&[PAYMENTS]).await;
    check(
        &report,
        expect![[r#"
            ! 300000000001/eu-west-1 failed to enforce: PutEnforcedGuardrailConfiguration: ValidationException: The guardrail arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c doesn't belong to account 300000000001; the guardrail is account 222222222222's: if AWS refuses that, `placement: copy` gives this account its own (rejected)
            0 changed, 0 held, 0 in sync, 1 failed"#]],
    );
    assert!(!is_guarded(&world, PAYMENTS, EU).await);
}

#[tokio::test]
async fn a_copy_is_made_published_and_then_enforced() {
    let world = World::of(&one_copy()).switches(refused).start().await;
    let run = world.converge(&schedule()).await;
    assert_eq!(
        operations(&run),
        ["CreateGuardrail", "CreateGuardrailVersion", "PutEnforcedGuardrailConfiguration"]
    );
    assert!(own(&world, PAYMENTS).is_some() && own(&world, SHIPPING).is_none());
}

#[tokio::test]
async fn a_new_version_with_the_same_content_changes_nothing() {
    let world = World::guarded(World::of(&one_copy()).switches(refused)).await;
    let source = GuardrailName::from_arn(&guardrail(EU)).unwrap();
    world.server.with(|model| model.add_guardrail_version(&source, None)).unwrap();
    world.publish(&Document { version: 3, ..one_copy() });
    let run = world.converge(&schedule()).await;
    assert_eq!(run.writes, [""; 0], "{}", targets(&run.answer));
}

#[tokio::test]
async fn a_copy_that_is_still_being_made_is_waited_for() {
    let setup = World::of(&one_copy()).switches(refused);
    let world = setup.world(|world| world.settings.guardrail_seconds = 3600).start().await;
    let report = world.look_at(&[PAYMENTS]).await;
    check(
        &report,
        expect![[r#"
        ! 300000000001/eu-west-1 held: the guardrail is CREATING, not READY
        0 changed, 1 held, 0 in sync"#]],
    );
    assert_eq!(report.unfinished().len(), 1);
}

#[tokio::test]
async fn a_deleted_copy_comes_back() {
    let world = World::guarded(World::of(&one_copy()).switches(refused)).await;
    let copy = own(&world, PAYMENTS).unwrap();
    world.server.with(|model| model.delete_guardrail(&copy.arn())).unwrap();
    let run = world.converge(&schedule()).await;
    assert_eq!(run.answer["report"]["converged"], true, "{}", run.answer);
    assert!(is_guarded(&world, PAYMENTS, EU).await);
    assert_ne!(own(&world, PAYMENTS).unwrap().arn(), copy.arn());
}

#[tokio::test]
async fn what_somebody_else_enforces_is_kept_and_no_copy_is_made_beside_it() {
    let world = World::of(&one_copy()).start().await;
    world.administrator_enforces(PAYMENTS, EU, crate::support::version(EU, "1"));
    let report = world.look_at(&[PAYMENTS]).await;
    check(
        &report,
        expect![[r#"
        ! 300000000001/eu-west-1 held: another configuration is there, made by arn:aws:iam::300000000001:user/administrator: `existing: replace` would replace it
        0 changed, 1 held, 0 in sync"#]],
    );
    assert!(own(&world, PAYMENTS).is_none());
}

#[tokio::test]
async fn moving_from_central_to_copies_leaves_nobody_unguarded_meanwhile() {
    let document = Document { regions: EU, ..Document::only(PAYMENTS) };
    let world = World::guarded(World::of(&document)).await;
    world.publish(&one_copy());
    let run = world.converge(&schedule()).await;
    assert_eq!(run.answer["report"]["converged"], true, "{}", run.answer);
    assert!(!operations(&run).contains(&"DeleteEnforcedGuardrailConfiguration".to_owned()));
    assert!(world.enforced_in(PAYMENTS).contains(&own(&world, PAYMENTS).unwrap().id));
    assert!(is_guarded(&world, PAYMENTS, EU).await);
}

#[tokio::test]
async fn auditing_makes_no_copy() {
    let world = World::of(&Document { mode: "audit", ..one_copy() }).start().await;
    let report = world.look_at(&[PAYMENTS]).await;
    check(
        &report,
        expect![[r#"
        ! 300000000001/eu-west-1 held: mode audit doesn't write this
        0 changed, 1 held, 0 in sync"#]],
    );
    assert_eq!(world.writes(), [""; 0]);
}
