//! The hub as an account like any other: what is a member's or the owner's elsewhere, the function does
//! there by its own role.

use simulator::{Answer, CrossRegion, GuardrailName, Switches};

use testkit::world::{Document, EU, HUB, OWNER, PAYMENTS, Setup, US, World, guardrail};

const PROFILE: &str = "arn:aws:bedrock:us-east-1:222222222222:guardrail-profile/us.guardrail.v1:0";

fn refused(switches: &mut Switches) {
    switches.cross_account_reference = Answer::Refused;
}

fn copied(account: &'static str) -> Document {
    Document { regions: EU, guardrail: vec!["placement: copy"], ..Document::only(account) }
}

/// A keeper in the owner's account, with a role in the management account, where StackSets put none.
pub(crate) fn in_the_owners_account(document: &Document) -> Setup {
    World::of(document).hub(OWNER).durable().long_established().world(|world| {
        let hub = world.accounts.iter_mut().find(|account| account.id == OWNER).expect("the owner");
        hub.delegated.push("bedrock.amazonaws.com".to_owned());
        let mut role = world.stack_set_roles[0].clone();
        role.trust.principals = vec![format!("arn:aws:iam::{OWNER}:root")];
        let management = world.accounts.iter_mut().find(|account| account.id == HUB);
        management.expect("the management account").roles.push(role.clone());
        world.stack_set_roles = vec![role];
    })
}

/// A sweep in which everything went well, and what it wrote.
async fn sweep(world: &World) -> Vec<String> {
    world.server.clear_calls();
    let report = world.sweep().await;
    assert!(report.is_converged(), "{report}");
    world.writes()
}

#[tokio::test]
async fn the_hubs_own_copy_is_made_brought_up_to_date_and_deleted() {
    let setup = World::of(&copied(HUB)).switches(refused).durable().world(|world| {
        world.guardrails[1].tags = [("team".to_owned(), "risk".to_owned())].into();
    });
    let world = World::guarded(setup).await;
    let copy = world
        .server
        .with(|model| model.guardrail_arn(HUB, EU, "corporate-baseline-keeper").map(str::to_owned));
    let copy = GuardrailName::from_arn(&copy.expect("a copy")).unwrap();
    let source = GuardrailName::from_arn(&guardrail(EU)).unwrap();

    // Five editions, each with a tag more: the copy is written, tagged, published, and pruned.
    for edition in 3..8 {
        world.server.with(|model| {
            let caller = model.caller(&format!("arn:aws:iam::{OWNER}:root"), EU).unwrap();
            let mut content = simulator::Content::clone(&model.guardrail(&source).unwrap().draft.content);
            content.blocked_input_messaging = format!("Not in edition {edition}.");
            model.update_guardrail(&caller, &source.id, content).unwrap();
            model.create_guardrail_version(&caller, &source.id, None).unwrap();
            let tags = model.guardrail_tags(&caller, "TagResource", &guardrail(EU)).unwrap();
            tags.insert(format!("edition-{edition}"), "yes".to_owned());
        });
        world.publish(&Document { version: edition, ..copied(HUB) });
        let writes = sweep(&world).await;
        for write in ["UpdateGuardrail", "TagResource", "CreateGuardrailVersion"] {
            assert!(writes.contains(&format!("{write} {HUB}/{EU}")), "{edition}: {writes:?}");
        }
    }
    let looked = world.server.with(|model| model.guardrail(&copy).cloned()).expect("it is there");
    assert_eq!(looked.tags.get("edition-7").map(String::as_str), Some("yes"));
    assert!(looked.versions.len() < 6, "old versions go: {:?}", looked.versions.keys());

    world.publish(&Document { assignments: vec![(HUB, "none")], ..copied(HUB) });
    assert_eq!(sweep(&world).await, [format!("DeleteEnforcedGuardrailConfiguration {HUB}/{EU}")]);
    world.server.clear_calls();
    let report = world.look_at(&[HUB]).await;
    assert!(report.is_converged(), "{report}");
    assert_eq!(world.writes(), [format!("DeleteGuardrail {HUB}/{EU}")]);
    world.quiet(&[HUB]).await;
}

#[tokio::test]
async fn a_hub_that_owns_the_guardrails_reads_their_tags_for_copies() {
    let setup = in_the_owners_account(&copied(PAYMENTS)).switches(refused).world(|world| {
        world.guardrails[1].tags = [("team".to_owned(), "risk".to_owned())].into();
    });
    let world = setup.start().await;
    sweep(&world).await;
    let copy = world.server.with(|model| {
        let arn = model.guardrail_arn(PAYMENTS, EU, "corporate-baseline-keeper")?;
        model.guardrail(&GuardrailName::from_arn(arn)?).cloned()
    });
    let copy = copy.expect("a copy");
    assert_eq!(copy.tags.get("team").map(String::as_str), Some("risk"));
    assert_eq!(sweep(&world).await, [""; 0]);
}

/// The policies of the guardrail and of its profile are given when they are needed, and taken back when
/// nobody needs them any more: by the member role in the owner's account, and by the function where that is
/// its own account.
async fn shares_and_takes_back(setup: fn(&Document) -> Setup) {
    let rest = vec!["limits: { max_releases: 100 }"];
    let guarded = Document { regions: "us-east-1, eu-west-1", rest, ..Document::default() };
    let world = setup(&guarded).world(|world| {
        let profile = CrossRegion { guardrail_profile_identifier: "us.guardrail.v1:0".to_owned() };
        world.guardrails[0].content.cross_region_config = Some(profile);
        world.guardrails[0].share_with_organization = false;
    });
    let world = world.start().await;
    let policies = |world: &World| {
        world
            .server
            .with(|model| [guardrail(US).as_str(), PROFILE].map(|arn| model.resource_policy(arn).is_some()))
    };
    let put = format!("PutResourcePolicy {OWNER}/{US}");
    let writes = sweep(&world).await;
    assert_eq!(writes.iter().filter(|write| **write == put).count(), 2, "{writes:?}");
    assert_eq!(policies(&world), [true, true]);

    world.publish(&Document { regions: EU, ..guarded });
    sweep(&world).await;
    assert_eq!(policies(&world), [true, true], "not in the run of the last release");
    let delete = format!("DeleteResourcePolicy {OWNER}/{US}");
    assert_eq!(sweep(&world).await, [delete.clone(), delete]);
    assert_eq!(policies(&world), [false, false]);
}

#[tokio::test]
async fn the_owners_policies_are_given_and_taken_back_by_its_member_role() {
    shares_and_takes_back(|document| World::of(document).durable().long_established()).await;
}

#[tokio::test]
async fn the_owners_policies_are_given_and_taken_back_by_the_function_where_it_lives_there() {
    shares_and_takes_back(in_the_owners_account).await;
}
