//! `guardrailctl apply`: it shows the plan, asks, writes, and says what came of it.

use super::*;

#[tokio::test]
async fn apply_does_nothing_where_nobody_can_be_asked() {
    let world = world(&two_accounts(2)).await;
    for arguments in [&["apply"] as &[&str], &["apply", "--output", "json"]] {
        let ran = of(&world).input("y\n").run(arguments).await;
        let told = "stderr: there is no terminal for a question: give --yes to apply without one\nexit 2\n";
        assert_eq!(ran.to_string(), told);
    }
    assert_eq!(world.server.calls(), []);
}

#[tokio::test]
async fn apply_shows_the_plan_does_it_and_says_what_came_of_it() {
    let world = world(&two_accounts(2)).await;

    let ran = of(&world).run(&["apply", "--yes"]).await;
    check(
        &ran,
        expect![[r#"
            + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2
            + 300000000002/eu-west-1 (Workload/shipping) enforce corporate:2
            2 to change, 0 held, 0 in sync, 5 left alone, 1 account skipped
            plan 9aee8148861db0bd of baseline 4ef2b91f1df53797, mode sync

            Applied:
            + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2
            + 300000000002/eu-west-1 (Workload/shipping) enforce corporate:2
            2 changed, 0 held, 0 in sync, 5 left alone, 1 account skipped
            exit 0
        "#]],
    );
    assert_eq!(world.writes(), [PAYMENTS, SHIPPING].map(|account| format!("{PUT} {account}/{EU}")));

    world.server.clear_calls();
    let again = of(&world).run(&["apply", "--yes"]).await;
    check(
        &again,
        expect![[r#"
        0 to change, 0 held, 2 in sync, 5 left alone, 1 account skipped
        plan e3b0c44298fc1c14 of baseline 4ef2b91f1df53797, mode sync
        exit 0
    "#]],
    );
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn apply_for_programs_holds_the_plan_and_the_report() {
    let world = world(&two_accounts(2)).await;
    let ran = of(&world).run(&["apply", "--yes", "--output", "json", "--account", PAYMENTS]).await;
    check(
        &ran,
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
                      "held": 0,
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
                    "hash": "d0e519824df237f6",
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
              ],
              "report": {
                "converged": true,
                "counts": {
                  "enforced": 1
                },
                "handed_back": [],
                "organization_level": null,
                "placement_decided": null,
                "policies": [],
                "revision": "4ef2b91f1df53797",
                "skipped": {},
                "strangers": [],
                "targets": [
                  {
                    "account": "300000000001",
                    "change": "enforce",
                    "code": null,
                    "enforced": "eubase1a2b3c:2",
                    "reason": null,
                    "region": "eu-west-1",
                    "state": "enforced",
                    "worth_waiting": false
                  }
                ],
                "unknown_states": {},
                "unplaced": {},
                "warnings": []
              },
              "unfinished": []
            }
            exit 0
        "#]],
    );
}

#[tokio::test]
async fn what_fails_while_applying_is_told_and_ends_with_one() {
    let world = world(&two_accounts(2)).await;
    let denied = FaultKind::denied_by_service_control_policy("bedrock:PutEnforcedGuardrailConfiguration");
    world.server.fault(Fault::new(denied).operation(PUT).account(PAYMENTS));
    check(
        &of(&world).run(&["apply", "--yes"]).await,
        expect![[r#"
            + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2
            + 300000000002/eu-west-1 (Workload/shipping) enforce corporate:2
            2 to change, 0 held, 0 in sync, 5 left alone, 1 account skipped
            plan 9aee8148861db0bd of baseline 4ef2b91f1df53797, mode sync

            Applied:
            ! 300000000001/eu-west-1 (Workload/payments) failed to enforce: PutEnforcedGuardrailConfiguration: AccessDeniedException: You are not authorized to perform: bedrock:PutEnforcedGuardrailConfiguration with an explicit deny in a service control policy (denied)
            + 300000000002/eu-west-1 (Workload/shipping) enforce corporate:2
            1 changed, 0 held, 0 in sync, 1 failed, 5 left alone, 1 account skipped
            exit 1
        "#]],
    );
}
