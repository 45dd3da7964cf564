//! What people have to hear, as one message.

use super::*;
use crate::outcome::attention::AttentionNews;
use crate::own_roles::OwnRoles;
use crate::record::{News, NewsKind};

fn news(kind: NewsKind, code: &str) -> News {
    let text = "could not be read: AssumeRole: AccessDenied: no (denied)";
    News::new(kind, code.to_owned(), text, "2026-11-02T09:30:00Z".parse().unwrap())
}

/// So many targets with the same news, one an account.
fn many(all: &mut AttentionNews, targets: u64, news: &News) {
    for number in 0..targets {
        all.add(&target(&format!("{}/eu-west-1", 300_000_000_001 + number)), news, false);
    }
}

#[test]
fn a_role_that_is_missing_everywhere_is_one_message() {
    let mut all = AttentionNews::default();
    many(&mut all, 500, &news(NewsKind::Held, "unreadable.denied"));
    let by = Some(ADMIN.to_owned());
    all.add(
        &target("400000000001/eu-west-1"),
        &News { by, ..news(NewsKind::Unannounced, "unannounced") },
        false,
    );
    let event = all.event(&cause(), true, now()).unwrap();
    let [value] = delivered(std::slice::from_ref(&event)).try_into().unwrap();
    let detail = &value["detail"];
    assert_eq!(detail["summary"], "500 targets held, 1 target repaired without an event, in 501 accounts");
    let text = detail["reason"]["text"].as_str().unwrap();
    assert!(
        text.starts_with("held (unreadable.denied): 300000000001/eu-west-1, 300000000002/eu-west-1"),
        "{text}"
    );
    assert!(text.contains(" and 475 more: could not be read: AssumeRole"), "{text}");
    assert!(text.contains(&format!("400000000001/eu-west-1 (by {ADMIN})")), "{text}");
    assert_eq!(detail["news"][0]["targets"].as_array().unwrap().len(), 25);
    assert_eq!(all.ids().len(), 501, "all of them count as published");
}

/// What one account has in many Regions keeps no other account from being named.
#[test]
fn each_account_is_named_before_further_regions_of_one() {
    let mut all = AttentionNews::default();
    let held = news(NewsKind::Held, "unreadable.denied");
    for region in 1..=30 {
        all.add(&target(&format!("100000000001/xx-east-{region}")), &held, false);
    }
    many(&mut all, 20, &held);
    let event = all.event(&cause(), true, now()).unwrap();
    let [value] = delivered(std::slice::from_ref(&event)).try_into().unwrap();
    let named = value["detail"]["news"][0]["targets"].as_array().unwrap();
    let accounts: std::collections::BTreeSet<&str> =
        named.iter().map(|named| named["account"].as_str().unwrap()).collect();
    assert_eq!((named.len(), accounts.len()), (25, 21), "{named:?}");
    assert_eq!(named[0]["region"], "xx-east-1");
}

#[test]
fn the_largest_message_fits() {
    let mut all = AttentionNews::default();
    for code in 0..100 {
        let long = News {
            by: Some("ü".repeat(2000)),
            ..News::new(NewsKind::Held, format!("unreadable.{code}"), &"ü".repeat(5000), now())
        };
        many(&mut all, 100, &long);
    }
    let endless = Cause { reason: "ü".repeat(5000), ..cause() };
    let event = all.event(&endless, true, now()).unwrap();
    let [value] = delivered(std::slice::from_ref(&event)).try_into().unwrap();
    // EventBridge counts bytes, and SNS takes as many.
    assert!(value.to_string().len() < 256 * 1024, "{}", value.to_string().len());
    let text = value["detail"]["reason"]["text"].as_str().unwrap();
    assert!(text.ends_with("And 90 more kinds of reason: see guardrailctl status."), "{text}");
    assert_eq!(value["detail"]["targets_in_all"], 10_000);
}

#[test]
fn what_each_sweep_publishes_anyway_is_not_said_twice() {
    let mut all = AttentionNews::default();
    all.add(&here(), &news(NewsKind::Broken, "missing"), true);
    assert!(all.is_empty() && all.event(&cause(), true, now()).is_none());
    assert_eq!(all.ids().len(), 1);
}

