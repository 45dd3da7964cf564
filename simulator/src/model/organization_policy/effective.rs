//! The document that each account has: merged, published after a while, or frozen (organization-policies §1.4, §1.6).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::document::{Place, Tree, Wants};
use super::enforced::OrganizationConfiguration;
use super::merge::{Member, Merged};
use super::validity::EffectiveFault;
use super::{PolicyKind, PolicyTypeStatus};
use crate::model::clock;
use crate::model::organization::Account;
use crate::model::settling::Settling;
use crate::model::{Model, Pending};
use crate::switches::{NameCase, OnOff};

/// What an account's policies came to.
#[derive(Clone, Debug, Serialize)]
pub struct EffectivePolicy {
    /// The last document that was valid.
    document: Settling<Arc<PublishedDocument>>,
    /// When it was looked at last. That proves no change (organization-policies §1.6).
    pub evaluated_at: Timestamp,
    /// Where the account was then, `o-…/r-…/ou-…/<account>/`.
    pub path: String,
    /// Why the last merge wasn't published: as long as there is anything, the account keeps its document.
    pub faults: Vec<EffectiveFault>,
    /// Whether the type was switched off since: then the document is only what is still readable.
    #[serde(skip)]
    withdrawn: bool,
}

/// A document as DescribeEffectivePolicy shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PublishedDocument {
    /// Compact JSON without any operator.
    pub text: String,
    /// What it enforces.
    pub configurations: Vec<OrganizationConfiguration>,
}

impl PublishedDocument {
    fn new(document: &Value) -> PublishedDocument {
        PublishedDocument {
            text: document.to_string(),
            configurations: OrganizationConfiguration::of(document),
        }
    }

    /// What an account has that no policy reaches.
    pub(super) fn nothing() -> PublishedDocument {
        PublishedDocument::new(&json!({}))
    }
}

impl EffectivePolicy {
    /// What is published, whether Bedrock enforces it yet or not.
    pub fn document(&self) -> &Arc<PublishedDocument> {
        self.document.latest()
    }

    /// Whether the account keeps an old document because the merge isn't valid.
    pub fn is_frozen(&self) -> bool {
        !self.faults.is_empty()
    }
}

/// What a merge came to: a document, or why there is none.
type Verdict = Result<Arc<PublishedDocument>, Vec<EffectiveFault>>;

/// What every policy of the type wants, by its id: read once for all accounts.
type Library = HashMap<String, BTreeMap<Place, Wants>>;

impl Model {
    /// What an account's policies came to, as far as they were published.
    pub fn effective_policy(&self, account: &str) -> Option<&EffectivePolicy> {
        self.organization.effective.get(account)
    }

    /// The document that Bedrock goes by in an account now.
    pub(super) fn enforced_document(&self, account: &str) -> Option<&Arc<PublishedDocument>> {
        if self.organization.bedrock_policies != PolicyTypeStatus::Enabled {
            return None;
        }
        let effective = self.organization.effective.get(account).filter(|effective| !effective.withdrawn)?;
        Some(effective.document.effective(self.now(), self.settings.policy_enforcement_seconds))
    }

    /// Something changed on the root, a unit or an account: the documents of the accounts there and below are made
    /// anew when their time has come.
    pub(crate) fn policies_changed(&mut self, target: &str) {
        if self.organization.bedrock_policies != PolicyTypeStatus::Enabled {
            return;
        }
        let delay = self.settings.policy_publication_seconds;
        if delay == 0 {
            self.publish_below(target);
            return;
        }
        let at = clock::after(self.now(), delay);
        let same = |(due, pending): &(Timestamp, Pending)| {
            *due == at && matches!(pending, Pending::Publication { below } if below == target)
        };
        if !self.pending.iter().any(same) {
            self.schedule(at, Pending::Publication { below: target.to_owned() });
        }
    }

    /// Makes the documents of a target's accounts of the policies that are there now, and publishes those that are
    /// valid.
    pub(crate) fn publish_below(&mut self, target: &str) {
        if self.organization.bedrock_policies != PolicyTypeStatus::Enabled {
            return;
        }
        let library = self.library();
        let mut of_parents: HashMap<String, (Merged, Verdict)> = HashMap::new();
        let reached = |account: &&Account| {
            let parent = account.parent().unwrap_or_default();
            account.id == target || self.organization.chain(parent).contains(&target)
        };
        let accounts: Vec<String> =
            self.members().filter(reached).map(|account| account.id.clone()).collect();
        for account in accounts {
            let verdict = self.verdict(&account, &library, &mut of_parents);
            self.publish(&account, verdict);
        }
    }

