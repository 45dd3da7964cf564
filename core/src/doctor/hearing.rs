//! Which events have to be forwarded from where: what the keeper acts on, and what people have to hear of at once.
//!
//! `tests/events/hearing.rs` holds this to the templates, both ways.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Listens;
use crate::ids::AccountId;

/// What Bedrock tells that the keeper acts on.
const OF_GUARDRAILS: [&str; 7] = [
    "CreateGuardrail",
    "CreateGuardrailVersion",
    "DeleteGuardrail",
    "PutResourcePolicy",
    "DeleteResourcePolicy",
    "PutEnforcedGuardrailConfiguration",
    "DeleteEnforcedGuardrailConfiguration",
];
/// What Organizations tells of accounts.
const OF_MEMBERSHIP: [&str; 9] = [
    "CreateAccountResult",
    "AccountJoinedOrganization",
    "AcceptHandshake",
    "MoveAccount",
    "AccountDepartedOrganization",
    "RemoveAccountFromOrganization",
    "LeaveOrganization",
    "CloseAccount",
    "CloseAccountResult",
];
/// What Control Tower tells of accounts.
const OF_ENROLMENT: [&str; 2] = ["CreateManagedAccount", "UpdateManagedAccount"];
/// What changes one policy of the organization, and what changes who is bound by all or who may change them.
const OF_POLICIES: [&str; 3] = ["DeletePolicy", "DetachPolicy", "UpdatePolicy"];
const OF_ALL_POLICIES: [&str; 3] =
    ["DisablePolicyType", "PutResourcePolicy", "RegisterDelegatedAdministrator"];
/// What the keeper looks at Bedrock policies for. AWS says of the last that it only reads.
const OF_BEDROCK_POLICIES: [&str; 7] = [
    "AttachPolicy",
    "CreatePolicy",
    "DeletePolicy",
    "DetachPolicy",
    "DisablePolicyType",
    "EnablePolicyType",
    "UpdatePolicy",
];
const OF_MERGES: &str = "EffectivePolicyValidation";
/// What authors do to guardrails and to who may use them, and what becomes of their keys.
const BY_AUTHORS: [&str; 6] = [
    "CreateGuardrail",
    "CreateGuardrailVersion",
    "DeleteGuardrail",
    "UpdateGuardrail",
    "DeleteResourcePolicy",
    "PutResourcePolicy",
];
const OF_KEYS: [&str; 5] =
    ["DeleteImportedKeyMaterial", "DisableKey", "PutKeyPolicy", "RevokeGrant", "ScheduleKeyDeletion"];
/// What Parameter Store tells of a parameter that is put or deleted
/// (<https://docs.aws.amazon.com/systems-manager/latest/userguide/reference-eventbridge-events.html>).
const OF_PARAMETERS: [&str; 3] = ["Create", "Update", "Delete"];
/// The outcome events that people are sent.
const OUTCOMES: [&str; 10] = [
    "Account Flooding",
    "Accounts Frozen",
    "Accounts Unguarded",
    "Attention Needed",
    "Baseline Changed",
    "Bedrock Policies Held",
    "Enforcement Broken",
    "Enforcement Contested",
    "Guardrail Opened",
    "Sweep Completed",
];

/// What the events of a deployment depend on, as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct Hearing {
    /// The account of the hub.
    pub hub: Option<AccountId>,
    /// The organization's management account.
    pub management: Option<AccountId>,
    /// The accounts that own guardrails.
    pub owners: BTreeSet<AccountId>,
    /// Whether the hub is in the Region in which Organizations tells its events.
    pub at_home: bool,
    /// The parameter of the baseline.
    pub parameter: Option<String>,
    /// The parameter that a person approves a revision in.
    pub approval: Option<String>,
    /// The path of the controls.
    pub controls: Option<String>,
    /// The ids of the service control policies that protect the keeper.
    pub policies: BTreeSet<String>,
    /// The ARNs of the guardrails' keys.
    pub keys: BTreeSet<String>,
    /// Whether the function has to do with Bedrock policies.
    pub bedrock_policies: bool,
}

impl Hearing {
    /// What has to come from the hub's own bus to the function: what others send on, and requests.
    pub fn on_the_hubs_bus(&self) -> Vec<Listens> {
        let anybody = self.owners.first().or(self.hub.as_ref());
        let mut needs = vec![guardrails(anybody), regions(anybody)];
        needs.extend(self.management.as_ref().map(membership));
        needs.extend(self.of_bedrock_policies());
        needs.push(calls("aws.controltower", self.management.as_ref(), &OF_ENROLMENT));
        let asked = event("guardrail-keeper.request", self.hub.as_ref(), "Reconcile Requested", &json!({}));
        needs.push(Listens {
            what: "events “Reconcile Requested”".to_owned(),
            samples: vec![("Reconcile Requested", asked)],
        });
        needs
    }

