//! How an account stands, and where its values come from.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::{Expect, expect};

use super::*;
use crate::failure::{Category, Failure};
use crate::ids::AccountId;

const ACCOUNT: &str = "300000000002";
const IDENTIFIER: &str = "us-east-1/c/identifier";

fn arn(version: u32) -> String {
    format!("arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:{version}")
}

/// A policy's text that assigns a version.
fn assigns(version: u32) -> String {
    foreign_text(&[&format!(r#"{IDENTIFIER}={{"@@assign":"{}"}}"#, arn(version))])
}

/// What AWS publishes, in plain values.
fn published(version: u32) -> String {
    format!(
        r#"{{"bedrock":{{"guardrail_inference":{{"us-east-1":{{"c":{{"identifier":"{}"}}}}}}}}}}"#,
        arn(version)
    )
}

fn denied(operation: &str) -> Failure {
    Failure::new(Category::Denied, operation, "AccessDeniedException: You don't have permissions.")
}

/// An account in the workload's OU, with these policies as `(name, point, text)`, in the order in which AWS lists them.
fn seen(policies: &[(&str, &str, &str)], shown: Option<&str>) -> SeenAccountPolicies {
    let account: AccountId = ACCOUNT.parse().unwrap();
    let path = format!("o-exampleorgid/{ROOT}/{WORKLOAD}/").parse().unwrap();
    let mut attached: BTreeMap<AttachPoint, Result<Vec<NamedPolicy>, Failure>> =
        AttachPoint::chain(&account, &path).map(|point| (point, Ok(Vec::new()))).collect();
    let mut contents = BTreeMap::new();
    for (name, on, text) in policies {
        let listed = attached.get_mut(&point(on)).unwrap().as_mut().unwrap();
        listed.push(NamedPolicy { id: policy_id(name), name: (*name).to_owned() });
        contents.insert(policy_id(name), Ok((*text).to_owned()));
    }
    let published = Ok(PublishedPolicy::read(shown));
    SeenAccountPolicies { account, path, published, errors: Ok(Vec::new()), attached, contents }
}

fn error() -> ReportedError {
    ReportedError {
        code: "KEY_REQUIRED".to_owned(),
        message: String::new(),
        path: String::new(),
        policies: Vec::new(),
    }
}

fn code(seen: &SeenAccountPolicies) -> &'static str {
    seen.explained().state.code()
}

/// The values, a line each.
fn shown(seen: &SeenAccountPolicies) -> String {
    let text = |value: Option<&LeafValue>| match value {
        None => "-".to_owned(),
        Some(LeafValue::Text(text)) => text.rsplit(':').next().unwrap().to_owned(),
        Some(LeafValue::List(items)) => format!("{items:?}"),
    };
    let line = |value: &ExplainedValue| {
        let from: Vec<String> = value.origin.policies().map(ToString::to_string).collect();
        let possible: Vec<String> = value.possible.iter().map(|one| text(Some(one))).collect();
        let (published, computed) = (text(value.published.as_ref()), text(value.computed.as_ref()));
        let agrees = if value.agrees() { "" } else { " DIFFERS" };
        let path = &value.path.keys()[2..].join(".");
        format!("{path}: {published} / {computed} of {possible:?} from {from:?}{agrees}\n")
    };
    seen.explained().values.iter().map(line).collect()
}

#[test]
fn what_is_published_is_compared_with_what_is_attached() {
    let (one, two) = (assigns(1), assigns(2));
    let (one, two) = (("one", ROOT, one.as_str()), ("two", ROOT, two.as_str()));
    let strange = ("strange", ROOT, r#"{"bedrock":{"guardrail_inference":[]}}"#);
    let (first, second) = (published(1), published(2));
    type Row<'a> = (Option<&'a str>, Vec<(&'a str, &'a str, &'a str)>, &'a str);
    let table: [Row<'_>; 12] = [
        (None, vec![], "not_set_up"),
        (None, vec![one], "differs"),
        (Some("{}"), vec![], "no_policy"),
        (Some("{}"), vec![("empty", ROOT, r#"{"bedrock":{}}"#)], "published"),
        (Some("{}"), vec![one], "differs"),
        (Some(&first), vec![], "differs"),
        (Some(&first), vec![one], "published"),
        (Some(&second), vec![one], "differs"),
        (Some("nonsense"), vec![one], "unreadable"),
        // Of two that contradict each other, either may have been attached first.
        (Some(&first), vec![one, two], "published"),
        (Some(&second), vec![one, two], "published"),
        (Some(&first), vec![one, strange], "not_known"),
    ];
    for (published, policies, expected) in table {
        assert_eq!(code(&seen(&policies, published)), expected, "{published:?} {policies:?}");
    }
}

#[test]
fn what_aws_calls_invalid_is_frozen_whatever_is_published() {
    let text = assigns(1);
    for published in [Some(published(1).as_str()), Some("{}"), Some("nonsense")] {
        let mut seen = seen(&[("one", ROOT, &text)], published);
        seen.errors = Ok(vec![error()]);
        assert_eq!(code(&seen), "frozen", "{published:?}");
    }
    let mut seen = seen(&[("one", ROOT, &text)], None);
    seen.errors = Ok(vec![error()]);
    seen.published = Err(denied("DescribeEffectivePolicy"));
    assert_eq!(code(&seen), "frozen", "AWS says so, whatever else can't be read");
}

#[test]
fn what_cannot_be_read_is_never_good_and_is_named_with_its_permission() {
    type Break = fn(&mut SeenAccountPolicies);
    let text = assigns(1);
    let table: [(Break, &str); 5] = [
        (|seen| seen.published = Err(denied("DescribeEffectivePolicy")), "unreadable"),
        (|seen| seen.errors = Err(denied("ListEffectivePolicyValidationErrors")), "not_known"),
        (
            |seen| drop(seen.attached.insert(point(WORKLOAD), Err(denied("ListPoliciesForTarget")))),
            "not_known",
        ),
        (|seen| drop(seen.contents.insert(policy_id("one"), Err(denied("DescribePolicy")))), "not_known"),
        (
            |seen| seen.published = Err(Failure::transient("DescribeEffectivePolicy", "it broke")),
            "unreadable",
        ),
    ];
    let mut told = String::new();
    for (breaks, expected) in table {
        let mut seen = seen(&[("one", ROOT, &text)], Some(&published(1)));
        breaks(&mut seen);
        assert_eq!(code(&seen), expected);
        assert!(!seen.explained().state.is_good());
        for UnreadPart { what, permission, why, todo } in seen.unread() {
            let permission = permission.as_deref().unwrap_or("-");
            told.push_str(&format!("{what} [{permission}]: {why}\n  {todo}\n"));
        }
    }
    check(
        &told,
        &expect![[r#"
        the effective policy of 300000000002 [organizations:DescribeEffectivePolicy]: DescribeEffectivePolicy: AccessDeniedException: You don't have permissions.
          give organizations:DescribeEffectivePolicy to these credentials; where they are not the management account's, the organization's resource policy has to allow it too (docs/deploy.md, Who deploys to members)
        whether 300000000002 is frozen [organizations:ListEffectivePolicyValidationErrors]: ListEffectivePolicyValidationErrors: AccessDeniedException: You don't have permissions.
          give organizations:ListEffectivePolicyValidationErrors to these credentials; where they are not the management account's, the organization's resource policy has to allow it too (docs/deploy.md, Who deploys to members)
        what is attached to ou-exam-workload [organizations:ListPoliciesForTarget]: ListPoliciesForTarget: AccessDeniedException: You don't have permissions.
          give organizations:ListPoliciesForTarget to these credentials; where they are not the management account's, the organization's resource policy has to allow it too (docs/deploy.md, Who deploys to members)
        the content of p-00000one ("one") [organizations:DescribePolicy]: DescribePolicy: AccessDeniedException: You don't have permissions.
          give organizations:DescribePolicy to these credentials; where they are not the management account's, the organization's resource policy has to allow it too (docs/deploy.md, Who deploys to members)
        the effective policy of 300000000002 [-]: DescribeEffectivePolicy: it broke
          run it again
    "#]],
    );
}

#[test]
fn all_that_cannot_be_read_is_named_at_once() {
    let mut seen = seen(&[("one", ROOT, "nonsense"), ("two", ROOT, "{}")], Some("nonsense"));
    seen.errors = Err(denied("ListEffectivePolicyValidationErrors"));
    seen.contents.insert(policy_id("two"), Err(denied("DescribePolicy")));
    seen.attached.insert(point(ACCOUNT), Err(denied("ListPoliciesForTarget")));
    assert_eq!(seen.unread().len(), 5);
    // What is published is shown all the same.
    seen.published = Ok(PublishedPolicy::read(Some(&published(1))));
    check(
        &shown(&seen),
        &expect![[r#"
        us-east-1.c.identifier: 1 / - of [] from [] DIFFERS
    "#]],
    );
}

#[test]
fn each_value_has_the_policy_that_it_comes_from() {
    let root = foreign_text(&[
        &format!(r#"{IDENTIFIER}={{"@@assign":"{}"}}"#, arn(1)),
        r#"us-east-1/c/model_enforcement/included_models={"@@assign":["ALL"]}"#,
        r#"us-east-1/c/model_enforcement/excluded_models={"@@assign":["a"]}"#,
    ]);
    let unit = foreign_text(&[
        &format!(r#"{IDENTIFIER}={{"@@assign":"{}"}}"#, arn(2)),
        r#"us-east-1/c/model_enforcement/excluded_models={"@@append":["b"]}"#,
    ]);
    let policies = [("root", ROOT, root.as_str()), ("unit", WORKLOAD, unit.as_str())];
    let text = format!(
        r#"{{"bedrock":{{"guardrail_inference":{{"us-east-1":{{"c":{{"identifier":"{}","model_enforcement":
           {{"included_models":["ALL"],"excluded_models":["b","a"]}}}}}},"eu-west-1":{{"x":{{"identifier":"{}"}}}}}}}}}}"#,
        arn(2),
        arn(9),
    );
    let seen = seen(&policies, Some(&text));
    assert_eq!(code(&seen), "differs");
    check(
        &shown(&seen),
        &expect![[r#"
        eu-west-1.x.identifier: 9 / - of [] from [] DIFFERS
        us-east-1.c.identifier: 2 / 2 of [] from ["p-0000unit on ou-exam-workload"]
        us-east-1.c.model_enforcement.excluded_models: {"a", "b"} / {"a", "b"} of [] from ["p-0000root on r-exam", "p-0000unit on ou-exam-workload"]
        us-east-1.c.model_enforcement.included_models: {"ALL"} / {"ALL"} of [] from ["p-0000root on r-exam"]
    "#]],
    );
}

#[test]
fn of_peers_that_say_the_same_each_is_named() {
    let (one, two) = (assigns(1), assigns(1));
    let seen =
        seen(&[("one", ROOT, &one), ("two", ROOT, &two), ("unit", WORKLOAD, "{\"bedrock\":{}}")], None);
    let seen = SeenAccountPolicies { published: Ok(PublishedPolicy::read(Some(&published(1)))), ..seen };
    let [value] = &seen.explained().values[..] else { panic!("{seen:?}") };
    let at = |name| PolicyAt { policy: policy(name), point: point(ROOT) };
    assert_eq!((value.origin.assigned.clone(), value.also.clone()), (Some(at("one")), [at("two")].into()));
}

#[test]
fn what_is_published_says_which_of_two_peers_was_attached_first() {
    let (one, two) = (assigns(1), assigns(2));
    let seen = seen(&[("one", ROOT, &one), ("two", ROOT, &two)], Some(&published(2)));
    check(
        &shown(&seen),
        &expect![[r#"
        us-east-1.c.identifier: 2 / 1 of ["1", "2"] from ["p-00000two on r-exam"]
    "#]],
    );
    let third = SeenAccountPolicies { published: Ok(PublishedPolicy::read(Some(&published(3)))), ..seen };
    assert_eq!(code(&third), "differs", "no order leads there");
}

/// AWS may publish keys in lower case, and leave out lists with nothing in them.
#[test]
fn letter_case_and_empty_lists_are_no_difference() {
    let text = foreign_text(&[
        &format!(r#"us-east-1/Main/identifier={{"@@assign":"{}"}}"#, arn(1)),
        r#"us-east-1/Main/model_enforcement/included_models={"@@assign":["ALL"]}"#,
        r#"us-east-1/Main/model_enforcement/excluded_models={"@@assign":[]}"#,
    ]);
    let published = format!(
        r#"{{"bedrock":{{"guardrail_inference":{{"us-east-1":{{"main":{{"identifier":"{}","model_enforcement":{{"included_models":["ALL"]}}}}}}}}}}}}"#,
        arn(1)
    );
    let seen = seen(&[("one", ROOT, &text)], Some(&published));
    assert_eq!(code(&seen), "published");
    check(
        &shown(&seen),
        &expect![[r#"
        us-east-1.Main.model_enforcement.excluded_models: - / {} of [] from ["p-00000one on r-exam"]
        us-east-1.main.identifier: 1 / 1 of [] from ["p-00000one on r-exam"]
        us-east-1.main.model_enforcement.included_models: {"ALL"} / {"ALL"} of [] from ["p-00000one on r-exam"]
    "#]],
    );
}

#[test]
fn what_depends_on_unknown_behaviour_is_said() {
    let text = foreign_text(&[
        &format!(r#"us-east-1/a/identifier={{"@@assign":"{}"}}"#, arn(1)),
        &format!(r#"us-east-1/b/identifier={{"@@assign":"{}"}}"#, arn(2)),
    ]);
    let seen = seen(&[("one", ROOT, &text)], Some("{}"));
    let explained = seen.explained();
    assert_eq!(explained.state.code(), "differs");
    let [Prediction::Frozen(errors)] = &explained.otherwise[..] else { panic!("{explained:?}") };
    assert_eq!(errors.len(), 1, "two configurations may be too many");
    assert!(matches!(explained.computed, Some(Prediction::Effective(_))));
}

#[test]
fn each_state_has_a_code_and_a_meaning_of_its_own() {
    let codes: BTreeSet<&str> = AccountPolicyState::ALL.iter().map(|state| state.code()).collect();
    let meanings: BTreeSet<&str> = AccountPolicyState::ALL.iter().map(|state| state.meaning()).collect();
    assert_eq!((codes.len(), meanings.len()), (AccountPolicyState::ALL.len(), AccountPolicyState::ALL.len()));
}

#[track_caller]
fn check(text: &str, expected: &Expect) {
    expected.assert_eq(text);
}
