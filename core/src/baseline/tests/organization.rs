//! The baseline held against an organization.

use super::*;
use crate::organization::{Account, AccountState, Organization, Unplaced};

const TEXT: &str = "\
version: 1
organization: o-exampleorgid
owner: \"222222222222\"
guardrails: {}
assignments:
  - targets: [r-exam, ou-exam-workload, \"300000000001\"]
    guardrail: none
  - targets: [ou-exam-sandbox1, ou-else-sandbox1, r-else, \"300000000009\"]
    guardrail: none
exclude: [\"300000000002\", \"300000000008\"]
";

fn organization(id: &str, accounts: &[&str]) -> Organization {
    let account = |number: &&str| {
        let account = Account {
            id: number.parse().unwrap(),
            name: "example".to_owned(),
            state: AccountState::Active,
            path: format!("{id}/r-exam/ou-exam-parent01/ou-exam-workload/").parse().unwrap(),
            joined: None,
        };
        (account.id.clone(), account)
    };
    Organization {
        id: id.parse().unwrap(),
        management: "111111111111".parse().unwrap(),
        accounts: accounts.iter().map(account).collect(),
        unplaced: Unplaced::new(),
        complete: true,
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "an `expect!` at every call reads better than a `&expect!`"
)]
#[track_caller]
fn check(organization: &Organization, problems: Expect) {
    let found = good(TEXT).check_organization(organization);
    problems.assert_eq(&found.iter().map(|problem| format!("{problem}\n")).collect::<String>());
}

#[test]
fn what_the_organization_does_not_have_is_told() {
    check(
        &organization("o-exampleorgid", &["111111111111", "222222222222", "300000000001", "300000000002"]),
        expect![[r#"
            8:15: warning: assignments[1].targets[0]: no account stands in ou-exam-sandbox1: it is empty, or doesn't exist; check the id where you expect accounts in it
            8:33: assignments[1].targets[1]: ou-else-sandbox1 is not under the organization's root, r-exam; write an OU of this organization, or its root
            8:51: assignments[1].targets[2]: r-else is not under the organization's root, r-exam; write an OU of this organization, or its root
            8:59: warning: assignments[1].targets[3]: 300000000009 is no account of o-exampleorgid; remove it, unless it is about to join
            10:27: warning: exclude[1]: 300000000008 is no account of o-exampleorgid; remove it, unless it is about to join
        "#]],
    );
    check(
        &organization("o-exampleorgid", &["111111111111", "300000000001", "300000000002"]),
        expect![[r#"
            3:8: owner: 222222222222 is no account of o-exampleorgid, so its guardrails can't be shared with it; write an account of the organization
            8:15: warning: assignments[1].targets[0]: no account stands in ou-exam-sandbox1: it is empty, or doesn't exist; check the id where you expect accounts in it
            8:33: assignments[1].targets[1]: ou-else-sandbox1 is not under the organization's root, r-exam; write an OU of this organization, or its root
            8:51: assignments[1].targets[2]: r-else is not under the organization's root, r-exam; write an OU of this organization, or its root
            8:59: warning: assignments[1].targets[3]: 300000000009 is no account of o-exampleorgid; remove it, unless it is about to join
            10:27: warning: exclude[1]: 300000000008 is no account of o-exampleorgid; remove it, unless it is about to join
        "#]],
    );
}

#[test]
fn another_organization_is_the_only_problem() {
    check(
        &organization("o-anotherorgid", &["111111111111"]),
        expect![[r#"
            2:15: organization: this baseline is for o-exampleorgid, and the organization here is o-anotherorgid; use the credentials of the one, or the baseline of the other
        "#]],
    );
}

#[test]
fn a_part_of_the_organization_proves_nothing_missing() {
    let part = Organization { complete: false, ..organization("o-exampleorgid", &["111111111111"]) };
    check(&part, expect![[""]]);
}
