//! The organization's level: what is read of it, and what no Bedrock policy can say.

use super::*;

/// A floor for everybody by the organization's level, and more for one OU on the account's.
pub(super) const BOTH: &str = "\
version: 2
organization: o-exampleorgid
owner: \"111111111111\"
guardrails:
  floor:
    name: floor
    version: 3
    regions: [us-east-1, eu-west-1]
  strict:
    name: strict
    version: 1
    regions: [us-east-1]
assignments:
  - targets: [r-exam]
    guardrail: floor
    level: organization
  - targets: [ou-exam-workload]
    guardrail: strict
accept_unproven: [\"300000000001\"]
";

#[track_caller]
fn both(from: &str, to: &str) -> String {
    assert_eq!(BOTH.matches(from).count(), 1, "{from:?} must stand once");
    BOTH.replace(from, to)
}

#[test]
fn the_levels_are_lists_of_their_own() {
    let baseline = good(BOTH);
    assert!(baseline.has_organization_level());
    let [above] = baseline.organization_assignments.as_slice() else { panic!("{baseline:?}") };
    assert_eq!((above.guardrail.as_str(), above.targets.len()), ("floor", 1));
    let [below] = baseline.assignments.as_slice() else { panic!("{baseline:?}") };
    assert_eq!(below.guardrail.as_ref().map(GuardrailKey::as_str), Some("strict"));
    assert_eq!(baseline.accept_unproven, ["300000000001".parse().unwrap()].into());
    let root: AssignmentTarget = AssignmentTarget::Parent("r-exam".parse().unwrap());
    assert_eq!((baseline.line_of(&root), baseline.organization_line_of(&root)), (None, Some(14)));
    // The account's level, written out, is what is meant without it.
    let written = good(&both("    guardrail: strict\n", "    guardrail: strict\n    level: account\n"));
    assert_eq!(written.assignments, baseline.assignments);
}

#[test]
fn the_most_specific_wins_on_this_level_too() {
    let text = both(
        "  - targets: [ou-exam-workload]\n    guardrail: strict\n",
        "  - targets: [ou-exam-workload]\n    guardrail: strict\n    level: organization\n",
    );
    let baseline = good(&text);
    let of = |path: &str| {
        let path = path.parse().unwrap();
        let account = "300000000001".parse().unwrap();
        let covering = baseline.covering_by_organization(&account, &path);
        let named: Vec<String> = covering.map(|(by, it)| format!("{} by {by}", it.guardrail)).collect();
        named.join(", ")
    };
    assert_eq!(of("o-exampleorgid/r-exam/ou-exam-workload/"), "strict by ou-exam-workload, floor by r-exam");
    assert_eq!(of("o-exampleorgid/r-exam/ou-exam-sandbox1/"), "floor by r-exam");
    assert_eq!(of("o-exampleorgid/r-else/"), "");
}

#[test]
fn a_target_is_assigned_once_on_each_level() {
    good(&both("[ou-exam-workload]", "[r-exam]"));
    check(
        &both(
            "    guardrail: strict\n",
            "    guardrail: strict\n  - targets: [ou-exam-sandbox1, r-exam]\n    guardrail: strict\n    level: organization\n",
        ),
        expect![[r#"
            19:33: assignments[2].targets[1]: r-exam is assigned twice, on lines 14 and 19; remove one
        "#]],
    );
}

#[test]
fn what_the_level_cannot_do_is_told_with_the_cure() {
    check(
        &both("level: organization", "level: organisation"),
        expect![[r#"
        16:12: assignments[0].level: "organisation" is not known; write organization (known are account and organization)
    "#]],
    );
    check(
        &both("    guardrail: floor\n", "    guardrail: none\n"),
        expect![[r#"
        15:16: assignments[0].guardrail: none is impossible with level: organization: what a Bedrock policy further up gives can't be taken away; remove it, and assign the guardrail to other OUs than those that are to have none
    "#]],
    );
    check(
        &both("    level: organization\n", "    level: organization\n    existing: keep\n"),
        expect![[r#"
        17:15: assignments[0].existing: existing has no effect with level: organization: a Bedrock policy that the keeper didn't make is never written; remove it
    "#]],
    );
    check(
        &both("accept_unproven", "exclude: [\"300000000002\"]\naccept_unproven")
            .replace("[r-exam]", "[r-exam, 300000000002]"),
        expect![[r#"
            14:23: assignments[0].targets[1]: 300000000002 is excluded on line 19, and a Bedrock policy would guard it all the same; remove it here or there
        "#]],
    );
}

#[test]
fn copies_are_of_the_accounts_level() {
    let with = |more: &str| both("    name: floor\n", &format!("    name: floor\n{more}"));
    good(&with("    placement: auto\n"));
    good(&with("    placement: central\n"));
    check(
        &with("    placement: copy\n"),
        expect![[r#"
        16:16: assignments[0].guardrail: floor is copied into members (placement: copy on line 7), and with level: organization there are no copies: a Bedrock policy names the guardrail of the management account; assign a guardrail without it; two of this document may have one name in AWS
    "#]],
    );
    let key = "      kms_keys:\n        us-east-1: arn:aws:kms:us-east-1:222222222222:key/11111111-2222-4333-8444-555555555555\n";
    check(
        &with(&format!("    copy:\n{key}")),
        expect![[r#"
        18:16: assignments[0].guardrail: floor is copied into members (keys under copy on line 8), and with level: organization there are no copies: a Bedrock policy names the guardrail of the management account; assign a guardrail without it; two of this document may have one name in AWS
    "#]],
    );
    // One problem of the guardrail doesn't hide the other.
    check(
        &with("    placement: copy\n").replace("version: 3", "version: DRAFT"),
        expect![[r#"
        8:14: guardrails.floor.version: DRAFT can't be enforced; write a published version's number, for example 3
        16:16: assignments[0].guardrail: floor is copied into members (placement: copy on line 7), and with level: organization there are no copies: a Bedrock policy names the guardrail of the management account; assign a guardrail without it; two of this document may have one name in AWS
    "#]],
    );
    // On the account's level it is no problem.
    good(&both("    name: strict\n", "    name: strict\n    placement: copy\n"));
}

/// With so many Regions, and so many models in each.
fn long(regions: usize, models: usize) -> String {
    let regions: Vec<String> = (0..regions).map(|number| format!("xx-region-{number}")).collect();
    let models: Vec<String> = (0..models).map(|number| format!("m.{number:04}")).collect();
    both(
        "[us-east-1, eu-west-1]\n",
        &format!("[{}]\n    models: {{exclude: [{}]}}\n", regions.join(","), models.join(",")),
    )
}

#[test]
fn what_fits_on_no_target_is_told_where_that_can_be_known() {
    good(&long(25, 150));
    check(
        &long(30, 200),
        expect![[r#"
            16:16: assignments[0].guardrail: the Bedrock policies have no room for xx-region-27, xx-region-28, xx-region-29, xx-region-3, xx-region-4, xx-region-5, xx-region-6, xx-region-7, xx-region-8 and xx-region-9: 5 policies of 10000 characters, as many as the keeper attaches to one target, are full; list fewer models, exclude models instead, or name fewer Regions
        "#]],
    );
    check(
        &long(1, 1_080),
        expect![[r#"
            16:16: assignments[0].guardrail: the Bedrock policy would have 10081 characters for xx-region-0 alone, and AWS takes 10000; list fewer models, exclude models instead, or name fewer Regions
        "#]],
    );
    // On the account's level each Region is a configuration of its own.
    good(
        &long(30, 200)
            .replace("    level: organization\n", "")
            .replace("accept_unproven: [\"300000000001\"]\n", ""),
    );
}

#[test]
fn accounts_that_need_no_proof_are_accounts_each_once() {
    let accepted = |list: &str| both("[\"300000000001\"]", list);
    assert_eq!(good(&accepted("[]")).warnings(), []);
    check(
        &accepted("[300000000001, \"300000000001\", ou-exam-workload, 3000-0000-0002]"),
        expect![[r#"
        19:33: accept_unproven[1]: 300000000001 is accepted twice, on line 19; remove one
        19:49: accept_unproven[2]: "ou-exam-workload" is not an account id; write the 12 digits of each account that need not prove it
        19:67: accept_unproven[3]: "3000-0000-0002" is an account id with separators; write "300000000002"
    "#]],
    );
    check(
        &accepted("all"),
        expect![[r#"
        19:18: accept_unproven: "all" stands where a list of accounts belongs; write a list of account ids, for example ["333333333333"]
    "#]],
    );
    let text = BOTH.replace("    level: organization\n", "");
    expect![[r#"
        18:18: warning: accept_unproven: it has no effect: nothing is assigned with level: organization; remove it
    "#]].assert_eq(&good(&text).warnings().iter().map(|w| format!("{w}\n")).collect::<String>());
    assert_eq!(good(BOTH).warnings(), []);
}
