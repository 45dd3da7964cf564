//! `guardrailctl trigger`: what an event would have done, without a call to AWS.

use expect_test::expect;

use testkit::program::Guardrailctl;
use testkit::world::{Document, MEMBER_ROLE, PARAMETER, check, repository};

#[tokio::test]
async fn trigger_says_of_every_sample_what_is_written_beside_it() {
    let mut files: Vec<String> = Vec::new();
    let expected = std::fs::read_to_string(repository("events/expected.jsonl")).unwrap();
    for folder in ["events", "events/batches", "events/odd", "events/rejected"] {
        let mut names: Vec<String> = std::fs::read_dir(repository(folder))
            .unwrap()
            .map(|entry| format!("{folder}/{}", entry.unwrap().file_name().into_string().unwrap()))
            .filter(|name| name.ends_with(".json"))
            .collect();
        names.sort();
        files.extend(names);
    }
    let ctl = Guardrailctl::alone(&repository(""))
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_MEMBER_ROLE", MEMBER_ROLE)
        .variable("KEEPER_FUNCTION_ROLE", "arn:aws:iam::111111111111:role/GuardrailKeeperFunction")
        .variable("KEEPER_FORMER_ROLES", "FormerKeeper");
    let mut arguments = vec!["trigger", "--baseline", "examples/baseline.yaml", "--output", "json"];
    arguments.extend(files.iter().map(String::as_str));

    let ran = ctl.run(&arguments).await;

    assert_eq!(ran.out, expected);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""), "some are rejected");
}

