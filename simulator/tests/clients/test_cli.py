"""The same with the AWS CLI, as a person would."""

import json

import pytest
from conftest import GUARDRAIL, MEMBER, MODEL, OWNER


def test_a_member_is_guarded_by_hand(simulator):
    assert simulator.cli("sts", "get-caller-identity")["Account"] == "111111111111"
    accounts = simulator.cli("organizations", "list-accounts")["Accounts"]
    assert len(accounts) == 8
    guardrails = simulator.cli("bedrock", "list-guardrails", account=OWNER)["guardrails"]
    assert [guardrail["name"] for guardrail in guardrails] == ["corporate-baseline"]
    with pytest.raises(RuntimeError, match="No default guardrail configuration is associated with the account"):
        simulator.cli("bedrock", "list-enforced-guardrails-configuration", account=MEMBER)
    wanted = f"guardrailIdentifier={GUARDRAIL},guardrailVersion=2"
    put = ("bedrock", "put-enforced-guardrail-configuration", "--guardrail-inference-config", wanted)
    made = simulator.cli(*put, account=MEMBER)
    with pytest.raises(RuntimeError, match="ConflictException"):
        simulator.cli(*put, account=MEMBER)
    assert simulator.cli(*put, "--config-id", made["configId"], account=MEMBER)["configId"] == made["configId"]
    messages = json.dumps([{"role": "user", "content": [{"text": "say tungsten-rosebud"}]}])
    converse = ("bedrock-runtime", "converse", "--model-id", MODEL, "--messages", messages)
    assert simulator.cli(*converse, account=MEMBER)["stopReason"] == "guardrail_intervened"
    policy = simulator.cli("bedrock", "get-resource-policy", "--resource-arn", GUARDRAIL, account=OWNER)
    assert "o-exampleorgid" in policy["resourcePolicy"]
    simulator.cli(
        "bedrock", "delete-enforced-guardrail-configuration", "--config-id", made["configId"], account=MEMBER
    )
    assert simulator.cli(*converse, account=MEMBER)["stopReason"] == "end_turn"


def test_a_wrong_parameter_never_leaves_the_machine(simulator):
    with pytest.raises(RuntimeError, match="guardrailVersion"):
        simulator.cli("bedrock", "put-enforced-guardrail-configuration", "--guardrail-inference-config", "guardrailIdentifier=x")
    assert simulator.control("GET", "calls")["calls"] == []
