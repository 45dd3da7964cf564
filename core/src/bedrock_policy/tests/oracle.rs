//! The merge held against a plain second one, which walks JSON value by value and shares no code with it.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use super::generators::{foreign_document, own_document};
use super::*;

/// The documents of one account: of each point, the root's first, in the order of attachment.
type Chain = Vec<Vec<String>>;

/// What one place holds, while the chain is walked.
#[derive(Clone)]
struct Place {
    value: Option<Value>,
    allowed: BTreeSet<String>,
}

/// The effective policy; `None` where the merge is invalid.
pub(super) fn effective(chain: &Chain, rules: MergeRules) -> Option<Value> {
    let lowered = rules.letter_case == LetterCase::Lowered;
    let chain: Vec<Vec<Value>> =
        chain.iter().map(|point| point.iter().map(|text| read(text, lowered)).collect()).collect();
    let places: BTreeSet<Vec<String>> =
        chain.iter().flatten().flat_map(|document| settings(document, &mut Vec::new())).collect();
    let mut result = json!({});
    let mut is_valid = true;
    for place in &places {
        if let Some(value) = follow(place, &chain, rules, &mut is_valid) {
            let mut here = &mut result;
            for key in place {
                here = here.as_object_mut()?.entry(key).or_insert_with(|| json!({}));
            }
            *here = value;
        }
    }
    (is_valid && is_allowed(&result, rules)).then_some(result)
}

/// The document, with its keys in lower case if that is how they are published. Operators are in lower case already.
fn read(text: &str, lowered: bool) -> Value {
    fn lower(value: Value) -> Value {
        match value {
            Value::Object(members) => members
                .into_iter()
                .map(|(key, value)| (key.to_lowercase(), lower(value)))
                .collect::<Map<_, _>>()
                .into(),
            other => other,
        }
    }
    let value = serde_json::from_str(text).unwrap();
    if lowered { lower(value) } else { value }
}

/// The places that have operators and no keys.
fn settings(value: &Value, path: &mut Vec<String>) -> Vec<Vec<String>> {
    let Some(members) = value.as_object() else { return Vec::new() };
    let mut found = Vec::new();
    for (key, value) in members {
        if ["@@assign", "@@append", "@@remove"].contains(&key.as_str()) {
            found.push(path.clone());
        } else if !key.starts_with("@@") {
            path.push(key.clone());
            found.extend(settings(value, path));
            path.pop();
        }
    }
    found
}

fn at<'a>(document: &'a Value, place: &[String]) -> &'a Value {
    place.iter().fold(document, |value, key| value.get(key).unwrap_or(&Value::Null))
}

fn controls(value: &Value) -> Option<BTreeSet<String>> {
    let words = value.get("@@operators_allowed_for_child_policies")?;
    let words: BTreeSet<String> =
        words.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect();
    let all = || ["@@assign", "@@append", "@@remove"].map(str::to_owned).into();
    Some(if words.contains("@@all") {
        all()
    } else {
        words.into_iter().filter(|word| word != "@@none").collect()
    })
}

/// One place, from the root down.
fn follow(place: &[String], chain: &[Vec<Value>], rules: MergeRules, is_valid: &mut bool) -> Option<Value> {
    let all: BTreeSet<String> = ["@@assign", "@@append", "@@remove"].map(str::to_owned).into();
    let mut now = Place { value: None, allowed: all.clone() };
    for (level, documents) in chain.iter().enumerate() {
        let mut allowed = now.allowed.clone();
        if rules.container_locks == ContainerLocks::NewSettings && now.value.is_none() {
            for document in chain[..level].iter().flatten() {
                for length in 0..place.len() {
                    let container = at(document, &place[..length]);
                    allowed.retain(|word| controls(container).is_none_or(|words| words.contains(word)));
                }
            }
        }
        let mut assigned = None;
        let (mut appended, mut removed) = (Vec::new(), Vec::new());
        for document in documents {
            let here = at(document, place);
            for (operator, is_used) in [
                ("@@assign", here.get("@@assign").is_some()),
                ("@@append", here.get("@@append").is_some_and(|list| *list != json!([]))),
                ("@@remove", here.get("@@remove").is_some_and(|list| *list != json!([]))),
            ] {
                let is_allowed = allowed.contains(operator);
                if is_used && !is_allowed && rules.forbidden == ForbiddenOperator::Invalid {
                    *is_valid = false;
                }
                match (operator, here.get(operator)) {
                    (_, Some(_)) if !is_used || !is_allowed => {}
                    ("@@assign", Some(value)) => drop(assigned.get_or_insert(value.clone())),
                    ("@@append", Some(list)) => appended.extend(list.as_array().unwrap().clone()),
                    (_, Some(list)) => removed.extend(list.as_array().unwrap().clone()),
                    (_, None) => {}
                }
            }
        }
        now.value = assigned.or(now.value);
        if !appended.is_empty() {
            now.value.get_or_insert_with(|| json!([])).as_array_mut().unwrap().extend(appended);
        }
        if let Some(Value::Array(list)) = &mut now.value {
            list.retain(|item| !removed.contains(item));
        }
        for document in documents {
            if let Some(words) = controls(at(document, place)) {
                now.allowed.retain(|word| words.contains(word));
            }
        }
    }
    now.value
}

