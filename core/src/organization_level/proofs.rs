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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforcement::{Guarding, Models};
    use crate::organization::AccountState;
    use crate::record::{InheritedProbe, InheritedRegion, InheritedStanding};

    const ACCOUNT: &str = "300000000001";

    fn region() -> Region {
        "us-east-1".parse().unwrap()
    }

    fn enforcement(version: u32) -> Enforcement {
        Enforcement {
            guardrail: "arn:aws:bedrock:us-east-1:111111111111:guardrail/base1a2b3c4d".parse().unwrap(),
            version: GuardrailVersion::new(version).unwrap(),
            models: Models::default(),
            guarding: Guarding::default(),
        }
    }

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(hours * 3600).unwrap()
    }

    /// An account whose try of the second version, at hour 0, ended so.
    fn tried(result: InheritedProbeResult) -> BTreeMap<AccountId, InheritedLevel> {
        let Enforcement { guardrail, version, .. } = enforcement(2);
        let probe = InheritedProbe { guardrail, version, at: at(0), result };
        let one = InheritedRegion {
            wanted: Some(enforcement(2)),
            standing: InheritedStanding::Absent,
            text: String::new(),
            probe: Some(probe),
        };
        let regions = BTreeMap::from([(region(), one)]);
        let level = InheritedLevel { at: at(0), revision: "0123456789abcdef".parse().unwrap(), regions };
        BTreeMap::from([(ACCOUNT.parse().unwrap(), level)])
    }

    fn accounts(state: AccountState) -> BTreeMap<AccountId, Account> {
        let id: AccountId = ACCOUNT.parse().unwrap();
        let path = "o-exampleorgid/r-exam/ou-exam-workload/".parse().unwrap();
        let account = Account { id: id.clone(), name: "payments".to_owned(), state, path, joined: None };
        BTreeMap::from([(id, account)])
    }

    /// Whether the account is shown to be able to apply a version, at an hour.
    fn proof(
        inherited: &BTreeMap<AccountId, InheritedLevel>,
        accounts: &BTreeMap<AccountId, Account>,
        version: u32,
        hour: i64,
    ) -> AccountProof {
        let accepted = BTreeSet::new();
        let proofs = RecordedProofs {
            versions: BTreeMap::new(),
            inherited: inherited.clone(),
            accounts,
            accepted: &accepted,
            restored: None,
            now: at(hour),
        };
        let target = Target { account: ACCOUNT.parse().unwrap(), region: region() };
        proofs.account(&target, &enforcement(version))
    }

    #[test]
    fn a_try_counts_for_its_version_and_for_a_day() {
        let active = accounts(AccountState::Active);
        let applied = tried(InheritedProbeResult::Applied);
        assert_eq!(proof(&applied, &active, 2, 0), AccountProof::Proven);
        assert_eq!(proof(&applied, &active, 2, 23), AccountProof::Proven);
        let untried = AccountProof::Missing("it was not tried within the last day".to_owned());
        assert_eq!(proof(&applied, &active, 2, 24), untried);
        assert_eq!(proof(&applied, &active, 3, 0), untried);
        assert_eq!(proof(&BTreeMap::new(), &active, 2, 0), untried);
    }

    #[test]
    fn a_try_that_failed_proves_nothing_and_where_nobody_can_use_bedrock_none_is_needed() {
        let active = accounts(AccountState::Active);
        let failed = tried(InheritedProbeResult::Failed("denied".to_owned()));
        assert_eq!(proof(&failed, &active, 2, 0), AccountProof::Missing("denied".to_owned()));
        assert_eq!(proof(&tried(InheritedProbeResult::NotEnabled), &active, 2, 0), AccountProof::NotNeeded);
        for closed in [AccountState::Suspended, AccountState::PendingClosure, AccountState::Closed] {
            assert_eq!(proof(&failed, &accounts(closed), 2, 0), AccountProof::NotNeeded);
        }
        // Of a state that this version doesn't know nothing is assumed.
        let unknown = accounts(AccountState::Other("NEW".to_owned()));
        assert_eq!(proof(&failed, &unknown, 2, 0), AccountProof::Missing("denied".to_owned()));
    }

    #[test]
    fn who_is_accepted_need_not_prove_it_and_what_was_carried_out_is_put_back_unproven() {
        let active = accounts(AccountState::Active);
        let target = Target { account: ACCOUNT.parse().unwrap(), region: region() };
        let accepted = BTreeSet::from([target.account.clone()]);
        let none = BTreeSet::new();
        let of = |version| {
            let regions = BTreeMap::from([(region(), enforcement(version))]);
            let policies = BTreeMap::from([("ou-exam-workload".parse::<AttachPoint>().unwrap(), regions)]);
            ResolvedLevel { policies, not_found: Vec::new() }
        };
        let (same, other) = (of(2), of(1));
        let mut proofs = RecordedProofs {
            versions: BTreeMap::new(),
            inherited: BTreeMap::new(),
            accounts: &active,
            accepted: &accepted,
            restored: None,
            now: at(0),
        };
        assert_eq!(proofs.account(&target, &enforcement(2)), AccountProof::NotNeeded);
        proofs = RecordedProofs { accepted: &none, restored: Some(&same), ..proofs };
        assert_eq!(proofs.account(&target, &enforcement(2)), AccountProof::Proven);
        // What it would be given is something else, or the account isn't known.
        proofs = RecordedProofs { restored: Some(&other), ..proofs };
        assert!(matches!(proofs.account(&target, &enforcement(2)), AccountProof::Missing(_)));
        let nobody = BTreeMap::new();
        proofs = RecordedProofs { restored: Some(&same), accounts: &nobody, ..proofs };
        assert!(matches!(proofs.account(&target, &enforcement(2)), AccountProof::Missing(_)));
    }

    #[test]
    fn a_guardrail_counts_in_its_own_region_and_only_if_it_was_looked_at() {
        let (active, none) = (accounts(AccountState::Active), BTreeSet::new());
        let Enforcement { guardrail, version, .. } = enforcement(2);
        let unusable = (region(), guardrail.clone(), enforcement(3).version);
        let versions = BTreeMap::from([
            ((region(), guardrail, version), Ok(())),
            (unusable, Err("it doesn't exist".to_owned())),
        ]);
        let proofs = RecordedProofs {
            versions,
            inherited: BTreeMap::new(),
            accounts: &active,
            accepted: &none,
            restored: None,
            now: at(0),
        };
        assert_eq!(proofs.guardrail(&region(), &enforcement(2)), Ok(()));
        assert_eq!(proofs.guardrail(&region(), &enforcement(3)), Err("it doesn't exist".to_owned()));
        assert_eq!(proofs.guardrail(&region(), &enforcement(4)), Err("it was not looked at".to_owned()));
        let elsewhere = proofs.guardrail(&"eu-west-1".parse().unwrap(), &enforcement(2));
        assert!(elsewhere.unwrap_err().contains("lies in us-east-1"));
    }
}
