//! What is told once of many accounts: broken guardrails, departures, the end of a sweep.

use super::*;

#[test]
fn what_is_broken_is_told_once_for_all_accounts() {
    let accounts = || {
        ["300000000002", "300000000001", "300000000003"]
            .map(|account| (target(&format!("{account}/eu-west-1")), broken("FAILED"), None))
    };
    check(
        &told(&report(accounts())),
        expect![[r#"
            Enforcement Broken {
              "accounts": [
                "300000000001",
                "300000000002",
                "300000000003"
              ],
              "accounts_in_all": 3,
              "cause": "…",
              "guardrail": "…",
              "part": {
                "number": 1,
                "of": 1
              },
              "reason": {
                "code": "not_ready",
                "text": "the guardrail is FAILED, not READY"
              },
              "region": "eu-west-1",
              "revision": "0123456789abcdef",
              "version": 1,
              "whole_organization": false
            }
        "#]],
    );
    // Another reason is another event.
    let deleting = [(target("300000000009/eu-west-1"), broken("DELETING"), None)];
    assert_eq!(told(&report(accounts().into_iter().chain(deleting))).len(), 1, "both are `not_ready`");

    let known = accounts().map(|(at, result, _)| (at, result, Some(looked(&broken("FAILED")))));
    let known = report(known);
    assert_eq!(told(&known), []);
    // In a sweep it is told at its end, with all others.
    let news = report(accounts());
    assert_eq!(of_report(&news, &Cause { sweep: true, ..cause() }, now()), []);
}

#[test]
fn whoever_is_left_unguarded_is_told_of_like_what_is_broken() {
    let gone = || Unusable::NotReady { status: "FAILED".to_owned().into() };
    let released = one(done(release(Some(gone()))), Some(ours(0)));
    assert_eq!(names(&told(&released)), ["Enforcement Released not_ready", "Accounts Unguarded not_ready"]);
    // In a sweep it is told at its end, with all others.
    let of_sweep = of_report(&released, &Cause { sweep: true, ..cause() }, now());
    assert_eq!(names(&of_sweep), ["Enforcement Released not_ready"]);
    // As long as it is so, the end of each sweep says it again, and no other look does.
    let still = held(HoldReason::Unguarded { unusable: gone() }, None);
    let (guardrail, version) = (enforcement(2).guardrail, enforcement(2).version);
    let at = Timestamp::UNIX_EPOCH;
    let before = Record {
        released_unusable: Some(crate::record::ReleasedUnusable { guardrail, version, at }),
        ..Record::default()
    };
    let still = one(still, Some(before));
    assert_eq!(told(&still), []);
    // A release that is wanted leaves nobody unguarded.
    assert_eq!(names(&told(&one(done(release(None)), Some(ours(0))))), ["Enforcement Released not_wanted"]);
}

#[test]
fn a_long_list_of_accounts_is_sent_in_parts_that_eventbridge_takes() {
    let mut versions = BrokenVersions::default();
    let account = |number: u64| format!("{:012}", 300_000_000_000 + number).parse::<AccountId>().unwrap();
    let words = "ü".repeat(2000);
    for number in 0..50_000 {
        versions.add(&account(number), enforcement(2).version(), "missing".to_owned(), words.clone());
    }
    let events = versions.events(Kind::Broken, &cause(), None, true, now());
    let delivered = delivered(&events);
    let mut all = Vec::new();
    for (number, event) in (1..).zip(&delivered) {
        assert!(event["detail"].to_string().len() < 256 * 1024 - 1024);
        assert_eq!(event["detail"]["part"], json!({ "number": number, "of": 5 }));
        assert_eq!(event["detail"]["accounts_in_all"], 50_000);
        assert_eq!(event["detail"].get("named_with").is_none(), number == 1, "one message has all parts");
        all.extend(event["detail"]["accounts"].as_array().unwrap().iter().cloned());
    }
    assert_eq!(all, (0..50_000).map(|number| json!(account(number))).collect::<Vec<_>>());
    let text = delivered[0]["detail"]["reason"]["text"].as_str().unwrap();
    assert!(text.ends_with("ü…; 50000 accounts in all"), "{text}");
}

/// A guardrail is another one in each Region, and SNS suspends an e-mail subscription that gets more than ten messages a
/// second.
#[test]
fn a_guardrail_that_fails_in_every_region_is_one_message() {
    let regions = ["eu-north-1", "eu-west-1", "us-east-1", "us-west-2"];
    let mut versions = BrokenVersions::default();
    for (number, region) in (1_u64..).zip(regions) {
        let mut version = enforcement(2);
        version.guardrail = format!("arn:aws:bedrock:{region}:222222222222:guardrail/base").parse().unwrap();
        let code = if region == "us-west-2" { "not_ready" } else { "missing" };
        for account in 0..number {
            let account: AccountId = format!("{:012}", 300_000_000_000 + account).parse().unwrap();
            versions.add(&account, version.version(), code.to_owned(), "not there".to_owned());
        }
    }
    let read = |kind, whole| {
        let events = delivered(&versions.events(kind, &cause(), None, whole, now()));
        let read = events.iter().map(|event| {
            let detail = &event["detail"];
            (detail["reason"]["text"].as_str().unwrap().to_owned(), detail["named_with"].clone())
        });
        read.collect::<Vec<_>>()
    };
    for kind in [Kind::Broken, Kind::Unguarded] {
        let more = "us-east-1 (3), us-west-2 (4, not_ready)";
        let first =
            format!("not there; and 3 more guardrail versions with so many accounts: eu-west-1 (2), {more}");
        let events = read(kind, true);
        assert_eq!(events[0], (first, Value::Null));
        assert_eq!(events[1..], vec![("not there".to_owned(), json!("eu-north-1")); 3]);
        // What a look finds is mailed as news; these events are for programs.
        assert_eq!(read(kind, false), vec![("not there".to_owned(), Value::Null); 4]);
    }
}

#[test]
fn a_departure_says_what_was_left_behind() {
    let left = BTreeSet::from(["eu-west-1".parse().unwrap(), "us-east-1".parse().unwrap()]);
    let account = "300000000001".parse().unwrap();
    let reason = "it is no member of the organization";
    check(
        &[of_departure(&account, reason, &left, &cause(), now())],
        expect![[r#"
            Account Departed {
              "account": "300000000001",
              "cause": "…",
              "left_behind": [
                "eu-west-1",
                "us-east-1"
              ],
              "reason": {
                "code": "departed",
                "text": "it is no member of the organization"
              },
              "version": 1
            }
        "#]],
    );
}

#[test]
fn the_end_of_a_sweep() {
    let cause = Cause { sweep: true, ..cause() };
    let standings: BTreeMap<Standing, usize> = Standing::ALL
        .iter()
        .map(|standing| (*standing, usize::from(*standing == Standing::Broken)))
        .collect();
    let sweep = CompletedSweep {
        began: cause.first_seen,
        accounts: 2,
        looked_at: 2,
        not_looked_at: 0,
        closed: 1,
        standings: &standings,
        guarded: 0,
        is_reported: false,
        examples: &["300000000002/eu-west-1 broken: the guardrail is FAILED, not READY".to_owned()],
        revision: &REVISION.parse().unwrap(),
        waiting: None,
    };
    let events = [of_sweep(&sweep, &cause, now())];
    check(
        &events,
        expect![[r#"
            Sweep Completed {
              "accounts": {
                "closed": 1,
                "in_scope": 2,
                "looked_at": 2,
                "not_looked_at": 0
              },
              "began": "2026-11-02T09:59:58Z",
              "cause": {
                "attempt": 1,
                "events": [
                  "event-1",
                  "event-2"
                ],
                "sweep": true,
                "text": "the account joined the organization"
              },
              "examples": [
                "300000000002/eu-west-1 broken: the guardrail is FAILED, not READY"
              ],
              "guarded": 0,
              "revision": "0123456789abcdef",
              "seconds": 2,
              "targets": {
                "broken": 1,
                "contested": 0,
                "copied": 0,
                "enforced": 0,
                "failed": 0,
                "held": 0,
                "in_sync": 0,
                "left_alone": 0,
                "released": 0,
                "replaced": 0,
                "stale": 0,
                "unguarded": 0,
                "unknown": 0,
                "would_abandon": 0,
                "would_enforce": 0,
                "would_release": 0,
                "would_replace": 0
              },
              "version": 1
            }
        "#]],
    );
}