#[tokio::test]
async fn trigger_says_it_in_words_and_reads_standard_input() {
    let ctl = || Guardrailctl::alone(&repository("events"));
    let mut ends = String::new();
    let ran = ctl()
        .run(&["trigger", "account-created.json", "account-closed.json", "guardrail-version-created.json"])
        .await;
    ends.push_str(&ran.to_string());
    ends.push_str(&ctl().run(&["trigger", "batches/well-formed.json"]).await.to_string());
    ends.push_str(&ctl().run(&["trigger", "batches/some-malformed.json"]).await.to_string());
    let event = std::fs::read_to_string(repository("events/account-moved.json")).unwrap();
    ends.push_str(&ctl().input(&event).run(&["trigger", "-"]).await.to_string());
    ends.push_str(&ctl().input("garbage").run(&["trigger", "-", "--output", "json"]).await.to_string());
    ends.push_str(&ctl().run(&["trigger", "nowhere.json"]).await.to_string());
    ends.push_str(&ctl().run(&["trigger", "batches/empty.json"]).await.to_string());
    check(
        &ends,
        expect![[r#"
        account-created.json: reconcile 300000000007 in all Regions: the account was created
        account-closed.json: departed 300000000001: the account was closed
        guardrail-version-created.json: reconcile all accounts in us-east-1 for guardrail base1234abcd: a guardrail version was created, which may be one that was missing
        exit 0
        batches/well-formed.json#672a726a-1241-4b70-82af-acb2541b1071: reconcile 300000000007 in all Regions: the account was created
        batches/well-formed.json#3c925cb2-8d97-466a-89b7-a4046ee83c1b: reconcile 300000000007 in all Regions: the account joined the organization
        batches/well-formed.json#b16271c7-10fb-463f-8adb-a37c78bb6d0a: reconcile all accounts in us-east-1 for guardrail base1234abcd: a guardrail version was created, which may be one that was missing
        batches/well-formed.json#39d8d5c4-ea7a-4f57-8303-a628575af1d2: reconcile 300000000001 in us-east-1: the account's enforcement was changed
        batches/well-formed.json#46d30997-0466-4ea8-8938-adc11332e9d9: ignore: the keeper wrote this itself
        batches/well-formed.json#3f6dd467-aab7-45fd-84a9-a517a869b44d: departed 300000000001: the account left the organization
        exit 0
        batches/some-malformed.json#512aa24b-3d2d-41d0-8bc2-a4bd2e5c7e22: reconcile 300000000001 in all Regions: the account moved in the organization
        batches/some-malformed.json#c9721021-59fa-4794-8a68-a1d527e7f11b: reject: the message is not JSON
        batches/some-malformed.json#0dcf9741-3bbb-4c70-8f97-aad86f08717f: reject: the message is not a JSON object
        batches/some-malformed.json#ba1257c8-7873-4ddf-8c14-ab4e78304b2e: reject: the message has no source, so it is no event
        batches/some-malformed.json#f1522270-0b66-45a9-82dd-a55dd197484a: reject: the message is not JSON
        batches/some-malformed.json#85a18e44-8adf-480f-8074-a082d8da4522: reject: the record is not an SQS message with a body
        batches/some-malformed.json#e2aa3ae2-d858-40c5-84a5-a8d763e5bb65: reject: the record is not an SQS message with a body
        batches/some-malformed.json#de5c27a7-5647-44c5-8dcc-ad9579b296a0: reconcile all accounts in all Regions: the schedule starts a sweep
        batches/some-malformed.json: reject: the record is not an SQS message with a body
        exit 1
        -: reconcile 300000000001 in all Regions: the account moved in the organization
        exit 0
        {"file":"-","outcome":"reject","accounts":[],"regions":[],"reason":"the message is not JSON"}
        exit 1
        stderr: error: nowhere.json could not be read: No such file or directory (os error 2)
        exit 3
        exit 0
    "#]],
    );
}

#[tokio::test]
async fn trigger_narrows_by_the_baseline_it_is_given_and_says_what_it_does_not_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(
        repository("events/guardrail-version-created-in-member.json"),
        folder.path().join("event.json"),
    )
    .unwrap();
    std::fs::write(folder.path().join("baseline.yaml"), Document::default().text()).unwrap();
    std::fs::write(folder.path().join("broken.yaml"), "version: 1\n").unwrap();
    let ctl = |baseline: &str| Guardrailctl::alone(folder.path()).variable("KEEPER_BASELINE", baseline);
    let mut ends = String::new();
    for (baseline, arguments) in [
        ("", &["trigger", "event.json"] as &[&str]),
        ("baseline.yaml", &["trigger", "event.json"]),
        ("broken.yaml", &["trigger", "event.json"]),
        ("ssm:/guardrail-keeper/baseline", &["trigger", "event.json"]),
        ("ssm:/guardrail-keeper/baseline", &["trigger", "--baseline", "baseline.yaml", "event.json"]),
        ("baseline.yaml", &["trigger", "--baseline", "broken.yaml", "event.json"]),
    ] {
        let ran = ctl(baseline).run(arguments).await;
        ends.push_str(&format!("KEEPER_BASELINE={baseline} guardrailctl {}\n{ran}\n", arguments.join(" ")));
    }
    check(
        &ends,
        expect![[r#"
            KEEPER_BASELINE= guardrailctl trigger event.json
            event.json: reconcile all accounts in us-east-1 for guardrail local5678efgh: a guardrail version was created, which may be one that was missing
            exit 0

            KEEPER_BASELINE=baseline.yaml guardrailctl trigger event.json
            event.json: ignore: the account doesn't own the baseline's guardrails
            exit 0

            KEEPER_BASELINE=broken.yaml guardrailctl trigger event.json
            event.json: reconcile all accounts in us-east-1 for guardrail local5678efgh: a guardrail version was created, which may be one that was missing
            stderr: warning: the baseline does not narrow the scopes: broken.yaml:1:1: assignments: missing; write who gets which guardrail, as in [{targets: [r-exam], guardrail: corporate}]
            stderr: broken.yaml:1:1: guardrails: missing; write each guardrail under a name of your choice, or {} for none
            stderr: broken.yaml:1:1: organization: missing; write the id that `aws organizations describe-organization` shows, for example o-exampleorgid
            stderr: broken.yaml:1:1: owner: missing; write the 12 digits of the account that owns the guardrails, for example "222222222222"
            stderr: 4 problems in broken.yaml
            exit 0

            KEEPER_BASELINE=ssm:/guardrail-keeper/baseline guardrailctl trigger event.json
            event.json: reconcile all accounts in us-east-1 for guardrail local5678efgh: a guardrail version was created, which may be one that was missing
            stderr: this command does not read /guardrail-keeper/baseline; give --baseline FILE to narrow the scopes by its text
            exit 0

            KEEPER_BASELINE=ssm:/guardrail-keeper/baseline guardrailctl trigger --baseline baseline.yaml event.json
            event.json: ignore: the account doesn't own the baseline's guardrails
            exit 0

            KEEPER_BASELINE=baseline.yaml guardrailctl trigger --baseline broken.yaml event.json
            stderr: error: broken.yaml:1:1: assignments: missing; write who gets which guardrail, as in [{targets: [r-exam], guardrail: corporate}]
            stderr: broken.yaml:1:1: guardrails: missing; write each guardrail under a name of your choice, or {} for none
            stderr: broken.yaml:1:1: organization: missing; write the id that `aws organizations describe-organization` shows, for example o-exampleorgid
            stderr: broken.yaml:1:1: owner: missing; write the 12 digits of the account that owns the guardrails, for example "222222222222"
            stderr: 4 problems in broken.yaml
            exit 3

        "#]],
    );
}
