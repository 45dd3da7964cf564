//! Everything that can happen in the simulator's example organization, as the simulator tells it.

use std::collections::{BTreeMap, BTreeSet};

use guardrail_keeper::baseline::Baseline;
use guardrail_keeper::trigger::{Accounts, Context, Known, Scope, Trigger, decide_value, known_events};
use simulator::{
    Clock, Content, CreateAccount, EmittedEvent, Enforce, HandshakeState, Model, PutParameter, Switches,
    Tags, TargetKind, World,
};

use super::{Case, Deployed, Hub, MANAGEMENT, PARAMETER};
use crate::harness::settings;

const OWNER: &str = "222222222222";
const MEMBER: &str = "300000000001";
const REGION: &str = "eu-west-1";

/// Calls of members of which the management account is told by an event of its own: the member's
/// call, and that event.
const TOLD_OTHERWISE: &[(&str, &str)] = &[
    ("LeaveOrganization", "AccountDepartedOrganization"),
    ("AcceptHandshake", "AccountJoinedOrganization"),
    ("PutParameter", "Parameter Store Change"),
    ("DeleteParameter", "Parameter Store Change"),
];

fn name(emitted: &EmittedEvent) -> &str {
    let event = &emitted.event;
    event["detail"]["eventName"].as_str().or(event["detail-type"].as_str()).unwrap()
}

/// Lets everything happen, and answers what was emitted.
fn life(hub: &Hub) -> Vec<EmittedEvent> {
    let start = "2026-11-02T10:00:00Z".parse().unwrap();
    let mut model = Model::new(&World::example(), 7, Switches::default(), Clock::fixed(start)).unwrap();
    let model = &mut model;
    let keeper = format!("arn:aws:sts::{MEMBER}:assumed-role/GuardrailKeeperMember/guardrail-keeper");
    let administrator = |account: &str| format!("arn:aws:iam::{account}:root");
    let management = model.caller(&administrator(MANAGEMENT), "us-east-1").unwrap();

    // Accounts come, move and go.
    let wanted = CreateAccount {
        name: "newcomer".to_owned(),
        email: "newcomer@example.com".to_owned(),
        ..CreateAccount::default()
    };
    let asked = model.create_account_as(&management, wanted.clone()).unwrap();
    model.finish_account_creation(&asked.account);
    // The address is taken now.
    let failing = model.create_account_as(&management, wanted).unwrap();
    model.finish_account_creation(&failing.account);
    model.move_account(&asked.account, "ou-exam-sandbox1").unwrap();
    let invitation = model.invite(&management, TargetKind::Account, "400000000001", None).unwrap();
    let invited = model.caller(&administrator("400000000001"), "us-east-1").unwrap();
    model.answer_handshake(&invited, "AcceptHandshake", &invitation.id, HandshakeState::Accepted).unwrap();
    model.remove("400000000001").unwrap();
    model.leave("300000000004").unwrap();
    model.close("300000000003").unwrap();
    model.create_unit(&management, "r-exam", "New", Tags::default()).unwrap();

    // The owner works on guardrails.
    let owner = model.caller(&administrator(OWNER), REGION).unwrap();
    let content = Content { name: "another".to_owned(), ..content(model) };
    let made = model.create_guardrail(&owner, content.clone(), Tags::default()).unwrap();
    model.update_guardrail(&owner, &made.id, content.clone()).unwrap();
    model.create_guardrail_version(&owner, &made.id, None).unwrap();
    let policy = shared(&made.arn, model);
    model.put_resource_policy(&owner, &made.arn, &policy).unwrap();
    model.delete_resource_policy(&owner, &made.arn).unwrap();
    model.delete_guardrail_as(&owner, &made.id, Some("1")).unwrap();
    model.delete_guardrail_as(&owner, &made.id, None).unwrap();
    // A member has a guardrail of its own.
    let member = model.caller(&administrator(MEMBER), REGION).unwrap();
    model.create_guardrail(&member, content, Tags::default()).unwrap();

    // Enforcement, by an administrator and by the keeper.
    let central = model.guardrail_arn(OWNER, REGION, "corporate-baseline").unwrap().to_owned();
    for principal in [&administrator(MEMBER), &keeper] {
        model.put_enforcement_as(principal, MEMBER, REGION, Enforce::new(&central, "1")).unwrap();
        model.delete_enforcement_as(principal, MEMBER, REGION).unwrap();
    }
    // The hub's own account, in a Region that isn't the hub's and in the one that is.
    for region in ["ap-southeast-2", &hub.region] {
        let arn = model.guardrail_arn(OWNER, region, "corporate-baseline").unwrap().to_owned();
        let (account, enforce) = (&hub.account, Enforce::new(&arn, "1"));
        model.put_enforcement_as(&administrator(account), account, region, enforce).unwrap();
        model.delete_enforcement_as(&administrator(account), account, region).unwrap();
    }

    // The baseline, and another parameter.
    let at_the_hub = model.caller(&administrator(&hub.account), &hub.region).unwrap();
    for (name, value) in [(PARAMETER, "one"), (PARAMETER, "two"), ("/somebody/elses", "one")] {
        let parameter = PutParameter {
            name: name.to_owned(),
            value: value.to_owned(),
            kind: Some("String".to_owned()),
            overwrite: value == "two",
            ..PutParameter::default()
        };
        model.put_parameter(&at_the_hub, parameter).unwrap();
    }
    model.delete_parameter(&at_the_hub, PARAMETER).unwrap();

    // A Region that has to be asked for.
    model.regions.insert("eu-south-1".to_owned(), simulator::OptStatus::Disabled);
    model.switch_region(&member, MEMBER, "eu-south-1", true).unwrap();
    model.events().to_vec()
}

