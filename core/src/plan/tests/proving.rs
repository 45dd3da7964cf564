//! What a probe's answer admits: a guardrail that stops a harmless text would stop every call.

use super::*;
use crate::observed::ProbeAnswer;

fn blocked() -> ProbeAnswer {
    ProbeAnswer::Blocked { by: vec!["word filters"] }
}

fn one(change: Change) -> Plan {
    Plan { decisions: BTreeMap::from([(target(), Decision::Change(change))]), ..Plan::default() }
}

fn enforce(repair: bool) -> Change {
    Change::Enforce {
        target: target(),
        key: "corporate".parse().unwrap(),
        to: enforcement("base", 2),
        copied: None,
        repair,
    }
}

fn replace(from: Enforcement, copied: Option<u32>) -> Change {
    let Observation::Enforced(from) = seen(from, None, Some(MEMBER_ROLE)) else {
        unreachable!("as it is made")
    };
    let to = enforcement("base", 2);
    Change::Replace {
        target: target(),
        key: "corporate".parse().unwrap(),
        drift: crate::enforcement::Drift::between(&from.enforcement, &to).unwrap(),
        from,
        to,
        copied: copied.map(|version| GuardrailVersion::new(version).unwrap()),
        ownership: Ownership::Ours,
    }
}

fn fewer_models() -> Enforcement {
    let models = Models {
        include: Included::All,
        exclude: BTreeSet::from([ModelId::as_reported("amazon.nova-pro-v1:0")]),
    };
    Enforcement { models, ..enforcement("base", 2) }
}

#[test]
fn a_guardrail_that_stops_the_probe_is_held_unless_it_is_meant_to_or_is_in_force() {
    let mut told = String::new();
    for (case, change) in [
        ("first enforcement", enforce(false)),
        ("it was removed", enforce(true)),
        ("a new version", replace(enforcement("base", 1), None)),
        ("another guardrail", replace(enforcement("other", 2), None)),
        ("a copy in place of another", replace(enforcement("other", 2), Some(3))),
        ("the same version, other models", replace(fewer_models(), None)),
    ] {
        let proofs = BTreeMap::from([(target(), Ok(blocked()))]);
        let meant = one(change.clone()).prove(&proofs, |_| true).into_plan();
        assert_eq!(meant, one(change.clone()), "{case}: it is meant");
        assert_eq!(one(change.clone()).blocked_in_force(&proofs, |_| true), [""; 0], "{case}: it is meant");

        let warnings = one(change.clone()).blocked_in_force(&proofs, |_| false);
        let plan = one(change).prove(&proofs, |_| false).into_plan();
        let said = match &plan.decisions[&target()] {
            Decision::Held(held) => held.reason.code(),
            decision => in_words(decision),
        };
        told.push_str(&format!("{case}: {said}\n"));
        for warning in warnings {
            told.push_str(&format!("    {warning}\n"));
        }
    }
    expect![[r#"
        first enforcement: probe_blocked
        it was removed: probe_blocked
        a new version: probe_blocked
        another guardrail: probe_blocked
        a copy in place of another: probe_blocked
        the same version, other models: 300000000001/eu-west-1 corporate:2 models ALL except amazon.nova-pro-v1:0 => corporate:2 (weaker)
            300000000001/eu-west-1 enforces corporate:2, which stops even the harmless text "Hello." (by its word filters): the account's calls are stopped, and the keeper doesn't release it for that; correct the guardrail, publish a new version and put it into the baseline
    "#]].assert_eq(&told);
}

#[test]
fn the_reason_says_what_to_do() {
    let reason = |by: &str| HoldReason::ProbeBlocked { by: by.to_owned() };
    let told = format!("{}\n{}", reason("word filters, denied topics"), reason(""));
    expect![[r#"
        the guardrail stops even the harmless text "Hello." (by its word filters, denied topics), so enforcing it would stop the account's calls: correct it and publish a new version; if it is meant to, write `on_blocked_probe: enforce` in the baseline
        the guardrail stops even the harmless text "Hello.", so enforcing it would stop the account's calls: correct it and publish a new version; if it is meant to, write `on_blocked_probe: enforce` in the baseline"#]].assert_eq(&told);
    assert!(!reason("").is_worth_waiting());
}
