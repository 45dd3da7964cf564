//! Keys for copies: of the Region they stand under, and of use.

use super::*;

const REGIONS: &str = "    regions: [us-east-1, eu-west-1]\n";

#[track_caller]
fn with_keys(keys: &str) -> String {
    edited(REGIONS, &format!("{REGIONS}    placement: copy\n    copy: {{ kms_keys: {keys} }}\n"))
}

fn key(region: &str) -> String {
    format!("arn:aws:kms:{region}:222222222222:key/11111111-2222-4333-8444-555555555555")
}

#[track_caller]
fn check_key(key: &str, problems: Expect) {
    check(&with_keys(&format!("{{ eu-west-1: '{key}' }}")), problems);
}

#[test]
fn keys_are_read_by_region() {
    let both =
        with_keys(&format!("{{ us-east-1: '{}', eu-west-1: '{}' }}", key("us-east-1"), key("eu-west-1")));
    let baseline = good(&both);
    let corporate = baseline.guardrail(&"corporate".parse().unwrap()).unwrap();
    let keys: Vec<String> = corporate.copy_keys.values().map(ToString::to_string).collect();
    assert_eq!(keys, [key("eu-west-1"), key("us-east-1")]);
    let text = edited(REGIONS, &format!("{REGIONS}    placement: copy\n    copy: {{}}\n"));
    assert!(good(&text).guardrails.values().all(|guardrail| guardrail.copy_keys.is_empty()));
}

