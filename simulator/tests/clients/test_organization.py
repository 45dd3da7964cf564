"""Accounts that join, move and leave; assumed roles; parameters; Regions."""

import time

import pytest
from botocore.exceptions import ClientError
from conftest import MANAGEMENT, MEMBER, OWNER
from test_guardrails import code_of


def test_the_tree_can_be_walked(simulator):
    hub = simulator.client("organizations")
    organization = hub.describe_organization()["Organization"]
    assert (organization["Id"], organization["MasterAccountId"]) == ("o-exampleorgid", MANAGEMENT)
    [root] = hub.list_roots()["Roots"]
    units = hub.list_organizational_units_for_parent(ParentId=root["Id"])["OrganizationalUnits"]
    assert [unit["Id"] for unit in units] == ["ou-exam-sandbox1", "ou-exam-workload"]
    pages = hub.get_paginator("list_accounts").paginate(PaginationConfig={"PageSize": 3})
    accounts = {account["Id"]: account for page in pages for account in page["Accounts"]}
    assert len(accounts) == 8
    assert accounts["300000000006"]["State"] == "SUSPENDED"
    assert accounts[MEMBER]["Paths"] == [f"o-exampleorgid/r-exam/ou-exam-workload/{MEMBER}/"]
    inside = hub.list_accounts_for_parent(ParentId="ou-exam-workload")["Accounts"]
    children = hub.list_children(ParentId="ou-exam-workload", ChildType="ACCOUNT")["Children"]
    assert [account["Id"] for account in inside] == [child["Id"] for child in children]
    assert hub.list_parents(ChildId=MEMBER)["Parents"] == [{"Id": "ou-exam-workload", "Type": "ORGANIZATIONAL_UNIT"}]
    assert hub.describe_organizational_unit(OrganizationalUnitId="ou-exam-workload")
    made = hub.create_organizational_unit(ParentId="ou-exam-workload", Name="Inner")["OrganizationalUnit"]
    assert made["Path"] == f"o-exampleorgid/r-exam/ou-exam-workload/{made['Id']}/"
    hub.tag_resource(ResourceId=MEMBER, Tags=[{"Key": "stage", "Value": "prod"}])
    hub.untag_resource(ResourceId=MEMBER, TagKeys=["none"])
    assert hub.list_tags_for_resource(ResourceId=MEMBER)["Tags"] == [{"Key": "stage", "Value": "prod"}]


def test_accounts_are_created_moved_closed_and_removed(simulator):
    hub = simulator.client("organizations")
    creation = hub.create_account(Email="new@example.com", AccountName="new")["CreateAccountStatus"]
    assert creation["State"] == "IN_PROGRESS"
    done = hub.describe_create_account_status(CreateAccountRequestId=creation["Id"])["CreateAccountStatus"]
    assert done["State"] == "SUCCEEDED"
    new = done["AccountId"]
    assert hub.list_create_account_status(States=["SUCCEEDED"])["CreateAccountStatuses"] == [done]
    hub.move_account(AccountId=new, SourceParentId="r-exam", DestinationParentId="ou-exam-workload")
    assert simulator.assume(new) and simulator.assume(new, "OrganizationAccountAccessRole")
    names = [event["event"]["detail"]["eventName"] for event in simulator.control("GET", "events")["events"]]
    assert names == ["CreateAccount", "CreateAccountResult", "AccountJoinedOrganization", "MoveAccount"]
    hub.close_account(AccountId=new)
    assert hub.describe_account(AccountId=new)["Account"]["State"] == "SUSPENDED"
    hub.remove_account_from_organization(AccountId="300000000005")
    assert code_of(hub.describe_account, AccountId="300000000005") == "AccountNotFoundException"
    simulator.client("organizations", MEMBER).leave_organization()
    assert code_of(hub.list_parents, ChildId=MEMBER) == "ChildNotFoundException"


def test_a_new_account_is_not_ready_at_once(simulator):
    simulator.control("PUT", "settings", {"subscription_seconds": 60})
    new = simulator.control("POST", "accounts", {"do": "create", "name": "new", "parent": "r-exam"})["account"]
    bedrock = simulator.client("bedrock", credentials=simulator.assume(new))
    assert code_of(bedrock.list_guardrails) == "SubscriptionRequiredException"
    simulator.control("POST", "clock", {"advance_seconds": 60})
    assert bedrock.list_guardrails()["guardrails"] == []


