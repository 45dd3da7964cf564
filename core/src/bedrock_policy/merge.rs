//! Merges the documents that act in one account into its effective policy, as AWS does.
//!
//! | | rule | known from |
//! | --- | --- | --- |
//! | 1 | the root first, then each OU on the path, then the account | AWS's documentation |
//! | 2 | on one point the first `@@assign` in the order of attachment wins; then come all appends, then all removes | measured of other types |
//! | 3 | a setting that a document above locks is not changed by what is forbidden; peers don't lock each other | AWS's documentation; measured |
//! | 4 | what peers let pass is intersected, and nothing below loosens it | measured of other types |
//! | 5 | a lock beside keys doesn't lock the settings below it | measured of other types |
//! | 6 | the result has plain values, and nothing of what is empty | measured of other types |
//! | 7 | a configuration without an identifier makes the whole result invalid, and the account keeps what it had | AWS's documentation |
//!
//! What nobody knows is in [`MergeRules`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::document::BedrockPolicy;
use super::effective::EffectivePolicy;
use super::ids::{AttachPoint, PolicyAt, PolicyKey};
use super::leaf::{
    AllowedOperators, LeafOperators, LeafPath, LeafValue, SETTING_LEVEL, Setting, ValueOperator, ValueOrigin,
};
use super::rules::{ContainerLocks, ForbiddenOperator, LetterCase, MergeRules, ModelLists, TwoNames};
use crate::ids::Region;
use crate::words::words;

/// The policies of one point of an account's path, in the order in which they were attached.
#[derive(Clone, Debug)]
pub struct MergeLevel<'a> {
    /// The root, an OU or the account.
    pub point: &'a AttachPoint,
    /// Its policies.
    pub policies: Vec<(&'a PolicyKey, &'a BedrockPolicy)>,
}

/// What a valid merge comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergedPolicy {
    /// What AWS publishes.
    pub effective: EffectivePolicy,
    /// Where each value comes from.
    pub origins: BTreeMap<LeafPath, ValueOrigin>,
    /// What policies say in vain, because one above forbids it.
    pub forbidden: BTreeSet<Forbidden>,
    /// Values that would be others if the policies of one point had been attached in another order, each with all that
    /// it could be. No API of AWS's shows that order.
    pub contested: BTreeMap<LeafPath, BTreeSet<LeafValue>>,
}

impl MergedPolicy {
    /// Whether what a Region enforces would be something else if policies had been attached in another order.
    pub fn depends_on_order(&self, region: &Region) -> bool {
        let is_here = |path: &LeafPath| path.configuration().is_some_and(|(key, _)| key == region.as_str());
        self.contested.keys().any(is_here)
    }
}

/// An operator that a policy above forbids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Forbidden {
    /// Of which setting.
    pub path: LeafPath,
    /// The operator.
    pub operator: ValueOperator,
    /// The policy that uses it.
    pub policy: PolicyAt,
    /// Those that forbid it.
    pub by: BTreeSet<PolicyAt>,
}

/// One reason why a merge is invalid. AWS then changes nothing of this type in the account until all are gone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MergeError {
    /// What it is.
    pub code: MergeErrorCode,
    /// Where.
    pub path: LeafPath,
    /// The policies that contribute to it.
    pub policies: BTreeSet<PolicyAt>,
}

words! {
    /// What makes a merge invalid.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub enum MergeErrorCode {
        /// A required setting is missing. The word is AWS's.
        KeyRequired = "KEY_REQUIRED",
        /// Two configurations where one is allowed. The word is AWS's.
        ElementsTooMany = "ELEMENTS_TOO_MANY",
        /// An operator that a policy above forbids, if AWS takes that for an error.
        Forbidden = "forbidden by a policy above",
        /// One policy has a value where another one has keys, or a text where another one appends to a list. What AWS
        /// makes of that isn't known.
        ShapesDiffer = "a value and keys, or a text and a list, in one place",
    }

    impl Display;
}

impl fmt::Display for MergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MergeError { code, path, policies } = self;
        write!(f, "{path}: {code} (")?;
        for (position, policy) in policies.iter().enumerate() {
            write!(f, "{}{policy}", if position > 0 { ", " } else { "" })?;
        }
        f.write_str(")")
    }
}

