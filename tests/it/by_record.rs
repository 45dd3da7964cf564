//! A terminal beside a deployed keeper whose member role trusts the function alone, as the templates make it: plans
//! go by the keeper's record, and say so.

use expect_test::expect;
use serde_json::Value;

use crate::deployed::Deployed;
use simulator::{Fault, FaultKind};
use testkit::world::{Document, EU, FUNCTION_ROLE, LIST, PAYMENTS, SHIPPING, World, check};

fn two_accounts() -> Document {
    Document {
        regions: EU,
        assignments: vec![(PAYMENTS, "corporate"), (SHIPPING, "corporate")],
        ..Document::default()
    }
}

async fn deployed(document: &Document) -> Deployed {
    let setup = World::of(document).world(|world| {
        world.stack_set_roles[0].trust.principals = vec![FUNCTION_ROLE.to_owned()];
    });
    Deployed::start(setup).await
}

#[tokio::test]
async fn a_plan_goes_by_what_the_deployed_keeper_saw() {
    let mut deployed = deployed(&two_accounts()).await;
    // Before it has looked, nothing is known, and nothing is taken for absent.
    let ran = deployed.run(&["plan"]).await;
    check(
        &ran,
        expect![[r#"
            ! 300000000001/eu-west-1 (Workload/payments) held [unreadable.transient]: could not be read: ListEnforcedGuardrailsConfiguration: the record of the deployed keeper does not say (transient)
            ! 300000000002/eu-west-1 (Workload/shipping) held [unreadable.transient]: could not be read: ListEnforcedGuardrailsConfiguration: the record of the deployed keeper does not say (transient)
            0 to change, 2 held, 0 in sync, 5 left alone, 1 account skipped
            plan e3b0c44298fc1c14 of baseline 4ef2b91f1df53797, mode sync
            by the record of the deployed keeper, because this terminal may not assume the member role: it has not looked yet; each enforcement is probed right before it is written; give --role NAME to look now
            exit 1
        "#]],
    );
    deployed.sweep().await;
    let ran = deployed.run(&["plan"]).await;
    check(
        &ran,
        expect![[r#"
            0 to change, 0 held, 2 in sync, 5 left alone, 1 account skipped
            plan e3b0c44298fc1c14 of baseline 4ef2b91f1df53797, mode sync
            by the record of the deployed keeper, because this terminal may not assume the member role: its last looks were under a minute ago; each enforcement is probed right before it is written; give --role NAME to look now
            exit 0
        "#]],
    );
    // Another version, of which nobody has looked at anything yet.
    std::fs::write(
        deployed.world().folder().join("new.yaml"),
        Document { version: 1, ..two_accounts() }.text(),
    )
    .unwrap();
    let ran = deployed.run(&["plan", "--baseline", "new.yaml"]).await;
    check(
        &ran,
        expect![[r#"
            ~ 300000000001/eu-west-1 (Workload/payments) corporate:2 => corporate:1 (different)
            ~ 300000000002/eu-west-1 (Workload/shipping) corporate:2 => corporate:1 (different)
            2 to change, 0 held, 0 in sync, 5 left alone, 1 account skipped
            plan 94a28bbcef96149b of baseline 5d74b4616e57cddb, mode sync
            by the record of the deployed keeper, because this terminal may not assume the member role: its last looks were under a minute ago; each enforcement is probed right before it is written; give --role NAME to look now
            stderr: warning: the deployed keeper has not looked at version 1 of corporate in eu-west-1 yet: the plan assumes that it can be used
            exit 0
        "#]],
    );
    let json = deployed.run(&["plan", "--output", "json"]).await;
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["by_record"]["unknown"], 0, "{json}");
    assert!(json["by_record"]["oldest"].is_string(), "{json}");
    let ran = deployed.run(&["explain", PAYMENTS, EU]).await;
    assert!(ran.out.contains("by the record of the deployed keeper"), "{ran}");
    assert_eq!(ran.code, 0, "{ran}");
}

/// Each account that can't be entered would be a denied call in somebody's trail.
#[tokio::test]
async fn it_tries_one_account_and_no_more() {
    let mut deployed = deployed(&two_accounts()).await;
    deployed.sweep().await;
    deployed.world().server.clear_calls();
    let ran = deployed.run(&["plan"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    let calls = deployed.world().server.calls();
    let denied: Vec<_> = calls.iter().filter(|call| call.operation == "AssumeRole").collect();
    assert_eq!(denied.len(), 1, "{denied:?}");
}

#[tokio::test]
async fn apply_has_the_keeper_look_at_what_it_has_not_seen() {
    let mut deployed = deployed(&two_accounts()).await;
    let ran = deployed.run(&["apply", "--yes"]).await;
    check(
        &ran,
        expect![[r#"
            ! 300000000001/eu-west-1 (Workload/payments) held [unreadable.transient]: could not be read: ListEnforcedGuardrailsConfiguration: the record of the deployed keeper does not say (transient)
            ! 300000000002/eu-west-1 (Workload/shipping) held [unreadable.transient]: could not be read: ListEnforcedGuardrailsConfiguration: the record of the deployed keeper does not say (transient)
            0 to change, 2 held, 0 in sync, 5 left alone, 1 account skipped
            plan e3b0c44298fc1c14 of baseline 4ef2b91f1df53797, mode sync
            by the record of the deployed keeper, because this terminal may not assume the member role: it has not looked yet; each enforcement is probed right before it is written; give --role NAME to look now

            Done by the deployed keeper:
            300000000001/eu-west-1 enforced
            300000000002/eu-west-1 enforced
            stderr: this terminal can't read 2, usually because the member role trusts only the function; the deployed keeper looks there and does what the baseline says
            stderr: asked the deployed keeper, by the queue of its events
            exit 0
        "#]],
    );
    // A version that nobody has looked at: what the plan takes for usable is proven before it is written.
    let next = Document { version: 1, ..two_accounts() };
    deployed.world().publish(&next);
    let ran = deployed.run(&["apply", "--yes"]).await;
    check(
        &ran,
        expect![[r#"
            ~ 300000000001/eu-west-1 (Workload/payments) corporate:2 => corporate:1 (different)
            ~ 300000000002/eu-west-1 (Workload/shipping) corporate:2 => corporate:1 (different)
            2 to change, 0 held, 0 in sync, 5 left alone, 1 account skipped
            plan 94a28bbcef96149b of baseline 5d74b4616e57cddb, mode sync
            by the record of the deployed keeper, because this terminal may not assume the member role: its last looks were under a minute ago; each enforcement is probed right before it is written; give --role NAME to look now

            Done by the deployed keeper:
            300000000001/eu-west-1 replaced
            300000000002/eu-west-1 replaced
            stderr: warning: the deployed keeper has not looked at version 1 of corporate in eu-west-1 yet: the plan assumes that it can be used
            stderr: asked the deployed keeper, by the queue of its events
            exit 0
        "#]],
    );
}

/// What a copy does can't be told from the record, unless the look was made for this very baseline.
#[tokio::test]
async fn a_copy_that_may_have_to_be_made_anew_is_left_to_the_keeper() {
    let copying = Document { guardrail: vec!["placement: copy"], ..two_accounts() };
    let mut deployed = deployed(&copying).await;
    deployed.sweep().await;
    let ran = deployed.run(&["plan"]).await;
    check(
        &ran,
        expect![[r#"
            0 to change, 0 held, 2 in sync, 5 left alone, 1 account skipped
            plan e3b0c44298fc1c14 of baseline bb6e7e96748fc601, mode sync
            by the record of the deployed keeper, because this terminal may not assume the member role: its last looks were under a minute ago; each enforcement is probed right before it is written; give --role NAME to look now
            exit 0
        "#]],
    );
    std::fs::write(deployed.world().folder().join("new.yaml"), Document { version: 1, ..copying }.text())
        .unwrap();
    let ran = deployed.run(&["plan", "--baseline", "new.yaml"]).await;
    check(
        &ran,
        expect![[r#"
            ! 300000000001/eu-west-1 (Workload/payments) held [copy_unreadable.transient]: the account's copy could not be read: GetGuardrail: the record of the deployed keeper does not say (transient)
            ! 300000000002/eu-west-1 (Workload/shipping) held [copy_unreadable.transient]: the account's copy could not be read: GetGuardrail: the record of the deployed keeper does not say (transient)
            0 to change, 2 held, 0 in sync, 5 left alone, 1 account skipped
            plan e3b0c44298fc1c14 of baseline 0066a5fb4d4bfc8f, mode sync
            by the record of the deployed keeper, because this terminal may not assume the member role: its last looks were under a minute ago; each enforcement is probed right before it is written; give --role NAME to look now
            stderr: warning: the deployed keeper has not looked at version 1 of corporate in eu-west-1 yet: the plan assumes that it can be used
            exit 1
        "#]],
    );
}

/// What an earlier look saw says nothing where the last one could not read.
#[tokio::test]
async fn what_the_keeper_could_not_read_last_is_not_in_sync() {
    let mut deployed = deployed(&two_accounts()).await;
    deployed.sweep().await;
    let denied = FaultKind::Denied { message: "No.".to_owned() };
    deployed.world().server.fault(Fault::new(denied).operation(LIST).account(PAYMENTS).times(u32::MAX));
    deployed.sweep().await;
    let ran = deployed.run(&["plan"]).await;
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.out.contains("! 300000000001/eu-west-1 (Workload/payments) held [unreadable."), "{ran}");
    assert!(ran.out.contains("it has no state of 1 target"), "{ran}");
}
