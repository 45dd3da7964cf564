//! A look at the organization's level that takes longer than one invocation: what was read so far, and how far it came.
//!
//! AWS answers two DescribePolicy a second and lists twenty accounts a page, so that a large organization can't be read
//! within the two minutes of one invocation. What an invocation read is put down in parts, and the next one continues.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::bedrock_policy::{AttachPoint, PolicyId, PolicyStep};
use crate::ids::AccountId;
use crate::organization::Account;
use crate::task::Cause;

/// How old what a look read may become, in seconds: an older look begins again.
const LOOK_COUNTS_SECONDS: i64 = 3600;

/// How long after its last progress a look counts as under way, in seconds: a message waits for 15 minutes at most.
const UNDER_WAY_SECONDS: i64 = 1_200;

/// The most bytes of one part: an item of DynamoDB holds 400 KB, and texts get longer in JSON.
const PART_BYTES: usize = 150_000;

/// A look that an earlier invocation began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BegunLook {
    /// Its number: each look that is put down has another.
    pub number: u64,
    /// When it began.
    pub began: Timestamp,
    /// When it was put down last.
    pub put_down: Timestamp,
    /// When SQS handed out the message that began it, by SQS's clock, in milliseconds since 1970.
    pub looked_ms: Option<u64>,
    /// How many parts hold what was read.
    pub parts: u32,
    /// How often it was put down.
    pub times: u32,
    /// How far the list of accounts came.
    pub accounts: ListedSoFar,
    /// Policies that the parts hold and that were written since: they are read again.
    pub written: BTreeSet<PolicyId>,
    /// Points that the parts hold and at which something was attached or detached since.
    pub changed: BTreeSet<AttachPoint>,
    /// What a check that is under way saw published: it isn't asked for again.
    pub published: BTreeSet<String>,
    /// What asked for a look since this one began: another one follows.
    pub asked: Option<Cause>,
}

/// How far a list came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListedSoFar {
    /// It wasn't begun.
    #[default]
    Nothing,
    /// It goes on with this token.
    Until(String),
    /// It is complete.
    All,
}

impl BegunLook {
    /// Whether it is still being continued, as far as that can be known. Who comes meanwhile leaves a note in it.
    pub fn is_under_way(&self, now: Timestamp) -> bool {
        now.as_second() - self.put_down.as_second() <= UNDER_WAY_SECONDS
    }

    /// Whether what it read still counts.
    pub fn counts(&self, now: Timestamp) -> bool {
        now.as_second() - self.began.as_second() <= LOOK_COUNTS_SECONDS
    }
}

/// What was read of the Bedrock policies of an organization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReadPolicies {
    /// What each policy says.
    pub contents: BTreeMap<PolicyId, String>,
    /// What each policy is attached to.
    pub targets: BTreeMap<PolicyId, BTreeSet<AttachPoint>>,
    /// What is attached to each point, in AWS's order.
    pub attached: BTreeMap<AttachPoint, Vec<PolicyId>>,
}

/// What was read of an organization, or a part of that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LookPart {
    /// Its policies.
    pub policies: ReadPolicies,
    /// Its accounts.
    pub accounts: BTreeMap<AccountId, Account>,
    /// What AWS showed of accounts that can't be placed.
    pub unplaced: BTreeSet<String>,
}

impl LookPart {
    /// Adds what was read later.
    pub fn add(&mut self, later: LookPart) {
        let LookPart { policies, accounts, unplaced } = later;
        self.policies.contents.extend(policies.contents);
        self.policies.targets.extend(policies.targets);
        self.policies.attached.extend(policies.attached);
        self.accounts.extend(accounts);
        self.unplaced.extend(unplaced);
    }

    /// What `earlier` doesn't have.
    #[must_use]
    pub fn without(&self, earlier: &ReadSoFar) -> LookPart {
        let mut part = self.clone();
        part.policies.contents.retain(|id, _| !earlier.policies.contains(id));
        part.policies.targets.retain(|id, _| !earlier.policies.contains(id));
        part.policies.attached.retain(|point, _| !earlier.points.contains(point));
        part.accounts.retain(|id, _| !earlier.accounts.contains(id));
        part.unplaced.retain(|odd| !earlier.unplaced.contains(odd));
        part
    }

    /// Forgets a policy, which is read again.
    pub fn forget_policy(&mut self, id: &PolicyId) {
        self.policies.contents.remove(id);
        self.policies.targets.remove(id);
    }

    /// The same in parts that fit into one document each.
    pub fn split(self) -> Vec<LookPart> {
        let LookPart { policies, accounts, unplaced } = self;
        let mut parts =
            Parts { full: Vec::new(), last: LookPart { unplaced, ..LookPart::default() }, bytes: 0 };
        for (id, content) in policies.contents {
            parts.at(content.len() + id.as_str().len()).policies.contents.insert(id, content);
        }
        for (id, targets) in policies.targets {
            parts.at(100 * (1 + targets.len())).policies.targets.insert(id, targets);
        }
        for (point, them) in policies.attached {
            parts.at(100 + 150 * them.len()).policies.attached.insert(point, them);
        }
        for (id, account) in accounts {
            parts.at(200 + account.name.len() + account.path.to_string().len()).accounts.insert(id, account);
        }
        parts.full.push(parts.last);
        parts.full.retain(|part| *part != LookPart::default());
        parts.full
    }
}

/// Parts that are being filled.
struct Parts {
    full: Vec<LookPart>,
    last: LookPart,
    bytes: usize,
}

