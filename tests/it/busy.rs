//! Nobody can make the keeper busy with what concerns nobody.

use serde_json::{Value, json};
use simulator::{Content, Tags};
use testkit::queues::EMPTY;
use testkit::stack::Stack;
use testkit::world::{Document, EU, LIST, OWNER, World, guardrail};

fn content(name: &str) -> Content {
    let content: Value = json!({
        "name": name,
        "blockedInputMessaging": "This prompt is not allowed here.",
        "blockedOutputsMessaging": "This answer is not allowed here.",
        "wordPolicyConfig": { "wordsConfig": [{ "text": "tungsten-rosebud" }] },
    });
    serde_json::from_value(content).unwrap()
}

/// A pipeline of the owner's makes guardrails for its tests, and deletes them again. The baseline finds its guardrail by
/// name, so that any may be meant.
#[tokio::test]
async fn a_guardrail_that_nobody_uses_has_nobody_looked_at() {
    let document = Document { regions: EU, ..Document::default() };
    let mut stack = Stack::guarded(World::of(&document).durable().long_established()).await;
    let unused = stack.world.server.with(|model| {
        let owner = model.caller(&format!("arn:aws:iam::{OWNER}:root"), EU).unwrap();
        let made = model.create_guardrail(&owner, content("of-a-test"), Tags::default()).unwrap();
        model.create_guardrail_version(&owner, &made.id, None).unwrap();
        model.delete_guardrail_as(&owner, &made.id, None).unwrap();
        made
    });
    for name in ["CreateGuardrail", "CreateGuardrailVersion", "DeleteGuardrail"] {
        stack.deliver(&stack.world.event(name)).await;
        assert_eq!(stack.world.count(LIST), 0, "{name} of {}: {:?}", unused.id, stack.world.server.calls());
    }
    assert_eq!(stack.left(), EMPTY);
    // One that is used has its users looked at, and nobody else.
    stack.world.server.with(|model| {
        let owner = model.caller(&format!("arn:aws:iam::{OWNER}:root"), EU).unwrap();
        let arn = guardrail(EU);
        model.create_guardrail_version(&owner, arn.rsplit('/').next().unwrap(), None).unwrap();
    });
    stack.deliver(&stack.world.event("CreateGuardrailVersion")).await;
    assert!(stack.world.count(LIST) >= 6, "{:?}", stack.world.server.calls());
}
