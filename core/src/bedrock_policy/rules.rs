//! What nobody knows of AWS's merge, as a value: a caller evaluates under every answer, and acts only on what is safe
//! under each.

use super::document::BedrockPolicy;
use super::leaf::{LeafPath, Setting};

/// One possible behaviour of AWS where its documentation and what others measured leave a question open.
///
/// The default is the first of each pair: what a merge does that asks for nothing more than is documented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MergeRules {
    /// Two configurations in one Region.
    pub two_names: TwoNames,
    /// An operator that a policy above forbids.
    pub forbidden: ForbiddenOperator,
    /// The letter case of keys.
    pub letter_case: LetterCase,
    /// One list of models without the other.
    pub model_lists: ModelLists,
    /// A lock beside keys.
    pub container_locks: ContainerLocks,
}

/// What becomes of two configurations in one Region of one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TwoNames {
    /// Both are published. Whether both act then, or only one, isn't known either.
    #[default]
    Published,
    /// The result is invalid: `ELEMENTS_TOO_MANY`.
    Invalid,
}

/// What becomes of an operator that a policy above forbids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ForbiddenOperator {
    /// It does nothing.
    #[default]
    Ignored,
    /// The result is invalid.
    Invalid,
}

/// What becomes of capitals in keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LetterCase {
    /// They stay, and names that differ in them are two names.
    #[default]
    Kept,
    /// Keys are one where they differ in them only, and are published in lower case.
    Lowered,
}

/// Whether a configuration needs both lists of models where it has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModelLists {
    /// It doesn't.
    #[default]
    Optional,
    /// Otherwise the result is invalid: `KEY_REQUIRED`.
    Required,
}

/// What a lock does that stands beside keys. That it doesn't lock the settings below was measured of other types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContainerLocks {
    /// Nothing.
    #[default]
    Nothing,
    /// It keeps policies below from adding settings that nobody above has set.
    NewSettings,
}

impl MergeRules {
    /// Every combination of answers.
    pub fn every() -> Vec<MergeRules> {
        MergeRules::combined(MergeRulesThatMatter::ALL)
    }

    /// The combinations that can make a difference to a merge of these documents. Under any other one the result is
    /// the same as under one of these.
    pub fn that_matter<'a>(documents: impl IntoIterator<Item = &'a BedrockPolicy>) -> Vec<MergeRules> {
        let documents: Vec<&BedrockPolicy> = documents.into_iter().collect();
        let any = |test: fn(&BedrockPolicy) -> bool| documents.iter().any(|document| test(document));
        let mut names: Vec<(&str, &str)> =
            documents.iter().flat_map(|document| document.configurations()).collect();
        names.sort_unstable();
        names.dedup();
        let locks = any(BedrockPolicy::has_locks);
        MergeRules::combined(MergeRulesThatMatter {
            two_names: names.windows(2).any(|pair| pair[0].0 == pair[1].0) || any(has_capitals),
            forbidden: locks,
            letter_case: any(has_capitals),
            // A lock may keep one list out and let the other in.
            model_lists: locks || any(has_one_list) || any(has_capitals),
            container_locks: any(|document| document.containers.values().any(|allowed| !allowed.is_all())),
        })
    }

    fn combined(matter: MergeRulesThatMatter) -> Vec<MergeRules> {
        fn choices<T: Copy>(matters: bool, choices: [T; 2]) -> Vec<T> {
            if matters { choices.to_vec() } else { choices[..1].to_vec() }
        }
        let MergeRulesThatMatter { two_names, forbidden, letter_case, model_lists, container_locks } = matter;
        let mut rules = Vec::new();
        for two_names in choices(two_names, [TwoNames::Published, TwoNames::Invalid]) {
            for forbidden in choices(forbidden, [ForbiddenOperator::Ignored, ForbiddenOperator::Invalid]) {
                for letter_case in choices(letter_case, [LetterCase::Kept, LetterCase::Lowered]) {
                    for model_lists in choices(model_lists, [ModelLists::Optional, ModelLists::Required]) {
                        for container_locks in
                            choices(container_locks, [ContainerLocks::Nothing, ContainerLocks::NewSettings])
                        {
                            rules.push(MergeRules {
                                two_names,
                                forbidden,
                                letter_case,
                                model_lists,
                                container_locks,
                            });
                        }
                    }
                }
            }
        }
        rules
    }
}

/// Which questions the answer to makes a difference.
#[derive(Clone, Copy, Debug)]
struct MergeRulesThatMatter {
    two_names: bool,
    forbidden: bool,
    letter_case: bool,
    model_lists: bool,
    container_locks: bool,
}

impl MergeRulesThatMatter {
    const ALL: MergeRulesThatMatter = MergeRulesThatMatter {
        two_names: true,
        forbidden: true,
        letter_case: true,
        model_lists: true,
        container_locks: true,
    };
}

fn has_capitals(document: &BedrockPolicy) -> bool {
    let paths = document.leaves.keys().chain(document.containers.keys());
    paths.into_iter().any(|path| *path != path.in_lower_case())
}

/// Whether a configuration of the document sets one list of models and not the other.
fn has_one_list(document: &BedrockPolicy) -> bool {
    document.configurations().into_iter().any(|(region, name)| {
        let has = |setting| {
            let leaf = document.leaves.get(&LeafPath::of(region, name, setting));
            leaf.is_some_and(|leaf| leaf.assign.is_some() || !leaf.append.is_empty())
        };
        has(Setting::IncludedModels) != has(Setting::ExcludedModels)
    })
}
