//! What is decided for each desired state and each sight, as tables.

use super::*;

#[track_caller]
fn check_table(desired: &str, expected: &Expect) {
    let roles = own_roles();
    let (_, desired) = desired_states()
        .into_iter()
        .find(|(name, _)| *name == desired)
        .expect("the desired state is in the list");
    let mut text = String::new();
    for (name, observation, record) in sights() {
        let decision = decide(&target(), &desired, &observation, &record, context(&roles));
        let words = in_words(&decision).replace("300000000001/eu-west-1 ", "");
        text.push_str(&format!("{name:<26}| {words}\n"));
    }
    expected.assert_eq(&text);
}

#[test]
fn table_for_a_guardrail() {
    check_table(
        "base:2, keep",
        &expect![[r#"
            absent                    | enforce corporate:2
            absent, recorded          | enforce corporate:2 (it was removed)
            absent, only intended     | enforce corporate:2
            absent, released dead     | enforce corporate:2
            equal, nobody's           | in sync: made by another principal, kept
            equal, recorded           | in sync
            equal, found dead before  | in sync
            equal, by us              | in sync, remember
            old, recorded             | corporate:1 => corporate:2 (weaker)
            old, by us                | corporate:1 => corporate:2 (weaker)
            old, only intended        | held: another configuration is enforced there, which isn't ours: to replace it, write `existing: replace`
            other, recorded another   | other:7 => corporate:2 (different)
            other, made by us, edited | other:7 => corporate:2 (different)
            other, foreign            | held: another configuration is enforced there, made by arn:aws:sts::300000000001:assumed-role/Admin/alice: to replace it, write `existing: replace`
            other, impostor           | held: another configuration is enforced there, made by arn:aws:sts::999999999999:assumed-role/KeeperMember/guardrail-keeper: to replace it, write `existing: replace`
            unreadable                | held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
            unreadable, recorded      | held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
            unreadable, only intended | held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
        "#]],
    );
}

#[test]
fn table_for_a_guardrail_that_may_replace() {
    check_table(
        "base:2, replace",
        &expect![[r#"
            absent                    | enforce corporate:2
            absent, recorded          | enforce corporate:2 (it was removed)
            absent, only intended     | enforce corporate:2
            absent, released dead     | enforce corporate:2
            equal, nobody's           | adopt corporate:2 (made by another principal)
            equal, recorded           | in sync
            equal, found dead before  | in sync
            equal, by us              | in sync, remember
            old, recorded             | corporate:1 => corporate:2 (weaker)
            old, by us                | corporate:1 => corporate:2 (weaker)
            old, only intended        | corporate:1 => corporate:2 (weaker, not ours)
            other, recorded another   | other:7 => corporate:2 (different)
            other, made by us, edited | other:7 => corporate:2 (different)
            other, foreign            | other:7 => corporate:2 (different, not ours: arn:aws:sts::300000000001:assumed-role/Admin/alice)
            other, impostor           | other:7 => corporate:2 (different, not ours: arn:aws:sts::999999999999:assumed-role/KeeperMember/guardrail-keeper)
            unreadable                | held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
            unreadable, recorded      | held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
            unreadable, only intended | held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
        "#]],
    );
}

#[test]
fn table_for_a_guardrail_that_is_gone() {
    check_table(
        "base:2 gone",
        &expect![[r#"
            absent                    | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            absent, recorded          | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            absent, only intended     | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            absent, released dead     | held: UNGUARDED: the enforcement was released because its guardrail can't be used, and what is wanted can't be enforced: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            equal, nobody's           | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            equal, recorded           | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            equal, found dead before  | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            equal, by us              | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            old, recorded             | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            old, by us                | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            old, only intended        | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            other, recorded another   | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            other, made by us, edited | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            other, foreign            | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            other, impostor           | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            unreadable                | held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
            unreadable, recorded      | held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
            unreadable, only intended | held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
        "#]],
    );
}

#[test]
fn table_for_a_guardrail_that_is_gone_and_may_be_released() {
    check_table(
        "base:2 gone, release",
        &expect![[r#"
            absent                    | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            absent, recorded          | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            absent, only intended     | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            absent, released dead     | held: UNGUARDED: the enforcement was released because its guardrail can't be used, and what is wanted can't be enforced: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            equal, nobody's           | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            equal, recorded           | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one; `on_unusable: release` releases it once a second look, minutes after the first, confirms it and the targets to release are counted
            equal, found dead before  | release base:2 (broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one)
            equal, by us              | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one; `on_unusable: release` releases it once a second look, minutes after the first, confirms it and the targets to release are counted
            old, recorded             | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            old, by us                | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            old, only intended        | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            other, recorded another   | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            other, made by us, edited | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            other, foreign            | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            other, impostor           | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            unreadable                | held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
            unreadable, recorded      | held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
            unreadable, only intended | held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
        "#]],
    );
}

#[test]
fn table_for_a_guardrail_that_could_not_be_read() {
    check_table(
        "base:2 unreadable",
        &expect![[r#"
            absent                    | held: the owner account could not be read: AssumeRole: AccessDenied: not authorized (denied)
            absent, recorded          | held: the owner account could not be read: AssumeRole: AccessDenied: not authorized (denied)
            absent, only intended     | held: the owner account could not be read: AssumeRole: AccessDenied: not authorized (denied)
            absent, released dead     | held: UNGUARDED: the enforcement was released because its guardrail can't be used, and what is wanted can't be enforced: the owner account could not be read: AssumeRole: AccessDenied: not authorized (denied)
            equal, nobody's           | held: the owner account could not be read: AssumeRole: AccessDenied: not authorized (denied)
            equal, recorded           | held: the owner account could not be read: AssumeRole: AccessDenied: not authorized (denied)
            equal, found dead before  | held: the owner account could not be read: AssumeRole: AccessDenied: not authorized (denied)
            equal, by us              | held: the owner account could not be read: AssumeRole: AccessDenied: not authorized (denied)
            old, recorded             | held: the owner account could not be read: AssumeRole: AccessDenied: not authorized (denied)
            old, by us                | held: the owner account could not be read: AssumeRole: AccessDenied: not authorized (denied)
            old, only intended        | held: the owner account could not be read: AssumeRole: AccessDenied: not authorized (denied)
            other, recorded another   | held: the owner account could not be read: AssumeRole: AccessDenied: not authorized (denied)
            other, made by us, edited | held: the owner account could not be read: AssumeRole: AccessDenied: not authorized (denied)
            other, foreign            | held: the owner account could not be read: AssumeRole: AccessDenied: not authorized (denied)
            other, impostor           | held: the owner account could not be read: AssumeRole: AccessDenied: not authorized (denied)
            unreadable                | held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
            unreadable, recorded      | held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
            unreadable, only intended | held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
        "#]],
    );
}

#[test]
fn table_for_a_name_that_is_not_found() {
    check_table(
        "name not found",
        &expect![[r#"
            absent                    | held: no guardrail named corporate-baseline in this Region of the owner account: create it there, or take the Region out of the baseline
            absent, recorded          | held: no guardrail named corporate-baseline in this Region of the owner account: create it there, or take the Region out of the baseline
            absent, only intended     | held: no guardrail named corporate-baseline in this Region of the owner account: create it there, or take the Region out of the baseline
            absent, released dead     | held: UNGUARDED: the enforcement was released because its guardrail can't be used, and what is wanted can't be enforced: no guardrail named corporate-baseline in this Region of the owner account: create it there, or take the Region out of the baseline
            equal, nobody's           | held: no guardrail named corporate-baseline in this Region of the owner account: create it there, or take the Region out of the baseline
            equal, recorded           | held: no guardrail named corporate-baseline in this Region of the owner account: create it there, or take the Region out of the baseline
            equal, found dead before  | held: no guardrail named corporate-baseline in this Region of the owner account: create it there, or take the Region out of the baseline
            equal, by us              | held: no guardrail named corporate-baseline in this Region of the owner account: create it there, or take the Region out of the baseline
            old, recorded             | held: no guardrail named corporate-baseline in this Region of the owner account: create it there, or take the Region out of the baseline
            old, by us                | held: no guardrail named corporate-baseline in this Region of the owner account: create it there, or take the Region out of the baseline
            old, only intended        | held: no guardrail named corporate-baseline in this Region of the owner account: create it there, or take the Region out of the baseline
            other, recorded another   | held: no guardrail named corporate-baseline in this Region of the owner account: create it there, or take the Region out of the baseline
            other, made by us, edited | held: no guardrail named corporate-baseline in this Region of the owner account: create it there, or take the Region out of the baseline
            other, foreign            | held: no guardrail named corporate-baseline in this Region of the owner account: create it there, or take the Region out of the baseline
            other, impostor           | held: no guardrail named corporate-baseline in this Region of the owner account: create it there, or take the Region out of the baseline
            unreadable                | held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
            unreadable, recorded      | held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
            unreadable, only intended | held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
        "#]],
    );
}

#[test]
fn table_for_nothing() {
    check_table(
        "nothing",
        &expect![[r#"
            absent                    | in sync
            absent, recorded          | in sync, forget
            absent, only intended     | in sync, forget
            absent, released dead     | in sync, forget
            equal, nobody's           | left alone: nothing is wanted here, and what is there isn't ours
            equal, recorded           | release base:2
            equal, found dead before  | release base:2
            equal, by us              | release base:2
            old, recorded             | release base:1
            old, by us                | release base:1
            old, only intended        | left alone: nothing is wanted here, and what is there isn't ours
            other, recorded another   | held: to be released, but changed since by arn:aws:sts::300000000001:assumed-role/Admin/alice: release it by hand, or put it back first
            other, made by us, edited | held: to be released, but changed since by arn:aws:sts::300000000001:assumed-role/Admin/alice: release it by hand, or put it back first
            other, foreign            | left alone: nothing is wanted here, and what is there isn't ours
            other, impostor           | left alone: nothing is wanted here, and what is there isn't ours
            unreadable                | left alone: nothing is wanted here, the record has nothing of ours here, and the target could not be read
            unreadable, recorded      | held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
            unreadable, only intended | held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
        "#]],
    );
}

#[test]
fn table_for_an_unassigned_account() {
    check_table(
        "unassigned",
        &expect![[r#"
            absent                    | left alone: no assignment covers the account
            absent, recorded          | left alone: no assignment covers the account
            absent, only intended     | left alone: no assignment covers the account
            absent, released dead     | left alone: no assignment covers the account
            equal, nobody's           | left alone: no assignment covers the account
            equal, recorded           | left alone: no assignment covers the account
            equal, found dead before  | left alone: no assignment covers the account
            equal, by us              | left alone: no assignment covers the account
            old, recorded             | left alone: no assignment covers the account
            old, by us                | left alone: no assignment covers the account
            old, only intended        | left alone: no assignment covers the account
            other, recorded another   | left alone: no assignment covers the account
            other, made by us, edited | left alone: no assignment covers the account
            other, foreign            | left alone: no assignment covers the account
            other, impostor           | left alone: no assignment covers the account
            unreadable                | left alone: no assignment covers the account
            unreadable, recorded      | left alone: no assignment covers the account
            unreadable, only intended | left alone: no assignment covers the account
        "#]],
    );
}

#[test]
fn table_for_an_excluded_account() {
    check_table(
        "excluded",
        &expect![[r#"
            absent                    | left alone: the account is excluded
            absent, recorded          | left alone: the account is excluded
            absent, only intended     | left alone: the account is excluded
            absent, released dead     | left alone: the account is excluded
            equal, nobody's           | left alone: the account is excluded
            equal, recorded           | left alone: the account is excluded
            equal, found dead before  | left alone: the account is excluded
            equal, by us              | left alone: the account is excluded
            old, recorded             | left alone: the account is excluded
            old, by us                | left alone: the account is excluded
            old, only intended        | left alone: the account is excluded
            other, recorded another   | left alone: the account is excluded
            other, made by us, edited | left alone: the account is excluded
            other, foreign            | left alone: the account is excluded
            other, impostor           | left alone: the account is excluded
            unreadable                | left alone: the account is excluded
            unreadable, recorded      | left alone: the account is excluded
            unreadable, only intended | left alone: the account is excluded
        "#]],
    );
}
