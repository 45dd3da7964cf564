//! Accounts that come, move, close and go.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Client, MANAGEMENT, MEMBER, OWNER, start};

#[tokio::test]
async fn an_account_is_created_in_its_own_time() {
    let simulator = start().await;
    simulator.with(|model| model.settings.account_creation_seconds = 90);
    let hub = Client::new(&simulator, MANAGEMENT);
    let wanted = json!({ "Email": "new@example.com", "AccountName": "new account" });
    let creation = hub.organizations("CreateAccount", wanted).await.json()["CreateAccountStatus"].clone();
    assert_eq!(creation["State"], "IN_PROGRESS");
    let status = || async {
        let request = json!({ "CreateAccountRequestId": creation["Id"] });
        hub.organizations("DescribeCreateAccountStatus", request).await.json()["CreateAccountStatus"].clone()
    };
    assert_eq!(status().await["AccountId"], Value::Null, "no id before it exists");
    simulator.with(|model| model.clock.advance(Duration::from_secs(90)));
    let done = status().await;
    assert_eq!(done["State"], "SUCCEEDED");
    let id = done["AccountId"].as_str().expect("an id");
    let parents = hub.organizations("ListParents", json!({ "ChildId": id })).await.json();
    assert_eq!(parents["Parents"], json!([{ "Id": "r-exam", "Type": "ROOT" }]), "accounts begin in the root");
    hub.assume(&format!("arn:aws:iam::{id}:role/OrganizationAccountAccessRole")).await;
    hub.assume(&format!("arn:aws:iam::{id}:role/GuardrailKeeperMember")).await;
    simulator.stop().await;
}

#[tokio::test]
async fn an_account_can_be_created_with_an_id_that_a_test_chose() {
    let simulator = start().await;
    simulator.with(|model| {
        let id = "300000000099";
        model.create_account_of_id(id, "chosen", "ou-exam-workload").expect("it is new");
        assert!(model.member(id).is_none(), "not yet");
        model.finish_account_creation(id);
        assert_eq!(model.parent_of(id).expect("it is a member"), "ou-exam-workload");
        let again = model.create_account_of_id(id, "again", "ou-exam-workload");
        assert_eq!(again.expect_err("it exists").code, "DuplicateAccountException");
    });
    simulator.stop().await;
}

#[tokio::test]
async fn an_email_is_used_once() {
    let simulator = start().await;
    let hub = Client::new(&simulator, MANAGEMENT);
    let wanted = json!({ "Email": "payments@example.com", "AccountName": "again" });
    hub.organizations("CreateAccount", wanted).await;
    let all = hub.organizations("ListCreateAccountStatus", json!({ "States": ["FAILED"] })).await.json();
    assert_eq!(all["CreateAccountStatuses"][0]["FailureReason"], "EMAIL_ALREADY_EXISTS");
    simulator.stop().await;
}

#[tokio::test]
async fn an_invited_account_joins_without_the_role_of_organizations() {
    let simulator = start().await;
    let (hub, outsider) = (Client::new(&simulator, MANAGEMENT), Client::new(&simulator, "400000000001"));
    let nothing = outsider.organizations("DescribeOrganization", json!({})).await;
    assert_eq!(nothing.code(), "AWSOrganizationsNotInUseException");
    let target = json!({ "Target": { "Id": "400000000001", "Type": "ACCOUNT" } });
    let invited = hub.organizations("InviteAccountToOrganization", target.clone()).await;
    let handshake = json!({ "HandshakeId": invited.json()["Handshake"]["Id"] });
    assert_eq!(
        hub.organizations("InviteAccountToOrganization", target).await.code(),
        "DuplicateHandshakeException"
    );
    let not_mine = hub.organizations("AcceptHandshake", handshake.clone()).await;
    assert_eq!(not_mine.code(), "AccessDeniedException", "only the invited account accepts");
    let accepted = outsider.organizations("AcceptHandshake", handshake.clone()).await.json();
    assert_eq!(accepted["Handshake"]["State"], "ACCEPTED");
    let again = outsider.organizations("DeclineHandshake", handshake).await;
    assert_eq!(again.code(), "InvalidHandshakeTransitionException");
    let account = hub.organizations("DescribeAccount", json!({ "AccountId": "400000000001" })).await.json();
    assert_eq!(account["Account"]["JoinedMethod"], "INVITED");
    assert_eq!(account["Account"]["Paths"], json!(["o-exampleorgid/r-exam/400000000001/"]));
    hub.assume("arn:aws:iam::400000000001:role/GuardrailKeeperMember").await;
    let role = "Action=AssumeRole&RoleSessionName=test&RoleArn=arn:aws:iam::400000000001:role/OrganizationAccountAccessRole";
    assert_eq!(hub.sts(role).await.code(), "AccessDenied");
    simulator.stop().await;
}

