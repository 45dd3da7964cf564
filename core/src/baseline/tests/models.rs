//! Models, and what is mistaken for one.

use super::*;

#[track_caller]
fn check_models(models: &str, problems: Expect) {
    let text = edited("    version: 3\n", &format!("    version: 3\n    models: {models}\n"));
    match Baseline::parse(&text) {
        Ok(baseline) => {
            problems.assert_eq(&format!("{}\n", baseline.guardrails[&"corporate".parse().unwrap()].models));
        }
        Err(_) => check(&text, problems),
    }
}

#[test]
fn models_are_all_or_a_list() {
    check_models(
        "{include: [ALL]}",
        expect![[r#"
            models ALL
        "#]],
    );
    check_models(
        "{include: [ALL], exclude: [amazon.titan-embed-text-v2:0]}",
        expect![[r#"
            models ALL except amazon.titan-embed-text-v2:0
        "#]],
    );
    check_models(
        "{include: [amazon.nova-pro-v1:0:300k, amazon.nova-lite-v1:0], exclude: []}",
        expect![[r#"
            models amazon.nova-lite-v1:0, amazon.nova-pro-v1:0:300k
        "#]],
    );
    // Exclusions alone are taken from all models.
    check_models(
        "{exclude: [amazon.titan-embed-text-v2:0]}",
        expect![[r#"
            models ALL except amazon.titan-embed-text-v2:0
        "#]],
    );
    check_models(
        "{exclude: []}",
        expect![[r#"
            models ALL
        "#]],
    );
    // Of a key that isn't known, nothing more is said.
    check_models(
        "{exlude: [amazon.titan-embed-text-v2:0]}",
        expect![[r#"
        8:14: guardrails.corporate.models.exlude: unknown key; write exclude, or remove it
    "#]],
    );
    check_models(
        "{inclde: [amazon.titan-embed-text-v2:0]}",
        expect![[r#"
        8:14: guardrails.corporate.models.inclde: unknown key; write include, or remove it
    "#]],
    );
    // What isn't included needs no exclusion, and does no harm.
    check_models(
        "{include: [amazon.nova-pro-v1:0], exclude: [amazon.nova-lite-v1:0]}",
        expect![[r#"
            models amazon.nova-pro-v1:0 except amazon.nova-lite-v1:0
        "#]],
    );
}

#[test]
fn nothing_guarded_is_refused() {
    check_models(
        "{include: []}",
        expect![[r#"
            8:23: guardrails.corporate.models.include: an empty list would guard nothing; write include: [ALL], or the models to guard
        "#]],
    );
    check_models(
        "{include: }",
        expect![[r#"
            8:21: guardrails.corporate.models.include: empty, where a list of models belongs; write include: [ALL], or the models to guard
        "#]],
    );
    check_models(
        "{}",
        expect![[r#"
            8:13: guardrails.corporate.models.include: missing, and exclude is missing too; write include: [ALL], or the models to guard, or with exclude those not to guard
        "#]],
    );
    check_models(
        "{exclude: [amazon.nova-pro-v1:0]}",
        expect![[r#"
            models ALL except amazon.nova-pro-v1:0
        "#]],
    );
    check_models(
        "{include: [amazon.nova-pro-v1:0], exclude: [amazon.nova-pro-v1:0]}",
        expect![[r#"
            8:56: guardrails.corporate.models.exclude: every included model is excluded: it would guard nothing; remove one of them from exclude
        "#]],
    );
    check_models(
        "{include: [ALL], exclude: [ALL]}",
        expect![[r#"
            8:40: guardrails.corporate.models.exclude[0]: to exclude every model would guard nothing; assign `guardrail: none` where nothing is to be guarded
        "#]],
    );
}

/// As AWS's API and its Bedrock policies have them.
#[test]
fn the_lists_have_names_of_their_own() {
    check_models(
        "{includedModels: [ALL], excludedModels: [amazon.titan-embed-text-v2:0]}",
        expect![[r#"
            8:14: guardrails.corporate.models.includedModels: this is AWS's name of the key; write include
            8:37: guardrails.corporate.models.excludedModels: this is AWS's name of the key; write exclude
        "#]],
    );
    check_models(
        "{included_models: [ALL]}",
        expect![[r#"
            8:14: guardrails.corporate.models.included_models: this is AWS's name of the key; write include
        "#]],
    );
}

#[test]
fn all_stands_alone_and_in_capitals() {
    check_models(
        "{include: [amazon.nova-pro-v1:0, ALL]}",
        expect![[r#"
            8:46: guardrails.corporate.models.include[1]: ALL stands beside models; write include: [ALL] alone, or remove ALL
        "#]],
    );
    check_models(
        "{include: [all]}",
        expect![[r#"
            8:24: guardrails.corporate.models.include[0]: "all" is not a model; write ALL in capitals for every model
        "#]],
    );
    check_models(
        "{include: ['*']}",
        expect![[r#"
            8:24: guardrails.corporate.models.include[0]: "*" is not a model; write ALL in capitals for every model
        "#]],
    );
    check_models(
        "{include: [ALL, ALL]}",
        expect![[r#"
            8:29: guardrails.corporate.models.include[1]: ALL is listed twice, on line 8; remove one
        "#]],
    );
    check_models(
        "{include: [ALL, us.amazon.nova-pro-v1:0]}",
        expect![[r#"
            8:24: guardrails.corporate.models.include[0]: ALL stands beside models; write include: [ALL] alone, or remove ALL
            8:29: guardrails.corporate.models.include[1]: "us.amazon.nova-pro-v1:0" is an inference profile, and an enforcement names base models; write amazon.nova-pro-v1:0
        "#]],
    );
    check_models(
        "{include: ALL}",
        expect![[r#"
            8:23: guardrails.corporate.models.include: "ALL" stands where a list of models belongs; write include: [ALL], or the models to guard
        "#]],
    );
    check_models(
        "ALL",
        expect![[r#"
            8:13: guardrails.corporate.models: "ALL" stands where a mapping belongs; write a mapping of the keys include and exclude
        "#]],
    );
    check_models(
        "[ALL]",
        expect![[r#"
            8:13: guardrails.corporate.models: a list stands where a mapping belongs; write a mapping of the keys include and exclude
        "#]],
    );
}

#[test]
fn a_model_stands_once() {
    check_models(
        "{include: [amazon.nova-pro-v1:0, amazon.nova-pro-v1:0]}",
        expect![[r#"
            8:46: guardrails.corporate.models.include[1]: amazon.nova-pro-v1:0 is listed twice, on line 8; remove one
        "#]],
    );
}

#[test]
fn an_inference_profile_is_not_a_model() {
    check_models(
        "{include: [us.anthropic.claude-sonnet-4-20250514-v1:0]}",
        expect![[r#"
            8:24: guardrails.corporate.models.include[0]: "us.anthropic.claude-sonnet-4-20250514-v1:0" is an inference profile, and an enforcement names base models; write anthropic.claude-sonnet-4-20250514-v1:0
        "#]],
    );
    check_models(
        "{include: [global.anthropic.claude-sonnet-4-20250514-v1:0]}",
        expect![[r#"
            8:24: guardrails.corporate.models.include[0]: "global.anthropic.claude-sonnet-4-20250514-v1:0" is an inference profile, and an enforcement names base models; write anthropic.claude-sonnet-4-20250514-v1:0
        "#]],
    );
    check_models(
        "{include: [us-gov.anthropic.claude-3-haiku-20240307-v1:0]}",
        expect![[r#"
            8:24: guardrails.corporate.models.include[0]: "us-gov.anthropic.claude-3-haiku-20240307-v1:0" is an inference profile, and an enforcement names base models; write anthropic.claude-3-haiku-20240307-v1:0
        "#]],
    );
    check_models(
        "{include: [mars.amazon.nova-pro-v1:0]}",
        expect![[r#"
            8:24: guardrails.corporate.models.include[0]: "mars.amazon.nova-pro-v1:0" is an inference profile, and an enforcement names base models; write amazon.nova-pro-v1:0
        "#]],
    );
    check_models(
        "{include: [eu.claude]}",
        expect![[r#"
            8:24: guardrails.corporate.models.include[0]: "eu.claude" is not a base model's id; write a base model's id, for example amazon.nova-pro-v1:0
        "#]],
    );
    check_models(
        "{include: [us.minimax.minimax-m2.1]}",
        expect![[r#"
            8:24: guardrails.corporate.models.include[0]: "us.minimax.minimax-m2.1" is an inference profile, and an enforcement names base models; remove it: an enforcement can't name this model, and include: [ALL] guards it with all others
        "#]],
    );
    check_models(
        "{include: ['arn:aws:bedrock:us-east-1:222222222222:inference-profile/eu.amazon.nova-pro-v1:0']}",
        expect![[r#"
            8:24: guardrails.corporate.models.include[0]: "arn:aws:bedrock:us-east-1:222222222222:inference-profile/eu.amazon.nova-pro-v1:0" is an inference profile's ARN; write amazon.nova-pro-v1:0
        "#]],
    );
    check_models(
        "{include: ['arn:aws:bedrock:us-east-1:222222222222:application-inference-profile/abc123']}",
        expect![[r#"
            8:24: guardrails.corporate.models.include[0]: "arn:aws:bedrock:us-east-1:222222222222:application-inference-profile/abc123" is an ARN, and an enforcement names base models by id; write the id of the base model behind it, for example amazon.nova-pro-v1:0
        "#]],
    );
}

#[test]
fn a_model_is_named_by_its_id() {
    check_models(
        "{include: ['arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0']}",
        expect![[r#"
            8:24: guardrails.corporate.models.include[0]: "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1"… is a model's ARN; write anthropic.claude-3-haiku-20240307-v1:0
        "#]],
    );
    check_models(
        "{include: [Anthropic.Claude-3-haiku]}",
        expect![[r#"
            8:24: guardrails.corporate.models.include[0]: "Anthropic.Claude-3-haiku" is not a base model's id; write anthropic.claude-3-haiku
        "#]],
    );
    check_models(
        "{include: [claude-3]}",
        expect![[r#"
            8:24: guardrails.corporate.models.include[0]: "claude-3" is not a base model's id; write a base model's id, for example amazon.nova-pro-v1:0
        "#]],
    );
    check_models(
        "{include: [anthropic.*]}",
        expect![[r#"
            8:24: guardrails.corporate.models.include[0]: "anthropic.*" is not a base model's id; write a base model's id, for example amazon.nova-pro-v1:0
        "#]],
    );
    check_models(
        "{include: [[amazon.nova-pro-v1:0]]}",
        expect![[r#"
            8:24: guardrails.corporate.models.include[0]: a list stands where a model belongs; write a base model's id, for example amazon.nova-pro-v1:0
        "#]],
    );
}

#[test]
fn a_second_dot_cannot_be_named() {
    check_models(
        "{include: [minimax.minimax-m2.1]}",
        expect![[r#"
            8:24: guardrails.corporate.models.include[0]: "minimax.minimax-m2.1" has a second dot, which AWS's pattern for enforced models refuses; remove it: an enforcement can't name this model, and include: [ALL] guards it with all others
        "#]],
    );
    check_models(
        "{include: [ALL], exclude: [zai.glm-4.7]}",
        expect![[r#"
            8:40: guardrails.corporate.models.exclude[0]: "zai.glm-4.7" has a second dot, which AWS's pattern for enforced models refuses; remove it: an enforcement can't name this model, and include: [ALL] guards it with all others
        "#]],
    );
}
