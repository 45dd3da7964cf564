//! Reading by a role of one's own (`--role`): a delegated administrator can look into members by the role
//! that the templates make for people, and the role that somebody reads with never decides whose a
//! configuration is.

use simulator::{CrossRegion, Permissions, Role, Trust};

use testkit::program::{Guardrailctl, Ran};
use testkit::stack::{events_queue, tasks_queue};
use testkit::whole::{ACCESS, BUS, SUPPORT, whole};
use testkit::world::{
    Document, EU, HUB, MEMBER_ROLE, OWNER, PARAMETER, PAYMENTS, READER, SHIPPING, Setup, US, World, version,
};

fn in_eu() -> Document {
    Document { regions: EU, ..Document::default() }
}

/// The role of `deploy/reader-role.yaml`, by whom it trusts. What it may do is held against the calls that it
/// makes here by `tests/events/granted.rs`.
fn reader(trusted: &str) -> Role {
    Role {
        name: READER.to_owned(),
        trust: Trust {
            principals: vec![format!("arn:aws:iam::{trusted}:root")],
            organization: Some("o-exampleorgid".to_owned()),
            ..Trust::default()
        },
        permissions: Permissions::administrator(),
        ..Role::default()
    }
}

/// With a role in every account but the hub that people of the hub may read by.
pub(crate) fn with_readers(setup: Setup, hub: &'static str) -> Setup {
    setup.world(move |world| {
        for account in world.accounts.iter_mut().filter(|account| account.id != hub) {
            account.roles.push(reader(hub));
        }
    })
}

/// A hub that is neither the management account nor the owner, as docs/deploy.md recommends.
fn delegated(document: &Document) -> Setup {
    let setup = World::of(document).hub(SUPPORT).long_established().durable().world(|world| {
        let hub = world.accounts.iter_mut().find(|account| account.id == SUPPORT).unwrap();
        hub.delegated.push("member.org.stacksets.cloudformation.amazonaws.com".to_owned());
        world.stack_set_roles[0].trust.principals = vec![format!("arn:aws:iam::{SUPPORT}:root")];
    });
    with_readers(setup, SUPPORT)
}

/// A terminal of somebody in the hub, with the settings of its stack.
fn in_the_hub(world: &World) -> Guardrailctl {
    Guardrailctl::of(world)
        .variable("AWS_ACCESS_KEY_ID", &format!("SIM{SUPPORT}"))
        .variable("KEEPER_FUNCTION_ROLE", &format!("arn:aws:iam::{SUPPORT}:role/GuardrailKeeperFunction"))
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", "file:ledger.json")
}

async fn run(world: &World, command: &[&str], role: &str) -> Ran {
    in_the_hub(world).run(&[command, &["--role", role]].concat()).await
}

#[tokio::test]
async fn a_delegated_administrator_reads_members_by_a_role_that_trusts_it() {
    let world = delegated(&in_eu()).start().await;
    drop(world.sweep().await);
    std::fs::write(world.folder().join("new.yaml"), Document { version: 1, ..in_eu() }.text()).unwrap();
    world.server.clear_calls();
    for command in [
        &["plan"][..],
        &["explain", PAYMENTS, EU],
        &["callers", PAYMENTS, SHIPPING],
        &["callers", "--all"],
        &["doctor"],
        &["push", "new.yaml", "--dry-run"],
    ] {
        // What Organizations makes in new accounts trusts the management account, which this isn't.
        let refused = run(&world, command, ACCESS).await;
        assert!(refused.to_string().contains("AssumeRole"), "{command:?} {refused}");
        let read = run(&world, command, READER).await;
        assert!(!read.to_string().contains("AssumeRole"), "{command:?} {read}");
        assert!(!read.out.contains("not looked into"), "{command:?} {read}");
    }
    assert_eq!(run(&world, &["callers", "--all"], READER).await.code, 0);
    assert_eq!(world.writes(), [""; 0]);
    // Where nothing of another account is read, the same argument is taken.
    for command in [
        &["status"][..],
        &["effective-policy", PAYMENTS],
        &["check", "--organization"],
        &["check", "new.yaml"],
    ] {
        let ran = run(&world, command, READER).await;
        assert_ne!(ran.code, 2, "{command:?} {ran}");
    }
}

