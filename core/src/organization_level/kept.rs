//! What the ledger keeps of the organization's level.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::BegunLook;
use crate::baseline::Revision;
use crate::bedrock_policy::{OrganizationHold, OwnPolicies, PolicyId, PolicyPart, WantedPolicies};
use crate::ids::{AccountId, GuardrailArn};
use crate::words::cut;

/// How many frozen accounts are kept by name: the document has to stay far below the 400 KB of one DynamoDB item.
const FROZEN_KEPT: usize = 5_000;

/// Longer sentences are cut.
const TEXT_KEPT: usize = 2_000;

/// What the ledger keeps of the organization's level.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrganizationLevelRecord {
    /// The policies that the keeper created, each with the part that it is. A policy that isn't here is never written,
    /// whatever its name.
    pub own: BTreeMap<PolicyId, PolicyPart>,
    /// A policy that is being created: if the process ends before its id is kept, it is found by this and its name.
    pub creating: Option<PolicyPart>,
    /// What was wanted when all of it was last found carried out. To put that back needs no new approval.
    pub confirmed: Option<WantedDigest>,
    /// The last look.
    pub look: Option<OrganizationLook>,
    /// The holds that were published last.
    pub told_holds: Vec<RecordedHold>,
    /// The frozen accounts that were published last.
    pub told_frozen: BTreeSet<AccountId>,
    /// A look that takes more than one invocation, while it is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begun: Option<BegunLook>,
    /// How many such looks there were.
    pub begun_looks: u64,
}

/// What is wanted of every point, as a hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WantedDigest(String);

/// What a look at the organization's level found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationLook {
    /// When it began.
    pub at: Timestamp,
    /// By which baseline.
    pub revision: Revision,
    /// Whether Bedrock policies are enabled in the organization.
    pub is_enabled: bool,
    /// Why nothing is written, or not everything.
    pub holds: Vec<RecordedHold>,
    /// What is still to be written, or would be in mode `audit`, in words.
    pub left: Vec<String>,
    /// The accounts that AWS calls frozen, the first of them.
    pub frozen: BTreeSet<AccountId>,
    /// How many there are.
    pub frozen_count: usize,
    /// Every guardrail that an attached Bedrock policy names, also those of others: its grants are still needed. `None` where
    /// that isn't known: a policy can't be read, or a frozen account keeps what no policy says any more.
    pub named: Option<BTreeSet<GuardrailArn>>,
    /// When SQS handed out the message of the look first, by SQS's clock, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_ms: Option<u64>,
}

/// A reason why something isn't written, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordedHold {
    /// A short stable name.
    pub code: String,
    /// The reason, in words.
    pub text: String,
}

impl RecordedHold {
    /// A reason with this code.
    pub fn new(code: &str, text: &str) -> RecordedHold {
        RecordedHold { code: code.to_owned(), text: cut(text, TEXT_KEPT) }
    }
}

impl From<&OrganizationHold> for RecordedHold {
    fn from(hold: &OrganizationHold) -> RecordedHold {
        RecordedHold::new(hold.code(), &hold.to_string())
    }
}

