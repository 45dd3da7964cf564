//! `guardrailctl check-policy --ask-aws`: what AWS says of a text, by a policy that nobody has and that is gone afterwards.

use std::time::Duration;

use expect_test::expect;
use serde_json::Value;
use simulator::{Answer, Fault, FaultKind};

use crate::effective_policy::identifier;
use crate::organization_level::policies;
use testkit::program::{Guardrailctl, Ran};
use testkit::world::{Document, PAYMENTS, US, World, check};

fn text(settings: &str) -> String {
    format!(
        r#"{{"bedrock":{{"guardrail_inference":{{"us-east-1":{{"main":{{"identifier":{{"@@assign":"{}"}}{settings}}}}}}}}}}}"#,
        identifier(US, 1)
    )
}

async fn world() -> World {
    World::of(&Document::default()).world(|world| world.bedrock_policies_enabled = true).start().await
}

fn ctl(world: &World, text: &str) -> Guardrailctl {
    std::fs::write(world.folder().join("policy.json"), text).unwrap();
    Guardrailctl::of(world)
}

const ASK: [&str; 3] = ["check-policy", "policy.json", "--ask-aws"];

async fn asked(world: &World, text: &str) -> Ran {
    ctl(world, text).run(&ASK).await
}

/// A name has the time in it.
fn unnamed(ran: &Ran) -> String {
    let words = ran.to_string();
    let words = words.split_inclusive([' ', '\n']).map(|word| {
        let end = word.trim_end_matches(|c: char| !c.is_ascii_digit()).len();
        let start = word.find("guardrailctl-check-");
        start.map_or_else(|| word.to_owned(), |start| format!("{}NAME{}", &word[..start], &word[end..]))
    });
    words.collect()
}

