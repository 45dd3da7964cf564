//! Guardrails with a customer managed key: nothing is enforced that callers can't decrypt, and a key that was
//! switched off is told.

use expect_test::expect;
use serde_json::{Value, json};
use simulator::{Answer, Content, Key, KeyState};

use crate::hub::in_the_owners_account;
use testkit::world::{Document, EU, OWNER, PAYMENTS, PUT, World, check, guardrail};

const ID: &str = "11111111-2222-4333-8444-555555555555";

fn europe_only() -> Document {
    Document { regions: EU, ..Document::only(PAYMENTS) }
}

/// The guardrail of Europe is encrypted with a key of its owner's.
pub(crate) fn encrypted(world: &mut simulator::World) {
    for entry in &mut world.guardrails {
        if entry.region == EU {
            entry.content = Content { kms_key_id: Some(ID.to_owned()), ..entry.content.clone() };
        }
    }
}

pub(crate) fn key(state: KeyState, organization: bool) -> Key {
    let mut statements = vec![json!({
        "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{OWNER}:root") }, "Action": "kms:*",
        "Resource": "*",
    })];
    if organization {
        statements.push(json!({
            "Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*",
            "Condition": { "StringEquals": { "aws:PrincipalOrgID": "o-exampleorgid" } },
        }));
    }
    let policy: Value = json!({ "Version": "2012-10-17", "Statement": statements });
    Key { account: OWNER.to_owned(), region: EU.to_owned(), id: ID.to_owned(), state, policy: Some(policy) }
}

pub(crate) fn put_key(world: &World, key: Key) {
    world.server.with(|model| model.put_key(key));
}

fn puts(world: &World) -> usize {
    world.server.calls().iter().filter(|call| call.operation == PUT).count()
}

