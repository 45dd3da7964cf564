"""What whoever checks a deployment asks for: principals, trails, rules, StackSets."""

import datetime
import json
import urllib.parse

import pytest
from conftest import GUARDRAIL, MANAGEMENT, MEMBER, OWNER, Simulator
from test_guardrails import code_of

BUS = f"arn:aws:events:us-east-1:{MANAGEMENT}:event-bus/guardrail-keeper"
KEY = "11111111-2222-4333-8444-555555555555"
INVOKE = {"allow": [{"actions": ["bedrock:InvokeModel*"]}]}
WORLD = {
    "organization": {"id": "o-exampleorgid", "root": "r-exam", "management_account": MANAGEMENT},
    "start": "2026-11-02T09:00:00Z",
    "regions": {"us-east-1": "ENABLED_BY_DEFAULT", "eu-west-1": "ENABLED_BY_DEFAULT"},
    "models": [{"id": "amazon.nova-pro-v1:0"}],
    "accounts": [
        {"id": MANAGEMENT, "name": "management", "parent": "r-exam"},
        {
            "id": OWNER, "name": "delegate", "parent": "r-exam",
            "delegated": ["member.org.stacksets.cloudformation.amazonaws.com"],
        },
        {
            "id": MEMBER, "name": "member", "parent": "r-exam",
            "users": [{"name": "ann", "permissions": INVOKE}],
            "roles": [
                {
                    "name": "App", "permissions": INVOKE,
                    "trust": {"principals": ["lambda.amazonaws.com"], "external_id": "sesame"},
                },
                {
                    "name": "AWSServiceRoleForSupport", "path": "/aws-service-role/support.amazonaws.com/",
                    "trust": {"principals": ["support.amazonaws.com"]},
                },
                {
                    "name": "Bounded", "permissions": {"allow": [{"actions": ["*"]}]}, "boundary": INVOKE,
                    "trust": {"principals": ["lambda.amazonaws.com"]},
                },
                {"name": "Nobody", "trust": {"principals": [f"arn:aws:iam::{MEMBER}:root"]}},
            ],
        },
    ],
    "service_control": [{"targets": [MEMBER], "deny": ["bedrock:DeleteGuardrail"]}],
    "trails": [
        {"account": MANAGEMENT, "region": "us-east-1", "name": "all", "multi_region": True, "organization": True},
        {"account": MEMBER, "region": "eu-west-1", "name": "own", "logging": False, "management": "write",
         "advanced": True},
    ],
    "event_buses": [{"account": MANAGEMENT, "region": "us-east-1", "name": "guardrail-keeper"}],
    "bus_rules": [
        {
            "account": MEMBER, "region": "us-east-1", "name": f"guardrail-keeper-{name}", "enabled": name != "b",
            "pattern": {"source": ["aws.bedrock"]},
            "targets": [{"id": "hub", "arn": BUS, "role": f"arn:aws:iam::{MEMBER}:role/Forwarder"}],
        }
        for name in ("a", "b", "c")
    ],
    "keys": [{"account": OWNER, "region": "us-east-1", "id": KEY}],
    "stack_sets": [
        {
            "region": "us-east-1", "name": "guardrail-keeper-member-role",
            "instances": [
                {"account": OWNER, "region": "us-east-1"},
                {"account": MEMBER, "region": "us-east-1", "status": "OUTDATED", "detailed_status": "FAILED",
                 "reason": "no room"},
            ],
        },
    ],
    "functions": [
        {
            "account": MANAGEMENT, "region": "us-east-1", "name": name, "recursive_loop": recursive_loop,
            "mappings": [{"queue": f"arn:aws:sqs:us-east-1:{MANAGEMENT}:{queue}", "state": state}
                         for queue, state in mappings],
        }
        for name, recursive_loop, mappings in [
            ("keeper", "Allow", [("tasks.fifo", "Enabled"), ("events", "Disabled")]), ("other", "Terminate", []),
        ]
    ],
}


@pytest.fixture
def simulator(tmp_path):
    path = tmp_path / "world.yaml"
    path.write_text(json.dumps(WORLD))
    running = Simulator("--world", str(path))
    yield running
    problems = running.proxy.checker.problems
    assert running.stop() == 0
    assert not problems, "answers that AWS's service models don't allow:\n" + "\n".join(problems)


