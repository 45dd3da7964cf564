//! The organization's level: Bedrock policies that the keeper writes, by the jobs that a deployed function does.

use serde_json::{Value, json};
use simulator::PolicyKind;

use crate::effective_policy::ROOT;
use testkit::world::{Document, EU, HUB, PAYMENTS, PLAYGROUND, Setup, US, World, schedule};

/// The management account owns the guardrails, and the root gets one by a Bedrock policy.
pub(crate) fn document(assignments: &[(&'static str, &'static str)]) -> Document {
    Document { owner: HUB, assignments: assignments.to_vec(), ..Document::default() }
}

pub(crate) const CORPORATE: &str = "corporate, level: organization";

pub(crate) fn managed(document: &Document) -> Setup {
    World::of(document).durable().approved().variable("KEEPER_ORGANIZATION_ROLE", "own").world(|world| {
        world.bedrock_policies_enabled = true;
        for guardrail in &mut world.guardrails {
            guardrail.account = HUB.to_owned();
        }
    })
}

/// A sweep as the schedule begins it, and what came of the organization's level.
pub(crate) async fn swept(world: &World) -> Value {
    let answer = world.deliver(&schedule()).await;
    let answer = answer.unwrap_or_else(|error| panic!("{}: {error}", error.name()));
    answer["organization_level"].clone()
}

/// What an account's effective policy names in a Region: the guardrail's id and version.
pub(crate) fn given(world: &World, account: &str, region: &str) -> Option<String> {
    let text = world.server.with(|model| Some(model.effective_policy(account)?.document().text.clone()))?;
    let policy: Value = serde_json::from_str(&text).unwrap();
    let regions = &policy["bedrock"]["guardrail_inference"][region];
    let named = regions.as_object()?.values().next()?.clone();
    let identifier = named["identifier"].as_str()?;
    identifier.rsplit_once('/').map(|(_, id)| id.to_owned())
}

/// Every Bedrock policy, and where it is attached.
pub(crate) fn policies(world: &World) -> Vec<String> {
    world.server.with(|model| {
        let mut lines: Vec<String> = model
            .organization
            .policies
            .iter()
            .filter(|policy| policy.kind == PolicyKind::BedrockPolicy)
            .map(|policy| {
                let targets: Vec<&str> = policy.attachments.iter().map(|one| one.target.as_str()).collect();
                format!("{} on {}", policy.name, targets.join(", "))
            })
            .collect();
        lines.sort();
        lines
    })
}

#[tokio::test]
async fn a_root_is_guarded_once_every_account_has_shown_that_it_can_apply_it() {
    let world = managed(&document(&[(ROOT, CORPORATE)])).start().await;
    let level = swept(&world).await;
    assert_eq!(level["holds"], json!([]), "{level}");
    assert_eq!(level["confirmed"], true, "{level}");
    assert_eq!(policies(&world), ["guardrail-keeper-r-exam-1 on r-exam"]);
    for account in [HUB, PAYMENTS, PLAYGROUND] {
        assert_eq!(given(&world, account, US).as_deref(), Some("usbase1a2b3c:2"), "{account}");
        assert_eq!(given(&world, account, EU).as_deref(), Some("eubase1a2b3c:2"), "{account}");
    }
    // A second time nothing is written.
    world.server.clear_calls();
    let level = swept(&world).await;
    assert_eq!(level["taken"], json!([]));
    assert_eq!(world.writes(), [""; 0]);
}
