//! The settings at the end of a Bedrock policy's branches, by their paths, with their values and operators.

use std::collections::BTreeSet;
use std::fmt;

use super::ids::PolicyAt;
use crate::words::{nearest, words};

/// The only key at the root of a Bedrock policy.
const ROOT: &str = "bedrock";
/// The only key below it that AWS documents.
const INFERENCE: &str = "guardrail_inference";
/// The settings begin at this level: below `bedrock`, `guardrail_inference`, the Region and the name.
pub(super) const SETTING_LEVEL: usize = 4;

/// Where a value stands in a Bedrock policy: the keys from the root down to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafPath(Vec<String>);

impl LeafPath {
    /// The path of one setting in one Region, under the name of a configuration.
    pub(super) fn of(region: &str, name: &str, setting: Setting) -> LeafPath {
        let start = [ROOT, INFERENCE, region, name];
        LeafPath(start.iter().chain(setting.keys()).map(|key| (*key).to_owned()).collect())
    }

    pub(super) fn child(&self, key: &str) -> LeafPath {
        LeafPath(self.0.iter().map(String::as_str).chain([key]).map(str::to_owned).collect())
    }

    /// The keys, from the root.
    pub fn keys(&self) -> &[String] {
        &self.0
    }

    /// The first keys of it; all where it has fewer.
    pub(super) fn beginning(&self, length: usize) -> LeafPath {
        LeafPath(self.0.iter().take(length).cloned().collect())
    }

    /// Every key in lower case.
    pub(super) fn in_lower_case(&self) -> LeafPath {
        LeafPath(self.0.iter().map(|key| key.to_lowercase()).collect())
    }

    /// The containers that it stands in, the outermost first.
    pub(super) fn containers(&self) -> impl Iterator<Item = LeafPath> {
        (0..self.0.len()).map(|length| self.beginning(length))
    }

    /// Whether it stands in this container.
    pub(super) fn is_below(&self, container: &LeafPath) -> bool {
        self.0.len() > container.0.len() && self.0.starts_with(&container.0)
    }

    /// The Region key and the name of the configuration that it belongs to, known or not.
    pub fn configuration(&self) -> Option<(&str, &str)> {
        match self.0.as_slice() {
            [root, inference, region, name, _, ..] if root == ROOT && inference == INFERENCE => {
                Some((region, name))
            }
            _ => None,
        }
    }

    /// Whether it has settings below it, as far as AWS documents them.
    pub(super) fn is_container(&self) -> bool {
        if self.0.len() <= SETTING_LEVEL {
            return self.0.iter().zip([ROOT, INFERENCE]).all(|(key, known)| key == known);
        }
        let rest = &self.0[SETTING_LEVEL..];
        let is_above = |setting: Setting| {
            setting.keys().len() > rest.len()
                && rest.iter().zip(setting.keys()).all(|(key, known)| key == known)
        };
        self.beginning(SETTING_LEVEL).is_container() && Setting::ALL.into_iter().any(is_above)
    }

    /// The first key of it that AWS doesn't document, with the one that was probably meant.
    pub(super) fn misspelt(&self) -> Option<(&str, &'static str)> {
        self.0.iter().enumerate().find_map(|(level, key)| {
            let known: Vec<&'static str> = match level {
                0 => vec![ROOT],
                1 => vec![INFERENCE],
                // Regions and names are free.
                2..SETTING_LEVEL => Vec::new(),
                _ => Setting::ALL
                    .into_iter()
                    .filter(|setting| *setting != Setting::InputTags)
                    .filter(|setting| {
                        setting.keys().iter().take(level - SETTING_LEVEL).eq(&self.0[SETTING_LEVEL..level])
                    })
                    .filter_map(|setting| setting.keys().get(level - SETTING_LEVEL).copied())
                    .collect(),
            };
            if known.contains(&key.as_str()) { None } else { Some((key.as_str(), nearest(key, known)?)) }
        })
    }

    /// Which setting it is; `None` where AWS documents none there.
    pub fn setting(&self) -> Option<Setting> {
        self.configuration()?;
        let rest = &self.0[SETTING_LEVEL..];
        Setting::ALL.into_iter().find(|setting| rest.iter().eq(setting.keys()))
    }
}

impl fmt::Display for LeafPath {
    /// `bedrock.guardrail_inference.us-east-1.…`, fit for a terminal; empty for the whole document.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 64;
        for (position, key) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(".")?;
            }
            for character in key.chars().take(SHOWN) {
                write!(f, "{}", character.escape_debug())?;
            }
            if key.chars().nth(SHOWN).is_some() {
                f.write_str("…")?;
            }
        }
        Ok(())
    }
}