    /// The events of a parameter.
    fn parameter_changed(&self, what: &str, name: &str, operations: &[&'static str]) -> Listens {
        let put = |operation: &&'static str| {
            let detail = json!({ "name": name, "operation": *operation });
            (*operation, event("aws.ssm", self.hub.as_ref(), "Parameter Store Change", &detail))
        };
        Listens { what: what.to_owned(), samples: operations.iter().map(put).collect() }
    }

    /// What happens in the hub's own account and Region, from its default bus to the function.
    pub fn on_the_default_bus(&self) -> Vec<Listens> {
        let mut needs: Vec<Listens> = Vec::new();
        // What was said stays so when its parameter is deleted.
        let said = &OF_PARAMETERS[..2];
        let about = |whose: &str| format!("events of aws.ssm about {whose}");
        let baseline = self
            .parameter
            .iter()
            .map(|name| self.parameter_changed(&about("the baseline's parameter"), name, &OF_PARAMETERS));
        let approval = self
            .approval
            .iter()
            .map(|name| self.parameter_changed(&about("the approval's parameter"), name, said));
        let leaving = self.controls.iter().map(|path| format!("{path}/leaving/000000000000"));
        let controls = leaving.map(|name| self.parameter_changed(&about("the controls"), &name, said));
        needs.extend(baseline.chain(approval).chain(controls));
        needs.push(guardrails(self.hub.as_ref()));
        if self.hub.is_some() && self.hub == self.management && self.at_home {
            needs.extend(self.management.as_ref().map(membership));
            needs.extend(self.of_bedrock_policies());
        }
        needs
    }

    /// What the management account tells of Bedrock policies, where the function has to do with them.
    fn of_bedrock_policies(&self) -> Option<Listens> {
        let management = self.management.as_ref().filter(|_| self.bedrock_policies)?;
        let source = "aws.organizations";
        let mut all = samples(source, Some(management), &OF_BEDROCK_POLICIES);
        let merged = samples(source, Some(management), &[OF_MERGES]).into_iter();
        all.extend(merged.map(|(name, mut event)| {
            event["detail"]["readOnly"] = json!(true);
            (name, event)
        }));
        Some(Listens { what: "events of Bedrock policies".to_owned(), samples: all })
    }

