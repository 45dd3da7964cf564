//! The model without HTTP.

use std::time::Duration;

use simulator::{
    AccountState, Admission, Answer, Clock, Enforce, GuardrailName, Model, PutParameter, Switches, World,
};

use crate::client::{GUARDRAIL, MANAGEMENT, MEMBER, OWNER};

fn model() -> Model {
    let world = World::example();
    let clock = Clock::fixed(world.start);
    Model::new(&world, 1, Switches::default(), clock).expect("the example world can be")
}

fn administrator(account: &str) -> String {
    format!("arn:aws:iam::{account}:root")
}

#[test]
fn the_example_world_is_as_described() {
    let model = model();
    let states: Vec<_> = model.members().map(|account| (account.id.as_str(), account.state)).collect();
    assert_eq!(states.len(), 8);
    assert_eq!(states.last(), Some(&("300000000006", AccountState::Suspended)));
    assert!(model.role(MANAGEMENT, "GuardrailKeeperMember").is_none(), "StackSets never reach it");
    for region in model.regions.keys() {
        let arn = model.guardrail_arn(OWNER, region, "corporate-baseline").expect("one in each Region");
        let name = GuardrailName::from_arn(arn).expect("an ARN");
        let guardrail = model.guardrail(&name).expect("it exists");
        assert_eq!((guardrail.id.len(), guardrail.versions.len()), (12, 2));
        assert_eq!(model.resource_policy_admits(arn, MEMBER, "bedrock:ApplyGuardrail"), Admission::Principal);
        assert_eq!(
            model.resource_policy_admits(arn, "400000000001", "bedrock:ApplyGuardrail"),
            Admission::None
        );
        assert_eq!(model.resource_policy_admits(arn, MEMBER, "bedrock:DeleteGuardrail"), Admission::None);
    }
    assert!(model.events().is_empty(), "what is there from the start isn't told");
}

#[test]
fn the_same_calls_make_the_same_ids_and_another_seed_makes_others() {
    let id = |seed| {
        let world = World::example();
        let clock = Clock::fixed(world.start);
        let mut model = Model::new(&world, seed, Switches::default(), clock).expect("a world");
        let account = model.create_account("newcomer", "r-exam").expect("the root");
        let by = administrator(MEMBER);
        let put = model.put_enforcement_as(&by, MEMBER, "us-east-1", Enforce::new(GUARDRAIL, "1"));
        (account, put.expect("it can be enforced").config_id)
    };
    assert_eq!(id(1), id(1));
    assert_ne!(id(1), id(2));
}

#[test]
fn versions_have_a_quota_and_numbers_are_never_used_again() {
    let mut model = model();
    let name = GuardrailName::from_arn(GUARDRAIL).expect("an ARN");
    for number in 3..=20 {
        assert_eq!(model.add_guardrail_version(&name, None).expect("there is room"), number);
    }
    let full = model.add_guardrail_version(&name, None).expect_err("twenty are enough");
    assert_eq!(full.code, "ServiceQuotaExceededException");
    model.remove_guardrail(&name, Some("20")).expect("it exists");
    assert_eq!(model.add_guardrail_version(&name, None).expect("there is room"), 21);
}

#[test]
fn a_foreign_enforcement_keeps_a_guardrail_only_if_that_is_switched_on() {
    let mut model = model();
    let put =
        model.put_enforcement_as(&administrator(MEMBER), MEMBER, "us-east-1", Enforce::new(GUARDRAIL, "2"));
    put.expect("it can be enforced");
    let owner = model.caller(&administrator(OWNER), "us-east-1").expect("an administrator");
    model.switches.delete_enforced_elsewhere = Answer::Refused;
    let refused = model.delete_guardrail_as(&owner, GUARDRAIL, None).expect_err("it is in use");
    assert_eq!(refused.code, "ResourceInUseException");
    model.switches.delete_enforced_elsewhere = Answer::Accepted;
    model.delete_guardrail_as(&owner, GUARDRAIL, None).expect("it can be deleted");
    let said = model.converse(&administrator(MEMBER), MEMBER, "us-east-1", "amazon.nova-pro-v1:0", "hello");
    assert_eq!(said.expect_err("what is enforced is gone").code, "AccessDeniedException");
}

#[test]
fn a_model_in_both_lists_is_excluded() {
    let mut model = model();
    let mut wanted = Enforce::new(GUARDRAIL, "1");
    wanted.model_enforcement = Some(simulator::ModelEnforcement {
        included_models: vec!["amazon.nova-pro-v1:0".to_owned()],
        excluded_models: vec!["amazon.nova-pro-v1:0".to_owned()],
    });
    let by = administrator(MEMBER);
    let enforced = model.put_enforcement_as(&by, MEMBER, "us-east-1", wanted).expect("it can be enforced");
    assert!(!enforced.guards("amazon.nova-pro-v1:0"));
    assert!(!enforced.guards("amazon.titan-text-express-v1"), "and others aren't included");
}

#[test]
fn nothing_waits_for_a_clock_that_stands_still_and_everything_comes_when_it_moves() {
    let mut model = model();
    model.settings.stack_set_seconds = Some(60);
    model.join("400000000001", "ou-exam-workload").expect("a unit");
    model.settle();
    assert!(model.role("400000000001", "GuardrailKeeperMember").is_none());
    model.clock.advance(Duration::from_secs(60));
    model.settle();
    assert!(model.role("400000000001", "GuardrailKeeperMember").is_some());
    assert_eq!(
        model.account_path("400000000001").as_deref(),
        Some("o-exampleorgid/r-exam/ou-exam-workload/400000000001/")
    );
}

#[test]
fn only_the_latest_events_are_kept() {
    let mut model = model();
    model.settings.keep_events = 5;
    let caller = model.caller(&administrator(MANAGEMENT), "us-east-1").expect("an administrator");
    for number in 0..30 {
        let wanted = PutParameter {
            name: "/n".to_owned(),
            value: number.to_string(),
            kind: Some("String".to_owned()),
            overwrite: true,
            ..PutParameter::default()
        };
        model.put_parameter(&caller, wanted).expect("a small value");
    }
    let sequences: Vec<u64> = model.events().iter().map(|event| event.sequence).collect();
    assert!((5..10).contains(&sequences.len()), "{sequences:?}");
    assert_eq!(sequences.last(), Some(&60), "two for each Put");
}
