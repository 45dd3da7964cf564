//! What the samples in `events/` can't show: other settings, and every way to say the same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::*;
use crate::ids::Role;
use crate::own_roles::OwnRoles;

const REGION: &str = "us-east-1";

fn context() -> Context {
    Context {
        own_roles: OwnRoles {
            function: Some(Role::parse_arn("arn:aws:iam::111111111111:role/Function").unwrap()),
            members: BTreeSet::from(["Member".parse().unwrap()]),
            former: BTreeSet::new(),
        },
        baseline_parameter: Some("/keeper/baseline".to_owned()),
        approval_parameter: Some("/keeper/approval".to_owned()),
        controls_path: Some("/keeper/controls".to_owned()),
        hub: Some("111111111111".parse().unwrap()),
        baseline: Some(known(false, Guardrails::Any)),
        now: None,
        max_age_seconds: None,
    }
}

fn known(copies: bool, guardrails: Guardrails) -> Known {
    let owner: AccountId = "222222222222".parse().unwrap();
    Known {
        owners: BTreeSet::from([owner.clone()]),
        copies,
        regions: BTreeMap::from([(REGION.parse().unwrap(), BTreeMap::from([(owner, guardrails)]))]),
    }
}

/// An event of Bedrock, called in `account` by an administrator there.
fn bedrock(name: &str, account: &str, request: &Value, response: &Value) -> Value {
    json!({
        "source": "aws.bedrock", "account": account, "region": REGION, "id": "e-1", "time": "2026-09-01T08:30:00Z",
        "detail": {
            "eventSource": "bedrock.amazonaws.com", "eventName": name, "awsRegion": REGION,
            "userIdentity": { "accountId": account, "arn": format!("arn:aws:sts::{account}:assumed-role/Admin/a") },
            "recipientAccountId": account, "requestParameters": request, "responseElements": response,
        },
    })
}

fn organizations(name: &str, detail: &Value) -> Value {
    let mut event = json!({ "source": "aws.organizations", "account": "111111111111", "detail": detail });
    event["detail"]["eventName"] = name.into();
    event
}

#[track_caller]
fn check(event: &Value, context: &Context, expected: &str) {
    assert_eq!(decide_value(event, context).to_string(), expected, "{event:#}");
}

#[test]
fn a_guardrail_of_another_account_matters_only_where_there_are_copies() {
    let event =
        bedrock("DeleteGuardrail", "300000000001", &json!({ "guardrailIdentifier": "abc" }), &Value::Null);
    check(&event, &context(), "ignore: the account doesn't own the baseline's guardrails");
    check(
        &event,
        &Context { baseline: Some(known(true, Guardrails::Any)), ..context() },
        "reconcile 300000000001 in us-east-1: a guardrail was changed in the account, which may be our copy",
    );
    check(
        &event,
        &Context { baseline: None, ..context() },
        "reconcile all accounts in us-east-1 for guardrail abc: a guardrail was deleted",
    );
}

#[test]
fn what_is_new_matters_only_to_a_baseline_that_can_mean_it() {
    let only = |id: &str| Context {
        baseline: Some(known(false, Guardrails::Only(BTreeSet::from([id.parse().unwrap()])))),
        ..context()
    };
    let created = bedrock(
        "CreateGuardrailVersion",
        "222222222222",
        &json!({ "guardrailIdentifier": "abc" }),
        &Value::Null,
    );
    let look = "reconcile all accounts in us-east-1 for guardrail abc: \
                a guardrail version was created, which may be one that was missing";
    check(&created, &only("abc"), look);
    check(&created, &context(), look);
    check(&created, &only("other"), "ignore: the baseline names other guardrails in that Region");

    // What is gone may still be enforced somewhere, though no baseline means it any more.
    let deleted =
        bedrock("DeleteGuardrail", "222222222222", &json!({ "guardrailIdentifier": "abc" }), &Value::Null);
    check(
        &deleted,
        &only("other"),
        "reconcile all accounts in us-east-1 for guardrail abc: a guardrail was deleted",
    );

    let mut elsewhere = created;
    elsewhere["detail"]["awsRegion"] = "eu-west-3".into();
    check(
        &elsewhere,
        &only("other"),
        "reconcile all accounts in eu-west-3 for guardrail abc: \
         a guardrail version was created, which may be one that was missing",
    );
}

#[test]
fn a_guardrail_named_by_id_is_known_in_full() {
    let event =
        bedrock("DeleteGuardrail", "222222222222", &json!({ "guardrailIdentifier": "abc" }), &Value::Null);
    let Trigger::Reconcile(scope) = decide_value(&event, &context()) else { panic!("not looked at") };
    let guardrail = scope.guardrail.unwrap();
    assert_eq!(guardrail.named.to_string(), "abc");
    assert_eq!(guardrail.arn.unwrap().to_string(), "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc");
    assert_eq!(scope.events, BTreeSet::from(["e-1".to_owned()]));
    assert_eq!(scope.since, Some(1_788_251_400));
}