#[test]
fn a_key_is_given_by_its_arn() {
    check_key(
        &key("eu-west-1"),
        expect![[r#"
        ok
    "#]],
    );
    check_key(
        "arn:aws:kms:eu-west-1:222222222222:key/mrk-0123456789abcdef0123456789abcdef",
        expect![[r#"
        ok
    "#]],
    );
    check_key(
        "11111111-2222-4333-8444-555555555555",
        expect![[r#"
        10:36: guardrails.corporate.copy.kms_keys.eu-west-1: "11111111-2222-4333-8444-555555555555" has no account, so in each account it would name another key; write arn:aws:kms:eu-west-1:ACCOUNT:key/ID
    "#]],
    );
    check_key(
        "alias/guardrails",
        expect![[r#"
        10:36: guardrails.corporate.copy.kms_keys.eu-west-1: "alias/guardrails" has no account, so in each account it would name another key; write arn:aws:kms:eu-west-1:ACCOUNT:key/ID
    "#]],
    );
    check_key(
        "arn:aws:kms:eu-west-1:222222222222:alias/guardrails",
        expect![[r#"
        10:36: guardrails.corporate.copy.kms_keys.eu-west-1: "arn:aws:kms:eu-west-1:222222222222:alias/guardrails" is an alias, and AWS shows a guardrail's key only by its ARN, so the two can't be compared; write arn:aws:kms:eu-west-1:ACCOUNT:key/ID
    "#]],
    );
    check_key(
        "arn:aws:kms:eu-west-1:222222222222:key/short",
        expect![[r#"
        10:36: guardrails.corporate.copy.kms_keys.eu-west-1: "arn:aws:kms:eu-west-1:222222222222:key/short" is not a KMS key's ARN; write arn:aws:kms:eu-west-1:ACCOUNT:key/ID
    "#]],
    );
    check_key(
        "arn:aws:kms:eu-west-1:*:key/11111111-2222-4333-8444-555555555555",
        expect![[r#"
        10:36: guardrails.corporate.copy.kms_keys.eu-west-1: "arn:aws:kms:eu-west-1:*:key/11111111-2222-4333-8444-555555555555" is not a KMS key's ARN; write arn:aws:kms:eu-west-1:ACCOUNT:key/ID
    "#]],
    );
    check_key(
        "arn:aws:s3:::bucket",
        expect![[r#"
        10:36: guardrails.corporate.copy.kms_keys.eu-west-1: "arn:aws:s3:::bucket" is not a KMS key's ARN; write arn:aws:kms:eu-west-1:ACCOUNT:key/ID
    "#]],
    );
    check(
        &with_keys("{ eu-west-1: }"),
        expect![[r#"
        10:34: guardrails.corporate.copy.kms_keys.eu-west-1: empty, where a KMS key's ARN belongs; write arn:aws:kms:eu-west-1:ACCOUNT:key/ID
    "#]],
    );
}

#[test]
fn a_key_is_of_the_region_and_partition_it_stands_under() {
    check_key(
        &key("us-east-1"),
        expect![[r#"
        10:36: guardrails.corporate.copy.kms_keys.eu-west-1: the key is of Region "us-east-1", and a copy is encrypted in its own Region; write the ARN of a key in eu-west-1; a multi-Region key has one in each
    "#]],
    );
    check_key(
        &key("eu-west-1").replace("arn:aws:", "arn:aws-cn:"),
        expect![[r#"
        10:36: guardrails.corporate.copy.kms_keys.eu-west-1: the key is of partition "aws-cn", and eu-west-1 is in aws; write arn:aws:kms:eu-west-1:ACCOUNT:key/ID
    "#]],
    );
    check_key(
        &key("cn-north-1").replace("arn:aws:", "arn:aws-cn:"),
        expect![[r#"
        10:36: guardrails.corporate.copy.kms_keys.eu-west-1: the key is of partition "aws-cn", and eu-west-1 is in aws; write arn:aws:kms:eu-west-1:ACCOUNT:key/ID
        10:36: guardrails.corporate.copy.kms_keys.eu-west-1: the key is of Region "cn-north-1", and a copy is encrypted in its own Region; write the ARN of a key in eu-west-1; a multi-Region key has one in each
    "#]],
    );
}

#[test]
fn a_key_is_of_a_region_of_the_guardrail() {
    check(
        &with_keys(&format!("{{ eu-west-2: '{}', nowhere: x }}", key("eu-west-2"))),
        expect![[r#"
        10:25: guardrails.corporate.copy.kms_keys.eu-west-2: the guardrail isn't enforced in eu-west-2, so no copy there needs a key; add the Region to regions, or remove the key
        10:115: guardrails.corporate.copy.kms_keys.nowhere: "nowhere" is not a Region; write each Region by its code, for example us-east-1
    "#]],
    );
    // A Region with a problem of its own is one of the guardrail's all the same.
    let text = edited(
        REGIONS,
        &format!(
            "    regions: {{ eu-west-1: {{ version: DRAFT }} }}\n    placement: copy\n    copy: {{ kms_keys: {{ eu-west-1: '{}' }} }}\n",
            key("eu-west-1")
        ),
    );
    check(
        &text,
        expect![[r#"
        8:38: guardrails.corporate.regions.eu-west-1.version: DRAFT can't be enforced; write a published version's number, for example 3
    "#]],
    );
}

#[test]
fn keys_are_for_copies() {
    let keys = format!("    copy: {{ kms_keys: {{ eu-west-1: '{}' }} }}\n", key("eu-west-1"));
    check(
        &edited(REGIONS, &format!("{REGIONS}{keys}")),
        expect![[r#"
            9:11: guardrails.corporate.copy: it says how copies are made, and with placement: central there are none; write placement: auto or copy as well, or remove it
        "#]],
    );
    check(
        &edited(REGIONS, &format!("{REGIONS}    placement: central\n{keys}")),
        expect![[r#"
            10:11: guardrails.corporate.copy: it says how copies are made, and with placement: central there are none; write placement: auto or copy as well, or remove it
        "#]],
    );
    // What the placement is isn't known.
    check(
        &edited(REGIONS, &format!("{REGIONS}    placement: copied\n{keys}")),
        expect![[r#"
            9:16: guardrails.corporate.placement: "copied" is not known; write auto, central or copy
        "#]],
    );
    check(
        &edited(REGIONS, &format!("{REGIONS}    placement: copy\n    copy: {{ kms_key: 1 }}\n")),
        expect![[r#"
            10:13: guardrails.corporate.copy.kms_key: unknown key; write kms_keys, or remove it
        "#]],
    );
    check(
        &edited(REGIONS, &format!("{REGIONS}    placement: copy\n    copy: {{ kms_keys: [1] }}\n")),
        expect![[r#"
            10:23: guardrails.corporate.copy.kms_keys: a list stands where a mapping by Region belongs; write a key's ARN under each Region, as in kms_keys: {us-east-1: "arn:aws:kms:…"}
        "#]],
    );
}
