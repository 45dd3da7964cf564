"""The way out, as docs/deploy.md describes it: at its end nothing is enforced by the keeper, and what it knew is kept."""

import json

from place import HOME, HUB, MANAGEMENT, OWNER, REGIONS, STACK, guardrail, wait_for
from test_chain import everybody


def test_an_account_that_is_to_leave_is_released_first(quiet):
    leaving = quiet.members[-1]
    quiet.guardrailctl("offboard", "--yes", leaving)
    assert all(quiet.enforced(leaving, region) is None for region in REGIONS)
    quiet.simulated("organizations", MANAGEMENT).remove_account_from_organization(AccountId=leaving)
    quiet.members.remove(leaving)
    quiet.pass_on()
    wait_for("its record is closed", lambda: json.loads(
        quiet.ledger()[f"account#{leaving}"]["document"]["S"]
    )["closed"])
    assert quiet.guarded(*everybody(quiet))


def test_a_baseline_that_releases_everybody_waits_for_approval(quiet, baseline):
    without = baseline.replace("guardrail: corporate", "guardrail: none")
    quiet.put_baseline(without)
    wait_for("it was counted", lambda: any("LimitsExceeded" in line for line in quiet.log()))
    quiet.quiet()
    assert quiet.guarded(*everybody(quiet))
    revision = json.loads(quiet.ledger()["rollout"]["document"]["S"])["revision"]
    quiet.guardrailctl("approve", "--yes", revision)
    wait_for("everybody is released", lambda: all(
        quiet.enforced(account, region) is None for account in everybody(quiet) for region in REGIONS
    ))


def test_nothing_is_left_but_what_is_kept_on_purpose(quiet, baseline):
    quiet.quiet()
    said = json.loads(quiet.guardrailctl("status", "--output", "json").stdout)
    assert all(target["state"] in ("in_sync", "released", "left_alone") for target in said["targets"]), said
    # The grant was there before the keeper was, so it stays.
    for region in REGIONS:
        bedrock = quiet.simulated("bedrock", OWNER, region)
        assert "o-exampleorgid" in bedrock.get_resource_policy(resourceArn=guardrail(region))["resourcePolicy"]
    table = quiet.outputs["LedgerTableName"]
    quiet.deploy_hub(ProtectLedger="false")
    cloudformation = quiet.aws("cloudformation", HUB)
    cloudformation.delete_stack(StackName=STACK)

    def gone():
        stacks = cloudformation.describe_stacks()["Stacks"]
        return all(stack["StackName"] != STACK or stack["StackStatus"] == "DELETE_COMPLETE" for stack in stacks)

    wait_for("the stack is deleted", gone)
    assert table in quiet.aws("dynamodb", HUB).list_tables()["TableNames"]
    assert quiet.aws("ssm", HUB).get_parameter(Name="/guardrail-keeper/baseline")
    assert quiet.aws("sqs", HUB).list_queues().get("QueueUrls", []) == [quiet.outcomes_queue]
    # What the session's end looks at is gone as well.
    quiet.outputs = quiet.deploy_hub(ExistingLedgerTable=table)
    quiet.put_baseline(baseline)
    wait_for("a new stack goes on with the old ledger", lambda: quiet.guarded(*everybody(quiet)))
    assert quiet.outputs["LedgerTableName"] == table and HOME in quiet.outputs["BusArn"]