#[test]
fn an_id_that_would_disturb_the_log_or_a_queue_is_none() {
    let of = |id: &str| {
        let mut event = bedrock("DeleteGuardrail", "222222222222", &Value::Null, &Value::Null);
        event["id"] = json!(id);
        let Trigger::Reconcile(scope) = decide_value(&event, &context()) else { panic!("not looked at") };
        scope.events
    };
    let good = "7bf73129-1428-4cd3-a780-95db273d1602";
    assert_eq!(of(good), BTreeSet::from([good.to_owned()]));
    for bad in ["two words", "a\nline", "\u{1b}[2J", "turned \u{202e}around", "", &"x".repeat(1000)] {
        assert_eq!(of(bad), BTreeSet::new(), "{bad:?}");
    }
}

#[test]
fn our_writes_are_told_however_the_caller_is_described() {
    let put = |identity: Value, response: Value| {
        let mut event = bedrock("PutEnforcedGuardrailConfiguration", "300000000001", &Value::Null, &response);
        event["detail"]["userIdentity"] = identity;
        event
    };
    let session = "arn:aws:sts::300000000001:assumed-role/Member/run";
    let role = "arn:aws:iam::300000000001:role/path/Member";
    let own = "ignore: the keeper wrote this itself";
    for identity in [
        json!({ "arn": session }),
        json!({ "arn": role, "accountId": null }),
        json!({ "sessionContext": { "sessionIssuer": { "arn": role } } }),
        json!({ "sessionContext": { "sessionIssuer": { "userName": "Member", "accountId": 300000000001u64 } } }),
        json!({ "arn": "arn:aws:sts::111111111111:assumed-role/Function/run" }),
        json!({ "type": "AWSService", "arn": session, "sessionContext": "omitted" }),
    ] {
        check(&put(identity, Value::Null), &context(), own);
    }
    check(&put(Value::Null, json!({ "updatedBy": role })), &context(), own);
    check(&put(json!({ "omitted": true }), json!({ "updatedBy": session })), &context(), own);

    let somebody = "reconcile 300000000001 in us-east-1: the account's enforcement was changed";
    for identity in [
        Value::Null,
        json!("omitted"),
        json!({ "principalId": "AROAEXAMPLE:Member" }),
        json!({ "userName": "Member", "accountId": "300000000001" }),
        json!({ "arn": "arn:aws:iam::300000000001:user/Member" }),
        json!({ "arn": "arn:aws:sts::300000000002:assumed-role/Member/run" }),
        json!({ "arn": "arn:aws:sts::300000000001:assumed-role/Function/run" }),
        json!({ "arn": session, "sessionContext": { "sessionIssuer": { "arn": "arn:aws:iam::300000000001:role/Admin" } } }),
        json!({ "sessionContext": { "sessionIssuer": { "userName": "Member", "accountId": "300000000002" } } }),
    ] {
        check(&put(identity, Value::Null), &context(), somebody);
    }
    // Who described themselves as somebody else is not excused by what the answer says.
    let admin = json!({ "arn": "arn:aws:sts::300000000001:assumed-role/Admin/a" });
    check(&put(admin, json!({ "updatedBy": role })), &context(), somebody);
}

#[test]
fn the_account_of_an_enforcement_is_taken_only_where_all_agree() {
    let put = |envelope: Value, recipient: Value, caller: Value| {
        let mut event =
            bedrock("DeleteEnforcedGuardrailConfiguration", "300000000001", &Value::Null, &Value::Null);
        event["account"] = envelope;
        event["detail"]["recipientAccountId"] = recipient;
        event["detail"]["userIdentity"] = json!({ "accountId": caller });
        event
    };
    let (one, two, none) = (json!("300000000001"), json!("300000000002"), Value::Null);
    let look = "reconcile 300000000001 in us-east-1: the account's enforcement was removed";
    let disagree = "ignore: the event names two accounts as the one where it happened";
    let invalid = "ignore: what the event gives as an account is not 12 digits";
    for (envelope, recipient, caller, expected) in [
        (&one, &one, &one, look),
        (&none, &one, &none, look),
        (&none, &none, &one, look),
        (&one, &none, &none, look),
        (&one, &one, &two, look),
        (&two, &one, &one, disagree),
        (&two, &none, &one, disagree),
        (&one, &json!("30"), &one, invalid),
        (&json!("30"), &one, &one, invalid),
        (&json!([1]), &one, &one, invalid),
        (&none, &none, &none, "ignore: the event names no account; the next sweep looks at all of them"),
    ] {
        check(&put(envelope.clone(), recipient.clone(), caller.clone()), &context(), expected);
    }
}