/// Merges the levels of one account, the root's first.
///
/// # Errors
/// Every reason why the result is invalid, under these rules. What the account then has is what it had before.
pub fn merge(levels: &[MergeLevel<'_>], rules: MergeRules) -> Result<MergedPolicy, BTreeSet<MergeError>> {
    let mut merge = Merge { rules, ..Merge::default() };
    for level in levels {
        merge.take(level);
    }
    merge.finish()
}

/// What is known of one setting after some levels.
#[derive(Clone, Debug, Default)]
struct Inherited {
    value: Option<LeafValue>,
    origin: ValueOrigin,
    /// The values under every order of the peers; `value` is one of them.
    possible: BTreeSet<LeafValue>,
    allowed: AllowedOperators,
    locked_by: BTreeSet<PolicyAt>,
}

#[derive(Clone, Debug, Default)]
struct ContainerLock {
    allowed: AllowedOperators,
    locked_by: BTreeSet<PolicyAt>,
}

#[derive(Default)]
struct Merge {
    rules: MergeRules,
    leaves: BTreeMap<LeafPath, Inherited>,
    containers: BTreeMap<LeafPath, ContainerLock>,
    forbidden: BTreeSet<Forbidden>,
    errors: BTreeSet<MergeError>,
}

/// What one policy says of one setting.
type PolicySetting<'a> = (PolicyAt, &'a LeafOperators);

impl Merge {
    fn take(&mut self, level: &MergeLevel<'_>) {
        let mut settings: BTreeMap<LeafPath, Vec<PolicySetting<'_>>> = BTreeMap::new();
        for (policy, document) in &level.policies {
            let at = PolicyAt { policy: (*policy).clone(), point: level.point.clone() };
            for (path, leaf) in &document.leaves {
                settings.entry(self.key(path)).or_default().push((at.clone(), leaf));
            }
        }
        for (path, said) in settings {
            self.take_setting(&path, &said);
        }
        for (policy, document) in &level.policies {
            let at = PolicyAt { policy: (*policy).clone(), point: level.point.clone() };
            for (path, allowed) in document.containers.iter().filter(|(_, allowed)| !allowed.is_all()) {
                let lock = self.containers.entry(self.key(path)).or_default();
                lock.allowed = lock.allowed.and(allowed);
                lock.locked_by.insert(at.clone());
            }
        }
    }

