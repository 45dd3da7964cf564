//! A content, as CreateGuardrail and UpdateGuardrail take it.
//!
//! Member for member what GetGuardrail showed: what was absent stays absent. Every part is taken
//! apart, so that a new member of it can't be left behind.

use aws_sdk_bedrock::error::BuildError;
use aws_sdk_bedrock::types as aws;

use crate::content::{
    Content, ContentFilter, ContentPolicy, GroundingFilter, GroundingPolicy, ManagedWords, PiiEntity, Regex,
    SensitiveInformationPolicy, Term, Tier, Topic, TopicPolicy, Word, WordPolicy,
};

/// The parts of a request that say what a guardrail does.
pub(in crate::cloud) struct Config {
    pub(in crate::cloud) topics: Option<aws::GuardrailTopicPolicyConfig>,
    pub(in crate::cloud) filters: Option<aws::GuardrailContentPolicyConfig>,
    pub(in crate::cloud) words: Option<aws::GuardrailWordPolicyConfig>,
    pub(in crate::cloud) sensitive: Option<aws::GuardrailSensitiveInformationPolicyConfig>,
    pub(in crate::cloud) grounding: Option<aws::GuardrailContextualGroundingPolicyConfig>,
    pub(in crate::cloud) profile: Option<aws::GuardrailCrossRegionConfig>,
    pub(in crate::cloud) blocked_input: String,
    pub(in crate::cloud) blocked_outputs: String,
}

type Built<T> = Result<T, BuildError>;

impl Config {
    pub(in crate::cloud) fn of(content: &Content) -> Built<Config> {
        let Content {
            topic_policy,
            content_policy,
            word_policy,
            sensitive_information_policy,
            contextual_grounding_policy,
            profile,
            blocked_input_messaging,
            blocked_outputs_messaging,
        } = content;
        // A request may not have empty lists, so a policy without any element is left out.
        let topics = topic_policy.as_ref().filter(|policy| !policy.topics.is_empty());
        let filters = content_policy.as_ref().filter(|policy| !policy.filters.is_empty());
        let grounding = contextual_grounding_policy.as_ref().filter(|policy| !policy.filters.is_empty());
        let profile = profile.as_ref().map(|profile| {
            aws::GuardrailCrossRegionConfig::builder().guardrail_profile_identifier(profile.as_str()).build()
        });
        Ok(Config {
            topics: topics.map(topic_policy_config).transpose()?,
            filters: filters.map(content_policy_config).transpose()?,
            words: word_policy.as_ref().map(word_policy_config).transpose()?,
            sensitive: sensitive_information_policy.as_ref().map(sensitive_config).transpose()?,
            grounding: grounding.map(grounding_config).transpose()?,
            profile: profile.transpose()?,
            blocked_input: blocked_input_messaging.clone(),
            blocked_outputs: blocked_outputs_messaging.clone(),
        })
    }
}

fn topic_policy_config(policy: &TopicPolicy) -> Built<aws::GuardrailTopicPolicyConfig> {
    let TopicPolicy { topics, tier } = policy;
    let tier = tier.as_ref().map(|Tier { tier_name }| {
        aws::GuardrailTopicsTierConfig::builder().tier_name(tier_name.as_str().into()).build()
    });
    aws::GuardrailTopicPolicyConfig::builder()
        .set_topics_config(Some(each(topics, topic)?))
        .set_tier_config(tier.transpose()?)
        .build()
}

fn topic(topic: &Topic) -> Built<aws::GuardrailTopicConfig> {
    let Topic {
        name,
        definition,
        examples,
        r#type,
        input_action,
        output_action,
        input_enabled,
        output_enabled,
    } = topic;
    aws::GuardrailTopicConfig::builder()
        .name(name)
        .definition(definition)
        .set_examples((!examples.is_empty()).then(|| examples.clone()))
        // Optional in the answer, required in the request; there is only one.
        .r#type(r#type.as_ref().map_or(aws::GuardrailTopicType::Deny, |it| it.as_str().into()))
        .set_input_action(optional(input_action.as_ref()))
        .set_output_action(optional(output_action.as_ref()))
        .set_input_enabled(*input_enabled)
        .set_output_enabled(*output_enabled)
        .build()
}

fn content_policy_config(policy: &ContentPolicy) -> Built<aws::GuardrailContentPolicyConfig> {
    let ContentPolicy { filters, tier } = policy;
    let tier = tier.as_ref().map(|Tier { tier_name }| {
        aws::GuardrailContentFiltersTierConfig::builder().tier_name(tier_name.as_str().into()).build()
    });
    aws::GuardrailContentPolicyConfig::builder()
        .set_filters_config(Some(each(filters, content_filter)?))
        .set_tier_config(tier.transpose()?)
        .build()
}

