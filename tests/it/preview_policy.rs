//! `guardrailctl preview-policy`: what a change of a Bedrock policy would do, and to whom, before anybody makes it.

use expect_test::{expect, expect_file};
use serde_json::{Value, json};
use simulator::{Fault, FaultKind};

use testkit::program::{Guardrailctl, Ran};
use testkit::world::{Document, EU, HUB, OWNER, PAYMENTS, PLAYGROUND, SANDBOX, US, WORKLOAD, World, check};

use crate::effective_policy::{ROOT, all, identifier, policy, with};

const FILE: &str = "new.json";

/// A policy's content with this below each Region's configuration.
fn content(name: &str, regions: &[(&str, Value)]) -> String {
    let regions: serde_json::Map<String, Value> =
        regions.iter().map(|(region, settings)| ((*region).to_owned(), json!({ name: settings }))).collect();
    json!({ "bedrock": { "guardrail_inference": regions } }).to_string()
}

async fn previews(world: &World, text: &str, arguments: &[&str]) -> Ran {
    std::fs::write(world.folder().join(FILE), text).unwrap();
    Guardrailctl::of(world).run(&[&["preview-policy"], arguments].concat()).await
}

/// The organization's policy on the root, and one of an OU that only sets what is left out.
fn usual() -> testkit::world::Setup {
    let excluded = json!({
        "model_enforcement": { "excluded_models": { "@@append": ["amazon.titan-embed-text-v2:0"] } },
    });
    with(vec![
        policy("p-corporate1", "corporate", &[ROOT], &[(US, all(US, 2)), (EU, all(EU, 2))]),
        policy("p-embeddings", "embeddings", &[WORKLOAD], &[(US, excluded)]),
    ])
}

