"""Worlds: the schema, the example, one of everything, and what is said about one that can't be."""

import json
import os
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml
from conftest import OWNER, Simulator

WORLDS = Path(__file__).parents[2] / "worlds"
SCHEMA = json.loads((WORLDS / "schema.json").read_text())

EVERYTHING = """
organization: { id: o-anotherorg1, root: r-abcd, management_account: "100000000001" }
start: 2027-01-01T00:00:00Z
regions: { us-east-1: ENABLED_BY_DEFAULT, af-south-1: DISABLED }
organizational_units: [{ id: ou-abcd-11111111, name: All, parent: r-abcd }]
accounts:
  - { id: "100000000001", name: root, parent: r-abcd }
  - id: "222222222222"
    name: owner
    email: owner@example.org
    parent: ou-abcd-11111111
    joined: INVITED
    tags: { stage: prod }
    delegated: [account.amazonaws.com]
    opt_in: { af-south-1: ENABLED }
    roles:
      - name: Reader
        trust: { principals: ["*"], external_id: sesame, organization: o-anotherorg1 }
        permissions: { allow: [{ actions: ["bedrock:Get*"] }], deny: [{ actions: ["bedrock:GetResourcePolicy"] }] }
        path: /readers/
        boundary: { allow: [{ actions: ["bedrock:*"] }] }
    users: [{ name: ann, permissions: { allow: [{ actions: ["*"], policy_type: BEDROCK_POLICY }] }, boundary: { deny: [{ actions: ["s3:*"] }] } }]
control_policies: [{ id: p-FullAWSAccess, name: FullAWSAccess, content: "{}", targets: [r-abcd], of_aws: true }]
bedrock_policies:
  - { id: p-example1234, name: all, description: everything, tags: { team: security }, targets: [r-abcd],
      content: { bedrock: { guardrail_inference: { us-east-1: { config_1: { identifier: { "@@assign": "x" } } } } } } }
bedrock_policies_enabled: true
delegation_policy:
  Version: "2012-10-17"
  Statement:
    - { Effect: Allow, Principal: { AWS: "222222222222" }, Action: organizations:DescribePolicy, Resource: "*" }
service_control: [{ targets: [r-abcd], deny: ["bedrock:DeleteGuardrail"], except: ["*/Admin"], regions: [us-east-1] }]
models: [{ id: amazon.nova-pro-v1:0 }, { id: amazon.titan-embed-text-v2:0, kind: embedding }]
guardrails:
  - account: "222222222222"
    region: us-east-1
    id: abc123
    versions: 1
    tags: { team: security }
    resource_policy: { Version: "2012-10-17", Statement: [] }
    content:
      name: only
      blockedInputMessaging: "no"
      blockedOutputsMessaging: "no"
      wordPolicyConfig: { wordsConfig: [{ text: rosebud }] }
enforcements:
  - account: "222222222222"
    region: us-east-1
    configuration: { guardrailIdentifier: abc123, guardrailVersion: "1" }
parameters: [{ account: "222222222222", region: us-east-1, name: /baseline, value: hello }]
trails:
  - { account: "222222222222", region: us-east-1, name: own, multi_region: true, organization: false, logging: true,
      management: write, advanced: true }
event_buses: [{ account: "222222222222", region: us-east-1, name: keeper }]
bus_rules:
  - { account: "222222222222", region: us-east-1, bus: keeper, name: all, pattern: { source: [aws.bedrock] },
      enabled: false, targets: [{ id: hub, arn: "arn:aws:sqs:us-east-1:222222222222:events", role: any }] }
stack_sets:
  - { region: us-east-1, name: roles, status: ACTIVE, auto_deployment: false, instances: [
      { account: "222222222222", region: us-east-1, status: OUTDATED, detailed_status: FAILED, reason: full }] }
functions:
  - { account: "222222222222", region: us-east-1, name: keeper, recursive_loop: Allow,
      mappings: [{ queue: "arn:aws:sqs:us-east-1:222222222222:events", state: Disabled }] }
settings: { stack_set_seconds: null, propagation_seconds: 3 }
"""


def serve(path):
    command = [os.environ["SIMULATOR_BIN"], "serve", "--world", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)


@pytest.mark.parametrize("text", [(WORLDS / "example.yaml").read_text(), EVERYTHING], ids=["example", "everything"])
def test_the_schema_admits_what_the_simulator_reads(text):
    jsonschema.validate(yaml.load(text, Loader=yaml.BaseLoader) | numbers(text), SCHEMA)


def numbers(text):
    """What isn't text in a world, read as YAML means it; times stay text, which they are in JSON."""
    world = yaml.safe_load(text)
    return {name: world[name] for name in ("settings", "guardrails", "trails", "bus_rules", "stack_sets", "functions", "bedrock_policies_enabled", "control_policies") if name in world}


def test_a_world_of_ones_own(tmp_path):
    path = tmp_path / "world.yaml"
    path.write_text(EVERYTHING)
    simulator = Simulator("--world", str(path))
    owner = simulator.client("bedrock", OWNER)
    [enforced] = owner.list_enforced_guardrails_configuration()["guardrailsConfig"]
    assert enforced["guardrailId"] == "abc123"
    assert simulator.client("ssm", OWNER).get_parameter(Name="/baseline")["Parameter"]["Value"] == "hello"
    assert simulator.client("bedrock", OWNER, "af-south-1").list_guardrails()["guardrails"] == []
    organizations = simulator.client("organizations", OWNER)
    assert organizations.list_accounts()["Accounts"]
    effective = organizations.describe_effective_policy(PolicyType="BEDROCK_POLICY")["EffectivePolicy"]
    assert json.loads(effective["PolicyContent"])["bedrock"]["guardrail_inference"]["us-east-1"]
    assert simulator.stop() == 0
    assert simulator.proxy.checker.problems == []


def test_what_is_wrong_is_said_with_its_place(tmp_path):
    path = tmp_path / "world.yaml"
    path.write_text(EVERYTHING.replace("service_control:", "service_controls:"))
    refused = serve(path)
    assert refused.returncode == 1
    assert "service_controls" in refused.stderr and "line" in refused.stderr
    path.write_text(EVERYTHING.replace('guardrailVersion: "1"', 'guardrailVersion: "5"'))
    refused = serve(path)
    assert "enforcement in 222222222222/us-east-1" in refused.stderr, refused.stderr
    assert "cannot read" in serve(tmp_path / "none.yaml").stderr