#[tokio::test]
async fn the_role_that_one_reads_with_decides_nothing_about_whose_a_configuration_is() {
    // Nothing is recorded: whose a configuration is, only who wrote it last tells.
    let world = delegated(&in_eu()).start().await;
    let enforces = |role: &str, account: &str| {
        let arn = format!("arn:aws:iam::{account}:role/{role}");
        let written = world.server.with(|model| {
            let caller = model.caller(&arn, EU)?;
            model.put_enforcement(&caller, None, version(EU, "1"))
        });
        written.unwrap_or_else(|error| panic!("{role}: {error:?}"));
    };
    enforces(MEMBER_ROLE, PAYMENTS);
    enforces(READER, SHIPPING);
    let ran = run(&world, &["plan", "--account", PAYMENTS, "--account", SHIPPING], READER).await;
    assert!(ran.out.contains("~ 300000000001/eu-west-1"), "what the keeper wrote is ours: {ran}");
    assert!(ran.out.contains("! 300000000002/eu-west-1"), "what the reader wrote isn't: {ran}");
    assert!(ran.out.contains("not ours: "), "{ran}");
    // By the setting of the member role instead, it is the other way round.
    let by_setting = in_the_hub(&world).variable("KEEPER_MEMBER_ROLE", READER);
    let ran = by_setting.run(&["plan", "--account", SHIPPING]).await;
    assert!(ran.out.contains("~ 300000000002/eu-west-1"), "{ran}");
}

#[tokio::test]
async fn nothing_is_written_by_the_role_that_one_reads_with() {
    let world = delegated(&in_eu()).start().await;
    drop(world.sweep().await);
    world.server.clear_calls();
    for command in [&["apply", "--yes"][..], &["offboard", PAYMENTS, "--yes"]] {
        let ran = run(&world, command, READER).await;
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran}");
        assert!(ran.err.contains("--role only reads"), "{ran}");
    }
    assert_eq!(world.writes(), [""; 0]);
}

/// Every call that the role has to be allowed, whatever the deployment.
#[tokio::test]
async fn all_that_people_read_is_read_by_their_role() {
    let world = with_readers(whole(World::of(&Document::default())), HUB).start().await;
    let ctl = || {
        Guardrailctl::of(&world)
            .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
            .variable("KEEPER_FUNCTION_ROLE", testkit::world::FUNCTION_ROLE)
            .variable("KEEPER_EVENTS_QUEUE", &world.server.queue_url(&events_queue()))
            .variable("KEEPER_TASKS_QUEUE", &world.server.queue_url(&tasks_queue()))
            .variable("KEEPER_BUS", BUS)
    };
    world.server.with(|model| {
        let user = simulator::User { name: "ann".to_owned(), ..simulator::User::default() };
        model.put_user(PAYMENTS, user);
    });
    let ran = ctl().run(&["doctor", "--role", READER]).await;
    assert!(!ran.out.contains("denied"), "{ran}");
    let ran = ctl().run(&["callers", PAYMENTS, OWNER, "--role", READER]).await;
    assert_eq!(ran.code, 0, "{ran}");
    let guardrail = testkit::world::guardrail(EU);
    let ran = ctl().run(&["callers", PAYMENTS, "--guardrail", &guardrail, "--role", READER]).await;
    assert_eq!(ran.code, 0, "{ran}");
    // Copies, a key of the customer's and a cross-Region profile are read as well.
    let copying = Document { regions: EU, guardrail: vec!["placement: copy"], ..Document::default() };
    let copying = delegated(&copying).start().await;
    drop(copying.sweep().await);
    let ran = run(&copying, &["plan"], READER).await;
    assert_eq!(ran.code, 0, "{ran}");
    const KEY: &str = "arn:aws:kms:us-east-1:222222222222:key/11111111-2222-4333-8444-555555555555";
    let keyed = Document { regions: US, ..Document::default() };
    let keyed = delegated(&keyed).world(|world| {
        for entry in world.guardrails.iter_mut().filter(|entry| entry.region == US) {
            entry.content.kms_key_id = Some(KEY.to_owned());
            let profile = CrossRegion { guardrail_profile_identifier: "us.guardrail.v1:0".to_owned() };
            entry.content.cross_region_config = Some(profile);
        }
    });
    let keyed = keyed.start().await;
    let ran = run(&keyed, &["callers", PAYMENTS, "--output", "json"], READER).await;
    assert!(ran.out.contains(KEY), "{ran}");
}
