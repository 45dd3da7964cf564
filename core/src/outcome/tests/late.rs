//! Writes that an earlier run made and could not tell, told by the look that finds it out.

use super::*;

fn begun() -> Timestamp {
    "2026-11-02T09:00:00.25Z".parse().unwrap()
}

fn write(change: &Change, before: &Record) -> Intent {
    let records = BTreeMap::from([(here(), before.clone())]);
    let revision = "fedcba9876543210".parse().unwrap();
    let deed = deed_of(change, &records, &revision, begun());
    Intent { to: change.enforces().map(|(_, to)| to.clone()), at: begun(), revision, deed }
}

/// A report of a look that found everything in sync and this owed.
fn owed(write: Intent) -> Report {
    let enforced = write.to.clone();
    let in_sync = TargetReport::Decided(Decision::InSync(InSync { enforced, ..InSync::default() }));
    Report { owed: BTreeMap::from([(here(), vec![write])]), ..one(in_sync, None) }
}

fn outcome(change: Change, begun: Option<Timestamp>) -> TargetReport {
    TargetReport::Attempted(ChangeResult { begun, ..ChangeResult::of(change, Ok(())) })
}

/// Without what the two may differ in: why the run was made, and how long after the event.
fn same(events: &[Event]) -> Vec<(Kind, Value)> {
    let bare = |event: &Event| {
        let mut detail = event.detail.clone();
        for member in ["cause", "since_event_ms", "revision"] {
            detail.as_object_mut().unwrap().remove(member);
        }
        detail["write"].as_object_mut().unwrap().remove("late");
        (event.kind, detail)
    };
    events.iter().map(bare).collect()
}

#[test]
fn what_a_later_look_tells_is_what_the_run_that_made_it_would_have_told() {
    let unusable = || Some(Unusable::NotReady { status: "FAILED".to_owned().into() });
    let adopt =
        || Change::Adopt { target: here(), key: "corporate".parse().unwrap(), seen: seen(2, Some(ADMIN)) };
    for (change, before) in [
        (enforce(false), Record::default()),
        (enforce(true), ours(0)),
        (replace(Ownership::Foreign), Record::default()),
        (replace(Ownership::Ours), ours(1)),
        (replace(Ownership::Ours), ours(3)),
        (release(None), ours(0)),
        (release(unusable()), ours(0)),
        (adopt(), Record::default()),
    ] {
        let mut late = write(&change, &before);
        if let Change::Adopt { seen, .. } = &change {
            late.to = Some(seen.enforcement.clone());
        }
        let late = told(&owed(late));
        let at_once = told(&one(outcome(change.clone(), Some(begun())), Some(before)));
        delivered(&late);
        delivered(&at_once);
        let of_kind = |events: &[Event], kind: fn(Kind) -> bool| {
            same(&events.iter().filter(|event| kind(event.kind)).cloned().collect::<Vec<_>>())
        };
        let of_a_write = |kind| kind != Kind::Unguarded;
        assert_eq!(of_kind(&late, of_a_write), of_kind(&at_once, of_a_write), "{change}");
        let unguarded =
            |events: &[Event]| events.iter().filter(|event| event.kind == Kind::Unguarded).count();
        assert_eq!(unguarded(&late), unguarded(&at_once), "{change}");
    }
}

#[test]
fn a_write_that_is_told_late_says_so() {
    check(
        &told(&owed(write(&replace(Ownership::Ours), &ours(0)))),
        expect![[r#"
            Enforcement Repaired {
              "account": "300000000001",
              "cause": "…",
              "guardrail": "…",
              "previous": {
                "by": "arn:aws:sts::300000000001:assumed-role/Admin/alice",
                "guarding": "…",
                "guardrail": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base",
                "models": "…",
                "version": "1"
              },
              "principal": "arn:aws:sts::300000000001:assumed-role/Admin/alice",
              "reason": {
                "code": "changed.weaker",
                "text": "300000000001/eu-west-1 corporate:1 => corporate:2 (weaker)"
              },
              "region": "eu-west-1",
              "repairs_within_the_hour": 1,
              "revision": "fedcba9876543210",
              "version": 1,
              "write": {
                "begun": "2026-11-02T09:00:00.25Z",
                "id": "300000000001/eu-west-1/1793610000250000",
                "late": true
              }
            }
        "#]],
    );
}

#[test]
fn a_write_is_told_once_of_one_run() {
    // A later round of the same run finds what an earlier one recorded.
    let made = outcome(enforce(false), Some(begun()));
    let mut report = one(made, None);
    report.owed.insert(here(), vec![write(&enforce(false), &Record::default())]);
    assert_eq!(names(&told(&report)), ["Enforcement Applied absent"]);
    assert_eq!(report.told().collect::<Vec<_>>(), [(&here(), begun())]);

    // Two writes of one target.
    let later = "2026-11-02T09:59:59Z".parse().unwrap();
    report.targets.insert(here(), outcome(release(None), Some(later)));
    assert_eq!(names(&told(&report)), ["Enforcement Released not_wanted", "Enforcement Applied absent"]);
    assert_eq!(report.told().map(|(_, at)| at).collect::<Vec<_>>(), [later, begun()]);
}

#[test]
fn rounds_of_one_run_owe_a_write_once() {
    let mut report = owed(write(&enforce(false), &Record::default()));
    report.absorb(owed(write(&enforce(false), &Record::default())));
    assert_eq!(names(&told(&report)), ["Enforcement Applied absent"]);
}

#[test]
fn an_intent_of_an_earlier_version_is_not_told() {
    let write = Intent { deed: None, ..write(&enforce(false), &Record::default()) };
    assert_eq!(told(&owed(write)), []);
}