impl WantedDigest {
    /// The hash of what is wanted.
    pub fn of(policies: &WantedPolicies) -> WantedDigest {
        let text = serde_json::to_string(policies).expect("its keys are texts");
        WantedDigest(Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl OrganizationLevelRecord {
    /// The keeper's own among the policies that are there: those that the ledger knows and that still have the name that the
    /// keeper gave them. Whoever renamed one made it theirs.
    pub fn own_among(&self, names: &BTreeMap<PolicyId, String>) -> OwnPolicies {
        let is_ours =
            |id: &PolicyId, part: &PolicyPart| names.get(id).is_some_and(|name| *name == part.to_string());
        let own = self.own.iter().filter(|(id, part)| is_ours(id, part));
        own.map(|(id, part)| (id.clone(), part.clone())).collect()
    }

    /// The policy that was created and whose id could not be kept: it has the name of the one that is being created, and
    /// the ledger doesn't know it.
    pub fn unclaimed(&self, names: &BTreeMap<PolicyId, String>) -> Option<(PolicyId, PolicyPart)> {
        let part = self.creating.as_ref()?;
        let name = part.to_string();
        let (id, _) = names.iter().find(|(id, known)| **known == name && !self.own.contains_key(*id))?;
        Some((id.clone(), part.clone()))
    }
}

impl OrganizationLook {
    /// Keeps which accounts are frozen.
    #[must_use]
    pub fn with_frozen(self, frozen: &BTreeSet<AccountId>) -> OrganizationLook {
        let kept = frozen.iter().take(FROZEN_KEPT).cloned().collect();
        OrganizationLook { frozen: kept, frozen_count: frozen.len(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[(&str, &str)]) -> BTreeMap<PolicyId, String> {
        all.iter().map(|(id, name)| (id.parse().unwrap(), (*name).to_owned())).collect()
    }

    #[test]
    fn ours_are_known_by_id_and_name_and_one_alone_is_not_enough() {
        let part: PolicyPart = "guardrail-keeper-r-exam-1".parse().unwrap();
        let record = OrganizationLevelRecord {
            own: BTreeMap::from([("p-11111111".parse().unwrap(), part.clone())]),
            ..OrganizationLevelRecord::default()
        };
        let there = names(&[("p-11111111", "guardrail-keeper-r-exam-1"), ("p-22222222", "corporate")]);
        assert_eq!(record.own_among(&there).into_keys().collect::<Vec<_>>(), ["p-11111111".parse().unwrap()]);
        // Renamed by somebody, or another policy of the same name.
        assert!(record.own_among(&names(&[("p-11111111", "mine now")])).is_empty());
        assert!(record.own_among(&names(&[("p-33333333", "guardrail-keeper-r-exam-1")])).is_empty());
    }

    #[test]
    fn a_policy_whose_id_was_lost_is_claimed_by_what_was_being_created() {
        let part: PolicyPart = "guardrail-keeper-r-exam-1".parse().unwrap();
        let there = names(&[("p-11111111", "guardrail-keeper-r-exam-1")]);
        let mut record = OrganizationLevelRecord::default();
        assert_eq!(record.unclaimed(&there), None);
        record.creating = Some(part.clone());
        assert_eq!(record.unclaimed(&there), Some(("p-11111111".parse().unwrap(), part.clone())));
        assert_eq!(record.unclaimed(&names(&[("p-11111111", "guardrail-keeper-r-exam-2")])), None);
        record.own.insert("p-11111111".parse().unwrap(), part);
        assert_eq!(record.unclaimed(&there), None);
    }

    #[test]
    fn the_record_survives_the_store() {
        let look = OrganizationLook {
            at: Timestamp::UNIX_EPOCH,
            revision: "0123456789abcdef".parse().unwrap(),
            is_enabled: true,
            holds: vec![RecordedHold::new("not_proven", "why")],
            left: vec!["attach".to_owned()],
            frozen: BTreeSet::new(),
            frozen_count: 0,
            named: Some(BTreeSet::new()),
            looked_ms: Some(1),
        };
        let accounts =
            (0..6_000).map(|number| format!("{:012}", 300_000_000_000_u64 + number).parse().unwrap());
        let look = look.with_frozen(&accounts.collect());
        assert_eq!((look.frozen.len(), look.frozen_count), (FROZEN_KEPT, 6_000));
        let part: PolicyPart = "guardrail-keeper-300000000001-2".parse().unwrap();
        let record = OrganizationLevelRecord {
            own: BTreeMap::from([("p-11111111".parse().unwrap(), part.clone())]),
            creating: Some(part),
            confirmed: Some(WantedDigest::of(&WantedPolicies::new())),
            look: Some(look),
            told_holds: Vec::new(),
            told_frozen: BTreeSet::new(),
            begun: None,
            begun_looks: 0,
        };
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<OrganizationLevelRecord>(&text).unwrap(), record);
        assert!(text.len() < 200_000, "{}", text.len());
    }
}
