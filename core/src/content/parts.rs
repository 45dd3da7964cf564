//! The policies of a guardrail, member for member as GetGuardrail answers them.
//!
//! `deny_unknown_fields` everywhere is what finds a member that AWS added. Each `fill` puts what an
//! absent member means in its place, for comparing; it takes the struct apart, so that a new field
//! can't be forgotten there.
//!
//! The service model states no defaults. Assumed are those of the console and the User Guide: what
//! is detected is blocked, evaluation is enabled, filters look at text, the tier is `CLASSIC`. A
//! wrong guess is harmless: a copy is written with the same members present as in its original.

use serde::{Deserialize, Serialize};

use super::Term;

macro_rules! part {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct $name {
            $(
                #[doc = concat!("GetGuardrail's `", stringify!($field), "`.")]
                $(#[$field_doc])*
                pub $field: $type,
            )*
        }
    };
}

part!(
    /// Denied topics.
    TopicPolicy {
        #[serde(default)]
        topics: Vec<Topic>,
        tier: Option<Tier>,
    }
);

part!(
    /// One denied topic.
    Topic {
        name: String,
        definition: String,
        #[serde(default)]
        examples: Vec<String>,
        r#type: Option<Term>,
        input_action: Option<Term>,
        output_action: Option<Term>,
        input_enabled: Option<bool>,
        output_enabled: Option<bool>,
    }
);

part!(
    /// Filters for harmful content.
    ContentPolicy {
        #[serde(default)]
        filters: Vec<ContentFilter>,
        tier: Option<Tier>,
    }
);

part!(
    /// One kind of harmful content.
    ContentFilter {
        r#type: Term,
        input_strength: Term,
        output_strength: Term,
        #[serde(default)]
        input_modalities: Vec<Term>,
        #[serde(default)]
        output_modalities: Vec<Term>,
        input_action: Option<Term>,
        output_action: Option<Term>,
        input_enabled: Option<bool>,
        output_enabled: Option<bool>,
    }
);

part!(
    /// Denied words.
    WordPolicy {
        #[serde(default)]
        words: Vec<Word>,
        #[serde(default)]
        managed_word_lists: Vec<ManagedWords>,
    }
);

part!(
    /// A word or phrase of the owner's own.
    Word {
        text: String,
        input_action: Option<Term>,
        output_action: Option<Term>,
        input_enabled: Option<bool>,
        output_enabled: Option<bool>,
    }
);

part!(
    /// A list of words that AWS keeps.
    ManagedWords {
        r#type: Term,
        input_action: Option<Term>,
        output_action: Option<Term>,
        input_enabled: Option<bool>,
        output_enabled: Option<bool>,
    }
);

part!(
    /// Sensitive information.
    SensitiveInformationPolicy {
        #[serde(default)]
        pii_entities: Vec<PiiEntity>,
        #[serde(default)]
        regexes: Vec<Regex>,
    }
);

part!(
    /// A kind of personal information.
    PiiEntity {
        r#type: Term,
        action: Term,
        input_action: Option<Term>,
        output_action: Option<Term>,
        input_enabled: Option<bool>,
        output_enabled: Option<bool>,
    }
);

part!(
    /// A pattern of the owner's own.
    Regex {
        name: String,
        description: Option<String>,
        pattern: String,
        action: Term,
        input_action: Option<Term>,
        output_action: Option<Term>,
        input_enabled: Option<bool>,
        output_enabled: Option<bool>,
    }
);

part!(
    /// Whether an answer is grounded in its source and relevant to the question.
    GroundingPolicy {
        #[serde(default)]
        filters: Vec<GroundingFilter>,
        tier: Option<Tier>,
    }
);

part!(
    /// One measure of grounding.
    GroundingFilter {
        r#type: Term,
        threshold: f64,
        action: Option<Term>,
        enabled: Option<bool>,
    }
);

