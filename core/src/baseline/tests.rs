//! Text in; the checked baseline or all its problems out.

mod arns;
mod assignments;
mod copies;
mod documents;
mod guardrails;
mod hostile;
mod levels;
mod models;
mod organization;
mod owners;
mod schema;
mod spared;
mod values;

use expect_test::{Expect, expect, expect_file};

use super::*;

/// The shortest baseline that guards something.
const SHORT: &str = "\
version: 1
organization: o-exampleorgid
owner: \"222222222222\"
guardrails:
  corporate:
    name: corporate-baseline
    version: 3
    regions: [us-east-1, eu-west-1]
assignments:
  - targets: [r-exam]
    guardrail: corporate
";

/// The example of the reference, with every key.
const FULL: &str = include_str!("../../../tests/baselines/full.yaml");

/// [`SHORT`] with one place written differently.
#[track_caller]
fn edited(from: &str, to: &str) -> String {
    assert_eq!(SHORT.matches(from).count(), 1, "{from:?} must stand once in the short baseline");
    SHORT.replace(from, to)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "an `expect!` at every call reads better than a `&expect!`"
)]
#[track_caller]
fn check(text: &str, problems: Expect) {
    problems.assert_eq(&report(text));
}

fn report(text: &str) -> String {
    match Baseline::parse(text) {
        Ok(_) => "ok\n".to_owned(),
        Err(invalid) => invalid.problems().iter().map(|problem| format!("{problem}\n")).collect(),
    }
}

#[track_caller]
fn good(text: &str) -> Baseline {
    match Baseline::parse(text) {
        Ok(baseline) => baseline,
        Err(invalid) => panic!("{invalid}"),
    }
}

