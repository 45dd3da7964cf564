//! The decision about one grant: about the resource policy of one guardrail or profile of the owner's.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{GrantChange, GrantPurpose, HoldReason, Mark, PlanLine};
use crate::enforcement::Enforcement;
use crate::ids::Target;
use crate::observed::{Observation, Observed, ResourcePolicySeen};
use crate::record::Records;
use crate::resource_policy::{
    Document, Ensure, Grant, Remove, Resource, ResourcePolicyFinding, ensure, judge, remove,
};

/// What is done about a resource policy, and what a person should know about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantDecision {
    /// What is done.
    pub action: GrantAction,
    /// What opens the guardrail beyond the organization, in our statement or in others.
    pub openings: Vec<ResourcePolicyFinding>,
    /// The resource policy that would be right.
    pub instead: Document,
}

/// What is done about a resource policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantAction {
    /// Nothing: it grants the organization what is needed.
    Granted,
    /// This is written.
    Change(GrantChange),
    /// Nothing, though something should be.
    Held(HoldReason),
}

/// Decides about one resource policy: the smallest change that makes it grant what is needed.
pub fn decide_grant(seen: &ResourcePolicySeen, grant: &Grant) -> GrantDecision {
    let document = match seen {
        ResourcePolicySeen::Absent => None,
        ResourcePolicySeen::Attached(document) => Some(document),
        ResourcePolicySeen::Invalid(invalid) => {
            return held(grant, HoldReason::ResourcePolicy { why: invalid.to_string() });
        }
        ResourcePolicySeen::Unreadable(failure) => {
            return held(grant, HoldReason::Unreadable { failure: failure.clone() });
        }
    };
    let judgement = judge(document, grant);
    let openings = judgement.openings().cloned().collect();
    let action = match ensure(document, grant) {
        Ensure::NotNeeded => GrantAction::Granted,
        Ensure::Put(to) => GrantAction::Change(GrantChange {
            grant: grant.clone(),
            purpose: GrantPurpose::Grant,
            from: document.cloned(),
            to: Some(to),
        }),
        Ensure::Refused(hold) => GrantAction::Held(HoldReason::ResourcePolicy { why: hold.to_string() }),
    };
    GrantDecision { action, openings, instead: judgement.instead }
}

/// Who still needs a grant that the baseline has no use for any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    /// No target.
    Nobody,
    /// At least this target enforces the guardrail.
    By(Target),
    /// None of the targets that could be read, and some could not.
    Unknown(UseDoubt),
}

/// Which targets may use a guardrail, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UseDoubt {
    /// At least this target, which could not be read.
    Target(Target),
    /// Any: the accounts aren't known, or what was seen of them.
    Anybody {
        /// Why.
        why: String,
    },
}

impl fmt::Display for UseDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UseDoubt::Target(target) => {
                write!(f, "{target} can't be read and may still enforce the guardrail")
            }
            UseDoubt::Anybody { why } => {
                write!(f, "it isn't known which targets still enforce the guardrail: {why}")
            }
        }
    }
}

/// What was seen of every target that may use a grant.
#[derive(Clone, Debug, Default)]
pub struct Sighting {
    /// What was seen.
    pub observed: Observed,
    /// What is recorded, for targets that weren't looked at.
    pub records: Records,
    /// Why a target may be missing, if so.
    pub incomplete: Option<String>,
}