part!(
    /// Which generation of a policy's machinery is used.
    Tier {
        tier_name: Term,
    }
);

/// The profile for cross-Region inference, by id, by ARN or both.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CrossRegionDetails {
    pub(super) guardrail_profile_id: Option<String>,
    pub(super) guardrail_profile_arn: Option<String>,
}

impl TopicPolicy {
    pub(super) fn fill(&mut self) {
        let TopicPolicy { topics, tier } = self;
        topics.iter_mut().for_each(Topic::fill);
        fill_tier(tier);
    }
}

impl Topic {
    fn fill(&mut self) {
        let Topic {
            name: _,
            definition: _,
            examples: _,
            r#type,
            input_action,
            output_action,
            input_enabled,
            output_enabled,
        } = self;
        r#type.get_or_insert_with(|| term("DENY"));
        fill_sides(&block(), [input_action, output_action], [input_enabled, output_enabled]);
    }
}

impl ContentPolicy {
    pub(super) fn fill(&mut self) {
        let ContentPolicy { filters, tier } = self;
        filters.iter_mut().for_each(ContentFilter::fill);
        fill_tier(tier);
    }
}

impl ContentFilter {
    fn fill(&mut self) {
        let ContentFilter {
            r#type: _,
            input_strength: _,
            output_strength: _,
            input_modalities,
            output_modalities,
            input_action,
            output_action,
            input_enabled,
            output_enabled,
        } = self;
        for modalities in [input_modalities, output_modalities] {
            if modalities.is_empty() {
                modalities.push(term("TEXT"));
            }
        }
        fill_sides(&block(), [input_action, output_action], [input_enabled, output_enabled]);
    }
}

impl WordPolicy {
    pub(super) fn fill(&mut self) {
        let WordPolicy { words, managed_word_lists } = self;
        for word in words {
            let Word { text: _, input_action, output_action, input_enabled, output_enabled } = word;
            fill_sides(&block(), [input_action, output_action], [input_enabled, output_enabled]);
        }
        for list in managed_word_lists {
            let ManagedWords { r#type: _, input_action, output_action, input_enabled, output_enabled } = list;
            fill_sides(&block(), [input_action, output_action], [input_enabled, output_enabled]);
        }
    }
}

impl SensitiveInformationPolicy {
    /// Here one action stands for both sides where they have none of their own.
    pub(super) fn fill(&mut self) {
        let SensitiveInformationPolicy { pii_entities, regexes } = self;
        for entity in pii_entities {
            let PiiEntity { r#type: _, action, input_action, output_action, input_enabled, output_enabled } =
                entity;
            fill_sides(action, [input_action, output_action], [input_enabled, output_enabled]);
        }
        for regex in regexes {
            let Regex {
                name: _,
                description: _,
                pattern: _,
                action,
                input_action,
                output_action,
                input_enabled,
                output_enabled,
            } = regex;
            fill_sides(action, [input_action, output_action], [input_enabled, output_enabled]);
        }
    }
}

impl GroundingPolicy {
    pub(super) fn fill(&mut self) {
        let GroundingPolicy { filters, tier } = self;
        for filter in filters {
            let GroundingFilter { r#type: _, threshold: _, action, enabled } = filter;
            action.get_or_insert_with(block);
            enabled.get_or_insert(true);
        }
        fill_tier(tier);
    }
}

fn fill_sides(action: &Term, actions: [&mut Option<Term>; 2], enabled: [&mut Option<bool>; 2]) {
    for side in actions {
        side.get_or_insert_with(|| action.clone());
    }
    for side in enabled {
        side.get_or_insert(true);
    }
}

fn fill_tier(tier: &mut Option<Tier>) {
    tier.get_or_insert_with(|| Tier { tier_name: term("CLASSIC") });
}

fn block() -> Term {
    term("BLOCK")
}

fn term(text: &str) -> Term {
    text.parse().expect("it is written here and in capitals")
}
