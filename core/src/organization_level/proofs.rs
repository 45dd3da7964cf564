//! Who has shown what: the proofs that a decision on the organization's level rests on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::ResolvedLevel;
use crate::bedrock_policy::{AccountProof, AttachPoint, Proofs};
use crate::enforcement::Enforcement;
use crate::ids::{AccountId, GuardrailArn, GuardrailVersion, Region, Target};
use crate::organization::Account;
use crate::record::{InheritedLevel, InheritedProbeResult};

/// A guardrail version in the Region in which a policy names it.
pub type VersionAt = (Region, GuardrailArn, GuardrailVersion);

/// What is recorded of accounts, and what was seen of guardrails.
#[derive(Clone, Debug)]
pub struct RecordedProofs<'a> {
    /// Whether a guardrail version can be used; the reason in words where not. One that isn't there was not looked at.
    pub versions: BTreeMap<VersionAt, Result<(), String>>,
    /// What accounts were seen to have and to be able to apply.
    pub inherited: BTreeMap<AccountId, InheritedLevel>,
    /// Every account of the organization.
    pub accounts: &'a BTreeMap<AccountId, Account>,
    /// Accounts that need not prove anything, because the baseline says so.
    pub accepted: &'a BTreeSet<AccountId>,
    /// What is wanted now, where that was carried out and confirmed before: to put it back needs no proof of an account.
    pub restored: Option<&'a ResolvedLevel>,
    /// Now.
    pub now: Timestamp,
}

impl Proofs for RecordedProofs<'_> {
    fn guardrail(&self, region: &Region, enforcement: &Enforcement) -> Result<(), String> {
        if enforcement.guardrail.region != *region {
            let lies = &enforcement.guardrail.region;
            return Err(format!("it lies in {lies}, and a Bedrock policy can name it in {lies} alone"));
        }
        let version = (region.clone(), enforcement.guardrail.clone(), enforcement.version);
        self.versions.get(&version).cloned().unwrap_or_else(|| Err("it was not looked at".to_owned()))
    }

    fn account(&self, target: &Target, enforcement: &Enforcement) -> AccountProof {
        let account = self.accounts.get(&target.account);
        if self.accepted.contains(&target.account)
            || account.is_some_and(|account| !account.state.admits_work())
        {
            return AccountProof::NotNeeded;
        }
        if let (Some(level), Some(account)) = (self.restored, account) {
            let chain = AttachPoint::chain(&account.id, &account.path);
            if level.given(chain, &target.region) == Some(enforcement) {
                return AccountProof::Proven;
            }
        }
        let probe = self
            .inherited
            .get(&target.account)
            .and_then(|level| level.regions.get(&target.region))
            .and_then(|region| region.probe.as_ref())
            .filter(|probe| probe.counts_for(enforcement, self.now));
        match probe.map(|probe| &probe.result) {
            Some(InheritedProbeResult::Applied) => AccountProof::Proven,
            Some(InheritedProbeResult::NotEnabled) => AccountProof::NotNeeded,
            Some(InheritedProbeResult::Failed(why)) => AccountProof::Missing(why.clone()),
            None => AccountProof::Missing("it was not tried within the last day".to_owned()),
        }
    }
}