    /// Rules 2, 3 and 4 for one setting on one point.
    fn take_setting(&mut self, path: &LeafPath, said: &[PolicySetting<'_>]) {
        let mut inherited = self.leaves.remove(path).unwrap_or_default();
        let (allowed, locked_by) = self.allowed(path, &inherited);
        for (policy, leaf) in said {
            for operator in leaf.used().filter(|operator| !allowed.contains(*operator)) {
                let forbidden =
                    Forbidden { path: path.clone(), operator, policy: policy.clone(), by: locked_by.clone() };
                self.forbidden.insert(forbidden);
            }
        }
        let passing = |operator: ValueOperator| if allowed.contains(operator) { said } else { &[] };
        let mut assigned = passing(ValueOperator::Assign)
            .iter()
            .filter_map(|(policy, leaf)| Some((policy, leaf.assign.as_ref()?)))
            .peekable();
        if let Some((policy, value)) = assigned.peek().copied() {
            inherited.value = Some(value.clone());
            inherited.origin = ValueOrigin { assigned: Some(policy.clone()), ..ValueOrigin::default() };
            inherited.possible = assigned.map(|(_, value)| value.clone()).collect();
        }
        for (policy, leaf) in
            passing(ValueOperator::Append).iter().filter(|(_, leaf)| !leaf.append.is_empty())
        {
            inherited.origin.appended.insert(policy.clone());
            inherited.value.get_or_insert_with(|| LeafValue::List(BTreeSet::new()));
            self.change_lists(path, &mut inherited, |list| list.extend(leaf.append.iter().cloned()));
        }
        for (policy, leaf) in
            passing(ValueOperator::Remove).iter().filter(|(_, leaf)| !leaf.remove.is_empty())
        {
            if inherited.value.is_some() {
                inherited.origin.removed.insert(policy.clone());
                self.change_lists(path, &mut inherited, |list| {
                    list.retain(|item| !leaf.remove.contains(item));
                });
            }
        }
        for (policy, leaf) in said.iter().filter(|(_, leaf)| !leaf.allowed.is_all()) {
            inherited.allowed = inherited.allowed.and(&leaf.allowed);
            inherited.locked_by.insert(policy.clone());
        }
        self.leaves.insert(path.clone(), inherited);
    }

    /// What a level may do to a setting, and who says so.
    fn allowed(&self, path: &LeafPath, inherited: &Inherited) -> (AllowedOperators, BTreeSet<PolicyAt>) {
        let mut allowed = inherited.allowed.clone();
        let mut locked_by = inherited.locked_by.clone();
        if self.rules.container_locks == ContainerLocks::NewSettings && inherited.value.is_none() {
            for lock in path.containers().filter_map(|container| self.containers.get(&container)) {
                allowed = allowed.and(&lock.allowed);
                locked_by.extend(lock.locked_by.iter().cloned());
            }
        }
        (allowed, locked_by)
    }

    /// Changes the list under every order of the peers.
    fn change_lists(
        &mut self,
        path: &LeafPath,
        inherited: &mut Inherited,
        change: impl Fn(&mut BTreeSet<String>),
    ) {
        let mut is_list = true;
        let mut changed = |value: &LeafValue| match value {
            LeafValue::List(list) => {
                let mut list = list.clone();
                change(&mut list);
                LeafValue::List(list)
            }
            LeafValue::Text(_) => {
                is_list = false;
                value.clone()
            }
        };
        inherited.value = inherited.value.as_ref().map(&mut changed);
        inherited.possible = inherited.possible.iter().map(&mut changed).collect();
        inherited.possible.extend(inherited.value.clone());
        if !is_list {
            let policies = inherited.origin.policies().cloned().collect();
            self.errors.insert(MergeError {
                code: MergeErrorCode::ShapesDiffer,
                path: path.clone(),
                policies,
            });
        }
    }

    fn key(&self, path: &LeafPath) -> LeafPath {
        match self.rules.letter_case {
            LetterCase::Kept => path.clone(),
            LetterCase::Lowered => path.in_lower_case(),
        }
    }

    fn finish(mut self) -> Result<MergedPolicy, BTreeSet<MergeError>> {
        self.leaves.retain(|_, leaf| leaf.value.is_some());
        self.check_shapes();
        self.check_configurations();
        if self.rules.forbidden == ForbiddenOperator::Invalid {
            self.errors.extend(self.forbidden.iter().map(|forbidden| {
                let policies = forbidden.by.iter().chain([&forbidden.policy]).cloned().collect();
                MergeError { code: MergeErrorCode::Forbidden, path: forbidden.path.clone(), policies }
            }));
        }
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        let contested = self.leaves.iter().filter(|(_, leaf)| leaf.possible.len() > 1);
        let contested = contested.map(|(path, leaf)| (path.clone(), leaf.possible.clone())).collect();
        let mut origins = BTreeMap::new();
        let mut values = BTreeMap::new();
        for (path, leaf) in self.leaves {
            origins.insert(path.clone(), leaf.origin);
            values.extend(leaf.value.map(|value| (path, value)));
        }
        Ok(MergedPolicy {
            effective: EffectivePolicy::of(values),
            origins,
            forbidden: self.forbidden,
            contested,
        })
    }

    /// A value where another document has keys.
    fn check_shapes(&mut self) {
        for path in self.leaves.keys() {
            for container in path.containers().filter(|container| self.leaves.contains_key(container)) {
                let policies = self.policies(|other| *other == *path || *other == container);
                self.errors.insert(MergeError {
                    code: MergeErrorCode::ShapesDiffer,
                    path: container,
                    policies,
                });
            }
        }
    }

    /// What AWS requires of each Region's configurations.
    fn check_configurations(&mut self) {
        let mut regions: BTreeMap<LeafPath, BTreeSet<LeafPath>> = BTreeMap::new();
        for path in self.leaves.keys().filter(|path| path.configuration().is_some()) {
            let named = path.beginning(SETTING_LEVEL);
            regions.entry(path.beginning(SETTING_LEVEL - 1)).or_default().insert(named);
        }
        for (region, named) in regions {
            if self.rules.two_names == TwoNames::Invalid && named.len() > 1 {
                let policies = self.policies(|path| path.is_below(&region));
                self.errors.insert(MergeError {
                    code: MergeErrorCode::ElementsTooMany,
                    path: region,
                    policies,
                });
            }
            for configuration in named {
                self.check_settings(&configuration);
            }
        }
    }

    fn check_settings(&mut self, configuration: &LeafPath) {
        let setting =
            |setting: Setting| setting.keys().iter().fold(configuration.clone(), |path, key| path.child(key));
        let is_there = |wanted: Setting| self.leaves.contains_key(&setting(wanted));
        let mut missing = Vec::new();
        if !is_there(Setting::Identifier) {
            missing.push(setting(Setting::Identifier));
        }
        if self.rules.model_lists == ModelLists::Required {
            match (is_there(Setting::IncludedModels), is_there(Setting::ExcludedModels)) {
                (true, false) => missing.push(setting(Setting::ExcludedModels)),
                (false, true) => missing.push(setting(Setting::IncludedModels)),
                (true, true) | (false, false) => {}
            }
        }
        let policies = self.policies(|path| path.is_below(configuration));
        self.errors.extend(missing.into_iter().map(|path| MergeError {
            code: MergeErrorCode::KeyRequired,
            path,
            policies: policies.clone(),
        }));
    }

    /// The policies that some of the values come from.
    fn policies(&self, is_meant: impl Fn(&LeafPath) -> bool) -> BTreeSet<PolicyAt> {
        let meant = self.leaves.iter().filter(|(path, _)| is_meant(path));
        meant.flat_map(|(_, leaf)| leaf.origin.policies().cloned()).collect()
    }
}
