//! What `guardrailctl doctor` asks of rules and of the bus's policy, held to the templates: what they make is good, and
//! whatever is missing of it is noticed.

use std::collections::BTreeSet;

use guardrail_keeper::doctor::{self, BusFacts, Check, Finding, Hearing, Listens, Outcome, Place};
use guardrail_keeper::ids::{AccountId, Partition, Role};
use serde_json::{Value, json};

use super::people::{KEYS, OURS};
use super::placed::{MEMBERS, Made, Placement, REGIONS, borrowed, placements};
use super::{MANAGEMENT, PARAMETER};
use crate::admitted::of_the_bus;
use crate::template;

/// What doctor can't ask for, and why.
const NOT_ASKED_FOR: [(&str, &str); 4] = [
    (
        "default AccountEnrolled",
        "only where the hub is the management account, in Control Tower's home Region",
    ),
    ("default RegionEnabled", "only about the hub's own account"),
    ("sent on by AccountEnrolled", "which Region is Control Tower's home isn't known"),
    ("sent on by PolicyChanged", "which account administers policies isn't among the settings"),
];

fn account(id: &str) -> AccountId {
    id.parse().unwrap()
}

fn hearing(placement: Placement) -> Hearing {
    Hearing {
        hub: Some(account(placement.hub.0)),
        management: Some(account(MANAGEMENT)),
        owners: placement.owners().map(account).collect(),
        at_home: placement.hub.1 == "us-east-1",
        parameter: Some(PARAMETER.to_owned()),
        approval: Some("/guardrail-keeper/approval".to_owned()),
        controls: Some("/guardrail-keeper/controls".to_owned()),
        policies: OURS.map(str::to_owned).into(),
        keys: KEYS.split(',').map(str::to_owned).collect(),
        bedrock_policies: placement.level != "none",
    }
}

/// Some rules that doctor reads together: what they are called, the rules, where they have to send, and what.
struct Group {
    called: String,
    rules: Vec<Made>,
    destination: String,
    needs: Vec<Listens>,
}

fn groups(placement: Placement) -> Vec<Group> {
    let hearing = hearing(placement);
    let mut groups = Vec::new();
    let of_the_hub = |on_the_hubs_bus, to: &str, needs: Vec<Listens>| {
        let wanted = |made: &Made| made.on_the_hubs_bus == on_the_hubs_bus && made.to == to;
        let called = if on_the_hubs_bus { "bus" } else { "default" }.to_owned();
        let rules = placement.of_the_hub().into_iter().filter(wanted).collect();
        Group { called, rules, destination: to.to_owned(), needs }
    };
    groups.push(of_the_hub(true, "queue", hearing.on_the_hubs_bus()));
    groups.push(of_the_hub(false, "queue", hearing.on_the_default_bus()));
    groups.push(of_the_hub(true, "topic", hearing.to_people()));
    groups.push(of_the_hub(false, "topic", hearing.to_people_at_once()));
    for account_id in MEMBERS.into_iter().chain([MANAGEMENT]) {
        for region in REGIONS.into_iter().filter(|region| (account_id, *region) != placement.hub) {
            let needs = hearing.sent_on(&account(account_id), region, true, region == "us-east-1");
            let rules = placement.sending_on(account_id, region);
            groups.push(Group {
                called: "sent on by".to_owned(),
                rules,
                destination: placement.bus(),
                needs,
            });
        }
    }
    groups
}

impl Group {
    /// With another pattern for one rule, or without it.
    fn judged(&self, changed: Option<(&str, Option<&Value>)>) -> Vec<Finding> {
        let seen = self.rules.iter().filter_map(|made| {
            let pattern = match changed {
                Some((name, pattern)) if name == made.name => pattern?,
                _ => &made.rule.written,
            };
            Some(doctor::Rule {
                name: made.name.clone(),
                enabled: true,
                shows_reads: made.shows_reads,
                pattern: Some(pattern.to_string()),
                targets: Ok(vec![made.to.clone()]),
            })
        });
        let (seen, place) = (Ok(seen.collect()), Place::WHOLE);
        doctor::rules(&Check::Hub.at(place), &self.called, &self.needs, &seen, &self.destination, "deploy it")
    }
}

