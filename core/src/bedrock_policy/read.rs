//! Reads the text of a Bedrock policy: the attached form, with operators, and the effective one, without.

use std::collections::{BTreeMap, BTreeSet};

use super::build::{MAX_POLICY_CHARACTERS, identifier};
use super::document::BedrockPolicy;
use super::json::{self, JsonKind, JsonName, JsonNode};
use super::leaf::{AllowedOperators, LeafOperators, LeafPath, LeafValue, Setting, ValueOperator};
use super::problem::{InvalidBedrockPolicy, PolicyProblem, PolicyProblemKind};
use crate::enforcement::ContentGuarding;
use crate::ids::{Partition, Region};

/// What every operator begins with.
const OPERATOR: &str = "@@";
const CONTROL: &str = "@@operators_allowed_for_child_policies";

/// What a guarding setting means.
pub(super) fn guarding(text: &str) -> Option<ContentGuarding> {
    ContentGuarding::ALL.into_iter().find(|guarding| guarding.to_string() == text)
}

pub(super) fn attached(text: &str) -> Result<BedrockPolicy, InvalidBedrockPolicy> {
    let mut reader = PolicyReader::new(text);
    let characters = text.chars().count();
    if characters > MAX_POLICY_CHARACTERS {
        reader.report(0, &LeafPath::default(), PolicyProblemKind::TooLong { characters });
    }
    if let Some(root) = reader.root() {
        match &root.kind {
            JsonKind::Object(members) if members.is_empty() => {
                reader.report(root.at, &LeafPath::default(), PolicyProblemKind::Empty);
            }
            _ => reader.container(&LeafPath::default(), &root),
        }
        reader.report_incomplete();
    }
    let PolicyReader { leaves, containers, .. } = &mut reader;
    let (leaves, containers) = (std::mem::take(leaves), std::mem::take(containers));
    let findings = reader.findings()?;
    Ok(BedrockPolicy { leaves, containers, findings })
}

/// The leaves of an effective policy.
pub(super) fn effective(text: &str) -> Result<BTreeMap<LeafPath, LeafValue>, InvalidBedrockPolicy> {
    let mut reader = PolicyReader::new(text);
    if let Some(root) = reader.root() {
        reader.plain(&LeafPath::default(), &root);
    }
    let values = std::mem::take(&mut reader.values);
    reader.findings().map(|_| values)
}

/// A key that AWS doesn't document, with what was probably meant.
fn unknown_key(path: &LeafPath) -> PolicyProblemKind {
    let misspelt = path.misspelt();
    PolicyProblemKind::UnknownKey { meant: misspelt.map(|(key, meant)| (key.to_owned(), meant)) }
}

/// Reads one text, and collects what is wrong with it.
struct PolicyReader<'a> {
    text: &'a str,
    problems: Vec<PolicyProblem>,
    leaves: BTreeMap<LeafPath, LeafOperators>,
    containers: BTreeMap<LeafPath, AllowedOperators>,
    values: BTreeMap<LeafPath, LeafValue>,
    /// Where each key stands.
    places: BTreeMap<LeafPath, usize>,
}

