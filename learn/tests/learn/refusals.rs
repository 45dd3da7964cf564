//! What keeps a run from beginning: then nothing is written.

use guardrail_learn::session::NotBegun;
use serde_json::json;
use simulator::{AccountEntry, BedrockPolicyEntry, Enforce, EnforcementEntry};

use crate::stage::{self, ACCOUNT, REGION, Setting, Stage, UNIT};

/// Why a run doesn't begin; nothing was written and no journal is there.
async fn refused(stage: &Stage) -> String {
    let before = stage.holdings();
    let why = stage.run().await.expect_err("it must not begin").to_string();
    assert_eq!(stage.writes(), [""; 0], "{why}");
    assert_eq!(stage.holdings(), before);
    assert!(!stage.journal().exists(), "{why}");
    why
}

async fn refused_in(change: impl FnOnce(&mut simulator::World)) -> String {
    let mut world = stage::world();
    change(&mut world);
    let stage =
        Stage::set(&stage::client().await, Setting { world: Some(world), ..Setting::default() }).await;
    refused(&stage).await
}

fn policy(target: &str) -> BedrockPolicyEntry {
    let identifier = "arn:aws:bedrock:us-east-1:111111111111:guardrail/abc:1";
    let settings = json!({ "main": { "identifier": { "@@assign": identifier } } });
    BedrockPolicyEntry {
        id: "p-example1234".to_owned(),
        name: "baseline".to_owned(),
        description: String::new(),
        content: json!({ "bedrock": { "guardrail_inference": { REGION: settings } } }),
        targets: vec![target.to_owned()],
        tags: simulator::Tags::new(),
    }
}

#[tokio::test]
async fn an_account_that_enforces_a_guardrail() {
    let why = refused_in(|world| {
        world.enforcements.push(EnforcementEntry {
            account: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            by: None,
            configuration: Enforce::new("arn:aws:bedrock:us-east-1:222222222222:guardrail/usbase1a2b3c", "1"),
        });
    });
    let why = why.await;
    assert!(why.contains("it enforces the guardrail arn:aws:bedrock:us-east-1:222222222222"), "{why}");
}

#[tokio::test]
async fn an_account_with_a_bedrock_policy_on_it_or_above_it() {
    for target in [ACCOUNT, UNIT, "r-exam"] {
        let why = refused_in(|world| world.bedrock_policies.push(policy(target))).await;
        assert!(why.contains("a Bedrock policy has an effect in it"), "{why}");
        assert!(why.contains(&format!("p-example1234 is attached to {target}")), "{why}");
    }
}

#[tokio::test]
async fn an_account_that_an_invalid_policy_froze() {
    let why = refused_in(|world| {
        let mut frozen = policy(ACCOUNT);
        frozen.content = json!({ "bedrock": { "guardrail_inference": { REGION: { "main": {
            "selective_content_guarding": { "system": { "@@assign": "selective" } },
        } } } } });
        world.bedrock_policies.push(frozen);
    });
    let why = why.await;
    assert!(why.contains("an invalid Bedrock policy froze it"), "{why}");
}

#[tokio::test]
async fn an_account_with_traffic() {
    let client = stage::client().await;
    let stage = Stage::set(&client, Setting::default()).await;
    // Somebody else's program, a day ago.
    let keys = aws_sdk_bedrock::config::Credentials::new(format!("SIM{ACCOUNT}"), "x", None, None, "test");
    let other = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::new(REGION))
        .credentials_provider(keys)
        .endpoint_url(stage.server.url());
    let other = aws_sdk_bedrockruntime::Client::new(&other.load().await);
    let body = aws_sdk_bedrockruntime::primitives::Blob::new(r#"{"inputText":"hello"}"#);
    other.invoke_model().model_id("amazon.titan-text-express-v1").body(body).send().await.expect("an answer");
    stage.server.with(|model| model.clock.advance(std::time::Duration::from_secs(86_400)));
    let why = refused(&stage).await;
    assert!(why.contains("models were called there by InvokeModel within the last 30 days"), "{why}");
    // After a month that is forgotten.
    stage.server.with(|model| model.clock.advance(std::time::Duration::from_secs(40 * 86_400)));
    stage.run().await.expect("the account is empty");
}

