//! Who gets which guardrail.

use super::*;

const TARGETS: &str = "    guardrail: corporate\n";
const ROOT: &str = "  - targets: [r-exam]\n";

#[test]
fn a_target_is_an_account_an_ou_or_a_root() {
    good(&edited("[r-exam]", "[r-exam, ou-exam-sandbox1, 012345678901, \"300000000001\"]"));
    check(
        &edited("[r-exam]", "[o-exampleorgid]"),
        expect![[r#"
            10:15: assignments[0].targets[0]: "o-exampleorgid" is an organization, and an assignment names a root instead; write its root, r-…, to reach every account
        "#]],
    );
    check(
        &edited("[r-exam]", "[o-exampleorgid/r-exam/ou-exam-sandbox1/]"),
        expect![[r#"
            10:15: assignments[0].targets[0]: "o-exampleorgid/r-exam/ou-exam-sandbox1/" is a path; write ou-exam-sandbox1
        "#]],
    );
    check(
        &edited("[r-exam]", "[1234-5678-9012, 12345678901, Sandbox, '*', ~, [r-exam]]"),
        expect![[r#"
            10:15: assignments[0].targets[0]: "1234-5678-9012" is an account id with separators; write "123456789012"
            10:31: assignments[0].targets[1]: "12345678901" is not an account id; write an account's 12 digits, an OU (ou-…) or a root (r-…)
            10:44: assignments[0].targets[2]: "Sandbox" is no account, OU or root; write an account's 12 digits, an OU (ou-…) or a root (r-…)
            10:53: assignments[0].targets[3]: "*" is no account, OU or root; write an account's 12 digits, an OU (ou-…) or a root (r-…)
            10:58: assignments[0].targets[4]: empty, where a target belongs; write an account's 12 digits, an OU (ou-…) or a root (r-…)
            10:61: assignments[0].targets[5]: a list stands where a target belongs; write an account's 12 digits, an OU (ou-…) or a root (r-…)
        "#]],
    );
    check(
        &edited("[r-exam]", "r-exam"),
        expect![[r#"
            10:14: assignments[0].targets: "r-exam" stands where a list of targets belongs; write a list of accounts, OUs and roots, for example [ou-exam-workload]
        "#]],
    );
    check(
        &edited("[r-exam]", "[]"),
        expect![[r#"
            10:14: assignments[0].targets: the list is empty, so no account gets it; write a list of accounts, OUs and roots, for example [ou-exam-workload]
        "#]],
    );
    check(
        &edited("[r-exam]", ""),
        expect![[r#"
            10:12: assignments[0].targets: empty, where a list of targets belongs; write a list of accounts, OUs and roots, for example [ou-exam-workload]
        "#]],
    );
}

#[test]
fn a_target_is_assigned_once() {
    check(
        &edited(
            TARGETS,
            "    guardrail: corporate\n  - targets: [ou-exam-sandbox1, r-exam, ou-exam-sandbox1]\n    guardrail: none\n",
        ),
        expect![[r#"
            12:33: assignments[1].targets[1]: r-exam is assigned twice, on lines 10 and 12; remove one
            12:41: assignments[1].targets[2]: ou-exam-sandbox1 is assigned twice, on line 12; remove one
        "#]],
    );
}

#[test]
fn a_guardrail_of_the_document_is_assigned() {
    check(
        &edited(TARGETS, "    guardrail: corprate\n"),
        expect![[r#"
            11:16: assignments[0].guardrail: no guardrail of this document is called "corprate"; write corporate
        "#]],
    );
    check(
        &edited(TARGETS, "    guardrail: Corporate\n"),
        expect![[r#"
            11:16: assignments[0].guardrail: no guardrail of this document is called "Corporate"; write corporate
        "#]],
    );
    check(
        &edited(TARGETS, "    guardrail: None\n"),
        expect![[r#"
            11:16: assignments[0].guardrail: no guardrail of this document is called "None"; write none
        "#]],
    );
    check(
        &edited(TARGETS, "    guardrail: payments-baseline\n"),
        expect![[r#"
            11:16: assignments[0].guardrail: no guardrail of this document is called "payments-baseline"; write corporate or none
        "#]],
    );
    check(
        &edited(TARGETS, "    guardrail: ~\n"),
        expect![[r#"
            11:16: assignments[0].guardrail: empty, where a guardrail's name in this document belongs; write a guardrail of this document, or none to leave it unguarded on purpose
        "#]],
    );
    check(
        &edited(TARGETS, "    guardrail: [corporate]\n"),
        expect![[r#"
            11:16: assignments[0].guardrail: a list stands where a guardrail's name in this document belongs; write a guardrail of this document, or none to leave it unguarded on purpose
        "#]],
    );
    check(
        &edited(TARGETS, "    guardrail: \"\\e]0;x\"\n"),
        expect![[r#"
            11:16: assignments[0].guardrail: no guardrail of this document is called "\u{1b}]0;x"; write corporate or none
        "#]],
    );
    check(
        &edited(TARGETS, ""),
        expect![[r#"
            10:5: assignments[0].guardrail: missing; write a guardrail of this document, or none
        "#]],
    );
    for none in ["none", "\"none\""] {
        assert_eq!(
            good(&edited(TARGETS, &format!("    guardrail: {none}\n"))).assignments[0].guardrail,
            None
        );
    }
}

#[test]
fn what_is_wrong_with_a_guardrail_is_told_once() {
    let text = edited("    name: corporate-baseline\n", "    name: corporate baseline\n");
    check(
        &text,
        expect![[r#"
            6:11: guardrails.corporate.name: "corporate baseline" is not a guardrail's name; write the name that the console shows: 1 to 50 letters, digits, hyphens and underscores
        "#]],
    );
    // Without readable guardrails nothing is said of their names.
    check(
        &text.replace("guardrails:", "guardrials:"),
        expect![[r#"
            4:1: guardrials: unknown key; write guardrails, or remove it
        "#]],
    );
}

#[test]
fn existing_is_a_known_word() {
    let text = edited(TARGETS, "    guardrail: corporate\n    existing: replace\n");
    assert_eq!(good(&text).assignments[0].existing, Existing::Replace);
    check(
        &edited(TARGETS, "    guardrail: corporate\n    existing: overwrite\n"),
        expect![[r#"
            12:15: assignments[0].existing: "overwrite" is not known; write keep, adopt or replace
        "#]],
    );
    check(
        &edited(TARGETS, "    guardrail: none\n    existing: replace\n"),
        expect![[r#"
            12:15: assignments[0].existing: existing has no effect with guardrail: none, which never takes over or replaces a foreign enforcement; remove it; foreign enforcements are left alone
        "#]],
    );
}

#[test]
fn assignments_are_a_list() {
    check(
        &edited(ROOT, "    targets: [r-exam]\n"),
        expect![[r#"
            10:5: assignments: keys stand where a list of assignments belongs; write who gets which guardrail, as in [{targets: [r-exam], guardrail: corporate}]
        "#]],
    );
    check(
        &edited(&format!("assignments:\n{ROOT}{TARGETS}"), "assignments:\n"),
        expect![[r#"
            9:12: assignments: empty, where a list of assignments belongs; write who gets which guardrail, as in [{targets: [r-exam], guardrail: corporate}]
        "#]],
    );
    check(
        &edited(ROOT, "  - r-exam\n  - target: [r-exam]\n"),
        expect![[r#"
            10:5: assignments[0]: "r-exam" stands where a mapping belongs; write a mapping of the keys targets, guardrail, level and existing
            11:5: assignments[1].target: unknown key; write targets, or remove it
        "#]],
    );
}

#[test]
fn what_is_probably_not_meant_is_warned_of() {
    let warn = |text: &str, warnings: Expect| {
        warnings.assert_eq(&good(text).warnings().iter().map(|w| format!("{w}\n")).collect::<String>());
    };
    warn(SHORT, expect![[""]]);
    warn(FULL, expect![[""]]);
    warn(
        &edited(TARGETS, "    guardrail: none\n"),
        expect![[r#"
            5:3: warning: guardrails.corporate: no assignment uses this guardrail; assign it, or remove it
        "#]],
    );
    warn(
        &edited(&format!("assignments:\n{ROOT}{TARGETS}"), "assignments: []\n"),
        expect![[r#"
            5:3: warning: guardrails.corporate: no assignment uses this guardrail; assign it, or remove it
            9:14: warning: assignments: no account gets a guardrail, and nothing that is enforced is released; assign a guardrail, or none to release
        "#]],
    );
}
