//! The values of the outermost keys.

use super::*;

#[test]
fn missing_keys_are_all_told() {
    check(
        "mode: audit\n",
        expect![[r#"
            1:1: assignments: missing; write who gets which guardrail, as in [{targets: [r-exam], guardrail: corporate}]
            1:1: guardrails: missing; write each guardrail under a name of your choice, or {} for none
            1:1: organization: missing; write the id that `aws organizations describe-organization` shows, for example o-exampleorgid
            1:1: owner: missing; write the 12 digits of the account that owns the guardrails, for example "222222222222"
            1:1: version: missing; write version: 2
        "#]],
    );
}

#[test]
fn unknown_keys_are_told_with_the_nearest() {
    check(
        &format!("{SHORT}Mode: sync\nexlude: []\nlimit: {{}}\nregions: []\n"),
        expect![[r#"
            12:1: Mode: unknown key; write mode, or remove it
            13:1: exlude: unknown key; write exclude, or remove it
            14:1: limit: unknown key; write limits, or remove it
            15:1: regions: unknown key; remove it; known here are version, organization, owner, mode, guardrails, assignments, exclude, accept_unproven and limits
        "#]],
    );
    check(
        &format!("{SHORT}\"a\\nb\": 1\n{}: 1\n", "k".repeat(80)),
        expect![[r#"
            12:1: a\nb: unknown key; remove it; known here are version, organization, owner, mode, guardrails, assignments, exclude, accept_unproven and limits
            13:1: kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk…: unknown key; remove it; known here are version, organization, owner, mode, guardrails, assignments, exclude, accept_unproven and limits
        "#]],
    );
}

#[test]
fn the_format_has_a_number() {
    for text in ["version: \"1\"", "version: '1'"] {
        good(&edited("version: 1", text));
    }
    check(
        &edited("version: 1", "version: 1.0"),
        expect![[r#"
            1:10: version: "1.0" is not a format known here; write version: 2
        "#]],
    );
    check(
        &edited("version: 1", "version: 3"),
        expect![[r#"
            1:10: version: "3" is not a format known here; write version: 2
        "#]],
    );
    check(
        &edited("version: 1", "version: v1"),
        expect![[r#"
            1:10: version: "v1" is not a format known here; write version: 2
        "#]],
    );
    check(
        &edited("version: 1", "version: [1]"),
        expect![[r#"
            1:10: version: a list stands where the number of the format belongs; write version: 2
        "#]],
    );
    check(
        &edited("version: 1", "version:"),
        expect![[r#"
            1:8: version: empty, where the number of the format belongs; write version: 2
        "#]],
    );
}

#[test]
fn an_organization_has_an_id() {
    check(
        &edited("o-exampleorgid", "r-exam"),
        expect![[r#"
            2:15: organization: "r-exam" is not an organization's id; write the id that `aws organizations describe-organization` shows, for example o-exampleorgid
        "#]],
    );
    check(
        &edited("o-exampleorgid", "~"),
        expect![[r#"
            2:15: organization: empty, where an organization's id belongs; write the id that `aws organizations describe-organization` shows, for example o-exampleorgid
        "#]],
    );
    check(
        &edited("o-exampleorgid", "{id: o-exampleorgid}"),
        expect![[r#"
            2:15: organization: keys stand where an organization's id belongs; write the id that `aws organizations describe-organization` shows, for example o-exampleorgid
        "#]],
    );
}

#[test]
fn an_account_is_twelve_digits_quoted_or_not() {
    for account in ["222222222222", "\"012345678901\"", "012345678901", "000000000007", "'222222222222'"] {
        let baseline = good(&edited("\"222222222222\"", account));
        assert_eq!(baseline.owner.as_str(), account.trim_matches(['"', '\'']));
    }
    for account in
        ["22222222222", "1.2e11", "0o22222222222", "2222-2222-2222", "222 222 222 222", "null", "[]"]
    {
        assert_ne!(report(&edited("\"222222222222\"", account)), "ok\n", "{account}");
    }
    check(
        &edited("\"222222222222\"", "22222222222"),
        expect![[r#"
            3:8: owner: "22222222222" is not an account id; write the 12 digits of the account that owns the guardrails, for example "222222222222"
        "#]],
    );
    check(
        &edited("\"222222222222\"", "2222-2222-2222"),
        expect![[r#"
            3:8: owner: "2222-2222-2222" is an account id with separators; write "222222222222"
        "#]],
    );
    check(
        &edited("\"222222222222\"", "1.2e11"),
        expect![[r#"
            3:8: owner: "1.2e11" is not an account id; write the 12 digits of the account that owns the guardrails, for example "222222222222"
        "#]],
    );
    check(
        &edited("\"222222222222\"", "[\"222222222222\"]"),
        expect![[r#"
            3:8: owner: a list stands where an account id belongs; write the 12 digits of the account that owns the guardrails, for example "222222222222"
        "#]],
    );
}

#[test]
fn modes_are_known_words() {
    for (word, mode) in
        [("sync", Mode::Sync), ("enforce-only", Mode::EnforceOnly), ("\"audit\"", Mode::Audit)]
    {
        assert_eq!(good(&format!("{SHORT}mode: {word}\n")).mode, mode);
    }
    check(
        &format!("{SHORT}mode: Enforce_Only\n"),
        expect![[r#"
            12:7: mode: "Enforce_Only" is not known; write enforce-only (known are sync, enforce-only and audit)
        "#]],
    );
    check(
        &format!("{SHORT}mode: off\n"),
        expect![[r#"
            12:7: mode: "off" is not known; write sync, enforce-only or audit
        "#]],
    );
    check(
        &format!("{SHORT}mode:\n"),
        expect![[r#"
            12:5: mode: empty, where one word belongs; write sync, enforce-only or audit
        "#]],
    );
    check(
        &format!("{SHORT}mode: [sync]\n"),
        expect![[r#"
            12:7: mode: a list stands where one word belongs; write sync, enforce-only or audit
        "#]],
    );
}

#[test]
fn limits_are_numbers_above_zero() {
    let limits = good(&format!("{SHORT}limits: {{max_releases: 7}}\n")).limits;
    assert_eq!(limits, Limits { max_replacements: 50, max_releases: 7, max_abandonments: 5 });
    good(&format!("{SHORT}limits: {{max_releases: \"7\", max_replacements: 1000000}}\n"));
    good(&format!("{SHORT}limits: {{}}\n"));
    check(
        &format!("{SHORT}limits: {{max_replacements: 0, max_releases: 00}}\n"),
        expect![[r#"
            12:28: limits.max_replacements: with zero, every change of this kind waits for an approval; write at least 1, or mode: audit to write nothing at all
            12:45: limits.max_releases: with zero, every change of this kind waits for an approval; write at least 1, or mode: audit to write nothing at all
        "#]],
    );
    check(
        &format!("{SHORT}limits: {{max_replacements: -1, max_releases: 5.0}}\n"),
        expect![[r#"
            12:28: limits.max_replacements: "-1" is not a number of targets; write a number from 1 to 1000000
            12:46: limits.max_releases: "5.0" is not a number of targets; write a number from 1 to 1000000
        "#]],
    );
    check(
        &format!("{SHORT}limits: {{max_replacements: 1000001, max_releases: 99999999999}}\n"),
        expect![[r#"
            12:28: limits.max_replacements: "1000001" is more than any organization has; write a number from 1 to 1000000
            12:51: limits.max_releases: "99999999999" is more than any organization has; write a number from 1 to 1000000
        "#]],
    );
    check(
        &format!("{SHORT}limits: {{max_replacements: 10%, max_releases: }}\n"),
        expect![[r#"
            12:28: limits.max_replacements: "10%" is not a number of targets; write a number from 1 to 1000000
            12:45: limits.max_releases: empty, where a number belongs; write a number from 1 to 1000000
        "#]],
    );
    check(
        &format!("{SHORT}limits: {{max_replacement: 10}}\n"),
        expect![[r#"
            12:10: limits.max_replacement: unknown key; write max_replacements, or remove it
        "#]],
    );
    check(
        &format!("{SHORT}limits: 10\n"),
        expect![[r#"
            12:9: limits: "10" stands where a mapping belongs; write a mapping of the keys max_replacements, max_releases and max_abandonments
        "#]],
    );
    check(
        &format!("{SHORT}limits:\n"),
        expect![[r#"
            12:7: limits: empty, where a mapping belongs; write a mapping of the keys max_replacements, max_releases and max_abandonments
        "#]],
    );
}

#[test]
fn excluded_accounts_stand_once_and_are_not_assigned() {
    assert_eq!(good(&format!("{SHORT}exclude: []\n")).exclude.len(), 0);
    assert_eq!(good(&format!("{SHORT}exclude: [\"333333333333\", 044444444444]\n")).exclude.len(), 2);
    check(
        &format!("{SHORT}exclude:\n  - 333333333333\n  - \"333333333333\"\n"),
        expect![[r#"
            14:5: exclude[1]: 333333333333 is excluded twice, on lines 13 and 14; remove one
        "#]],
    );
    check(
        &format!("{SHORT}exclude: [ou-exam-sandbox1]\n"),
        expect![[r#"
            12:11: exclude[0]: "ou-exam-sandbox1" is not an account id; write an account's 12 digits; to leave out an OU, assign it `guardrail: none`
        "#]],
    );
    check(
        &format!("{SHORT}exclude: \"333333333333\"\n"),
        expect![[r#"
            12:10: exclude: "333333333333" stands where a list of accounts belongs; write a list of account ids, for example ["333333333333"]
        "#]],
    );
    check(
        &edited(
            "[r-exam]\n    guardrail: corporate\n",
            "[r-exam, \"333333333333\"]\n    guardrail: corporate\nexclude: [\"333333333333\"]\n",
        ),
        expect![[r#"
            10:23: assignments[0].targets[1]: 333333333333 is excluded on line 12, so it would never get this; remove it here or there
        "#]],
    );
}