/// Finds who still enforces a guardrail, or may do so.
///
/// Every target in the resource's Region that was looked at counts, ours or foreign. Where a
/// target wasn't looked at, as in a suspended account, the record speaks for it.
pub fn use_of(resource: &Resource, sighting: &Sighting) -> Use {
    let Sighting { observed, records, incomplete } = sighting;
    let means = |enforcement: &Enforcement| match resource {
        Resource::Guardrail(arn) => enforcement.guardrail == *arn,
        // A profile serves every guardrail of its account and Region that was made with it.
        Resource::Profile(arn) => {
            enforcement.guardrail.account == arn.account && enforcement.guardrail.region == arn.region
        }
    };
    let mut unknown = None;
    for (target, seen) in observed.iter().filter(|(target, _)| target.region == *resource.region()) {
        match seen {
            Observation::Enforced(seen) if means(&seen.enforcement) => return Use::By(target.clone()),
            Observation::Unreadable(_) => unknown = unknown.or_else(|| Some(target.clone())),
            Observation::Absent | Observation::Enforced(_) => {}
        }
    }
    let recorded = records
        .iter()
        .find(|(target, record)| !observed.contains_key(target) && record.may_enforce().any(&means));
    match (recorded, unknown, incomplete) {
        (Some((target, _)), _, _) => Use::By(target.clone()),
        (None, Some(target), _) => Use::Unknown(UseDoubt::Target(target)),
        (None, None, Some(why)) => Use::Unknown(UseDoubt::Anybody { why: why.clone() }),
        (None, None, None) => Use::Nobody,
    }
}

/// Decides about a resource policy that we once added a grant to and that the baseline doesn't need any more.
/// `None` where there is nothing to do or to say, and the record may forget it.
pub fn decide_withdrawal(seen: &ResourcePolicySeen, grant: &Grant, used: &Use) -> Option<GrantDecision> {
    let document = match (used, seen) {
        (Use::By(_), _) => return Some(GrantDecision::settled(grant)),
        (Use::Unknown(doubt), _) => {
            return Some(held(grant, HoldReason::MayBeEnforced { doubt: doubt.clone() }));
        }
        (Use::Nobody, ResourcePolicySeen::Absent) => return None,
        (Use::Nobody, ResourcePolicySeen::Attached(document)) => document,
        (Use::Nobody, ResourcePolicySeen::Invalid(invalid)) => {
            return Some(held(grant, HoldReason::ResourcePolicy { why: invalid.to_string() }));
        }
        (Use::Nobody, ResourcePolicySeen::Unreadable(failure)) => {
            return Some(held(grant, HoldReason::Unreadable { failure: failure.clone() }));
        }
    };
    let to = match remove(Some(document), grant) {
        Remove::NotNeeded => return None,
        Remove::Put(rest) => Some(rest),
        Remove::Delete => None,
        Remove::Refused(hold) => {
            return Some(held(grant, HoldReason::ResourcePolicy { why: hold.to_string() }));
        }
    };
    let change = GrantChange {
        grant: grant.clone(),
        purpose: GrantPurpose::Withdraw,
        from: Some(document.clone()),
        to,
    };
    Some(GrantDecision { action: GrantAction::Change(change), ..GrantDecision::settled(grant) })
}

fn held(grant: &Grant, reason: HoldReason) -> GrantDecision {
    GrantDecision { action: GrantAction::Held(reason), ..GrantDecision::settled(grant) }
}

impl GrantDecision {
    fn settled(grant: &Grant) -> GrantDecision {
        GrantDecision {
            action: GrantAction::Granted,
            openings: Vec::new(),
            instead: Document::granting(grant),
        }
    }

    pub(super) fn lines(&self, resource: &Resource) -> Vec<PlanLine> {
        let GrantDecision { action, openings, instead: _ } = self;
        let mut lines = Vec::new();
        match action {
            GrantAction::Granted => {}
            GrantAction::Change(change) => {
                lines.push(change.line());
            }
            GrantAction::Held(reason) => {
                let line =
                    PlanLine::new(Mark::Hold).text(format_args!("{resource} held")).code(reason.code());
                lines.push(line.text(format_args!(": {reason}")));
            }
        }
        let open = |finding| PlanLine::new(Mark::Hold).text(format_args!("{resource} is open: {finding}"));
        lines.extend(openings.iter().map(open));
        lines
    }

