"""What goes wrong under way: processes that are killed, roles that aren't there yet, messages nobody can read."""

import json

from place import HOME, HUB, MANAGEMENT, kill, wait_for
from test_chain import everybody, tamper


def visible_again_after(place, seconds):
    """How long SQS holds back what was handed out: no test waits the twelve minutes of a deployment."""
    for queue in ["EventsQueueUrl", "TasksQueueUrl"]:
        place.aws("sqs", HUB).set_queue_attributes(
            QueueUrl=place.outputs[queue], Attributes={"VisibilityTimeout": str(seconds)}
        )


def kill_while(place, operation):
    """Kills every process of the function while its call of that operation is under way, which never
    gets an answer. Answers how many were killed."""
    place.forget_calls()

    def under_way():
        return [call for call in place.calls() if call["operation"] == operation]

    wait_for(f"{operation} is called", under_way)
    killed = place.functions()
    for process in killed:
        kill(process)
    place.control("DELETE", "faults")
    return len(killed)


def operations(place):
    return [call["operation"] for call in place.calls()]


def test_a_worker_that_is_killed_before_its_write_loses_nothing(quiet):
    account = quiet.members[0]
    visible_again_after(quiet, 3)
    quiet.control("POST", "faults", {
        "kind": "hang", "operation": "PutEnforcedGuardrailConfiguration", "account": account,
    })
    tamper(quiet, account, HOME)
    quiet.pass_on()
    assert kill_while(quiet, "PutEnforcedGuardrailConfiguration") > 0
    wait_for("another run has done it", lambda: quiet.guarded(account))


def test_a_worker_that_is_killed_after_its_write_doesnt_write_twice(quiet):
    account = quiet.members[0]
    quiet.control("POST", "faults", {
        "kind": "hang", "operation": "PutEnforcedGuardrailConfiguration", "account": account, "carried_out": True,
    })
    tamper(quiet, account, HOME)
    quiet.pass_on()
    assert kill_while(quiet, "PutEnforcedGuardrailConfiguration") > 0
    wait_for("another run has looked", lambda: operations(quiet).index("PutEnforcedGuardrailConfiguration")
             < len(operations(quiet)) - 1 - operations(quiet)[::-1].index("ListEnforcedGuardrailsConfiguration"))
    quiet.quiet()
    assert quiet.guarded(account)
    puts = [call for call in quiet.writes() if call["operation"] == "PutEnforcedGuardrailConfiguration"]
    assert len(puts) == 1, puts


def test_a_planner_that_is_killed_loses_no_sweep(quiet, baseline):
    quiet.control("POST", "faults", {"kind": "hang", "operation": "ListAccounts"})
    for account in quiet.members:
        tamper(quiet, account, "eu-west-1")
    quiet.pass_on(lose=lambda event: True)
    quiet.put_baseline(baseline)
    assert kill_while(quiet, "ListAccounts") > 0
    wait_for("everybody is guarded again", lambda: quiet.guarded(*everybody(quiet)))


def test_an_account_without_its_role_waits_and_keeps_nobody_waiting(quiet):
    visible_again_after(quiet, 720)
    quiet.control("PUT", "settings", {"stack_set_seconds": 10})
    organizations = quiet.simulated("organizations", MANAGEMENT)
    status = organizations.create_account(AccountName="late", Email="late@example.com")["CreateAccountStatus"]["Id"]

    def joined():
        described = organizations.describe_create_account_status(CreateAccountRequestId=status)
        return described["CreateAccountStatus"].get("AccountId")

    late = wait_for("the account is there", joined)
    quiet.deploy_member(late)
    quiet.pass_on()
    wait_for("it waits", lambda: quiet.depth(quiet.outputs["EventsQueueUrl"])[2] > 0)
    assert quiet.enforced(late, HOME) is None

    tamper(quiet, quiet.members[0], HOME)
    quiet.pass_on()
    wait_for("others are worked on meanwhile", lambda: quiet.guarded(quiet.members[0]))

    quiet.control("PUT", "settings", {"stack_set_seconds": 0})
    quiet.members.append(late)
    wait_for("the late one is guarded", lambda: quiet.guarded(late))


def test_what_nobody_can_read_ends_in_the_dead_letters_with_its_reason(place):
    place.quiet()
    place.forget_calls()
    visible_again_after(place, 1)
    sqs = place.aws("sqs", HUB)
    for body in ["this is no event", "[]", json.dumps({"source": "aws.bedrock"}), "{" * 400]:
        sqs.send_message(QueueUrl=place.outputs["EventsQueueUrl"], MessageBody=body)
    wait_for("they are dead", lambda: place.depth(place.outputs["EventsDeadLettersUrl"])[0] == 4)
    visible_again_after(place, 720)
    assert place.writes() == []
    reasons = [line for line in place.log() if '"EventRejected"' in line or "rejected" in line]
    assert any("not JSON" in line for line in reasons), reasons[-5:]
    sqs.purge_queue(QueueUrl=place.outputs["EventsDeadLettersUrl"])
    wait_for("they are gone", lambda: place.dead_letters() == 0)
    assert place.guarded(*everybody(place))
