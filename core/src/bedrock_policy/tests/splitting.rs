//! Documents that are too long for one policy.

use proptest::prelude::*;

use super::*;

/// Many Regions with `length` excluded models each.
fn wide(names: impl Iterator<Item = usize>, length: usize) -> BTreeMap<Region, Enforcement> {
    names
        .map(|number| {
            let name = format!("xx-region-{number}");
            let listed: Vec<String> = (0..length).map(|model| format!("provider.model-{model:03}")).collect();
            let listed: Vec<&str> = listed.iter().map(String::as_str).collect();
            let models = Models { exclude: models(&listed), ..Models::default() };
            (region(&name), Enforcement { models, ..enforcement(&name, 1) })
        })
        .collect()
}

fn numbers(parts: &PolicyParts) -> Vec<(usize, usize)> {
    parts.iter().map(|(number, part)| (*number, part.regions.len())).collect()
}

#[test]
fn a_document_is_split_before_the_limit() {
    let at = point(ROOT);
    let parts = split(&at, &wide(100..140, 0), &PolicyParts::new()).unwrap();
    let first = &parts[&1];
    let one_more = OwnDocument { regions: wide(100..100 + first.regions.len() + 1, 0) };
    assert!(first.characters() <= MAX_POLICY_CHARACTERS && one_more.characters() > MAX_POLICY_CHARACTERS);
    assert_eq!(numbers(&parts), [(1, 30), (2, 10)]);
    assert_eq!(numbers(&split(&at, &wide(0..3, 0), &PolicyParts::new()).unwrap()), [(1, 3)]);
    assert!(split(&at, &BTreeMap::new(), &PolicyParts::new()).unwrap().is_empty());
}

#[test]
fn a_region_stays_where_it_is() {
    let at = point(ROOT);
    let mut present = PolicyParts::new();
    present.insert(2, OwnDocument { regions: wide(0..3, 0) });
    present.insert(4, OwnDocument { regions: wide(3..4, 0) });
    // All would fit into one; new ones fill the first part that has room.
    let parts = split(&at, &wide(0..6, 1), &present).unwrap();
    assert_eq!(numbers(&parts), [(1, 2), (2, 3), (4, 1)]);
    assert!(parts[&2].regions.keys().eq(present[&2].regions.keys()));
    // A part without Regions goes.
    assert_eq!(numbers(&split(&at, &wide(0..2, 1), &present).unwrap()), [(2, 2)]);
    // Of two parts with one Region, as an interrupted move leaves them, the first keeps it.
    present.insert(5, OwnDocument { regions: wide(0..1, 0) });
    assert_eq!(numbers(&split(&at, &wide(0..1, 0), &present).unwrap()), [(2, 1)]);
}

#[test]
fn what_outgrows_its_part_moves_and_nothing_moves_in() {
    let at = point(ROOT);
    let mut present = split(&at, &wide(100..120, 0), &PolicyParts::new()).unwrap();
    assert_eq!(numbers(&present), [(1, 20)]);
    present.insert(2, OwnDocument { regions: wide(200..201, 0) });
    let mut wanted = wide(100..120, 12);
    wanted.extend(wide(200..201, 0));
    // A small Region that would still find room in the first part isn't put there: that one is losing Regions.
    wanted.extend(wide(300..301, 0));
    let parts = split(&at, &wanted, &present).unwrap();
    assert!(
        parts[&1].regions.len() < 20
            && parts[&1].regions.keys().all(|it| present[&1].regions.contains_key(it))
    );
    assert!(!parts[&1].regions.contains_key(&region("xx-region-300")));
    // Every other one is in its own part.
    assert!(parts[&2].regions.contains_key(&region("xx-region-200")));
}

#[test]
fn what_is_still_to_be_dropped_takes_its_room() {
    let at = point(ROOT);
    let present = split(&at, &wide(100..120, 0), &PolicyParts::new()).unwrap();
    // Alone it would fit into part 1.
    let parts = split(&at, &wide(200..220, 0), &present).unwrap();
    let together = |number| {
        let mut regions = present.get(&number).cloned().unwrap_or_default().regions;
        regions.extend(parts[&number].regions.clone());
        OwnDocument { regions }.characters()
    };
    assert_eq!(parts.len(), 2);
    assert!(parts.keys().all(|number| together(*number) <= MAX_POLICY_CHARACTERS));
}

