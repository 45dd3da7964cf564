//! Every kind of decision once: as a line, for programs, and in the counts.

use super::*;
use crate::copy::{CopyStep, Enforced, Leftover, Published};
use crate::enforcement::{Drift, ReadsBack};
use crate::organization::{AccountState, Unplaced};
use crate::resolved::CopyWork;
use crate::resource_policy::{Document, Ensure, Grant, Resource, ensure};

fn at(number: u32) -> Target {
    format!("3000000000{number:02}/eu-west-1").parse().unwrap()
}

fn corporate() -> GuardrailKey {
    "corporate".parse().unwrap()
}

fn there(guardrail: &str, version: u32) -> Seen {
    match seen(enforcement(guardrail, version), None, Some(ADMIN)) {
        Observation::Enforced(seen) => seen,
        _ => unreachable!("as it is made"),
    }
}

fn enforce(number: u32) -> Change {
    let to = enforcement("base", 2);
    Change::Enforce { target: at(number), key: corporate(), to, copied: None, repair: false }
}

fn replace(number: u32, ownership: Ownership, copied: Option<u32>) -> Change {
    Change::Replace {
        target: at(number),
        key: corporate(),
        from: there("base", 1),
        to: enforcement("base", 2),
        copied: copied.map(|version| GuardrailVersion::new(version).unwrap()),
        drift: Drift::Weaker,
        ownership,
    }
}

fn adopt(number: u32) -> Change {
    Change::Adopt { target: at(number), key: corporate(), seen: there("base", 2) }
}

fn release(number: u32, broken: Option<Unusable>) -> Change {
    Change::Release { target: at(number), from: there("base", 2), broken, adopted: false }
}

fn copy(number: u32, step: CopyStep, enforced: Enforced, from: Option<Enforcement>) -> Change {
    let Enforcement { guardrail, version, .. } = enforcement("base", 2);
    let work = CopyWork { original: Published { guardrail, version }, step };
    Change::EnsureCopy { target: at(number), key: corporate(), work, enforced, from }
}

fn publish() -> CopyStep {
    CopyStep::Publish(enforcement("copied", 1).guardrail)
}

fn own() -> Enforced {
    let Enforcement { guardrail, version, .. } = enforcement("copied", 1);
    Enforced::Own(Published { guardrail, version })
}

fn gone() -> Unusable {
    Unusable::NotReady { status: "FAILED".to_owned().into() }
}

fn granted_soon(guardrail: &str) -> Unusable {
    Unusable::NotGranted {
        resource: Box::new(grant(guardrail).resource),
        why: "it has no resource policy".to_owned(),
        being_mended: true,
        certain: true,
    }
}

fn held(reason: HoldReason, would: Option<Change>) -> Decision {
    Decision::Held(Held { reason, would })
}

fn waiting(guardrail: &str, would: Change) -> Decision {
    held(HoldReason::Unusable { unusable: granted_soon(guardrail) }, Some(would))
}

fn broken(stays: Option<HoldReason>) -> Decision {
    Decision::Broken(Broken { seen: there("base", 2), unusable: gone(), stays })
}

fn in_sync(kept: Option<Kept>, reads_back: Option<ReadsBack>) -> InSync {
    let enforced = Some(enforcement("base", 2));
    InSync { enforced, kept, reads_back: reads_back.map(Box::new), ..InSync::default() }
}

fn kept(would_adopt: bool) -> Option<Kept> {
    Some(Kept { seen: there("base", 2), would_adopt })
}

fn reads_back() -> Option<ReadsBack> {
    let exclude = BTreeSet::from([ModelId::as_reported("amazon.nova-pro-v1:0")]);
    let shown = Enforcement { models: Models { include: Included::All, exclude }, ..enforcement("base", 2) };
    ReadsBack::of(&enforcement("base", 2), &shown)
}

fn tidy(number: u32, leftover: Leftover) -> Decision {
    Decision::CleanUp(CleanUp { target: at(number), leftover, stands: in_sync(None, None) })
}

