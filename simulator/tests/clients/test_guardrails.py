"""The life of a guardrail, its versions, its policy, its enforcement and its deletion."""

import json

import pytest
from botocore.exceptions import ClientError
from conftest import GUARDRAIL, MEMBER, MODEL, OWNER

EVERYTHING = {
    "name": "everything",
    "description": "One of each.",
    "topicPolicyConfig": {
        "topicsConfig": [
            {"name": "Weather", "definition": "Talk of rain.", "examples": ["will it rain tomorrow"], "type": "DENY"}
        ],
        "tierConfig": {"tierName": "CLASSIC"},
    },
    "contentPolicyConfig": {
        "filtersConfig": [{"type": "INSULTS", "inputStrength": "HIGH", "outputStrength": "LOW"}],
        "tierConfig": {"tierName": "STANDARD"},
    },
    "wordPolicyConfig": {
        "wordsConfig": [{"text": "rosebud", "inputAction": "BLOCK", "inputEnabled": True}],
        "managedWordListsConfig": [{"type": "PROFANITY"}],
    },
    "sensitiveInformationPolicyConfig": {
        "piiEntitiesConfig": [{"type": "EMAIL", "action": "ANONYMIZE"}],
        "regexesConfig": [{"name": "ticket", "pattern": "T-[0-9]{4}", "action": "BLOCK"}],
    },
    "contextualGroundingPolicyConfig": {
        "filtersConfig": [{"type": "GROUNDING", "threshold": 0.7}],
        "tierConfig": {"tierName": "CLASSIC"},
    },
    "crossRegionConfig": {"guardrailProfileIdentifier": "us.guardrail.v1:0"},
    "blockedInputMessaging": "no",
    "blockedOutputsMessaging": "no",
    "tags": [{"key": "team", "value": "security"}],
}


def code_of(call, **arguments):
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    return raised.value.response["Error"]["Code"]


def policy(arn, actions=("bedrock:GetGuardrail", "bedrock:ApplyGuardrail")):
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": list(actions),
        "Resource": arn,
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-exampleorgid"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_the_whole_life_of_a_guardrail(simulator):
    owner = simulator.client("bedrock", OWNER)
    made = owner.create_guardrail(**EVERYTHING)
    arn = made["guardrailArn"]
    shown = owner.get_guardrail(guardrailIdentifier=arn)
    assert shown["topicPolicy"]["topics"][0]["name"] == "Weather"
    assert shown["contentPolicy"]["tier"] == {"tierName": "STANDARD"}
    assert shown["sensitiveInformationPolicy"]["regexes"][0]["name"] == "ticket"
    assert shown["crossRegionDetails"]["guardrailProfileId"] == "us.guardrail.v1:0"
    assert owner.create_guardrail_version(guardrailIdentifier=arn, description="first")["version"] == "1"
    changed = {key: value for key, value in EVERYTHING.items() if key != "tags"} | {"blockedInputMessaging": "changed"}
    owner.update_guardrail(guardrailIdentifier=made["guardrailId"], **changed)
    assert owner.get_guardrail(guardrailIdentifier=arn)["blockedInputMessaging"] == "changed"
    first = owner.get_guardrail(guardrailIdentifier=arn, guardrailVersion="1")
    assert (first["blockedInputMessaging"], first["description"]) == ("no", "first")
    assert owner.create_guardrail_version(guardrailIdentifier=arn)["version"] == "2"

    assert [each["version"] for each in owner.list_guardrails(guardrailIdentifier=arn)["guardrails"]] == [
        "DRAFT",
        "1",
        "2",
    ]
    pages = owner.get_paginator("list_guardrails").paginate(PaginationConfig={"PageSize": 1})
    assert [len(page["guardrails"]) for page in pages] == [1, 1]

    owner.tag_resource(resourceARN=arn, tags=[{"key": "stage", "value": "test"}])
    owner.untag_resource(resourceARN=arn, tagKeys=["team"])
    assert owner.list_tags_for_resource(resourceARN=arn)["tags"] == [{"key": "stage", "value": "test"}]

    assert owner.put_resource_policy(resourceArn=arn, resourcePolicy=policy(arn))["resourceArn"] == arn
    assert json.loads(owner.get_resource_policy(resourceArn=arn)["resourcePolicy"]) == json.loads(policy(arn))
    profile = arn.split(":guardrail/")[0] + ":guardrail-profile/us.guardrail.v1:0"
    owner.put_resource_policy(resourceArn=profile, resourcePolicy=policy(profile, ["bedrock:ApplyGuardrail"]))
    assert code_of(owner.put_resource_policy, resourceArn=profile, resourcePolicy=policy(profile)) == (
        "ValidationException"
    )
    owner.delete_resource_policy(resourceArn=profile)
    assert code_of(owner.get_resource_policy, resourceArn=profile) == "ResourceNotFoundException"

    member = simulator.client("bedrock", MEMBER)
    put = member.put_enforced_guardrail_configuration(
        guardrailInferenceConfig={
            "guardrailIdentifier": arn,
            "guardrailVersion": "2",
            "selectiveContentGuarding": {"system": "SELECTIVE", "messages": "COMPREHENSIVE"},
            "modelEnforcement": {"includedModels": ["ALL"], "excludedModels": ["amazon.titan-embed-text-v2:0"]},
        }
    )
    [listed] = member.list_enforced_guardrails_configuration()["guardrailsConfig"]
    assert listed["configId"] == put["configId"]
    assert listed["selectiveContentGuarding"] == {"system": "SELECTIVE", "messages": "COMPREHENSIVE"}
    member.delete_enforced_guardrail_configuration(configId=put["configId"])
    assert code_of(member.list_enforced_guardrails_configuration) == "ResourceNotFoundException"

    owner.delete_guardrail(guardrailIdentifier=arn, guardrailVersion="1")
    owner.delete_guardrail(guardrailIdentifier=arn)
    assert code_of(owner.get_guardrail, guardrailIdentifier=arn) == "ResourceNotFoundException"


