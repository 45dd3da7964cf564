//! What a resource policy is attached to, and the actions it can give there.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::{
    AccountId, GuardrailArn, InvalidId, OrganizationId, Partition, ProfileId, Region, Target, parts_of_arn,
    stored_as_text,
};

/// What the principals may do that a resource policy admits.
///
/// The first two are all that Bedrock takes in a guardrail's policy; the third is for the guardrail's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Read the guardrail's definition.
    GetGuardrail,
    /// Apply the guardrail: what every call under an enforcement needs.
    ApplyGuardrail,
    /// Decrypt with the customer managed key of a guardrail: what every call under it needs as well.
    Decrypt,
}

impl Action {
    /// The name as a policy writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::GetGuardrail => "bedrock:GetGuardrail",
            Action::ApplyGuardrail => "bedrock:ApplyGuardrail",
            Action::Decrypt => "kms:Decrypt",
        }
    }
}

/// A guardrail profile in full: what a guardrail with cross-Region inference is applied through.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProfileArn {
    /// The partition.
    pub partition: Partition,
    /// The Region that the profile's policy is attached in.
    pub region: Region,
    /// The account that owns the guardrails which use it.
    pub account: AccountId,
    /// Its id there.
    pub id: ProfileId,
}

stored_as_text!(ProfileArn);

impl FromStr for ProfileArn {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<ProfileArn, InvalidId> {
        let read = || {
            let (partition, region, account, id) = parts_of_arn(text, "bedrock", "guardrail-profile/")?;
            Some(ProfileArn { partition, region, account, id: id.parse().ok()? })
        };
        let expected = "arn:aws:bedrock:REGION:ACCOUNT:guardrail-profile/ID";
        read().ok_or_else(|| InvalidId::new("a guardrail profile ARN", expected, text))
    }
}

impl fmt::Display for ProfileArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ProfileArn { partition, region, account, id } = self;
        write!(f, "arn:{partition}:bedrock:{region}:{account}:guardrail-profile/{id}")
    }
}

/// What a resource policy is attached to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Resource {
    /// A guardrail.
    Guardrail(GuardrailArn),
    /// The profile of a guardrail that uses cross-Region inference: it needs a policy of its own.
    Profile(ProfileArn),
}

impl Resource {
    /// The actions that a policy on this resource can give, in the order of AWS's own example.
    pub fn actions(&self) -> &'static [Action] {
        match self {
            Resource::Guardrail(_) => &[Action::GetGuardrail, Action::ApplyGuardrail],
            Resource::Profile(_) => &[Action::ApplyGuardrail],
        }
    }

    /// The account that owns it, and that alone may attach a policy to it.
    pub fn account(&self) -> &AccountId {
        match self {
            Resource::Guardrail(arn) => &arn.account,
            Resource::Profile(arn) => &arn.account,
        }
    }

    /// The Region that holds it.
    pub fn region(&self) -> &Region {
        match self {
            Resource::Guardrail(arn) => &arn.region,
            Resource::Profile(arn) => &arn.region,
        }
    }

    /// The account and the Region that hold it.
    pub fn held_in(&self) -> Target {
        Target { account: self.account().clone(), region: self.region().clone() }
    }

    pub(super) fn partition(&self) -> &Partition {
        match self {
            Resource::Guardrail(arn) => &arn.partition,
            Resource::Profile(arn) => &arn.partition,
        }
    }
}

stored_as_text!(Resource);

impl FromStr for Resource {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Resource, InvalidId> {
        if text.contains(":guardrail-profile/") {
            text.parse().map(Resource::Profile)
        } else {
            text.parse().map(Resource::Guardrail)
        }
    }
}

impl From<GuardrailArn> for Resource {
    fn from(arn: GuardrailArn) -> Resource {
        Resource::Guardrail(arn)
    }
}

impl From<ProfileArn> for Resource {
    fn from(arn: ProfileArn) -> Resource {
        Resource::Profile(arn)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Resource::Guardrail(arn) => arn.fmt(f),
            Resource::Profile(arn) => arn.fmt(f),
        }
    }
}

/// What the keeper wants a resource policy to say: every account of the organization may use the resource.
///
/// Always the whole organization. A grant to an OU would cut an account off the moment it moves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grant {
    /// The guardrail or profile.
    pub resource: Resource,
    /// The organization, which the resource's own account must be in.
    pub organization: OrganizationId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_a_guardrail_or_a_profile() {
        for (text, actions) in [
            ("arn:aws:bedrock:us-east-1:222222222222:guardrail/abc", 2),
            ("arn:aws:bedrock:us-east-1:222222222222:guardrail-profile/us.guardrail.v1:0", 1),
            ("arn:aws-us-gov:bedrock:us-gov-west-1:222222222222:guardrail-profile/us-gov.guardrail.v1:0", 1),
        ] {
            let resource: Resource = text.parse().unwrap();
            assert_eq!(resource.to_string(), text);
            assert_eq!(resource.actions().len(), actions);
            assert_eq!(resource.account().as_str(), "222222222222");
            // Stored as that text, and read back from it.
            let stored = serde_json::to_string(&resource).unwrap();
            assert_eq!(stored, format!("{text:?}"));
            assert_eq!(serde_json::from_str::<Resource>(&stored).unwrap(), resource);
            if let Resource::Profile(profile) = resource {
                assert_eq!(serde_json::to_string(&profile).unwrap(), stored);
                assert_eq!(serde_json::from_str::<ProfileArn>(&stored).unwrap(), profile);
            }
        }
    }

    #[test]
    fn what_looks_like_one_is_refused() {
        for text in [
            "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc:1",
            "arn:aws:bedrock:us-east-1:222222222222:guardrail/*",
            "arn:aws:bedrock:us-east-1:222222222222:guardrail-profile/abc",
            "arn:aws:bedrock:us-east-1:222222222222:guardrail-profile/us.guardrail.v1:0/x",
            "arn:aws:bedrock:us-east-1::guardrail-profile/us.guardrail.v1:0",
            "arn:aws:bedrock:us-east-1:222222222222:custom-model/x",
            "",
        ] {
            assert!(text.parse::<Resource>().is_err(), "{text}");
        }
    }
}
