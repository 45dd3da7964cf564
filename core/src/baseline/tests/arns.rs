//! ARNs: of the Region they stand under, of the owner, without a version.

use super::*;

const REGIONS: &str = "    regions: [us-east-1, eu-west-1]\n";

#[track_caller]
fn check_arn(arn: &str, problems: Expect) {
    check(&edited(REGIONS, &format!("    regions: {{eu-west-1: {{arn: '{arn}'}}}}\n")), problems);
}

#[test]
fn an_arn_is_of_the_region_the_owner_and_the_partition() {
    check_arn(
        "arn:aws:bedrock:eu-west-1:222222222222:guardrail/abc",
        expect![[r#"
            ok
        "#]],
    );
    check_arn(
        "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc",
        expect![[r#"
            8:32: guardrails.corporate.regions.eu-west-1.arn: the ARN is of Region "us-east-1", and a guardrail is enforced in its own Region only; write the ARN of the guardrail in eu-west-1
        "#]],
    );
    check_arn(
        "arn:aws:bedrock:eu-west-1:444444444444:guardrail/abc",
        expect![[r#"
            8:32: guardrails.corporate.regions.eu-west-1.arn: the ARN is of account "444444444444", and owner is 222222222222; write the ARN of a guardrail of the owner, or change owner
        "#]],
    );
    check_arn(
        "arn:aws-cn:bedrock:eu-west-1:222222222222:guardrail/abc",
        expect![[r#"
            8:32: guardrails.corporate.regions.eu-west-1.arn: the ARN is of partition "aws-cn", and eu-west-1 is in aws; write arn:aws:bedrock:eu-west-1:222222222222:guardrail/ID
        "#]],
    );
    check_arn(
        "arn:aws-cn:bedrock:cn-north-1:*:guardrail/my-name/1",
        expect![[r#"
            8:32: guardrails.corporate.regions.eu-west-1.arn: a guardrail's ARN carries no version; write arn: "arn:aws-cn:bedrock:cn-north-1:*:guardrail/my-name" and, as a key of its own, version: 1
            8:32: guardrails.corporate.regions.eu-west-1.arn: "my-name" is not a guardrail's id; end the ARN in the id that the console shows, not the name; or write name: instead of arn:
            8:32: guardrails.corporate.regions.eu-west-1.arn: the ARN is of partition "aws-cn", and eu-west-1 is in aws; write arn:aws:bedrock:eu-west-1:222222222222:guardrail/ID
            8:32: guardrails.corporate.regions.eu-west-1.arn: the ARN is of Region "cn-north-1", and a guardrail is enforced in its own Region only; write the ARN of the guardrail in eu-west-1
            8:32: guardrails.corporate.regions.eu-west-1.arn: the ARN is of account "*", and owner is 222222222222; write the ARN of a guardrail of the owner, or change owner
        "#]],
    );
    check_arn(
        "arn:aws:bedrock:eu-west-1::guardrail/",
        expect![[r#"
            8:32: guardrails.corporate.regions.eu-west-1.arn: "" is not a guardrail's id; end the ARN in the id that the console shows, not the name; or write name: instead of arn:
            8:32: guardrails.corporate.regions.eu-west-1.arn: the ARN is of account "", and owner is 222222222222; write the ARN of a guardrail of the owner, or change owner
        "#]],
    );
}

#[test]
fn an_arn_has_no_version() {
    check_arn(
        "arn:aws:bedrock:eu-west-1:222222222222:guardrail/abc:1",
        expect![[r#"
            8:32: guardrails.corporate.regions.eu-west-1.arn: a guardrail's ARN carries no version; write arn: "arn:aws:bedrock:eu-west-1:222222222222:guardrail/abc" and, as a key of its own, version: 1
        "#]],
    );
    check_arn(
        "arn:aws:bedrock:eu-west-1:222222222222:guardrail/abc/1",
        expect![[r#"
            8:32: guardrails.corporate.regions.eu-west-1.arn: a guardrail's ARN carries no version; write arn: "arn:aws:bedrock:eu-west-1:222222222222:guardrail/abc" and, as a key of its own, version: 1
        "#]],
    );
    check_arn(
        "arn:aws:bedrock:eu-west-1:222222222222:guardrail/abc:DRAFT",
        expect![[r#"
            8:32: guardrails.corporate.regions.eu-west-1.arn: a guardrail's ARN carries no version; write arn: "arn:aws:bedrock:eu-west-1:222222222222:guardrail/abc" and, as a key of its own, version: NUMBER
        "#]],
    );
}

#[test]
fn an_arn_is_a_guardrails() {
    check_arn(
        "arn:aws:bedrock:eu-west-1:222222222222:guardrail-profile/eu.guardrail.v1:0",
        expect![[r#"
            8:32: guardrails.corporate.regions.eu-west-1.arn: "arn:aws:bedrock:eu-west-1:222222222222:guardrail-profile/eu.guardrail.v1:0" names something else than a guardrail; write arn:aws:bedrock:eu-west-1:222222222222:guardrail/ID
        "#]],
    );
    check_arn(
        "arn:aws:s3:::bucket",
        expect![[r#"
            8:32: guardrails.corporate.regions.eu-west-1.arn: "arn:aws:s3:::bucket" is not a guardrail's ARN; write arn:aws:bedrock:eu-west-1:222222222222:guardrail/ID
        "#]],
    );
    check_arn(
        "hu1dlsv9wy1d",
        expect![[r#"
            8:32: guardrails.corporate.regions.eu-west-1.arn: "hu1dlsv9wy1d" is not a guardrail's ARN; write arn:aws:bedrock:eu-west-1:222222222222:guardrail/hu1dlsv9wy1d
        "#]],
    );
    check_arn(
        "corporate-baseline",
        expect![[r#"
            8:32: guardrails.corporate.regions.eu-west-1.arn: "corporate-baseline" is not a guardrail's ARN; write arn:aws:bedrock:eu-west-1:222222222222:guardrail/ID
        "#]],
    );
    check_arn(
        "",
        expect![[r#"
            8:32: guardrails.corporate.regions.eu-west-1.arn: "" is not a guardrail's ARN; write arn:aws:bedrock:eu-west-1:222222222222:guardrail/ID
        "#]],
    );
}

#[test]
fn a_bad_owner_hides_nothing_of_an_arn_but_the_account() {
    let text = edited(
        REGIONS,
        "    regions: {eu-west-1: {arn: 'arn:aws:bedrock:us-east-1:444444444444:guardrail/a'}}\n",
    );
    check(
        &text.replace("\"222222222222\"", "me"),
        expect![[r#"
            3:8: owner: "me" is not an account id; write the 12 digits of the account that owns the guardrails, for example "222222222222"
            8:32: guardrails.corporate.regions.eu-west-1.arn: the ARN is of Region "us-east-1", and a guardrail is enforced in its own Region only; write the ARN of the guardrail in eu-west-1
        "#]],
    );
}
