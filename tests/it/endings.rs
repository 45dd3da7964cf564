//! How `guardrailctl` ends: the code and the last words say what was written, whatever becomes of its standard
//! output, of AWS in the middle, or of the patience of whoever watches.

use std::time::Duration;

use expect_test::expect;
use serde_json::Value;
use simulator::{Fault, FaultKind};

use testkit::program::{Guardrailctl, Ran, full_disk, unread_pipe};
use testkit::world::{
    Document, EU, LIST, PARAMETER, PAYMENTS, PUT, SHIPPING, World, check, guardrail, version,
};

const GETS_ACCOUNTS: &str = "ListAccounts";

fn two_accounts() -> Document {
    Document {
        regions: EU,
        assignments: vec![(PAYMENTS, "corporate"), (SHIPPING, "corporate")],
        ..Document::default()
    }
}

/// A world whose baseline lies in its folder too, and a ledger that lasts.
async fn world(document: &Document) -> World {
    let world = World::of(document).durable().long_established().start().await;
    write(&world, document);
    world
}

fn write(world: &World, document: &Document) {
    std::fs::write(world.folder().join("baseline.yaml"), document.text()).unwrap();
}

fn ctl(world: &World) -> Guardrailctl {
    Guardrailctl::of(world)
        .variable("KEEPER_BASELINE", "baseline.yaml")
        .variable("KEEPER_LEDGER", "file:ledger.json")
        .variable("KEEPER_CONCURRENCY", "1")
}

/// The commands that write, each with something to do.
async fn about_to_write() -> (World, [(Guardrailctl, Vec<String>); 4]) {
    let world = World::guarded(World::of(&two_accounts()).durable().long_established()).await;
    write(&world, &Document { version: 1, ..two_accounts() });
    let revision = world.baseline().await.revision.to_string();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let parameter = format!("ssm:{PARAMETER}");
    let commands = [
        (ctl(&world).variable("KEEPER_BASELINE", &parameter), words(&["approve", &revision, "--yes"])),
        (ctl(&world), words(&["apply", "--yes"])),
        (ctl(&world).variable("KEEPER_BASELINE", &parameter), words(&["push", "baseline.yaml", "--yes"])),
        (ctl(&world), words(&["offboard", PAYMENTS, "--yes"])),
    ];
    (world, commands)
}

fn as_strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn nothing_is_written_that_could_not_be_shown() {
    let (world, commands) = about_to_write().await;
    let ledger = std::fs::read(world.ledger_file()).unwrap();
    for (ctl, words) in commands {
        for (out, why) in [(unread_pipe(), "Broken pipe"), (full_disk(), "No space left on device")] {
            world.server.clear_calls();
            let ran = ctl.run_into(out, &as_strs(&words)).await;
            assert_eq!((ran.code, world.writes()), (5, Vec::new()), "{words:?}: {ran}");
            let told = ran.err.lines().any(|line| {
                line.starts_with("error: standard output can't be written")
                    && line.contains(why)
                    && line.ends_with(": nothing was changed")
            });
            assert!(told, "{words:?}: {ran}");
            assert!(std::fs::read(world.ledger_file()).unwrap() == ledger, "{words:?} changed the ledger");
        }
    }
}

#[tokio::test]
async fn what_was_written_is_told_elsewhere_where_standard_output_takes_nothing() {
    let (world, commands) = about_to_write().await;
    for (ctl, mut words) in commands {
        // For programs nothing is printed before the end.
        words.extend(["--output".to_owned(), "json".to_owned()]);
        let ran = ctl.run_into(full_disk(), &as_strs(&words)).await;
        assert_eq!(ran.code, 5, "{words:?}: {ran}");
        let json: String = ran.err.lines().skip_while(|line| *line != "{").collect::<Vec<_>>().join("\n");
        let told = serde_json::Deserializer::from_str(&json).into_iter::<Value>().next();
        let told = told.unwrap_or_else(|| panic!("{words:?}: {ran}")).unwrap();
        assert!(told.is_object(), "{told}");
        assert!(
            ran.err.contains("error: standard output can't be written: No space left on device"),
            "{ran}"
        );
    }
    assert_eq!(world.enforced_in(PAYMENTS).matches("eubase1a2b3c").count(), 0, "it was offboarded");
    assert_eq!(world.enforced_in(SHIPPING).matches("eubase1a2b3c:1").count(), 1, "it was applied to");
}