/// The pattern without one of its names, once for each.
fn without_a_name(pattern: &Value) -> Vec<(String, Value)> {
    match pattern {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| {
                let parts = match (name.as_str(), value) {
                    ("eventName" | "detail-type" | "operation", Value::Array(names)) => (0..names.len())
                        .map(|index| {
                            let mut left = names.clone();
                            (left.remove(index).to_string(), Value::Array(left))
                        })
                        .collect(),
                    ("$or", Value::Array(choices)) => (0..choices.len())
                        .flat_map(|index| {
                            without_a_name(&choices[index]).into_iter().map(move |(removed, choice)| {
                                let mut choices = choices.clone();
                                choices[index] = choice;
                                (removed, Value::Array(choices))
                            })
                        })
                        .collect(),
                    (_, value) => without_a_name(value),
                };
                parts.into_iter().map(move |(removed, part)| {
                    let mut whole = pattern.clone();
                    whole[name] = part;
                    (removed, whole)
                })
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn is_good(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.outcome == Outcome::Ok)
}

#[test]
fn doctor_takes_what_the_templates_make_for_good_and_misses_nothing_of_it() {
    let (mut noticed, mut unnoticed) = (BTreeSet::new(), BTreeSet::new());
    let with_policies = placements().map(|placement| Placement { level: "own", ..placement });
    for placement in placements().into_iter().chain(with_policies) {
        for group in groups(placement) {
            assert!(is_good(&group.judged(None)), "{placement:?}: {:#?}", group.judged(None));
            for made in &group.rules {
                let changes = without_a_name(&made.rule.written);
                let changes = changes.iter().map(|(name, pattern)| (name.as_str(), Some(pattern)));
                for (removed, pattern) in changes.chain([("the rule", None)]) {
                    let what = (format!("{} {}", group.called, made.name), removed.to_owned());
                    let found = !is_good(&group.judged(Some((&made.name, pattern))));
                    if found {
                        noticed.insert(what)
                    } else {
                        unnoticed.insert(what)
                    };
                }
            }
        }
    }
    // What matters in some placement is asked for there.
    let missed: BTreeSet<&str> = unnoticed.difference(&noticed).map(|(rule, _)| rule.as_str()).collect();
    assert_eq!(missed, NOT_ASKED_FOR.map(|(rule, _)| rule).into(), "{:?}", unnoticed.difference(&noticed));
    assert!(noticed.len() > 80, "{}", noticed.len());
}

/// The statements that the template writes, and each change of one.
#[test]
fn doctor_takes_the_templates_bus_policy_for_good_and_each_statement_for_needed() {
    let template = template::read("template.yaml");
    let mut needed = BTreeSet::new();
    for placement in placements() {
        let given = placement.everywhere(placement.hub.0, placement.hub.1);
        let given = borrowed(&given);
        let statements = of_the_bus(&template::with_conditions(&template, &given));
        let (bus, hub) = (placement.bus(), account(placement.hub.0));
        let owners: BTreeSet<AccountId> = placement.owners().map(account).collect();
        let (management, member) = (account(MANAGEMENT), account("300000000001"));
        let function = Role::parse_arn(given["FunctionRole.Arn"]).unwrap();
        let judge = |statements: &[Value]| {
            let facts = BusFacts {
                bus: &bus,
                partition: &Partition::of(&"us-east-1".parse().unwrap()),
                organization: &crate::admitted::ORGANIZATION.parse().unwrap(),
                management: &management,
                hub: &hub,
                owners: &owners,
                member: Some(&member),
                function: Some(&function),
                keys: true,
            };
            let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
            doctor::bus_policy(&facts, Some(&policy), "deploy it")
        };
        assert!(is_good(&judge(&statements)), "{placement:?}: {:#?}", judge(&statements));
        for (index, statement) in statements.iter().enumerate() {
            let mut left = statements.clone();
            left.remove(index);
            if !is_good(&judge(&left)) {
                let effect = statement["Effect"].as_str().unwrap();
                let sources = &statement["Condition"]["ForAllValues:StringEquals"]["events:source"];
                needed.insert(format!("{effect} {sources}"));
            }
        }
    }
    // That nobody but those who are named asks for looks is the deployer's choice.
    assert_eq!(
        needed,
        BTreeSet::from([
            r#"Allow ["aws.bedrock","aws.account"]"#.to_owned(),
            r#"Allow ["aws.kms"]"#.to_owned(),
            r#"Allow ["aws.organizations","aws.controltower","aws.account"]"#.to_owned(),
            "Deny null".to_owned(),
        ])
    );
}
