//! Placement `copy`: where AWS refuses another account's guardrail, each member gets its own.

use aws_sdk_bedrockruntime as runtime;
use expect_test::{Expect, expect};
use guardrail_keeper::engine::{self, Reviewer, Step};
use guardrail_keeper::handler::do_here;
use simulator::{Answer, Fault, FaultKind, Guardrail, GuardrailName, Switches};

use testkit::world::{Document, EU, OWNER, PAYMENTS, Run, SHIPPING, World, guardrail, schedule, targets};

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
pub(crate) async fn is_guarded(world: &World, account: &str, region: &str) -> bool {
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
            for region in testkit::world::REGIONS {
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
    world.administrator_enforces(PAYMENTS, EU, testkit::world::version(EU, "1"));
    let report = world.look_at(&[PAYMENTS]).await;
    check(
        &report,
        expect![[r#"
            ! 300000000001/eu-west-1 held, would copy corporate:2 (create the copy), then replace eubase1a2b3c:1 by it: another configuration is enforced there, made by arn:aws:iam::300000000001:user/administrator: to replace it, write `existing: replace`
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
            ? 300000000001/eu-west-1 would copy corporate:2 (create the copy), then enforce it
            0 changed, 0 held, 0 in sync, 1 would be enforced"#]],
    );
    assert_eq!(world.writes(), [""; 0]);
}

const KEY: &str = "arn:aws:kms:eu-west-1:222222222222:key/11111111-2222-4333-8444-555555555555";

fn with_key(key: &'static str) -> Document {
    Document { guardrail: vec!["placement: copy", key], ..one_copy() }
}

/// The copy in Europe: the key of each of its versions, and its tags.
fn copy_of(world: &World, account: &str) -> Guardrail {
    let name = own(world, account).expect("a copy");
    world.server.with(|model| model.guardrail(&name).cloned()).expect("it is there")
}

fn keys(world: &World) -> Vec<(u32, Option<String>)> {
    let versions = copy_of(world, PAYMENTS).versions.into_iter();
    versions.map(|(number, edition)| (number, edition.content.kms_key_id.clone())).collect()
}

#[tokio::test]
async fn a_copy_is_encrypted_with_the_key_that_is_given() {
    let line = "copy: { kms_keys: { eu-west-1: \"arn:aws:kms:eu-west-1:222222222222:key/11111111-2222-4333-8444-555555555555\" } }";
    let setup = World::of(&with_key(line)).switches(refused);
    let world = World::guarded(setup).await;
    assert_eq!(keys(&world), [(1, Some(KEY.to_owned()))]);

    // Another key: published anew, then enforced.
    let other = "copy: { kms_keys: { eu-west-1: \"arn:aws:kms:eu-west-1:222222222222:key/21111111-2222-4333-8444-555555555555\" } }";
    world.publish(&with_key(other));
    let run = world.converge(&schedule()).await;
    assert_eq!(run.answer["report"]["converged"], true, "{}", run.answer);
    assert_eq!(keys(&world), [(1, Some(KEY.to_owned())), (2, Some(KEY.replace("key/1", "key/2")))]);
    assert!(world.enforced_in(PAYMENTS).contains(":2"), "{}", world.enforced_in(PAYMENTS));

    // None given any more: what is there will do.
    world.publish(&one_copy());
    let run = world.converge(&schedule()).await;
    assert_eq!(run.writes, [""; 0], "{}", targets(&run.answer));
}

#[tokio::test]
async fn a_key_that_comes_later_moves_the_copy_to_it() {
    let world = World::guarded(World::of(&one_copy()).switches(refused)).await;
    assert_eq!(keys(&world), [(1, None)]);
    let line = "copy: { kms_keys: { eu-west-1: \"arn:aws:kms:eu-west-1:222222222222:key/11111111-2222-4333-8444-555555555555\" } }";
    world.publish(&with_key(line));
    let run = world.converge(&schedule()).await;
    assert_eq!(
        operations(&run),
        ["CreateGuardrailVersion", "PutEnforcedGuardrailConfiguration", "UpdateGuardrail"]
    );
    assert_eq!(keys(&world), [(1, None), (2, Some(KEY.to_owned()))]);
}

fn tagged(world: &mut simulator::World, tags: &[(&str, &str)]) {
    let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    world.guardrails[1].tags = tags.collect();
}

fn tags(world: &World) -> String {
    let tags = copy_of(world, PAYMENTS).tags;
    tags.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
}

/// The owner changes the European guardrail and publishes it.
fn publish_other_words(world: &World) {
    let source = GuardrailName::from_arn(&guardrail(EU)).unwrap();
    world.server.with(|model| {
        let caller = model.caller(&format!("arn:aws:iam::{OWNER}:root"), EU).unwrap();
        let mut content = simulator::Content::clone(&model.guardrail(&source).unwrap().draft.content);
        let another = content.blocked_input_messaging.clone() + "!";
        content.blocked_input_messaging = another;
        model.update_guardrail(&caller, &source.id, content).unwrap();
        model.create_guardrail_version(&caller, &source.id, None).unwrap();
    });
}

#[tokio::test]
async fn the_originals_tags_go_with_its_copies() {
    let setup = World::of(&one_copy()).switches(refused).world(|world| {
        let all = [
            ("team", "risk"),
            ("env", "prod"),
            ("aws:cloudformation:stack-name", "owner"),
            ("guardrail-keeper:source", "not theirs"),
        ];
        tagged(world, &all);
    });
    let world = World::guarded(setup).await;
    let source = guardrail(EU);
    assert_eq!(tags(&world), format!("env=prod guardrail-keeper:source={source} team=risk"));

    // Nothing is asked about tags where no copy is written.
    let report = world.sweep().await;
    assert_eq!(world.count("ListTagsForResource"), 0, "{report}");

    // When it is written again, it gets those that it lacks and keeps its own.
    let retag = |arn: &str, account: &str, changes: &[(&str, &str)]| {
        world.server.with(|model| {
            let caller = model.caller(&format!("arn:aws:iam::{account}:root"), EU).unwrap();
            let tags = model.guardrail_tags(&caller, "TagResource", arn).unwrap();
            tags.extend(changes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        });
    };
    retag(&source, OWNER, &[("team", "trust"), ("cost", "12")]);
    retag(&copy_of(&world, PAYMENTS).arn, PAYMENTS, &[("theirs", "1")]);
    publish_other_words(&world);
    world.publish(&Document { version: 3, ..one_copy() });
    let run = world.converge(&schedule()).await;
    assert_eq!(run.answer["report"]["converged"], true, "{}", run.answer);
    assert_eq!(
        tags(&world),
        format!("cost=12 env=prod guardrail-keeper:source={source} team=trust theirs=1")
    );
}

#[tokio::test]
async fn tags_that_cannot_be_read_or_written_keep_no_copy_from_being_enforced() {
    let denied = || FaultKind::Denied { message: "not today".to_owned() };
    let setup = World::of(&one_copy()).switches(refused).world(|world| tagged(world, &[("team", "risk")]));
    let world = setup.start().await;
    world.server.fault(Fault::new(denied()).operation("ListTagsForResource").account(OWNER));
    let report = world.sweep().await;
    assert!(report.is_converged(), "{report}");
    assert_eq!(tags(&world), format!("guardrail-keeper:source={}", guardrail(EU)));

    world.server.clear_faults();
    world.server.fault(Fault::new(denied()).operation("TagResource").account(PAYMENTS));
    publish_other_words(&world);
    world.publish(&Document { version: 3, ..one_copy() });
    let report = world.sweep().await;
    assert!(report.is_converged(), "{report}");
    assert_eq!(tags(&world), format!("guardrail-keeper:source={}", guardrail(EU)));
    assert!(is_guarded(&world, PAYMENTS, EU).await);
}

/// The member role may only update what has the tag of copies (`simulator/worlds/example.yaml`): where somebody took it
/// away, it is given back first.
#[tokio::test]
async fn a_copy_that_lost_its_tag_gets_it_back_and_is_updated() {
    let world = World::guarded(World::of(&one_copy()).switches(refused)).await;
    let copy = copy_of(&world, PAYMENTS).arn;
    world.server.with(|model| {
        let caller = model.caller(&format!("arn:aws:iam::{PAYMENTS}:root"), EU).unwrap();
        model.guardrail_tags(&caller, "UntagResource", &copy).unwrap().clear();
    });
    publish_other_words(&world);
    world.publish(&Document { version: 3, ..one_copy() });
    let run = world.converge(&schedule()).await;
    assert_eq!(run.answer["report"]["converged"], true, "{}", run.answer);
    assert_eq!(tags(&world), format!("guardrail-keeper:source={}", guardrail(EU)));
    assert_eq!(
        operations(&run),
        ["CreateGuardrailVersion", "PutEnforcedGuardrailConfiguration", "TagResource", "UpdateGuardrail"]
    );
}

fn unguarded() -> Document {
    Document { assignments: vec![(PAYMENTS, "none")], ..one_copy() }
}

#[tokio::test]
async fn a_copy_that_is_no_longer_used_is_deleted_after_its_enforcement() {
    let central = Document { guardrail: Vec::new(), ..one_copy() };
    for (afterwards, setup) in
        [(unguarded(), World::of(&one_copy()).switches(refused)), (central, World::of(&one_copy()))]
    {
        let world = World::guarded(setup.durable()).await;
        let copy = own(&world, PAYMENTS).unwrap();
        world.publish(&afterwards);
        let report = world.sweep().await;
        assert!(
            report.is_converged() && own(&world, PAYMENTS).is_some(),
            "not before it was verified: {report}"
        );

        let report = world.look_at(&[PAYMENTS]).await;
        let text = report.to_string();
        let expected = format!("- {PAYMENTS}/{EU} delete the copy {}, which isn't used any more\n", copy.id);
        assert!(text.starts_with(&expected) && report.is_converged(), "{text}");
        assert_eq!(own(&world, PAYMENTS), None);
        world.quiet(&[PAYMENTS]).await;
        assert_eq!(is_guarded(&world, PAYMENTS, EU).await, afterwards.assignments[0].1 != "none");
    }
}

#[tokio::test]
async fn a_copy_is_deleted_also_where_the_baseline_knows_its_region_no_more() {
    let everywhere = Document { guardrail: vec!["placement: copy"], ..Document::only(PAYMENTS) };
    let world = World::guarded(World::of(&everywhere).switches(refused).durable()).await;
    world.publish(&Document { regions: "us-east-1", ..everywhere });
    let report = world.sweep().await;
    assert!(report.is_converged() && own(&world, PAYMENTS).is_some(), "{report}");
    let report = world.sweep().await;
    assert!(report.is_converged(), "{report}");
    assert_eq!(own(&world, PAYMENTS), None, "{report}");
    let run = world.converge(&schedule()).await;
    assert_eq!(run.writes, [""; 0], "{}", run.answer);
}

#[tokio::test]
async fn nothing_is_deleted_that_is_not_provably_an_unused_copy_of_ours() {
    // Released, and then: somebody publishes a version of their own in it.
    // On the heap: a thread of the tests has 2 MB of stack, and there are many of these.
    let released = || {
        Box::pin(async {
            let world = World::guarded(World::of(&one_copy()).switches(refused).durable()).await;
            world.publish(&unguarded());
            let report = world.sweep().await;
            assert!(report.is_converged(), "{report}");
            world.server.clear_calls();
            world
        })
    };
    let world = released().await;
    let copy = own(&world, PAYMENTS).unwrap();
    world.server.with(|model| model.add_guardrail_version(&copy, None)).unwrap();
    let report = world.look_at(&[PAYMENTS]).await.to_string();
    let expected =
        format!("! {PAYMENTS}/{EU} leave the guardrail {}, which the keeper enforced once", copy.id);
    assert!(report.starts_with(&expected), "{report}");
    let report = world.look_at(&[PAYMENTS]).await.to_string();
    assert!(!report.contains("leave the guardrail"), "it is told once: {report}");

    // Without a ledger that remembers, nothing is known of it.
    let world = released().await;
    std::fs::remove_file(world.ledger_file()).unwrap();
    let forgetful = world.another_keeper().await;
    let everything = engine::everything();
    let report = testkit::world::apply_here(&forgetful, &everything).await.unwrap();
    assert!(report.is_converged() && own(&world, PAYMENTS).is_some(), "{report}");

    // Not to be read, or not to be seen enforced or not: it stays, and goes later.
    for operation in ["ListGuardrails", "GetGuardrail", "ListEnforcedGuardrailsConfiguration"] {
        let world = released().await;
        let denied = FaultKind::Denied { message: "not today".to_owned() };
        world.server.fault(Fault::new(denied).operation(operation).account(PAYMENTS));
        let _ = world.look_at(&[PAYMENTS]).await;
        assert_eq!(world.writes(), [""; 0], "{operation}");
        assert!(own(&world, PAYMENTS).is_some(), "{operation}");
        world.server.clear_faults();
        let report = world.look_at(&[PAYMENTS]).await;
        assert_eq!(own(&world, PAYMENTS), None, "{operation}: {report}");
    }

    // Only looking on, or never taking away.
    for mode in ["audit", "enforce-only"] {
        let world = released().await;
        world.publish(&Document { mode, ..unguarded() });
        let report = world.look_at(&[PAYMENTS]).await;
        assert!(report.is_converged() && own(&world, PAYMENTS).is_some(), "{report}");
        assert_eq!(world.writes(), [""; 0]);
    }

    // Deleted by somebody else: forgotten, once.
    let world = released().await;
    let copy = own(&world, PAYMENTS).unwrap();
    world.server.with(|model| model.delete_guardrail(&copy.arn())).unwrap();
    let report = world.look_at(&[PAYMENTS]).await.to_string();
    assert!(report.contains(&format!("forget the copy {}", copy.id)), "{report}");
    let report = world.look_at(&[PAYMENTS]).await.to_string();
    assert!(!report.contains("forget"), "{report}");
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn a_copy_that_is_enforced_again_meanwhile_is_not_deleted() {
    let world = World::guarded(World::of(&one_copy()).switches(refused).durable()).await;
    let copy = own(&world, PAYMENTS).unwrap();
    world.publish(&unguarded());
    let report = world.sweep().await;
    assert!(report.is_converged(), "{report}");
    let baseline = world.baseline().await;
    let everything = engine::everything();
    let survey = engine::survey(&world.keeper, &baseline, &everything, &|_| ()).await.unwrap();
    assert_eq!(survey.plan.plan().clean_ups().count(), 1, "{}", survey.plan.plan());
    let enforces = |step: Step<'_>| {
        if matches!(step, Step::Begins(_)) {
            world.administrator_enforces(PAYMENTS, EU, simulator::Enforce::new(&copy.arn(), "1"));
        }
    };
    let report = do_here(&world.keeper, &everything, Reviewer { progress: &enforces, plan: None })
        .await
        .unwrap()
        .report
        .to_string();
    assert!(report.contains("failed to tidy: DeleteGuardrail: it may be enforced by now"), "{report}");
    assert!(is_guarded(&world, PAYMENTS, EU).await);
}

#[tokio::test]
async fn old_versions_go_also_where_nothing_was_published() {
    let world = World::guarded(World::of(&one_copy()).switches(refused)).await;
    let copy = own(&world, PAYMENTS).unwrap();
    // Deleting is refused for a while, so that versions pile up.
    let refusal =
        FaultKind::Error { code: "ResourceInUseException".into(), message: "in use".into(), status: 400 };
    world.server.fault(Fault::new(refusal).operation("DeleteGuardrail"));
    for version in 3..8 {
        publish_other_words(&world);
        world.publish(&Document { version, ..one_copy() });
        let report = world.sweep().await;
        assert!(report.is_converged(), "{report}");
    }
    let versions = |world: &World| copy_of(world, PAYMENTS).versions.into_keys().collect::<Vec<u32>>();
    assert_eq!(versions(&world), [1, 2, 3, 4, 5, 6]);
    let report = world.look_at(&[PAYMENTS]).await;
    assert!(report.is_converged(), "it is no worse for that: {report}");
    assert!(report.to_string().contains("failed to tidy: DeleteGuardrail"), "{report}");

    // Somebody publishes one of their own there: it stays.
    world.server.clear_faults();
    world.server.with(|model| model.add_guardrail_version(&copy, None)).unwrap();
    let report = world.look_at(&[PAYMENTS]).await;
    assert!(report.is_converged(), "{report}");
    let expected = format!(
        "- {PAYMENTS}/{EU} delete old versions of the copy {}: 1, 2, 3, 4\n0 changed, 0 held, 1 in sync",
        copy.id
    );
    assert_eq!(report.to_string(), expected);
    assert_eq!(versions(&world), [5, 6, 7]);
    world.quiet(&[PAYMENTS]).await;
    assert!(is_guarded(&world, PAYMENTS, EU).await);
}

/// The owner's side was seen to be usable, and then one answer says that the version isn't there. Two answers that
/// disagree are no certainty: it is looked at again soon, and not held until the next sweep.
#[tokio::test]
async fn an_original_that_one_answer_denies_is_looked_at_again() {
    let world = World::of(&one_copy()).switches(refused).approved().start().await;
    let missing = FaultKind::Error {
        code: "ResourceNotFoundException".to_owned(),
        status: 404,
        message: "There is no such guardrail version.".to_owned(),
    };
    world.server.fault(Fault::new(missing).operation("GetGuardrail").account(OWNER).nth(2));
    let report = world.jobs(&[PAYMENTS]).await;
    let waits = guardrail_keeper::report::Waits { in_a_sweep: true, after_an_arrival: false };
    assert_eq!(report.waiting(waits).len(), 1, "{report}");
    world.server.clear_faults();
    let run = world.converge(&schedule()).await;
    assert_eq!(run.answer["report"]["converged"], true, "{}", run.answer);
}
