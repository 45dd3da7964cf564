//! The same for programs (docs/organization-level.md).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::ShownPolicies;
use keeper_core::bedrock_policy::{
    ExplainedValue, Forbidden, LeafValue, MergeError, PolicyAt, PolicyKey, Prediction, ReportedError,
    UnreadPart,
};

impl ShownPolicies<'_> {
    pub(super) fn to_json(&self) -> Value {
        let ShownPolicies { seen, explained, names, is_management: _, account_level } = self;
        let attached = seen.points().map(|point| {
            let listed = seen.attached.get(&point).and_then(|listed| listed.as_ref().ok());
            let policies = listed.map(|listed| {
                listed.iter().map(|policy| json!({ "id": policy.id, "name": policy.name })).collect::<Value>()
            });
            json!({ "on": point.to_string(), "policies": policies })
        });
        let errors = seen
            .errors
            .as_ref()
            .ok()
            .map(|errors| errors.iter().map(|error| self.error_in_json(error)).collect::<Value>());
        let forbidden = explained.forbidden.iter().map(|forbidden| self.forbidden_in_json(forbidden));
        let unread = seen.unread().into_iter().map(|part| {
            let UnreadPart { what, permission, why, todo } = part;
            json!({ "what": what, "permission": permission, "why": why, "todo": todo })
        });
        let account_level = account_level.iter().map(
            |(region, last)| json!({ "region": region, "enforcement": last.enforcement, "seen_at": last.at }),
        );
        json!({
            "account": seen.account,
            "path": seen.path,
            "names": names.to_json(),
            "state": explained.state.code(),
            "text": explained.state.meaning(),
            "attached": attached.collect::<Value>(),
            "values": explained.values.iter().map(|value| self.value_in_json(value)).collect::<Value>(),
            "computed": explained.computed.as_ref().map(|it| self.prediction_in_json(it)),
            "otherwise": explained.otherwise.iter().map(|it| self.prediction_in_json(it)).collect::<Value>(),
            "errors": errors,
            "forbidden": forbidden.collect::<Value>(),
            "account_level_too": account_level.collect::<Value>(),
            "unread": unread.collect::<Value>(),
        })
    }

    fn value_in_json(&self, value: &ExplainedValue) -> Value {
        let ExplainedValue { path, published, computed, possible, origin, also } = value;
        let configuration = path.configuration();
        let of = |value: &Option<LeafValue>| value.as_ref().map(plain);
        json!({
            "region": configuration.map(|(region, _)| region),
            "configuration": configuration.map(|(_, name)| name),
            "setting": path.setting().map(|setting| setting.to_string()),
            "path": path.keys(),
            "published": of(published),
            "computed": of(computed),
            "agrees": self.is_compared().then(|| value.agrees()),
            "possible": possible.iter().map(plain).collect::<Value>(),
            "from": {
                "assigned": origin.assigned.as_ref().map(|policy| self.policy_in_json(policy)),
                "also_assigned": also.iter().map(|policy| self.policy_in_json(policy)).collect::<Value>(),
                "appended": origin.appended.iter().map(|policy| self.policy_in_json(policy)).collect::<Value>(),
                "removed": origin.removed.iter().map(|policy| self.policy_in_json(policy)).collect::<Value>(),
            },
        })
    }

    /// What the attached policies come to.
    fn prediction_in_json(&self, prediction: &Prediction) -> Value {
        let listed = |policies: &BTreeSet<PolicyAt>| -> Value {
            policies.iter().map(|policy| self.policy_in_json(policy)).collect()
        };
        match prediction {
            Prediction::Effective(merged) => {
                let policy: Value = serde_json::from_str(&merged.effective.text()).unwrap_or_default();
                json!({ "effective": policy })
            }
            Prediction::Frozen(errors) => {
                let errors = errors.iter().map(|MergeError { code, path, policies }| {
                    json!({ "code": code.to_string(), "path": path.keys(), "policies": listed(policies) })
                });
                json!({ "frozen": errors.collect::<Value>() })
            }
            Prediction::Unreadable(policies) => json!({ "unreadable": listed(policies) }),
        }
    }

    fn error_in_json(&self, error: &ReportedError) -> Value {
        let ReportedError { code, message, path, policies } = error;
        let policies = policies.iter().map(|id| json!({ "id": id, "name": self.seen.name(id) }));
        json!({ "code": code, "message": message, "path": path, "policies": policies.collect::<Value>() })
    }

    fn forbidden_in_json(&self, forbidden: &Forbidden) -> Value {
        let Forbidden { path, operator, policy, by } = forbidden;
        json!({
            "path": path.keys(),
            "operator": operator.to_string(),
            "policy": self.policy_in_json(policy),
            "by": by.iter().map(|policy| self.policy_in_json(policy)).collect::<Value>(),
        })
    }

    fn policy_in_json(&self, policy: &PolicyAt) -> Value {
        let PolicyAt { policy, point } = policy;
        let name = match policy {
            PolicyKey::Id(id) => self.seen.name(id.as_str()),
            PolicyKey::New(_) | PolicyKey::Proposed => None,
        };
        json!({ "id": policy.to_string(), "name": name, "on": point.to_string() })
    }
}

fn plain(value: &LeafValue) -> Value {
    match value {
        LeafValue::Text(text) => json!(text),
        LeafValue::List(items) => json!(items),
    }
}
