//! The same for programs (docs/organization-level.md).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::PreviewedChange;
use keeper_core::bedrock_policy::{
    ConfigurationContent, Consequence, MergeError, PolicyAt, PolicyChange, PolicyKey, PreviewGroup,
    RegionChange, RegionContent,
};

impl PreviewedChange<'_> {
    pub(super) fn to_json(&self) -> Value {
        let unplaced = &self.organization.unplaced;
        json!({
            "change": change(self.change),
            "groups": self.preview.groups.iter().map(|group| self.group(group)).collect::<Value>(),
            "unchanged": self.preview.unchanged,
            "unconcerned": self.preview.unconcerned,
            "enabled": self.is_enabled,
            "not_checked": self.versions(),
            "not_placed": unplaced.keys().collect::<Vec<_>>(),
            "warnings": self.warnings,
            "names": self.names.to_json(),
        })
    }

    fn group(&self, PreviewGroup { accounts, consequence }: &PreviewGroup) -> Value {
        let (what, errors, unreadable) = match consequence {
            Consequence::Invalid { was_frozen, errors, otherwise } => {
                let what = match (was_frozen, otherwise.is_some()) {
                    (false, false) => "freezes",
                    (false, true) => "may_freeze",
                    (true, false) => "stays_frozen",
                    (true, true) => "may_stay_frozen",
                };
                (what, self.errors(errors), Value::Null)
            }
            Consequence::NotKnown(policies) => ("not_known", Value::Null, self.policies(policies)),
            Consequence::Differs => ("differs", Value::Null, Value::Null),
            Consequence::Changes { was_frozen: true, .. } => ("freed", Value::Null, Value::Null),
            Consequence::Changes { .. } => ("changes", Value::Null, Value::Null),
        };
        let regions = consequence.regions().map(|regions| {
            let regions = regions.iter().map(|(region, change)| (region.to_string(), self.region(change)));
            Value::Object(regions.collect())
        });
        json!({
            "accounts": accounts,
            "consequence": what,
            "harmful": consequence.is_harmful(),
            "errors": errors,
            "unreadable": unreadable,
            "regions": regions,
        })
    }

    fn region(&self, change: &RegionChange) -> Value {
        let all = |contents: &[RegionContent]| contents.iter().map(content).collect::<Value>();
        json!({
            "before": all(&change.before),
            "after": all(&change.after),
            "guards_less": change.is_released() || change.is_weaker(),
            "harmful": change.is_harmful(),
            "from": self.policies(&change.from),
        })
    }

    fn errors(&self, errors: &BTreeSet<MergeError>) -> Value {
        let errors = errors.iter().map(|MergeError { code, path, policies }| {
            json!({ "code": code.to_string(), "path": path.keys(), "policies": self.policies(policies) })
        });
        errors.collect()
    }

    fn policies(&self, policies: &BTreeSet<PolicyAt>) -> Value {
        let policies = policies.iter().map(|PolicyAt { policy, point }| {
            let id = match policy {
                PolicyKey::Id(id) => Some(id),
                PolicyKey::New(_) | PolicyKey::Proposed => None,
            };
            let name = id.and_then(|id| self.seen.names.get(id));
            json!({ "id": id, "name": name, "on": point.to_string() })
        });
        policies.collect()
    }
}

fn change(change: &PolicyChange) -> Value {
    let (kind, policy, point) = match change {
        PolicyChange::Attach { point, content: _ } => ("attach", None, Some(point)),
        PolicyChange::Update { policy, content: _ } => ("update", Some(policy), None),
        PolicyChange::AttachToo { policy, point } => ("attach", Some(policy), Some(point)),
        PolicyChange::Detach { policy, point } => ("detach", Some(policy), Some(point)),
    };
    json!({ "kind": kind, "policy": policy, "on": point.map(ToString::to_string) })
}

/// By the names of the configurations: what each enforces, and whether every call would fail; `null` where one can't be
/// understood.
fn content(content: &RegionContent) -> Value {
    let each = content.iter().map(|(name, one)| {
        let value = match one {
            ConfigurationContent::Enforces(enforcement) => {
                json!({ "enforces": enforcement, "fails_calls": false })
            }
            ConfigurationContent::OtherRegion(enforcement) => {
                json!({ "enforces": enforcement, "fails_calls": true })
            }
            ConfigurationContent::NoGuardrail(_) => json!({ "enforces": null, "fails_calls": true }),
            ConfigurationContent::Unclear(_) => Value::Null,
        };
        (name.clone(), value)
    });
    Value::Object(each.collect())
}