#[tokio::test]
async fn its_own_traffic_is_none() {
    let client = stage::client().await;
    let only = vec!["enforced-trace".to_owned()];
    let stage = Stage::set(&client, Setting { only, ..Setting::default() }).await;
    stage.run().await.expect("the account is empty");
    stage.run().await.expect("the account is as empty as before");
}

#[tokio::test]
async fn an_ou_that_holds_something_else_or_another_account() {
    let why = refused_in(|world| {
        let parent = Some(UNIT.to_owned());
        let (id, name) = ("300000000010".to_owned(), "other".to_owned());
        world.accounts.push(AccountEntry { id, name, parent, ..AccountEntry::default() });
    });
    let why = why.await;
    assert!(why.contains("the OU ou-exam-learning holds 300000000010, too"), "{why}");
    let why = refused_in(|world| {
        let account = world.accounts.iter_mut().find(|account| account.id == ACCOUNT).expect("it is there");
        account.parent = Some("r-exam".to_owned());
    });
    let why = why.await;
    assert!(why.contains("the OU ou-exam-learning is not the one that the account is in"), "{why}");
}

#[tokio::test]
async fn without_consent() {
    let client = stage::client().await;
    for consent in [None, Some(""), Some("111111111111"), Some("yes")] {
        let mut stage = Stage::set(&client, Setting::default()).await;
        stage.consent = consent;
        let why = refused(&stage).await;
        assert!(why.contains("consent"), "{why}");
    }
}

#[tokio::test]
async fn the_policy_type_is_not_enabled_without_its_own_consent() {
    let client = stage::client().await;
    let mut stage = Stage::set(&client, Setting::default()).await;
    stage.wanted.means.enables_policy_type = false;
    stage.wanted.means.touches_management = false;
    stage.wanted.means.unit = None;
    stage.wanted.means.key = None;
    let before = stage.holdings();
    let report = stage.run().await.expect("the account is empty");
    for switch in
        ["model-lists", "two-configurations", "trusted-access-needed", "customer-key-across-accounts"]
    {
        let answer = stage::answer(&report, switch);
        assert!(matches!(answer, guardrail_learn::experiment::Learned::NotTried(_)), "{switch}: {answer:?}");
    }
    assert!(
        report.is_complete()
            || report.json()["findings"].as_array().is_some_and(|all| {
                // Not refused, so nobody learns how it would be.
                all.iter()
                    .filter(|one| !one["not_found_out"].is_null())
                    .all(|one| one["switch"] == "cross-account-refusal")
            })
    );
    assert!(report.staying.is_empty());
    let writes = stage.writes();
    assert!(
        !writes
            .iter()
            .any(|write| write.ends_with("PolicyType")
                || write.ends_with("Policy") && !write.contains("Resource")),
        "{writes:?}"
    );
    assert_eq!(stage.holdings(), before);
}

#[tokio::test]
async fn a_journal_of_an_earlier_run() {
    let client = stage::client().await;
    let stage = Stage::set(&client, Setting::default()).await;
    std::fs::write(stage.journal(), "{}\n").expect("a file");
    let why = stage.run().await.expect_err("it must not begin");
    assert!(matches!(why, NotBegun::Left(_)), "{why}");
    assert!(stage.server.calls().is_empty());
}

#[tokio::test]
async fn other_credentials_than_the_accounts() {
    let client = stage::client().await;
    let mut stage = Stage::set(&client, Setting::default()).await;
    stage.wanted.parties.role = None;
    let why = refused(&stage).await;
    assert!(why.contains("the credentials are those of account 111111111111"), "{why}");
    stage.wanted.parties = guardrail_learn::cloud::Parties { account: "111111111111".to_owned(), role: None };
    let why = refused(&stage).await;
    assert!(why.contains("it is the management account"), "{why}");
}

#[tokio::test]
async fn an_experiment_that_is_not_there() {
    let client = stage::client().await;
    let only = vec!["enforced-everywhere".to_owned()];
    let stage = Stage::set(&client, Setting { only, ..Setting::default() }).await;
    let why = stage.run().await.expect_err("it must not begin");
    assert!(matches!(why, NotBegun::Unknown(_)), "{why}");
}