fn grant(guardrail: &str) -> Grant {
    Grant {
        resource: Resource::Guardrail(enforcement(guardrail, 1).guardrail),
        organization: "o-exampleorgid".parse().unwrap(),
    }
}

fn decided(guardrail: &str, action: GrantAction) -> (Resource, GrantDecision) {
    let grant = grant(guardrail);
    let instead = Document::granting(&grant);
    (grant.resource, GrantDecision { action, openings: Vec::new(), instead })
}

fn changed(
    guardrail: &str,
    purpose: GrantPurpose,
    from: Option<Document>,
    to: Option<Document>,
) -> (Resource, GrantDecision) {
    let change = GrantChange { grant: grant(guardrail), purpose, from, to };
    decided(guardrail, GrantAction::Change(change))
}

/// Somebody else's policy of a guardrail, and that with the organization's grant added.
fn theirs_and_both(guardrail: &str) -> (Option<Document>, Option<Document>) {
    let theirs: Document = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::222222222222:root"}},"Action":"bedrock:ApplyGuardrail","Resource":"{}"}}]}}"#,
        enforcement(guardrail, 1).guardrail
    )
    .parse()
    .unwrap();
    let Ensure::Put(both) = ensure(Some(&theirs), &grant(guardrail)) else { panic!("it isn't granted yet") };
    (Some(theirs), Some(both))
}

/// A policy that lets everybody in, and the organization with them.
fn open_policy(guardrail: &str) -> Document {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":"*","Action":["bedrock:ApplyGuardrail","bedrock:GetGuardrail"],"Resource":"{}"}}]}}"#,
        enforcement(guardrail, 1).guardrail
    )
    .parse()
    .unwrap()
}

fn grants() -> BTreeMap<Resource, GrantDecision> {
    let (theirs, both) = theirs_and_both("added");
    let (left, whole) = theirs_and_both("narrowed");
    let ours = Document::granting(&grant("deleted"));
    let open = crate::observed::ResourcePolicySeen::Attached(open_policy("open"));
    BTreeMap::from([
        changed("attached", GrantPurpose::Grant, None, Some(Document::granting(&grant("attached")))),
        changed("added", GrantPurpose::Grant, theirs, both),
        changed("narrowed", GrantPurpose::Withdraw, whole, left),
        changed("deleted", GrantPurpose::Withdraw, Some(ours), None),
        decided("refused", GrantAction::Held(HoldReason::ResourcePolicy { why: "it denies all".to_owned() })),
        decided("granted", GrantAction::Granted),
        (grant("open").resource, decide_grant(&open, &grant("open"))),
    ])
}

fn decisions() -> Vec<Decision> {
    let by = Some(ADMIN.to_owned());
    let left_alone = |reason, seen| Decision::LeftAlone(LeftAlone { reason, seen, would_abandon: false });
    let old = || Some(enforcement("copied", 1));
    let versions = vec![Published {
        guardrail: enforcement("copied", 1).guardrail,
        version: enforcement("copied", 1).version,
    }];
    vec![
        Decision::Change(enforce(0)),
        Decision::Change(replace(1, Ownership::Ours, None)),
        Decision::Change(replace(2, Ownership::Foreign, Some(5))),
        Decision::Change(adopt(3)),
        Decision::Change(release(4, None)),
        Decision::Change(release(5, Some(gone()))),
        Decision::Change(copy(6, CopyStep::Create, Enforced::Nothing, None)),
        Decision::Change(copy(7, publish(), own(), old())),
        tidy(8, Leftover::Versions(versions)),
        tidy(9, Leftover::Unproven(enforcement("copied", 1).guardrail, crate::copy::LeftoverDoubt::NoMark)),
        held(HoldReason::NotOurs { by }, Some(replace(10, Ownership::Foreign, None))),
        held(HoldReason::Unreadable { failure: denied() }, None),
        waiting("attached", enforce(12)),
        waiting("refused", replace(13, Ownership::Ours, None)),
        broken(None),
        broken(None),
        broken(Some(HoldReason::NotConfirmed)),
        Decision::InSync(in_sync(None, None)),
        Decision::InSync(in_sync(kept(false), None)),
        Decision::InSync(in_sync(kept(true), None)),
        Decision::InSync(in_sync(None, reads_back())),
        left_alone(LeaveReason::Foreign, Observation::Enforced(there("other", 7))),
        left_alone(LeaveReason::Excluded, Observation::Absent),
        held(HoldReason::NotProven, Some(copy(23, publish(), own(), old()))),
        Decision::Change(copy(24, publish(), Enforced::OfAnother, Some(enforcement("other", 7)))),
        waiting("attached", release(25, None)),
        Decision::LeftAlone(LeftAlone {
            reason: LeaveReason::Excluded,
            seen: Observation::Enforced(there("base", 2)),
            would_abandon: true,
        }),
        Decision::LeftAlone(LeftAlone {
            reason: LeaveReason::Unassigned,
            seen: Observation::Absent,
            would_abandon: true,
        }),
    ]
}