def test_principals_are_listed_page_by_page(simulator):
    iam = simulator.client("iam", MEMBER)
    first = iam.list_roles(MaxItems=3)
    assert first["IsTruncated"]
    second = iam.list_roles(Marker=first["Marker"])
    names = [role["RoleName"] for page in (first, second) for role in page["Roles"]]
    assert names == ["AWSServiceRoleForSupport", "App", "Bounded", "Nobody", "OrganizationAccountAccessRole"]
    [linked] = iam.list_roles(PathPrefix="/aws-service-role/")["Roles"]
    arn = f"arn:aws:iam::{MEMBER}:role/aws-service-role/support.amazonaws.com/AWSServiceRoleForSupport"
    assert (linked["Path"], linked["Arn"]) == ("/aws-service-role/support.amazonaws.com/", arn)
    assert [user["Arn"] for user in iam.list_users()["Users"]] == [f"arn:aws:iam::{MEMBER}:user/ann"]
    assert code_of(iam.list_roles, Marker="nonsense") == "ValidationError"


def test_a_role_is_shown_with_its_trust(simulator):
    iam = simulator.client("iam", MEMBER)
    trust = iam.get_role(RoleName="App")["Role"]["AssumeRolePolicyDocument"]
    if isinstance(trust, str):
        trust = json.loads(urllib.parse.unquote(trust))
    assert trust["Statement"][0]["Condition"] == {"StringEquals": {"sts:ExternalId": "sesame"}}
    assert code_of(iam.get_role, RoleName="None") == "NoSuchEntity"


def simulated(simulator, principal, action, resource, **more):
    iam = simulator.client("iam", MEMBER)
    source = f"arn:aws:iam::{MEMBER}:{principal}"
    answer = iam.simulate_principal_policy(
        PolicySourceArn=source, ActionNames=[action], ResourceArns=[resource], **more
    )
    [result] = answer["EvaluationResults"]
    assert (result["EvalActionName"], result["EvalResourceName"]) == (action, resource)
    return result


def test_identity_policies_boundaries_and_control_policies_are_simulated(simulator):
    model = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0"
    own = f"arn:aws:bedrock:us-east-1:{MEMBER}:guardrail/abc"
    assert simulated(simulator, "role/App", "bedrock:InvokeModel", model)["EvalDecision"] == "allowed"
    assert simulated(simulator, "user/ann", "bedrock:InvokeModel", model)["EvalDecision"] == "allowed"
    assert simulated(simulator, "role/Nobody", "bedrock:InvokeModel", model)["EvalDecision"] == "implicitDeny"
    bounded = simulated(simulator, "role/Bounded", "bedrock:ApplyGuardrail", own)
    assert bounded["EvalDecision"] == "implicitDeny"
    assert bounded["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    controlled = simulated(simulator, "role/App", "bedrock:DeleteGuardrail", own)
    assert controlled["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": False}
    assert controlled["EvalDecision"] == "explicitDeny"


def test_what_belongs_to_another_account_is_told_apart(simulator):
    context = [{"ContextKeyName": "aws:RequestedRegion", "ContextKeyType": "string", "ContextKeyValues": ["us-east-1"]}]
    foreign = GUARDRAIL.replace(OWNER, "999999999999")
    both = simulated(simulator, "user/ann", "bedrock:InvokeModel", foreign, ContextEntries=context)
    assert both["EvalDecision"] == "implicitDeny"
    assert both["EvalDecisionDetails"] == {"IAM Policy": "allowed", "Resource Policy": "implicitDeny"}
    simulator.control("PUT", "switches", {"cross-account-simulation": "identity"})
    assert simulated(simulator, "user/ann", "bedrock:InvokeModel", foreign)["EvalDecision"] == "allowed"


def test_many_results_come_in_pages(simulator):
    iam = simulator.client("iam", MEMBER)
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=f"arn:aws:iam::{MEMBER}:role/App", ActionNames=["bedrock:InvokeModel", "bedrock:GetGuardrail"],
        ResourceArns=[f"arn:aws:bedrock:us-east-1::foundation-model/m{number}" for number in range(5)],
        PaginationConfig={"PageSize": 4},
    )
    results = [result for page in pages for result in page["EvaluationResults"]]
    assert len(results) == 10
    assert len({(result["EvalActionName"], result["EvalResourceName"]) for result in results}) == 10


