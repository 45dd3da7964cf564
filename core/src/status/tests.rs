use std::fmt::Write as _;

use expect_test::expect;
use jiff::Timestamp;

use super::*;
use crate::enforcement::{Enforcement, Guarding, Models};
use crate::ids::Region;
use crate::organization::AccountState;
use crate::record::{Checked, Expected, Intent, LastSeen, Origin, Ours, Record, ReleasedUnusable, State};

const ACCOUNT: &str = "300000000001";
const TARGET: &str = "300000000001/eu-west-1";
const OWNER: &str = "222222222222";
const WORKLOAD: &str = "o-exampleorgid/r-exam/ou-exam-workload/";
const SANDBOX: &str = "o-exampleorgid/r-exam/ou-exam-sandbox1/";
const ELSEWHERE: &str = "o-exampleorgid/r-exam/ou-exam-elsewhere/";
const LABS: &str = "o-exampleorgid/r-exam/ou-exam-labslabs/";

fn baseline() -> Baseline {
    let text = "\
version: 1
organization: o-exampleorgid
owner: \"222222222222\"
exclude: [\"300000000003\"]
guardrails:
  corporate: { name: corporate-baseline, version: 2, regions: [eu-west-1] }
  lenient: { name: lenient, version: 1, regions: [eu-west-1] }
  copied: { name: copied, version: 5, regions: [eu-west-1], placement: copy }
  either: { name: either, version: 5, regions: [eu-west-1], placement: auto }
  exact:
    version: 5
    regions: { eu-west-1: { arn: \"arn:aws:bedrock:eu-west-1:222222222222:guardrail/base\" } }
assignments:
  - { targets: [ou-exam-workload], guardrail: corporate }
  - { targets: [ou-exam-sandbox1], guardrail: none }
  - { targets: [ou-exam-labslabs], guardrail: lenient }
  - { targets: [\"300000000004\"], guardrail: copied }
  - { targets: [\"300000000005\"], guardrail: either }
  - { targets: [\"300000000006\"], guardrail: exact }
";
    Baseline::parse(text).unwrap_or_else(|invalid| panic!("{invalid}"))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn account(id: &str, path: &str) -> Account {
    Account {
        id: id.parse().unwrap(),
        name: "payments".to_owned(),
        state: AccountState::Active,
        path: path.parse().unwrap(),
        joined: None,
    }
}

fn enforcement(owner: &str, version: u32) -> Enforcement {
    Enforcement {
        guardrail: format!("arn:aws:bedrock:eu-west-1:{owner}:guardrail/base").parse().unwrap(),
        version: crate::ids::GuardrailVersion::new(version).unwrap(),
        models: Models::default(),
        guarding: Guarding::default(),
    }
}

/// A look that was made at second 9000 where the account stood in `path`, and ended so.
fn looked(state: State, path: &str, seen: Option<Enforcement>) -> Record {
    let baseline = baseline();
    let account = account(ACCOUNT, path);
    let wanted = wanted_in(&baseline, &account, &AccountRecord::default());
    let checked = Checked {
        at: at(9000),
        revision: baseline.revision,
        state,
        reason: None,
        code: None,
        drift: None,
        event: None,
        path: Some(account.path),
        expected: Some(wanted[&TARGET.parse().unwrap()].expected()),
    };
    Record {
        checked: Some(checked),
        seen: Some(LastSeen { at: at(9000), enforcement: seen, by: None }),
        ..Record::default()
    }
}

fn ours(enforcement: Enforcement) -> Ours {
    Ours {
        enforcement,
        origin: Origin::Applied,
        at: at(9000),
        revision: baseline().revision,
        path: None,
        reads_back: None,
    }
}

fn region() -> Region {
    "eu-west-1".parse().unwrap()
}

fn of(record: &Record) -> AccountRecord {
    AccountRecord { regions: [(region(), record.clone())].into(), ..AccountRecord::default() }
}

/// Judges an account's only target at second 10000, where looks from before 2800 are stale.
fn judged_in(baseline: &Baseline, account: &Account, record: &AccountRecord) -> Judged {
    let criteria = Criteria { now: at(10_000), oldest: at(2800), revision: Some(&baseline.revision) };
    let mut judged = judge_account(baseline, account, record, criteria);
    assert_eq!(judged.len(), 1);
    judged.remove(0).2
}

fn judged(record: &Record, path: &str) -> Judged {
    judged_in(&baseline(), &account(ACCOUNT, path), &of(record))
}

fn text(judged: &Judged) -> String {
    format!("{}: {}", judged.standing, judged.reason.as_deref().unwrap_or("-"))
}

/// The good looks that there can be: how each ended, and where.
fn good_looks() -> Vec<(&'static str, Record)> {
    let corporate = || Some(enforcement(OWNER, 2));
    let lenient = || Some(enforcement(OWNER, 1));
    let foreign = || Some(enforcement(ACCOUNT, 7));
    let guarded = |state| Record { ours: corporate().map(ours), ..looked(state, WORKLOAD, corporate()) };
    vec![
        ("in sync", guarded(State::InSync)),
        ("enforced", guarded(State::Enforced)),
        ("replaced", guarded(State::Replaced)),
        ("lenient in sync", Record { ours: lenient().map(ours), ..looked(State::InSync, LABS, lenient()) }),
        ("nothing wanted, nothing there", looked(State::InSync, SANDBOX, None)),
        ("released", looked(State::Released, SANDBOX, None)),
        ("nothing wanted, foreign", looked(State::LeftAlone, SANDBOX, foreign())),
        ("unassigned", looked(State::LeftAlone, ELSEWHERE, foreign())),
    ]
}

#[test]
fn a_look_is_good_only_for_what_it_was_made_for() {
    let mut table = String::new();
    for (look, record) in good_looks() {
        for path in [WORKLOAD, LABS, SANDBOX, ELSEWHERE] {
            let judged = judged(&record, path);
            let stood = record.checked.as_ref().unwrap().path.as_ref().unwrap();
            assert_eq!(judged.standing.is_good(), stood.to_string() == path, "{look} in {path}: {judged:?}");
            if stood.to_string() == path {
                assert_eq!(judged.standing, Standing::of(record.checked.as_ref().unwrap().state));
            } else {
                let ou = path.trim_end_matches('/').rsplit('/').next().unwrap();
                writeln!(table, "{look}, moved to {ou}: {}", text(&judged)).unwrap();
            }
        }
    }
    expect![[r#"
        in sync, moved to ou-exam-labslabs: stale: in sync when corporate was wanted; lenient is wanted now
        in sync, moved to ou-exam-sandbox1: stale: in sync when corporate was wanted; nothing is wanted now
        in sync, moved to ou-exam-elsewhere: stale: in sync when corporate was wanted; no assignment covers the account now
        enforced, moved to ou-exam-labslabs: stale: enforced when corporate was wanted; lenient is wanted now
        enforced, moved to ou-exam-sandbox1: stale: enforced when corporate was wanted; nothing is wanted now
        enforced, moved to ou-exam-elsewhere: stale: enforced when corporate was wanted; no assignment covers the account now
        replaced, moved to ou-exam-labslabs: stale: replaced when corporate was wanted; lenient is wanted now
        replaced, moved to ou-exam-sandbox1: stale: replaced when corporate was wanted; nothing is wanted now
        replaced, moved to ou-exam-elsewhere: stale: replaced when corporate was wanted; no assignment covers the account now
        lenient in sync, moved to ou-exam-workload: stale: in sync when lenient was wanted; corporate is wanted now
        lenient in sync, moved to ou-exam-sandbox1: stale: in sync when lenient was wanted; nothing is wanted now
        lenient in sync, moved to ou-exam-elsewhere: stale: in sync when lenient was wanted; no assignment covers the account now
        nothing wanted, nothing there, moved to ou-exam-workload: stale: in sync when nothing was wanted; corporate is wanted now
        nothing wanted, nothing there, moved to ou-exam-labslabs: stale: in sync when nothing was wanted; lenient is wanted now
        nothing wanted, nothing there, moved to ou-exam-elsewhere: stale: in sync when nothing was wanted; no assignment covers the account now
        released, moved to ou-exam-workload: stale: released when nothing was wanted; corporate is wanted now
        released, moved to ou-exam-labslabs: stale: released when nothing was wanted; lenient is wanted now
        released, moved to ou-exam-elsewhere: stale: released when nothing was wanted; no assignment covers the account now
        nothing wanted, foreign, moved to ou-exam-workload: stale: left alone when nothing was wanted; corporate is wanted now
        nothing wanted, foreign, moved to ou-exam-labslabs: stale: left alone when nothing was wanted; lenient is wanted now
        nothing wanted, foreign, moved to ou-exam-elsewhere: stale: left alone when nothing was wanted; no assignment covers the account now
        unassigned, moved to ou-exam-workload: stale: left alone when no assignment covered the account; corporate is wanted now
        unassigned, moved to ou-exam-labslabs: stale: left alone when no assignment covered the account; lenient is wanted now
        unassigned, moved to ou-exam-sandbox1: stale: left alone when no assignment covered the account; nothing is wanted now
    "#]].assert_eq(&table);
}

/// A move within one assignment makes the last look stale, too: until somebody looks again, nobody knows.
#[test]
fn a_look_counts_for_its_path_alone() {
    let there = "o-exampleorgid/r-exam/ou-exam-workload/ou-exam-teamteam/";
    let record = looked(State::InSync, WORKLOAD, Some(enforcement(OWNER, 2)));
    expect!["stale: in sync in o-exampleorgid/r-exam/ou-exam-workload/, and the account stands in o-exampleorgid/r-exam/ou-exam-workload/ou-exam-teamteam/ now"].assert_eq(&text(&judged(&record, there)));
    // A record that doesn't say where the account stood says nothing of where it stands.
    let mut record = record;
    record.checked.as_mut().unwrap().path = None;
    expect!["stale: in sync then, and where the account stood wasn't recorded"]
        .assert_eq(&text(&judged(&record, WORKLOAD)));
}

#[test]
fn an_old_record_without_what_was_wanted_is_judged_by_path_revision_and_what_was_seen() {
    let without = |state, seen: Option<Enforcement>| {
        let mut record = looked(state, WORKLOAD, seen.clone());
        record.ours = seen.map(ours);
        record.checked.as_mut().unwrap().expected = None;
        record
    };
    let in_sync = without(State::InSync, Some(enforcement(OWNER, 2)));
    assert_eq!(judged(&in_sync, WORKLOAD).standing, Standing::InSync);
    assert_eq!(judged(&in_sync, SANDBOX).standing, Standing::Stale);
    // The account is about to leave since: nothing is wanted there now.
    let leaving = AccountRecord { offboarding: Some(at(9500)), ..of(&in_sync) };
    expect!["stale: nothing is wanted, and base:2 of ours was seen there last"].assert_eq(&text(&judged_in(
        &baseline(),
        &account(ACCOUNT, WORKLOAD),
        &leaving,
    )));
    // The text of a record that an earlier version wrote.
    let mut json = serde_json::to_value(&in_sync).unwrap();
    json["checked"].as_object_mut().unwrap().remove("expected");
    assert_eq!(serde_json::from_value::<Record>(json).unwrap(), in_sync);
}

#[test]
fn what_was_seen_counts_and_not_the_word_for_it() {
    let mut table = String::new();
    let seen = [
        ("nothing", None),
        ("corporate:2", Some(enforcement(OWNER, 2))),
        ("corporate:1", Some(enforcement(OWNER, 1))),
        ("somebody's own", Some(enforcement(ACCOUNT, 2))),
        (
            "corporate:2 of fewer models",
            Some(Enforcement {
                models: Models {
                    exclude: [crate::ids::ModelId::as_reported("amazon.nova-pro-v1:0")].into(),
                    ..Models::default()
                },
                ..enforcement(OWNER, 2)
            }),
        ),
    ];
    for (path, wanted) in [(WORKLOAD, "corporate"), (SANDBOX, "none")] {
        for (what, enforcement) in &seen {
            for state in State::ALL {
                for is_ours in [true, false] {
                    let mut record = looked(state, path, enforcement.clone());
                    record.ours = enforcement.clone().filter(|_| is_ours).map(ours);
                    let judged = judged(&record, path);
                    let is_met = match wanted {
                        "none" if enforcement.is_none() => {
                            !matches!(state, State::Enforced | State::Replaced)
                        }
                        "none" => !is_ours && state == State::LeftAlone,
                        _ => *what == "corporate:2" && state != State::Released,
                    };
                    assert!(is_met || !judged.standing.is_good(), "{wanted} {what} {state}: {judged:?}");
                    if state == State::InSync || state == State::Released {
                        let whose = if record.ours.is_some() { "ours, " } else { "" };
                        writeln!(table, "{wanted} wanted, {what} there, {whose}{state}: {}", text(&judged))
                            .unwrap();
                    }
                }
            }
        }
    }
    expect![[r#"
        corporate wanted, nothing there, released: unguarded: corporate is wanted, and nothing is enforced
        corporate wanted, nothing there, released: unguarded: corporate is wanted, and nothing is enforced
        corporate wanted, nothing there, in sync: unguarded: corporate is wanted, and nothing is enforced
        corporate wanted, nothing there, in sync: unguarded: corporate is wanted, and nothing is enforced
        corporate wanted, corporate:2 there, ours, released: stale: released then; corporate is wanted now
        corporate wanted, corporate:2 there, released: stale: released then; corporate is wanted now
        corporate wanted, corporate:2 there, ours, in sync: in sync: -
        corporate wanted, corporate:2 there, in sync: in sync: -
        corporate wanted, corporate:1 there, ours, released: stale: released then; corporate is wanted now
        corporate wanted, corporate:1 there, released: stale: released then; corporate is wanted now
        corporate wanted, corporate:1 there, ours, in sync: stale: corporate:2 is wanted, and base:1 was seen there last
        corporate wanted, corporate:1 there, in sync: stale: corporate:2 is wanted, and base:1 was seen there last
        corporate wanted, somebody's own there, ours, released: stale: released then; corporate is wanted now
        corporate wanted, somebody's own there, released: stale: released then; corporate is wanted now
        corporate wanted, somebody's own there, ours, in sync: stale: corporate:2 is wanted, and base:2 was seen there last
        corporate wanted, somebody's own there, in sync: stale: corporate:2 is wanted, and base:2 was seen there last
        corporate wanted, corporate:2 of fewer models there, ours, released: stale: released then; corporate is wanted now
        corporate wanted, corporate:2 of fewer models there, released: stale: released then; corporate is wanted now
        corporate wanted, corporate:2 of fewer models there, ours, in sync: stale: corporate:2 is wanted, and base:2 models ALL except amazon.nova-pro-v1:0 was seen there last
        corporate wanted, corporate:2 of fewer models there, in sync: stale: corporate:2 is wanted, and base:2 models ALL except amazon.nova-pro-v1:0 was seen there last
        none wanted, nothing there, released: released: -
        none wanted, nothing there, released: released: -
        none wanted, nothing there, in sync: in sync: -
        none wanted, nothing there, in sync: in sync: -
        none wanted, corporate:2 there, ours, released: stale: nothing is wanted, and base:2 of ours was seen there last
        none wanted, corporate:2 there, released: stale: nothing is wanted, and base:2 was seen there last
        none wanted, corporate:2 there, ours, in sync: stale: nothing is wanted, and base:2 of ours was seen there last
        none wanted, corporate:2 there, in sync: stale: nothing is wanted, and base:2 was seen there last
        none wanted, corporate:1 there, ours, released: stale: nothing is wanted, and base:1 of ours was seen there last
        none wanted, corporate:1 there, released: stale: nothing is wanted, and base:1 was seen there last
        none wanted, corporate:1 there, ours, in sync: stale: nothing is wanted, and base:1 of ours was seen there last
        none wanted, corporate:1 there, in sync: stale: nothing is wanted, and base:1 was seen there last
        none wanted, somebody's own there, ours, released: stale: nothing is wanted, and base:2 of ours was seen there last
        none wanted, somebody's own there, released: stale: nothing is wanted, and base:2 was seen there last
        none wanted, somebody's own there, ours, in sync: stale: nothing is wanted, and base:2 of ours was seen there last
        none wanted, somebody's own there, in sync: stale: nothing is wanted, and base:2 was seen there last
        none wanted, corporate:2 of fewer models there, ours, released: stale: nothing is wanted, and base:2 models ALL except amazon.nova-pro-v1:0 of ours was seen there last
        none wanted, corporate:2 of fewer models there, released: stale: nothing is wanted, and base:2 models ALL except amazon.nova-pro-v1:0 was seen there last
        none wanted, corporate:2 of fewer models there, ours, in sync: stale: nothing is wanted, and base:2 models ALL except amazon.nova-pro-v1:0 of ours was seen there last
        none wanted, corporate:2 of fewer models there, in sync: stale: nothing is wanted, and base:2 models ALL except amazon.nova-pro-v1:0 was seen there last
    "#]].assert_eq(&table);
}

#[test]
fn what_was_given_up_is_unguarded_and_never_good() {
    let mut given_up = looked(State::Released, WORKLOAD, None);
    given_up.checked.as_mut().unwrap().reason = Some("version 2 doesn't exist any more".to_owned());
    expect!["unguarded: corporate is wanted, and nothing is enforced: version 2 doesn't exist any more"]
        .assert_eq(&text(&judged(&given_up, WORKLOAD)));
    assert_eq!(judged(&looked(State::Released, SANDBOX, None), SANDBOX).standing, Standing::Released);
}

#[test]
fn nothing_is_good_that_is_unknown_old_or_of_another_baseline() {
    assert_eq!(judged(&Record::default(), WORKLOAD).standing, Standing::Unknown);
    for (look, record) in good_looks() {
        let path = record.checked.as_ref().unwrap().path.clone().unwrap().to_string();
        let with = |change: &dyn Fn(&mut Checked, &mut LastSeen)| {
            let mut record = record.clone();
            let (checked, seen) = (record.checked.as_mut().unwrap(), record.seen.as_mut().unwrap());
            change(checked, seen);
            judged(&record, &path).standing
        };
        let made_at = |second: i64| {
            with(&|checked, seen| {
                checked.at = at(second);
                seen.at = at(second);
            })
        };
        assert!(made_at(2800).is_good(), "{look}");
        assert_eq!(made_at(2799), Standing::Stale, "{look}");
        let another = with(&|checked, _| checked.revision = "fedcba9876543210".parse().unwrap());
        assert_eq!(another, Standing::Stale, "{look}");
        // A write was begun since, and nobody knows what became of it.
        let mut begun = record.clone();
        begun.intent = Some(Intent { to: None, at: at(9001), revision: baseline().revision, deed: None });
        assert_eq!(judged(&begun, &path).standing, Standing::Unknown, "{look}");
        // One that was begun before the look ended with it.
        for before in [8999, 9000] {
            begun.intent =
                Some(Intent { to: None, at: at(before), revision: baseline().revision, deed: None });
            assert!(judged(&begun, &path).standing.is_good(), "{look}");
        }
    }
    // What isn't good is told as it is, however old.
    for state in [State::Held, State::Failed, State::Broken, State::Copied] {
        let mut bad = looked(state, WORKLOAD, Some(enforcement(OWNER, 2)));
        bad.checked.as_mut().unwrap().at = at(1);
        assert_eq!(judged(&bad, SANDBOX).standing, Standing::of(state));
    }
}

#[test]
fn where_nobody_knows_what_is_wanted_nothing_is_good() {
    let (target, criteria) =
        (TARGET.parse().unwrap(), Criteria { now: at(10_000), oldest: at(0), revision: None });
    for (look, record) in good_looks() {
        let subject = Subject { target: &target, wanted: None, path: None, record: &record };
        assert_eq!(judge(subject, criteria).standing, Standing::Stale, "{look}");
    }
}

#[test]
fn a_guardrail_is_the_wanted_one_by_its_place_and_where_it_may_be_by_its_version() {
    let mut table = String::new();
    for (id, wanted) in [("300000000004", "copied"), ("300000000005", "either"), ("300000000006", "exact")] {
        let account = account(id, WORKLOAD);
        let another = Enforcement {
            guardrail: format!("arn:aws:bedrock:eu-west-1:{OWNER}:guardrail/other").parse().unwrap(),
            ..enforcement(OWNER, 5)
        };
        let elsewhere = |account: &str| Enforcement {
            guardrail: format!("arn:aws:bedrock:us-east-1:{account}:guardrail/base").parse().unwrap(),
            ..enforcement(OWNER, 5)
        };
        for (what, seen) in [
            ("the owner's, that version", enforcement(OWNER, 5)),
            ("the owner's, another version", enforcement(OWNER, 4)),
            ("another one of the owner's", another),
            ("the account's own", enforcement(id, 1)),
            ("another account's", enforcement(ACCOUNT, 5)),
            ("the owner's, of another Region", elsewhere(OWNER)),
            ("the account's own, of another Region", elsewhere(id)),
        ] {
            let mut record = looked(State::InSync, WORKLOAD, Some(seen.clone()));
            record.ours = Some(ours(seen));
            record.checked.as_mut().unwrap().expected = Some(Expected::Guardrail(wanted.parse().unwrap()));
            let standing = judged_in(&baseline(), &account, &of(&record)).standing;
            writeln!(table, "{wanted} wanted, {what}: {standing}").unwrap();
        }
    }
    expect![[r#"
        copied wanted, the owner's, that version: stale
        copied wanted, the owner's, another version: stale
        copied wanted, another one of the owner's: stale
        copied wanted, the account's own: in sync
        copied wanted, another account's: stale
        copied wanted, the owner's, of another Region: stale
        copied wanted, the account's own, of another Region: stale
        either wanted, the owner's, that version: in sync
        either wanted, the owner's, another version: stale
        either wanted, another one of the owner's: in sync
        either wanted, the account's own: in sync
        either wanted, another account's: stale
        either wanted, the owner's, of another Region: stale
        either wanted, the account's own, of another Region: stale
        exact wanted, the owner's, that version: in sync
        exact wanted, the owner's, another version: stale
        exact wanted, another one of the owner's: stale
        exact wanted, the account's own: stale
        exact wanted, another account's: stale
        exact wanted, the owner's, of another Region: stale
        exact wanted, the account's own, of another Region: stale
    "#]]
    .assert_eq(&table);
}

#[test]
fn what_was_not_read_at_the_last_look_is_not_known() {
    // The look said a word, and what it saw is older.
    let mut record = looked(State::InSync, WORKLOAD, Some(enforcement(OWNER, 2)));
    record.seen.as_mut().unwrap().at = at(8000);
    expect![
        "unknown: corporate is wanted, and what is enforced could not be read since 1970-01-01T02:13:20Z"
    ]
    .assert_eq(&text(&judged(&record, WORKLOAD)));
    record.seen.as_mut().unwrap().at = at(9001);
    assert_eq!(judged(&record, WORKLOAD).standing, Standing::InSync);
    record.seen = None;
    expect!["unknown: corporate is wanted, and no look has shown what is enforced"]
        .assert_eq(&text(&judged(&record, WORKLOAD)));
    // Where nothing is wanted, what was ours may still be there.
    let mut record = looked(State::InSync, SANDBOX, None);
    record.seen = None;
    record.ours = Some(ours(enforcement(OWNER, 2)));
    expect!["stale: nothing is wanted, and base:2 of ours may still be there"]
        .assert_eq(&text(&judged(&record, SANDBOX)));
}

#[test]
fn what_was_released_and_is_held_since_is_unguarded() {
    let mut record = looked(State::Held, WORKLOAD, None);
    assert_eq!(judged(&record, WORKLOAD).standing, Standing::Held);
    let Enforcement { guardrail, version, .. } = enforcement(OWNER, 2);
    record.released_unusable = Some(ReleasedUnusable { guardrail, version, at: at(8000) });
    assert_eq!(judged(&record, WORKLOAD).standing, Standing::Unguarded);
}

#[test]
fn a_write_that_was_begun_before_any_look_is_not_known_to_have_ended() {
    let intent = Intent { to: None, at: at(9001), revision: baseline().revision, deed: None };
    let begun = Record { intent: Some(intent), ..Record::default() };
    expect!["unknown: a write was begun at 1970-01-01T02:30:01Z, and its result isn't recorded"]
        .assert_eq(&text(&judged(&begun, WORKLOAD)));
    expect!["unknown: the record has nothing about it"]
        .assert_eq(&text(&judged(&Record::default(), WORKLOAD)));
}

#[test]
fn a_sweep_counts_every_standing_but_what_was_left_behind() {
    let counted: Vec<Standing> = Standing::of_a_sweep().collect();
    let others: Vec<Standing> =
        Standing::ALL.into_iter().filter(|standing| !counted.contains(standing)).collect();
    assert_eq!((counted.len(), others), (17, vec![Standing::LeftBehind]));
}

#[test]
fn an_excluded_account_is_left_alone() {
    let account = account("300000000003", WORKLOAD);
    let mut record = looked(State::LeftAlone, WORKLOAD, Some(enforcement(ACCOUNT, 1)));
    record.checked.as_mut().unwrap().expected = Some(Expected::Excluded);
    assert_eq!(judged_in(&baseline(), &account, &of(&record)).standing, Standing::LeftAlone);
    record.checked.as_mut().unwrap().expected = Some(Expected::Guardrail("corporate".parse().unwrap()));
    expect!["stale: left alone when corporate was wanted; the account is excluded now"]
        .assert_eq(&text(&judged_in(&baseline(), &account, &of(&record))));
}

#[test]
fn repairs_that_dont_hold_are_contested_where_it_is_ours() {
    let mut record = looked(State::Enforced, WORKLOAD, Some(enforcement(OWNER, 2)));
    record.repairs = vec![at(9000); 4];
    // What isn't ours any more is nobody's to contest.
    assert_eq!(judged(&record, WORKLOAD).standing, Standing::Enforced);
    record.ours = Some(ours(enforcement(OWNER, 2)));
    expect!["contested: enforced, after 4 repairs within an hour"]
        .assert_eq(&text(&judged(&record, WORKLOAD)));
}

#[test]
fn in_an_account_of_unknown_state_nothing_is_good() {
    for (look, record) in good_looks() {
        let path = record.checked.as_ref().unwrap().path.clone().unwrap().to_string();
        for state in [AccountState::not_told(), AccountState::Other("REINSTATING".to_owned())] {
            let account = Account { state, ..account(ACCOUNT, &path) };
            let judged = judged_in(&baseline(), &account, &of(&record));
            assert_eq!(judged.standing, Standing::Unknown, "{look}");
            if look == "in sync" && account.state != AccountState::not_told() {
                expect!["unknown: in sync, but the account is in a state that this version doesn't know (REINSTATING)"].assert_eq(&text(&judged));
            }
        }
    }
}

#[test]
fn every_standing_is_read_back_from_its_code() {
    for standing in Standing::ALL {
        assert_eq!(standing.code().parse(), Ok(standing));
        assert_eq!(standing.code().replace('_', "-").parse(), Ok(standing));
        assert_eq!(serde_json::to_value(standing).unwrap(), standing.code());
    }
    for state in State::ALL {
        assert_eq!(Standing::of(state).code(), state.code(), "one word for both");
    }
    assert!(Standing::ALL.is_sorted(), "worst first");
    assert!("splendid".parse::<Standing>().is_err());
}

#[test]
fn what_stays_in_an_account_that_leaves_is_not_good() {
    let leaving = |seen: Option<LastSeen>| {
        let checked =
            looked(State::LeftAlone, WORKLOAD, None).checked.map(|look| Checked { at: at(9000), ..look });
        let record = Record { checked, seen, ..Record::default() };
        let account = AccountRecord { offboarding: Some(at(9500)), ..AccountRecord::default() };
        let judged = Judged { standing: Standing::LeftAlone, reason: None };
        let stays = judged.clone().where_it_may_leave(&ACCOUNT.parse().unwrap(), &account, &record);
        let id = ACCOUNT.parse().unwrap();
        // What isn't good is told as it is.
        let failed = Judged { standing: Standing::Failed, reason: None };
        assert_eq!(failed.clone().where_it_may_leave(&id, &account, &record), failed);
        // Where nobody leaves, nothing changes.
        assert_eq!(judged.clone().where_it_may_leave(&id, &AccountRecord::default(), &record), judged);
        format!("{}: {}\n", stays.standing, stays.reason.unwrap_or_default())
    };
    let seen = |at, enforcement| Some(LastSeen { at, enforcement, by: None });
    let told = [
        seen(at(9000), Some(enforcement(OWNER, 1))),
        seen(at(9000), Some(enforcement("300000000099", 1))),
        seen(at(9000), Some(enforcement(ACCOUNT, 1))),
        seen(at(9000), None),
        seen(at(8000), None),
        None,
    ]
    .map(leaving);
    expect![[r#"
        held: the account is about to leave: base:1 stays enforced and uses a guardrail of account 222222222222: once this account has left, its Bedrock calls there may fail until its own administrator removes the enforcement
        held: the account is about to leave: base:1 stays enforced and uses a guardrail of account 300000000099: once this account has left, its Bedrock calls there may fail until its own administrator removes the enforcement
        left alone: 
        left alone: 
        unknown: the account is about to leave: what is enforced there could not be read: if it is another account's guardrail, the Bedrock calls there may fail once this account has left
        unknown: the account is about to leave: what is enforced there could not be read: if it is another account's guardrail, the Bedrock calls there may fail once this account has left
    "#]].assert_eq(&told.concat());
}
