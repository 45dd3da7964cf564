//! Accounts that are about to leave: what stays enforced there is told, whoever made it, and accounts that others
//! depend on aren't offboarded by a yes alone.

use expect_test::expect;
use simulator::{Fault, FaultKind};

use testkit::program::Guardrailctl;
use testkit::stack::Stack;
use testkit::world::{
    Document, EU, HUB, LIST, OWNER, PARAMETER, PAYMENTS, SHIPPING, Setup, World, check, version,
};

/// The two accounts are guarded, if nobody else was there first.
fn setup() -> Setup {
    let assignments = vec![(PAYMENTS, "corporate"), (SHIPPING, "corporate, existing: keep")];
    World::of(&Document { regions: EU, assignments, ..Document::default() }).durable().long_established()
}

fn of(world: &World) -> Guardrailctl {
    Guardrailctl::of(world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", "file:ledger.json")
}

/// Somebody's own enforcement of the organization's guardrail in one of them.
async fn world() -> World {
    let world = setup().start().await;
    world.administrator_enforces(SHIPPING, EU, version(EU, "1"));
    drop(world.sweep().await);
    world
}

#[tokio::test]
async fn what_others_enforce_by_a_guardrail_of_the_organization_is_told() {
    let world = world().await;
    let ran = of(&world).run(&["offboard", SHIPPING, "--yes"]).await;
    check(
        &ran,
        expect![[r#"
            nothing in 300000000002 is recorded as ours; what carries the keeper's name is released
            300000000002/eu-west-1 left alone, because it isn't ours: eubase1a2b3c:1 stays enforced and uses a guardrail of account 222222222222: once this account has left, its Bedrock calls there may fail until its own administrator removes the enforcement
            stderr: warning: 300000000002 may lose its Bedrock calls in eu-west-1 once it has left: the lines above name what is still enforced in each Region
            exit 1
        "#]],
    );
    // Status goes on saying so, until somebody removes it.
    drop(world.sweep().await);
    let ran = of(&world).run(&["status", "--account", SHIPPING]).await;
    check(
        &ran,
        expect![[r#"
            1 target
                  1 held
            oldest look: under a minute ago
            1 account about to leave: nothing is wanted there

            held        300000000002/eu-west-1 (Workload/shipping)  under a minute ago: the account is about to leave: eubase1a2b3c:1 stays enforced and uses a guardrail of account 222222222222: once this account has left, its Bedrock calls there may fail until its own administrator removes the enforcement
            baseline f1ebff14f399474b, mode sync
            exit 1
        "#]],
    );
    let ran = of(&world).run(&["explain", SHIPPING, EU]).await;
    assert!(ran.out.contains("status    held: the account is about to leave: "), "{ran}");
    world.administrator_releases(SHIPPING, EU);
    drop(world.sweep().await);
    assert_eq!(of(&world).run(&["status", "--account", SHIPPING]).await.code, 0);
    let ran = of(&world).run(&["offboard", SHIPPING, "--yes"]).await;
    assert_eq!(ran.code, 0, "{ran}");
}

#[tokio::test]
async fn what_cannot_be_read_is_told() {
    let world = world().await;
    let denied = FaultKind::Denied { message: "not authorized to perform: bedrock:List".to_owned() };
    world.server.fault(Fault::new(denied).operation(LIST).account(SHIPPING));
    let ran = of(&world).run(&["offboard", SHIPPING, "--yes"]).await;
    assert_eq!(ran.code, 1, "{ran}");
    drop(world.sweep().await);
    let ran = of(&world).run(&["status", "--account", SHIPPING]).await;
    check(
        &ran,
        expect![[r#"
            1 target
                  1 unknown
            oldest look: under a minute ago
            1 account about to leave: nothing is wanted there

            unknown     300000000002/eu-west-1 (Workload/shipping)  under a minute ago: the account is about to leave: what is enforced there could not be read: if it is another account's guardrail, the Bedrock calls there may fail once this account has left
            baseline f1ebff14f399474b, mode sync
            exit 1
        "#]],
    );
}

#[tokio::test]
async fn the_deployed_keeper_tells_it_too() {
    let mut stack = Stack::start(setup()).await;
    stack.world.administrator_enforces(SHIPPING, EU, version(EU, "1"));
    stack.deliver(&stack.schedule()).await;
    let ledger = stack.world.keeper.ledger();
    ledger
        .change_account(&SHIPPING.parse().unwrap(), |record| {
            record.offboarding = Some(jiff::Timestamp::now());
            Ok(())
        })
        .await
        .unwrap();
    stack.deliver(&stack.schedule()).await;
    let ran = of(&stack.world).run(&["status"]).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.out.contains("the account is about to leave: eubase1a2b3c:1 stays enforced"), "{ran}");
}

#[tokio::test]
async fn an_account_that_others_depend_on_takes_more_than_a_yes() {
    let world = World::guarded(setup()).await;
    let mut told = String::new();
    for account in [OWNER, HUB] {
        world.server.clear_calls();
        let ran = of(&world).run(&["offboard", account, "--yes"]).await;
        told.push_str(&format!("$ offboard {account} --yes\n{ran}"));
        let ran = of(&world).run(&["offboard", account, "--yes", "--confirm", PAYMENTS]).await;
        assert_eq!(ran.code, 2, "{ran}");
        assert_eq!(world.writes(), [""; 0]);
        let record = world.keeper.ledger().account(&account.parse().unwrap()).await.unwrap();
        assert_eq!(record.offboarding, None);
        let ran = of(&world).run(&["offboard", account, "--yes", "--confirm", account]).await;
        assert_eq!(ran.code, 0, "{ran}");
        let record = world.keeper.ledger().account(&account.parse().unwrap()).await.unwrap();
        assert!(record.offboarding.is_some());
    }
    check(
        &told,
        expect![[r#"
        $ offboard 222222222222 --yes
        stderr: warning: 222222222222 owns the guardrails: once it has left, no other account can apply them, and Bedrock calls fail wherever they are enforced; name another owner in the baseline first
        stderr: nothing was changed: if you do mean 222222222222, type its id, or give --confirm 222222222222
        exit 2
        $ offboard 111111111111 --yes
        stderr: warning: 111111111111 is the organization's management account, and that can't leave: it would be unguarded and stay
        stderr: nothing was changed: if you do mean 111111111111, type its id, or give --confirm 111111111111
        exit 2
    "#]],
    );
}
