"""Policies of the organization, with boto3 and the AWS CLI."""

import json

import pytest
from conftest import MANAGEMENT, MEMBER, MODEL, OWNER
from test_guardrails import code_of

KIND = "BEDROCK_POLICY"
UNIT = "ou-exam-workload"
FORBIDDEN = [{"role": "user", "content": [{"text": "say tungsten-rosebud"}]}]


def document(identifier, name="config_1", **settings):
    configuration = {"identifier": {"@@assign": identifier}, **settings}
    return json.dumps({"bedrock": {"guardrail_inference": {"us-east-1": {name: configuration}}}})


def shared_guardrail(simulator):
    """A guardrail of the management account in one version, which every member may apply."""
    bedrock = simulator.client("bedrock", MANAGEMENT)
    made = bedrock.create_guardrail(
        name="organization", blockedInputMessaging="no", blockedOutputsMessaging="no",
        wordPolicyConfig={"wordsConfig": [{"text": "tungsten-rosebud"}]},
    )
    bedrock.create_guardrail_version(guardrailIdentifier=made["guardrailId"])
    policy = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": ["bedrock:ApplyGuardrail", "bedrock:GetGuardrail"],
        "Resource": made["guardrailArn"],
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorgid"}},
    }]}
    bedrock.put_resource_policy(resourceArn=made["guardrailArn"], resourcePolicy=json.dumps(policy))
    return made["guardrailArn"]


def effective(simulator, account=MEMBER):
    answer = simulator.client("organizations", account).describe_effective_policy(PolicyType=KIND)
    return json.loads(answer["EffectivePolicy"]["PolicyContent"])


def test_the_organization_is_guarded_with_boto3(simulator):
    arn = shared_guardrail(simulator)
    hub = simulator.client("organizations")
    assert [kind["Type"] for kind in hub.list_roots()["Roots"][0]["PolicyTypes"]] == ["SERVICE_CONTROL_POLICY"]
    assert code_of(hub.list_policies, Filter=KIND) == "PolicyTypeNotEnabledException"
    member = simulator.client("organizations", MEMBER)
    assert code_of(member.describe_effective_policy, PolicyType=KIND) == "EffectivePolicyNotFoundException"
    root = hub.enable_policy_type(RootId="r-exam", PolicyType=KIND)["Root"]
    assert {"Type": KIND, "Status": "ENABLED"} in root["PolicyTypes"]
    made = hub.create_policy(
        Name="baseline", Description="", Type=KIND, Content=document(f"{arn}:1"), Tags=[{"Key": "a", "Value": "b"}]
    )["Policy"]
    policy = made["PolicySummary"]["Id"]
    assert hub.list_tags_for_resource(ResourceId=policy)["Tags"] == [{"Key": "a", "Value": "b"}]
    hub.untag_resource(ResourceId=policy, TagKeys=["a"])
    hub.attach_policy(PolicyId=policy, TargetId=UNIT)
    hub.attach_policy(PolicyId=policy, TargetId="300000000005")
    pages = hub.get_paginator("list_targets_for_policy").paginate(PolicyId=policy, PaginationConfig={"PageSize": 1})
    targets = [(target["TargetId"], target["Type"]) for page in pages for target in page["Targets"]]
    assert targets == [("300000000005", "ACCOUNT"), (UNIT, "ORGANIZATIONAL_UNIT")]
    assert [one["Id"] for one in hub.list_policies_for_target(TargetId=UNIT, Filter=KIND)["Policies"]] == [policy]
    assert [one["Id"] for one in hub.list_policies(Filter=KIND)["Policies"]] == [policy]
    assert hub.describe_policy(PolicyId=policy)["Policy"]["Content"] == document(f"{arn}:1")
    assert effective(simulator)["bedrock"]["guardrail_inference"]["us-east-1"] == {"config_1": {"identifier": f"{arn}:1"}}
    runtime = simulator.client("bedrock-runtime", MEMBER)
    said = runtime.converse(
        modelId=MODEL, messages=FORBIDDEN,
        guardrailConfig={"guardrailIdentifier": arn, "guardrailVersion": "1", "trace": "enabled"},
    )
    assert said["stopReason"] == "guardrail_intervened"
    [assessment] = said["trace"]["guardrail"]["inputAssessment"].values()
    assert assessment["appliedGuardrailDetails"]["guardrailOrigin"] == ["ORGANIZATION_ENFORCED", "REQUEST"]
    hub.update_policy(PolicyId=policy, Content=document(f"{arn}:9"))
    assert code_of(runtime.converse, modelId=MODEL, messages=FORBIDDEN) == "ValidationException"
    hub.detach_policy(PolicyId=policy, TargetId=UNIT)
    assert runtime.converse(modelId=MODEL, messages=FORBIDDEN)["stopReason"] == "end_turn"
    assert code_of(hub.delete_policy, PolicyId=policy) == "PolicyInUseException"
    hub.disable_policy_type(RootId="r-exam", PolicyType=KIND)
    hub.delete_policy(PolicyId=policy)


