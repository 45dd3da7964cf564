//! `guardrailctl effective-policy`: what the organization enforces in an account, and which policy says so.

use expect_test::{expect, expect_file};
use serde_json::{Value, json};
use simulator::{BedrockPolicyEntry, Fault, FaultKind, ListOrder, OnOff, Presence, TwoConfigurations};

use testkit::program::{Guardrailctl, Ran};
use testkit::whole::SUPPORT;
use testkit::world::{Document, EU, HUB, PAYMENTS, PLAYGROUND, SEARCH, Setup, US, WORKLOAD, World, check};

pub(crate) const ROOT: &str = "r-exam";

/// A version of a guardrail of the management account's.
pub(crate) fn identifier(region: &str, version: u32) -> String {
    format!("arn:aws:bedrock:{region}:{HUB}:guardrail/base1a2b3c4d:{version}")
}

/// A policy with this below each Region's configuration `main`.
pub(crate) fn policy(
    id: &str,
    name: &str,
    targets: &[&str],
    regions: &[(&str, Value)],
) -> BedrockPolicyEntry {
    let regions: serde_json::Map<String, Value> = regions
        .iter()
        .map(|(region, settings)| ((*region).to_owned(), json!({ "main": settings })))
        .collect();
    serde_json::from_value(json!({
        "id": id,
        "name": name,
        "targets": targets,
        "content": { "bedrock": { "guardrail_inference": regions } },
    }))
    .unwrap()
}

/// All models and contents, guarded by this version.
pub(crate) fn all(region: &str, version: u32) -> Value {
    json!({
        "identifier": { "@@assign": identifier(region, version) },
        "model_enforcement": { "included_models": { "@@assign": ["ALL"] }, "excluded_models": { "@@assign": [] } },
    })
}

fn corporate() -> BedrockPolicyEntry {
    policy("p-corporate1", "corporate", &[ROOT], &[(US, all(US, 1)), (EU, all(EU, 1))])
}

/// Another version in one Region, and a model that is left out, for one OU.
fn strict() -> BedrockPolicyEntry {
    let settings = json!({
        "identifier": { "@@assign": identifier(US, 2) },
        "model_enforcement": { "excluded_models": { "@@append": ["amazon.titan-embed-text-v2:0"] } },
    });
    policy("p-strict1234", "Strict / workloads", &[WORKLOAD], &[(US, settings)])
}

pub(crate) fn with(policies: Vec<BedrockPolicyEntry>) -> Setup {
    World::of(&Document::default()).world(|world| world.bedrock_policies = policies)
}

/// With nothing set but credentials: no baseline, no ledger.
async fn shows(world: &World, account: &str) -> Ran {
    Guardrailctl::of(world).run(&["effective-policy", account]).await
}

async fn in_json(ctl: Guardrailctl, account: &str) -> (Value, i32) {
    let ran = ctl.run(&["effective-policy", account, "--output", "json"]).await;
    (serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran}")), ran.code)
}

async fn state(world: &World, account: &str) -> (String, i32) {
    let (value, code) = in_json(Guardrailctl::of(world), account).await;
    (value["state"].as_str().unwrap().to_owned(), code)
}

