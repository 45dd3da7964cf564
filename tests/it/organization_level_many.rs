//! Many accounts under one root, at the published rates of Organizations: how many calls the organization's level costs.
//!
//! `LEVEL_ACCOUNTS=5000` measures with as many; the figures are in docs/performance.md.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::effective_policy::ROOT;
use crate::organization_level::{CORPORATE, document, given, managed, swept};
use testkit::world::{Document, HUB, US, World};

/// How often each operation of a service was called.
fn calls(world: &World, service: &str) -> BTreeMap<String, usize> {
    let mut calls = BTreeMap::new();
    for call in world.server.calls().into_iter().filter(|call| call.service == service) {
        *calls.entry(call.operation).or_default() += 1;
    }
    calls
}

#[tokio::test]
async fn the_calls_of_the_organizations_task_do_not_grow_with_the_accounts() {
    let accounts = std::env::var("LEVEL_ACCOUNTS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let document = Document {
        regions: "us-east-1, us-east-2",
        name: "corporate-baseline",
        ..document(&[(ROOT, CORPORATE)])
    };
    let world = managed(&document).at_published_rates().world(|world| {
        *world = simulator::World::large(accounts, 2);
        world.bedrock_policies_enabled = true;
        for guardrail in &mut world.guardrails {
            guardrail.account = HUB.to_owned();
        }
    });
    let world = world.start().await;
    let began = Instant::now();
    let level = swept(&world).await;
    let first = began.elapsed();
    assert_eq!(level["confirmed"], true, "{level}");
    let of_the_first = calls(&world, "organizations");
    assert!(given(&world, "500000000007", US).is_some());
    world.server.clear_calls();
    let began = Instant::now();
    let level = swept(&world).await;
    let second = began.elapsed();
    assert_eq!(level["confirmed"], true, "{level}");
    let of_the_second = calls(&world, "organizations");
    let probes = calls(&world, "bedrock-runtime").get("ApplyGuardrail").copied().unwrap_or_default();
    println!(
        "{accounts} members: first sweep {first:?}, calls of Organizations {of_the_first:?}; second {second:?}, \
         {of_the_second:?}, {probes} probes"
    );
    // Each account asks for itself, which has a rate of its own.
    let members = accounts + 2;
    assert_eq!(of_the_second["DescribeEffectivePolicy"], members);
    let of_the_task: usize = of_the_second
        .iter()
        .filter(|(operation, _)| !["DescribeEffectivePolicy", "ListAccounts"].contains(&operation.as_str()))
        .map(|(_, calls)| calls)
        .sum();
    assert!(of_the_task <= 8, "{of_the_second:?}");
    // What is published as wanted is tried twice a day, not by each sweep.
    assert_eq!(probes, 0);
}
