//! What the roles' permissions are narrowed to by conditions: this function, copies, and Bedrock's use of keys.
//! Each is tried by somebody who got hold of a role's session, and each is an attack that ends.

use serde_json::Value;

use crate::granted::{FUNCTION, GUARDRAIL_KEY, KEY, OF_FUNCTION, Shape, TAG, permissions, requests};
use crate::policy::{Caller, Request, Verdict, verdict};

const HUB: &str = "222222222222";
const OTHER_FUNCTION: &str = "arn:aws:lambda:us-east-1:222222222222:function:another";

fn asks(action: &str, resource: &str) -> Request {
    Request {
        caller: Caller::Principal(format!("arn:aws:iam::{HUB}:role/GuardrailKeeper")),
        action: action.to_owned(),
        resource: resource.to_owned(),
        context: std::collections::BTreeMap::new(),
    }
}

fn without(mut request: Request, key: &str) -> Request {
    request.context.remove(&key.to_ascii_lowercase());
    request
}

/// `iam:PassRole` for the function's role and a function of one's own; or keys that were taken out of somewhere.
#[test]
fn the_functions_role_is_of_no_use_to_anything_but_the_function() {
    let mut tried = 0;
    for (role, shape, request) in requests() {
        if role != "function" {
            continue;
        }
        let statements = permissions(&role, shape);
        assert_eq!(verdict(&statements, &request), Verdict::Allowed, "{request:?}");
        let by_another = without(request.clone(), OF_FUNCTION).with(OF_FUNCTION, &[OTHER_FUNCTION]);
        let elsewhere = without(request, OF_FUNCTION);
        let refused = verdict(&statements, &by_another);
        assert_eq!(refused, Verdict::Forbidden, "another function: {by_another:?}");
        let judged = verdict(&statements, &elsewhere);
        // Nothing that a key's description says is worth anything.
        let harmless = ["kms:DescribeKey", "kms:GetKeyPolicy"].contains(&elsewhere.action.as_str());
        assert_eq!(judged == Verdict::Allowed, harmless, "{elsewhere:?}");
        tried += 2;
    }
    assert!(tried > 60, "{tried}");
}

/// Lambda polls the queues as the role, and says of no function that it does; the log it writes for the function.
#[test]
fn lambda_itself_is_not_kept_from_the_queues_and_the_log() {
    let statements = permissions("function", Shape { copies: true, owns: false, ..Shape::default() });
    let queue = format!("arn:aws:sqs:us-east-1:{HUB}:tasks");
    let log = format!("arn:aws:logs:us-east-1:{HUB}:log-group:/aws/lambda/guardrail-keeper:log-stream:one");
    for (action, resource) in [
        ("sqs:ReceiveMessage", &queue),
        ("sqs:DeleteMessage", &queue),
        ("sqs:GetQueueAttributes", &queue),
        ("logs:CreateLogStream", &log),
        ("logs:PutLogEvents", &log),
    ] {
        assert_eq!(verdict(&statements, &asks(action, resource)), Verdict::Allowed, "{action}");
    }
    // What it writes to the log it writes for the function that logs: only for ours.
    for (function, expected) in [(FUNCTION, Verdict::Allowed), (OTHER_FUNCTION, Verdict::Forbidden)] {
        let written = asks("logs:PutLogEvents", &log).with(OF_FUNCTION, &[function]);
        assert_eq!(verdict(&statements, &written), expected, "{function}");
    }
    let used = asks("kms:Decrypt", GUARDRAIL_KEY);
    assert_eq!(verdict(&statements, &used), Verdict::Allowed, "Bedrock may leave the function out");
    let by_another = used.with(OF_FUNCTION, &[OTHER_FUNCTION]);
    assert_eq!(verdict(&statements, &by_another), Verdict::Forbidden);
}

/// An account id of a forged event leads nowhere outside of the organization, wherever STS says whose the role is.
#[test]
fn the_function_assumes_roles_of_its_organization_alone() {
    let role = "arn:aws:iam::300000000001:role/GuardrailKeeperMember";
    for (copies, owns) in [(false, false), (true, true)] {
        let statements = permissions("function", Shape { copies, owns, ..Shape::default() });
        let said = |of: &[&str]| {
            let request = asks("sts:AssumeRole", role).with(OF_FUNCTION, &[FUNCTION]);
            let request = request.with("aws:PrincipalOrgID", &["o-exampleorgid"]);
            verdict(&statements, &if of.is_empty() { request } else { request.with("aws:ResourceOrgID", of) })
        };
        assert_eq!(said(&["o-exampleorgid"]), Verdict::Allowed);
        assert_eq!(said(&["o-anotherorgid"]), Verdict::NotAllowed);
        // As docs/threat-model.md says: without the key, the member role's trust decides.
        assert_eq!(said(&[]), Verdict::Allowed);
        let other =
            asks("sts:AssumeRole", "arn:aws:iam::300000000001:role/Admin").with(OF_FUNCTION, &[FUNCTION]);
        assert_eq!(verdict(&statements, &other), Verdict::NotAllowed);
    }
}

