//! Where a guardrail with cross-Region inference may be applied besides its own Region.

use super::ProfileArn;
use crate::ids::Region;

/// What the Bedrock User Guide lists, profile by profile. No API returns it, and AWS adds to it, so
/// nothing rests on it: it only says where to look.
const DOCUMENTED: &[(&str, &[&str])] = &[
    ("us", &["us-east-1", "us-east-2", "us-west-2"]),
    ("us-gov", &["us-gov-east-1", "us-gov-west-1"]),
    ("eu", &["eu-central-1", "eu-north-1", "eu-west-1", "eu-west-3"]),
];

impl ProfileArn {
    /// The same profile in the other Regions that a request may be sent on to; `None` where those
    /// aren't known here.
    pub fn elsewhere(&self) -> Option<Vec<ProfileArn>> {
        let (part, _) = self.id.as_str().split_once(".guardrail.v")?;
        let (_, regions) = DOCUMENTED.iter().find(|(known, _)| *known == part)?;
        let regions = regions.iter().map(|region| region.parse::<Region>().expect("it is a Region"));
        let others = regions.filter(|region| *region != self.region);
        Some(others.map(|region| ProfileArn { region, ..self.clone() }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Partition;

    #[test]
    fn destinations_are_of_the_sources_partition_and_leave_it_out() {
        for (part, regions) in DOCUMENTED {
            for region in *regions {
                let region: Region = region.parse().unwrap();
                let partition = Partition::of(&region);
                let arn = format!(
                    "arn:{partition}:bedrock:{region}:222222222222:guardrail-profile/{part}.guardrail.v1:0"
                );
                let profile: ProfileArn = arn.parse().unwrap();
                let others = profile.elsewhere().unwrap();
                assert_eq!(others.len(), regions.len() - 1, "{arn}");
                for other in others {
                    assert!(other.region != region && Partition::of(&other.region) == partition, "{other}");
                    assert_eq!(other.to_string().parse::<ProfileArn>().unwrap(), other);
                }
            }
        }
    }

    #[test]
    fn what_isnt_known_is_not_none() {
        let of = |region: &str, id: &str| -> ProfileArn {
            format!("arn:aws:bedrock:{region}:222222222222:guardrail-profile/{id}").parse().unwrap()
        };
        assert_eq!(of("ap-southeast-2", "apac.guardrail.v1:0").elsewhere(), None);
        // A source Region that is no destination of others is sent on from, too.
        assert_eq!(of("us-west-1", "us.guardrail.v1:0").elsewhere().unwrap().len(), 3);
    }
}