#[tokio::test]
async fn a_key_that_admits_no_member_holds_the_enforcement_and_says_what_to_add() {
    let world = World::of(&europe_only()).world(encrypted).start().await;
    put_key(&world, key(KeyState::Enabled, false));
    let report = world.look_at(&[PAYMENTS]).await;
    check(
        &report,
        expect![[r#"
            ! 300000000001/eu-west-1 held: its KMS key arn:aws:kms:eu-west-1:222222222222:key/11111111-2222-4333-8444-555555555555 does not let this account decrypt (no statement gives kms:Decrypt): allow kms:Decrypt to the organization in the key policy
            0 changed, 1 held, 0 in sync"#]],
    );
    assert_eq!(puts(&world), 0);
    // The cure that it names is one.
    put_key(&world, key(KeyState::Enabled, true));
    let report = world.look_at(&[PAYMENTS]).await;
    check(
        &report,
        expect![[r#"
        + 300000000001/eu-west-1 enforce corporate:2
        1 changed, 0 held, 0 in sync"#]],
    );
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn a_keeper_in_the_owner_account_reads_the_key_with_its_own_role() {
    let world = in_the_owners_account(&europe_only()).world(encrypted).start().await;
    put_key(&world, key(KeyState::Enabled, true));
    let report = world.look_at(&[PAYMENTS]).await;
    assert!(report.is_converged(), "{report}");
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn a_key_that_aws_takes_from_no_other_account_is_found_out_by_the_probe() {
    let world = World::of(&europe_only())
        .world(encrypted)
        .switches(|all| all.customer_key_across_accounts = Answer::Refused)
        .long_established()
        .start()
        .await;
    put_key(&world, key(KeyState::Enabled, true));
    let report = world.look_at(&[PAYMENTS]).await;
    check(
        &report,
        expect![[r#"
            ! 300000000001/eu-west-1 held, would enforce corporate:2: the account can't apply the guardrail, so enforcing it would break its calls: ApplyGuardrail: AccessDeniedException: User: arn:aws:sts::300000000001:assumed-role/GuardrailKeeperMember/guardrail-keeper is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:eu-west-1:222222222222:key/11111111-2222-4333-8444-555555555555 because the key belongs to another account; the guardrail is encrypted with arn:aws:kms:eu-west-1:222222222222:key/11111111-2222-4333-8444-555555555555, so the member role, like every caller, needs kms:Decrypt on it (denied)
            0 changed, 1 held, 0 in sync"#]],
    );
    assert_eq!(puts(&world), 0);
}

#[tokio::test]
async fn a_role_that_may_not_decrypt_is_told_with_the_key() {
    let world = World::of(&europe_only()).world(encrypted).long_established().start().await;
    put_key(&world, key(KeyState::Enabled, true));
    world.server.with(|model| {
        let account = model.accounts.get_mut(PAYMENTS).expect("an account");
        for role in &mut account.roles {
            let role = std::sync::Arc::make_mut(role);
            role.permissions.deny.push(simulator::Statement {
                actions: vec!["kms:*".to_owned()],
                ..simulator::Statement::default()
            });
        }
    });
    let report = world.look_at(&[PAYMENTS]).await;
    check(
        &report,
        expect![[r#"
            ! 300000000001/eu-west-1 held, would enforce corporate:2: the account can't apply the guardrail, so enforcing it would break its calls: ApplyGuardrail: AccessDeniedException: User: arn:aws:sts::300000000001:assumed-role/GuardrailKeeperMember/guardrail-keeper is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:eu-west-1:222222222222:key/11111111-2222-4333-8444-555555555555 with an explicit deny in an identity-based policy; the guardrail is encrypted with arn:aws:kms:eu-west-1:222222222222:key/11111111-2222-4333-8444-555555555555, so the member role, like every caller, needs kms:Decrypt on it (denied)
            0 changed, 1 held, 0 in sync"#]],
    );
    assert_eq!(puts(&world), 0);
}

#[tokio::test]
async fn a_key_that_is_switched_off_makes_its_enforcements_broken_and_releases_none() {
    let release = Document { guardrail: vec!["on_unusable: release"], ..europe_only() };
    let world = World::of(&release).world(encrypted).durable().start().await;
    put_key(&world, key(KeyState::Enabled, true));
    let _ = world.look_at(&[PAYMENTS]).await;
    put_key(&world, key(KeyState::Disabled, true));
    let report = world.look_at(&[PAYMENTS]).await;
    check(
        &report,
        expect![[r#"
        x 300000000001/eu-west-1 broken: eubase1a2b3c:2 is enforced, but its KMS key arn:aws:kms:eu-west-1:222222222222:key/11111111-2222-4333-8444-555555555555 is Disabled, so every call under it would fail: enable the key, or publish a version without it
        0 changed, 0 held, 0 in sync, 1 broken"#]],
    );
    assert!(world.server.with(|model| model.enforcement(PAYMENTS, EU).is_some()), "nothing was released");
    put_key(&world, key(KeyState::Enabled, true));
    world.quiet(&[PAYMENTS]).await;
}

#[tokio::test]
async fn a_key_that_the_owner_role_may_not_read_is_left_to_the_probe() {
    let world = World::of(&europe_only()).world(encrypted).start().await;
    put_key(&world, key(KeyState::Enabled, true));
    world.server.with(|model| {
        let account = model.accounts.get_mut(OWNER).expect("an account");
        for role in &mut account.roles {
            let role = std::sync::Arc::make_mut(role);
            role.permissions.deny.push(simulator::Statement {
                actions: vec!["kms:DescribeKey".to_owned(), "kms:GetKeyPolicy".to_owned()],
                ..simulator::Statement::default()
            });
        }
    });
    let _ = world.look_at(&[PAYMENTS]).await;
    assert_eq!(puts(&world), 1);
    let enforced = world.server.with(|model| model.enforcement(PAYMENTS, EU).cloned());
    assert_eq!(enforced.expect("it is enforced").guardrail_arn, guardrail(EU));
}