impl<'a> PolicyReader<'a> {
    fn new(text: &'a str) -> PolicyReader<'a> {
        PolicyReader {
            text,
            problems: Vec::new(),
            leaves: BTreeMap::new(),
            containers: BTreeMap::new(),
            values: BTreeMap::new(),
            places: BTreeMap::new(),
        }
    }

    fn root(&mut self) -> Option<JsonNode> {
        match json::read(self.text) {
            Ok(root) => Some(root),
            Err(error) => {
                let kind = PolicyProblemKind::Syntax(error.message);
                let (line, column) = (error.line, error.column);
                self.problems.push(PolicyProblem { line, column, path: LeafPath::default(), kind });
                None
            }
        }
    }

    fn report(&mut self, at: usize, path: &LeafPath, kind: PolicyProblemKind) {
        let (line, column) = json::position(self.text, at);
        self.problems.push(PolicyProblem { line, column, path: path.clone(), kind });
    }

    fn findings(self) -> Result<Vec<PolicyProblem>, InvalidBedrockPolicy> {
        let mut problems = self.problems;
        problems.sort_by_key(|problem| (problem.line, problem.column));
        if problems.iter().any(|problem| problem.kind.stops_reading()) {
            Err(InvalidBedrockPolicy::new(problems))
        } else {
            Ok(problems)
        }
    }

    /// The members of an object; what is there twice is reported.
    fn members<'n>(&mut self, path: &LeafPath, node: &'n JsonNode) -> &'n [(JsonName, JsonNode)] {
        let JsonKind::Object(members) = &node.kind else {
            self.report(node.at, path, PolicyProblemKind::NoKeys);
            return &[];
        };
        let mut seen = BTreeSet::new();
        for (name, _) in members {
            let child = path.child(&name.text);
            if !seen.insert(&name.text) {
                self.report(name.at, &child, PolicyProblemKind::Twice);
            }
            self.places.entry(child).or_insert(name.at);
        }
        members
    }

    /// AWS refuses such names in a policy. In an effective policy, two policies may have brought them.
    fn refuse_letter_case(&mut self, path: &LeafPath, members: &[(JsonName, JsonNode)]) {
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for (name, _) in members {
            let first = *seen.entry(name.text.to_lowercase()).or_insert(&name.text);
            if first != name.text {
                let first = first.to_owned();
                self.report(name.at, &path.child(&name.text), PolicyProblemKind::LetterCase { first });
            }
        }
    }

    /// What stands at a key: a setting with operators, or more keys.
    fn container(&mut self, path: &LeafPath, node: &JsonNode) {
        let members = self.members(path, node);
        self.refuse_letter_case(path, members);
        let is_told = self.problems.iter().any(|problem| problem.path == *path);
        if members.is_empty() && path.setting().is_none() && !path.is_container() && !is_told {
            // What is below would name it; there is nothing.
            let at = self.places.get(path).copied().unwrap_or(node.at);
            self.report(at, path, unknown_key(path));
        }
        let (operators, keys): (Vec<_>, Vec<_>) =
            members.iter().partition(|(name, _)| name.text.starts_with(OPERATOR));
        let sets = operators.iter().find(|(name, _)| name.text != CONTROL);
        // Below what AWS documents, a lock alone may be one of a setting or one of a container: it is taken for both.
        if keys.is_empty() && !operators.is_empty() && (sets.is_some() || !path.is_container()) {
            self.leaf(path, node.at, &operators);
            if sets.is_some() || path.setting().is_some() {
                return;
            }
        }
        if let Some((name, _)) = sets {
            let path = path.child(&name.text);
            self.report(name.at, &path, PolicyProblemKind::OperatorBesideKeys);
        }
        for (name, value) in operators.iter().filter(|(name, _)| name.text == CONTROL) {
            if let Some(allowed) = self.control(&path.child(&name.text), value) {
                self.containers.insert(path.clone(), allowed);
            }
        }
        for (name, value) in keys {
            let child = path.child(&name.text);
            match &value.kind {
                JsonKind::Object(_) => self.container(&child, value),
                JsonKind::List(_) | JsonKind::Text(_) | JsonKind::Scalar(_) | JsonKind::Null => {
                    self.report(value.at, &child, PolicyProblemKind::BareValue);
                }
            }
        }
    }

    fn leaf(&mut self, path: &LeafPath, at: usize, operators: &[&(JsonName, JsonNode)]) {
        let setting = path.setting();
        let mut leaf = LeafOperators::default();
        for (name, value) in operators.iter().copied() {
            let place = path.child(&name.text);
            match name.text.as_str() {
                "@@assign" => leaf.assign = self.assigned(&place, setting, value),
                "@@append" | "@@remove" if setting.is_some_and(|setting| !setting.is_list()) => {
                    self.report(name.at, &place, PolicyProblemKind::NoList);
                }
                "@@append" => leaf.append = self.list(&place, value).unwrap_or_default(),
                "@@remove" => leaf.remove = self.list(&place, value).unwrap_or_default(),
                CONTROL => leaf.allowed = self.control(&place, value).unwrap_or_default(),
                _ => self.report(name.at, &place, PolicyProblemKind::UnknownOperator),
            }
        }
        let at = self.places.get(path).copied().unwrap_or(at);
        match setting {
            None => self.report(at, path, unknown_key(path)),
            Some(Setting::InputTags) => self.report(at, path, PolicyProblemKind::InputTags),
            Some(_) => {}
        }
        self.leaves.insert(path.clone(), leaf);
    }

    fn assigned(&mut self, path: &LeafPath, setting: Option<Setting>, node: &JsonNode) -> Option<LeafValue> {
        let value = match (setting.map(Setting::is_list), &node.kind) {
            (Some(true), _) | (None, JsonKind::List(_)) => LeafValue::List(self.list(path, node)?),
            (Some(false) | None, _) => LeafValue::Text(self.one_text(path, node)?),
        };
        if let (Some(setting), LeafValue::Text(text)) = (setting, &value) {
            self.check_text(path, setting, text, node.at);
        }
        Some(value)
    }

    /// What AWS takes and a call of Bedrock fails for.
    fn check_text(&mut self, path: &LeafPath, setting: Setting, text: &str, at: usize) {
        let region = path.configuration().and_then(|(region, _)| region.parse::<Region>().ok());
        match setting {
            Setting::Identifier => match identifier(text) {
                None => self.report(at, path, PolicyProblemKind::NoIdentifier { text: text.to_owned() }),
                Some((guardrail, _)) => {
                    if region.is_some_and(|region| guardrail.region != region) {
                        self.report(at, path, PolicyProblemKind::OtherRegion);
                    }
                    let wanted = Partition::of(&guardrail.region);
                    if guardrail.partition != wanted {
                        self.report(at, path, PolicyProblemKind::OtherPartition { guardrail, wanted });
                    }
                }
            },
            Setting::System | Setting::Messages if guarding(text).is_none() => {
                self.report(at, path, PolicyProblemKind::NoGuarding { text: text.to_owned() });
            }
            Setting::System
            | Setting::Messages
            | Setting::IncludedModels
            | Setting::ExcludedModels
            | Setting::InputTags => {}
        }
    }

    fn one_text(&mut self, path: &LeafPath, node: &JsonNode) -> Option<String> {
        match &node.kind {
            // AWS may write a number or a boolean as a string.
            JsonKind::Text(text) | JsonKind::Scalar(text) => Some(text.clone()),
            JsonKind::Null | JsonKind::List(_) | JsonKind::Object(_) => {
                self.report(node.at, path, PolicyProblemKind::WrongKind { wanted: "a text" });
                None
            }
        }
    }

    fn list(&mut self, path: &LeafPath, node: &JsonNode) -> Option<BTreeSet<String>> {
        let JsonKind::List(items) = &node.kind else {
            self.report(node.at, path, PolicyProblemKind::WrongKind { wanted: "a list of texts" });
            return None;
        };
        items.iter().map(|item| self.one_text(path, item)).collect()
    }

    /// What `@@operators_allowed_for_child_policies` says.
    fn control(&mut self, path: &LeafPath, node: &JsonNode) -> Option<AllowedOperators> {
        let words = self.list(path, node)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let operator = |word: &str| ValueOperator::ALL.into_iter().find(|it| it.to_string() == word);
        let allowed = match words.as_slice() {
            ["@@all"] => Some(AllowedOperators::default()),
            ["@@none"] => Some(AllowedOperators::only([])),
            [] => None,
            some => some
                .iter()
                .map(|word| operator(word))
                .collect::<Option<Vec<ValueOperator>>>()
                .map(AllowedOperators::only),
        };
        if allowed.is_none() {
            self.report(node.at, path, PolicyProblemKind::UnknownControl);
        }
        allowed
    }

    /// What each configuration lacks, and how it is named.
    fn report_incomplete(&mut self) {
        let mut configurations: BTreeMap<LeafPath, BTreeSet<Setting>> = BTreeMap::new();
        let mut regions: BTreeSet<LeafPath> = BTreeSet::new();
        for (path, leaf) in self.leaves.iter().filter(|(path, _)| path.configuration().is_some()) {
            let named = path.beginning(super::leaf::SETTING_LEVEL);
            regions.insert(path.beginning(super::leaf::SETTING_LEVEL - 1));
            let settings = configurations.entry(named).or_default();
            settings.extend(path.setting().filter(|_| leaf.used().next().is_some()));
        }
        let is_region = |path: &LeafPath| path.keys().last().is_some_and(|key| key.parse::<Region>().is_ok());
        let no_region = regions.into_iter().filter(|path| !is_region(path));
        let meant = |path: &LeafPath| path.keys().last().and_then(|key| Region::meant_by(key));
        let no_region =
            no_region.map(|path| (path.clone(), PolicyProblemKind::NoRegion { meant: meant(&path) }));
        let mut found: Vec<(LeafPath, PolicyProblemKind)> = no_region.collect();
        // What was refused may be just what is missing.
        let is_whole = self.problems.iter().all(|problem| !problem.kind.stops_reading());
        for (path, settings) in configurations {
            let lists = settings.iter().filter(|setting| setting.is_list()).count();
            if path.keys().last().is_some_and(|name| name.to_lowercase() != *name) {
                found.push((path.clone(), PolicyProblemKind::Capitals));
            }
            if is_whole && lists == 1 {
                found.push((path.clone(), PolicyProblemKind::OneModelList));
            }
            if is_whole && !settings.contains(&Setting::Identifier) {
                found.push((path, PolicyProblemKind::NoGuardrail));
            }
        }
        for (path, kind) in found {
            let at = self.places.get(&path).copied().unwrap_or_default();
            self.report(at, &path, kind);
        }
    }

    /// A part of an effective policy.
    fn plain(&mut self, path: &LeafPath, node: &JsonNode) {
        match &node.kind {
            JsonKind::Object(_) => {
                for (name, value) in self.members(path, node) {
                    let child = path.child(&name.text);
                    if name.text.starts_with(OPERATOR) {
                        self.report(name.at, &child, PolicyProblemKind::OperatorInEffective);
                    } else {
                        self.plain(&child, value);
                    }
                }
            }
            _ if path.keys().is_empty() => self.report(node.at, path, PolicyProblemKind::NoKeys),
            JsonKind::List(_) => {
                if let Some(list) = self.list(path, node) {
                    self.values.insert(path.clone(), LeafValue::List(list));
                }
            }
            JsonKind::Text(_) | JsonKind::Scalar(_) | JsonKind::Null => {
                if let Some(text) = self.one_text(path, node) {
                    self.values.insert(path.clone(), LeafValue::Text(text));
                }
            }
        }
    }
}