def test_nobody_is_simulated_who_is_not_there(simulator):
    iam = simulator.client("iam", MEMBER)
    source = f"arn:aws:iam::{MEMBER}:role/None"
    simulate = iam.simulate_principal_policy
    assert code_of(simulate, PolicySourceArn=source, ActionNames=["bedrock:InvokeModel"]) == "NoSuchEntity"
    stranger = f"arn:aws:iam::{OWNER}:role/App"
    assert code_of(simulate, PolicySourceArn=stranger, ActionNames=["bedrock:InvokeModel"]) == "InvalidInput"
    assert code_of(simulate, PolicySourceArn=source, ActionNames=["x"]) == "ValidationError"
    assert code_of(simulate, PolicySourceArn=source) == "ValidationError"


def test_trails_are_seen_where_they_log(simulator):
    member, management = simulator.client("cloudtrail", MEMBER), simulator.client("cloudtrail")
    [shadow] = member.describe_trails()["trailList"]
    assert (shadow["Name"], shadow["IsOrganizationTrail"], shadow["IsMultiRegionTrail"]) == ("all", True, True)
    assert member.describe_trails(includeShadowTrails=False)["trailList"] == []
    assert member.get_trail_status(Name=shadow["TrailARN"])["IsLogging"]
    assert management.describe_trails(includeShadowTrails=False)["trailList"] == [shadow]
    [selector] = member.get_event_selectors(TrailName=shadow["TrailARN"])["EventSelectors"]
    assert (selector["ReadWriteType"], selector["IncludeManagementEvents"]) == ("All", True)
    here = simulator.client("cloudtrail", MEMBER, "eu-west-1")
    assert [trail["Name"] for trail in here.describe_trails()["trailList"]] == ["all", "own"]
    assert not here.get_trail_status(Name="own")["IsLogging"]
    [advanced] = here.get_event_selectors(TrailName="own")["AdvancedEventSelectors"]
    assert {"Field": "readOnly", "Equals": ["false"]} in advanced["FieldSelectors"]
    assert code_of(member.get_trail_status, Name="own") == "TrailNotFoundException"


def test_the_event_history_has_calls_of_models(simulator):
    member, runtime = simulator.client("cloudtrail", MEMBER), simulator.client("bedrock-runtime", MEMBER)
    named = [{"AttributeKey": "EventName", "AttributeValue": "Converse"}]
    assert member.lookup_events(LookupAttributes=named)["Events"] == []
    messages = [{"role": "user", "content": [{"text": "hello"}]}]
    for _ in range(3):
        runtime.converse(modelId="amazon.nova-pro-v1:0", messages=messages)
    # One that is refused is told, too.
    assert code_of(runtime.invoke_model, modelId="no.such-model-v1:0", body="{}") == "ValidationException"
    first = member.lookup_events(LookupAttributes=named, MaxResults=2)
    second = member.lookup_events(LookupAttributes=named, NextToken=first["NextToken"])
    events = first["Events"] + second["Events"]
    assert [event["EventName"] for event in events] == ["Converse"] * 3
    told = json.loads(events[0]["CloudTrailEvent"])
    assert (told["eventSource"], told["readOnly"]) == ("bedrock.amazonaws.com", True)
    assert "Boto3" in told["userAgent"]
    assert len(member.lookup_events()["Events"]) == 4
    later = events[0]["EventTime"] + datetime.timedelta(seconds=1)
    assert member.lookup_events(StartTime=later)["Events"] == []
    for other in (simulator.client("cloudtrail"), simulator.client("cloudtrail", MEMBER, "eu-west-1")):
        assert other.lookup_events()["Events"] == []
    unknown = [{"AttributeKey": "Username", "AttributeValue": "ann"}]
    assert code_of(member.lookup_events, LookupAttributes=unknown) == "InvalidLookupAttributesException"


def test_buses_rules_and_their_targets_are_shown(simulator):
    hub, member = simulator.client("events"), simulator.client("events", MEMBER)
    assert hub.describe_event_bus(Name="guardrail-keeper")["Arn"] == BUS
    assert hub.describe_event_bus()["Name"] == "default"
    assert code_of(member.describe_event_bus, Name="guardrail-keeper") == "ResourceNotFoundException"
    first = member.list_rules(NamePrefix="guardrail-keeper-", Limit=2)
    second = member.list_rules(NamePrefix="guardrail-keeper-", NextToken=first["NextToken"])
    rules = {rule["Name"]: rule["State"] for rule in first["Rules"] + second["Rules"]}
    assert rules == {f"guardrail-keeper-{name}": state for name, state in
                     (("a", "ENABLED"), ("b", "DISABLED"), ("c", "ENABLED"))}
    assert json.loads(first["Rules"][0]["EventPattern"]) == {"source": ["aws.bedrock"]}
    [target] = member.list_targets_by_rule(Rule="guardrail-keeper-a")["Targets"]
    assert target["Arn"] == BUS
    assert code_of(member.list_targets_by_rule, Rule="none") == "ResourceNotFoundException"
    assert hub.list_rules()["Rules"] == []


