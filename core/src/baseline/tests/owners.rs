//! Guardrails of several owners.

use super::*;
use crate::trigger::Known;

/// A floor of the management account for everybody, and the security account's guardrail for an OU.
const TWO_OWNERS: &str = "\
version: 2
organization: o-exampleorgid
owner: \"222222222222\"
guardrails:
  floor:
    owner: \"111111111111\"
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
";

#[track_caller]
fn two(from: &str, to: &str) -> String {
    assert_eq!(TWO_OWNERS.matches(from).count(), 1, "{from:?} must stand once");
    TWO_OWNERS.replace(from, to)
}

fn owners(text: &str) -> Vec<String> {
    good(text).owners().iter().map(ToString::to_string).collect()
}

#[test]
fn a_guardrail_names_its_owner_or_has_the_documents() {
    let baseline = good(TWO_OWNERS);
    let owner = |key: &str| baseline.owner_of(&key.parse().unwrap()).as_str();
    assert_eq!([owner("floor"), owner("strict")], ["111111111111", "222222222222"]);
    let targets: Vec<String> = baseline.owner_targets().iter().map(ToString::to_string).collect();
    assert_eq!(targets, ["111111111111/eu-west-1", "111111111111/us-east-1", "222222222222/us-east-1"]);
    let is_owner = |account: &str| baseline.is_owner(&account.parse().unwrap());
    assert!(is_owner("111111111111") && is_owner("222222222222") && !is_owner("300000000001"));
    // An owner is written with quotes or without, as every account.
    assert_eq!(good(&two("owner: \"111111111111\"", "owner: 111111111111")).guardrails, baseline.guardrails);
    // To name the document's owner says nothing.
    let said = two("    name: strict\n", "    owner: \"222222222222\"\n    name: strict\n");
    assert_eq!(good(&said).guardrails, baseline.guardrails);
}

#[test]
fn an_owner_is_whoever_owns_a_guardrail() {
    assert_eq!(owners(TWO_OWNERS), ["111111111111", "222222222222"]);
    // The document's owner owns nothing any more.
    let one = two("    name: strict\n", "    owner: \"111111111111\"\n    name: strict\n");
    assert_eq!(owners(&one), ["111111111111"]);
    let none = "version: 2\norganization: o-exampleorgid\nowner: \"222222222222\"\nguardrails: {}\nassignments: []\n";
    assert_eq!(owners(none), ["222222222222"]);
    assert!(good(none).owner_targets().is_empty());
}

#[test]
fn an_owner_is_an_account() {
    check(
        &two("owner: \"111111111111\"", "owner: management"),
        expect![[r#"
            6:12: guardrails.floor.owner: "management" is not an account id; write the 12 digits of the account that owns this guardrail, or leave owner out for the document's owner
        "#]],
    );
    check(
        &two("owner: \"111111111111\"", "owner: 1111-1111-1111"),
        expect![[r#"
            6:12: guardrails.floor.owner: "1111-1111-1111" is an account id with separators; write "111111111111"
        "#]],
    );
    // Without the document's owner, those that name one are read all the same.
    check(
        &two("owner: \"222222222222\"\n", ""),
        expect![[r#"
        1:1: owner: missing; write the 12 digits of the account that owns the guardrails, for example "222222222222"
    "#]],
    );
}

#[test]
fn an_arn_is_of_the_guardrails_own_owner() {
    let with_arn = |account: &str| {
        let arn = format!("arn:aws:bedrock:us-east-1:{account}:guardrail/base1234abcd");
        two(
            "    name: floor\n    version: 3\n    regions: [us-east-1, eu-west-1]\n",
            &format!("    version: 3\n    regions: {{ us-east-1: {{ arn: \"{arn}\" }} }}\n"),
        )
    };
    check(&with_arn("111111111111"), expect![["ok\n"]]);
    check(
        &with_arn("222222222222"),
        expect![[r#"
        8:34: guardrails.floor.regions.us-east-1.arn: the ARN is of account "222222222222", and owner is 111111111111; write the ARN of a guardrail of the owner, or change owner
    "#]],
    );
}

#[test]
fn the_organizations_level_takes_the_guardrails_of_one_owner() {
    // Which of the two is the management account, only the organization says.
    check(
        &two("    guardrail: strict\n", "    guardrail: strict\n    level: organization\n"),
        expect![[r#"
            19:16: assignments[1].guardrail: floor and strict are assigned with level: organization, which takes guardrails of the management account only, and they have two owners, 111111111111 and 222222222222; assign the one that the management account doesn't own on the account's level
        "#]],
    );
}

#[test]
fn an_event_is_held_against_what_its_account_owns() {
    let text = two(
        "    name: floor\n    version: 3\n    regions: [us-east-1, eu-west-1]\n",
        "    version: 3\n    regions:\n      us-east-1: { arn: \"arn:aws:bedrock:us-east-1:111111111111:guardrail/floor\" }\n",
    );
    let known = Known::of(&good(&text));
    let (region, elsewhere) = ("us-east-1".parse().unwrap(), "eu-west-1".parse().unwrap());
    let may_mean =
        |owner: &str, id: &str| known.may_mean(Some(&owner.parse().unwrap()), &id.parse().unwrap(), &region);
    assert!(may_mean("111111111111", "floor") && !may_mean("111111111111", "other"));
    // The other owner's is found by its name.
    assert!(may_mean("222222222222", "other"));
    assert!(!may_mean("300000000001", "floor"));
    assert!(known.may_mean(None, &"other".parse().unwrap(), &region));
    assert!(known.may_mean(None, &"other".parse().unwrap(), &elsewhere));
}