#[tokio::test]
async fn each_value_is_shown_with_the_policy_that_it_comes_from() {
    let world = with(vec![corporate(), strict()]).start().await;
    let ran = shows(&world, "payments").await;
    check(
        &ran,
        expect![[r#"
        300000000001  Workload/payments, o-exampleorgid/r-exam/ou-exam-workload/
        state     published: AWS publishes what the attached policies come to
        attached  r-exam: p-corporate1 (corporate)
                  ou-exam-workload (Workload): p-strict1234 (Strict / workloads)
                  300000000001: nothing

        eu-west-1  main  from p-corporate1 (corporate) on r-exam
          identifier       arn:aws:bedrock:eu-west-1:111111111111:guardrail/base1a2b3c4d:1
          excluded_models  none
          included_models  ALL

        us-east-1  main
          identifier       arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:2
                           from p-strict1234 (Strict / workloads) on ou-exam-workload
          excluded_models  amazon.titan-embed-text-v2:0
                           from p-corporate1 (corporate) on r-exam, appended by p-strict1234 (Strict / workloads) on ou-exam-workload
          included_models  ALL
                           from p-corporate1 (corporate) on r-exam
        exit 0
    "#]],
    );
    let ran = shows(&world, PLAYGROUND).await;
    check(
        &ran,
        expect![[r#"
        300000000005  Sandbox/playground, o-exampleorgid/r-exam/ou-exam-sandbox1/
        state     published: AWS publishes what the attached policies come to
        attached  r-exam: p-corporate1 (corporate)
                  ou-exam-sandbox1 (Sandbox): nothing
                  300000000005: nothing

        eu-west-1  main  from p-corporate1 (corporate) on r-exam
          identifier       arn:aws:bedrock:eu-west-1:111111111111:guardrail/base1a2b3c4d:1
          excluded_models  none
          included_models  ALL

        us-east-1  main  from p-corporate1 (corporate) on r-exam
          identifier       arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:1
          excluded_models  none
          included_models  ALL
        exit 0
    "#]],
    );
    let ran = Guardrailctl::of(&world).run(&["effective-policy", PAYMENTS, "--output", "json"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    expect_file!["golden/effective-policy.json"].assert_eq(&ran.out);
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn it_is_the_same_whatever_form_aws_answers_in() {
    let usual = with(vec![corporate(), strict()]).start().await;
    let usual = shows(&usual, PAYMENTS).await.to_string();
    for odd in [
        with(vec![corporate(), strict()]).switches(|switches| switches.paths = Presence::Absent),
        with(vec![corporate(), strict()]).switches(|switches| switches.empty_pages = OnOff::On),
        with(vec![corporate(), strict()]).switches(|switches| switches.throttling = OnOff::On),
        with(vec![corporate(), strict()]).switches(|switches| switches.empty_model_lists = Presence::Present),
    ] {
        let world = odd.start().await;
        assert_eq!(shows(&world, PAYMENTS).await.to_string(), usual);
    }
}

#[tokio::test]
async fn without_the_type_and_without_a_policy_there_is_nothing_and_nothing_is_wrong() {
    let world = World::of(&Document::default()).start().await;
    check(
        &shows(&world, PAYMENTS).await,
        expect![[r#"
        300000000001  Workload/payments, o-exampleorgid/r-exam/ou-exam-workload/
        state     not_set_up: Bedrock policies are not enabled in the organization
        exit 0
    "#]],
    );
    let world =
        World::of(&Document::default()).world(|world| world.bedrock_policies_enabled = true).start().await;
    check(
        &shows(&world, PAYMENTS).await,
        expect![[r#"
        300000000001  Workload/payments, o-exampleorgid/r-exam/ou-exam-workload/
        state     no_policy: Bedrock policies are enabled, and none is attached on the account's path
        attached  r-exam: nothing
                  ou-exam-workload (Workload): nothing
                  300000000001: nothing
        exit 0
    "#]],
    );
}

#[tokio::test]
async fn a_frozen_account_is_shown_with_what_it_keeps_and_what_to_correct() {
    let world = with(vec![corporate(), strict()]).start().await;
    let broken = json!({ "selective_content_guarding": { "system": { "@@assign": "selective" } } });
    let ap = "ap-southeast-2";
    let broken = policy("p-broken1234", "half done", &[WORKLOAD], &[(ap, broken)]);
    world.server.with(|model| model.put_bedrock_policy(&broken));
    check(
        &shows(&world, PAYMENTS).await,
        expect![[r#"
            300000000001  Workload/payments, o-exampleorgid/r-exam/ou-exam-workload/
            state     frozen: the attached policies don't merge into a valid one: the account keeps its last valid effective policy, and no change of a Bedrock policy reaches it before every error is corrected
            attached  r-exam: p-corporate1 (corporate)
                      ou-exam-workload (Workload): p-broken1234 (half done), p-strict1234 (Strict / workloads)
                      300000000001: nothing
            error     KEY_REQUIRED at bedrock/guardrail_inference/ap-southeast-2/main/identifier: The key identifier is required.
                      → correct p-broken1234 (half done)
            kept      what the account keeps from before is below

            eu-west-1  main
              identifier       arn:aws:bedrock:eu-west-1:111111111111:guardrail/base1a2b3c4d:1
              included_models  ALL

            us-east-1  main
              identifier       arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:2
              excluded_models  amazon.titan-embed-text-v2:0
              included_models  ALL
            exit 1
        "#]],
    );
    // No later change reaches the account, and that is said as it is.
    world.server.with(|model| {
        model.put_bedrock_policy(&policy("p-corporate1", "corporate", &[ROOT], &[(US, all(US, 3))]));
    });
    let (value, code) = in_json(Guardrailctl::of(&world), PAYMENTS).await;
    assert_eq!((value["state"].as_str(), code), (Some("frozen"), 1), "{value:#}");
    assert_eq!(value["errors"][0]["policies"], json!([{ "id": "p-broken1234", "name": "half done" }]));
    let kept = value["values"].as_array().unwrap().iter().find(|one| one["region"] == EU).unwrap();
    assert_eq!(kept["published"], identifier(EU, 1), "{value:#}");
    assert_eq!(state(&world, PLAYGROUND).await, ("published".to_owned(), 0), "it isn't below the OU");
}

#[tokio::test]
async fn what_is_not_published_yet_is_a_difference() {
    let setup = with(vec![corporate()]).world(|world| world.settings.policy_publication_seconds = 30);
    let world = setup.start().await;
    assert_eq!(state(&world, PAYMENTS).await, ("published".to_owned(), 0));
    world.server.with(|model| model.put_bedrock_policy(&strict()));
    check(
        &shows(&world, PAYMENTS).await,
        expect![[r#"
            300000000001  Workload/payments, o-exampleorgid/r-exam/ou-exam-workload/
            state     differs: AWS publishes something else than the attached policies come to: a change is published within seconds, so run it again; if it stays so, AWS merges otherwise than docs/organization-level.md says, and we ask for a report
            attached  r-exam: p-corporate1 (corporate)
                      ou-exam-workload (Workload): p-strict1234 (Strict / workloads)
                      300000000001: nothing

            eu-west-1  main  from p-corporate1 (corporate) on r-exam
              identifier       arn:aws:bedrock:eu-west-1:111111111111:guardrail/base1a2b3c4d:1
              excluded_models  none
              included_models  ALL

            us-east-1  main
              identifier       published  arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:1
                               attached   arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:2
                               from p-strict1234 (Strict / workloads) on ou-exam-workload
              excluded_models  published  nothing
                               attached   amazon.titan-embed-text-v2:0
                               from p-corporate1 (corporate) on r-exam, appended by p-strict1234 (Strict / workloads) on ou-exam-workload
              included_models  ALL
                               from p-corporate1 (corporate) on r-exam
            exit 1
        "#]],
    );
    world.wait(31);
    assert_eq!(state(&world, PAYMENTS).await, ("published".to_owned(), 0));
}

/// In the order of their ids, `p-first12345` is listed first; what decides is which was attached first.
#[tokio::test]
async fn of_two_that_contradict_each_other_the_published_one_was_first() {
    let mut shown = String::new();
    for order in [ListOrder::ById, ListOrder::ByAttachment] {
        let policies = vec![
            policy("p-second1234", "first", &[ROOT], &[(US, all(US, 1))]),
            policy("p-first12345", "second", &[ROOT], &[(US, all(US, 2))]),
        ];
        let world = with(policies).switches(|switches| switches.policies_for_target = order).start().await;
        let ran = shows(&world, PAYMENTS).await;
        let configuration = ran.out.lines().skip_while(|line| !line.starts_with(US)).take(4);
        shown.push_str(&format!("{}\n", configuration.collect::<Vec<_>>().join("\n")));
        assert_eq!(ran.code, 0, "{ran}");
    }
    check(
        &shown,
        expect![[r#"
            us-east-1  main
              identifier       arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:1
                               from p-second1234 (first) on r-exam
                               depends on the order of attachment, which AWS shows nowhere: arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:1 or arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:2
            us-east-1  main
              identifier       arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:1
                               from p-second1234 (first) on r-exam
                               depends on the order of attachment, which AWS shows nowhere: arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:1 or arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:2
        "#]],
    );
}

#[tokio::test]
async fn what_aws_makes_of_two_configurations_is_not_known_and_said() {
    let two = json!({ "bedrock": { "guardrail_inference": { US: {
        "one": { "identifier": { "@@assign": identifier(US, 1) } },
        "two": { "identifier": { "@@assign": identifier(US, 2) } },
    } } } });
    let entry = || BedrockPolicyEntry { content: two.clone(), ..corporate() };
    for (answer, expected) in [(TwoConfigurations::Refused, "frozen"), (TwoConfigurations::Both, "published")]
    {
        let world =
            with(vec![entry()]).switches(|switches| switches.two_configurations = answer).start().await;
        let (value, _) = in_json(Guardrailctl::of(&world), PAYMENTS).await;
        assert_eq!(value["state"], expected, "{value:#}");
        assert_eq!(value["otherwise"].as_array().unwrap().len(), 1, "{value:#}");
    }
}

/// Everything that the command asks of Organizations about policies.
const CALLS: [&str; 4] = [
    "DescribeEffectivePolicy",
    "ListEffectivePolicyValidationErrors",
    "ListPoliciesForTarget",
    "DescribePolicy",
];

/// Who is no delegated administrator, and may do these by the organization's resource policy.
async fn delegated(actions: &[&str]) -> (World, Guardrailctl) {
    let actions: Vec<String> = actions.iter().map(|action| format!("organizations:{action}")).collect();
    let delegation = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": { "AWS": format!("arn:aws:iam::{SUPPORT}:root") },
        "Resource": "*",
        "Action": actions,
    }] });
    let setup = with(vec![corporate(), strict()]);
    let world = setup.world(|world| world.delegation_policy = Some(delegation)).start().await;
    let ctl = Guardrailctl::of(&world).variable("AWS_ACCESS_KEY_ID", &format!("SIM{SUPPORT}"));
    (world, ctl)
}

const ACCOUNTS: [&str; 2] = ["DescribeOrganization", "DescribeAccount"];

#[tokio::test]
async fn a_missing_permission_is_named_and_the_rest_is_shown_all_the_same() {
    let (_world, ctl) = delegated(&[&ACCOUNTS[..], &CALLS[..]].concat()).await;
    let (value, code) = in_json(ctl, PAYMENTS).await;
    assert_eq!((value["state"].as_str(), code), (Some("published"), 0), "{value:#}");
    assert_eq!(value["unread"], json!([]));
    for missing in CALLS {
        let others = CALLS.iter().copied().filter(|call| *call != missing);
        let actions: Vec<&str> = ACCOUNTS.into_iter().chain(others).collect();
        let (_world, ctl) = delegated(&actions).await;
        let (value, code) = in_json(ctl, PAYMENTS).await;
        let unread = value["unread"].as_array().unwrap();
        assert!(!unread.is_empty(), "{missing}: {value:#}");
        for part in unread {
            assert_eq!(part["permission"], format!("organizations:{missing}"), "{part:#}");
            assert!(part["todo"].as_str().unwrap().contains(&format!("organizations:{missing}")), "{part:#}");
        }
        let expected = if missing == "DescribeEffectivePolicy" { "unreadable" } else { "not_known" };
        assert_eq!((value["state"].as_str(), code), (Some(expected), 1), "{missing}: {value:#}");
        assert!(value["values"].as_array().is_some_and(|values| !values.is_empty()), "{missing}: {value:#}");
    }
    let (_world, ctl) = delegated(&[&ACCOUNTS[..], &CALLS[1..3]].concat()).await;
    check(
        &ctl.run(&["effective-policy", PAYMENTS]).await,
        expect![[r#"
            300000000001  payments, o-exampleorgid/r-exam/ou-exam-workload/
            state     unreadable: what AWS publishes is not known, because it could not be read
            attached  r-exam: p-corporate1 (corporate)
                      ou-exam-workload: p-strict1234 (Strict / workloads)
                      300000000001: nothing
            not read  the effective policy of 300000000001: DescribeEffectivePolicy: AccessDeniedException: You don't have permissions to access this resource.
                      → give organizations:DescribeEffectivePolicy to these credentials; where they are not the management account's, the organization's resource policy has to allow it too (docs/deploy.md, Who deploys to members)
            not read  the content of p-corporate1 ("corporate"): DescribePolicy: AccessDeniedException: You don't have permissions to access this resource.
            not read  the content of p-strict1234 ("Strict / workloads"): DescribePolicy: AccessDeniedException: You don't have permissions to access this resource.
                      → give organizations:DescribePolicy to these credentials; where they are not the management account's, the organization's resource policy has to allow it too (docs/deploy.md, Who deploys to members)
            exit 1
        "#]],
    );
}

#[tokio::test]
async fn whoever_may_not_read_the_organization_is_told_so() {
    let world = with(vec![corporate()]).start().await;
    let ctl = Guardrailctl::of(&world).variable("AWS_ACCESS_KEY_ID", &format!("SIM{PAYMENTS}"));
    let ran = ctl.run(&["effective-policy", PAYMENTS]).await;
    check(
        &ran.to_string().replace(world.server.url(), "http://SIMULATOR"),
        expect![[r#"
        stderr: error: the organization could not be read: DescribeAccount: AccessDeniedException: You don't have permissions to access this resource.
        stderr:   as account 300000000001, in us-east-1, at http://SIMULATOR (AWS_ENDPOINT_URL)
        stderr:   → Organizations answers the management account and delegated administrators only, which need organizations:DescribeAccount
        exit 3
    "#]],
    );
    let ran = shows(&world, "999999999999").await;
    check(
        &ran,
        expect![[r#"
        stderr: error: 999999999999 is no account of o-exampleorgid: correct the number, or use credentials of its organization
        exit 2
    "#]],
    );
    let ran = shows(&world, "nobody").await;
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran}");
}

#[tokio::test]
async fn a_call_that_fails_is_tried_again_and_else_leaves_only_its_part_unknown() {
    for operation in CALLS {
        let world = with(vec![corporate(), strict()]).start().await;
        for kind in [FaultKind::Throttle, FaultKind::ServerError, FaultKind::Reset] {
            world.server.fault(Fault { times: Some(1), ..Fault::new(kind.clone()).operation(operation) });
            assert_eq!(state(&world, PAYMENTS).await, ("published".to_owned(), 0), "{operation} {kind:?}");
        }
        world.server.fault(Fault::new(FaultKind::ServerError).operation(operation));
        let (value, code) = in_json(Guardrailctl::of(&world), PAYMENTS).await;
        assert_eq!(code, 1, "{value:#}");
        let unread = value["unread"].as_array().unwrap();
        assert!(unread.iter().all(|part| part["todo"] == "run it again"), "{value:#}");
        assert!(!unread.is_empty(), "{operation}: {value:#}");
    }
}

#[tokio::test]
async fn both_levels_in_one_region_are_named_with_their_cost() {
    let document = Document { regions: US, ..Document::only(PAYMENTS) };
    let setup = World::of(&document).durable().long_established();
    let world = World::guarded(setup.world(|world| world.bedrock_policies = vec![corporate()])).await;
    let with_ledger = || Guardrailctl::of(&world).variable("KEEPER_LEDGER", "file:ledger.json");
    let ran = with_ledger().run(&["effective-policy", PAYMENTS]).await;
    let twice: Vec<&str> = ran.out.lines().filter(|line| line.starts_with("twice")).collect();
    check(
        &twice.join("\n"),
        expect![
            "twice     us-east-1: the account level enforces usbase1a2b3c:2 too (seen under a minute ago); each call is evaluated on both levels, and AWS bills both"
        ],
    );
    assert_eq!(ran.code, 0, "{ran}");
    let (value, _) = in_json(with_ledger(), PAYMENTS).await;
    let both = value["account_level_too"].as_array().unwrap();
    assert_eq!(both.len(), 1, "{value:#}");
    assert_eq!(both[0]["region"], US);
    let (value, _) = in_json(with_ledger(), SEARCH).await;
    assert_eq!(value["account_level_too"], json!([]), "{value:#}");
    // Without the ledger it isn't known, and with one that can't be read that is said.
    assert!(!shows(&world, PAYMENTS).await.out.contains("twice"));
    let ran = Guardrailctl::of(&world)
        .variable("KEEPER_LEDGER", "table:nowhere")
        .run(&["effective-policy", PAYMENTS])
        .await;
    assert!(ran.err.contains("warning: what is enforced on the account level is not known: "), "{ran}");
    assert_eq!(ran.code, 0, "{ran}");
}

#[tokio::test]
async fn hostile_names_reach_no_terminal_as_they_are() {
    let hostile = "\u{1b}[2Jforged\u{202e}";
    let content = json!({ "bedrock": { "guardrail_inference": { US: { hostile: {
        "identifier": { "@@assign": format!("{}{hostile}", identifier(US, 1)) },
    } }, hostile: { "x": { "identifier": { "@@assign": hostile } } } } } });
    let entry = BedrockPolicyEntry { content, name: hostile.to_owned(), ..corporate() };
    let world = with(vec![entry]).start().await;
    let ran = shows(&world, PAYMENTS).await;
    assert!(ran.out.contains("forged"), "{ran}");
    assert!(!ran.out.contains('\u{1b}') && !ran.out.contains('\u{202e}'), "{ran:?}");
}

#[tokio::test]
async fn on_a_narrow_terminal_every_column_stays_in_its_place() {
    let world = with(vec![corporate(), strict()]).start().await;
    let shown = Guardrailctl::of(&world).run_on_a_terminal(80, &["effective-policy", PAYMENTS]).await;
    let lines: Vec<&str> = shown.lines().filter(|line| !line.trim().is_empty()).collect();
    check(
        &lines.join("\n"),
        expect![[r#"
        300000000001  Workload/payments, o-exampleorgid/r-exam/ou-exam-workload/
        state     published: AWS publishes what the attached policies come to
        attached  r-exam: p-corporate1 (corporate)
                  ou-exam-workload (Workload): p-strict1234 (Strict / workloads)
                  300000000001: nothing
        eu-west-1  main  from p-corporate1 (corporate) on r-exam
          identifier       arn:aws:bedrock:eu-west-1:111111111111:guardrail/base1a2b3c4d:1
          excluded_models  none
          included_models  ALL
        us-east-1  main
          identifier       arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d:2
                           from p-strict1234 (Strict / workloads) on ou-exam-workload
          excluded_models  amazon.titan-embed-text-v2:0
                           from p-corporate1 (corporate) on r-exam, appended by
                             p-strict1234 (Strict / workloads) on ou-exam-workload
          included_models  ALL
                           from p-corporate1 (corporate) on r-exam"#]],
    );
}