#[tokio::test]
async fn who_would_get_what_is_shown_and_nothing_is_written() {
    let world = usual().start().await;
    let newer = content("main", &[(US, all(US, 3))]);
    let ran = previews(&world, &newer, &[FILE, "--attach-to", SANDBOX]).await;
    check(
        &ran,
        expect![[r#"
            a new policy is attached to ou-exam-sandbox1 (Sandbox): changes 2 of 8 accounts

            changed, 2 accounts: 300000000005 (Sandbox/playground), 300000000006 (Sandbox/abandoned)
              us-east-1       base1a2b3c4d:2 => base1a2b3c4d:3
                              from the new policy on ou-exam-sandbox1

            not checked: that these exist, and that the accounts may apply them
              arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:3
            exit 0
        "#]],
    );
    // Another version for the root, and no Region Ireland any more: the policies of others stay in it.
    let ran = previews(&world, &newer, &[FILE, "--policy", "p-corporate1"]).await;
    check(
        &ran,
        expect![[r#"
            p-corporate1 (corporate) is changed: changes 8 of 8 accounts

            changed, 4 accounts: 111111111111 (management), 222222222222 (guardrail-owner), 300000000005 (Sandbox/playground), 300000000006 (Sandbox/abandoned)
              eu-west-1       base1a2b3c4d:2 => no guardrail (guardrail lost)
              us-east-1       base1a2b3c4d:2 => base1a2b3c4d:3
                              from p-corporate1 (corporate) on r-exam

            changed, 4 accounts: 300000000001 (Workload/payments), 300000000002 (Workload/shipping), 300000000003 (Workload/search), 300000000004 (Workload/support)
              eu-west-1       base1a2b3c4d:2 => no guardrail (guardrail lost)
              us-east-1       base1a2b3c4d:2 models ALL except amazon.titan-embed-text-v2:0 => base1a2b3c4d:3 models ALL except amazon.titan-embed-text-v2:0
                              from p-corporate1 (corporate) on r-exam and p-embeddings (embeddings) on ou-exam-workload

            not checked: that these exist, and that the accounts may apply them
              arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:3
            exit 1
        "#]],
    );
    let json = previews(&world, &newer, &[FILE, "--policy", "p-corporate1", "--output", "json"]).await;
    assert_eq!(json.code, ran.code);
    expect_file!["golden/preview-policy.json"].assert_eq(&json.out);
    // One account's own, which the OU's changes as well.
    let older = content("main", &[(US, all(US, 1))]);
    check(
        &previews(&world, &older, &[FILE, "--attach-to", PAYMENTS]).await,
        expect![[r#"
            a new policy is attached to 300000000001 (Workload/payments): changes 1 of 8 accounts

            changed, 1 account: 300000000001 (Workload/payments)
              us-east-1       base1a2b3c4d:2 models ALL except amazon.titan-embed-text-v2:0 => base1a2b3c4d:1 (guards less)
                              from the new policy on 300000000001

            not checked: that these exist, and that the accounts may apply them
              arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:1
            exit 1
        "#]],
    );
    // Where nothing would change.
    check(
        &previews(&world, &older, &[FILE, "--attach-to", ROOT]).await,
        expect![[r#"
            a new policy is attached to r-exam: changes 0 of 8 accounts
            8 accounts below have what they had before: other policies decide there, one further down or one that was attached before
            exit 0
        "#]],
    );
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn whom_it_would_freeze_is_said() {
    let world = usual().start().await;
    let detached = ["--policy", "p-corporate1", "--detach-from", ROOT];
    check(
        &previews(&world, "", &detached).await,
        expect![[r#"
            p-corporate1 (corporate) is detached from r-exam: changes 8 of 8 accounts

            frozen, 4 accounts: 300000000001 (Workload/payments), 300000000002 (Workload/shipping), 300000000003 (Workload/search), 300000000004 (Workload/support)
              An account that is frozen keeps what it has, and no change of a Bedrock policy reaches it until this is corrected:
              KEY_REQUIRED at bedrock.guardrail_inference.us-east-1.main.identifier: p-embeddings (embeddings) on ou-exam-workload
              KEY_REQUIRED at bedrock.guardrail_inference.us-east-1.main.model_enforcement.included_models: p-embeddings (embeddings) on ou-exam-workload

            changed, 4 accounts: 111111111111 (management), 222222222222 (guardrail-owner), 300000000005 (Sandbox/playground), 300000000006 (Sandbox/abandoned)
              eu-west-1       base1a2b3c4d:2 => no guardrail (guardrail lost)
              us-east-1       base1a2b3c4d:2 => no guardrail (guardrail lost)
            exit 1
        "#]],
    );
    let another_name = content("other", &[(US, all(US, 2))]);
    check(
        &previews(&world, &another_name, &[FILE, "--attach-to", PLAYGROUND]).await,
        expect![[r#"
            a new policy is attached to 300000000005 (Sandbox/playground): changes 1 of 8 accounts

            may be frozen, 1 account: 300000000005 (Sandbox/playground)
              An account that is frozen keeps what it has, and no change of a Bedrock policy reaches it until this is corrected:
              ELEMENTS_TOO_MANY at bedrock.guardrail_inference.us-east-1: p-corporate1 (corporate) on r-exam and the new policy on 300000000005
              AWS does not document whether it is so (docs/organization-level.md). If it is not:
              us-east-1       base1a2b3c4d:2 => base1a2b3c4d:2 and base1a2b3c4d:2
                              from p-corporate1 (corporate) on r-exam and the new policy on 300000000005

            not checked: that these exist, and that the accounts may apply them
              arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:2
            exit 1
        "#]],
    );
    // What it would take to set them free is no harm, and says what they keep meanwhile.
    let settings = ["--policy", "p-embeddings", "--detach-from", WORKLOAD];
    let froze = |world: &World| {
        world.server.with(|model| {
            let caller = model.caller(&format!("arn:aws:iam::{HUB}:root"), US).unwrap();
            model.detach_policy(&caller, "p-corporate1", ROOT).unwrap();
        });
        world.wait(60);
    };
    let frozen = usual().start().await;
    froze(&frozen);
    check(
        &previews(&frozen, "", &settings).await,
        expect![[r#"
        p-embeddings (embeddings) is detached from ou-exam-workload (Workload): changes 4 of 8 accounts

        no longer frozen, 4 accounts: 300000000001 (Workload/payments), 300000000002 (Workload/shipping), 300000000003 (Workload/search), 300000000004 (Workload/support)
          eu-west-1       base1a2b3c4d:2 => no guardrail (guardrail lost)
          us-east-1       base1a2b3c4d:2 models ALL except amazon.titan-embed-text-v2:0 => no guardrail (guardrail lost)
        exit 1
    "#]],
    );
    // Somebody else's change is no matter of theirs.
    let good = content("main", &[(US, all(US, 3))]);
    check(
        &previews(&frozen, &good, &[FILE, "--attach-to", PLAYGROUND]).await,
        expect![[r#"
        a new policy is attached to 300000000005 (Sandbox/playground): changes 1 of 8 accounts

        changed, 1 account: 300000000005 (Sandbox/playground)
          us-east-1       no guardrail => base1a2b3c4d:3
                          from the new policy on 300000000005

        not checked: that these exist, and that the accounts may apply them
          arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:3
        exit 0
    "#]],
    );
    // Once it is made, the simulator says the same, whose merge is another one.
    froze(&world);
    let ran = Guardrailctl::of(&world).run(&["effective-policy", PAYMENTS]).await;
    assert!(ran.out.contains("state     frozen"), "{ran}");
    let ran = Guardrailctl::of(&world).run(&["effective-policy", PLAYGROUND]).await;
    assert!(ran.out.contains("state     no_policy"), "{ran}");
}

#[tokio::test]
async fn what_is_wrong_with_the_question_is_said() {
    let world = usual().start().await;
    let good = content("main", &[(US, all(US, 3))]);
    for (text, arguments, expected) in [
        (
            good.as_str(),
            &[FILE, "--attach-to", "ou-exam-nosuch00"][..],
            expect![[r#"
            stderr: error: there is no ou-exam-nosuch00 in o-exampleorgid: give the id of its root (r-…), of an OU (ou-…) or of an account (12 digits)
            exit 2
        "#]],
        ),
        (
            &good,
            &[FILE, "--attach-to", "400000000001"],
            expect![[r#"
            stderr: error: there is no 400000000001 in o-exampleorgid: give the id of its root (r-…), of an OU (ou-…) or of an account (12 digits)
            exit 2
        "#]],
        ),
        (
            &good,
            &["--policy", "p-nothere123", "--detach-from", ROOT],
            expect![[r#"
            stderr: error: there is no Bedrock policy p-nothere123: give the id of one that is there
            exit 2
        "#]],
        ),
        (
            &good,
            &[FILE],
            expect![[r#"
                stderr: error: this does not say which change is meant: give FILE and --attach-to, FILE and --policy, --policy and --attach-to, or --policy and --detach-from
                exit 2
            "#]],
        ),
        (
            &good,
            &[FILE, "--policy", "p-nothere123"],
            expect![[r#"
            stderr: error: there is no Bedrock policy p-nothere123: give the id of one that is there
            exit 2
        "#]],
        ),
        (
            &good,
            &["--policy", "p-corporate1", "--detach-from", SANDBOX],
            expect![[r#"
            stderr: error: p-corporate1 isn't attached to ou-exam-sandbox1
            exit 2
        "#]],
        ),
        (
            &good,
            &["--policy", "p-corporate1", "--attach-to", ROOT],
            expect![[r#"
            stderr: error: p-corporate1 is attached to r-exam already
            exit 2
        "#]],
        ),
        (
            &good,
            &[FILE, "--attach-to", "Sandbox"],
            expect![[r#"
            stderr: error: invalid value 'Sandbox' for '--attach-to <TARGET>': "Sandbox" is not what a policy can be attached to: expected a root, an OU or an account
            stderr: 
            stderr: For more information, try '--help'.
            exit 2
        "#]],
        ),
        (
            "{}",
            &[FILE, "--attach-to", SANDBOX],
            expect![[r#"
            stderr: error: AWS would refuse new.json:
            stderr:   new.json:1:1: AWS refuses an empty policy; write {"bedrock":{}} at least
            exit 2
        "#]],
        ),
        (
            &content("main", &[(US, all(US, 1))]).replace(HUB, OWNER),
            &[FILE, "--attach-to", SANDBOX],
            expect![[r#"
                a new policy is attached to ou-exam-sandbox1 (Sandbox): changes 2 of 8 accounts

                changed, 2 accounts: 300000000005 (Sandbox/playground), 300000000006 (Sandbox/abandoned)
                  us-east-1       base1a2b3c4d:2 => base1a2b3c4d:1
                                  from the new policy on ou-exam-sandbox1

                not checked: that these exist, and that the accounts may apply them
                  arn:aws:bedrock:us-east-1:222222222222:guardrail/base1a2b3c4d:1
                stderr: warning: arn:aws:bedrock:us-east-1:222222222222:guardrail/base1a2b3c4d is not the management account's (111111111111): AWS asks that of guardrails in Bedrock policies, and calls may fail
                exit 1
            "#]],
        ),
        // AWS takes it, and every call would fail.
        (
            &content("main", &[(US, json!({ "identifier": { "@@assign": identifier(EU, 1) } }))]),
            &[FILE, "--attach-to", SANDBOX],
            expect![[r#"
                a new policy is attached to ou-exam-sandbox1 (Sandbox): changes 2 of 8 accounts

                changed, 2 accounts: 300000000005 (Sandbox/playground), 300000000006 (Sandbox/abandoned)
                  us-east-1       base1a2b3c4d:2 => base1a2b3c4d:1 of eu-west-1: every call would fail
                                  from p-corporate1 (corporate) on r-exam and the new policy on ou-exam-sandbox1

                not checked: that these exist, and that the accounts may apply them
                  arn:aws:bedrock:eu-west-1:111111111111:guardrail/base1a2b3c4d:1
                stderr: warning: new.json:1:82: bedrock.guardrail_inference.us-east-1.main.identifier.@@assign: the guardrail is of another Region, and every call would fail; write one of this Region
                exit 1
            "#]],
        ),
    ] {
        check(&previews(&world, text, arguments).await, expected);
    }
}

#[tokio::test]
async fn what_aws_says_of_frozen_accounts_is_held_against_the_prediction() {
    let world = usual().start().await;
    let good = content("main", &[(US, all(US, 3))]);
    let denied = FaultKind::Denied { message: "No.".to_owned() };
    world.server.fault(Fault::new(denied).operation("ListAccountsWithInvalidEffectivePolicy").times(1));
    check(
        &previews(&world, &good, &[FILE, "--attach-to", SANDBOX]).await,
        expect![[r#"
            a new policy is attached to ou-exam-sandbox1 (Sandbox): changes 2 of 8 accounts

            changed, 2 accounts: 300000000005 (Sandbox/playground), 300000000006 (Sandbox/abandoned)
              us-east-1       base1a2b3c4d:2 => base1a2b3c4d:3
                              from the new policy on ou-exam-sandbox1

            not checked: that these exist, and that the accounts may apply them
              arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:3
            stderr: warning: which accounts AWS calls frozen is not known, so every possibility is shown: ListAccountsWithInvalidEffectivePolicy: AccessDeniedException: No. (denied) (needs organizations:ListAccountsWithInvalidEffectivePolicy)
            exit 1
        "#]],
    );
    // Not enabled: nothing is attached, and something could be.
    let world = World::of(&Document::default()).start().await;
    check(
        &previews(&world, &good, &[FILE, "--attach-to", SANDBOX]).await,
        expect![[r#"
            Bedrock policies are not enabled in this organization: nothing can be attached before the type BEDROCK_POLICY is enabled on the root
            a new policy is attached to ou-exam-sandbox1 (Sandbox): changes 2 of 8 accounts

            changed, 2 accounts: 300000000005 (Sandbox/playground), 300000000006 (Sandbox/abandoned)
              us-east-1       no guardrail => base1a2b3c4d:3
                              from the new policy on ou-exam-sandbox1

            not checked: that these exist, and that the accounts may apply them
              arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:3
            exit 0
        "#]],
    );
    // AWS calls an account frozen that the prediction calls frozen as well: it is said once.
    let theirs: Value = serde_json::from_str(&content("other", &[(US, all(US, 1))])).unwrap();
    let theirs =
        json!({ "id": "p-theirs1234", "name": "theirs", "targets": [PLAYGROUND], "content": theirs });
    let policies = vec![
        policy("p-corporate1", "corporate", &[ROOT], &[(US, all(US, 2))]),
        serde_json::from_value(theirs).unwrap(),
    ];
    let invalid = |switches: &mut simulator::Switches| {
        switches.two_configurations = simulator::TwoConfigurations::Refused;
    };
    let world = with(policies).switches(invalid).start().await;
    let ran = previews(&world, &good, &[FILE, "--attach-to", SANDBOX]).await;
    check(
        &ran,
        expect![[r#"
            a new policy is attached to ou-exam-sandbox1 (Sandbox): changes 2 of 8 accounts

            stays frozen, 1 account: 300000000005 (Sandbox/playground)
              An account that is frozen keeps what it has, and no change of a Bedrock policy reaches it until this is corrected:
              ELEMENTS_TOO_MANY at bedrock.guardrail_inference.us-east-1: p-theirs1234 (theirs) on 300000000005 and the new policy on ou-exam-sandbox1

            changed, 1 account: 300000000006 (Sandbox/abandoned)
              us-east-1       base1a2b3c4d:2 => base1a2b3c4d:3
                              from the new policy on ou-exam-sandbox1

            not checked: that these exist, and that the accounts may apply them
              arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:3
            exit 1
        "#]],
    );
}

/// A prediction rests on every policy: half of them are none.
#[tokio::test]
async fn what_cannot_be_read_ends_it() {
    for operation in ["ListPolicies", "ListTargetsForPolicy", "ListPoliciesForTarget", "DescribePolicy"] {
        let world = usual().start().await;
        let denied = FaultKind::Denied { message: "No.".to_owned() };
        world.server.fault(Fault::new(denied).operation(operation).times(u32::MAX));
        let good = content("main", &[(US, all(US, 3))]);
        let ran = previews(&world, &good, &[FILE, "--attach-to", SANDBOX]).await;
        assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{operation}: {ran}");
        assert!(ran.err.contains(operation), "{operation}: {ran}");
    }
}