def test_an_invitation_goes_its_way(simulator):
    hub, outsider = simulator.client("organizations"), simulator.client("organizations", "400000000001")
    target = {"Id": "acquired-company@example.com", "Type": "EMAIL"}
    first = hub.invite_account_to_organization(Target=target, Notes="welcome")["Handshake"]
    assert outsider.list_handshakes_for_account()["Handshakes"] == [first]
    assert hub.describe_handshake(HandshakeId=first["Id"])["Handshake"]["State"] == "OPEN"
    hub.cancel_handshake(HandshakeId=first["Id"])
    second = hub.invite_account_to_organization(Target=target)["Handshake"]
    outsider.decline_handshake(HandshakeId=second["Id"])
    third = hub.invite_account_to_organization(Target={"Id": "400000000001", "Type": "ACCOUNT"})["Handshake"]
    assert outsider.accept_handshake(HandshakeId=third["Id"])["Handshake"]["State"] == "ACCEPTED"
    assert len(hub.list_handshakes_for_organization()["Handshakes"]) == 3
    assert hub.describe_account(AccountId="400000000001")["Account"]["JoinedMethod"] == "INVITED"


def test_delegated_administrators_read_the_tree(simulator):
    hub, owner = simulator.client("organizations"), simulator.client("organizations", OWNER)
    assert code_of(owner.list_accounts) == "AccessDeniedException"
    hub.register_delegated_administrator(AccountId=OWNER, ServicePrincipal="account.amazonaws.com")
    assert owner.list_accounts()["Accounts"]
    [delegate] = hub.list_delegated_administrators()["DelegatedAdministrators"]
    assert delegate["Id"] == OWNER
    assert hub.list_delegated_services_for_account(AccountId=OWNER)["DelegatedServices"]
    hub.deregister_delegated_administrator(AccountId=OWNER, ServicePrincipal="account.amazonaws.com")
    assert code_of(hub.list_delegated_services_for_account, AccountId=OWNER) == "AccountNotRegisteredException"


def test_roles_are_assumed_across_accounts(simulator):
    function = simulator.assume(MANAGEMENT, "GuardrailKeeperFunction")
    sts = simulator.client("sts", credentials=function)
    arn = f"arn:aws:iam::{MEMBER}:role/GuardrailKeeperMember"
    member = sts.assume_role(RoleArn=arn, RoleSessionName="chained")["Credentials"]
    identity = simulator.client("sts", credentials=member).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{MEMBER}:assumed-role/GuardrailKeeperMember/chained"
    chained = {"RoleArn": arn, "RoleSessionName": "x", "DurationSeconds": 7200}
    assert code_of(sts.assume_role, **chained) == "ValidationError"
    assert code_of(sts.assume_role, RoleArn=arn, RoleSessionName="!") == "ValidationError"
    stranger = simulator.client("sts", OWNER)
    assert code_of(stranger.assume_role, RoleArn=arn, RoleSessionName="test") == "AccessDenied"
    simulator.control("POST", "clock", {"advance_seconds": 3600})
    assert code_of(simulator.client("sts", credentials=member).get_caller_identity) == "ExpiredToken"
    assert code_of(simulator.client("bedrock", credentials=member).list_guardrails) == "ExpiredTokenException"


def test_refusals_of_organizations(simulator):
    hub = simulator.client("organizations")
    for call, arguments, code in [
        (hub.describe_account, {"AccountId": "999999999999"}, "AccountNotFoundException"),
        (hub.describe_account, {"AccountId": "1"}, "InvalidInputException"),
        (hub.list_children, {"ParentId": "ou-exam-nowhere1", "ChildType": "ACCOUNT"}, "ParentNotFoundException"),
        (hub.list_children, {"ParentId": "r-exam", "ChildType": "THING"}, "InvalidInputException"),
        (
            hub.move_account,
            {"AccountId": MEMBER, "SourceParentId": "r-exam", "DestinationParentId": "ou-exam-sandbox1"},
            "SourceParentNotFoundException",
        ),
        (
            hub.move_account,
            {"AccountId": MEMBER, "SourceParentId": "ou-exam-workload", "DestinationParentId": "ou-exam-nowhere1"},
            "DestinationParentNotFoundException",
        ),
        (hub.remove_account_from_organization, {"AccountId": MANAGEMENT}, "MasterCannotLeaveOrganizationException"),
        (hub.describe_handshake, {"HandshakeId": "h-00000000"}, "HandshakeNotFoundException"),
        (
            hub.describe_create_account_status,
            {"CreateAccountRequestId": "car-00000000"},
            "CreateAccountStatusNotFoundException",
        ),
        (
            hub.describe_organizational_unit,
            {"OrganizationalUnitId": "ou-exam-nowhere1"},
            "OrganizationalUnitNotFoundException",
        ),
        (hub.list_tags_for_resource, {"ResourceId": "999999999999"}, "TargetNotFoundException"),
        (hub.create_organizational_unit, {"ParentId": "r-exam", "Name": "Sandbox"}, "DuplicateOrganizationalUnitException"),
    ]:
        assert code_of(call, **arguments) == code, arguments
    outsider = simulator.client("organizations", "400000000001")
    assert code_of(outsider.describe_organization) == "AWSOrganizationsNotInUseException"