/// A setting of one configuration (Organizations user guide, Bedrock policy syntax).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Setting {
    /// The guardrail's ARN, a colon and its numeric version. AWS requires it.
    Identifier,
    /// Whether the system prompt is guarded whole, or only where it is tagged.
    System,
    /// The same of the messages.
    Messages,
    /// The models guarded; none, or `ALL`, is every model.
    IncludedModels,
    /// The models left unguarded all the same.
    ExcludedModels,
    /// The preview's form of guarding, `honor` or `ignore`. It is read and never written.
    InputTags,
}

impl Setting {
    pub(super) const ALL: [Setting; 6] = [
        Setting::Identifier,
        Setting::System,
        Setting::Messages,
        Setting::IncludedModels,
        Setting::ExcludedModels,
        Setting::InputTags,
    ];

    /// The keys below the configuration's name.
    pub(super) fn keys(self) -> &'static [&'static str] {
        match self {
            Setting::Identifier => &["identifier"],
            Setting::System => &["selective_content_guarding", "system"],
            Setting::Messages => &["selective_content_guarding", "messages"],
            Setting::IncludedModels => &["model_enforcement", "included_models"],
            Setting::ExcludedModels => &["model_enforcement", "excluded_models"],
            Setting::InputTags => &["input_tags"],
        }
    }

    /// Whether its value is a list, which `@@append` and `@@remove` can change.
    pub fn is_list(self) -> bool {
        matches!(self, Setting::IncludedModels | Setting::ExcludedModels)
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.keys().join("."))
    }
}

/// A value. The order of a list means nothing: AWS publishes lists in any order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeafValue {
    /// One text; a number or a boolean is one too.
    Text(String),
    /// A list of texts.
    List(BTreeSet<String>),
}

words! {
    /// An operator that sets a value.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum ValueOperator {
        /// Sets it, whatever was there.
        Assign = "@@assign",
        /// Adds to a list.
        Append = "@@append",
        /// Takes from a list.
        Remove = "@@remove",
    }

    impl Display;
}

/// What `@@operators_allowed_for_child_policies` lets the documents below do. By default everything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AllowedOperators(BTreeSet<ValueOperator>);

impl Default for AllowedOperators {
    fn default() -> AllowedOperators {
        AllowedOperators(ValueOperator::ALL.into())
    }
}

impl AllowedOperators {
    pub(super) fn only(operators: impl IntoIterator<Item = ValueOperator>) -> AllowedOperators {
        AllowedOperators(operators.into_iter().collect())
    }

    /// Whether it forbids nothing.
    pub fn is_all(&self) -> bool {
        self.0.len() == ValueOperator::ALL.len()
    }

    pub(super) fn contains(&self, operator: ValueOperator) -> bool {
        self.0.contains(&operator)
    }

    /// What both let pass.
    pub(super) fn and(&self, other: &AllowedOperators) -> AllowedOperators {
        AllowedOperators(self.0.intersection(&other.0).copied().collect())
    }
}

/// What one document says of one setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeafOperators {
    pub(super) assign: Option<LeafValue>,
    pub(super) append: BTreeSet<String>,
    pub(super) remove: BTreeSet<String>,
    pub(super) allowed: AllowedOperators,
}

impl LeafOperators {
    pub(super) fn assigning(value: LeafValue) -> LeafOperators {
        LeafOperators { assign: Some(value), ..LeafOperators::default() }
    }

    /// The operators that it uses.
    pub(super) fn used(&self) -> impl Iterator<Item = ValueOperator> {
        let used = [
            (ValueOperator::Assign, self.assign.is_some()),
            (ValueOperator::Append, !self.append.is_empty()),
            (ValueOperator::Remove, !self.remove.is_empty()),
        ];
        used.into_iter().filter(|(_, is_used)| *is_used).map(|(operator, _)| operator)
    }
}

/// Which documents the value of a setting comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueOrigin {
    /// The one that assigned it.
    pub assigned: Option<PolicyAt>,
    /// Those that appended to it afterwards.
    pub appended: BTreeSet<PolicyAt>,
    /// Those that removed from it afterwards.
    pub removed: BTreeSet<PolicyAt>,
}

impl ValueOrigin {
    /// All of them.
    pub fn policies(&self) -> impl Iterator<Item = &PolicyAt> {
        self.assigned.iter().chain(&self.appended).chain(&self.removed)
    }
}