    /// What has to come from the hub's own bus to people.
    pub fn to_people(&self) -> Vec<Listens> {
        let outcome = |kind: &'static str| {
            let detail = json!({ "whole_organization": true, "report": "all is well" });
            Listens {
                what: format!("events “{kind}”"),
                samples: vec![(kind, event("guardrail-keeper", self.hub.as_ref(), kind, &detail))],
            }
        };
        let mut needs: Vec<Listens> = OUTCOMES.map(outcome).into();
        needs.extend(self.told_by_aws(self.management.as_ref(), self.owners.iter()));
        needs
    }

    /// What has to come from the hub's default bus to people: what AWS tells there of the hub's own account.
    pub fn to_people_at_once(&self) -> Vec<Listens> {
        let hub = self.hub.as_ref();
        let management =
            self.management.as_ref().filter(|management| self.at_home && Some(*management) == hub);
        let owners = self.owners.iter().filter(|owner| Some(*owner) == hub);
        let mut needs = self.told_by_aws(management, owners);
        // The keeper follows a text in mode `audit` before it is counted, and one that is replaced before that is never
        // published.
        for (what, name) in [
            ("changes of the baseline's parameter", &self.parameter),
            ("changes of the approval's parameter", &self.approval),
        ] {
            needs.extend(name.iter().map(|name| self.parameter_changed(what, name, &OF_PARAMETERS)));
        }
        needs
    }

    fn told_by_aws<'a>(
        &self,
        management: Option<&AccountId>,
        owners: impl Iterator<Item = &'a AccountId>,
    ) -> Vec<Listens> {
        let mut needs = Vec::new();
        if management.is_some() {
            let what = "changes of what protects the keeper".to_owned();
            needs.push(Listens { what, samples: self.of_policies(management) });
        }
        for owner in owners {
            let what = "changes of the guardrails by no author".to_owned();
            needs.push(Listens { what, samples: samples("aws.bedrock", Some(owner), &BY_AUTHORS) });
            needs.extend(self.of_keys(owner, None));
        }
        needs
    }

    fn of_policies(&self, management: Option<&AccountId>) -> Vec<(&'static str, Value)> {
        let source = "aws.organizations";
        let mut found = samples(source, management, &OF_ALL_POLICIES);
        for policy in &self.policies {
            for (name, mut event) in samples(source, management, &OF_POLICIES) {
                event["detail"]["requestParameters"] = json!({ "policyId": policy });
                found.push((name, event));
            }
        }
        found
    }

    /// Whether an owner tells of a key: of its own, and of those that are no owner's.
    fn is_key_of(&self, owner: &AccountId, key: &str) -> bool {
        let account = key.split(':').nth(4);
        account == Some(owner.as_str()) || !self.owners.iter().any(|one| account == Some(one.as_str()))
    }

    /// Whether an account owns guardrails and tells of one of their keys in this Region.
    pub fn tells_of_a_key(&self, account: &AccountId, region: &str) -> bool {
        self.owners.contains(account) && self.of_keys(account, Some(region)).is_some()
    }

    /// What becomes of an owner's keys in a Region, or in all.
    fn of_keys(&self, owner: &AccountId, region: Option<&str>) -> Option<Listens> {
        let here = |key: &&String| {
            region.is_none_or(|region| key.split(':').nth(3) == Some(region)) && self.is_key_of(owner, key)
        };
        let of_key = |key: &String| {
            samples("aws.kms", Some(owner), &OF_KEYS).into_iter().map({
                let key = key.clone();
                move |(name, mut event)| {
                    event["detail"]["resources"] = json!([{ "ARN": key }]);
                    (name, event)
                }
            })
        };
        let samples: Vec<_> = self.keys.iter().filter(here).flat_map(of_key).collect();
        let what = "changes of the guardrails' keys".to_owned();
        (!samples.is_empty()).then_some(Listens { what, samples })
    }

    /// What an account has to send on to the hub from one Region. `guarded` is whether the baseline names the Region;
    /// `home` whether Organizations tells its events there.
    pub fn sent_on(&self, account: &AccountId, region: &str, guarded: bool, home: bool) -> Vec<Listens> {
        let mut needs = Vec::new();
        if guarded {
            needs.push(guardrails(Some(account)));
            if self.owners.contains(account) {
                let what = "changes of drafts".to_owned();
                needs.push(Listens {
                    what,
                    samples: samples("aws.bedrock", Some(account), &["UpdateGuardrail"]),
                });
                needs.extend(self.of_keys(account, Some(region)));
            }
        }
        if home {
            needs.push(regions(Some(account)));
            if Some(account) == self.management.as_ref() {
                needs.push(membership(account));
                let what = "changes of what protects the keeper".to_owned();
                needs.push(Listens { what, samples: self.of_policies(Some(account)) });
                needs.extend(self.of_bedrock_policies());
            }
        }
        needs
    }
}

fn guardrails(account: Option<&AccountId>) -> Listens {
    calls("aws.bedrock", account, &OF_GUARDRAILS)
}

fn membership(management: &AccountId) -> Listens {
    calls("aws.organizations", Some(management), &OF_MEMBERSHIP)
}

fn regions(account: Option<&AccountId>) -> Listens {
    let enabled =
        event("aws.account", account, "Region Opt-In Status Change", &json!({ "status": "ENABLED" }));
    Listens {
        what: "events of aws.account".to_owned(),
        samples: vec![("Region Opt-In Status Change", enabled)],
    }
}

fn calls(source: &str, account: Option<&AccountId>, names: &[&'static str]) -> Listens {
    Listens { what: format!("events of {source}"), samples: samples(source, account, names) }
}

/// A call of an account's root, which is no author and no role of ours, for each name.
fn samples(source: &str, account: Option<&AccountId>, names: &[&'static str]) -> Vec<(&'static str, Value)> {
    let identity = account.map(|account| json!({ "type": "Root", "accountId": account }));
    let called = |name: &&'static str| {
        let mut detail = json!({ "eventName": name });
        detail["userIdentity"] = identity.clone().unwrap_or_default();
        (*name, event(source, account, "AWS API Call via CloudTrail", &detail))
    };
    names.iter().map(called).collect()
}

fn event(source: &str, account: Option<&AccountId>, kind: &str, detail: &Value) -> Value {
    json!({ "source": source, "account": account, "detail-type": kind, "detail": detail })
}