def test_every_finding_is_reported_as_its_kind(simulator):
    owner = simulator.client("bedrock", OWNER)
    identifier = owner.create_guardrail(**EVERYTHING)["guardrailId"]
    runtime = simulator.client("bedrock-runtime", OWNER)

    def apply(text, source="INPUT"):
        content = [{"text": {"text": text}}]
        return runtime.apply_guardrail(
            guardrailIdentifier=identifier, guardrailVersion="DRAFT", source=source, content=content
        )

    assert apply("nothing to see")["action"] == "NONE"
    everything = apply("Rosebud, gadzooks! Will it rain tomorrow? See T-1234 or write to a@example.com.")
    assert (everything["action"], everything["outputs"]) == ("GUARDRAIL_INTERVENED", [{"text": "no"}])
    [assessment] = everything["assessments"]
    assert assessment["wordPolicy"]["customWords"][0]["match"] == "Rosebud"
    assert assessment["wordPolicy"]["managedWordLists"][0]["type"] == "PROFANITY"
    assert assessment["topicPolicy"]["topics"][0]["name"] == "Weather"
    assert assessment["sensitiveInformationPolicy"]["regexes"][0]["match"] == "T-1234"
    masked = apply("write to a@example.com", "OUTPUT")
    assert masked["outputs"] == [{"text": "write to {EMAIL}"}]


def test_converse_and_invoke_show_enforcement(simulator):
    member = simulator.client("bedrock", MEMBER)
    wanted = {"guardrailIdentifier": GUARDRAIL, "guardrailVersion": "1"}
    member.put_enforced_guardrail_configuration(guardrailInferenceConfig=wanted)
    runtime = simulator.client("bedrock-runtime", MEMBER)

    def converse(text, **more):
        messages = [{"role": "user", "content": [{"text": text}]}]
        return runtime.converse(modelId=MODEL, messages=messages, **more)

    assert converse("hello")["stopReason"] == "end_turn"
    assert converse("tungsten-rosebud")["stopReason"] == "guardrail_intervened"
    traced = converse("tungsten-rosebud", guardrailConfig=wanted | {"trace": "enabled"})
    [assessment] = traced["trace"]["guardrail"]["inputAssessment"].values()
    details = assessment["appliedGuardrailDetails"]
    assert details["guardrailOrigin"] == ["ACCOUNT_ENFORCED", "REQUEST"]
    assert details["guardrailOwnership"] == "CROSS_ACCOUNT"
    passed = converse("hello", guardrailConfig=wanted | {"trace": "enabled"})
    assert passed["trace"]["guardrail"]["outputAssessments"]
    for model, body, text in [
        (MODEL, {"messages": [{"role": "user", "content": [{"text": "tungsten-rosebud"}]}]}, "output"),
        ("anthropic.claude-3-5-sonnet-20240620-v1:0", {"messages": [{"content": "tungsten-rosebud"}]}, "content"),
        ("amazon.titan-text-express-v1", {"inputText": "tungsten-rosebud"}, "results"),
    ]:
        answer = json.loads(runtime.invoke_model(modelId=model, body=json.dumps(body))["body"].read())
        assert answer["amazon-bedrock-guardrailAction"] == "INTERVENED"
        assert "This prompt is not allowed here." in json.dumps(answer[text])


