//! Accounts that are to be left alone, below what the organization's level assigns.

use super::*;
use crate::organization::{Account, AccountState, Organization, Unplaced};

/// ```text
/// r-exam              management 111111111111
/// ├ ou-exam-sandbox1  300000000004
/// └ ou-exam-workload  300000000001, 300000000002
///   └ ou-exam-payments1  300000000003, 300000000005
/// ```
const ACCOUNTS: &[(&str, &str)] = &[
    ("111111111111", ""),
    ("300000000001", "ou-exam-workload/"),
    ("300000000002", "ou-exam-workload/"),
    ("300000000003", "ou-exam-workload/ou-exam-payments1/"),
    ("300000000004", "ou-exam-sandbox1/"),
    ("300000000005", "ou-exam-workload/ou-exam-payments1/"),
];

fn organization(accounts: impl IntoIterator<Item = (String, String)>) -> Organization {
    let account = |(number, below): (String, String)| {
        let account = Account {
            id: number.parse().unwrap(),
            name: "example".to_owned(),
            state: AccountState::Active,
            path: format!("o-exampleorgid/r-exam/{below}").parse().unwrap(),
            joined: None,
        };
        (account.id.clone(), account)
    };
    Organization {
        id: "o-exampleorgid".parse().unwrap(),
        management: "111111111111".parse().unwrap(),
        accounts: accounts.into_iter().map(account).collect(),
        unplaced: Unplaced::new(),
        complete: true,
    }
}

fn example() -> Organization {
    organization(ACCOUNTS.iter().map(|(number, below)| ((*number).to_owned(), (*below).to_owned())))
}

/// A baseline with these assignments, and with more below them. `floor` has two Regions, `strict` one.
fn text(assignments: &str, more: &str) -> String {
    format!(
        "\
version: 2
organization: o-exampleorgid
owner: \"111111111111\"
guardrails:
  floor: {{ name: floor, version: 3, regions: [us-east-1, eu-west-1] }}
  strict: {{ name: strict, version: 1, regions: [us-east-1] }}
assignments:
{assignments}{more}"
    )
}

fn told(organization: &Organization, text: &str) -> String {
    good(text).check_organization(organization).iter().map(|problem| format!("{problem}\n")).collect()
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "an `expect!` at every call reads better than a `&expect!`"
)]
#[track_caller]
fn check(assignments: &str, more: &str, problems: Expect) {
    problems.assert_eq(&told(&example(), &text(assignments, more)));
}

const FLOOR: &str = "  - { targets: [r-exam], guardrail: floor, level: organization }\n";

