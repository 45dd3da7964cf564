//! What becomes of a desired, by what the owner's side and the member's copy were seen to be.

use expect_test::expect;

use super::*;
use crate::baseline::{Selector, Source};
use crate::enforcement::{Guarding, Models};
use crate::failure::Category;
use crate::resource_policy::Document;

const GUARDRAIL: &str = "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base";
const PROFILE: &str = "arn:aws:bedrock:eu-west-1:222222222222:guardrail-profile/eu.guardrail.v1:0";

fn member() -> Target {
    "300000000001/eu-west-1".parse().unwrap()
}

fn owner() -> Target {
    "222222222222/eu-west-1".parse().unwrap()
}

fn wanted(placement: Placement) -> Wanted {
    Wanted::Guardrail(Box::new(WantedGuardrail {
        key: "corporate".parse().unwrap(),
        owner: owner().account,
        source: Source {
            selector: Selector::Name("base".parse().unwrap()),
            version: GuardrailVersion::new(2).unwrap(),
        },
        models: Models::default(),
        guarding: Guarding::default(),
        placement,
        on_unusable: OnUnusable::Keep,
        existing: Existing::Keep,
    }))
}

fn denied() -> Failure {
    Failure::new(Category::Denied, "Get", "no")
}

fn entry(profile: bool) -> CatalogEntry {
    CatalogEntry {
        arn: Some(GUARDRAIL.parse().unwrap()),
        unusable: None,
        profile: profile.then(|| PROFILE.parse().unwrap()),
        content: None,
        customer_key: None,
    }
}

fn catalog(entry: CatalogEntry, policies: &[(&str, ResourcePolicySeen)]) -> Catalog {
    let key = ("corporate".parse().unwrap(), "eu-west-1".parse().unwrap());
    let policies = policies.iter().map(|(resource, seen)| (resource.parse().unwrap(), seen.clone()));
    Catalog { entries: [(key, entry)].into(), resource_policies: policies.collect(), ..Catalog::default() }
}

/// A policy of one statement that does this with the guardrail or profile.
fn policy(resource: &str, effect: &str, principal: &str, actions: &str) -> ResourcePolicySeen {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"Theirs","Effect":"{effect}","Principal":{principal},"Action":{actions},"Resource":"{resource}"}}]}}"#
    );
    ResourcePolicySeen::Attached(text.parse().unwrap())
}

fn granting(resource: &str) -> ResourcePolicySeen {
    let organization = "o-exampleorgid".parse().unwrap();
    ResourcePolicySeen::Attached(Document::granting(&Grant {
        resource: resource.parse().unwrap(),
        organization,
    }))
}

fn in_words(target: &Target, placement: Placement, catalog: &Catalog) -> String {
    let desired = Desired::from([(target.clone(), wanted(placement))]);
    let resolved = resolve(desired, catalog, &"o-exampleorgid".parse().unwrap());
    let Some(ResolvedTarget::Enforce(desired)) = resolved.get(target) else {
        panic!("the desired state is an enforcement")
    };
    let what = desired.enforcement.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let work = desired.copy.as_ref().map_or_else(String::new, |work| format!(", first {}", work.step));
    let but = match &desired.unusable {
        None => String::new(),
        Some(unusable) => {
            let certain = if unusable.is_certain() { "certainly" } else { "perhaps" };
            let mended = if unusable.is_being_mended() { ", and is being mended" } else { "" };
            format!(", which {certain} is {}{mended}", unusable.code())
        }
    };
    format!("{what}{work}{but}")
}

#[test]
fn what_is_no_guardrail_is_taken_over_as_it_is() {
    let [nothing, unassigned, excluded] =
        [1, 2, 3].map(|number| -> Target { format!("30000000000{number}/eu-west-1").parse().unwrap() });
    let desired = Desired::from([
        (nothing.clone(), Wanted::Nothing { existing: Existing::Adopt }),
        (unassigned.clone(), Wanted::Unassigned),
        (excluded.clone(), Wanted::Excluded),
    ]);
    let resolved = resolve(desired, &Catalog::default(), &"o-exampleorgid".parse().unwrap());
    let expected = [
        (nothing, ResolvedTarget::Nothing { existing: Existing::Adopt }),
        (unassigned, ResolvedTarget::Unassigned),
        (excluded, ResolvedTarget::Excluded),
    ];
    assert_eq!(resolved, Resolved::from(expected));
}

