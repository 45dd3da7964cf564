//! One text for everything that means the same, and its hash.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Content;
use crate::ids::text_id;

text_id!(
    /// The SHA-256 of a content's meaning, in hexadecimal.
    Digest,
    "a content's digest",
    "64 hexadecimal digits",
    |text| text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
);

impl Digest {
    /// Its first 16 digits: enough to distinguish versions, not to prove anything.
    pub fn short(&self) -> &str {
        &self.as_str()[..16]
    }
}

impl Content {
    /// The same for two contents exactly when they do the same.
    pub fn digest(&self) -> Digest {
        let value = serde_json::to_value(self.filled()).expect("it is made of texts, numbers and lists");
        let text = canonical(&value).unwrap_or_default();
        let digits: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
        digits.parse().expect("a SHA-256 has 64 hexadecimal digits")
    }

    /// The same for two contents in different Regions exactly when they do the same. A profile for
    /// cross-Region inference belongs to a part of the world, so it says where, not what.
    pub fn digest_across_regions(&self) -> Digest {
        Content { profile: None, ..self.clone() }.digest()
    }

    /// With what absent members mean in their place, and without policies that hold nothing.
    pub(super) fn filled(&self) -> Content {
        let mut content = self.clone();
        let Content {
            topic_policy,
            content_policy,
            word_policy,
            sensitive_information_policy,
            contextual_grounding_policy,
            profile: _,
            blocked_input_messaging: _,
            blocked_outputs_messaging: _,
        } = &mut content;
        // A tier without anything that it could apply to is nothing.
        *topic_policy = topic_policy.take().filter(|policy| !policy.topics.is_empty());
        *content_policy = content_policy.take().filter(|policy| !policy.filters.is_empty());
        *contextual_grounding_policy =
            contextual_grounding_policy.take().filter(|policy| !policy.filters.is_empty());
        topic_policy.iter_mut().for_each(super::TopicPolicy::fill);
        content_policy.iter_mut().for_each(super::ContentPolicy::fill);
        word_policy.iter_mut().for_each(super::WordPolicy::fill);
        sensitive_information_policy.iter_mut().for_each(super::SensitiveInformationPolicy::fill);
        contextual_grounding_policy.iter_mut().for_each(super::GroundingPolicy::fill);
        content
    }
}

/// JSON with the members of objects and the elements of lists in order, and without what says
/// nothing. No list in a guardrail's content has an order that AWS gives a meaning to.
fn canonical(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(value.to_string()),
        Value::Array(values) => {
            let mut texts: Vec<String> = values.iter().filter_map(canonical).collect();
            texts.sort();
            texts.dedup();
            (!texts.is_empty()).then(|| format!("[{}]", texts.join(",")))
        }
        Value::Object(members) => {
            let members: BTreeMap<&String, String> =
                members.iter().filter_map(|(name, value)| Some((name, canonical(value)?))).collect();
            let texts: Vec<String> =
                members.into_iter().map(|(name, text)| format!("\"{name}\":{text}")).collect();
            (!texts.is_empty()).then(|| format!("{{{}}}", texts.join(",")))
        }
    }
}
