//! `guardrailctl enable-policy-type`: shows, asks, enables, waits; and disables nothing.

use expect_test::expect;
use serde_json::{Value, json};
use simulator::{BedrockPolicyEntry, Fault, FaultKind, OnOff, PolicyTypeStatus};

use crate::effective_policy::{ROOT, all, policy};
use testkit::program::{Guardrailctl, full_disk, unread_pipe};
use testkit::world::{Document, PAYMENTS, Setup, US, World, check};

const ENABLE: &str = "enable-policy-type";

fn off() -> Setup {
    World::of(&Document::default()).world(|world| world.bedrock_policies_enabled = false)
}

/// A policy is attached, whatever AWS lets happen, and the type is off.
async fn attached_before() -> World {
    let world = World::of(&Document::default())
        .world(|world| world.bedrock_policies = vec![corporate()])
        .start()
        .await;
    world.server.with(|model| model.organization.bedrock_policies = PolicyTypeStatus::Off);
    world
}

fn is_enabled(world: &World) -> bool {
    world.server.with(|model| model.organization.bedrock_policies == PolicyTypeStatus::Enabled)
}

fn corporate() -> BedrockPolicyEntry {
    policy("p-corporate1", "corporate", &[ROOT], &[(US, all(US, 1))])
}

#[tokio::test]
async fn it_asks_before_it_enables_the_type_and_shows_what_acts_by_then() {
    let world = attached_before().await;
    for (answer, enabled) in [("n\n", false), ("y\n", true)] {
        let mut running = Guardrailctl::of(&world).start_at_a_terminal(&[ENABLE], answer);
        running.has_said("[y/N]").await;
        let ran = running.end().await;
        assert_eq!((is_enabled(&world), ran.code), (enabled, i32::from(!enabled)), "{ran}");
        if enabled {
            check(
                &ran,
                expect![[r#"
                BEDROCK_POLICY is not enabled in r-exam
                EnablePolicyType: from then on a Bedrock policy acts on everything below what it is attached to
                nothing changes for any account: while the type is off AWS attaches no policy, and disabling it detached all; AWS lists none either, so what acts is shown afterwards
                ok: BEDROCK_POLICY is enabled in r-exam
                acts: p-corporate1 (corporate) on r-exam
                stderr: Enable BEDROCK_POLICY in r-exam? [y/N] 
                exit 0
            "#]],
            );
        } else {
            assert!(ran.err.contains("nothing was changed"), "{ran}");
        }
    }
    assert_eq!(world.writes(), ["EnablePolicyType 111111111111/us-east-1"]);
    // A second time there is nothing to do, and nobody is asked.
    check(
        &Guardrailctl::of(&world).run(&[ENABLE]).await,
        expect![[r#"
        ok: BEDROCK_POLICY is enabled in r-exam already: nothing was changed
        exit 0
    "#]],
    );
    assert_eq!(world.writes().len(), 1);
}

#[tokio::test]
async fn without_a_policy_nothing_changes_and_without_a_terminal_nobody_is_asked() {
    let world = off().start().await;
    let ran = Guardrailctl::of(&world).run(&[ENABLE]).await;
    assert!(ran.code == 2 && ran.err.contains("give --yes"), "{ran}");
    let ran = Guardrailctl::of(&world).run(&[ENABLE, "--yes", "--output", "json"]).await;
    let value: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran}"));
    assert_eq!(
        value,
        json!({ "root": ROOT, "was": "off", "enabled": true, "trusted_access_enabled": false, "policies": [] })
    );
    assert_eq!((ran.code, is_enabled(&world)), (0, true), "{ran}");
    let ran = Guardrailctl::of(&world).run(&[ENABLE, "--output", "json"]).await;
    let value: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran}"));
    assert_eq!((&value["was"], ran.code), (&json!("enabled"), 0), "{ran}");
}

#[tokio::test]
async fn it_waits_until_aws_says_that_the_type_is_enabled() {
    let slow = off().world(|world| world.settings.policy_type_seconds = 3);
    let world = slow.start().await;
    let ran = Guardrailctl::of(&world).run(&[ENABLE, "--yes"]).await;
    assert_eq!((ran.code, is_enabled(&world)), (0, true), "{ran}");
    assert!(world.count("ListRoots") >= 3, "{}", world.count("ListRoots"));
}

#[tokio::test]
async fn trusted_access_is_asked_for_by_itself_where_aws_asks_for_it() {
    let world = off().switches(|switches| switches.trusted_access_needed = OnOff::On).start().await;
    let ran = Guardrailctl::of(&world).run(&[ENABLE, "--yes"]).await;
    check(
        &ran,
        expect![[r#"
        BEDROCK_POLICY is not enabled in r-exam
        EnablePolicyType: from then on a Bedrock policy acts on everything below what it is attached to
        nothing changes for any account: while the type is off AWS attaches no policy, and disabling it detached all; AWS lists none either, so what acts is shown afterwards
        stderr: AWS asks for trusted access of bedrock.amazonaws.com first: ConstraintViolationException: You must enable trusted access for the service before you use this policy type.
        stderr: nothing was changed; give --trusted-access to enable that too
        exit 1
    "#]],
    );
    assert!(!is_enabled(&world));
    let mut running = Guardrailctl::of(&world).start_at_a_terminal(&[ENABLE], "y\nn\n");
    running.has_said("Enable trusted access").await;
    let ran = running.end().await;
    assert_eq!((ran.code, is_enabled(&world)), (1, false), "{ran}");
    let ran = Guardrailctl::of(&world).run(&[ENABLE, "--yes", "--trusted-access"]).await;
    assert_eq!((ran.code, is_enabled(&world)), (0, true), "{ran}");
    let trusted =
        world.server.with(|model| model.organization.trusted_services.contains_key("bedrock.amazonaws.com"));
    assert!(trusted);
}

#[tokio::test]
async fn a_refusal_changes_nothing_and_what_is_attached_may_be_unknown() {
    let deny =
        |operation: &str| Fault::new(FaultKind::Denied { message: "no".to_owned() }).operation(operation);
    let world = attached_before().await;
    world.server.fault(deny("EnablePolicyType"));
    let ran = Guardrailctl::of(&world).run(&[ENABLE, "--yes"]).await;
    assert!(ran.code == 3 && ran.err.contains("the type can't be enabled: EnablePolicyType"), "{ran}");
    world.server.clear_faults();
    world.server.fault(deny("ListPolicies"));
    let ran = Guardrailctl::of(&world).run(&[ENABLE, "--yes"]).await;
    assert!(
        ran.code == 0 && ran.err.contains("which Bedrock policies are attached, and act, is not known"),
        "{ran}"
    );
    let member = off().start().await;
    let ctl = Guardrailctl::of(&member).variable("AWS_ACCESS_KEY_ID", &format!("SIM{PAYMENTS}"));
    let ran = ctl.run(&[ENABLE, "--yes"]).await;
    assert!(ran.code == 3 && !is_enabled(&member), "{ran}");
}

#[tokio::test]
async fn nothing_is_enabled_that_could_not_be_shown() {
    let world = attached_before().await;
    for out in [unread_pipe(), full_disk()] {
        let ran = Guardrailctl::of(&world).run_into(out, &[ENABLE, "--yes"]).await;
        assert!(ran.code == 5 && ran.err.contains(": nothing was changed"), "{ran}");
        assert_eq!((world.writes(), is_enabled(&world)), (Vec::new(), false));
    }
}