fn every_kind() -> Plan {
    let account = |number| at(number).account;
    let handed_back = HandedBack { adopted: enforcement("base", 1), seen: there("base", 2) };
    Plan {
        grants: grants(),
        decisions: decisions()
            .into_iter()
            .zip(0..)
            .map(|(decision, number)| (at(number), decision))
            .collect(),
        handed_back: BTreeMap::from([(at(18), handed_back)]),
        skipped: [(account(91), AccountState::Suspended), (account(92), AccountState::Suspended)].into(),
        unknown_states: [(account(93), AccountState::Other("HIBERNATING".to_owned()))].into(),
        unplaced: Unplaced::from([
            (account(94).to_string(), denied()),
            ("no id at all".to_owned(), denied()),
        ]),
    }
}

/// What programs get of each decision, in a line.
fn for_programs(plan: &Plan) -> String {
    let json = plan.to_json();
    let mut table = String::new();
    for decision in json["decisions"].as_array().unwrap() {
        let word = |name: &str| match &decision[name] {
            serde_json::Value::Null => "-".to_owned(),
            other => other.as_str().unwrap().to_owned(),
        };
        let side = |name: &str| decision[name]["version"].as_str().unwrap_or("-").to_owned();
        table += &format!("{} {}", &word("account")[10..], word("decision"));
        for name in ["code", "wanted", "would", "then", "after"] {
            if !decision[name].is_null() {
                table += &format!(", {name} {}", word(name));
            }
        }
        table += &format!(", {} => {}\n", side("from"), side("to"));
        if !decision["reason"].is_null() {
            table += &format!("    {}\n", word("reason"));
        }
    }
    table
}