#[tokio::test]
async fn a_reader_that_goes_away_in_the_middle_stops_no_write() {
    let world = world(&two_accounts()).await;
    world.server.latency(&format!("bedrock:{LIST}"), Duration::from_millis(200));
    let mut running = ctl(&world).start(&["apply", "--yes"]);
    let first = running.read_lines_and_close(4).await;
    let ran = running.end().await;
    // What was printed before it noticed differs; what was written doesn't.
    assert!(
        first.starts_with("+ 300000000001/eu-west-1 (Workload/payments) enforce corporate:2\n"),
        "{first}"
    );
    assert_eq!(ran.code, 5, "{ran}");
    assert_eq!(world.writes(), [format!("{PUT} {PAYMENTS}/{EU}"), format!("{PUT} {SHIPPING}/{EU}")]);
    check(
        &ran.err,
        expect![[r#"

            Applied:
            + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2
            + 300000000002/eu-west-1 (Workload/shipping) enforce corporate:2
            2 changed, 0 held, 0 in sync, 5 left alone, 1 account skipped
            error: standard output can't be written: Broken pipe (os error 32)
        "#]],
    );
}

#[tokio::test]
async fn a_failure_stays_one_whatever_becomes_of_standard_output() {
    let world = World::guarded(World::of(&two_accounts()).durable()).await;
    write(&world, &two_accounts());
    std::fs::write(world.folder().join("bad.yaml"), "version: 1\n").unwrap();
    for (arguments, usual) in [
        (vec!["check", "--baseline", "bad.yaml"], 1),
        (vec!["check"], 0),
        (vec!["plan"], 0),
        (vec!["status"], 0),
        (vec!["plan", "--account", "999999999999"], 1),
        (vec!["explain", PAYMENTS, EU], 0),
    ] {
        let ran = ctl(&world).run(&arguments).await;
        assert_eq!(ran.code, usual, "{arguments:?}: {ran}");
        // Whoever only reads ends as it would; its reader has had enough, and nobody is told of that.
        let ran = ctl(&world).run_into(unread_pipe(), &arguments).await;
        assert_eq!(ran.code, usual, "{arguments:?}: {ran}");
        assert!(!ran.err.contains("standard output"), "{ran}");
        // A disk that is full is another matter.
        let ran = ctl(&world).run_into(full_disk(), &arguments).await;
        assert_eq!(ran.code, if usual == 0 { 5 } else { usual }, "{arguments:?}: {ran}");
        assert!(
            ran.err.contains("error: standard output can't be written: No space left on device"),
            "{ran}"
        );
    }
}

/// Without its grant the guardrail is granted first; then everybody is looked at once more.
async fn in_two_rounds() -> World {
    let world = world(&two_accounts()).await;
    world.server.with(|model| model.set_resource_policy(&guardrail(EU), None)).unwrap();
    world.server.clear_calls();
    world
}

#[tokio::test]
async fn what_was_written_before_aws_failed_is_told() {
    for (output, words) in [
        (
            "text",
            expect![[r#"
                + arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c attach a resource policy that grants it to o-exampleorgid
                + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2, after the grant
                + 300000000002/eu-west-1 (Workload/shipping) enforce corporate:2, after the grant
                3 to change (2 of them after a grant or a copy), 0 held, 0 in sync, 5 left alone, 1 account skipped
                plan HASH of baseline 4ef2b91f1df53797, mode sync

                Applied:
                + arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c attach a resource policy that grants it to o-exampleorgid
                1 changed, 0 held, 0 in sync, 1 account skipped
                stderr: warning: the organization could not be read: ListAccounts: AccessDeniedException: not any more (denied)
                exit 1
            "#]],
        ),
        (
            "json",
            expect![[r#"
                {
                  "planned": [
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
                          "following": 2,
                          "handed_back": 0,
                          "held": 0,
                          "in_sync": 0,
                          "left_alone": 5,
                          "skipped": 1,
                          "to_change": 3,
                          "would_change": 0
                        },
                        "decisions": [
                          {
                            "account": "111111111111",
                            "after": null,
                            "code": "unassigned",
                            "decision": "leave-alone",
                            "from": null,
                            "reason": "no assignment covers the account",
                            "region": "eu-west-1",
                            "then": null,
                            "to": null,
                            "wanted": null,
                            "would": null
                          },
                          {
                            "account": "222222222222",
                            "after": null,
                            "code": "unassigned",
                            "decision": "leave-alone",
                            "from": null,
                            "reason": "no assignment covers the account",
                            "region": "eu-west-1",
                            "then": null,
                            "to": null,
                            "wanted": null,
                            "would": null
                          },
                          {
                            "account": "300000000001",
                            "after": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c",
                            "code": "not_granted",
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
                          },
                          {
                            "account": "300000000002",
                            "after": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c",
                            "code": "not_granted",
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
                          },
                          {
                            "account": "300000000003",
                            "after": null,
                            "code": "unassigned",
                            "decision": "leave-alone",
                            "from": null,
                            "reason": "no assignment covers the account",
                            "region": "eu-west-1",
                            "then": null,
                            "to": null,
                            "wanted": null,
                            "would": null
                          },
                          {
                            "account": "300000000004",
                            "after": null,
                            "code": "unassigned",
                            "decision": "leave-alone",
                            "from": null,
                            "reason": "no assignment covers the account",
                            "region": "eu-west-1",
                            "then": null,
                            "to": null,
                            "wanted": null,
                            "would": null
                          },
                          {
                            "account": "300000000005",
                            "after": null,
                            "code": "unassigned",
                            "decision": "leave-alone",
                            "from": null,
                            "reason": "no assignment covers the account",
                            "region": "eu-west-1",
                            "then": null,
                            "to": null,
                            "wanted": null,
                            "would": null
                          }
                        ],
                        "for_approval": {},
                        "handed_back": [],
                        "hash": "d126b4d4c7196a91",
                        "policies": [
                          {
                            "code": null,
                            "decision": "put-resource-policy",
                            "instead": null,
                            "openings": [],
                            "reason": null,
                            "resource": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c"
                          }
                        ],
                        "skipped": {
                          "300000000006": "suspended"
                        },
                        "unknown_states": {},
                        "unplaced": {}
                      },
                      "revision": "4ef2b91f1df53797",
                      "strangers": [],
                      "unmet": [],
                      "warnings": []
                    }
                  ],
                  "report": {
                    "converged": false,
                    "counts": {},
                    "handed_back": [],
                    "organization_level": null,
                    "placement_decided": null,
                    "policies": [
                      {
                        "reason": null,
                        "resource": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c",
                        "state": "written"
                      }
                    ],
                    "revision": "4ef2b91f1df53797",
                    "skipped": {
                      "300000000006": "suspended"
                    },
                    "strangers": [],
                    "targets": [],
                    "unknown_states": {},
                    "unplaced": {},
                    "warnings": []
                  },
                  "unfinished": [
                    "the organization could not be read: ListAccounts: AccessDeniedException: not any more (denied)"
                  ]
                }
                stderr: warning: the organization could not be read: ListAccounts: AccessDeniedException: not any more (denied)
                exit 1
            "#]],
        ),
    ] {
        let world = in_two_rounds().await;
        let denied = FaultKind::Denied { message: "not any more".to_owned() };
        world.server.fault(Fault::new(denied).operation(GETS_ACCOUNTS).nth(3));
        let ran = ctl(&world).run(&["apply", "--yes", "--output", output]).await;
        assert_eq!(world.writes().len(), 1, "{ran}");
        assert_eq!(ran.code, 1, "{ran}");
        check(&ran.without_hash(), words);
    }
    // Before anything was written it is as ever.
    let world = in_two_rounds().await;
    let denied = FaultKind::Denied { message: "not now".to_owned() };
    world.server.fault(Fault::new(denied).operation(GETS_ACCOUNTS).nth(1));
    let ran = ctl(&world).run(&["apply", "--yes"]).await;
    assert_eq!((ran.code, world.writes()), (3, Vec::new()), "{ran}");
}

#[tokio::test]
async fn an_account_that_is_marked_and_not_released_is_told_as_such() {
    let world = World::guarded(World::of(&two_accounts()).durable().long_established()).await;
    write(&world, &two_accounts());
    // It is looked up twice: before the question, and when it is to be released.
    let denied = FaultKind::Denied { message: "not any more".to_owned() };
    world.server.fault(Fault::new(denied).operation("DescribeAccount").nth(2));
    let ran = ctl(&world).run(&["offboard", PAYMENTS, "--yes"]).await;
    assert_eq!((ran.code, world.writes()), (1, Vec::new()), "{ran}");
    check(
        &ran.err,
        expect![[r#"
            warning: 300000000001 waits: 300000000001 is not looked at, because its path could not be read: DescribeAccount: AccessDeniedException: not any more (denied)
            warning: 300000000001 may lose its Bedrock calls in eu-west-1 once it has left: the lines above name what is still enforced in each Region
        "#]],
    );
}

#[tokio::test]
async fn a_baseline_whose_answer_was_lost_is_looked_for() {
    let parameter = format!("ssm:{PARAMETER}");
    for (carried_out, code) in [(true, 0), (false, 3)] {
        let world = World::guarded(World::of(&two_accounts()).durable().long_established()).await;
        write(&world, &Document { rest: vec!["limits: { max_replacements: 50 }"], ..two_accounts() });
        let lost = Fault::new(FaultKind::ServerError).operation("PutParameter");
        world.server.fault(if carried_out { Fault { carried_out: true, ..lost } } else { lost });
        let push = ctl(&world).variable("KEEPER_BASELINE", &parameter);
        let ran = push.run(&["push", "baseline.yaml", "--yes"]).await;
        assert_eq!(ran.code, code, "{ran}");
        assert_eq!(ran.out.contains("ok: /guardrail-keeper/baseline holds baseline"), carried_out, "{ran}");
    }
}

/// Begins to apply, and interrupts it while the first of two writes is under way.
async fn interrupted_once(world: &World) -> testkit::program::Running {
    // The first attempt is cut off, so that the second one is awaited when the signal comes.
    world.server.fault(Fault::new(FaultKind::Crash).operation(PUT).nth(1));
    world.server.latency(&format!("bedrock:{PUT}"), Duration::from_millis(500));
    let begun = world.server.crashed();
    let mut running = ctl(world).start(&["apply", "--yes"]);
    begun.await;
    running.signal("INT").await;
    running.has_said("press Ctrl-C again").await;
    running
}

#[tokio::test]
async fn an_interrupted_run_finishes_what_it_began_and_says_what_that_was() {
    let world = world(&two_accounts()).await;
    let ran = interrupted_once(&world).await.end().await;
    assert_eq!(ran.code, 130, "{ran}");
    assert_eq!(world.enforced_in(PAYMENTS).matches("eubase1a2b3c:2").count(), 1);
    assert_eq!(world.enforced_in(SHIPPING).matches("eubase1a2b3c:2").count(), 0);
    check(
        &ran.without_hash(),
        expect![[r#"
            + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2
            + 300000000002/eu-west-1 (Workload/shipping) enforce corporate:2
            2 to change, 0 held, 0 in sync, 5 left alone, 1 account skipped
            plan HASH of baseline 4ef2b91f1df53797, mode sync

            Applied:
            + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2
            ! 300000000002/eu-west-1 (Workload/shipping) held [interrupted], would enforce corporate:2: not begun: the program was asked to end first
            1 changed, 1 held, 0 in sync, 5 left alone, 1 account skipped
            stderr: stopping: calls under way are finished first; press Ctrl-C again to stop at once
            stderr: error: interrupted: 1 change was made; the rest was not done
            exit 130
        "#]],
    );
    // The next run does the rest.
    world.server.latency("*", Duration::ZERO);
    let ran = ctl(&world).run(&["apply", "--yes"]).await;
    assert_eq!(ran.code, 0, "{ran}");
}

#[tokio::test]
async fn a_second_interrupt_leaves_at_once_and_says_what_is_not_known() {
    let world = world(&two_accounts()).await;
    // The second attempt is never answered.
    let running = interrupted_once(&world).await;
    world.server.fault(Fault::new(FaultKind::Hang).operation(PUT));
    running.signal("INT").await;
    let ran = running.end().await;
    assert_eq!(ran.code, 130, "{ran}");
    check(
        &ran.without_hash(),
        expect![[r#"
            + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2
            + 300000000002/eu-west-1 (Workload/shipping) enforce corporate:2
            2 to change, 0 held, 0 in sync, 5 left alone, 1 account skipped
            plan HASH of baseline 4ef2b91f1df53797, mode sync
            stderr: stopping: calls under way are finished first; press Ctrl-C again to stop at once
            stderr: begun, and its result is not known: 300000000001/eu-west-1 enforce corporate:2
            stderr: error: interrupted: stopped while writes were under way: the next run reads their results
            exit 130
        "#]],
    );
}

#[tokio::test]
async fn a_run_that_is_told_to_end_says_so_too() {
    let world = world(&two_accounts()).await;
    // While it only looks, it ends at once.
    world.server.fault(Fault::new(FaultKind::Crash).operation(LIST).nth(1));
    world.server.fault(Fault::new(FaultKind::Hang).operation(LIST));
    let begun = world.server.crashed();
    let running = ctl(&world).start(&["apply", "--yes"]);
    begun.await;
    running.signal("TERM").await;
    let ran = running.end().await;
    assert_eq!((ran.code, world.writes()), (143, Vec::new()), "{ran}");
    check(
        &ran.err,
        expect![[r#"
        error: interrupted: nothing was changed
    "#]],
    );
}

#[tokio::test]
async fn whoever_says_no_is_told_what_was_done_before() {
    let world = world(&two_accounts()).await;
    let mut ran = ctl(&world).start_at_a_terminal(&["apply"], "n\n");
    ran.has_said("[y/N]").await;
    let ran = ran.end().await;
    assert_eq!((ran.code, world.writes()), (1, Vec::new()), "{ran}");
    check(
        &ran.without_hash(),
        expect![[r#"
            + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2
            + 300000000002/eu-west-1 (Workload/shipping) enforce corporate:2
            2 to change, 0 held, 0 in sync, 5 left alone, 1 account skipped
            plan HASH of baseline 4ef2b91f1df53797, mode sync
            stderr: Apply these 2 changes? [y/N] nothing was changed
            exit 1
        "#]],
    );

    // Somebody comes between, so that it isn't what was shown any more: that is said, and nothing is written.
    let assignments = vec![(PAYMENTS, "corporate"), (SHIPPING, "corporate, existing: replace")];
    let world = self::world(&Document { assignments, ..two_accounts() }).await;
    world.server.with(|model| model.set_resource_policy(&guardrail(EU), None)).unwrap();
    world.server.clear_calls();
    let mut running = ctl(&world).start_at_a_terminal(&["apply"], "");
    running.has_said("[y/N]").await;
    world.administrator_enforces(SHIPPING, EU, version(EU, "1"));
    running.types("y\n");
    let ran = running.end().await;
    assert_eq!((ran.code, world.writes()), (1, Vec::new()), "{ran}");
    check(
        &ran.without_hash(),
        expect![[r#"
            + arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c attach a resource policy that grants it to o-exampleorgid
            + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2, after the grant
            + 300000000002/eu-west-1 (Workload/shipping) enforce corporate:2, after the grant
            3 to change (2 of them after a grant or a copy), 0 held, 0 in sync, 5 left alone, 1 account skipped
            plan HASH of baseline d4e631a768779493, mode sync
            + arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c attach a resource policy that grants it to o-exampleorgid
            + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2, after the grant
            ~ 300000000002/eu-west-1 (Workload/shipping) corporate:1 => corporate:2 (weaker, not ours: arn:aws:iam::300000000002:user/administrator), after the grant
            3 to change (2 of them after a grant or a copy), 0 held, 0 in sync, 5 left alone, 1 account skipped
            plan 084ff4352c31ca32 of baseline d4e631a768779493, mode sync
            stderr: Apply these 3 changes? [y/N] this is another plan than the one you read: nothing was changed
            stderr: run apply again
            exit 1
        "#]],
    );
}

#[tokio::test]
async fn a_question_is_left_by_an_interrupt_with_nothing_changed() {
    let world = world(&two_accounts()).await;
    let mut running = ctl(&world).start_at_a_terminal(&["apply"], "");
    running.has_said("[y/N]").await;
    running.signal("INT").await;
    let ran: Ran = running.end().await;
    assert_eq!((ran.code, world.writes()), (130, Vec::new()), "{ran}");
    assert!(ran.err.ends_with("error: interrupted: nothing was changed\n"), "{ran}");
}

#[tokio::test]
async fn a_plan_with_something_to_change_ends_with_four_whatever_else_is_held() {
    let world = world(&two_accounts()).await;
    let detailed = ["plan", "--detailed-exit-code"];
    assert_eq!(ctl(&world).run(&detailed).await.code, 4, "only changes");
    world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
    let ran = ctl(&world).run(&detailed).await;
    assert!(ran.out.contains("1 to change, 1 held"), "{ran}");
    assert_eq!(ran.code, 4, "changes, and something held");
    assert_eq!(
        ctl(&world).run(&["plan"]).await.code,
        1,
        "without being asked for details, what is held counts"
    );
    assert_eq!(ctl(&world).run(&["apply", "--yes"]).await.code, 1);
    assert_eq!(ctl(&world).run(&detailed).await.code, 1, "only something held");
    world.administrator_releases(PAYMENTS, EU);
    assert_eq!(ctl(&world).run(&["apply", "--yes"]).await.code, 0);
    assert_eq!(ctl(&world).run(&detailed).await.code, 0, "nothing at all");
}
