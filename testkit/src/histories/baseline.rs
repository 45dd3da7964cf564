//! The baseline as plain data: its text for the keeper, and what it wants of each target, worked out
//! here once more and by other means than the keeper's.

use std::collections::{BTreeMap, BTreeSet};

use simulator::{EnforcedConfiguration, Guarding, Model};

use crate::histories::model::{ORGANIZATION, Place, ROOT, SANDBOX, WORKLOAD, behaviour};
use crate::histories::setting::Setting;

/// The name of the guardrail that is enforced.
pub const GUARDRAIL: &str = "corporate-baseline";
/// The name that its copies have.
pub const COPY: &str = "corporate-baseline-keeper";
/// The name of what members have of their own.
pub const OWN: &str = "of-our-own";
const EMBEDDING: &str = "amazon.titan-embed-text-v2:0";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Sync,
    EnforceOnly,
    Audit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    Central,
    Copy,
}

/// What an assignment gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    Guardrail,
    None,
    /// There is no assignment for it.
    Unsaid,
}

/// What becomes of what others enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    Keep,
    /// What a baseline means that doesn't say.
    Adopt,
    Replace,
}

/// The baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wants {
    pub mode: Mode,
    pub placement: Placement,
    pub version: u32,
    /// By their number in [`Setting::regions`].
    pub regions: Vec<bool>,
    pub existing: Existing,
    pub release_unusable: bool,
    pub selective_system: bool,
    pub without_embedding: bool,
    pub root: Given,
    pub workload: Given,
    pub sandbox: Given,
    pub first_member: Given,
    /// Whether the second member is excluded.
    pub excludes: bool,
    /// Whether the guardrail is asked for by a name that nothing has.
    pub misnamed: bool,
    /// Whether one replacement and one release are all that an unapproved revision may do.
    pub tight: bool,
    /// Whether the text is no baseline at all.
    pub invalid: bool,
    /// Where accounts stood, for what was decided then; an account that isn't here stands where it stands now.
    pub stood: BTreeMap<String, String>,
    /// Accounts that somebody marked as about to leave. That is no part of the text: the ledger knows it.
    pub leaving: BTreeSet<String>,
}

/// What the baseline wants of one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Guardrail,
    Nothing,
    /// Unassigned or excluded.
    HandsOff,
}

impl Wants {
    pub fn start(setting: &Setting) -> Wants {
        Wants {
            mode: Mode::Sync,
            placement: setting.placement,
            version: 2,
            regions: setting.regions().iter().map(|_| true).collect(),
            existing: setting.existing,
            release_unusable: setting.release_unusable,
            selective_system: false,
            without_embedding: false,
            root: Given::Unsaid,
            workload: Given::Guardrail,
            sandbox: Given::None,
            first_member: Given::Unsaid,
            excludes: false,
            misnamed: false,
            tight: false,
            invalid: false,
            stood: BTreeMap::new(),
            leaving: BTreeSet::new(),
        }
    }

    /// As it would be written in a file.
    pub fn text(&self, setting: &Setting) -> String {
        let mode = match self.mode {
            Mode::Sync => "sync",
            Mode::EnforceOnly => "enforce-only",
            Mode::Audit => "audit",
        };
        let named = setting.regions().iter().zip(&self.regions).filter(|(_, on)| **on);
        let regions: Vec<&str> = named.map(|(region, _)| *region).collect();
        let name = if self.misnamed { "renamed" } else { GUARDRAIL };
        let version = self.version;
        let mode = if self.invalid { "whatever" } else { mode };
        let mut text = format!(
            "version: 1\norganization: {ORGANIZATION}\nowner: \"{}\"\nmode: {mode}\nguardrails:",
            setting.owner()
        );
        if regions.is_empty() {
            text.push_str(" {}\n");
        } else {
            text.push_str(&format!(
                "\n  corporate:\n    name: {name}\n    version: {version}\n    regions: [{}]\n",
                regions.join(", ")
            ));
            text.push_str(&self.details());
        }
        text.push_str("assignments:\n");
        let member = setting.member(0);
        for (target, given) in [
            (ROOT, self.root),
            (WORKLOAD, self.workload),
            (SANDBOX, self.sandbox),
            (member.as_str(), self.first_member),
        ] {
            let existing = match self.existing {
                Existing::Keep => ", existing: keep",
                Existing::Adopt => "",
                Existing::Replace => ", existing: replace",
            };
            match given {
                Given::Guardrail if !regions.is_empty() => text.push_str(&format!(
                    "  - {{ targets: [\"{target}\"], guardrail: corporate{existing} }}\n"
                )),
                Given::Guardrail | Given::None => {
                    text.push_str(&format!("  - {{ targets: [\"{target}\"], guardrail: none }}\n"));
                }
                Given::Unsaid => {}
            }
        }
        text.push_str(&format!("exclude: [\"{}\"", setting.hub()));
        if self.excludes {
            text.push_str(&format!(", \"{}\"", setting.member(1)));
        }
        let most = if self.tight { 1 } else { 1000 };
        text.push_str(&format!("]\nlimits: {{ max_replacements: {most}, max_releases: {most} }}\n"));
        text
    }