#[test]
fn the_management_account_owns_what_this_level_enforces() {
    let elsewhere = text(FLOOR, "").replace("111111111111", "300000000001");
    expect![[r#"
        3:8: owner: floor is assigned with level: organization, which takes guardrails of the management account only, and 300000000001 is another account; write owner: "111111111111" for floor, or assign it on the account's level
    "#]].assert_eq(&told(&example(), &elsewhere));
    // On the account's level any account may own it.
    let account = elsewhere.replace(", level: organization", "");
    assert_eq!(told(&example(), &account), "");
}

#[test]
fn an_excluded_account_inherits_nothing() {
    // Deep down: the other branches, and the neighbours on the way.
    check(
        FLOOR,
        "exclude: [\"300000000003\"]\n",
        expect![[r#"
            9:11: exclude[0]: 300000000003 is excluded, and inherits floor from r-exam (line 8): what is inherited can't be taken away; write 111111111111, ou-exam-sandbox1, 300000000001, 300000000002 and 300000000005 in place of r-exam (line 8)
        "#]],
    );
    // Right below: its neighbours.
    check(
        FLOOR,
        "exclude: [\"111111111111\"]\n",
        expect![[r#"
            9:11: exclude[0]: 111111111111 is excluded, and inherits floor from r-exam (line 8): what is inherited can't be taken away; write ou-exam-sandbox1 and ou-exam-workload in place of r-exam (line 8)
        "#]],
    );
    // Two of them have one cure.
    check(
        FLOOR,
        "exclude: [\"300000000003\", \"300000000004\"]\n",
        expect![[r#"
            9:11: exclude[0]: 300000000003 is excluded, and inherits floor from r-exam (line 8): what is inherited can't be taken away; write 111111111111, 300000000001, 300000000002 and 300000000005 in place of r-exam (line 8)
            9:27: exclude[1]: 300000000004 is excluded, and inherits floor from r-exam (line 8): what is inherited can't be taken away; write 111111111111, 300000000001, 300000000002 and 300000000005 in place of r-exam (line 8)
        "#]],
    );
    // Nobody else is there.
    check(
        "  - { targets: [ou-exam-sandbox1], guardrail: floor, level: organization }\n",
        "exclude: [\"300000000004\"]\n",
        expect![[r#"
            9:11: exclude[0]: 300000000004 is excluded, and inherits floor from ou-exam-sandbox1 (line 8): what is inherited can't be taken away; remove ou-exam-sandbox1 (line 8), or move the account away from there
        "#]],
    );
    // Where the floor doesn't reach it, it is left alone.
    check(
        "  - { targets: [ou-exam-sandbox1], guardrail: floor, level: organization }\n",
        "exclude: [\"300000000003\"]\n",
        expect![[""]],
    );
}

#[test]
fn the_cure_keeps_what_others_have() {
    // Each assigned parent is replaced in its turn, and what comes from further up in other Regions isn't lost.
    let nested =
        format!("{FLOOR}  - {{ targets: [ou-exam-workload], guardrail: strict, level: organization }}\n");
    check(
        &nested,
        "exclude: [\"300000000003\"]\n",
        expect![[r#"
            10:11: exclude[0]: 300000000003 is excluded, and inherits strict from ou-exam-workload (line 9) and floor from r-exam (line 8): what is inherited can't be taken away; write 300000000001, 300000000002 and 300000000005 in place of ou-exam-workload (line 9); write 111111111111 and ou-exam-sandbox1 in place of r-exam (line 8), and add eu-west-1 to strict, which lacks what ou-exam-workload inherits today
        "#]],
    );
    // What is assigned already isn't named again.
    let beside =
        format!("{FLOOR}  - {{ targets: [ou-exam-sandbox1], guardrail: floor, level: organization }}\n");
    check(
        &beside,
        "exclude: [\"300000000003\"]\n",
        expect![[r#"
            10:11: exclude[0]: 300000000003 is excluded, and inherits floor from r-exam (line 8): what is inherited can't be taken away; write 111111111111, 300000000001, 300000000002 and 300000000005 in place of r-exam (line 8)
        "#]],
    );
}

/// Writing what the message says leaves the account alone, and gives all others what they had.
#[test]
fn the_cure_cures() {
    let cured = "  - { targets: [111111111111, ou-exam-sandbox1, 300000000001, 300000000002, 300000000005], guardrail: floor, \
                 level: organization }\n";
    check(cured, "exclude: [\"300000000003\"]\n", expect![[""]]);
    let (before, after) = (good(&text(FLOOR, "")), good(&text(cured, "")));
    for account in example().accounts.values() {
        let of = |baseline: &Baseline| {
            let covering = baseline.covering_by_organization(&account.id, &account.path);
            covering.map(|(_, it)| it.guardrail.clone()).collect::<Vec<_>>()
        };
        let spared = account.id.as_str() == "300000000003";
        assert_eq!(of(&after), if spared { Vec::new() } else { of(&before) }, "{}", account.id);
    }
}

#[test]
fn what_is_kept_by_others_inherits_nothing() {
    let keep = format!("{FLOOR}  - {{ targets: [ou-exam-payments1], guardrail: strict, existing: keep }}\n");
    check(
        &keep,
        "",
        expect![[r#"
            9:17: assignments[1].targets[0]: existing: keep leaves 300000000003 and 300000000005 to others, and they inherit floor from r-exam (line 8): what is inherited can't be taken away; write 111111111111, ou-exam-sandbox1, 300000000001 and 300000000002 in place of r-exam (line 8), or leave existing: keep out
        "#]],
    );
    // The same target on both levels.
    let same = format!("{FLOOR}  - {{ targets: [r-exam], guardrail: strict, existing: keep }}\n");
    check(
        &same,
        "",
        expect![[r#"
            9:17: assignments[1].targets[0]: existing: keep leaves 111111111111, 300000000001, 300000000002, 300000000003, 300000000004 and 300000000005 to others, and they inherit floor from r-exam (line 8): what is inherited can't be taken away; remove r-exam (line 8), or leave existing: keep out
        "#]],
    );
    // An account below that is assigned something else isn't meant.
    let account = "  - { targets: [300000000003, 300000000005], guardrail: strict }\n";
    check(&format!("{keep}{account}"), "", expect![[""]]);
    for existing in ["adopt", "replace"] {
        check(&keep.replace("keep", existing), "", expect![[""]]);
    }
}

#[test]
fn none_below_a_floor_may_not_be_meant() {
    let none = |target: &str| format!("{FLOOR}  - {{ targets: [{target}], guardrail: none }}\n");
    check(
        &none("ou-exam-payments1"),
        "",
        expect![[r#"
            9:17: warning: assignments[1].targets[0]: none takes away nothing that is inherited: 300000000003 and 300000000005 inherit floor from r-exam (line 8); where nothing at all is to act there, write 111111111111, ou-exam-sandbox1, 300000000001 and 300000000002 in place of r-exam (line 8)
        "#]],
    );
    check(
        &none("300000000004"),
        "",
        expect![[r#"
            9:17: warning: assignments[1].targets[0]: none takes away nothing that is inherited: 300000000004 inherits floor from r-exam (line 8); where nothing at all is to act there, write 111111111111 and ou-exam-workload in place of r-exam (line 8)
        "#]],
    );
    // An error's cure isn't that of a warning.
    check(
        &none("ou-exam-payments1"),
        "exclude: [\"300000000004\"]\n",
        expect![[r#"
            9:17: warning: assignments[1].targets[0]: none takes away nothing that is inherited: 300000000003 and 300000000005 inherit floor from r-exam (line 8); where nothing at all is to act there, write 111111111111, 300000000001 and 300000000002 in place of r-exam (line 8)
            10:11: exclude[0]: 300000000004 is excluded, and inherits floor from r-exam (line 8): what is inherited can't be taken away; write 111111111111 and ou-exam-workload in place of r-exam (line 8)
        "#]],
    );
    // On the floor's own target, nothing but the floor is what it says; so it is further up.
    check(&none("r-exam"), "", expect![[""]]);
    let floor = "  - { targets: [ou-exam-workload], guardrail: floor, level: organization }\n";
    check(&format!("{floor}  - {{ targets: [r-exam], guardrail: none }}\n"), "", expect![[""]]);
    // An exception from the exception.
    let again = "  - { targets: [ou-exam-payments1], guardrail: floor, level: organization }\n";
    check(
        &format!("{}{again}", none("ou-exam-workload")),
        "",
        expect![[r#"
            9:17: warning: assignments[1].targets[0]: none takes away nothing that is inherited: 300000000001 and 300000000002 inherit floor from r-exam (line 8); where nothing at all is to act there, write 111111111111 and ou-exam-sandbox1 in place of r-exam (line 8)
        "#]],
    );
}

#[test]
fn accounts_that_need_no_proof_are_there_and_inherit() {
    let workload = "  - { targets: [ou-exam-workload], guardrail: floor, level: organization }\n";
    let accepted = "accept_unproven: [\"300000000001\", \"300000000004\", \"300000000009\"]\n";
    check(
        workload,
        accepted,
        expect![[r#"
        9:35: warning: accept_unproven[1]: 300000000004 has nothing to prove: no assignment with level: organization covers it; remove it
        9:51: warning: accept_unproven[2]: 300000000009 is no account of o-exampleorgid; remove it, unless it is about to join
    "#]],
    );
    // Nobody is left unguarded by such an id, so no approval is asked for because of it.
    let named = good(&text(workload, accepted));
    assert!(NamedIds::missing_in(&named, &example()).is_empty());
    let unplaced = Organization {
        unplaced: [(
            "300000000009".to_owned(),
            crate::failure::Failure::transient("ListParents", "slow down"),
        )]
        .into(),
        ..example()
    };
    assert!(!told(&unplaced, &text(workload, accepted)).contains("300000000009"));
}

#[test]
fn many_accounts_are_counted() {
    let crowd = (0..2_000).map(|number| (format!("{:012}", 400_000_000_000_u64 + number), String::new()));
    let problems = told(&organization(crowd), &text(FLOOR, "exclude: [\"400000000007\"]\n"));
    assert!(problems.contains("400000000020 and 1979 more in place of r-exam"), "{problems}");
    assert!(problems.len() < 1_000, "{problems}");
}