fn content_filter(filter: &ContentFilter) -> Built<aws::GuardrailContentFilterConfig> {
    let ContentFilter {
        r#type,
        input_strength,
        output_strength,
        input_modalities,
        output_modalities,
        input_action,
        output_action,
        input_enabled,
        output_enabled,
    } = filter;
    let modalities =
        |terms: &[Term]| (!terms.is_empty()).then(|| terms.iter().map(|term| term.as_str().into()).collect());
    aws::GuardrailContentFilterConfig::builder()
        .r#type(r#type.as_str().into())
        .input_strength(input_strength.as_str().into())
        .output_strength(output_strength.as_str().into())
        .set_input_modalities(modalities(input_modalities))
        .set_output_modalities(modalities(output_modalities))
        .set_input_action(optional(input_action.as_ref()))
        .set_output_action(optional(output_action.as_ref()))
        .set_input_enabled(*input_enabled)
        .set_output_enabled(*output_enabled)
        .build()
}

fn word_policy_config(policy: &WordPolicy) -> Built<aws::GuardrailWordPolicyConfig> {
    let WordPolicy { words, managed_word_lists } = policy;
    Ok(aws::GuardrailWordPolicyConfig::builder()
        .set_words_config(some(each(words, word)?))
        .set_managed_word_lists_config(some(each(managed_word_lists, managed_words)?))
        .build())
}

fn word(word: &Word) -> Built<aws::GuardrailWordConfig> {
    let Word { text, input_action, output_action, input_enabled, output_enabled } = word;
    aws::GuardrailWordConfig::builder()
        .text(text)
        .set_input_action(optional(input_action.as_ref()))
        .set_output_action(optional(output_action.as_ref()))
        .set_input_enabled(*input_enabled)
        .set_output_enabled(*output_enabled)
        .build()
}

fn managed_words(list: &ManagedWords) -> Built<aws::GuardrailManagedWordsConfig> {
    let ManagedWords { r#type, input_action, output_action, input_enabled, output_enabled } = list;
    aws::GuardrailManagedWordsConfig::builder()
        .r#type(r#type.as_str().into())
        .set_input_action(optional(input_action.as_ref()))
        .set_output_action(optional(output_action.as_ref()))
        .set_input_enabled(*input_enabled)
        .set_output_enabled(*output_enabled)
        .build()
}

fn sensitive_config(
    policy: &SensitiveInformationPolicy,
) -> Built<aws::GuardrailSensitiveInformationPolicyConfig> {
    let SensitiveInformationPolicy { pii_entities, regexes } = policy;
    Ok(aws::GuardrailSensitiveInformationPolicyConfig::builder()
        .set_pii_entities_config(some(each(pii_entities, pii_entity)?))
        .set_regexes_config(some(each(regexes, regex)?))
        .build())
}

fn pii_entity(entity: &PiiEntity) -> Built<aws::GuardrailPiiEntityConfig> {
    let PiiEntity { r#type, action, input_action, output_action, input_enabled, output_enabled } = entity;
    aws::GuardrailPiiEntityConfig::builder()
        .r#type(r#type.as_str().into())
        .action(action.as_str().into())
        .set_input_action(optional(input_action.as_ref()))
        .set_output_action(optional(output_action.as_ref()))
        .set_input_enabled(*input_enabled)
        .set_output_enabled(*output_enabled)
        .build()
}

fn regex(regex: &Regex) -> Built<aws::GuardrailRegexConfig> {
    let Regex {
        name,
        description,
        pattern,
        action,
        input_action,
        output_action,
        input_enabled,
        output_enabled,
    } = regex;
    aws::GuardrailRegexConfig::builder()
        .name(name)
        .set_description(description.clone())
        .pattern(pattern)
        .action(action.as_str().into())
        .set_input_action(optional(input_action.as_ref()))
        .set_output_action(optional(output_action.as_ref()))
        .set_input_enabled(*input_enabled)
        .set_output_enabled(*output_enabled)
        .build()
}

fn grounding_config(policy: &GroundingPolicy) -> Built<aws::GuardrailContextualGroundingPolicyConfig> {
    let GroundingPolicy { filters, tier } = policy;
    let tier = tier.as_ref().map(|Tier { tier_name }| {
        aws::GuardrailContextualGroundingTierConfig::builder().tier_name(tier_name.as_str().into()).build()
    });
    aws::GuardrailContextualGroundingPolicyConfig::builder()
        .set_filters_config(Some(each(filters, grounding_filter)?))
        .set_tier_config(tier.transpose()?)
        .build()
}

fn grounding_filter(filter: &GroundingFilter) -> Built<aws::GuardrailContextualGroundingFilterConfig> {
    let GroundingFilter { r#type, threshold, action, enabled } = filter;
    aws::GuardrailContextualGroundingFilterConfig::builder()
        .r#type(r#type.as_str().into())
        .threshold(*threshold)
        .set_action(optional(action.as_ref()))
        .set_enabled(*enabled)
        .build()
}

fn each<T, C>(parts: &[T], config: fn(&T) -> Built<C>) -> Built<Vec<C>> {
    parts.iter().map(config).collect()
}

fn some<C>(configs: Vec<C>) -> Option<Vec<C>> {
    (!configs.is_empty()).then_some(configs)
}

fn optional<A: for<'a> From<&'a str>>(term: Option<&Term>) -> Option<A> {
    term.map(|term| term.as_str().into())
}