impl Parts {
    /// The part that something of about this size goes into.
    fn at(&mut self, bytes: usize) -> &mut LookPart {
        if self.bytes > 0 && self.bytes + bytes > PART_BYTES {
            self.full.push(std::mem::take(&mut self.last));
            self.bytes = 0;
        }
        self.bytes += bytes;
        &mut self.last
    }
}

/// The names of what was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadSoFar {
    policies: BTreeSet<PolicyId>,
    points: BTreeSet<AttachPoint>,
    accounts: BTreeSet<AccountId>,
    unplaced: BTreeSet<String>,
}

impl ReadSoFar {
    /// Of this.
    pub fn of(part: &LookPart) -> ReadSoFar {
        ReadSoFar {
            policies: part.policies.targets.keys().cloned().collect(),
            points: part.policies.attached.keys().cloned().collect(),
            accounts: part.accounts.keys().cloned().collect(),
            unplaced: part.unplaced.clone(),
        }
    }
}

/// What a step makes outdated of what was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outdated {
    /// Policies.
    pub policies: BTreeSet<PolicyId>,
    /// Points.
    pub points: BTreeSet<AttachPoint>,
}

impl Outdated {
    /// Of this step. `id` is the policy that it names, where AWS gave that an id.
    pub fn by(step: &PolicyStep, id: Option<PolicyId>) -> Outdated {
        let points = match step {
            PolicyStep::Attach { point, .. } | PolicyStep::Detach { point, .. } => {
                BTreeSet::from([point.clone()])
            }
            PolicyStep::Create { .. }
            | PolicyStep::Update { .. }
            | PolicyStep::Check { .. }
            | PolicyStep::Delete { .. } => BTreeSet::new(),
        };
        Outdated { policies: id.into_iter().collect(), points }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::organization::AccountState;

    fn account(number: u64) -> Account {
        Account {
            id: format!("{number:012}").parse().unwrap(),
            name: "an account".to_owned(),
            state: AccountState::Active,
            path: "o-exampleorgid/r-exam/ou-exam-workload/".parse().unwrap(),
            joined: None,
        }
    }

    fn whole() -> LookPart {
        let mut part = LookPart { unplaced: BTreeSet::from(["odd".to_owned()]), ..LookPart::default() };
        for number in 0..120 {
            let id: PolicyId = format!("p-{number:010}").parse().unwrap();
            let point: AttachPoint = format!("{number:012}").parse().unwrap();
            part.policies.contents.insert(id.clone(), "x".repeat(10_000));
            part.policies.targets.insert(id.clone(), BTreeSet::from([point.clone()]));
            part.policies.attached.insert(point, vec![id]);
        }
        part.accounts = (0..3_000).map(account).map(|account| (account.id.clone(), account)).collect();
        part
    }

    #[test]
    fn parts_fit_into_documents_and_come_to_the_whole() {
        let parts = whole().split();
        assert!(parts.len() > 8, "{}", parts.len());
        let mut joined = LookPart::default();
        for part in parts {
            let text = serde_json::to_string(&part).unwrap();
            assert!(text.len() < 350_000, "{}", text.len());
            joined.add(serde_json::from_str(&text).unwrap());
        }
        assert_eq!(joined, whole());
        assert!(LookPart::default().split().is_empty());
    }

    #[test]
    fn what_was_put_down_is_not_put_down_again_unless_it_was_read_again() {
        let mut read = whole();
        let kept = ReadSoFar::of(&read);
        assert_eq!(read.without(&kept), LookPart::default());
        let again: PolicyId = "p-0000000007".parse().unwrap();
        read.forget_policy(&again);
        let kept = ReadSoFar::of(&read);
        read.policies.contents.insert(again.clone(), "y".to_owned());
        read.policies.targets.insert(again.clone(), BTreeSet::new());
        let part = read.without(&kept);
        assert_eq!(part.policies.contents.into_keys().collect::<Vec<_>>(), [again]);
        assert!(part.accounts.is_empty());
    }

    #[test]
    fn a_look_that_nobody_continues_holds_nobody_up() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let look = BegunLook {
            number: 1,
            began: at(0),
            put_down: at(3_000),
            looked_ms: None,
            parts: 0,
            times: 1,
            accounts: ListedSoFar::Nothing,
            written: BTreeSet::new(),
            changed: BTreeSet::new(),
            published: BTreeSet::new(),
            asked: None,
        };
        assert!(
            look.is_under_way(at(3_000 + UNDER_WAY_SECONDS))
                && !look.is_under_way(at(3_001 + UNDER_WAY_SECONDS))
        );
        assert!(look.counts(at(LOOK_COUNTS_SECONDS)) && !look.counts(at(LOOK_COUNTS_SECONDS + 1)));
    }

    #[test]
    fn a_step_makes_outdated_what_it_writes() {
        let id: PolicyId = "p-11111111".parse().unwrap();
        let point: AttachPoint = "r-exam".parse().unwrap();
        let policy = crate::bedrock_policy::PolicyKey::Id(id.clone());
        let step = PolicyStep::Attach { policy: policy.clone(), point: point.clone() };
        let outdated = Outdated { policies: BTreeSet::from([id.clone()]), points: BTreeSet::from([point]) };
        assert_eq!(Outdated::by(&step, Some(id.clone())), outdated);
        let step = PolicyStep::Delete { policy };
        assert_eq!(Outdated::by(&step, Some(id)).points, BTreeSet::new());
    }
}