def test_a_frozen_account_is_found(simulator):
    hub = simulator.client("organizations")
    hub.enable_policy_type(RootId="r-exam", PolicyType=KIND)
    part = json.dumps({"bedrock": {"guardrail_inference": {"us-east-1": {"config_1": {
        "model_enforcement": {"included_models": {"@@append": ["amazon.nova-pro-v1:0"]}},
    }}}}})
    policy = hub.create_policy(Name="part", Description="", Type=KIND, Content=part)["Policy"]["PolicySummary"]["Id"]
    hub.attach_policy(PolicyId=policy, TargetId="r-exam")
    pages = hub.get_paginator("list_accounts_with_invalid_effective_policy")
    pages = pages.paginate(PolicyType=KIND, PaginationConfig={"PageSize": 3})
    accounts = [account["Id"] for page in pages for account in page["Accounts"]]
    assert len(accounts) == 8 and MEMBER in accounts
    told = hub.list_effective_policy_validation_errors(AccountId=MEMBER, PolicyType=KIND)
    codes = [error["ErrorCode"] for error in told["EffectivePolicyValidationErrors"]]
    assert codes == ["KEY_REQUIRED", "KEY_REQUIRED"]
    assert told["EffectivePolicyValidationErrors"][0]["ContributingPolicies"] == [policy]
    assert told["EvaluationTimestamp"] and told["Path"].endswith(f"{MEMBER}/")
    assert effective(simulator) == {}
    events = [event["event"] for event in simulator.control("GET", "events")["events"]]
    [frozen] = [
        event["detail"] for event in events
        if event["detail"]["eventName"] == "EffectivePolicyValidation"
        and event["detail"]["serviceEventDetails"]["accountId"] == MEMBER
    ]
    assert (frozen["readOnly"], frozen["serviceEventDetails"]["state"]) == (True, "INVALID")


def test_refusals_of_policies(simulator):
    hub, member = simulator.client("organizations"), simulator.client("organizations", MEMBER)
    create = {"Name": "one", "Description": "", "Type": KIND, "Content": document("x")}
    policy = hub.create_policy(**create)["Policy"]["PolicySummary"]["Id"]
    for call, arguments, code in [
        (hub.create_policy, create, "DuplicatePolicyException"),
        (hub.create_policy, {**create, "Name": "two", "Content": "{}"}, "MalformedPolicyDocumentException"),
        (hub.create_policy, {**create, "Name": "two", "Content": " " * 10_001}, "ConstraintViolationException"),
        (hub.create_policy, {**create, "Name": "two", "Type": "NONE"}, "InvalidInputException"),
        (hub.create_policy, {**create, "Name": "x" * 129}, "InvalidInputException"),
        (member.create_policy, {**create, "Name": "two"}, "AccessDeniedException"),
        (hub.attach_policy, {"PolicyId": policy, "TargetId": "r-exam"}, "PolicyTypeNotEnabledException"),
        (hub.attach_policy, {"PolicyId": policy, "TargetId": "999999999999"}, "TargetNotFoundException"),
        (hub.attach_policy, {"PolicyId": "p-nowhere12", "TargetId": "r-exam"}, "PolicyNotFoundException"),
        (hub.detach_policy, {"PolicyId": policy, "TargetId": "r-exam"}, "PolicyNotAttachedException"),
        (hub.update_policy, {"PolicyId": policy, "Content": "x"}, "MalformedPolicyDocumentException"),
        (hub.enable_policy_type, {"RootId": "r-none", "PolicyType": KIND}, "RootNotFoundException"),
        (hub.disable_policy_type, {"RootId": "r-exam", "PolicyType": KIND}, "PolicyTypeNotEnabledException"),
        (hub.describe_resource_policy, {}, "ResourcePolicyNotFoundException"),
        (hub.delete_resource_policy, {}, "ResourcePolicyNotFoundException"),
        (hub.put_resource_policy, {"Content": "{}"}, "InvalidInputException"),
        (hub.list_effective_policy_validation_errors, {"AccountId": "999999999999", "PolicyType": KIND},
         "AccountNotFoundException"),
    ]:
        assert code_of(call, **arguments) == code, arguments
    outsider = simulator.client("organizations", "400000000001")
    assert code_of(outsider.list_policies, Filter=KIND) == "AWSOrganizationsNotInUseException"