def test_faults_are_the_services_own(simulator):
    simulator.control("POST", "faults", {"kind": "throttle"})
    assert code_of(simulator.client("bedrock").list_guardrails) == "ThrottlingException"
    assert code_of(simulator.client("organizations").list_roots) == "TooManyRequestsException"
    assert code_of(simulator.client("account").list_regions) == "TooManyRequestsException"
    simulator.control("DELETE", "faults")
    simulator.control("POST", "faults", {"kind": "server-error"})
    assert code_of(simulator.client("bedrock").list_guardrails) == "InternalServerException"
    assert code_of(simulator.client("organizations").list_roots) == "ServiceException"
    assert code_of(simulator.client("account").list_regions) == "InternalServerException"


def test_parameters_have_versions_and_tiers(simulator):
    ssm = simulator.client("ssm")
    name = "/keeper/baseline"
    assert ssm.put_parameter(Name=name, Value="one", Type="String", Description="first")["Version"] == 1
    assert code_of(ssm.put_parameter, Name=name, Value="two", Type="String") == "ParameterAlreadyExists"
    too_large = {"Name": name, "Value": "x" * 5000, "Overwrite": True}
    assert code_of(ssm.put_parameter, **too_large) == "ValidationException"
    assert ssm.put_parameter(Tier="Advanced", **too_large) ["Tier"] == "Advanced"
    assert ssm.get_parameter(Name=f"{name}:1")["Parameter"]["Value"] == "one"
    assert code_of(ssm.get_parameter, Name=f"{name}:9") == "ParameterVersionNotFound"
    assert [each["Version"] for each in ssm.get_parameter_history(Name=name)["Parameters"]] == [1, 2]
    filters = [{"Key": "Name", "Option": "BeginsWith", "Values": ["/keeper"]}]
    [described] = ssm.describe_parameters(ParameterFilters=filters)["Parameters"]
    assert (described["Tier"], described["Description"]) == ("Advanced", "first")
    both = ssm.get_parameters(Names=[name, "/none"])
    assert both["InvalidParameters"] == ["/none"]
    ssm.delete_parameter(Name=name)
    assert code_of(ssm.get_parameter, Name=name) == "ParameterNotFound"


def test_regions_are_listed(simulator):
    account = simulator.client("account")
    regions = account.list_regions()["Regions"]
    assert [region["RegionName"] for region in regions] == ["ap-southeast-2", "eu-west-1", "us-east-1"]
    assert account.list_regions(AccountId=MEMBER, MaxResults=1)["NextToken"]
    assert code_of(account.list_regions, AccountId=MANAGEMENT) == "ValidationException"
    member = simulator.client("account", MEMBER)
    assert code_of(member.list_regions, AccountId=OWNER) == "AccessDeniedException"
    assert member.get_region_opt_status(RegionName="eu-west-1")["RegionOptStatus"] == "ENABLED_BY_DEFAULT"
    assert code_of(member.enable_region, RegionName="eu-west-1") == "ValidationException"


def test_a_client_with_retries_lives_through_a_throttle(simulator):
    simulator.control("POST", "faults", {"kind": "throttle", "operation": "ListRoots", "times": 1})
    hub = simulator.client("organizations")
    begun = time.monotonic()
    with pytest.raises(ClientError):
        hub.list_roots()
    assert hub.list_roots()["Roots"]
    assert time.monotonic() - begun < 5