def test_streams_are_guarded_too(simulator):
    wanted = {"guardrailIdentifier": GUARDRAIL, "guardrailVersion": "1"}
    simulator.client("bedrock", MEMBER).put_enforced_guardrail_configuration(guardrailInferenceConfig=wanted)
    runtime = simulator.client("bedrock-runtime", MEMBER)

    def stream(text, **more):
        messages = [{"role": "user", "content": [{"text": text}]}]
        answer = runtime.converse_stream(modelId=MODEL, messages=messages, **more)
        return {kind: event for each in answer["stream"] for kind, event in each.items()}

    assert stream("hello")["contentBlockDelta"]["delta"]["text"] == "You said: hello"
    blocked = stream("tungsten-rosebud", guardrailConfig=wanted | {"trace": "enabled"})
    assert blocked["messageStop"]["stopReason"] == "guardrail_intervened"
    assert blocked["metadata"]["trace"]["guardrail"]["inputAssessment"]
    body = json.dumps({"messages": [{"content": "tungsten-rosebud"}]})
    model = "anthropic.claude-3-5-sonnet-20240620-v1:0"
    answer = runtime.invoke_model_with_response_stream(modelId=model, body=body)
    [chunk] = [each["chunk"]["bytes"] for each in answer["body"]]
    assert json.loads(chunk)["amazon-bedrock-guardrailAction"] == "INTERVENED"
    assert answer["contentType"] == "application/json"


def test_who_may_not_apply_the_guardrail_is_denied_and_an_excluded_model_is_untouched(simulator):
    member, runtime = simulator.client("bedrock", MEMBER), simulator.client("bedrock-runtime", MEMBER)
    nova = {"modelId": MODEL, "messages": [{"role": "user", "content": [{"text": "tungsten-rosebud"}]}]}
    other = nova | {"modelId": "anthropic.claude-3-5-sonnet-20240620-v1:0"}
    member.put_enforced_guardrail_configuration(
        guardrailInferenceConfig={
            "guardrailIdentifier": GUARDRAIL,
            "guardrailVersion": "1",
            "modelEnforcement": {"includedModels": ["ALL"], "excludedModels": [MODEL]},
        }
    )
    assert runtime.converse(**nova)["stopReason"] == "end_turn"
    assert runtime.converse(**other)["stopReason"] == "guardrail_intervened"
    # The member role may apply guardrails and call no model; the administrator loses the grant.
    keeper = simulator.client("bedrock-runtime", credentials=simulator.assume(MEMBER))
    assert code_of(keeper.converse, **other) == "AccessDeniedException"
    simulator.client("bedrock", OWNER).delete_resource_policy(resourceArn=GUARDRAIL)
    assert code_of(runtime.converse, **other) == "AccessDeniedException"
    assert runtime.converse(**nova)["stopReason"] == "end_turn"


def test_refusals_have_the_right_codes(simulator):
    owner, member = simulator.client("bedrock", OWNER), simulator.client("bedrock", MEMBER)
    runtime = simulator.client("bedrock-runtime", MEMBER)
    put = member.put_enforced_guardrail_configuration

    def wanted(identifier=GUARDRAIL, version="1"):
        return {"guardrailInferenceConfig": {"guardrailIdentifier": identifier, "guardrailVersion": version}}

    assert code_of(put, **wanted(version="DRAFT")) == "ValidationException"
    assert code_of(put, **wanted(version="7")) == "ResourceNotFoundException"
    assert code_of(put, configId="default", **wanted()) == "ResourceNotFoundException"
    put(**wanted())
    assert code_of(put, **wanted()) == "ConflictException"
    assert code_of(member.delete_guardrail, guardrailIdentifier=GUARDRAIL) == "AccessDeniedException"
    assert code_of(owner.get_guardrail, guardrailIdentifier="Not-An-Id") == "ValidationException"
    assert code_of(owner.create_guardrail, name="x") == "ValidationException"
    broken = EVERYTHING | {"name": "broken"}
    assert code_of(owner.create_guardrail, **(broken | {"topicPolicyConfig": {"topicsConfig": []}})) == (
        "ValidationException"
    )
    simulator.client("bedrock", OWNER).put_enforced_guardrail_configuration(**wanted())
    assert code_of(owner.delete_guardrail, guardrailIdentifier=GUARDRAIL) == "ResourceInUseException"
    simulator.control("PUT", "switches", {"cross-account-reference": "refused"})
    assert code_of(put, **wanted()) in ("ValidationException", "ConflictException")
    outsider = simulator.client("bedrock-runtime", "400000000001")
    apply = {"guardrailIdentifier": GUARDRAIL, "guardrailVersion": "1", "source": "INPUT", "content": []}
    assert code_of(outsider.apply_guardrail, **apply) == "AccessDeniedException"
    assert code_of(runtime.apply_guardrail, **(apply | {"source": "SIDEWAYS"})) == "ValidationException"
    assert code_of(runtime.converse, modelId="no.such-model", messages=[]) == "ValidationException"
    nobody = simulator.client("bedrock", "999999999999")
    assert code_of(nobody.list_guardrails) == "UnrecognizedClientException"
