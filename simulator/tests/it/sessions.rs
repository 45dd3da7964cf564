//! Roles: who may assume them, and what their sessions may do.

use std::time::Duration;

use serde_json::Value;
use simulator::{Role, Trust};

use crate::client::{Client, GUARDRAIL, MANAGEMENT, MEMBER, start, tag};

fn member_role(account: &str) -> String {
    format!("arn:aws:iam::{account}:role/GuardrailKeeperMember")
}

#[tokio::test]
async fn the_hub_assumes_the_member_role_and_nobody_else_does() {
    let simulator = start().await;
    let hub = Client::new(&simulator, MANAGEMENT);
    let session = hub.assume(&member_role(MEMBER)).await;
    let identity = session.sts("Action=GetCallerIdentity").await;
    assert_eq!(tag(&identity.text, "Account"), MEMBER);
    assert_eq!(
        tag(&identity.text, "Arn"),
        format!("arn:aws:sts::{MEMBER}:assumed-role/GuardrailKeeperMember/test")
    );
    let form = format!("Action=AssumeRole&RoleSessionName=test&RoleArn={}", member_role(MEMBER));
    let stranger = Client::new(&simulator, "300000000002").sts(&form).await;
    assert_eq!((stranger.status, stranger.code().as_str()), (403, "AccessDenied"));
    simulator.stop().await;
}

#[tokio::test]
async fn the_function_role_can_reach_the_members() {
    let simulator = start().await;
    let hub = Client::new(&simulator, MANAGEMENT);
    let function = hub.assume("arn:aws:iam::111111111111:role/GuardrailKeeperFunction").await;
    let member = function.assume(&member_role(MEMBER)).await;
    assert_eq!(member.enforce(GUARDRAIL, "2", None).await.status, 200);
    let too_much = member.rest(
        "POST",
        "/model/amazon.nova-pro-v1%3A0/converse",
        serde_json::json!({
            "messages": [{ "role": "user", "content": [{ "text": "hello" }] }],
        }),
    );
    assert_eq!(too_much.await.code(), "AccessDeniedException", "the member role can't call models");
    simulator.stop().await;
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_role_is_not_told_apart() {
    let simulator = start().await;
    let hub = Client::new(&simulator, MANAGEMENT);
    for account in ["300000000006", "999999999999", "400000000001"] {
        let form = format!("Action=AssumeRole&RoleSessionName=test&RoleArn={}", member_role(account));
        assert_eq!(hub.sts(&form).await.code(), "AccessDenied", "{account}");
    }
    simulator.stop().await;
}

#[tokio::test]
async fn an_external_id_and_a_session_policy_count() {
    let simulator = start().await;
    simulator.with(|model| {
        let trust = Trust {
            principals: vec![format!("arn:aws:iam::{MANAGEMENT}:root")],
            external_id: Some("sesame".to_owned()),
            ..Trust::default()
        };
        let permissions = simulator::Permissions::administrator();
        model.put_role(MEMBER, Role { name: "Guarded".to_owned(), trust, permissions, ..Role::default() });
    });
    let hub = Client::new(&simulator, MANAGEMENT);
    let form = format!("Action=AssumeRole&RoleSessionName=test&RoleArn=arn:aws:iam::{MEMBER}:role/Guarded");
    assert_eq!(hub.sts(&form).await.code(), "AccessDenied");
    let policy = "%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22bedrock%3AList%2A%22%2C%22Resource%22%3A%22%2A%22%7D%7D";
    let granted = hub.sts(&format!("{form}&ExternalId=sesame&Policy={policy}")).await;
    assert_eq!(granted.status, 200, "{granted:?}");
    let session =
        hub.clone().key(tag(&granted.text, "AccessKeyId"), Some(tag(&granted.text, "SessionToken")));
    assert_eq!(session.rest("GET", "/guardrails", Value::Null).await.status, 200);
    assert_eq!(session.enforce(GUARDRAIL, "1", None).await.code(), "AccessDeniedException");
    simulator.stop().await;
}

#[tokio::test]
async fn sessions_end_and_need_their_token() {
    let simulator = start().await;
    let session = Client::new(&simulator, MANAGEMENT).assume(&member_role(MEMBER)).await;
    simulator.with(|model| model.clock.advance(Duration::from_secs(3600)));
    assert_eq!(session.sts("Action=GetCallerIdentity").await.code(), "ExpiredToken");
    let nobody = Client::new(&simulator, MANAGEMENT).key("ASIMNOBODYNOBODYNOBO", Some("x"));
    assert_eq!(nobody.sts("Action=GetCallerIdentity").await.code(), "InvalidClientTokenId");
    assert_eq!(nobody.enforced().await.code(), "UnrecognizedClientException");
    simulator.stop().await;
}

#[tokio::test]
async fn a_revoked_role_takes_its_sessions_with_it() {
    let simulator = start().await;
    let session = Client::new(&simulator, MANAGEMENT).assume(&member_role(MEMBER)).await;
    assert!(simulator.with(|model| model.revoke_role(MEMBER, "GuardrailKeeperMember")));
    assert_eq!(session.enforced().await.code(), "AccessDeniedException");
    simulator.stop().await;
}

#[tokio::test]
async fn a_role_has_a_standing_session_and_what_roles_ask_for_is_kept() {
    let simulator = start().await;
    let hub = Client::new(&simulator, MANAGEMENT);
    let key = |role: &str| Client::new(&simulator, MANAGEMENT).key(&format!("SIM{MANAGEMENT}_{role}"), None);
    let function = key("GuardrailKeeperFunction");
    let identity = function.sts("Action=GetCallerIdentity").await;
    let arn = "arn:aws:sts::111111111111:assumed-role/GuardrailKeeperFunction/standing";
    assert_eq!(tag(&identity.text, "Arn"), arn);
    assert_eq!(key("Nobody").sts("Action=GetCallerIdentity").await.status, 403);

    // It may do what its role may, and no more; either way it asked.
    let member = function.assume(&member_role(MEMBER)).await;
    assert_eq!(member.enforce(GUARDRAIL, "2", None).await.status, 200);
    let parameter = serde_json::json!({ "Name": "/a", "Value": "b", "Type": "String" });
    assert_eq!(function.ssm("PutParameter", parameter.clone()).await.code(), "AccessDeniedException");
    // An administrator isn't held to anything.
    hub.ssm("PutParameter", parameter).await;
    simulator.clear_calls();
    let asked = simulator.asked().into_iter().map(|asked| {
        let by = asked.assumed_by.map_or_else(String::new, |by| format!(" by {by}"));
        format!("{}{by} {} {}", asked.role, asked.operation, asked.target.unwrap_or_default())
    });
    assert_eq!(
        asked.collect::<Vec<_>>(),
        [
            "GuardrailKeeperFunction PutParameter /a".to_owned(),
            format!("GuardrailKeeperFunction AssumeRole {}", member_role(MEMBER)),
            "GuardrailKeeperFunction GetCallerIdentity ".to_owned(),
            format!(
                "GuardrailKeeperMember by GuardrailKeeperFunction PutEnforcedGuardrailConfiguration {GUARDRAIL}"
            ),
        ]
    );
    simulator.stop().await;
}