#[test]
fn a_join_names_its_account_in_many_places() {
    let joined = "reconcile 300000000007 in all Regions: the account joined the organization";
    for detail in [
        json!({ "serviceEventDetails": { "accountId": "300000000007" } }),
        json!({ "serviceEventDetails": { "memberAccountId": 300000000007u64, "accountId": "111111111111" } }),
        json!({ "serviceEventDetails": { "accountId": "111111111111", "account": { "id": "300000000007" } } }),
        json!({ "serviceEventDetails": { "joinStatus": { "accountId": "300000000007" } } }),
        json!({ "serviceEventDetails": { "managementAccount": { "accountId": "300000000009" } },
                "requestParameters": { "accountId": "300000000007", "joinMethod": "Invited" } }),
        json!({ "requestParameters": null, "responseElements": { "account": { "accountId": "300000000007" } } }),
        json!({ "additionalEventData": { "targetAccountId": "300000000007" } }),
        json!({ "recipientAccountId": "300000000009", "serviceEventDetails": { "account": "300000000007" } }),
    ] {
        check(&organizations("AccountJoinedOrganization", &detail), &context(), joined);
    }
    let nobody =
        json!({ "recipientAccountId": "300000000009", "userIdentity": { "accountId": "300000000009" } });
    check(
        &organizations("AccountJoinedOrganization", &nobody),
        &context(),
        "reconcile all accounts in all Regions: an account joined or moved, and the event doesn't name it: every account is looked at",
    );
    let management = json!({ "serviceEventDetails": { "accountId": "111111111111" } });
    check(
        &organizations("AccountJoinedOrganization", &management),
        &context(),
        "reconcile 111111111111 in all Regions: the account joined the organization",
    );
}

#[test]
fn who_leaves_is_the_caller() {
    let left = "departed 300000000001: the account left the organization";
    for detail in [
        json!({ "userIdentity": { "accountId": "300000000001" }, "recipientAccountId": "300000000001" }),
        json!({ "userIdentity": { "accountId": "300000000001" }, "recipientAccountId": "111111111111" }),
        json!({ "recipientAccountId": "300000000001" }),
    ] {
        check(&organizations("LeaveOrganization", &detail), &context(), left);
    }
    check(
        &organizations("LeaveOrganization", &json!({})),
        &context(),
        "ignore: the event names no account; the next sweep looks at all of them",
    );
}

#[test]
fn a_failed_call_changed_nothing() {
    let moved = |member: &str, value: Value| {
        let mut event =
            organizations("MoveAccount", &json!({ "requestParameters": { "accountId": "300000000001" } }));
        event["detail"][member] = value;
        event
    };
    let look = "reconcile 300000000001 in all Regions: the account moved in the organization";
    let failed = "ignore: the call failed, so nothing changed";
    for (member, value, expected) in [
        ("errorCode", json!("AccessDenied"), failed),
        ("errorMessage", json!("no"), failed),
        ("errorCode", json!({ "omitted": true }), failed),
        ("errorCode", Value::Null, look),
        ("errorCode", json!(""), look),
        ("readOnly", json!("false"), look),
        ("readOnly", json!(true), "ignore: the call only read"),
        ("readOnly", json!("True"), "ignore: the call only read"),
    ] {
        check(&moved(member, value), &context(), expected);
    }
}

#[test]
fn an_event_older_than_the_limit_is_left_to_the_sweep() {
    let context = Context { now: Some(1_788_251_400), max_age_seconds: Some(3600), ..context() };
    let moved = |time: Value| {
        let mut event =
            organizations("MoveAccount", &json!({ "requestParameters": { "accountId": "300000000001" } }));
        event["detail"]["eventTime"] = time;
        event
    };
    let look = "reconcile 300000000001 in all Regions: the account moved in the organization";
    let old = "ignore: the event is older than the limit, and a sweep has looked since";
    for (time, expected) in [
        (json!("2026-09-01T07:30:00Z"), look),
        (json!("2026-09-01T07:29:59Z"), old),
        (json!("2026-09-01T09:29:59+02:00"), old),
        (json!("2026-09-01T09:29:59+0200"), old),
        (json!("2026-09-01T07:29:59.999Z"), old),
        (json!(1_788_247_799), old),
        (json!(1_788_247_799_000u64), old),
        (json!("2030-01-01T00:00:00Z"), look),
        (json!("Sep 1, 2020, 7:29:59 AM"), look),
        (json!("2020-09-01"), look),
        (json!({ "omitted": true }), look),
        (Value::Null, look),
    ] {
        check(&moved(time), &context, expected);
    }
    let mut by_envelope = moved(json!("some day"));
    by_envelope["time"] = "2026-08-01T00:00:00Z".into();
    check(&by_envelope, &context, old);
    let schedule = json!({ "source": SCHEDULE_SOURCE, "time": "2026-08-01T00:00:00Z" });
    check(&schedule, &context, old);
}