def test_stack_sets_are_for_the_management_account_and_its_delegate(simulator):
    hub, delegate = simulator.client("cloudformation"), simulator.client("cloudformation", OWNER)
    name = "guardrail-keeper-member-role"
    shown = hub.describe_stack_set(StackSetName=name)["StackSet"]
    assert (shown["Status"], shown["AutoDeployment"]["Enabled"]) == ("ACTIVE", True)
    pages = delegate.get_paginator("list_stack_instances").paginate(
        StackSetName=name, CallAs="DELEGATED_ADMIN", PaginationConfig={"PageSize": 1}
    )
    instances = [instance for page in pages for instance in page["Summaries"]]
    assert [(one["Account"], one["Status"]) for one in instances] == [(OWNER, "CURRENT"), (MEMBER, "OUTDATED")]
    assert instances[1]["StackInstanceStatus"]["DetailedStatus"] == "FAILED"
    assert instances[1]["StatusReason"] == "no room"
    assert code_of(delegate.describe_stack_set, StackSetName=name) == "StackSetNotFoundException"
    member = simulator.client("cloudformation", MEMBER)
    assert code_of(member.describe_stack_set, StackSetName=name, CallAs="DELEGATED_ADMIN") == "ValidationError"
    assert code_of(hub.describe_stack_set, StackSetName="none") == "StackSetNotFoundException"


def test_functions_are_shown_with_their_mappings(simulator):
    functions = simulator.client("lambda")
    assert functions.get_function_recursion_config(FunctionName="keeper")["RecursiveLoop"] == "Allow"
    arn = f"arn:aws:lambda:us-east-1:{MANAGEMENT}:function:other"
    assert functions.get_function_recursion_config(FunctionName=arn)["RecursiveLoop"] == "Terminate"
    assert code_of(functions.get_function_recursion_config, FunctionName="none") == "ResourceNotFoundException"
    pages = functions.get_paginator("list_event_source_mappings").paginate(PaginationConfig={"PageSize": 1})
    states = [mapping["State"] for page in pages for mapping in page["EventSourceMappings"]]
    assert states == ["Disabled", "Enabled"]
    queue = f"arn:aws:sqs:us-east-1:{MANAGEMENT}:tasks.fifo"
    [mapping] = functions.list_event_source_mappings(EventSourceArn=queue)["EventSourceMappings"]
    assert mapping["FunctionArn"].endswith(":function:keeper")
    assert simulator.client("lambda", MEMBER).list_event_source_mappings()["EventSourceMappings"] == []


def test_models_are_listed(simulator):
    [model] = simulator.client("bedrock", MEMBER).list_foundation_models()["modelSummaries"]
    assert model["modelArn"] == "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0"


def test_a_key_and_its_policy_are_shown_to_its_account(simulator):
    arn = f"arn:aws:kms:us-east-1:{OWNER}:key/{KEY}"
    owner, member = simulator.client("kms", OWNER), simulator.client("kms", MEMBER)
    shown = owner.describe_key(KeyId=KEY)["KeyMetadata"]
    assert (shown["Arn"], shown["KeyState"], shown["KeyManager"]) == (arn, "Enabled", "CUSTOMER")
    policy = json.loads(owner.get_key_policy(KeyId=arn)["Policy"])
    assert policy["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{OWNER}:root"}
    assert code_of(member.get_key_policy, KeyId=arn) == "AccessDeniedException"
    assert code_of(owner.describe_key, KeyId=KEY.replace("1", "2")) == "NotFoundException"


def test_who_may_not_is_refused(simulator):
    session = simulator.assume(MEMBER, "OrganizationAccountAccessRole")
    assert simulator.client("iam", credentials=session).list_roles()["Roles"]
    nobody = simulator.assume(MEMBER, "Nobody", by=MEMBER)
    refused = {
        "iam": ("list_roles", {}), "cloudtrail": ("describe_trails", {}), "events": ("list_rules", {}),
        "cloudformation": ("describe_stack_set", {"StackSetName": "guardrail-keeper-member-role"}),
        "bedrock": ("list_foundation_models", {}), "lambda": ("list_event_source_mappings", {}),
    }
    for service, (call, arguments) in refused.items():
        client = simulator.client(service, credentials=nobody)
        assert code_of(getattr(client, call), **arguments).startswith("AccessDenied"), service