#[test]
fn one_target_in_words() {
    let mut all = AttentionNews::default();
    all.add(&here(), &news(NewsKind::Failed, "failed.denied"), false);
    check(
        &[all.event(&cause(), false, now()).unwrap()],
        expect![[r#"
            Attention Needed {
              "accounts_in_all": 1,
              "cause": "…",
              "news": [
                {
                  "kind": "failed",
                  "reason": {
                    "code": "failed.denied",
                    "text": "could not be read: AssumeRole: AccessDenied: no (denied)"
                  },
                  "targets": [
                    {
                      "account": "300000000001",
                      "region": "eu-west-1",
                      "since": "2026-11-02T09:30:00Z"
                    }
                  ],
                  "targets_in_all": 1
                }
              ],
              "reason": {
                "code": "failed.denied",
                "text": "failed (failed.denied): 300000000001/eu-west-1: could not be read: AssumeRole: AccessDenied: no (denied)."
              },
              "summary": "1 target failed, in 1 account",
              "targets_in_all": 1,
              "version": 1,
              "whole_organization": false
            }
        "#]],
    );
}

/// What people hear of a repair.
fn heard(change: Change, before: Record, cause: &Cause) -> Option<News> {
    let own_roles = OwnRoles {
        members: BTreeSet::from(["GuardrailKeeperMember".parse().unwrap()]),
        ..OwnRoles::default()
    };
    let records = std::iter::once((here(), before)).collect();
    let revision = REVISION.parse().unwrap();
    let context = crate::outcome::RepairContext {
        cause,
        records: &records,
        revision: &revision,
        own_roles: &own_roles,
        now: now(),
    };
    crate::outcome::news_of_repair(&done(change), context)
}

const MEMBER: &str = "arn:aws:sts::300000000001:assumed-role/GuardrailKeeperMember/alice";

fn weakened_by(principal: Option<&str>) -> Change {
    let Change::Replace { target, key, to, copied, drift, ownership, .. } = replace(Ownership::Ours) else {
        unreachable!("as it is made")
    };
    Change::Replace { target, key, from: seen(1, principal), to, copied, drift, ownership }
}

#[test]
fn a_repair_by_a_sweep_is_news_and_one_that_an_event_announced_is_none() {
    let sweep = || Cause { sweep: true, ..cause() };
    let kind = |change, before, cause| heard(change, before, &cause).map(|news| (news.kind, news.by));
    let admin = || Some(ADMIN.to_owned());
    assert_eq!(kind(weakened_by(Some(ADMIN)), ours(0), sweep()), Some((NewsKind::Unannounced, admin())));
    assert_eq!(kind(enforce(true), ours(0), sweep()), Some((NewsKind::Unannounced, None)));
    assert_eq!(kind(weakened_by(Some(ADMIN)), ours(0), cause()), None);
    // A first look, and what another revision wants, are no drift.
    assert_eq!(kind(enforce(false), Record::default(), sweep()), None);
    let mut earlier = ours(0);
    let known = earlier.ours.as_mut().unwrap();
    known.revision = "ffffffffffffffff".parse().unwrap();
    known.enforcement = enforcement(1);
    assert_eq!(kind(weakened_by(Some(ADMIN)), earlier, sweep()), None);
}

#[test]
fn a_change_in_the_keepers_name_that_the_record_does_not_explain_is_urgent_news() {
    let in_our_name = || Cause { in_our_name: true, ..cause() };
    let sweep = || Cause { sweep: true, ..cause() };
    let kind = |change, before, cause| heard(change, before, &cause).map(|news| news.kind);
    let urgent = Some(NewsKind::InOurName);
    assert_eq!(kind(enforce(true), ours(0), in_our_name()), urgent);
    for cause in [cause(), sweep(), in_our_name()] {
        assert_eq!(kind(weakened_by(Some(MEMBER)), ours(0), cause), urgent);
    }
    assert_eq!(kind(weakened_by(None), ours(0), in_our_name()), urgent);
    // Somebody else wrote after the event in our name.
    assert_eq!(kind(weakened_by(Some(ADMIN)), ours(0), in_our_name()), None);
    // The record explains it: AWS still shows what was there before our last write, or a write of ours arrived that
    // nobody had confirmed.
    let mut lately = ours(0);
    lately.ours.as_mut().unwrap().at = "2026-11-02T09:58:30Z".parse().unwrap();
    assert_eq!(kind(weakened_by(Some(MEMBER)), lately, cause()), None);
    let mut begun = ours(0);
    let to = Some(enforcement(1));
    begun.intent =
        Some(Intent { to, at: Timestamp::UNIX_EPOCH, revision: REVISION.parse().unwrap(), deed: None });
    assert_eq!(kind(weakened_by(Some(MEMBER)), begun, cause()), None);
    let news = heard(enforce(true), ours(0), &in_our_name()).unwrap();
    assert!(news.text.contains("CloudTrail's event: event-1 event-2"), "{}", news.text);
}

#[test]
fn a_sweep_reports_how_many_are_guarded_once_in_a_while() {
    let revision = REVISION.parse().unwrap();
    let told = |standings: &[(Standing, usize)], not_looked_at, is_reported| {
        let standings = standings.iter().copied().collect();
        let sweep = CompletedSweep {
            began: now(),
            accounts: 4,
            looked_at: 4,
            not_looked_at,
            closed: 0,
            standings: &standings,
            guarded: 9,
            is_reported,
            examples: &[],
            revision: &revision,
            waiting: None,
        };
        let [event] = delivered(&[of_sweep(&sweep, &cause(), now())]).try_into().unwrap();
        event["detail"]["report"].as_str().map(str::to_owned)
    };
    assert_eq!(told(&[(Standing::InSync, 9)], 0, false), None);
    assert_eq!(
        told(&[(Standing::InSync, 9), (Standing::Held, 0)], 0, true).unwrap(),
        "all is well: 9 targets guarded in 4 accounts"
    );
    assert_eq!(
        told(&[(Standing::InSync, 9), (Standing::Held, 2), (Standing::Broken, 1)], 1, true).unwrap(),
        "not all is well: 9 targets guarded in 4 accounts; 1 broken, 2 held, 1 account not looked at"
    );
}
