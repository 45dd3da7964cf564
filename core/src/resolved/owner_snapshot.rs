//! What the owner's side was seen to hold in one Region, with its age: so that a thousand accounts
//! don't each read the same guardrail again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Catalog, CatalogEntry, CustomerKey, Unusable};
use crate::baseline::{GuardrailKey, Source};
use crate::content::Digest;
use crate::ids::{AccountId, GuardrailArn, OrganizationId, Region};
use crate::observed::ResourcePolicySeen;
use crate::resource_policy::{Document, Grant, ProfileArn, Resource, judge};

/// What opens resources beyond the organization, in words, in our statement or in others.
pub type Openings = BTreeMap<Resource, BTreeSet<String>>;

/// The openings that were not there before.
pub fn newly_open(now: &Openings, before: &Openings) -> Openings {
    let new = now.iter().map(|(resource, found)| {
        let known = before.get(resource);
        let new = found.iter().filter(|one| known.is_none_or(|known| !known.contains(*one)));
        (resource.clone(), new.cloned().collect::<BTreeSet<String>>())
    });
    new.filter(|(_, found)| !found.is_empty()).collect()
}

/// What one owner account was seen to hold in one Region. Only what could be read is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerSnapshot {
    /// When it was looked at.
    pub at: Timestamp,
    guardrails: Vec<GuardrailSnapshot>,
    #[serde(rename = "policies")]
    resource_policies: Vec<AttachedPolicy>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct GuardrailSnapshot {
    key: GuardrailKey,
    source: Source,
    arn: Option<GuardrailArn>,
    unusable: Option<Unusable>,
    profile: Option<ProfileArn>,
    #[serde(default)]
    customer_key: Option<CustomerKey>,
    /// What it does, where that could be read. A record of an earlier version doesn't say.
    #[serde(default)]
    content: Option<Digest>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct AttachedPolicy {
    resource: Resource,
    /// `None` where none is attached.
    document: Option<String>,
}

impl OwnerSnapshot {
    /// What a look at the owner's side showed of one Region. What could not be read is left out:
    /// a task that needs it reads for itself.
    pub fn of(
        region: &Region,
        wanted: &BTreeMap<(GuardrailKey, Region), Source>,
        catalog: &Catalog,
        at: Timestamp,
    ) -> OwnerSnapshot {
        let here = wanted.iter().filter(|((_, there), _)| there == region);
        let guardrails = here.filter_map(|((key, region), source)| {
            let CatalogEntry { arn, unusable, profile, content, customer_key } =
                catalog.entries.get(&(key.clone(), region.clone()))?;
            if matches!(unusable, Some(Unusable::Unreadable { .. } | Unusable::AnswersDisagree { .. })) {
                return None;
            }
            Some(GuardrailSnapshot {
                key: key.clone(),
                source: source.clone(),
                arn: arn.clone(),
                unusable: unusable.clone(),
                profile: profile.clone(),
                customer_key: customer_key.clone(),
                content: content.clone(),
            })
        });
        let resource_policies =
            catalog.resource_policies.iter().filter(|(resource, _)| resource.region() == region);
        let resource_policies = resource_policies.filter_map(|(resource, seen)| {
            let document = match seen {
                ResourcePolicySeen::Absent => None,
                ResourcePolicySeen::Attached(document) => Some(document.text()),
                ResourcePolicySeen::Invalid(_) | ResourcePolicySeen::Unreadable(_) => return None,
            };
            Some(AttachedPolicy { resource: resource.clone(), document })
        });
        OwnerSnapshot { at, guardrails: guardrails.collect(), resource_policies: resource_policies.collect() }
    }

    /// What a snapshot of an earlier version says of this owner, which had one for each Region and one owner; `None` where
    /// that is nothing. Whose a guardrail is that could not be found, it doesn't say.
    pub fn of_owner(mut self, owner: &AccountId) -> Option<OwnerSnapshot> {
        self.guardrails.retain(|one| one.arn.as_ref().is_some_and(|arn| arn.account == *owner));
        self.resource_policies.retain(|policy| policy.resource.account() == owner);
        (!self.guardrails.is_empty()).then_some(self)
    }

    /// What opens its guardrails beyond the organization, by resource.
    pub fn openings(&self, organization: &OrganizationId) -> Openings {
        let opened = self.resource_policies.iter().filter_map(|AttachedPolicy { resource, document }| {
            let document: Document = document.as_deref()?.parse().ok()?;
            let grant = Grant { resource: resource.clone(), organization: organization.clone() };
            let openings: BTreeSet<String> =
                judge(Some(&document), &grant).openings().map(|one| one.problem.to_string()).collect();
            (!openings.is_empty()).then(|| (resource.clone(), openings))
        });
        opened.collect()
    }

    /// Whether it is younger than so many seconds. One that was written by a clock far ahead of ours isn't.
    pub fn is_fresh(&self, now: Timestamp, seconds: u64) -> bool {
        now.as_second().abs_diff(self.at.as_second()) < seconds
    }

    /// The guardrails that the baseline means here.
    pub fn meant(&self) -> BTreeSet<GuardrailArn> {
        self.guardrails.iter().filter_map(|one| one.arn.clone()).collect()
    }

    /// What the baseline calls a guardrail.
    pub fn keys_of(&self, guardrail: &GuardrailArn) -> BTreeSet<GuardrailKey> {
        let of = self.guardrails.iter().filter(|one| one.arn.as_ref() == Some(guardrail));
        of.map(|one| one.key.clone()).collect()
    }

    /// What it says of one guardrail, if it says all there is to know: the resource policies as well, where
    /// `shared` says that members refer to it.
    pub fn look_up(
        &self,
        key: &GuardrailKey,
        source: &Source,
        shared: bool,
    ) -> Option<(CatalogEntry, BTreeMap<Resource, ResourcePolicySeen>)> {
        let known = self.guardrails.iter().find(|one| one.key == *key && one.source == *source)?;
        let GuardrailSnapshot { key: _, source: _, arn, unusable, profile, customer_key, content } =
            known.clone();
        self.with_resource_policies(CatalogEntry { arn, unusable, profile, content, customer_key }, shared)
    }

    /// What it says of one guardrail where no look has covered the version that is asked for: the version is taken
    /// to be there and usable, if another version of the same guardrail is.
    pub fn foresee(
        &self,
        source: &Source,
        shared: bool,
    ) -> Option<(CatalogEntry, BTreeMap<Resource, ResourcePolicySeen>)> {
        let mut same = self.guardrails.iter().filter(|one| one.source.selector == source.selector);
        let known = same.find(|one| one.unusable.is_none() && one.arn.is_some())?;
        let GuardrailSnapshot { arn, profile, customer_key, .. } = known.clone();
        let entry = CatalogEntry { arn, unusable: None, profile, content: None, customer_key };
        self.with_resource_policies(entry, shared)
    }

    fn with_resource_policies(
        &self,
        entry: CatalogEntry,
        shared: bool,
    ) -> Option<(CatalogEntry, BTreeMap<Resource, ResourcePolicySeen>)> {
        let mut resource_policies = BTreeMap::new();
        for resource in entry.resources().filter(|_| shared) {
            let policy = self.resource_policies.iter().find(|policy| policy.resource == resource)?;
            let seen = match &policy.document {
                None => ResourcePolicySeen::Absent,
                Some(text) => ResourcePolicySeen::Attached(text.parse().ok()?),
            };
            resource_policies.insert(resource, seen);
        }
        Some((entry, resource_policies))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::Baseline;
    use crate::failure::Failure;

    const BASELINE: &str = "\
version: 1
organization: o-exampleorgid
owner: \"222222222222\"
guardrails:
  corporate: { name: corporate-baseline, version: 2, regions: [us-east-1] }
  lenient: { name: lenient, version: 1, regions: [us-east-1] }
assignments: [{ targets: [r-exam], guardrail: corporate }]
";

    fn wanted() -> BTreeMap<(GuardrailKey, Region), Source> {
        let baseline = Baseline::parse(BASELINE).unwrap_or_else(|invalid| panic!("{invalid}"));
        let guardrails = baseline.guardrails.iter();
        guardrails
            .flat_map(|(key, one)| {
                one.regions
                    .iter()
                    .map(move |(region, source)| ((key.clone(), region.clone()), source.clone()))
            })
            .collect()
    }

    fn catalog() -> Catalog {
        let arn: GuardrailArn = "arn:aws:bedrock:us-east-1:222222222222:guardrail/base".parse().unwrap();
        let resource = Resource::Guardrail(arn.clone());
        let grant = Grant { resource: resource.clone(), organization: "o-exampleorgid".parse().unwrap() };
        let mut catalog = Catalog::default();
        for key in wanted().into_keys() {
            let entry = match key.0.as_str() {
                "corporate" => CatalogEntry {
                    arn: Some(arn.clone()),
                    unusable: None,
                    profile: None,
                    content: None,
                    customer_key: Some(CustomerKey {
                        arn: "arn:aws:kms:us-east-1:222222222222:key/11111111-2222-4333-8444-555555555555"
                            .parse()
                            .unwrap(),
                        state: crate::resolved::KeyState::Enabled,
                        policy: Some("{}".to_owned()),
                    }),
                },
                _ => CatalogEntry::unusable(Unusable::Unreadable { failure: Failure::not_observed() }),
            };
            catalog.entries.insert(key, entry);
        }
        catalog.resource_policies.insert(resource, ResourcePolicySeen::Attached(Document::granting(&grant)));
        catalog
    }

    fn stored() -> OwnerSnapshot {
        let region: Region = "us-east-1".parse().unwrap();
        let at = Timestamp::from_second(1000).unwrap();
        let text = serde_json::to_string(&OwnerSnapshot::of(&region, &wanted(), &catalog(), at)).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn what_was_read_is_known_after_it_was_stored_and_nothing_else() {
        for ((key, region), source) in wanted() {
            let found = stored().look_up(&key, &source, true);
            match key.as_str() {
                "corporate" => {
                    let (entry, resource_policies) = found.expect("it was read");
                    assert_eq!(Some(&entry), catalog().entries.get(&(key, region)));
                    assert_eq!(resource_policies, catalog().resource_policies);
                }
                _ => assert_eq!(found, None),
            }
        }
    }

    #[test]
    fn another_version_is_not_known() {
        let ((key, _), source) = wanted().into_iter().next().unwrap();
        let other = Source { version: crate::ids::GuardrailVersion::new(9).unwrap(), ..source };
        assert_eq!(stored().look_up(&key, &other, true), None);
    }

    #[test]
    fn a_policy_that_was_not_read_is_not_taken_for_none() {
        let mut snapshot = stored();
        snapshot.resource_policies.clear();
        let ((key, _), source) = wanted().into_iter().next().unwrap();
        assert_eq!(snapshot.look_up(&key, &source, true), None);
        assert!(snapshot.look_up(&key, &source, false).is_some());
    }

    #[test]
    fn a_guardrail_is_found_by_its_arn() {
        let keys = |guardrail: &str| {
            let arn = format!("arn:aws:bedrock:us-east-1:222222222222:guardrail/{guardrail}");
            stored().keys_of(&arn.parse().unwrap())
        };
        assert_eq!(keys("base"), BTreeSet::from(["corporate".parse().unwrap()]));
        assert_eq!(keys("another"), BTreeSet::new());
    }

    #[test]
    fn it_has_an_age() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(stored().is_fresh(at(1059), 60));
        assert!(!stored().is_fresh(at(1060), 60));
        assert!(stored().is_fresh(at(990), 60) && !stored().is_fresh(at(900), 60));
    }

    #[test]
    fn an_opening_is_new_once() {
        let organization: OrganizationId = "o-exampleorgid".parse().unwrap();
        let resource: Resource = "arn:aws:bedrock:us-east-1:222222222222:guardrail/base".parse().unwrap();
        let with = |principal: &str, condition: &str| {
            let text = format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":["bedrock:ApplyGuardrail","bedrock:GetGuardrail"],"Resource":"{resource}"{condition}}}]}}"#
            );
            let policy = AttachedPolicy { resource: resource.clone(), document: Some(text) };
            let snapshot = OwnerSnapshot {
                at: Timestamp::UNIX_EPOCH,
                guardrails: vec![],
                resource_policies: vec![policy],
            };
            snapshot.openings(&organization)
        };
        let ours = r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-exampleorgid"}}"#;
        let none = Openings::new();
        let closed = with("\"*\"", ours);
        let open = with("\"*\"", "");
        let other = with(r#"{"AWS":"arn:aws:iam::999999999999:root"}"#, "");
        assert_eq!(closed, none);
        assert_eq!(newly_open(&open, &none), open);
        assert_eq!(newly_open(&open, &open), none);
        assert_eq!(newly_open(&none, &open), none);
        // Another opening of the same guardrail is reported, too.
        assert_eq!(newly_open(&other, &open), other);
        assert!(open[&resource].iter().any(|words| words.contains("every AWS account")), "{open:?}");
    }

    #[test]
    fn a_snapshot_of_an_earlier_version_says_of_an_owner_what_is_that_owners() {
        let guardrail: GuardrailArn =
            "arn:aws:bedrock:us-east-1:222222222222:guardrail/base".parse().unwrap();
        let resource = Resource::Guardrail(guardrail.clone());
        let entry = CatalogEntry { arn: Some(guardrail), ..CatalogEntry::unusable(gone()) };
        let key = |key: &str| (key.parse().unwrap(), "us-east-1".parse().unwrap());
        let catalog = Catalog {
            entries: BTreeMap::from([
                (key("corporate"), entry),
                // Whose that would be isn't known.
                (key("lenient"), CatalogEntry::unusable(gone())),
            ]),
            resource_policies: BTreeMap::from([(resource, ResourcePolicySeen::Absent)]),
            ..Catalog::default()
        };
        let region = "us-east-1".parse().unwrap();
        let snapshot = OwnerSnapshot::of(&region, &wanted(), &catalog, Timestamp::UNIX_EPOCH);
        let of = |owner: &str| snapshot.clone().of_owner(&owner.parse().unwrap());
        let first = of("222222222222").unwrap();
        assert_eq!((first.guardrails.len(), first.resource_policies.len()), (1, 1));
        assert_eq!(of("111111111111"), None);
    }

    fn gone() -> Unusable {
        Unusable::NotReady { status: "CREATING".to_owned().into() }
    }
}