#[test]
fn every_kind_of_decision_is_printed() {
    expect![[r#"
        ! 300000000093 is in a state that this version doesn't know (HIBERNATING): it is guarded as usual, and nothing is taken away there
        ! 300000000094 is not looked at, because its path could not be read: AssumeRole: AccessDenied: not authorized (denied)
        ! no id at all is not looked at, because it can't be identified: AssumeRole: AccessDenied: not authorized (denied)
        ~ arn:aws:bedrock:eu-west-1:222222222222:guardrail/added add o-exampleorgid to its resource policy
        + arn:aws:bedrock:eu-west-1:222222222222:guardrail/attached attach a resource policy that grants it to o-exampleorgid
        - arn:aws:bedrock:eu-west-1:222222222222:guardrail/deleted delete its resource policy
        - arn:aws:bedrock:eu-west-1:222222222222:guardrail/narrowed take o-exampleorgid out of its resource policy
        ! arn:aws:bedrock:eu-west-1:222222222222:guardrail/open is open: statement 1 opens the guardrail to every AWS account: Principal admits all, and no condition names the organization; add StringEquals aws:PrincipalOrgID
        ! arn:aws:bedrock:eu-west-1:222222222222:guardrail/refused held: its resource policy is left as it is: it denies all
        = 300000000018/eu-west-1 hand back base:1 (adopted earlier, made by arn:aws:sts::300000000001:assumed-role/Admin/alice: `existing: keep`)
        + 300000000000/eu-west-1 enforce corporate:2
        ~ 300000000001/eu-west-1 corporate:1 => corporate:2 (weaker)
        ~ 300000000002/eu-west-1 base:1 => corporate:5 by the account's copy base:2 (weaker, not ours: arn:aws:sts::300000000001:assumed-role/Admin/alice)
        = 300000000003/eu-west-1 adopt corporate:2 (made by arn:aws:sts::300000000001:assumed-role/Admin/alice)
        - 300000000004/eu-west-1 release base:2
        - 300000000005/eu-west-1 release base:2 (broken: the guardrail is FAILED, not READY)
        + 300000000006/eu-west-1 copy corporate:2 (create the copy), then enforce it
        ~ 300000000007/eu-west-1 copy corporate:2 (publish copied), then replace copied:1 by it
        - 300000000008/eu-west-1 delete old versions of the copy copied: 1
        ! 300000000009/eu-west-1 leave the guardrail copied, which the keeper enforced once: it may not be the keeper's copy (neither its tag nor its descriptions say so); delete it by hand if it isn't in use
        ! 300000000010/eu-west-1 held, would replace corporate:1 => corporate:2 (weaker, not ours: arn:aws:sts::300000000001:assumed-role/Admin/alice): another configuration is enforced there, made by arn:aws:sts::300000000001:assumed-role/Admin/alice: to replace it, write `existing: replace`
        ! 300000000011/eu-west-1 held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
        + 300000000012/eu-west-1 enforce corporate:2, after the grant
        ! 300000000013/eu-west-1 held, would replace corporate:1 => corporate:2 (weaker): arn:aws:bedrock:eu-west-1:222222222222:guardrail/refused isn't granted to the organization yet: it has no resource policy
        x 300000000014/eu-west-1, 300000000015/eu-west-1 broken: base:2 is enforced, but the guardrail is FAILED, not READY
        x 300000000016/eu-west-1 broken: base:2 is enforced, but the guardrail is FAILED, not READY; `on_unusable: release` releases it once a second look, minutes after the first, confirms it and the targets to release are counted
        = 300000000019/eu-west-1 in sync: made by arn:aws:sts::300000000001:assumed-role/Admin/alice; mode audit doesn't adopt it
        ! 300000000023/eu-west-1 held, would copy corporate:2 (publish copied), then replace copied:1 by it: no probe has shown that the account can apply the guardrail
        ~ 300000000024/eu-west-1 copy corporate:2 (publish copied), then replace other:7 by it
        - 300000000025/eu-west-1 release base:2, after the grant
        ? 300000000026/eu-west-1 would abandon base:2: the account is excluded
        ? 300000000027/eu-west-1 would abandon what was ours: no assignment covers the account
        20 to change (5 of them after a grant or a copy), 5 held, 4 in sync, 3 broken, 1 handed back, 4 left alone, 2 accounts skipped"#]].assert_eq(&every_kind().to_string());
}

#[test]
fn under_audit_a_plan_prints_what_another_mode_would_do() {
    expect![[r#"
        ! 300000000093 is in a state that this version doesn't know (HIBERNATING): it is guarded as usual, and nothing is taken away there
        ! 300000000094 is not looked at, because its path could not be read: AssumeRole: AccessDenied: not authorized (denied)
        ! no id at all is not looked at, because it can't be identified: AssumeRole: AccessDenied: not authorized (denied)
        ! arn:aws:bedrock:eu-west-1:222222222222:guardrail/added held: mode audit doesn't write this
        ! arn:aws:bedrock:eu-west-1:222222222222:guardrail/attached held: mode audit doesn't write this
        ! arn:aws:bedrock:eu-west-1:222222222222:guardrail/deleted held: mode audit doesn't write this
        ! arn:aws:bedrock:eu-west-1:222222222222:guardrail/narrowed held: mode audit doesn't write this
        ! arn:aws:bedrock:eu-west-1:222222222222:guardrail/open is open: statement 1 opens the guardrail to every AWS account: Principal admits all, and no condition names the organization; add StringEquals aws:PrincipalOrgID
        ! arn:aws:bedrock:eu-west-1:222222222222:guardrail/refused held: its resource policy is left as it is: it denies all
        = 300000000018/eu-west-1 hand back base:1 (adopted earlier, made by arn:aws:sts::300000000001:assumed-role/Admin/alice: `existing: keep`)
        ? 300000000000/eu-west-1 would enforce corporate:2
        ? 300000000001/eu-west-1 would replace corporate:1 => corporate:2 (weaker)
        ? 300000000002/eu-west-1 would replace base:1 => corporate:5 by the account's copy base:2 (weaker, not ours: arn:aws:sts::300000000001:assumed-role/Admin/alice)
        = 300000000003/eu-west-1 in sync: made by arn:aws:sts::300000000001:assumed-role/Admin/alice; mode audit doesn't adopt it
        ? 300000000004/eu-west-1 would release base:2
        x 300000000005/eu-west-1, 300000000016/eu-west-1 broken: base:2 is enforced, but the guardrail is FAILED, not READY; mode audit doesn't write this
        ? 300000000006/eu-west-1 would copy corporate:2 (create the copy), then enforce it
        ? 300000000007/eu-west-1 would copy corporate:2 (publish copied), then replace copied:1 by it
        ! 300000000010/eu-west-1 held, would replace corporate:1 => corporate:2 (weaker, not ours: arn:aws:sts::300000000001:assumed-role/Admin/alice): another configuration is enforced there, made by arn:aws:sts::300000000001:assumed-role/Admin/alice: to replace it, write `existing: replace`
        ! 300000000011/eu-west-1 held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
        ? 300000000012/eu-west-1 would enforce corporate:2
        ? 300000000013/eu-west-1 would replace corporate:1 => corporate:2 (weaker)
        x 300000000014/eu-west-1, 300000000015/eu-west-1 broken: base:2 is enforced, but the guardrail is FAILED, not READY
        = 300000000019/eu-west-1 in sync: made by arn:aws:sts::300000000001:assumed-role/Admin/alice; mode audit doesn't adopt it
        ! 300000000023/eu-west-1 held, would copy corporate:2 (publish copied), then replace copied:1 by it: no probe has shown that the account can apply the guardrail
        ? 300000000024/eu-west-1 would copy corporate:2 (publish copied), then replace other:7 by it
        ? 300000000025/eu-west-1 would release base:2
        ? 300000000026/eu-west-1 would abandon base:2: the account is excluded
        ? 300000000027/eu-west-1 would abandon what was ours: no assignment covers the account
        0 to change, 8 held, 7 in sync, 10 would change, 4 broken, 1 handed back, 4 left alone, 2 accounts skipped"#]].assert_eq(&every_kind().restrict(Mode::Audit).to_string());
}

#[test]
fn programs_are_told_every_kind_of_decision() {
    expect![[r#"
        00 enforce, wanted corporate:2, - => 2
        01 replace, wanted corporate:2, 1 => 2
        02 replace, wanted corporate:5, 1 => 2
        03 adopt, 2 => 2
        04 release, 2 => -
        05 release, 2 => -
        06 ensure-copy, wanted corporate:2, then enforce, - => -
        07 ensure-copy, wanted corporate:2, then replace, 1 => -
        08 tidy, 2 => 2
        09 tidy, 2 => 2
        10 hold, code not_ours, wanted corporate:2, would replace, 1 => 2
            another configuration is enforced there, made by arn:aws:sts::300000000001:assumed-role/Admin/alice: to replace it, write `existing: replace`
        11 hold, code unreadable.denied, - => -
            could not be read: AssumeRole: AccessDenied: not authorized (denied)
        12 enforce, code not_granted, wanted corporate:2, after arn:aws:bedrock:eu-west-1:222222222222:guardrail/attached, - => 2
        13 hold, code not_granted, wanted corporate:2, 1 => 2
            arn:aws:bedrock:eu-west-1:222222222222:guardrail/refused isn't granted to the organization yet: it has no resource policy
        14 broken, code not_ready, 2 => -
            the guardrail is FAILED, not READY
        15 broken, code not_ready, 2 => -
            the guardrail is FAILED, not READY
        16 broken, code not_ready, 2 => -
            the guardrail is FAILED, not READY; `on_unusable: release` releases it once a second look, minutes after the first, confirms it and the targets to release are counted
        18 in-sync, 2 => 2
            made by arn:aws:sts::300000000001:assumed-role/Admin/alice, kept
        19 in-sync, 2 => 2
            made by arn:aws:sts::300000000001:assumed-role/Admin/alice; mode audit doesn't adopt it
        20 in-sync, code reads_back_different, 2 => 2
            reads back different: models ALL were written, AWS shows models ALL except amazon.nova-pro-v1:0; not written again for that
        21 leave-alone, code foreign, 7 => -
            nothing is wanted here, and what is there isn't ours
        22 leave-alone, code excluded, - => -
            the account is excluded
        23 hold, code not_proven, wanted corporate:2, would ensure-copy, 1 => -
            no probe has shown that the account can apply the guardrail
        24 ensure-copy, wanted corporate:2, then replace, 7 => -
        25 release, code not_granted, after arn:aws:bedrock:eu-west-1:222222222222:guardrail/attached, 2 => -
        26 would-abandon, code excluded, 2 => -
            the account is excluded
        27 would-abandon, code unassigned, - => -
            no assignment covers the account
    "#]].assert_eq(&for_programs(&every_kind()));
    expect![[r#"
        00 would-enforce, code mode, wanted corporate:2, would enforce, - => 2
            mode audit doesn't write this
        01 would-replace, code mode, wanted corporate:2, would replace, 1 => 2
            mode audit doesn't write this
        02 would-replace, code mode, wanted corporate:5, would replace, 1 => 2
            mode audit doesn't write this
        03 in-sync, 2 => 2
            made by arn:aws:sts::300000000001:assumed-role/Admin/alice; mode audit doesn't adopt it
        04 would-release, code mode, would release, 2 => -
            mode audit doesn't write this
        05 broken, code not_ready, 2 => -
            the guardrail is FAILED, not READY; mode audit doesn't write this
        06 would-enforce, code mode, wanted corporate:2, would ensure-copy, - => -
            mode audit doesn't write this
        07 would-replace, code mode, wanted corporate:2, would ensure-copy, 1 => -
            mode audit doesn't write this
        10 hold, code not_ours, wanted corporate:2, would replace, 1 => 2
            another configuration is enforced there, made by arn:aws:sts::300000000001:assumed-role/Admin/alice: to replace it, write `existing: replace`
        11 hold, code unreadable.denied, - => -
            could not be read: AssumeRole: AccessDenied: not authorized (denied)
        12 would-enforce, code mode, wanted corporate:2, would enforce, - => 2
            mode audit doesn't write this
        13 would-replace, code mode, wanted corporate:2, would replace, 1 => 2
            mode audit doesn't write this
        14 broken, code not_ready, 2 => -
            the guardrail is FAILED, not READY
        15 broken, code not_ready, 2 => -
            the guardrail is FAILED, not READY
        16 broken, code not_ready, 2 => -
            the guardrail is FAILED, not READY; mode audit doesn't write this
        18 in-sync, 2 => 2
            made by arn:aws:sts::300000000001:assumed-role/Admin/alice, kept
        19 in-sync, 2 => 2
            made by arn:aws:sts::300000000001:assumed-role/Admin/alice; mode audit doesn't adopt it
        20 in-sync, code reads_back_different, 2 => 2
            reads back different: models ALL were written, AWS shows models ALL except amazon.nova-pro-v1:0; not written again for that
        21 leave-alone, code foreign, 7 => -
            nothing is wanted here, and what is there isn't ours
        22 leave-alone, code excluded, - => -
            the account is excluded
        23 hold, code not_proven, wanted corporate:2, would ensure-copy, 1 => -
            no probe has shown that the account can apply the guardrail
        24 would-replace, code mode, wanted corporate:2, would ensure-copy, 7 => -
            mode audit doesn't write this
        25 would-release, code mode, would release, 2 => -
            mode audit doesn't write this
        26 would-abandon, code excluded, 2 => -
            the account is excluded
        27 would-abandon, code unassigned, - => -
            no assignment covers the account
    "#]].assert_eq(&for_programs(&every_kind().restrict(Mode::Audit)));
}

#[test]
fn programs_are_told_what_a_plan_says_besides_its_decisions() {
    let mut json = every_kind().to_json();
    let members = json.as_object_mut().unwrap();
    members.remove("decisions");
    members.remove("hash");
    expect![[r#"
        {
          "counts": {
            "broken": 3,
            "following": 5,
            "handed_back": 1,
            "held": 5,
            "in_sync": 4,
            "left_alone": 4,
            "skipped": 2,
            "to_change": 20,
            "would_change": 0
          },
          "for_approval": {},
          "handed_back": [
            {
              "account": "300000000018",
              "adopted": {
                "guarding": {
                  "messages": "comprehensive",
                  "system": "comprehensive"
                },
                "guardrail": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base",
                "models": {
                  "exclude": [],
                  "include": "all"
                },
                "version": "1"
              },
              "by": "arn:aws:sts::300000000001:assumed-role/Admin/alice",
              "present": {
                "guarding": {
                  "messages": "comprehensive",
                  "system": "comprehensive"
                },
                "guardrail": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base",
                "models": {
                  "exclude": [],
                  "include": "all"
                },
                "version": "2"
              },
              "region": "eu-west-1"
            }
          ],
          "policies": [
            {
              "code": null,
              "decision": "put-resource-policy",
              "instead": null,
              "openings": [],
              "reason": null,
              "resource": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/added"
            },
            {
              "code": null,
              "decision": "put-resource-policy",
              "instead": null,
              "openings": [],
              "reason": null,
              "resource": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/attached"
            },
            {
              "code": null,
              "decision": "delete-resource-policy",
              "instead": null,
              "openings": [],
              "reason": null,
              "resource": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/deleted"
            },
            {
              "code": null,
              "decision": "granted",
              "instead": null,
              "openings": [],
              "reason": null,
              "resource": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/granted"
            },
            {
              "code": null,
              "decision": "put-resource-policy",
              "instead": null,
              "openings": [],
              "reason": null,
              "resource": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/narrowed"
            },
            {
              "code": null,
              "decision": "granted",
              "instead": "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":[\"bedrock:GetGuardrail\",\"bedrock:ApplyGuardrail\"],\"Resource\":\"arn:aws:bedrock:eu-west-1:222222222222:guardrail/open\",\"Condition\":{\"StringEquals\":{\"aws:PrincipalOrgID\":\"o-exampleorgid\"}}}]}",
              "openings": [
                "statement 1 opens the guardrail to every AWS account: Principal admits all, and no condition names the organization; add StringEquals aws:PrincipalOrgID"
              ],
              "reason": null,
              "resource": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/open"
            },
            {
              "code": "policy",
              "decision": "hold",
              "instead": "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":[\"bedrock:GetGuardrail\",\"bedrock:ApplyGuardrail\"],\"Resource\":\"arn:aws:bedrock:eu-west-1:222222222222:guardrail/refused\",\"Condition\":{\"StringEquals\":{\"aws:PrincipalOrgID\":\"o-exampleorgid\"}}}]}",
              "openings": [],
              "reason": "its resource policy is left as it is: it denies all",
              "resource": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/refused"
            }
          ],
          "skipped": {
            "300000000091": "suspended",
            "300000000092": "suspended"
          },
          "unknown_states": {
            "300000000093": {
              "other": "HIBERNATING"
            }
          },
          "unplaced": {
            "300000000094": "AssumeRole: AccessDenied: not authorized (denied)",
            "no id at all": "AssumeRole: AccessDenied: not authorized (denied)"
          }
        }"#]].assert_eq(&format!("{json:#}"));
}

#[test]
fn every_change_is_a_write_and_what_follows_is_none_yet() {
    let plan = every_kind();
    assert_eq!((plan.grant_changes().count(), plan.changes().count(), plan.clean_ups().count()), (4, 9, 2));
    assert_eq!(plan.writes(), 15);
    assert_eq!(Plan { grants: grants(), ..Plan::default() }.writes(), 4);
    assert_eq!(Plan { grants: BTreeMap::new(), ..plan }.writes(), 11);
}

#[test]
fn a_line_knows_the_accounts_that_it_is_about() {
    let of = |line: &PlanLine| {
        line.accounts().map(|account| account.as_str()[10..].to_owned()).collect::<Vec<_>>()
    };
    let accounts: Vec<String> = every_kind().lines().iter().map(|line| of(line).join("+")).collect();
    expect!["93         18 00 01 02 03 04 05 06 07 08 09 10 11 12 13 14+15 16 19 23 24 25 26 27"]
        .assert_eq(&accounts.join(" "));
}

#[test]
fn a_line_has_the_code_of_what_is_held_or_broken_as_a_part_of_its_own() {
    let code = |line: &PlanLine| {
        line.parts.iter().find_map(|part| match part {
            Part::Code(code) => Some(code.clone()),
            Part::Text(_) | Part::Target(_) | Part::Account(_) => None,
        })
    };
    let codes: Vec<String> = every_kind().lines().iter().filter_map(code).collect();
    expect!["policy not_ours unreadable.denied not_granted not_ready not_ready not_proven"]
        .assert_eq(&codes.join(" "));
}

#[test]
fn a_copy_that_was_made_is_still_to_be_enforced_and_other_changes_read_as_planned() {
    let made = copy(6, CopyStep::Create, Enforced::Nothing, None).line_once_done().to_string();
    expect!["+ 300000000006/eu-west-1 copy corporate:2: create the copy"].assert_eq(&made);
    for change in [enforce(0), replace(1, Ownership::Ours, None), adopt(3), release(4, None)] {
        assert_eq!(change.line_once_done(), change.line());
    }
}

#[test]
fn what_a_plan_grants_is_each_policy_that_it_writes() {
    let [attached, added, narrowed] = ["attached", "added", "narrowed"].map(|name| {
        let (theirs, both) = theirs_and_both(name);
        let document = match name {
            "attached" => Some(Document::granting(&grant(name))),
            "added" => both,
            _ => theirs,
        };
        (grant(name).resource, document.unwrap())
    });
    assert_eq!(every_kind().granted(), BTreeMap::from([attached, added, narrowed]));
}

#[test]
fn only_what_was_given_up_leaves_an_account_unguarded() {
    let unguarded = |reason| Held { reason, would: None }.leaves_unguarded();
    assert!(unguarded(HoldReason::Unguarded { unusable: gone() }));
    assert!(!unguarded(HoldReason::Unusable { unusable: gone() }));
}

#[test]
fn only_a_replacement_of_somebody_elses_or_a_release_of_what_was_adopted_overwrites_it() {
    let adopted = Change::Release { target: at(4), from: there("base", 2), broken: None, adopted: true };
    for (change, overwritten) in [
        (replace(1, Ownership::Foreign, None), Some(there("base", 1))),
        (adopted, Some(there("base", 2))),
        (replace(1, Ownership::Ours, None), None),
        (release(4, None), None),
        (enforce(0), None),
        (adopt(3), None),
        (copy(7, publish(), own(), Some(enforcement("copied", 1))), None),
    ] {
        assert_eq!(change.overwrites_foreign(), overwritten.as_ref(), "{change}");
    }
}

#[test]
fn what_was_seen_reads_as_an_enforcement_as_nothing_or_as_why_it_was_not_read() {
    let seen = Observation::Enforced(there("base", 2));
    let told = [seen, Observation::Absent, Observation::Unreadable(denied())].map(|seen| seen.to_string());
    expect![[r#"
        base:2
        nothing enforced
        could not be read: AssumeRole: AccessDenied: not authorized (denied)"#]]
    .assert_eq(&told.join("\n"));
}