def test_a_delegate_works_by_the_organizations_resource_policy(simulator):
    hub, delegate = simulator.client("organizations"), simulator.client("organizations", OWNER)
    content = json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": OWNER}, "Action": "organizations:*", "Resource": "*",
        "Condition": {"StringLikeIfExists": {"organizations:PolicyType": [KIND]}},
    }]})
    put = hub.put_resource_policy(Content=content, Tags=[{"Key": "a", "Value": "b"}])["ResourcePolicy"]
    assert put["Content"] == content
    identifier = put["ResourcePolicySummary"]["Id"]
    assert hub.list_tags_for_resource(ResourceId=identifier)["Tags"] == [{"Key": "a", "Value": "b"}]
    assert delegate.describe_resource_policy()["ResourcePolicy"]["Content"] == content
    delegate.enable_policy_type(RootId="r-exam", PolicyType=KIND)
    made = delegate.create_policy(Name="one", Description="", Type=KIND, Content=document("x"))
    delegate.attach_policy(PolicyId=made["Policy"]["PolicySummary"]["Id"], TargetId=UNIT)
    assert delegate.describe_effective_policy(PolicyType=KIND, TargetId=MEMBER)["EffectivePolicy"]
    hub.delete_resource_policy()
    assert code_of(delegate.list_policies, Filter=KIND) == "AccessDeniedException"


def test_services_are_trusted(simulator):
    hub = simulator.client("organizations")
    simulator.control("PUT", "switches", {"trusted-access-needed": "on"})
    enable = {"RootId": "r-exam", "PolicyType": KIND}
    assert code_of(hub.enable_policy_type, **enable) == "ConstraintViolationException"
    hub.enable_aws_service_access(ServicePrincipal="bedrock.amazonaws.com")
    [trusted] = hub.list_aws_service_access_for_organization()["EnabledServicePrincipals"]
    assert trusted["ServicePrincipal"] == "bedrock.amazonaws.com"
    hub.enable_policy_type(**enable)
    hub.disable_aws_service_access(ServicePrincipal="bedrock.amazonaws.com")
    assert hub.list_aws_service_access_for_organization()["EnabledServicePrincipals"] == []


def test_the_published_rates_hold(simulator):
    hub = simulator.client("organizations")
    policy = hub.create_policy(Name="one", Description="", Type=KIND, Content=document("x"))["Policy"]["PolicySummary"]["Id"]
    simulator.control("PUT", "switches", {"throttling": "on"})
    codes = {code_of_any(hub.describe_policy, PolicyId=policy) for _ in range(40)}
    assert codes == {None, "TooManyRequestsException"}


def code_of_any(call, **arguments):
    try:
        call(**arguments)
    except call.__self__.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return None


def test_the_organization_is_guarded_by_hand(simulator):
    arn = shared_guardrail(simulator)
    organizations = ("organizations",)
    simulator.cli(*organizations, "enable-policy-type", "--root-id", "r-exam", "--policy-type", KIND)
    made = simulator.cli(
        *organizations, "create-policy", "--name", "baseline", "--description", "all", "--type", KIND,
        "--content", document(f"{arn}:1"),
    )
    policy = made["Policy"]["PolicySummary"]["Id"]
    attach = (*organizations, "attach-policy", "--policy-id", policy, "--target-id", "r-exam")
    simulator.cli(*attach)
    with pytest.raises(RuntimeError, match="DuplicatePolicyAttachmentException"):
        simulator.cli(*attach)
    shown = simulator.cli(*organizations, "describe-effective-policy", "--policy-type", KIND, account=MEMBER)
    assert f"{arn}:1" in shown["EffectivePolicy"]["PolicyContent"]
    converse = ("bedrock-runtime", "converse", "--model-id", MODEL, "--messages", json.dumps(FORBIDDEN))
    assert simulator.cli(*converse, account=MEMBER)["stopReason"] == "guardrail_intervened"
    invalid = ("list-accounts-with-invalid-effective-policy", "--policy-type", KIND)
    assert simulator.cli(*organizations, *invalid)["Accounts"] == []
    with pytest.raises(RuntimeError, match="AccessDeniedException"):
        simulator.cli(*organizations, "list-policies", "--filter", KIND, account=MEMBER)