/// Whether AWS would publish it.
fn is_allowed(result: &Value, rules: MergeRules) -> bool {
    let Some(regions) = result["bedrock"]["guardrail_inference"].as_object() else { return true };
    regions.values().all(|named| {
        let named = named.as_object().unwrap();
        let few = named.len() < 2 || rules.two_names == TwoNames::Published;
        few && named.values().all(|configuration| {
            let models = &configuration["model_enforcement"];
            let lists = ["included_models", "excluded_models"].map(|list| models.get(list).is_some());
            configuration.get("identifier").is_some()
                && (lists[0] == lists[1] || rules.model_lists == ModelLists::Optional)
        })
    })
}

/// In one form: lists are sets, numbers and booleans are texts.
pub(super) fn in_one_form(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let items: BTreeSet<String> =
                items.iter().map(|item| item.as_str().unwrap().to_owned()).collect();
            json!(items)
        }
        Value::Object(members) => {
            members.iter().map(|(key, value)| (key.clone(), in_one_form(value))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

pub(super) fn any_chain() -> impl Strategy<Value = Chain> {
    let document = prop_oneof![
        3 => foreign_document(),
        2 => own_document().prop_map(|document| match document.regions.is_empty() {
            true => r#"{"bedrock":{}}"#.to_owned(),
            false => document.text(),
        }),
    ];
    let root = prop_oneof![1 => Just(Vec::new()), 3 => Just(vec![own(&[("us-east-1", 1), ("eu-west-1", 1)]).text()])];
    // At most two policies on one point.
    (root, prop::collection::vec(prop::collection::vec(document, 0..3), 1..4)).prop_map(
        |(root, mut chain)| {
            chain[0].truncate(2 - root.len());
            chain[0].splice(0..0, root);
            chain
        },
    )
}

fn any_rules() -> impl Strategy<Value = MergeRules> {
    proptest::sample::select(MergeRules::every())
}

/// What the merge makes of a chain.
fn merged(chain: &Chain, rules: MergeRules) -> Result<MergedPolicy, std::collections::BTreeSet<MergeError>> {
    let points: Vec<AttachPoint> = [ROOT, WORKLOAD, PAYMENT, "300000000003"].into_iter().map(point).collect();
    let documents: Vec<Vec<(PolicyKey, BedrockPolicy)>> = chain
        .iter()
        .enumerate()
        .map(|(level, texts)| {
            let parse = |(number, text): (usize, &String)| {
                (policy(&format!("{level}{number}")), BedrockPolicy::parse(text).unwrap())
            };
            texts.iter().enumerate().map(parse).collect()
        })
        .collect();
    let levels: Vec<MergeLevel<'_>> = points
        .iter()
        .zip(&documents)
        .map(|(point, documents)| MergeLevel {
            point,
            policies: documents.iter().map(|(key, document)| (key, document)).collect(),
        })
        .collect();
    merge(&levels, rules)
}

fn documents(chain: &Chain) -> Vec<BedrockPolicy> {
    chain.iter().flatten().map(|text| BedrockPolicy::parse(text).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn both_merges_agree(chain in any_chain(), rules in any_rules()) {
        let ours = merged(&chain, rules).ok().map(|merged| {
            in_one_form(&serde_json::from_str(&merged.effective.text()).unwrap())
        });
        prop_assert_eq!(ours, effective(&chain, rules).map(|value| in_one_form(&value)));
    }

    #[test]
    fn no_other_rules_matter(chain in any_chain(), rules in any_rules()) {
        let documents = documents(&chain);
        let result = |rules| merged(&chain, rules).map_err(drop).map(|merged| merged.effective);
        let possible: Vec<_> = MergeRules::that_matter(&documents).into_iter().map(result).collect();
        prop_assert!(possible.contains(&result(rules)));
    }

    #[test]
    fn contested_is_what_another_order_changes(chain in any_chain(), rules in any_rules()) {
        // Each point has two policies at most, so that its other order is the reverse.
        let mut values: BTreeMap<LeafPath, BTreeSet<LeafValue>> = BTreeMap::new();
        let mut contested = BTreeMap::new();
        for orders in 0..1 << chain.len() {
            let reorder = |(level, point): (usize, &Vec<String>)| {
                let reversed = point.iter().rev().cloned().collect();
                if orders & (1 << level) == 0 { point.clone() } else { reversed }
            };
            let Ok(merged) = merged(&chain.iter().enumerate().map(reorder).collect(), rules) else {
                // Whether an account freezes doesn't depend on the order of peers.
                prop_assert!(merged(&chain, rules).is_err());
                return Ok(());
            };
            for (path, value) in merged.effective.leaves() {
                values.entry(path.clone()).or_default().insert(value.clone());
            }
            if orders == 0 {
                contested = merged.contested;
            }
        }
        values.retain(|_, values| values.len() > 1);
        prop_assert_eq!(contested, values);
    }

    #[test]
    fn every_value_has_an_origin_that_says_it(chain in any_chain(), rules in any_rules()) {
        let Ok(merged) = merged(&chain, rules) else { return Ok(()) };
        prop_assert_eq!(merged.origins.len(), merged.effective.leaves().len());
        for (path, value) in merged.effective.leaves() {
            let origin = &merged.origins[path];
            prop_assert!(origin.policies().next().is_some());
            if let (LeafValue::Text(_), Some(assigned)) = (value, &origin.assigned) {
                // Alone, the policy that assigned it says the same.
                let level: usize = assigned.policy.to_string()[8..9].parse().unwrap();
                let number: usize = assigned.policy.to_string()[9..].parse().unwrap();
                let document = BedrockPolicy::parse(&chain[level][number]).unwrap();
                let assigns = |(other, leaf): (&LeafPath, &LeafOperators)| {
                    other.in_lower_case() == path.in_lower_case() && leaf.assign.as_ref() == Some(value)
                };
                prop_assert!(document.leaves.iter().any(assigns));
            }
        }
    }

    #[test]
    fn a_published_policy_is_read_as_it_is(chain in any_chain(), rules in any_rules()) {
        if let Ok(merged) = merged(&chain, rules) {
            prop_assert_eq!(EffectivePolicy::parse(&merged.effective.text()), Ok(merged.effective));
        }
    }
}

/// The laws above would hold of nothing if the generator made nothing but one kind.
#[test]
fn the_generator_reaches_every_outcome() {
    let mut runner = TestRunner::deterministic();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = |what: String| *counts.entry(what).or_default() += 1;
    for _ in 0..300 {
        let chain = any_chain().new_tree(&mut runner).unwrap().current();
        let rules = MergeRules::that_matter(&documents(&chain));
        if rules.len() > 1 {
            count("several rules".to_owned());
        }
        for (position, rules) in rules.into_iter().enumerate() {
            match merged(&chain, rules) {
                Ok(merged) if position == 0 => {
                    count("valid".to_owned());
                    if !merged.contested.is_empty() {
                        count("contested".to_owned());
                    }
                    if !merged.forbidden.is_empty() {
                        count("forbidden operator".to_owned());
                    }
                    if merged.origins.values().any(|origin| origin.policies().count() > 1) {
                        count("several origins".to_owned());
                    }
                }
                Ok(_) => {}
                Err(errors) => errors.iter().for_each(|error| count(error.code.to_string())),
            }
        }
    }
    let expected = [
        "valid",
        "contested",
        "forbidden operator",
        "several origins",
        "several rules",
        "KEY_REQUIRED",
        "ELEMENTS_TOO_MANY",
        "forbidden by a policy above",
    ];
    for what in expected {
        assert!(counts.get(what).is_some_and(|count| *count >= 10), "{what}: {counts:?}");
    }
}