#[test]
fn a_guardrail_is_usable_where_its_policies_grant_it() {
    let organization = r#"{"AWS":"arn:aws:iam::222222222222:root"}"#;
    let both = r#"["bedrock:ApplyGuardrail","bedrock:GetGuardrail"]"#;
    let get = r#""bedrock:GetGuardrail""#;
    let everybody = r#""*""#;
    let invalid = || ResourcePolicySeen::Invalid("{".parse::<Document>().unwrap_err());
    let missing = || CatalogEntry {
        unusable: Some(Unusable::Missing {
            guardrail: GUARDRAIL.parse().unwrap(),
            version: GuardrailVersion::new(2).unwrap(),
            newest: None,
        }),
        ..entry(false)
    };
    let cases = [
        ("granted", catalog(entry(false), &[(GUARDRAIL, granting(GUARDRAIL))])),
        ("no policy", catalog(entry(false), &[(GUARDRAIL, ResourcePolicySeen::Absent)])),
        (
            "granted to others",
            catalog(entry(false), &[(GUARDRAIL, policy(GUARDRAIL, "Allow", organization, both))]),
        ),
        (
            "granted in part",
            catalog(entry(false), &[(GUARDRAIL, policy(GUARDRAIL, "Allow", everybody, get))]),
        ),
        ("denied", catalog(entry(false), &[(GUARDRAIL, policy(GUARDRAIL, "Deny", everybody, both))])),
        ("nonsense", catalog(entry(false), &[(GUARDRAIL, invalid())])),
        ("unreadable", catalog(entry(false), &[(GUARDRAIL, ResourcePolicySeen::Unreadable(denied()))])),
        ("not looked at", catalog(entry(false), &[])),
        ("gone", catalog(missing(), &[(GUARDRAIL, granting(GUARDRAIL))])),
        ("not in the catalog", Catalog::default()),
        (
            "its profile granted too",
            catalog(entry(true), &[(GUARDRAIL, granting(GUARDRAIL)), (PROFILE, granting(PROFILE))]),
        ),
        (
            "its profile not",
            catalog(entry(true), &[(GUARDRAIL, granting(GUARDRAIL)), (PROFILE, ResourcePolicySeen::Absent)]),
        ),
    ];
    let mut table = String::new();
    for (what, catalog) in &cases {
        for (who, target) in [("member", member()), ("owner", owner())] {
            table += &format!("{what}, {who}: {}\n", in_words(&target, Placement::Central, catalog));
        }
    }
    expect![[r#"
        granted, member: base:2
        granted, owner: base:2
        no policy, member: base:2, which certainly is not_granted, and is being mended
        no policy, owner: base:2
        granted to others, member: base:2, which certainly is not_granted, and is being mended
        granted to others, owner: base:2
        granted in part, member: base:2, which certainly is not_granted
        granted in part, owner: base:2
        denied, member: base:2, which certainly is not_granted
        denied, owner: base:2, which certainly is not_granted
        nonsense, member: base:2, which perhaps is not_granted
        nonsense, owner: base:2, which perhaps is not_granted
        unreadable, member: base:2, which perhaps is owner_unreadable.denied
        unreadable, owner: base:2, which perhaps is owner_unreadable.denied
        not looked at, member: base:2, which perhaps is owner_unreadable.transient
        not looked at, owner: base:2, which perhaps is owner_unreadable.transient
        gone, member: base:2, which certainly is missing
        gone, owner: base:2, which certainly is missing
        not in the catalog, member: nothing, which perhaps is owner_unreadable.transient
        not in the catalog, owner: nothing, which perhaps is owner_unreadable.transient
        its profile granted too, member: base:2
        its profile granted too, owner: base:2
        its profile not, member: base:2, which certainly is not_granted, and is being mended
        its profile not, owner: base:2
    "#]]
    .assert_eq(&table);
}

#[test]
fn a_copy_is_enforced_once_it_is_ready() {
    let copy: GuardrailArn = "arn:aws:bedrock:eu-west-1:300000000001:guardrail/copy".parse().unwrap();
    let published = Published { guardrail: copy.clone(), version: GuardrailVersion::new(7).unwrap() };
    let with = |look: Option<Result<CopyVerdict, Failure>>| Catalog {
        copies: look.into_iter().map(|look| (member(), look)).collect(),
        ..catalog(entry(false), &[])
    };
    let gone = CatalogEntry::unusable(Unusable::NotFound { name: "base".parse().unwrap() });
    let cases = [
        ("ready", with(Some(Ok(CopyVerdict::Ready(published.clone()))))),
        ("to be made", with(Some(Ok(CopyVerdict::Needs(CopyStep::Create))))),
        ("to be published", with(Some(Ok(CopyVerdict::Needs(CopyStep::Publish(copy)))))),
        ("not ready", with(Some(Ok(CopyVerdict::NotReady("CREATING".to_owned().into()))))),
        ("unreadable", with(Some(Err(denied())))),
        ("not looked at", with(None)),
        // What the copy is of has to be there, whatever there is of the copy.
        (
            "without its original",
            Catalog { entries: catalog(gone, &[]).entries, ..with(Some(Ok(CopyVerdict::Ready(published)))) },
        ),
    ];
    let mut table = String::new();
    for (what, catalog) in &cases {
        table += &format!("{what}: {}\n", in_words(&member(), Placement::Copy, catalog));
    }
    expect![[r#"
        ready: copy:7
        to be made: nothing, first create the copy, which perhaps is copy_needed
        to be published: nothing, first publish copy, which perhaps is copy_needed
        not ready: nothing, which perhaps is not_ready
        unreadable: nothing, which perhaps is copy_unreadable.denied
        not looked at: nothing, which perhaps is copy_unreadable.transient
        without its original: nothing, which certainly is not_found
    "#]]
    .assert_eq(&table);
}