    /// What the policies that reach an account come to. Accounts beside each other share what is above them.
    fn verdict(
        &self,
        account: &str,
        library: &Library,
        of_parents: &mut HashMap<String, (Merged, Verdict)>,
    ) -> Verdict {
        let spared = account == self.organization.management_account
            && self.switches.management_account_inherits == OnOff::Off;
        let Some(parent) = self.member(account).and_then(Account::parent).filter(|_| !spared) else {
            return Ok(Arc::new(PublishedDocument::nothing()));
        };
        if !of_parents.contains_key(parent) {
            let mut merged = Merged::default();
            for target in self.organization.chain(parent) {
                self.descend(&mut merged, target, library);
            }
            let verdict = self.judge(&merged);
            of_parents.insert(parent.to_owned(), (merged, verdict));
        }
        let (above, verdict) = &of_parents[parent];
        if self.organization.policies_on(account, PolicyKind::BedrockPolicy).is_empty() {
            return verdict.clone();
        }
        let mut merged = above.clone();
        self.descend(&mut merged, account, library);
        self.judge(&merged)
    }

    fn descend(&self, merged: &mut Merged, target: &str, library: &Library) {
        let attached = self.organization.policies_on(target, PolicyKind::BedrockPolicy);
        let members: Vec<Member<'_>> = attached
            .iter()
            .filter_map(|(_, policy)| Some((policy.id.as_str(), library.get(&policy.id)?)))
            .collect();
        merged.descend(&members);
    }

    fn judge(&self, merged: &Merged) -> Verdict {
        let faults = self.faults_of(merged);
        if faults.is_empty() {
            Ok(Arc::new(PublishedDocument::new(&merged.document(self.switches.empty_model_lists))))
        } else {
            Err(faults)
        }
    }

    fn library(&self) -> Library {
        let policies = self.organization.policies.iter();
        let ours = policies.filter(|policy| policy.kind == PolicyKind::BedrockPolicy);
        ours.filter_map(|policy| Some((policy.id.clone(), self.wants(&policy.content)?))).collect()
    }

    fn wants(&self, content: &str) -> Option<BTreeMap<Place, Wants>> {
        let lowered = self.switches.configuration_names == NameCase::Lowered;
        Some(Tree::parse(content)?.wants(lowered))
    }

    /// What one document would come to by itself.
    pub(super) fn merged_alone(&self, content: &str) -> Option<Merged> {
        let wants = self.wants(content)?;
        let mut merged = Merged::default();
        merged.descend(&[("", &wants)]);
        Some(merged)
    }

    /// Publishes a document, or leaves the one that is there and keeps why; tells the management account of a verdict
    /// that isn't what it was.
    fn publish(&mut self, account: &str, verdict: Verdict) {
        let (now, delay) = (self.now(), self.settings.policy_enforcement_seconds);
        let path = self.account_path(account).unwrap_or_default();
        let effective = self.organization.effective.entry(account.to_owned()).or_insert_with(|| {
            let document = Settling::settled(Arc::new(PublishedDocument::nothing()));
            let (path, faults) = (String::new(), Vec::new());
            EffectivePolicy { document, evaluated_at: now, path, faults, withdrawn: false }
        });
        if std::mem::take(&mut effective.withdrawn) {
            effective.document = Settling::settled(Arc::new(PublishedDocument::nothing()));
        }
        effective.evaluated_at = now;
        effective.path = path;
        let before = std::mem::take(&mut effective.faults);
        match verdict {
            Ok(document) if document == *effective.document.latest() => {}
            Ok(document) => effective.document.write(document, now, delay),
            Err(faults) => effective.faults = faults,
        }
        if effective.faults != before {
            self.tell_of_validation(account);
        }
    }

    fn tell_of_validation(&mut self, account: &str) {
        let Some(effective) = self.organization.effective.get(account) else { return };
        let at = clock::iso8601(effective.evaluated_at);
        let error = |fault: &EffectiveFault| {
            json!({
                "accountPath": effective.path,
                "evaluationTimestamp": at,
                "errorCode": fault.code,
                "errorMessage": fault.message,
                "pathToError": fault.path,
                "contributingPolicies": fault.policies,
            })
        };
        let errors: Vec<Value> = effective.faults.iter().map(error).collect();
        let (state, info) = if errors.is_empty() {
            ("VALID", "The effective policy is valid.")
        } else {
            ("INVALID", "The effective policy has validation errors.")
        };
        let details = json!({
            "accountId": account,
            "policyType": PolicyKind::BedrockPolicy.name(),
            "state": state,
            "requestTimestamp": at,
            "info": info,
            "validationErrors": errors,
        });
        self.organizations_validation_event(&details);
    }

    /// Nothing of the type is attached any more. What was published stays readable for a moment if the type is
    /// switched on again (organization-policies §1.6), and Bedrock enforces nothing.
    pub(super) fn withdraw_effective_policies(&mut self) {
        self.pending.retain(|(_, pending)| !matches!(pending, Pending::Publication { .. }));
        for effective in self.organization.effective.values_mut() {
            effective.faults.clear();
            effective.withdrawn = true;
        }
    }
}