fn content(model: &Model) -> Content {
    let guardrails = &model.region(OWNER, REGION).unwrap().guardrails;
    Content::clone(&guardrails.values().next().unwrap().draft.content)
}

/// The policy of the owner's guardrail, for another one.
fn shared(arn: &str, model: &Model) -> String {
    let known = model.guardrail_arn(OWNER, REGION, "corporate-baseline").unwrap();
    model.resource_policy(known).unwrap().replace(known, arn)
}

/// What events are judged by where this is the hub.
fn context(hub: &Hub) -> Context {
    let baseline = Baseline::parse(include_str!("../../../examples/baseline.yaml")).unwrap();
    Context { hub: Some(hub.account.parse().unwrap()), baseline: Some(Known::of(&baseline)), ..settings() }
}

pub(super) fn cases(hub: &Hub) -> Vec<Case> {
    let context = context(hub);
    let emitted = life(hub);
    let case = |emitted: &EmittedEvent| {
        let place = (emitted.account.clone(), emitted.region.clone());
        let trigger = decide_value(&emitted.event, &context);
        let excuse = TOLD_OTHERWISE.iter().find(|(told, _)| *told == name(emitted)).map(|(_, by)| *by);
        let acted_on = matches!(
            trigger,
            Trigger::Reconcile(_) | Trigger::Departed { .. } | Trigger::BedrockPolicies { .. }
        );
        Case {
            label: name(emitted).to_owned(),
            place,
            event: emitted.event.clone(),
            excuse: excuse.filter(|_| acted_on),
            trigger,
        }
    };
    // Each call could have been refused as well.
    let refused = emitted.iter().filter(|emitted| emitted.event["detail"]["eventType"] == "AwsApiCall");
    let refused = refused.map(|emitted| {
        let mut refused = emitted.clone();
        refused.event["detail"]["errorCode"] = "AccessDenied".into();
        refused
    });
    let refused: Vec<EmittedEvent> = refused.collect();
    emitted.iter().chain(&refused).map(case).collect()
}

/// What a trigger is about, for comparing two.
fn about(trigger: &Trigger) -> Option<BTreeSet<String>> {
    match trigger {
        Trigger::Reconcile(scope) => {
            let Scope { accounts, .. } = scope.as_ref();
            match accounts {
                Accounts::All => Some(BTreeSet::from(["all".to_owned()])),
                Accounts::Only(accounts) => Some(accounts.iter().map(ToString::to_string).collect()),
            }
        }
        Trigger::Departed { accounts, .. } => Some(accounts.iter().map(ToString::to_string).collect()),
        Trigger::BedrockPolicies { .. } => Some(BTreeSet::from(["Bedrock policies".to_owned()])),
        Trigger::Ignore(_) | Trigger::Reject(_) => None,
    }
}

/// An excuse is as good as the event that tells the same.
#[test]
fn what_no_rule_lets_through_is_told_by_another_event() {
    let hub = Hub { account: OWNER.to_owned(), region: REGION.to_owned() };
    let (cases, deployed) = (cases(&hub), Deployed::read(&hub.account));
    let mut excused = 0;
    for case in cases.iter().filter(|case| case.excuse.is_some()) {
        let told = cases.iter().any(|other| {
            Some(other.label.as_str()) == case.excuse
                && about(&other.trigger) == about(&case.trigger)
                && deployed.delivers(&hub, other)
        });
        assert!(told, "{}", case.label);
        excused += 1;
    }
    assert_eq!(excused, 5, "both parameters' puts, the deletion, one departure and one join");
}

/// That the life above leaves nothing out: each event that the simulator can emit and the keeper
/// knows happens in it.
#[test]
fn everything_happens() {
    let hub = Hub { account: MANAGEMENT.to_owned(), region: "us-east-1".to_owned() };
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for emitted in life(&hub) {
        *seen.entry(name(&emitted).to_owned()).or_default() += 1;
    }
    let known: BTreeSet<&str> = known_events().into_iter().map(|(_, name)| name).collect();
    let missing: Vec<&str> = known.iter().filter(|name| !seen.contains_key(**name)).copied().collect();
    // What the simulator has no call for, and the organization's policies, without which this life does.
    assert_eq!(
        missing,
        [
            "AttachPolicy",
            "CreateGovCloudAccount",
            "CreateManagedAccount",
            "CreatePolicy",
            "DeleteOrganizationalUnit",
            "DeleteParameters",
            "DeletePolicy",
            "DetachPolicy",
            "DisablePolicyType",
            "DisableRegion",
            "EffectivePolicyValidation",
            "EnablePolicyType",
            "Reconcile Requested",
            "Region Opt-In Status Change",
            "Scheduled Event",
            "TagResource",
            "UntagResource",
            "UpdateManagedAccount",
            "UpdateOrganizationalUnit",
            "UpdatePolicy",
            "any",
        ]
    );
}