#[tokio::test]
async fn aws_judges_the_text_by_a_policy_that_is_attached_to_nothing_and_gone_afterwards() {
    let world = world().await;
    check(
        &asked(&world, &text("")).await,
        expect![[r#"
        ok: policy.json is a Bedrock policy of 152 characters (10000 at most), for us-east-1 (main)
        AWS takes it
        exit 0
    "#]],
    );
    assert_eq!(
        world.writes(),
        ["CreatePolicy 111111111111/us-east-1", "DeletePolicy 111111111111/us-east-1"]
    );
    assert_eq!(policies(&world), [""; 0]);
    // What this program finds is told as well.
    check(
        &asked(&world, r#"{"bedrok":{}}"#).await,
        expect![[r#"
        policy.json:1:2: bedrok: AWS documents no such setting; write bedrock in place of "bedrok"
        AWS refuses it: MalformedPolicyDocumentException: The provided policy document does not meet the requirements of the specified policy type.
        stderr: error: policy.json has problems: AWS refuses it
        exit 1
    "#]],
    );
    // AWS takes what it is wrong to write.
    check(
        &asked(&world, &text("").replace("us-east-1\":{", "eu-west-1\":{")).await,
        expect![[r#"
        policy.json:1:82: bedrock.guardrail_inference.eu-west-1.main.identifier.@@assign: the guardrail is of another Region, and every call would fail; write one of this Region
        AWS takes it
        stderr: error: policy.json has problems: AWS takes it all the same, as far as is known
        exit 1
    "#]],
    );
    assert_eq!(policies(&world), [""; 0]);
    let ran =
        ctl(&world, &text("")).run(&["check-policy", "policy.json", "--ask-aws", "--output", "json"]).await;
    let value: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran}"));
    assert_eq!(value["aws"], serde_json::json!({ "answer": "takes", "said": null, "left": null }), "{ran}");
    assert_eq!((&value["agrees"], ran.code), (&Value::Bool(true), 0), "{ran}");
}

#[tokio::test]
async fn where_aws_and_this_program_differ_that_is_said() {
    // AWS may take the form of the preview, or not.
    let preview = text(r#","input_tags":{"@@assign":"honor"}"#);
    let refusing = World::of(&Document::default()).switches(|switches| switches.input_tags = Answer::Refused);
    let world = refusing.start().await;
    check(
        &asked(&world, &preview).await,
        expect![[r#"
        policy.json:1:149: bedrock.guardrail_inference.us-east-1.main.input_tags: AWS's preview had this setting; write selective_content_guarding instead
        AWS refuses it: MalformedPolicyDocumentException: The provided policy document does not meet the requirements of the specified policy type.
        differs: AWS refuses a text in which guardrailctl finds nothing that AWS would refuse: go by AWS, and compare the text with AWS's documents
        stderr: error: policy.json has problems: AWS takes it all the same, as far as is known
        exit 1
    "#]],
    );
    assert_eq!(policies(&world), [""; 0]);
}

#[tokio::test]
async fn what_aws_did_not_judge_is_not_known_and_leaves_nothing() {
    let world = world().await;
    let deny =
        |operation: &str| Fault::new(FaultKind::Denied { message: "no".to_owned() }).operation(operation);
    world.server.fault(deny("CreatePolicy"));
    check(
        &asked(&world, &text("")).await,
        expect![[r#"
        ok: policy.json is a Bedrock policy of 152 characters (10000 at most), for us-east-1 (main)
        AWS did not judge it: CreatePolicy: AccessDeniedException: no
        exit 1
    "#]],
    );
    world.server.clear_faults();
    // The answer is lost: AWS created it all the same.
    world.server.fault(Fault::new(FaultKind::Reset).operation("CreatePolicy").after_carrying_out());
    let ran = asked(&world, &text("")).await;
    assert!(ran.out.contains("AWS takes it") && ran.code == 0, "{ran}");
    assert_eq!(policies(&world), [""; 0]);
    world.server.clear_faults();
    // Nobody knows whether it is there.
    world.server.fault(Fault::new(FaultKind::Reset).operation("CreatePolicy").after_carrying_out());
    world.server.fault(deny("ListPolicies"));
    let ran = asked(&world, &text("")).await;
    assert_eq!(ran.code, 6, "{ran}");
    check(
        &unnamed(&ran).replace(world.server.url(), "URL"),
        expect![[r#"
        ok: policy.json is a Bedrock policy of 152 characters (10000 at most), for us-east-1 (main)
        AWS did not judge it: CreatePolicy: could not be reached at URL: connection closed before message completed
        stderr: error: whether a policy named NAME is left is not known: ListPolicies: AccessDeniedException: no
        stderr: it is attached to nothing and affects nobody; look for it: aws organizations list-policies --filter BEDROCK_POLICY
        exit 6
    "#]],
    );
    // It works where the type isn't enabled, but then AWS lists no policy.
    let off = World::of(&Document::default()).start().await;
    let ran = asked(&off, &text("")).await;
    assert!(ran.code == 0 && policies(&off).is_empty(), "{ran}");
    off.server.fault(Fault::new(FaultKind::Reset).operation("CreatePolicy").after_carrying_out());
    let ran = asked(&off, &text("")).await;
    assert!(
        ran.code == 6 && ran.err.contains("AWS lists no policies while the type is not enabled"),
        "{ran}"
    );
}

#[tokio::test]
async fn a_policy_that_could_not_be_deleted_is_named_with_its_id() {
    let world = world().await;
    let deny = Fault::new(FaultKind::Denied { message: "no".to_owned() }).operation("DeletePolicy");
    world.server.fault(deny);
    let ran = asked(&world, &text("")).await;
    check(
        &unnamed(&ran),
        expect![[r#"
        ok: policy.json is a Bedrock policy of 152 characters (10000 at most), for us-east-1 (main)
        AWS takes it
        stderr: error: the policy p-00du6x7ubu (NAME) is left and could not be deleted: DeletePolicy: AccessDeniedException: no
        stderr: it is attached to nothing and affects nobody; delete it: aws organizations delete-policy --policy-id p-00du6x7ubu
        exit 6
    "#]],
    );
    let left = policies(&world);
    assert!(left.len() == 1 && left[0].starts_with("guardrailctl-check-"), "{left:?}");
    let ran =
        ctl(&world, &text("")).run(&["check-policy", "policy.json", "--ask-aws", "--output", "json"]).await;
    let value: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran}"));
    assert!(value["aws"]["left"]["id"].as_str().is_some_and(|id| id.starts_with("p-")), "{ran}");
    assert_eq!(ran.code, 6, "{ran}");
    // One that may work later is tried again.
    world.server.clear_faults();
    let busy = Fault::new(FaultKind::policy_changes_in_progress()).operation("DeletePolicy").times(2);
    world.server.fault(busy);
    let ran = asked(&world, &text("")).await;
    assert_eq!(ran.code, 0, "{ran}");
    assert_eq!(policies(&world).len(), 2, "those before");
}

#[tokio::test]
async fn after_ctrl_c_nothing_is_left() {
    let world = world().await;
    // The first attempt is cut off, so that the second one is awaited when the signal comes.
    world.server.fault(Fault::new(FaultKind::Crash).operation("CreatePolicy").nth(1));
    world.server.latency("organizations:CreatePolicy", Duration::from_millis(500));
    let begun = world.server.crashed();
    let running = ctl(&world, &text("")).start(&ASK);
    begun.await;
    running.signal("INT").await;
    let ran = running.end().await;
    assert_eq!((ran.code, policies(&world)), (130, Vec::new()), "{ran}");
    assert!(ran.err.contains("interrupted: nothing is left in AWS"), "{ran}");
}

#[tokio::test]
async fn a_member_may_not_ask() {
    let world = world().await;
    let ran = ctl(&world, &text("")).variable("AWS_ACCESS_KEY_ID", &format!("SIM{PAYMENTS}")).run(&ASK).await;
    assert!(ran.code != 0 && ran.to_string().contains("AccessDenied"), "{ran}");
    assert_eq!(policies(&world), [""; 0]);
}