#[test]
fn what_does_not_fit_is_refused() {
    let at = point(ROOT);
    let one = split(&at, &wide(0..1, 500), &PolicyParts::new()).unwrap_err();
    let characters = OwnDocument { regions: wide(0..1, 500) }.characters();
    assert_eq!(
        one.to_string(),
        format!(
            "the Bedrock policy for r-exam would have {characters} characters for xx-region-0 alone, and AWS takes \
             10000; list fewer models, or exclude models instead of including them"
        )
    );
    // Five parts hold one such Region each.
    assert_eq!(split(&at, &wide(0..5, 300), &PolicyParts::new()).unwrap().len(), MAX_PARTS);
    let many = split(&at, &wide(0..6, 300), &PolicyParts::new()).unwrap_err();
    assert_eq!(
        many.to_string(),
        "the Bedrock policies for r-exam have no room for xx-region-5: 5 policies of 10000 characters are full; list \
         fewer models, or fewer Regions"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn every_region_is_in_one_part_that_fits(
        before in prop::collection::btree_map(0_usize..60, 0_usize..30, 0..40),
        after in prop::collection::btree_map(0_usize..60, 0_usize..30, 0..40),
    ) {
        let at = point(ROOT);
        let wanted = |sizes: &BTreeMap<usize, usize>| -> BTreeMap<Region, Enforcement> {
            sizes.iter().flat_map(|(number, length)| wide(*number..*number + 1, *length)).collect()
        };
        let (before, after) = (wanted(&before), wanted(&after));
        let present = split(&at, &before, &PolicyParts::new()).unwrap();
        // What is there already changes nothing.
        prop_assert_eq!(split(&at, &before, &present), Ok(present.clone()));
        let Ok(parts) = split(&at, &after, &present) else { return Ok(()) };
        prop_assert!(parts.len() <= MAX_PARTS);
        let mut seen: BTreeMap<Region, Enforcement> = BTreeMap::new();
        let home = |parts: &PolicyParts, region: &Region| {
            parts.iter().find(|(_, part)| part.regions.contains_key(region)).map(|(number, _)| *number)
        };
        let moved: Vec<usize> = before.keys().filter(|region| after.contains_key(*region))
            .filter(|region| home(&parts, region) != home(&present, region))
            .filter_map(|region| home(&present, region)).collect();
        for (number, part) in &parts {
            prop_assert!(part.characters() <= MAX_POLICY_CHARACTERS);
            let mut together = part.clone();
            for (region, enforcement) in present.get(number).into_iter().flat_map(|part| &part.regions) {
                if !after.contains_key(region) {
                    together.regions.insert(region.clone(), enforcement.clone());
                }
            }
            prop_assert!(together.characters() <= MAX_POLICY_CHARACTERS);
            for (region, enforcement) in &part.regions {
                prop_assert!(seen.insert(region.clone(), enforcement.clone()).is_none());
                // A part that loses a Region for lack of room takes none.
                prop_assert!(!moved.contains(number) || home(&present, region) == Some(*number));
            }
        }
        prop_assert_eq!(seen, after);
    }
}

/// The check of a baseline counts characters by itself, because it stands below this module.
#[test]
fn a_baseline_is_refused_exactly_where_no_split_is() {
    for (list, from, to) in [("include", 90, 230), ("exclude", 90, 230), ("exclude", 1_065, 1_085)] {
        let mut fits = std::collections::BTreeSet::new();
        for models in from..to {
            let regions = if from < 1_000 { 24 } else { 1 };
            let text = baseline_of(regions, list, models);
            let parsed = crate::baseline::Baseline::parse(&text);
            let is_refused = parsed.is_err();
            if let Err(invalid) = &parsed {
                assert!(
                    invalid.problems().iter().all(|problem| problem.path.ends_with("guardrail")),
                    "{invalid}"
                );
            }
            let wanted = wanted_of(&text.replace("    level: organization\n", ""));
            let parts = split(&point(ROOT), &wanted, &PolicyParts::new());
            assert_eq!(parts.is_err(), is_refused, "{list} {models}: {parts:?}");
            fits.insert(is_refused);
        }
        assert_eq!(fits.len(), 2, "the border of {list} lies in the range");
    }
}

/// A baseline with so many Regions, by name and by ARN, and a list of so many models.
fn baseline_of(regions: usize, list: &str, models: usize) -> String {
    let regions: String = (0..regions)
        .map(|number| {
            let region = format!("xx-r-{}", number + 1);
            let arn = format!("{{arn: 'arn:aws:bedrock:{region}:111111111111:guardrail/base1a2b3c4d'}}");
            format!("      {region}: {}\n", if number % 2 == 0 { &arn } else { "" })
        })
        .collect();
    let models: Vec<String> = (0..models).map(|number| format!("m.{number:04}")).collect();
    format!(
        "version: 2\norganization: o-exampleorgid\nowner: \"111111111111\"\nguardrails:\n  floor:\n    name: floor\n    \
         version: 12\n    models: {{{list}: [{}]}}\n    guarding: {{system: selective}}\n    regions:\n{regions}assignments:\n  \
         - targets: [r-exam]\n    guardrail: floor\n    level: organization\n",
        models.join(",")
    )
}

/// What its guardrail is to enforce, with an id as long as AWS's where it is named.
fn wanted_of(text: &str) -> BTreeMap<Region, Enforcement> {
    use crate::baseline::{Baseline, Selector};
    let baseline = Baseline::parse(text).unwrap();
    let (_, guardrail) = baseline.guardrails.iter().next().unwrap();
    let of = |(region, source): (&Region, &crate::baseline::Source)| {
        let guardrail_arn = match &source.selector {
            Selector::Arn(arn) => arn.clone(),
            Selector::Name(_) => {
                format!("arn:aws:bedrock:{region}:111111111111:guardrail/abcdefghijkl").parse().unwrap()
            }
        };
        let enforcement = Enforcement {
            guardrail: guardrail_arn,
            version: source.version,
            models: guardrail.models.clone(),
            guarding: guardrail.guarding,
        };
        (region.clone(), enforcement)
    };
    guardrail.regions.iter().map(of).collect()
}