#[tokio::test]
async fn a_stack_set_may_come_late_or_never() {
    let simulator = start().await;
    let deployed =
        |account: &str| simulator.with(|model| model.role(account, "GuardrailKeeperMember").is_some());
    simulator.with(|model| model.settings.stack_set_seconds = Some(300));
    let late = simulator.with(|model| {
        let account = model.create_account("late", "ou-exam-workload").expect("a unit");
        model.finish_account_creation(&account);
        account
    });
    assert!(!deployed(&late));
    simulator.with(|model| model.clock.advance(Duration::from_secs(300)));
    assert!(deployed(&late));
    simulator.with(|model| model.settings.stack_set_seconds = None);
    simulator.with(|model| model.join("400000000002", "ou-exam-sandbox1")).expect("a unit");
    simulator.with(|model| model.clock.advance(Duration::from_secs(1_000_000)));
    assert!(!deployed("400000000002"));
    simulator.stop().await;
}

#[tokio::test]
async fn accounts_move_and_close() {
    let simulator = start().await;
    let hub = Client::new(&simulator, MANAGEMENT);
    let there = json!({
        "AccountId": MEMBER, "SourceParentId": "ou-exam-workload", "DestinationParentId": "ou-exam-sandbox1",
    });
    assert_eq!(hub.organizations("MoveAccount", there.clone()).await.status, 200);
    assert_eq!(hub.organizations("MoveAccount", there).await.code(), "DuplicateAccountException");
    assert_eq!(hub.organizations("CloseAccount", json!({ "AccountId": MEMBER })).await.status, 200);
    let closed = hub.organizations("DescribeAccount", json!({ "AccountId": MEMBER })).await.json();
    assert_eq!(closed["Account"]["State"], "SUSPENDED");
    let again = hub.organizations("CloseAccount", json!({ "AccountId": MEMBER })).await;
    assert_eq!(again.code(), "AccountAlreadyClosedException");
    let management = hub.organizations("CloseAccount", json!({ "AccountId": MANAGEMENT })).await.json();
    assert_eq!(management["Reason"], "CANNOT_CLOSE_MANAGEMENT_ACCOUNT");
    assert_eq!(Client::new(&simulator, MEMBER).enforced().await.code(), "UnrecognizedClientException");
    simulator.stop().await;
}

#[tokio::test]
async fn only_the_management_account_and_delegates_read_the_tree() {
    let simulator = start().await;
    let (hub, owner) = (Client::new(&simulator, MANAGEMENT), Client::new(&simulator, OWNER));
    assert_eq!(owner.organizations("ListAccounts", json!({})).await.code(), "AccessDeniedException");
    assert_eq!(owner.organizations("DescribeOrganization", json!({})).await.status, 200);
    let delegate = json!({ "AccountId": OWNER, "ServicePrincipal": "member.org.stacksets.cloudformation.amazonaws.com" });
    assert_eq!(hub.organizations("RegisterDelegatedAdministrator", delegate).await.status, 200);
    let accounts = owner.organizations("ListAccounts", json!({})).await.json();
    assert_eq!(accounts["Accounts"].as_array().map(Vec::len), Some(8), "the suspended one is listed too");
    let cannot =
        hub.organizations("RemoveAccountFromOrganization", json!({ "AccountId": OWNER })).await.json();
    assert_eq!(cannot["Reason"], "CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG");
    simulator.stop().await;
}

#[tokio::test]
async fn regions_are_switched_on_in_their_own_time() {
    let simulator = start().await;
    simulator.with(|model| {
        model.regions.insert("af-south-1".to_owned(), simulator::OptStatus::Disabled);
        model.settings.region_opt_seconds = 60;
    });
    let member = Client::new(&simulator, MEMBER);
    let there = member.clone().region("af-south-1");
    assert_eq!(there.enforced().await.code(), "UnrecognizedClientException");
    let wanted = json!({ "RegionName": "af-south-1" });
    assert_eq!(member.account("/enableRegion", wanted.clone()).await.status, 200);
    let status = member.account("/getRegionOptStatus", wanted.clone()).await.json();
    assert_eq!(status["RegionOptStatus"], "ENABLING");
    assert_eq!(member.account("/enableRegion", wanted).await.code(), "ConflictException");
    simulator.with(|model| model.clock.advance(Duration::from_secs(60)));
    assert_eq!(there.enforced().await.code(), "ResourceNotFoundException");
    let seen =
        Client::new(&simulator, MANAGEMENT).account("/listRegions", json!({ "AccountId": MEMBER })).await;
    assert_eq!(seen.json()["Regions"].as_array().map(Vec::len), Some(4));
    simulator.stop().await;
}