fn of_copies() -> [(&'static str, Vec<Value>); 2] {
    [
        ("function", permissions("function", Shape { copies: true, owns: false, ..Shape::default() })),
        ("member", permissions("member", Shape { copies: true, owns: false, ..Shape::default() })),
    ]
}

/// With `AllowCopies`, a session of the keeper's changes and deletes copies, and no guardrail that isn't marked as one;
/// but it can mark one that has no tags.
#[test]
fn what_lacks_the_tag_of_copies_is_not_changed_or_deleted_and_can_be_given_it() {
    let guardrail = format!("arn:aws:bedrock:us-east-1:{HUB}:guardrail/anapplications");
    let (of_resource, of_request) = (format!("aws:ResourceTag/{TAG}"), format!("aws:RequestTag/{TAG}"));
    for (role, statements) in of_copies() {
        let of_the_role = |request: Request| request.with(OF_FUNCTION, &[FUNCTION]);
        let said = |request: Request| verdict(&statements, &of_the_role(request));
        for action in ["bedrock:UpdateGuardrail", "bedrock:DeleteGuardrail", "bedrock:TagResource"] {
            let request = asks(action, &guardrail);
            assert_eq!(said(request.clone()), Verdict::NotAllowed, "{role}: {action}");
            let of_another = request.clone().with("aws:ResourceTag/team", &["risk"]);
            assert_eq!(said(of_another), Verdict::NotAllowed, "{role}: {action}");
            assert_eq!(said(request.with(&of_resource, &["it"])), Verdict::Allowed, "{role}: {action}");
        }
        let create = asks("bedrock:CreateGuardrail", "*");
        assert_eq!(said(create.clone()), Verdict::NotAllowed, "{role}: what is made has the tag");
        assert_eq!(said(create.with(&of_request, &["it"])), Verdict::Allowed, "{role}");
        // What is left, as docs/threat-model.md says: whoever has the session can give the tag first.
        let marks = asks("bedrock:TagResource", &guardrail).with(&of_request, &["it"]);
        assert_eq!(said(marks), Verdict::Allowed, "{role}");
    }
}

/// A deployment with copies reaches the owner's account as well, where the originals are.
#[test]
fn no_copies_are_made_where_the_originals_are() {
    let guardrail = format!("arn:aws:bedrock:us-east-1:{HUB}:guardrail/theoriginal");
    for (role, statements) in [
        ("owner", permissions("owner", Shape { copies: true, owns: false, ..Shape::default() })),
        ("function", permissions("function", Shape { copies: true, owns: true, ..Shape::default() })),
    ] {
        for (action, resource) in [
            ("bedrock:CreateGuardrail", "*"),
            ("bedrock:CreateGuardrailVersion", &guardrail),
            ("bedrock:UpdateGuardrail", &guardrail),
            ("bedrock:DeleteGuardrail", &guardrail),
            ("bedrock:TagResource", &guardrail),
            ("kms:CreateGrant", KEY),
            ("kms:GenerateDataKey", KEY),
        ] {
            let request = asks(action, resource)
                .with(OF_FUNCTION, &[FUNCTION])
                .with(&format!("aws:ResourceTag/{TAG}"), &["it"])
                .with(&format!("aws:RequestTag/{TAG}"), &["it"])
                .with("kms:GrantIsForAWSResource", &["true"])
                .with("kms:ViaService", &["bedrock.us-east-1.amazonaws.com"]);
            assert_eq!(verdict(&statements, &request), Verdict::NotAllowed, "{role}: {action}");
        }
    }
}

/// A key encrypts more than copies, and a grant outlives the session that made it.
#[test]
fn keys_of_copies_are_used_by_bedrock_alone() {
    for (role, statements) in of_copies() {
        let said = |request: Request| verdict(&statements, &request.with(OF_FUNCTION, &[FUNCTION]));
        for action in ["kms:Decrypt", "kms:GenerateDataKey"] {
            let request = asks(action, KEY);
            assert_eq!(said(request.clone()), Verdict::NotAllowed, "{role}: {action}");
            let by_another = request.clone().with("kms:ViaService", &["s3.us-east-1.amazonaws.com"]);
            assert_eq!(said(by_another), Verdict::NotAllowed, "{role}: {action}");
            let by_bedrock = request.with("kms:ViaService", &["bedrock.us-east-1.amazonaws.com"]);
            assert_eq!(said(by_bedrock), Verdict::Allowed, "{role}: {action}");
        }
        let lends = asks("kms:CreateGrant", KEY);
        assert_eq!(said(lends.clone()), Verdict::NotAllowed, "{role}");
        let to_anybody = lends.clone().with("kms:GrantIsForAWSResource", &["false"]);
        assert_eq!(said(to_anybody), Verdict::NotAllowed, "{role}");
        assert_eq!(said(lends.with("kms:GrantIsForAWSResource", &["true"])), Verdict::Allowed, "{role}");
    }
}
