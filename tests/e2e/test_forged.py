"""What somebody who got past the policies of bus and queue could make the keeper believe: nothing.

That members, strangers and other organizations don't get past is told by tests/events, which evaluates
those policies.
"""

import json
import time

from place import HOME, HUB, MANAGEMENT, OWNER, REGIONS, wait_for
from test_chain import everybody

STRANGER = "999999999999"


def service_event(name, account=MANAGEMENT, source="aws.organizations", **detail):
    return {
        "id": f"forged-{time.monotonic_ns()}", "account": account, "region": HOME, "time": time.time(),
        "source": source, "detail-type": "AWS API Call via CloudTrail", "resources": [],
        "detail": {"eventSource": f"{source.removeprefix('aws.')}.amazonaws.com", "eventName": name, **detail},
    }


def forged(place):
    """Events that say what isn't so, on the hub's own bus."""
    victim = place.members[0]
    yield service_event(
        "CreateAccountResult",
        serviceEventDetails={"createAccountStatus": {"state": "SUCCEEDED", "accountId": STRANGER}},
    )
    yield service_event("AcceptHandshake", userIdentity={"accountId": STRANGER}, recipientAccountId=STRANGER)
    yield service_event("MoveAccount", requestParameters={
        "accountId": STRANGER, "sourceParentId": "r-exam", "destinationParentId": "ou-exam-workload",
    })
    for name in ["RemoveAccountFromOrganization", "CloseAccount"]:
        yield service_event(name, requestParameters={"accountId": victim})
    yield service_event("LeaveOrganization", account=victim, recipientAccountId=victim)
    yield service_event("AccountDepartedOrganization", serviceEventDetails={"accountId": victim})
    yield service_event("MoveAccount", account=victim, requestParameters={
        "accountId": victim, "sourceParentId": "ou-exam-workload", "destinationParentId": "ou-exam-sandbox1",
    })
    # That nothing is enforced any more, in a place that isn't one, and in a Region that is an address.
    for account, region in [(victim, HOME), (STRANGER, HOME), (victim, "us-east-1.evil.example"), (victim, "eu-west-1@x")]:
        yield {
            **service_event(
                "DeleteEnforcedGuardrailConfiguration", account=account, source="aws.bedrock",
                awsRegion=region, recipientAccountId=account, requestParameters={"configId": "cfg"},
            ),
            "region": region,
        }
    yield service_event("DeleteGuardrail", account=STRANGER, source="aws.bedrock", requestParameters={
        "guardrailIdentifier": f"arn:aws:bedrock:{HOME}:{STRANGER}:guardrail/stranger1234",
    })
    # A request of another account: the rule takes those of the hub only.
    yield {
        **service_event("", account=victim, source="custom"),
        "detail-type": "Reconcile Requested", "detail": {"accounts": [STRANGER], "reason": "forged"},
    }


def test_forged_events_change_nothing_and_lead_nowhere(quiet):
    before = quiet.ledger()
    events = list(forged(quiet))
    for event in events:
        quiet.put_event(event, bus=quiet.outputs["BusName"], account=HUB, region=HOME)
    quiet.quiet()
    wait_for("somebody looked", lambda: any(
        call["operation"] == "DescribeAccount" and STRANGER in str(call) for call in quiet.calls()
    ))
    quiet.quiet()
    assert quiet.guarded(*everybody(quiet))
    assert quiet.writes() == []
    assumed = [call for call in quiet.calls() if call["operation"] == "AssumeRole"]
    assert all(STRANGER not in str(call) for call in assumed), assumed
    hosts = [line for line in quiet.log() if "evil.example" in line and "dispatch failure" in line]
    assert hosts == []
    after = quiet.ledger()
    assert before.keys() == after.keys()
    victim = json.loads(after[f"account#{quiet.members[0]}"]["document"]["S"])
    assert victim["closed"] is None and victim["offboarding"] is None
    assert all(quiet.enforced(quiet.members[0], region) for region in REGIONS)


def test_a_request_of_the_hub_for_a_stranger_is_refused_by_the_organization(quiet):
    quiet.aws("events", HUB).put_events(Entries=[{
        "EventBusName": quiet.outputs["BusName"], "Source": "somebody", "DetailType": "Reconcile Requested",
        "Detail": '{"accounts": ["%s"], "reason": "a typing error"}' % STRANGER,
    }])
    wait_for("the organization was asked", lambda: any(
        call["operation"] == "DescribeAccount" and STRANGER in str(call) for call in quiet.calls()
    ))
    quiet.quiet()
    assert not any(call["operation"] == "AssumeRole" and STRANGER in str(call) for call in quiet.calls())
    assert f"account#{STRANGER}" not in quiet.ledger()
