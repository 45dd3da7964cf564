//! `guardrailctl` as it is built: what it prints, what it writes, and the code it ends with.

mod applying;

use expect_test::{expect, expect_file};
use serde_json::{Value, json};
use simulator::{Fault, FaultKind};

use testkit::program::{Guardrailctl, Ran};
use testkit::world::{
    DELETE, Document, EU, PARAMETER, PAYMENTS, PUT, SHIPPING, World, check, repository, version,
};

/// A world with a baseline in its folder, and none in a parameter that anybody is told of.
async fn world(baseline: &Document) -> World {
    let world = World::of(baseline).long_established().start().await;
    write(&world, baseline);
    world
}

fn write(world: &World, baseline: &Document) {
    std::fs::write(world.folder().join("baseline.yaml"), baseline.text()).unwrap();
}

fn two_accounts(version: u32) -> Document {
    Document {
        version,
        regions: EU,
        assignments: vec![(PAYMENTS, "corporate"), (SHIPPING, "corporate")],
        ..Document::default()
    }
}

fn of(world: &World) -> Guardrailctl {
    Guardrailctl::of(world).variable("KEEPER_BASELINE", "baseline.yaml")
}

fn object(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran}"))
}

/// The text with the number before each `unit` blotted out.
fn without_number(text: &str, unit: &str) -> String {
    let mut parts = text.split(unit).peekable();
    let mut kept = String::new();
    while let Some(part) = parts.next() {
        if parts.peek().is_some() {
            let number = |c: char| c.is_ascii_digit() || c == '.';
            kept.push_str(part.trim_end_matches(number));
            kept.push('N');
            kept.push_str(unit);
        } else {
            kept.push_str(part);
        }
    }
    kept
}

#[tokio::test]
async fn the_demo_shows_the_main_job_from_start_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let ran = Guardrailctl::alone(folder.path()).run(&["demo"]).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran}");
    let text = without_number(&without_number(&ran.out, " ms)"), " s, start to end");
    let joined = text.split("Account ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let text = text.replace(&joined, "THE-NEWCOMER");
    let port = text.split("127.0.0.1:").nth(1).unwrap().split(',').next().unwrap().to_owned();
    let text = text.replace(&format!("127.0.0.1:{port}"), "127.0.0.1:PORT");
    assert!(text.lines().all(|line| line.trim_end() == line), "no line ends in blanks: {text:?}");
    expect_file!["golden/demo.txt"].assert_eq(&text);
}

