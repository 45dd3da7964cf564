//! What a Bedrock policy is called, and where it is attached.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::baseline::AssignmentTarget;
use crate::ids::{AccountId, InvalidId, ParentId, stored_as_text, text_id};
use crate::organization::OrgPath;

text_id!(
    /// A policy of AWS Organizations, `p-` and 8 to 128 letters, digits or underscores (Organizations service model).
    PolicyId,
    "an organization policy's id",
    "p- and 8 to 128 letters, digits or underscores",
    |text| text.strip_prefix("p-").is_some_and(|rest| {
        (8..=128).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    })
);

/// What a Bedrock policy can be attached to. AWS calls it a target, which is another thing here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AttachPoint {
    /// The root or an OU: everything below it inherits.
    Parent(ParentId),
    /// One account.
    Account(AccountId),
}

impl AttachPoint {
    /// The points whose policies act in an account, in the order in which they are merged: the root, the OUs on its
    /// path, and the account itself.
    pub fn chain(account: &AccountId, path: &OrgPath) -> impl Iterator<Item = AttachPoint> + use<> {
        let parents = path.parents().to_vec().into_iter().map(AttachPoint::Parent);
        parents.chain([AttachPoint::Account(account.clone())])
    }
}

impl From<&AssignmentTarget> for AttachPoint {
    fn from(target: &AssignmentTarget) -> AttachPoint {
        match target {
            AssignmentTarget::Account(account) => AttachPoint::Account(account.clone()),
            AssignmentTarget::Parent(parent) => AttachPoint::Parent(parent.clone()),
        }
    }
}

stored_as_text!(AttachPoint);

impl FromStr for AttachPoint {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<AttachPoint, InvalidId> {
        match (text.parse(), text.parse()) {
            (Ok(account), _) => Ok(AttachPoint::Account(account)),
            (Err(_), Ok(parent)) => Ok(AttachPoint::Parent(parent)),
            (Err(_), Err(_)) => {
                Err(InvalidId::new("what a policy can be attached to", "a root, an OU or an account", text))
            }
        }
    }
}

impl fmt::Display for AttachPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AttachPoint::Parent(parent) => parent.fmt(f),
            AttachPoint::Account(account) => account.fmt(f),
        }
    }
}

/// One of the keeper's own Bedrock policies: the point that it is for, and which of the point's parts it is. Each is
/// attached to this one point only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PolicyPart {
    /// Where it belongs.
    pub point: AttachPoint,
    /// Which part, from 1: a document that would be too long is split by Region.
    pub number: usize,
}

/// What the name of each of the keeper's Bedrock policies begins with.
const NAME: &str = "guardrail-keeper-";

stored_as_text!(PolicyPart);

impl FromStr for PolicyPart {
    type Err = InvalidId;

    /// Reads the name of a policy of the keeper's.
    fn from_str(text: &str) -> Result<PolicyPart, InvalidId> {
        let invalid =
            || InvalidId::new("the name of a policy of ours", "guardrail-keeper-POINT-NUMBER", text);
        let (point, number) =
            text.strip_prefix(NAME).and_then(|rest| rest.rsplit_once('-')).ok_or_else(invalid)?;
        let part = PolicyPart { point: point.parse()?, number: number.parse().map_err(|_| invalid())? };
        // One part has one name: `01` or `+1` is none of ours.
        if part.number > 0 && part.to_string() == text { Ok(part) } else { Err(invalid()) }
    }
}

impl fmt::Display for PolicyPart {
    /// Its name in AWS Organizations, where a name is unique.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME}{}-{}", self.point, self.number)
    }
}

/// A Bedrock policy: one that is there, or one of the keeper's that is to be created.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyKey {
    /// AWS gave it this id.
    Id(PolicyId),
    /// It isn't there yet.
    New(PolicyPart),
    /// The one that somebody thinks of creating, in a preview.
    Proposed,
}

impl fmt::Display for PolicyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PolicyKey::Id(id) => id.fmt(f),
            PolicyKey::New(part) => part.fmt(f),
            PolicyKey::Proposed => f.write_str("the new policy"),
        }
    }
}

/// A Bedrock policy where it is attached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyAt {
    /// The policy.
    pub policy: PolicyKey,
    /// Where.
    pub point: AttachPoint,
}

impl fmt::Display for PolicyAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.policy, self.point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_have_ids() {
        for text in ["p-examplepolicyid111", "p-12345678", "p-Az_09Az_09"] {
            assert_eq!(text.parse::<PolicyId>().unwrap().as_str(), text);
        }
        for text in
            ["", "p-", "p-1234567", "p-1234567-8", "o-exampleorgid", &format!("p-{}", "a".repeat(129))]
        {
            assert!(text.parse::<PolicyId>().is_err(), "{text}");
        }
    }

    #[test]
    fn ours_are_known_by_their_names() {
        for (name, point, number) in [
            ("guardrail-keeper-r-exam-1", "r-exam", 1),
            ("guardrail-keeper-ou-exam-workload-12", "ou-exam-workload", 12),
            ("guardrail-keeper-300000000001-2", "300000000001", 2),
        ] {
            let part = PolicyPart { point: point.parse().unwrap(), number };
            assert_eq!(name.parse(), Ok(part.clone()));
            assert_eq!(part.to_string(), name);
        }
        for name in [
            "",
            "guardrail-keeper-",
            "guardrail-keeper-r-exam",
            "guardrail-keeper-r-exam-0",
            "guardrail-keeper-r-exam-01",
            "guardrail-keeper-r-exam-+1",
            "guardrail-keeper-elsewhere-1",
            "Guardrail-keeper-r-exam-1",
            "guardrail-keeper-r-exam-1 ",
        ] {
            assert!(name.parse::<PolicyPart>().is_err(), "{name}");
        }
    }

    #[test]
    fn an_account_inherits_from_the_root_downwards() {
        let path = "o-exampleorgid/r-exam/ou-exam-workload/".parse().unwrap();
        let chain = AttachPoint::chain(&"300000000001".parse().unwrap(), &path);
        let chain: Vec<String> = chain.map(|point| point.to_string()).collect();
        assert_eq!(chain, ["r-exam", "ou-exam-workload", "300000000001"]);
    }
}
