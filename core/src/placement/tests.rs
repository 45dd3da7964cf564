use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::baseline::Placement;
use crate::enforcement::{Enforcement, Guarding, Models};
use crate::ids::GuardrailVersion;
use crate::observed::{Observation, Seen};
use crate::own_roles::OwnRoles;
use crate::record::{Origin, Ours, Record};

const SAID: &str = "ValidationException: The guardrail doesn't belong to the account.";

/// What happens, at a second.
#[derive(Clone, Copy, Debug)]
enum Happens {
    Accepted(&'static str),
    Refused(&'static str),
    /// So long after the guardrail was granted.
    RefusedAfterGrant(&'static str, i64),
    /// No other account is concerned.
    RefusedInTheOnly(&'static str),
    OwnerRefused,
    OwnerAccepted,
    Says(Answer),
}
use Happens::{
    Accepted, OwnerAccepted, OwnerRefused, Refused as RefusedIn, RefusedAfterGrant, RefusedInTheOnly, Says,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_796_000_000 + second).unwrap()
}

fn revision() -> Revision {
    "0123456789abcdef".parse().unwrap()
}

/// `1/eu` is account 300000000001 in eu-west-1.
fn target(short: &str) -> Target {
    let (account, region) = short.split_once('/').unwrap();
    let region = if region == "eu" { "eu-west-1" } else { "us-east-1" };
    format!("30000000000{account}/{region}").parse().unwrap()
}

fn happen(record: &mut PlacementRecord, second: i64, happens: Happens) {
    let revision = revision();
    let at_second = at(second);
    let mut refused = |short: &str, granted: Option<i64>, only_account: bool| {
        let target = target(short);
        let tried = Tried { target: &target, at: at_second, revision: &revision };
        let granted = granted.map(|age| at(second - age));
        record.refused(tried, Refused { said: SAID, granted, only_account });
    };
    match happens {
        RefusedIn(short) => refused(short, None, false),
        RefusedAfterGrant(short, age) => refused(short, Some(age), false),
        RefusedInTheOnly(short) => refused(short, None, true),
        Accepted(short) => {
            record.accepted(Tried { target: &target(short), at: at_second, revision: &revision });
        }
        OwnerRefused => drop(record.tried_by_the_owner(at_second, Some(SAID))),
        OwnerAccepted => drop(record.tried_by_the_owner(at_second, None)),
        Says(answer) => record.set(answer, at_second, &revision, "arn:aws:iam::111111111111:user/ann"),
    }
}

fn after(events: &[(i64, Happens)]) -> PlacementRecord {
    let mut record = PlacementRecord::default();
    for (second, happens) in events {
        happen(&mut record, *second, *happens);
    }
    record
}

#[test]
fn a_refusal_counts_twice_ten_minutes_apart_in_two_accounts() {
    use Answer::{Central, Copies, Undecided};
    let twice = |short| [(0, RefusedIn(short)), (600, RefusedIn(short))];
    let both = |second: i64| {
        let [a, b] = ["1/eu", "2/eu"].map(RefusedIn);
        vec![(0, a), (0, b), (second, a), (second, b)]
    };
    type Case = (&'static str, Vec<(i64, Happens)>, Answer);
    let cases: Vec<Case> = vec![
        ("nothing happened", vec![], Undecided),
        ("taken once", vec![(0, Accepted("1/eu"))], Central),
        ("refused once", vec![(0, RefusedIn("1/eu"))], Undecided),
        ("refused twice in one account", twice("1/eu").to_vec(), Undecided),
        ("refused twice in both", both(600), Copies),
        ("nine minutes are too short", both(599), Undecided),
        ("a day is not too long", both(24 * 3600), Copies),
        ("after two days it begins anew", both(48 * 3600), Undecided),
        ("once each in two accounts", vec![(0, RefusedIn("1/eu")), (600, RefusedIn("2/eu"))], Undecided),
        ("two Regions of one account are one account", [twice("1/eu"), twice("1/us")].concat(), Undecided),
        ("the only account, once", vec![(0, RefusedInTheOnly("1/eu"))], Undecided),
        (
            "the only account, twice",
            vec![(0, RefusedInTheOnly("1/eu")), (600, RefusedInTheOnly("1/eu"))],
            Copies,
        ),
        ("taken before", [vec![(0, Accepted("3/eu"))], both(600)].concat(), Central),
        (
            "taken in between",
            vec![
                (0, RefusedIn("1/eu")),
                (0, RefusedIn("2/eu")),
                (300, Accepted("3/eu")),
                (600, RefusedIn("1/eu")),
            ],
            Central,
        ),
        ("taken afterwards changes nothing", [both(600), vec![(700, Accepted("3/eu"))]].concat(), Copies),
        (
            "a young grant doesn't count",
            vec![
                (0, RefusedAfterGrant("1/eu", 0)),
                (0, RefusedAfterGrant("2/eu", 0)),
                (599, RefusedAfterGrant("1/eu", 599)),
                (599, RefusedAfterGrant("2/eu", 599)),
            ],
            Undecided,
        ),
        (
            "an old one does, from then on",
            vec![
                (0, RefusedAfterGrant("1/eu", 0)),
                (0, RefusedAfterGrant("2/eu", 0)),
                (600, RefusedAfterGrant("1/eu", 600)),
                (600, RefusedAfterGrant("2/eu", 600)),
                (1200, RefusedAfterGrant("1/eu", 1200)),
                (1200, RefusedAfterGrant("2/eu", 1200)),
            ],
            Copies,
        ),
        (
            "a grant that was lost and given anew",
            vec![
                (0, RefusedIn("1/eu")),
                (0, RefusedIn("2/eu")),
                (600, RefusedAfterGrant("1/eu", 10)),
                (600, RefusedAfterGrant("2/eu", 10)),
            ],
            Undecided,
        ),
        ("the owner is refused as well", [vec![(0, OwnerRefused)], both(600)].concat(), Undecided),
        ("and then isn't", [vec![(0, OwnerRefused), (1, OwnerAccepted)], both(600)].concat(), Copies),
        ("a person says so", vec![(0, Says(Copies))], Copies),
        ("and nothing else changes it", vec![(0, Says(Copies)), (1, Accepted("1/eu"))], Copies),
        ("a person says the other", [vec![(0, Says(Central))], both(600)].concat(), Central),
        ("a person asks anew", [both(600), vec![(700, Says(Undecided))]].concat(), Undecided),
    ];
    for (what, events, expected) in cases {
        assert_eq!(after(&events).answer, expected, "{what}: {events:?}");
    }
}

fn permit(record: &PlacementRecord, short: &str, second: i64) -> String {
    match record.permits(&target(short), at(second), true) {
        Permit::Try => "try".to_owned(),
        Permit::Wait(wait) => wait.to_string(),
    }
}

#[track_caller]
fn check(record: &PlacementRecord, asked: &[(&str, i64)], expected: &Expect) {
    let lines =
        asked.iter().map(|(short, second)| format!("{short} {second}: {}\n", permit(record, short, *second)));
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn it_is_tried_in_two_accounts_and_the_others_wait() {
    let once = after(&[(0, RefusedIn("1/eu"))]);
    check(
        &once,
        &[("1/eu", 1), ("1/us", 1), ("1/eu", 600), ("2/eu", 1), ("2/us", 1)],
        &expect![[r#"
        1/eu 1: AWS refused the owner's guardrail in this account once (ValidationException: The guardrail doesn't belong to the account.); the keeper tries again after 01:03 UTC, and if AWS refuses it again, here and in another account, members get copies
        1/us 1: AWS refused the owner's guardrail in 300000000001: the keeper tries there again after 01:03 UTC, and then this account gets the guardrail or a copy
        1/eu 600: try
        2/eu 1: try
        2/us 1: try
    "#]],
    );
    let both = after(&[(0, RefusedIn("1/eu")), (60, RefusedIn("2/us"))]);
    check(
        &both,
        &[("3/eu", 61), ("2/eu", 61), ("2/us", 660), ("1/eu", 659)],
        &expect![[r#"
        3/eu 61: AWS refused the owner's guardrail in 300000000001 and 300000000002: the keeper tries there again after 01:04 UTC, and then this account gets the guardrail or a copy
        2/eu 61: AWS refused the owner's guardrail in 300000000002 and 300000000001: the keeper tries there again after 01:04 UTC, and then this account gets the guardrail or a copy
        2/us 660: try
        1/eu 659: try
    "#]],
    );
    // Nobody comes back to these two: others are tried in their place.
    check(
        &both,
        &[("3/eu", 4201), ("3/eu", 4261)],
        &expect![[r#"
        3/eu 4201: try
        3/eu 4261: try
    "#]],
    );
    let young = after(&[(0, RefusedAfterGrant("1/eu", 30))]);
    check(
        &young,
        &[("1/eu", 569), ("1/eu", 570)],
        &expect![[r#"
        1/eu 569: AWS refused the owner's guardrail in this account (ValidationException: The guardrail doesn't belong to the account.); the grant is too new for this to count, so the keeper tries again after 01:02 UTC
        1/eu 570: try
    "#]],
    );
    let owner = after(&[(0, OwnerRefused), (1, RefusedIn("1/eu"))]);
    check(
        &owner,
        &[("1/eu", 2)],
        &expect![[r#"
        1/eu 2: AWS refused the owner's guardrail in this account (ValidationException: The guardrail doesn't belong to the account.), and in the owner's own account too, so the owner isn't the cause: correct the baseline; the keeper tries again after 01:03 UTC
    "#]],
    );
    let one = after(&[(0, RefusedIn("1/eu")), (600, RefusedIn("1/eu"))]);
    check(
        &one,
        &[("1/eu", 601), ("2/eu", 601)],
        &expect![[r#"
        1/eu 601: AWS refused the owner's guardrail in this account twice (ValidationException: The guardrail doesn't belong to the account.); members get copies once another account was refused twice as well (`guardrailctl placement` shows where it is tried)
        2/eu 601: try
    "#]],
    );
    let copies = after(&[(0, Says(Answer::Copies))]);
    check(
        &copies,
        &[("1/eu", 1)],
        &expect![[r#"
        1/eu 1: AWS refuses the owner's guardrail in members, so this account gets a copy, which the next look creates
    "#]],
    );
}

#[test]
fn the_answer_and_its_evidence_are_told() {
    let told = |events: &[(i64, Happens)]| after(events).lines().join("\n") + "\n";
    let both = [(0, RefusedIn("1/eu")), (60, RefusedIn("2/us"))];
    let all = [
        told(&[]),
        told(&both),
        told(&[both.as_slice(), &[(700, RefusedIn("1/eu")), (700, RefusedIn("2/us"))]].concat()),
        told(&[(0, Accepted("1/eu"))]),
        told(&[(0, OwnerRefused), (1, RefusedIn("1/eu")), (2, Says(Answer::Central))]),
    ];
    expect![[r#"
        undecided: the first enforcement in a member shows whether AWS takes the owner's guardrail there

        undecided: AWS refused the owner's guardrail in 300000000001 (1 of 2 times), 300000000002 (1 of 2 times); tried again after 01:04 UTC
          300000000001/eu-west-1 refused once, at 2026-11-30 00:53 UTC; tried again after 01:03 UTC: ValidationException: The guardrail doesn't belong to the account.
          300000000002/us-east-1 refused once, at 2026-11-30 00:54 UTC; tried again after 01:04 UTC: ValidationException: The guardrail doesn't belong to the account.

        copies since 2026-11-30 01:05 UTC: AWS refused the owner's guardrail twice in 300000000001 and in 300000000002
          decided by the keeper, under baseline 0123456789abcdef
          300000000001/eu-west-1 refused twice, at 2026-11-30 00:53 UTC and 2026-11-30 01:05 UTC: ValidationException: The guardrail doesn't belong to the account.
          300000000002/us-east-1 refused twice, at 2026-11-30 00:54 UTC and 2026-11-30 01:05 UTC: ValidationException: The guardrail doesn't belong to the account.
          2026-11-30 01:05 UTC  copies: AWS refused the owner's guardrail twice in 300000000001 and in 300000000002, by the keeper

        central since 2026-11-30 00:53 UTC: AWS took the owner's guardrail in 300000000001/eu-west-1
          decided by the keeper, under baseline 0123456789abcdef
          300000000001/eu-west-1 enforces the owner's guardrail, seen 2026-11-30 00:53 UTC
          2026-11-30 00:53 UTC  central: AWS took the owner's guardrail in 300000000001/eu-west-1, by the keeper

        central since 2026-11-30 00:53 UTC: a person set it (arn:aws:iam::111111111111:user/ann)
          decided by arn:aws:iam::111111111111:user/ann, under baseline 0123456789abcdef
          2026-11-30 00:53 UTC  central: a person set it, by arn:aws:iam::111111111111:user/ann
    "#]].assert_eq(&all.join("\n"));
}

#[test]
fn a_target_that_is_guarded_stays_where_its_guardrail_is() {
    let owner = "222222222222".parse().unwrap();
    let member = target("1/eu");
    let enforcing = |account: &str| {
        let arn = format!("arn:aws:bedrock:eu-west-1:{account}:guardrail/some");
        let enforcement = Enforcement {
            guardrail: arn.parse().unwrap(),
            version: GuardrailVersion::new(1).unwrap(),
            models: Models::default(),
            guarding: Guarding::default(),
        };
        Observation::Enforced(Seen {
            config_id: Some("abc".parse().unwrap()),
            enforcement,
            created_by: None,
            updated_by: None,
        })
    };
    let recorded = |seen: &Observation| {
        let Observation::Enforced(seen) = seen else { return Record::default() };
        let enforcement = seen.enforcement.clone();
        let ours = Ours {
            enforcement,
            origin: Origin::Applied,
            at: at(0),
            revision: revision(),
            path: None,
            reads_back: None,
        };
        Record { ours: Some(ours), ..Record::default() }
    };
    let (central, own, foreign) =
        (enforcing("222222222222"), enforcing("300000000001"), enforcing("300000000009"));
    let mut table = String::new();
    for (what, seen, record) in [
        ("nothing", Observation::Absent, Record::default()),
        ("the owner's", central.clone(), Record::default()),
        ("a copy", own.clone(), recorded(&own)),
        ("its own guardrail, not ours", own, Record::default()),
        ("another account's", foreign, Record::default()),
    ] {
        let stands = Stands::of(
            &member,
            Some(&seen),
            Some(&record),
            |account| *account == owner,
            &OwnRoles::default(),
        );
        let by = |answer| match effective(Placement::Auto, stands, answer) {
            Placement::Central => "central",
            Placement::Copy => "copy",
            Placement::Auto => "auto",
        };
        let [undecided, answered, copies] = [Answer::Undecided, Answer::Central, Answer::Copies].map(by);
        table += &format!("{what}: undecided {undecided}, central {answered}, copies {copies}\n");
        for placement in [Placement::Central, Placement::Copy] {
            assert_eq!(effective(placement, stands, Answer::Copies), placement);
        }
    }
    expect![[r#"
        nothing: undecided central, central central, copies copy
        the owner's: undecided central, central central, copies central
        a copy: undecided copy, central copy, copies copy
        its own guardrail, not ours: undecided central, central central, copies copy
        another account's: undecided central, central central, copies copy
    "#]]
    .assert_eq(&table);
}

#[test]
fn the_record_stays_small() {
    let mut record = PlacementRecord::default();
    let endless = "x".repeat(10_000);
    for number in 0..1000_i64 {
        let target: Target = format!("{:012}/eu-west-1", 300_000_000_000 + number).parse().unwrap();
        let tried = Tried { target: &target, at: at(number), revision: &revision() };
        record.refused(tried, Refused { said: &endless, granted: None, only_account: false });
    }
    assert_eq!(record.refusals.len(), ACCOUNTS_KEPT);
    for number in 0..100 {
        let answer = if number % 2 == 0 { Answer::Copies } else { Answer::Undecided };
        happen(&mut record, 2000 + number, Says(answer));
    }
    assert_eq!(record.history.len(), HISTORY_KEPT);
    let text = serde_json::to_string(&record).unwrap();
    assert!(text.len() < 10_000, "{}", text.len());
    assert_eq!(serde_json::from_str::<PlacementRecord>(&text).unwrap(), record);
    assert_eq!(serde_json::from_str::<PlacementRecord>("{}").unwrap(), PlacementRecord::default());
}

fn anything() -> impl Strategy<Value = (i64, Happens)> {
    let short = prop::sample::select(vec!["1/eu", "1/us", "2/eu", "3/eu"]);
    let happens = (short, 0..4_usize, 0..1200_i64).prop_map(|(short, kind, age)| match kind {
        0 => RefusedAfterGrant(short, age),
        1 => OwnerRefused,
        2 => OwnerAccepted,
        _ => RefusedIn(short),
    });
    (0..1000_i64, happens)
}

proptest! {
    /// Whatever happens, in whatever order: copies need refusals in two accounts over ten minutes, one
    /// success is enough for central, and what was decided stays.
    #[test]
    fn law_no_answer_without_its_evidence(
        events in prop::collection::vec(anything(), 0..40),
        success in prop::option::of(0..40_usize),
    ) {
        let mut record = PlacementRecord::default();
        let mut now = 0;
        let mut counted: Vec<(String, i64)> = Vec::new();
        for (number, (step, happens)) in events.iter().enumerate() {
            now += step;
            let before = record.answer;
            if success == Some(number) {
                happen(&mut record, now, Accepted("3/us"));
                prop_assert!(before != Answer::Undecided || record.answer == Answer::Central);
            }
            happen(&mut record, now, *happens);
            if let RefusedIn(short) | RefusedAfterGrant(short, 600..) = happens {
                counted.push((short[..1].to_owned(), now));
            }
            prop_assert!(before == Answer::Undecided || record.answer == before);
        }
        if record.answer == Answer::Copies {
            let apart = |account: &str| {
                let mut times = counted.iter().filter(|(one, _)| one == account).map(|(_, at)| *at);
                let first = times.next();
                first.is_some_and(|first| times.any(|at| at - first >= APART_SECONDS))
            };
            let accounts = ["1", "2", "3"].iter().filter(|account| apart(account)).count();
            prop_assert!(accounts >= ACCOUNTS_NEEDED, "{events:?}");
        }
    }
}

#[test]
fn an_answer_is_given_by_its_text_and_by_no_other() {
    for answer in [Answer::Central, Answer::Copies, Answer::Undecided] {
        assert_eq!(Answer::parse(answer.text()), Ok(answer));
        assert_eq!(Answer::parse(&format!(" {}\n", answer.text())), Ok(answer));
    }
    for text in ["", "yes", "Copies", "central copies"] {
        assert!(Answer::parse(text).is_err(), "{text}");
    }
}