#[tokio::test]
async fn a_plan_says_what_would_be_done_and_writes_nothing() {
    let world = world(&two_accounts(2)).await;
    world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));

    let ran = of(&world).run(&["plan"]).await;
    check(
        &ran,
        expect![[r#"
            ! 300000000001/eu-west-1 (Workload/payments) held [not_ours], would replace corporate:1 => corporate:2 (weaker, not ours: arn:aws:iam::300000000001:user/administrator): another configuration is enforced there, made by arn:aws:iam::300000000001:user/administrator: to replace it, write `existing: replace`
            + 300000000002/eu-west-1 (Workload/shipping) enforce corporate:2
            1 to change, 1 held, 0 in sync, 5 left alone, 1 account skipped
            plan c54be4f935d8c668 of baseline 4ef2b91f1df53797, mode sync
            exit 1
        "#]],
    );
    // One foreign configuration is held; without it there is only something to do.
    let ran = of(&world).run(&["plan", "--account", SHIPPING, "--region", EU]).await;
    check(
        &ran,
        expect![[r#"
            + 300000000002/eu-west-1 (Workload/shipping) enforce corporate:2
            1 to change, 0 held, 0 in sync
            plan c54be4f935d8c668 of baseline 4ef2b91f1df53797, mode sync
            exit 0
        "#]],
    );
    let ran = of(&world).run(&["plan", "--account", SHIPPING, "--detailed-exit-code"]).await;
    assert_eq!(ran.code, 4, "{ran}");
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn a_plan_for_programs_says_the_same() {
    let world = world(&two_accounts(2)).await;
    world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
    let ran =
        of(&world).run(&["plan", "--output", "json", "--account", PAYMENTS, "--account", SHIPPING]).await;
    check(
        &ran,
        expect![[r#"
            {
              "by_record": null,
              "meanwhile": null,
              "mode": "sync",
              "names": {
                "accounts": {
                  "300000000001": {
                    "name": "payments",
                    "path": "o-exampleorgid/r-exam/ou-exam-workload/"
                  },
                  "300000000002": {
                    "name": "shipping",
                    "path": "o-exampleorgid/r-exam/ou-exam-workload/"
                  }
                },
                "ous": {
                  "ou-exam-workload": "Workload"
                }
              },
              "organization_level": null,
              "placement": {
                "auto": {
                  "answer": "undecided",
                  "decided": null,
                  "history": [],
                  "owner_refused": null,
                  "refusals": {},
                  "works_in": null
                },
                "guardrails": [],
                "text": "undecided: the first enforcement in a member shows whether AWS takes the owner's guardrail there"
              },
              "plan": {
                "counts": {
                  "broken": 0,
                  "following": 0,
                  "handed_back": 0,
                  "held": 1,
                  "in_sync": 0,
                  "left_alone": 0,
                  "skipped": 0,
                  "to_change": 1,
                  "would_change": 0
                },
                "decisions": [
                  {
                    "account": "300000000001",
                    "after": null,
                    "code": "not_ours",
                    "decision": "hold",
                    "from": {
                      "guarding": {
                        "messages": "comprehensive",
                        "system": "comprehensive"
                      },
                      "guardrail": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c",
                      "models": {
                        "exclude": [],
                        "include": "all"
                      },
                      "version": "1"
                    },
                    "reason": "another configuration is enforced there, made by arn:aws:iam::300000000001:user/administrator: to replace it, write `existing: replace`",
                    "region": "eu-west-1",
                    "then": null,
                    "to": {
                      "guarding": {
                        "messages": "comprehensive",
                        "system": "comprehensive"
                      },
                      "guardrail": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c",
                      "models": {
                        "exclude": [],
                        "include": "all"
                      },
                      "version": "2"
                    },
                    "wanted": "corporate:2",
                    "would": "replace"
                  },
                  {
                    "account": "300000000002",
                    "after": null,
                    "code": null,
                    "decision": "enforce",
                    "from": null,
                    "reason": null,
                    "region": "eu-west-1",
                    "then": null,
                    "to": {
                      "guarding": {
                        "messages": "comprehensive",
                        "system": "comprehensive"
                      },
                      "guardrail": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c",
                      "models": {
                        "exclude": [],
                        "include": "all"
                      },
                      "version": "2"
                    },
                    "wanted": "corporate:2",
                    "would": null
                  }
                ],
                "for_approval": {},
                "handed_back": [],
                "hash": "c54be4f935d8c668",
                "policies": [
                  {
                    "code": null,
                    "decision": "granted",
                    "instead": null,
                    "openings": [],
                    "reason": null,
                    "resource": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c"
                  }
                ],
                "skipped": {},
                "unknown_states": {},
                "unplaced": {}
              },
              "revision": "4ef2b91f1df53797",
              "strangers": [],
              "unmet": [],
              "warnings": []
            }
            exit 1
        "#]],
    );
    let ran = of(&world).run(&["plan", "--output", "json", "--account", "999999999999"]).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert_eq!(object(&ran)["strangers"], json!(["999999999999"]));
}

#[tokio::test]
async fn a_plan_of_nothing_ends_with_nought_either_way() {
    let world = World::guarded(World::of(&two_accounts(2))).await;
    write(&world, &two_accounts(2));
    for arguments in [["plan", "--output=text"], ["plan", "--detailed-exit-code"]] {
        let ran = of(&world).run(&arguments).await;
        assert_eq!(ran.code, 0, "{ran}");
    }
    let ran = of(&world).run(&["apply", "--yes"]).await;
    check(
        &ran,
        expect![[r#"
        0 to change, 0 held, 2 in sync, 5 left alone, 1 account skipped
        plan e3b0c44298fc1c14 of baseline 4ef2b91f1df53797, mode sync
        exit 0
    "#]],
    );
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn a_ledger_in_a_file_lets_one_run_know_what_another_did() {
    let world = world(&two_accounts(2)).await;
    let ctl = || of(&world).variable("KEEPER_LEDGER", "file:ledger.json");
    assert_eq!(ctl().run(&["apply", "--yes"]).await.code, 0);
    // A Region is dropped; only the ledger knows where ours is.
    write(
        &world,
        &Document { regions: "us-east-1", rest: vec!["limits: { max_releases: 1 }"], ..two_accounts(2) },
    );

    let ran = ctl().run(&["apply", "--yes"]).await;
    check(
        &ran,
        expect![[r#"
            ! 300000000001/eu-west-1 (Workload/payments) held [not_approved], would release eubase1a2b3c:2: baseline 2a5071839f8018f7 replaces or releases more than its limits allow: read the plan, then approve it
            ! 300000000001/us-east-1 (Workload/payments) held [not_approved], would enforce corporate:2: baseline 2a5071839f8018f7 replaces or releases more than its limits allow: read the plan, then approve it
            ! 300000000002/eu-west-1 (Workload/shipping) held [not_approved], would release eubase1a2b3c:2: baseline 2a5071839f8018f7 replaces or releases more than its limits allow: read the plan, then approve it
            ! 300000000002/us-east-1 (Workload/shipping) held [not_approved], would enforce corporate:2: baseline 2a5071839f8018f7 replaces or releases more than its limits allow: read the plan, then approve it
            0 to change, 4 held, 0 in sync, 5 left alone, 1 account skipped
            held for approval: 2 enforce, 2 release
            to include these: guardrailctl apply --approve 2a5071839f8018f7
            plan e3b0c44298fc1c14 of baseline 2a5071839f8018f7, mode sync
            stderr: warning: accounts follow baseline 4ef2b91f1df53797 until 2a5071839f8018f7 is approved: guardrailctl approve 2a5071839f8018f7
            exit 1
        "#]],
    );
    assert_eq!(ran.code, 1);

    let wrong = ctl().run(&["apply", "--yes", "--approve", "0123456789abcdef"]).await;
    assert_eq!(wrong.code, 3, "{wrong}");
    assert!(wrong.err.contains("not 0123456789abcdef: read its plan first"), "{wrong}");
    world.server.clear_calls();

    let revision =
        object(&ctl().run(&["plan", "--output", "json"]).await)["revision"].as_str().unwrap().to_owned();
    let ran = ctl().run(&["apply", "--yes", "--approve", &revision]).await;
    check(
        &ran.without_hash(),
        expect![[r#"
            - 300000000001/eu-west-1 (Workload/payments) release eubase1a2b3c:2
            + 300000000001/us-east-1 (Workload/payments) enforce corporate:2
            - 300000000002/eu-west-1 (Workload/shipping) release eubase1a2b3c:2
            + 300000000002/us-east-1 (Workload/shipping) enforce corporate:2
            4 to change, 0 held, 0 in sync, 5 left alone, 1 account skipped
            plan HASH of baseline 2a5071839f8018f7, mode sync

            Applied:
            - 300000000001/eu-west-1 (Workload/payments) release eubase1a2b3c:2
            + 300000000001/us-east-1 (Workload/payments) enforce corporate:2
            - 300000000002/eu-west-1 (Workload/shipping) release eubase1a2b3c:2
            + 300000000002/us-east-1 (Workload/shipping) enforce corporate:2
            4 changed, 0 held, 0 in sync, 5 left alone, 1 account skipped
            exit 0
        "#]],
    );
    let released: Vec<String> =
        world.writes().into_iter().filter(|write| write.starts_with(DELETE)).collect();
    assert_eq!(released, [PAYMENTS, SHIPPING].map(|account| format!("{DELETE} {account}/{EU}")));
}

#[tokio::test]
async fn what_stops_a_run_before_it_begins_ends_with_three() {
    let world = world(&two_accounts(2)).await;
    let mut ends = String::new();
    for (baseline, arguments) in [
        ("nowhere.yaml", &["plan"] as &[&str]),
        ("ssm:/nowhere", &["plan"]),
        ("nowhere.yaml", &["check"]),
        ("ssm:/nowhere", &["check"]),
        ("nowhere.yaml", &["apply", "--yes"]),
    ] {
        let ran = Guardrailctl::of(&world).variable("KEEPER_BASELINE", baseline).run(arguments).await;
        ends.push_str(&format!("{baseline}, {}\n{ran}", arguments[0]));
    }
    write(&world, &Document { organization: "o-anotherorgid", ..two_accounts(2) });
    ends.push_str(&of(&world).run(&["plan"]).await.to_string());
    world.server.fault(Fault::new(FaultKind::Denied { message: "No.".to_owned() }).service("organizations"));
    write(&world, &two_accounts(2));
    ends.push_str(&of(&world).run(&["apply", "--yes"]).await.to_string());
    check(
        &ends.replace(world.server.url(), "http://SIMULATOR"),
        expect![[r#"
        nowhere.yaml, plan
        stderr: error: the baseline nowhere.yaml could not be read: No such file or directory (os error 2)
        exit 3
        ssm:/nowhere, plan
        stderr: error: the baseline ssm:/nowhere could not be read: GetParameter: ParameterNotFound: no message
        stderr:   as account 111111111111, in us-east-1, at http://SIMULATOR (AWS_ENDPOINT_URL)
        stderr:   → there is no such parameter in account 111111111111, us-east-1: are these the hub's account and Region? `guardrailctl push FILE` puts a baseline there
        exit 3
        nowhere.yaml, check
        stderr: error: the baseline nowhere.yaml could not be read: No such file or directory (os error 2)
        exit 3
        ssm:/nowhere, check
        stderr: error: the baseline ssm:/nowhere could not be read: GetParameter: ParameterNotFound: no message
        stderr:   as account 111111111111, in us-east-1, at http://SIMULATOR (AWS_ENDPOINT_URL)
        stderr:   → there is no such parameter in account 111111111111, us-east-1: are these the hub's account and Region? `guardrailctl push FILE` puts a baseline there
        exit 3
        nowhere.yaml, apply
        stderr: error: the baseline nowhere.yaml could not be read: No such file or directory (os error 2)
        exit 3
        stderr: error: the baseline is for organization o-anotherorgid, but this is o-exampleorgid: nothing is written
        stderr:   as account 111111111111, in us-east-1, at http://SIMULATOR (AWS_ENDPOINT_URL)
        stderr:   → use credentials of o-anotherorgid, or put this organization into the baseline
        exit 3
        stderr: error: the organization could not be read: DescribeOrganization: AccessDeniedException: No.
        stderr:   as account 111111111111, in us-east-1, at http://SIMULATOR (AWS_ENDPOINT_URL)
        stderr:   → these credentials lack the permission for DescribeOrganization: docs/deploy.md, Which credentials a command needs
        exit 3
    "#]],
    );
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn wrong_arguments_and_settings_end_with_two() {
    let world = world(&two_accounts(2)).await;
    let mut ends = String::new();
    let bare = Guardrailctl::of(&world);
    ends.push_str(&bare.run(&["plan"]).await.to_string());
    let wrong = of(&world)
        .variable("KEEPER_MEMBER_ROLE", "not a name")
        .variable("KEEPER_LEDGER", "disk")
        .variable("KEEPER_BASLINE", "x");
    ends.push_str(&wrong.run(&["plan"]).await.to_string());
    check(
        &ends,
        expect![[r#"
            stderr: error: the settings can't be used:
            stderr:   KEEPER_BASELINE: is not set; give the baseline: a file's path, or ssm:NAME for a parameter
            exit 2
            stderr: error: the settings can't be used:
            stderr:   KEEPER_MEMBER_ROLE: "not a name" is not a role name: expected 1 to 64 letters, digits and +=,.@_-
            stderr:   KEEPER_LEDGER: "disk" is not a ledger: expected memory, file:PATH or table:NAME
            stderr:   KEEPER_BASLINE: no such setting; the settings are KEEPER_BASELINE, KEEPER_APPROVAL, KEEPER_SELF_APPROVAL, KEEPER_CONTROLS, KEEPER_MEMBER_ROLE, KEEPER_FUNCTION_ROLE, KEEPER_FORMER_ROLES, KEEPER_EXTERNAL_ID, KEEPER_ORGANIZATION_ROLE, KEEPER_REPAIR_POLICY_TYPE, KEEPER_LEDGER, KEEPER_TASKS_QUEUE, KEEPER_EVENTS_QUEUE, KEEPER_DEPLOYMENT, KEEPER_BUS, KEEPER_REPORT_HOURS, KEEPER_STACK, KEEPER_MAX_WAIT_HOURS, KEEPER_GRACE_MINUTES, KEEPER_MAX_EVENT_AGE_HOURS, KEEPER_CONCURRENCY, KEEPER_MAX_REPLACEMENTS, KEEPER_MAX_RELEASES, KEEPER_MAX_ABANDONMENTS, KEEPER_MAX_DEPARTURES
            exit 2
        "#]],
    );
    for arguments in [
        &["plan", "--account", "12"] as &[&str],
        &["plan", "--region", "Europe"],
        &["plan", "--colour"],
        &["apply", "--approve", "this"],
        &["trigger"],
        &["status"],
        &[],
    ] {
        let ran = of(&world).run(arguments).await;
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}: {ran}");
        assert!(!ran.err.is_empty(), "{arguments:?}");
    }
    assert_eq!(world.server.calls(), []);
}

#[tokio::test]
async fn a_setting_that_looks_misspelt_is_warned_of() {
    let world = world(&two_accounts(2)).await;
    let ran = of(&world).variable("KEEPER_GRACE", "5").run(&["plan", "--account", PAYMENTS]).await;
    assert_eq!(ran.code, 0, "{ran}");
    assert!(ran.err.starts_with("warning: KEEPER_GRACE: no such setting; "), "{ran}");
}

#[tokio::test]
async fn check_tells_every_problem_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let ctl = Guardrailctl::alone(folder.path());
    let baselines = repository("tests/baselines");
    std::fs::copy(baselines.join("many-problems.yaml"), folder.path().join("many-problems.yaml")).unwrap();
    std::fs::copy(baselines.join("full.yaml"), folder.path().join("full.yaml")).unwrap();

    let ran = ctl.run(&["check", "--baseline", "many-problems.yaml"]).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert_eq!(ran.err, "error: many-problems.yaml can't be used\n");
    let problems = std::fs::read_to_string(baselines.join("many-problems.txt")).unwrap();
    assert_eq!(ran.out.trim_end(), problems.trim_end());

    let ran = ctl.run(&["check", "--baseline", "many-problems.yaml", "--output", "json"]).await;
    let answer = object(&ran);
    assert_eq!((ran.code, &answer["valid"]), (1, &json!(false)));
    assert_eq!(answer["problems"].as_array().unwrap().len(), problems.lines().count() - 1, "{ran}");
    check(
        &format!("{:#}", answer["problems"][0]),
        expect![[r#"
            {
              "column": 10,
              "instead": "write version: 2",
              "line": 2,
              "message": "\"3\" is not a format known here",
              "path": "version",
              "severity": "error"
            }"#]],
    );

    check(
        &ctl.run(&["check", "--baseline", "full.yaml"]).await,
        expect![[r#"
            ok: full.yaml is valid, revision 57c316e6f54a99ad
            exit 0
        "#]],
    );
    check(
        &ctl.run(&["check", "--baseline", "full.yaml", "--output", "json"]).await,
        expect![[r#"
            {
              "baseline": "full.yaml",
              "problems": [],
              "revision": "57c316e6f54a99ad",
              "valid": true
            }
            exit 0
        "#]],
    );
}

#[tokio::test]
async fn check_looks_into_the_organization_on_request() {
    let baseline = Document {
        assignments: vec![
            ("ou-exam-nowhere1", "corporate"),
            ("ou-else-workload", "none"),
            ("999999999999", "none"),
        ],
        ..Document::default()
    };
    let world = world(&baseline).await;
    assert_eq!(of(&world).run(&["check"]).await.code, 0);
    assert_eq!(world.server.calls(), []);
    check(
        &of(&world).run(&["check", "--organization"]).await,
        expect![[r#"
        baseline.yaml:11:17: warning: assignments[0].targets[0]: no account stands in ou-exam-nowhere1: it is empty, or doesn't exist; check the id where you expect accounts in it
        baseline.yaml:12:17: assignments[1].targets[0]: ou-else-workload is not under the organization's root, r-exam; write an OU of this organization, or its root
        baseline.yaml:13:17: warning: assignments[2].targets[0]: 999999999999 is no account of o-exampleorgid; remove it, unless it is about to join
        stderr: error: baseline.yaml can't be used
        exit 1
    "#]],
    );

    // The same baseline where the function has it.
    let parameter = Guardrailctl::of(&world).variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"));
    check(
        &parameter.run(&["check"]).await,
        expect![[r#"
        ok: ssm:/guardrail-keeper/baseline is valid, revision e8638bae77599fdb
        exit 0
    "#]],
    );
}
