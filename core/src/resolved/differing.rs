//! Guardrails of one name that don't do the same in every Region.

use std::collections::BTreeMap;
use std::fmt;

use super::Catalog;
use crate::baseline::{Baseline, GuardrailKey, GuardrailName, Selector};
use crate::content::Digest;
use crate::ids::{GuardrailVersion, Region};

/// A guardrail whose versions differ in content between Regions. That may be meant, as while a new
/// version is rolled out, so it is reported, and nothing is held for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differing {
    /// What the baseline calls it.
    pub key: GuardrailKey,
    /// The name that it is found by.
    pub name: GuardrailName,
    /// Where it does the same, with the version there; the largest group first.
    pub groups: Vec<BTreeMap<Region, GuardrailVersion>>,
}

/// Finds guardrails that are looked up by one name and differ in content. A Region whose content
/// could not be read is left out: nothing is known of it.
pub fn differing(baseline: &Baseline, catalog: &Catalog) -> Vec<Differing> {
    type Groups<'a> = BTreeMap<&'a Digest, BTreeMap<Region, GuardrailVersion>>;
    let mut contents: BTreeMap<(&GuardrailKey, &GuardrailName), Groups<'_>> = BTreeMap::new();
    for ((key, region), entry) in &catalog.entries {
        let source = baseline.guardrails.get(key).and_then(|guardrail| guardrail.regions.get(region));
        if let Some(source) = source
            && let Selector::Name(name) = &source.selector
            && let Some(content) = &entry.content
        {
            let groups = contents.entry((key, name)).or_default();
            groups.entry(content).or_default().insert(region.clone(), source.version);
        }
    }
    let several = contents.into_iter().filter(|(_, groups)| groups.len() > 1);
    several
        .map(|((key, name), groups)| {
            let mut groups: Vec<_> = groups.into_values().collect();
            groups.sort_by(|one, other| {
                other.len().cmp(&one.len()).then_with(|| one.keys().next().cmp(&other.keys().next()))
            });
            Differing { key: key.clone(), name: name.clone(), groups }
        })
        .collect()
}

impl fmt::Display for Differing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Differing { key, name, groups } = self;
        let groups: Vec<String> = groups
            .iter()
            .map(|group| {
                let regions = group.iter().map(|(region, version)| format!("{region} version {version}"));
                regions.collect::<Vec<_>>().join(", ")
            })
            .collect();
        write!(
            f,
            "guardrail {key}: {name} doesn't do the same in all Regions ({}): publish one content in all of them, unless that is meant",
            groups.join(" | ")
        )
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::resolved::CatalogEntry;

    const BASELINE: &str = "\
version: 1
organization: o-exampleorgid
owner: \"222222222222\"
guardrails:
  corporate: { name: base, version: 2, regions: { us-east-1: , eu-west-1: { version: 1 }, eu-west-2: , eu-west-3: } }
  apart: { version: 1, regions: { us-east-1: { name: one }, eu-west-1: { name: two } } }
  given:
    version: 1
    regions:
      us-east-1: { arn: \"arn:aws:bedrock:us-east-1:222222222222:guardrail/aaa\" }
      eu-west-1: { arn: \"arn:aws:bedrock:eu-west-1:222222222222:guardrail/bbb\" }
assignments: []
";

    /// Each guardrail and Region with a letter for what it does; `?` is not known.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an `expect!` at every call reads better than a `&expect!`"
    )]
    #[track_caller]
    fn check(contents: &[(&str, &str, char)], expected: Expect) {
        let baseline = Baseline::parse(BASELINE).unwrap_or_else(|invalid| panic!("{invalid}"));
        let entry = |content: char| CatalogEntry {
            arn: None,
            unusable: None,
            profile: None,
            customer_key: None,
            content: (content != '?').then(|| content.to_string().repeat(64).parse().unwrap()),
        };
        let entries = contents
            .iter()
            .map(|(key, region, content)| ((key.parse().unwrap(), region.parse().unwrap()), entry(*content)));
        let catalog = Catalog { entries: entries.collect(), ..Catalog::default() };
        let told: String = differing(&baseline, &catalog).iter().map(|it| format!("{it}\n")).collect();
        expected.assert_eq(&told);
    }

    fn corporate(contents: &str) -> Vec<(&'static str, &'static str, char)> {
        let regions = ["eu-west-1", "eu-west-2", "eu-west-3", "us-east-1"];
        regions.into_iter().zip(contents.chars()).map(|(region, it)| ("corporate", region, it)).collect()
    }

    #[test]
    fn a_guardrail_is_told_once_with_its_regions_grouped_by_content() {
        check(&corporate("aaaa"), expect![""]);
        check(
            &corporate("baab"),
            expect![[r#"
            guardrail corporate: base doesn't do the same in all Regions (eu-west-1 version 1, us-east-1 version 2 | eu-west-2 version 2, eu-west-3 version 2): publish one content in all of them, unless that is meant
        "#]],
        );
        check(
            &corporate("abbb"),
            expect![[r#"
            guardrail corporate: base doesn't do the same in all Regions (eu-west-2 version 2, eu-west-3 version 2, us-east-1 version 2 | eu-west-1 version 1): publish one content in all of them, unless that is meant
        "#]],
        );
        check(
            &corporate("abca"),
            expect![[r#"
            guardrail corporate: base doesn't do the same in all Regions (eu-west-1 version 1, us-east-1 version 2 | eu-west-2 version 2 | eu-west-3 version 2): publish one content in all of them, unless that is meant
        "#]],
        );
    }

    #[test]
    fn what_is_not_known_differs_from_nothing() {
        check(&corporate("a?aa"), expect![""]);
        check(&corporate("????"), expect![""]);
        check(
            &corporate("a?b?"),
            expect![[r#"
            guardrail corporate: base doesn't do the same in all Regions (eu-west-1 version 1 | eu-west-3 version 2): publish one content in all of them, unless that is meant
        "#]],
        );
        check(&corporate("a"), expect![""]);
    }

    #[test]
    fn other_names_and_arns_are_other_guardrails() {
        let others = [
            ("apart", "us-east-1", 'a'),
            ("apart", "eu-west-1", 'b'),
            ("given", "us-east-1", 'a'),
            ("given", "eu-west-1", 'b'),
        ];
        check(&others, expect![""]);
    }
}
