//! `guardrailctl holes`: what no enforcement reaches, and the service control policy for it.

use expect_test::{expect, expect_file};
use serde_json::Value;
use simulator::{Fault, FaultKind, OptStatus};

use crate::organization_level::{CORPORATE, document};
use testkit::program::Guardrailctl;
use testkit::world::{Document, EU, PARAMETER, SHIPPING, WORKLOAD, World, check};

fn ctl(world: &World) -> Guardrailctl {
    Guardrailctl::of(world).variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
}

fn in_europe() -> Document {
    Document { regions: EU, ..document(&[(WORKLOAD, CORPORATE)]) }
}

#[tokio::test]
async fn holes_are_told_once_with_what_closes_them_and_regions_by_how_many_accounts_have_them() {
    let world = World::of(&in_europe()).start().await;
    world.server.with(|model| {
        model
            .accounts
            .get_mut(SHIPPING)
            .unwrap()
            .opt_in
            .insert("ap-southeast-2".to_owned(), OptStatus::Disabled);
    });
    let ran = ctl(&world).run(&["holes"]).await;
    check(
        &ran,
        expect![[r#"
        corporate: what its enforcement doesn't reach
        assigned to ou-exam-workload, enforced in eu-west-1
        ~ Regions that accounts have enabled and the baseline doesn't name: ap-southeast-2 (3 accounts), us-east-1 (4 accounts) [regions]
            the service control policy closes it
        ~ the endpoint bedrock-mantle, all of its APIs: guardrails of requests are not supported there, and of enforced ones nothing is documented [mantle]
            the service control policy closes it
        ~ batch inference (CreateModelInvocationJob): not among the uses that AWS documents for guardrails [batch]
            the service control policy closes it
        - the API Responses on bedrock-runtime: guardrails of requests don't act there, and of enforced ones nothing is documented [responses]
            no policy closes it alone: IAM knows these calls as bedrock:InvokeModel, like guarded ones; deny the models that are used so
        - StartAsyncInvoke and InvokeModelWithBidirectionalStream: they take no guardrail, and of enforced ones nothing is documented [async_and_bidirectional]
            no policy closes it alone: IAM knows these calls as bedrock:InvokeModel, like guarded ones; deny the models that are used so
        - tool definitions, calls of tools and their results in Converse: guardrails don't look at them [tools]
            no policy closes it alone: have the program apply the guardrail to them (ApplyGuardrail)

        guardrailctl holes --service-control-policy prints the policy; it doesn't bind the management account
        exit 0
    "#]],
    );
    let ran = ctl(&world).run(&["holes", "--output", "json"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    expect_file!["golden/holes.json"].assert_eq(&ran.out);
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn the_service_control_policy_is_printed_by_itself() {
    let world = World::of(&in_europe()).start().await;
    let ran = ctl(&world).run(&["holes", "--service-control-policy"]).await;
    let policy: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran}"));
    let sids: Vec<&str> =
        policy["Statement"].as_array().unwrap().iter().filter_map(|one| one["Sid"].as_str()).collect();
    assert_eq!(
        sids,
        ["DenyRegionsWithoutTheGuardrail", "DenyTheEndpointWithoutGuardrails", "DenyBatchInference"]
    );
    assert!(ran.err.contains("attach it to ou-exam-workload") && ran.code == 0, "{ran}");
    assert_eq!(world.count("ListRegions"), 0);
    let ran = ctl(&world).run(&["holes", "--guardrail", "other"]).await;
    assert!(ran.code == 2 && ran.err.contains("the baseline assigns no guardrail other"), "{ran}");
}

#[tokio::test]
async fn accounts_that_cannot_be_asked_are_counted() {
    let world = World::of(&in_europe()).start().await;
    let denied = FaultKind::Denied { message: "no".to_owned() };
    world.server.fault(Fault::new(denied).operation("ListRegions").times(1));
    let ran = ctl(&world).run(&["holes"]).await;
    assert!(ran.code == 1 && ran.out.contains("; 1 account could not be asked"), "{ran}");
    world.server.clear_calls();
    let ran = ctl(&world).run(&["holes", "--no-accounts"]).await;
    assert!(ran.code == 0 && ran.out.contains("Regions that the baseline doesn't name"), "{ran}");
    assert_eq!(world.count("ListRegions"), 0);
}