    /// The lines of the guardrail that say something else than the default.
    fn details(&self) -> String {
        let mut text = String::new();
        if self.placement == Placement::Copy {
            text.push_str("    placement: copy\n");
        }
        if self.release_unusable {
            text.push_str("    on_unusable: release\n");
        }
        if self.selective_system {
            text.push_str("    guarding: { system: selective, messages: comprehensive }\n");
        }
        if self.without_embedding {
            text.push_str(&format!("    models: {{ include: [ALL], exclude: [\"{EMBEDDING}\"] }}\n"));
        }
        text
    }

    /// What it wants of an account in a Region.
    pub fn of(&self, setting: &Setting, model: &Model, place: &Place) -> Wanted {
        let Place { account, region } = place;
        if *account == setting.hub() || (self.excludes && *account == setting.member(1)) {
            return Wanted::HandsOff;
        }
        if self.leaving.contains(account) {
            return Wanted::Nothing;
        }
        let now = || model.parent_of(account).unwrap_or_default();
        let parent = self.stood.get(account).cloned().unwrap_or_else(now);
        let of_parent = match parent.as_str() {
            WORKLOAD => self.workload,
            SANDBOX => self.sandbox,
            _ => Given::Unsaid,
        };
        let own = if *account == setting.member(0) { self.first_member } else { Given::Unsaid };
        let given = [own, of_parent, self.root].into_iter().find(|given| *given != Given::Unsaid);
        match given {
            None | Some(Given::Unsaid) => Wanted::HandsOff,
            Some(Given::Guardrail) if self.names(setting, region) => Wanted::Guardrail,
            Some(Given::Guardrail | Given::None) => Wanted::Nothing,
        }
    }

    /// Whether it names an account that is none of these. Every OU that it names has an account always.
    pub fn names_nobody(&self, setting: &Setting, members: &BTreeMap<String, String>) -> bool {
        let missing = |number: usize| !members.contains_key(&setting.member(number));
        (self.first_member != Given::Unsaid && missing(0)) || (self.excludes && missing(1))
    }

    pub fn names(&self, setting: &Setting, region: &str) -> bool {
        setting.regions().iter().zip(&self.regions).any(|(name, on)| *on && *name == region)
    }

    /// Whether what is enforced is what is wanted: this guardrail's behaviour in this version, from
    /// the place where it should come from, with these models and this guarding.
    pub fn is_met(
        &self,
        setting: &Setting,
        model: &Model,
        place: &Place,
        seen: &EnforcedConfiguration,
    ) -> bool {
        let owner = setting.owner();
        let Some(original) = model.guardrail_arn(&owner, &place.region, GUARDRAIL) else { return false };
        if self.misnamed {
            return false;
        }
        let version = self.version.to_string();
        // The owner has no use for a copy of its own guardrail.
        let placement = if place.account == owner { Placement::Central } else { self.placement };
        let reference = match placement {
            Placement::Central => seen.guardrail_arn == original && seen.guardrail_version == version,
            Placement::Copy => {
                let copy = model.guardrail_arn(&place.account, &place.region, COPY);
                let own = copy.is_some_and(|copy| copy == seen.guardrail_arn);
                let wanted = behaviour(model, original, &version);
                own && wanted.is_some()
                    && wanted == behaviour(model, &seen.guardrail_arn, &seen.guardrail_version)
            }
        };
        let system = if self.selective_system { Guarding::Selective } else { Guarding::Comprehensive };
        reference
            && seen.system() == system
            && seen.messages() == Guarding::Comprehensive
            && self.guards(seen)
    }

    fn guards(&self, seen: &EnforcedConfiguration) -> bool {
        let all = ["ALL".to_owned()];
        let excluded: &[String] = if self.without_embedding { &[EMBEDDING.to_owned()] } else { &[] };
        match &seen.model_enforcement {
            None => !self.without_embedding,
            Some(models) => models.included_models == all && models.excluded_models == excluded,
        }
    }
}