    pub(super) fn to_json(&self, resource: &Resource) -> serde_json::Value {
        let GrantDecision { action, openings, instead } = self;
        let (decision, held) = match action {
            GrantAction::Granted => ("granted", None),
            GrantAction::Change(change) => (change.verb(), None),
            GrantAction::Held(reason) => ("hold", Some(reason)),
        };
        let reason = held.map(ToString::to_string);
        json!({
            "resource": resource,
            "decision": decision,
            "reason": reason,
            "code": held.map(HoldReason::code),
            "openings": openings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "instead": (!openings.is_empty() || reason.is_some()).then(|| instead.text()),
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::enforcement::{Guarding, Models};
    use crate::failure::{Category, Failure};
    use crate::ids::GuardrailVersion;
    use crate::observed::Seen;
    use crate::record::{Origin, Ours, Record};

    const PROFILE: &str = "arn:aws:bedrock:eu-west-1:222222222222:guardrail-profile/eu.guardrail.v1:0";

    fn arn(name: &str) -> String {
        format!("arn:aws:bedrock:eu-west-1:222222222222:guardrail/{name}")
    }

    fn grant() -> Grant {
        Grant { resource: arn("base").parse().unwrap(), organization: "o-exampleorgid".parse().unwrap() }
    }

    fn target(text: &str) -> Target {
        text.parse().unwrap()
    }

    fn enforcing(name: &str) -> Enforcement {
        Enforcement {
            guardrail: arn(name).parse().unwrap(),
            version: GuardrailVersion::new(1).unwrap(),
            models: Models::default(),
            guarding: Guarding::default(),
        }
    }

    fn enforced(name: &str) -> Observation {
        Observation::Enforced(Seen {
            config_id: Some("cfg1".parse().unwrap()),
            enforcement: enforcing(name),
            created_by: None,
            updated_by: None,
        })
    }

    fn denied() -> Failure {
        Failure::new(Category::Denied, "Get", "no")
    }

    #[test]
    fn a_grant_is_taken_back_only_where_nobody_can_need_it() {
        let theirs: Document = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"Tooling","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::222222222222:root"}},"Action":"bedrock:ApplyGuardrail","Resource":"{}"}}]}}"#,
            arn("base")
        )
        .parse()
        .unwrap();
        let Ensure::Put(both) = ensure(Some(&theirs), &grant()) else { panic!("it isn't granted yet") };
        let policies = [
            ("none", ResourcePolicySeen::Absent),
            ("ours", ResourcePolicySeen::Attached(Document::granting(&grant()))),
            ("theirs", ResourcePolicySeen::Attached(theirs.clone())),
            ("both", ResourcePolicySeen::Attached(both)),
            ("nonsense", ResourcePolicySeen::Invalid("{".parse::<Document>().unwrap_err())),
            ("unreadable", ResourcePolicySeen::Unreadable(denied())),
        ];
        let uses = [
            ("nobody", Use::Nobody),
            ("somebody", Use::By(target("300000000001/eu-west-1"))),
            ("who knows", Use::Unknown(UseDoubt::Target(target("300000000001/eu-west-1")))),
        ];
        let mut table = String::new();
        for (who, used) in &uses {
            for (what, seen) in &policies {
                let words = match decide_withdrawal(seen, &grant(), used).map(|decision| decision.action) {
                    None => "nothing, and it is forgotten".to_owned(),
                    Some(GrantAction::Granted) => "it stays".to_owned(),
                    Some(GrantAction::Held(reason)) => format!("held: {}", reason.code()),
                    Some(GrantAction::Change(change)) => {
                        assert_eq!(change.purpose, GrantPurpose::Withdraw);
                        match change.to {
                            None => "deleted".to_owned(),
                            Some(rest) if rest == theirs => "theirs is left".to_owned(),
                            Some(rest) => rest.text(),
                        }
                    }
                };
                table += &format!("{who} uses it, {what}: {words}\n");
            }
        }
        expect![[r#"
            nobody uses it, none: nothing, and it is forgotten
            nobody uses it, ours: deleted
            nobody uses it, theirs: nothing, and it is forgotten
            nobody uses it, both: theirs is left
            nobody uses it, nonsense: held: policy
            nobody uses it, unreadable: held: unreadable.denied
            somebody uses it, none: it stays
            somebody uses it, ours: it stays
            somebody uses it, theirs: it stays
            somebody uses it, both: it stays
            somebody uses it, nonsense: it stays
            somebody uses it, unreadable: it stays
            who knows uses it, none: held: may_be_enforced
            who knows uses it, ours: held: may_be_enforced
            who knows uses it, theirs: held: may_be_enforced
            who knows uses it, both: held: may_be_enforced
            who knows uses it, nonsense: held: may_be_enforced
            who knows uses it, unreadable: held: may_be_enforced
        "#]]
        .assert_eq(&table);
    }

    #[test]
    fn whoever_may_still_enforce_it_uses_it() {
        let ours = Ours {
            enforcement: enforcing("base"),
            origin: Origin::Applied,
            at: jiff::Timestamp::UNIX_EPOCH,
            revision: "0123456789abcdef".parse().unwrap(),
            path: None,
            reads_back: None,
        };
        let record = Record { ours: Some(ours), ..Record::default() };
        let [first, second, elsewhere] =
            ["300000000001/eu-west-1", "300000000002/eu-west-1", "300000000001/us-east-1"].map(target);
        let resource = |text: &str| -> Resource { text.parse().unwrap() };
        let guardrail = resource(&arn("base"));
        let none = Records::new();
        let recorded = Records::from([(first.clone(), record)]);
        let used = |seen: &[(&Target, Observation)], records: &Records| {
            let observed: Observed =
                seen.iter().map(|(target, it)| ((*target).clone(), it.clone())).collect();
            use_of(&guardrail, &Sighting { observed, records: records.clone(), incomplete: None })
        };
        let unreadable = || Observation::Unreadable(denied());
        assert_eq!(used(&[(&first, Observation::Absent), (&second, enforced("other"))], &none), Use::Nobody);
        assert_eq!(
            used(&[(&first, unreadable()), (&second, enforced("base"))], &none),
            Use::By(second.clone())
        );
        assert_eq!(
            used(&[(&first, unreadable()), (&second, unreadable())], &none),
            Use::Unknown(UseDoubt::Target(first.clone()))
        );
        // In another Region it would be another guardrail.
        assert_eq!(used(&[(&elsewhere, unreadable())], &none), Use::Nobody);
        // The record speaks for targets that weren't looked at, and for no others.
        assert_eq!(used(&[(&second, Observation::Absent)], &recorded), Use::By(first.clone()));
        assert_eq!(used(&[(&second, unreadable())], &recorded), Use::By(first.clone()));
        assert_eq!(used(&[(&first, Observation::Absent)], &recorded), Use::Nobody);
        // Any guardrail of the owner's there may cross Regions by the profile.
        let observed = Observed::from([(second.clone(), enforced("other"))]);
        let everybody = Sighting { observed, ..Sighting::default() };
        assert_eq!(use_of(&resource(PROFILE), &everybody), Use::By(second.clone()));
        for another in
            [PROFILE.replace("eu-west-1", "us-east-1"), PROFILE.replace("222222222222", "222222222223")]
        {
            assert_eq!(use_of(&resource(&another), &everybody), Use::Nobody, "{another}");
        }
        // Where a target may be missing, the grant may still be in use.
        let why = || Some("where 300000000009 stands isn't known".to_owned());
        let doubtful = Sighting { incomplete: why(), ..Sighting::default() };
        assert_eq!(use_of(&guardrail, &doubtful), Use::Unknown(UseDoubt::Anybody { why: why().unwrap() }));
        let doubtful = Sighting { incomplete: why(), ..everybody };
        assert_eq!(use_of(&resource(PROFILE), &doubtful), Use::By(second));
    }
}