#[test]
fn what_is_left_out_has_a_default() {
    let mut baseline = good(SHORT);
    assert_eq!(baseline.revision, Revision::of(SHORT));
    let corporate = baseline.guardrails.remove(&"corporate".parse().unwrap()).unwrap();
    expect![[r#"
        Guardrail {
            owner: AccountId(
                "222222222222",
            ),
            regions: {
                Region(
                    "eu-west-1",
                ): Source {
                    selector: Name(
                        GuardrailName(
                            "corporate-baseline",
                        ),
                    ),
                    version: GuardrailVersion(
                        3,
                    ),
                },
                Region(
                    "us-east-1",
                ): Source {
                    selector: Name(
                        GuardrailName(
                            "corporate-baseline",
                        ),
                    ),
                    version: GuardrailVersion(
                        3,
                    ),
                },
            },
            models: Models {
                include: All,
                exclude: {},
            },
            guarding: Guarding {
                system: Comprehensive,
                messages: Comprehensive,
            },
            placement: Central,
            copy_keys: {},
            on_unusable: Keep,
            on_blocked_probe: Hold,
        }
    "#]]
    .assert_debug_eq(&corporate);
    expect![[r#"
        (
            Sync,
            [
                Assignment {
                    targets: {
                        Parent(
                            ParentId(
                                "r-exam",
                            ),
                        ),
                    },
                    guardrail: Some(
                        GuardrailKey(
                            "corporate",
                        ),
                    ),
                    existing: Adopt,
                },
            ],
            {},
            Limits {
                max_replacements: 50,
                max_releases: 5,
                max_abandonments: 5,
            },
        )
    "#]]
    .assert_debug_eq(&(baseline.mode, baseline.assignments, baseline.exclude, baseline.limits));
}

#[test]
fn every_key_is_read() {
    let baseline = good(FULL);
    let Baseline {
        revision,
        organization,
        owner,
        mode,
        guardrails,
        assignments,
        organization_assignments,
        accept_unproven,
        exclude,
        limits,
        places: _,
    } = baseline;
    expect![[r#"
        57c316e6f54a99ad o-exampleorgid 222222222222 sync
    "#]]
    .assert_eq(&format!("{revision} {organization} {owner} {mode}\n"));
    expect![[r#"
        {
            GuardrailKey(
                "corporate",
            ): Guardrail {
                owner: AccountId(
                    "222222222222",
                ),
                regions: {
                    Region(
                        "eu-west-1",
                    ): Source {
                        selector: Name(
                            GuardrailName(
                                "corporate-baseline",
                            ),
                        ),
                        version: GuardrailVersion(
                            3,
                        ),
                    },
                    Region(
                        "us-east-1",
                    ): Source {
                        selector: Name(
                            GuardrailName(
                                "corporate-baseline",
                            ),
                        ),
                        version: GuardrailVersion(
                            3,
                        ),
                    },
                },
                models: Models {
                    include: All,
                    exclude: {
                        ModelId(
                            "amazon.titan-embed-text-v2:0",
                        ),
                    },
                },
                guarding: Guarding {
                    system: Comprehensive,
                    messages: Selective,
                },
                placement: Auto,
                copy_keys: {},
                on_unusable: Keep,
                on_blocked_probe: Hold,
            },
        }
    "#]]
    .assert_debug_eq(&guardrails);
    // The organization's level has a text of its own: see `levels`.
    assert_eq!((organization_assignments, accept_unproven), (Vec::new(), BTreeSet::new()));
    expect![[r#"
        (
            [
                Assignment {
                    targets: {
                        Parent(
                            ParentId(
                                "r-exam",
                            ),
                        ),
                    },
                    guardrail: Some(
                        GuardrailKey(
                            "corporate",
                        ),
                    ),
                    existing: Adopt,
                },
                Assignment {
                    targets: {
                        Parent(
                            ParentId(
                                "ou-exam-sandbox1",
                            ),
                        ),
                    },
                    guardrail: None,
                    existing: Adopt,
                },
            ],
            {
                AccountId(
                    "333333333333",
                ),
            },
            Limits {
                max_replacements: 50,
                max_releases: 5,
                max_abandonments: 5,
            },
        )
    "#]]
    .assert_debug_eq(&(assignments, exclude, limits));
}

#[test]
fn a_dozen_problems_are_told_at_once_in_the_order_of_the_text() {
    let text = include_str!("../../../tests/baselines/many-problems.yaml");
    let invalid = Baseline::parse(text).unwrap_err().named("many-problems.yaml");
    expect_file!["../../../tests/baselines/many-problems.txt"].assert_eq(&format!("{invalid}\n"));
}

#[test]
fn problems_are_data_too() {
    let invalid = Baseline::parse(&edited("version: 3", "version: DRAFT")).unwrap_err().named("b.yaml");
    expect![[r#"
        {
          "source": "b.yaml",
          "problems": [
            {
              "severity": "error",
              "line": 7,
              "column": 14,
              "path": "guardrails.corporate.version",
              "message": "DRAFT can't be enforced",
              "instead": "write a published version's number, for example 3"
            }
          ]
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&invalid).unwrap());
    assert!(invalid.to_string().ends_with("\n1 problem in b.yaml"));
}

#[test]
fn every_example_is_good_and_has_nothing_to_warn_of() {
    let mut count = 0;
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let baseline =
                Baseline::parse(&text).map_err(|invalid| invalid.named(path.display().to_string()));
            let baseline = baseline.unwrap_or_else(|invalid| panic!("{invalid}"));
            assert_eq!(baseline.warnings(), [], "{}", path.display());
            count += 1;
        }
    }
    assert!(count >= 1, "there is no example");
}

#[test]
fn the_most_specific_assignment_wins() {
    let text = edited(
        "    guardrail: corporate\n",
        "    guardrail: corporate
  - targets: [ou-exam-sandbox1]
    guardrail: none
  - targets: [ou-exam-sandboxdeep]
    guardrail: corporate
    existing: replace
  - targets: [\"300000000001\"]
    guardrail: none
",
    );
    let baseline = good(&text);
    let of = |account: &str, path: &str| {
        let path: OrgPath = path.parse().unwrap();
        let assignment = baseline.assignment(&account.parse().unwrap(), &path);
        assignment.map(|a| a.targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    };
    let in_sandbox = "o-exampleorgid/r-exam/ou-exam-sandbox1/";
    assert_eq!(of("300000000002", "o-exampleorgid/r-exam/").as_deref(), Some("r-exam"));
    assert_eq!(of("300000000002", in_sandbox).as_deref(), Some("ou-exam-sandbox1"));
    assert_eq!(
        of("300000000002", &format!("{in_sandbox}ou-exam-sandboxdeep/")).as_deref(),
        Some("ou-exam-sandboxdeep")
    );
    assert_eq!(
        of("300000000002", &format!("{in_sandbox}ou-exam-otherdeep/")).as_deref(),
        Some("ou-exam-sandbox1")
    );
    assert_eq!(of("300000000001", in_sandbox).as_deref(), Some("300000000001"));
    assert_eq!(of("300000000002", "o-exampleorgid/r-elsewhere/"), None);
}

#[test]
fn regions_are_those_of_all_guardrails() {
    let text = edited(
        "assignments:",
        "  other:\n    name: other\n    version: 1\n    regions: [eu-west-1, ap-southeast-2]\nassignments:",
    );
    let regions: Vec<String> = good(&text).regions().iter().map(ToString::to_string).collect();
    assert_eq!(regions, ["ap-southeast-2", "eu-west-1", "us-east-1"]);
}
