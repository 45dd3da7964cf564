"""The check itself: it must notice when an answer is spoiled."""

import json

import pytest
from conftest import MEMBER, OWNER, GUARDRAIL


def change(**members):
    """Spoils an answer by changing members of its body; None takes a member away."""

    def spoil(status, headers, body):
        answer = json.loads(body)
        for name, value in members.items():
            if value is None:
                answer.pop(name, None)
            else:
                answer[name] = value
        return status, headers, json.dumps(answer).encode()

    return spoil


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (change(guardrailId=None), "guardrailId is missing"),
        (change(guardrailId="UPPER"), "doesn't match"),
        (change(status="RIPE"), "is none of"),
        (change(name="x" * 51), "is larger than"),
        (change(createdAt=1793610000), "is not a time of ISO 8601"),
        (change(surprise=1), "is not a member of"),
        (change(version=1), "is not a string"),
        (change(description=None, wordPolicy={"words": []}), "is smaller than"),
        (lambda status, headers, body: (201, headers, body), "the status should be 200"),
        (lambda status, headers, body: (status, headers | {"content-type": "text/plain"}, body), "content type"),
    ],
)
def test_a_spoiled_answer_is_noticed(simulator, spoil, problem):
    checker = simulator.proxy.checker
    checker.spoil = spoil
    try:
        simulator.client("bedrock", OWNER).get_guardrail(guardrailIdentifier=GUARDRAIL)
    except Exception:  # noqa: BLE001  Some spoiled answers are too much for boto3 too.
        pass
    noticed, checker.problems = checker.problems, []
    assert any(problem in each for each in noticed), noticed


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda status, headers, body: (400, headers, body), "the status of ResourceNotFoundException should be 404"),
        (
            lambda status, headers, body: (status, headers | {"x-amzn-errortype": "NoSuchThing"}, body),
            "is no error of this operation",
        ),
    ],
)
def test_a_spoiled_error_is_noticed(simulator, spoil, problem):
    checker = simulator.proxy.checker
    checker.spoil = spoil
    with pytest.raises(Exception):  # noqa: B017, PT011
        simulator.client("bedrock", MEMBER).list_enforced_guardrails_configuration()
    noticed, checker.problems = checker.problems, []
    assert any(problem in each for each in noticed), noticed


def header(name, value):
    return lambda status, headers, body: (status, headers | {name: value}, body)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (header("x-amzn-query-error", "QueueDoesNotExist;Sender"), "x-amzn-query-error of QueueDoesNotExist is"),
        (change(__type="QueueDoesNotExist"), "is of com.amazonaws.sqs"),
        (change(__type="com.amazonaws.sqs#MessageNotInflight"), "is no error of this operation"),
        (lambda status, headers, body: (404, headers, body), "the status of QueueDoesNotExist should be 400"),
    ],
)
def test_a_spoiled_error_of_a_queue_is_noticed(simulator, spoil, problem):
    checker = simulator.proxy.checker
    checker.spoil = spoil
    with pytest.raises(Exception):  # noqa: B017, PT011
        simulator.client("sqs").get_queue_url(QueueName="none")
    noticed, checker.problems = checker.problems, []
    assert any(problem in each for each in noticed), noticed


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (change(MD5OfMessageBody=1), "is not a string"),
        (change(Id="x"), "is not a member of"),
        (header("content-type", "application/x-amz-json-1.1"), "content type"),
    ],
)
def test_a_spoiled_answer_of_a_queue_is_noticed(simulator, spoil, problem):
    checker = simulator.proxy.checker
    sqs = simulator.client("sqs")
    url = sqs.create_queue(QueueName="events")["QueueUrl"]
    checker.spoil = spoil
    sqs.send_message(QueueUrl=url, MessageBody="hello")
    noticed, checker.problems = checker.problems, []
    assert any(problem in each for each in noticed), noticed