#[test]
fn the_baselines_parameter_is_told_in_every_spelling() {
    let changed =
        |name: &str| json!({ "source": "aws.ssm", "detail": { "name": name, "operation": "Update" } });
    for (ours, name, same) in [
        ("/keeper/baseline", "/keeper/baseline", true),
        ("arn:aws:ssm:us-east-1:111111111111:parameter/keeper/baseline", "/keeper/baseline", true),
        ("/keeper/baseline", "arn:aws-us-gov:ssm:us-gov-west-1:111111111111:parameter/keeper/baseline", true),
        ("/keeper/baseline:3", "/keeper/baseline", true),
        ("baseline", "baseline", true),
        ("/keeper/baseline", "/keeper/baseline2", false),
        ("/keeper/baseline", "/other/keeper/baseline", false),
    ] {
        let context = Context { baseline_parameter: Some(ours.to_owned()), ..context() };
        let expected = if same {
            "reconcile all accounts in all Regions: the baseline was changed"
        } else {
            "ignore: the parameter is not the baseline, its approval or a control"
        };
        check(&changed(name), &context, expected);
    }
    let given = "reconcile all accounts in all Regions: a revision of the baseline was approved";
    for name in ["/keeper/approval", "arn:aws:ssm:us-east-1:111111111111:parameter/keeper/approval"] {
        check(&changed(name), &context(), given);
    }
    let leaves =
        "reconcile 300000000001 in all Regions: a control says whether the account is about to leave";
    let placement = "reconcile all accounts in all Regions: a control gives the answer to placement auto";
    for (name, expected) in [
        ("/keeper/controls/leaving/300000000001", leaves),
        ("arn:aws:ssm:us-east-1:111111111111:parameter/keeper/controls/leaving/300000000001", leaves),
        ("/keeper/controls/placement", placement),
    ] {
        check(&changed(name), &context(), expected);
    }
    let other = "ignore: the parameter is not the baseline, its approval or a control";
    for name in ["/keeper/controls/leaving/3000", "/keeper/controls/else", "/keeper/controls"] {
        check(&changed(name), &context(), other);
    }
    let put = json!({ "source": "aws.ssm", "detail": { "eventSource": "ssm.amazonaws.com",
        "eventName": "PutParameter", "requestParameters": { "name": "/keeper/approval" } } });
    check(&put, &context(), given);
    let labelled = json!({ "source": "aws.ssm", "detail": { "name": "/keeper/approval",
        "operation": "LabelParameterVersion" } });
    check(&labelled, &context(), "ignore: the parameter's value did not change");
    let file = Context { baseline_parameter: None, ..context() };
    check(
        &changed("/keeper/baseline"),
        &file,
        "ignore: the parameter is not the baseline, its approval or a control",
    );
}

#[test]
fn sources_and_services_have_to_agree() {
    let moved = |source: Value, event_source: Value| {
        json!({ "source": source, "detail": { "eventSource": event_source, "eventName": "MoveAccount",
                "requestParameters": { "accountId": "300000000001" } } })
    };
    let look = "reconcile 300000000001 in all Regions: the account moved in the organization";
    let disagree = "ignore: source and eventSource name two services";
    let other = "ignore: the event comes from a source that the keeper doesn't listen to";
    for (source, event_source, expected) in [
        (json!("aws.organizations"), json!("organizations.amazonaws.com"), look),
        (json!("aws.organizations"), json!("organizations.amazonaws.com.cn"), look),
        (json!("aws.organizations"), json!("organizations.amazonaws.eu"), look),
        (json!("aws.organizations"), Value::Null, look),
        (Value::Null, json!("organizations.amazonaws.com"), look),
        (json!("aws.organizations"), json!("organizations.example.com"), disagree),
        (json!("aws.organizations"), json!("bedrock.amazonaws.com"), disagree),
        (json!("aws.ec2"), json!("ec2.amazonaws.com"), other),
        (json!("organizations"), json!("organizations.amazonaws.com"), other),
        (Value::Null, json!("organizations"), look),
        (Value::Null, Value::Null, "reject: the message has no source, so it is no event"),
    ] {
        check(&moved(source, event_source), &context(), expected);
    }
}
