"""Queues of SQS and events of programs, by clients that nobody here wrote."""

import hashlib
import json
import struct

import pytest
from botocore.exceptions import ClientError
from conftest import MANAGEMENT, MEMBER
from test_guardrails import code_of


def made(simulator, name="events", **attributes):
    sqs = simulator.client("sqs")
    return sqs, sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()  # noqa: S324  It is what SQS uses.


def md5_of_attributes(attributes):
    """As the developer guide of SQS describes it."""
    digest = hashlib.md5()  # noqa: S324

    def add(part):
        digest.update(struct.pack("!I", len(part)) + part)

    for name in sorted(attributes):
        value = attributes[name]
        add(name.encode())
        add(value["DataType"].encode())
        binary = value["DataType"].startswith("Binary")
        digest.update(b"\x02" if binary else b"\x01")
        add(value["BinaryValue"] if binary else value["StringValue"].encode())
    return digest.hexdigest()


def test_a_message_goes_through_a_standard_queue(simulator):
    sqs, url = made(simulator, VisibilityTimeout="40", DelaySeconds="0", MessageRetentionPeriod="600")
    assert url.startswith(simulator.proxy.url), "where the client found the simulator"
    assert url.endswith(f"/{MANAGEMENT}/events")
    assert sqs.get_queue_url(QueueName="events")["QueueUrl"] == url
    assert sqs.get_queue_url(QueueName="events", QueueOwnerAWSAccountId=MANAGEMENT)["QueueUrl"] == url
    attributes = {
        "one": {"DataType": "String", "StringValue": "größer"},
        "two": {"DataType": "Number.int", "StringValue": "2"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}
    body = json.dumps({"größe": 3})
    sent = sqs.send_message(
        QueueUrl=url, MessageBody=body, MessageAttributes=attributes, MessageSystemAttributes=trace
    )
    assert sent["MD5OfMessageBody"] == md5(body)
    assert sent["MD5OfMessageAttributes"] == md5_of_attributes(attributes)
    assert sent["MD5OfMessageSystemAttributes"] == md5_of_attributes(trace)
    [message] = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"],
        WaitTimeSeconds=20,
    )["Messages"]
    assert (message["Body"], message["MD5OfBody"]) == (body, md5(body))
    assert message["MessageAttributes"] == attributes
    assert message["MD5OfMessageAttributes"] == md5_of_attributes(attributes)
    assert message["Attributes"]["AWSTraceHeader"] == trace["AWSTraceHeader"]["StringValue"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    shown = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert shown["QueueArn"] == f"arn:aws:sqs:us-east-1:{MANAGEMENT}:events"
    assert (shown["ApproximateNumberOfMessagesNotVisible"], shown["VisibilityTimeout"]) == ("1", "40")
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    few = {"AttributeNames": ["SentTimestamp"], "MessageAttributeNames": ["t*", "on.*"]}
    [again] = sqs.receive_message(QueueUrl=url, **few)["Messages"]
    assert list(again["Attributes"]) == ["SentTimestamp"]
    assert list(again["MessageAttributes"]) == ["one"]
    assert again["MD5OfMessageAttributes"] == md5_of_attributes({"one": attributes["one"]})
    sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=url)


def test_a_fifo_queue_keeps_order_and_forgets_copies(simulator):
    sqs, url = made(simulator, "tasks.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    entries = [
        {"Id": str(number), "MessageBody": f"{group}{number}", "MessageGroupId": group}
        for number, group in enumerate("aab")
    ]
    first = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"] == first["Successful"]
    numbers = [int(each["SequenceNumber"]) for each in first["Successful"]]
    assert numbers == sorted(set(numbers))
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"])["Messages"]
    assert [message["Body"] for message in received] == ["a0", "a1", "b2"]
    assert received[0]["Attributes"]["MessageDeduplicationId"] == hashlib.sha256(b"a0").hexdigest()
    assert received[0]["Attributes"]["MessageGroupId"] == "a"
    handles = [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(received)]
    done = sqs.delete_message_batch(QueueUrl=url, Entries=handles[:2] + [{"Id": "x", "ReceiptHandle": "none"}])
    assert [each["Id"] for each in done["Successful"]] == ["0", "1"]
    assert [(each["Id"], each["Code"]) for each in done["Failed"]] == [("x", "ReceiptHandleIsInvalid")]
    simulator.control("POST", "clock", {"advance_seconds": 30})
    late = code_of(sqs.delete_message, QueueUrl=url, ReceiptHandle=received[2]["ReceiptHandle"])
    assert late == "InvalidParameterValue"
    shown = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["FifoQueue", "ApproximateNumberOfMessages"])
    assert shown["Attributes"] == {"FifoQueue": "true", "ApproximateNumberOfMessages": "1"}


def test_poison_ends_in_the_dead_letter_queue(simulator):
    sqs, dead = made(simulator, "dead")
    policy = {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{MANAGEMENT}:dead", "maxReceiveCount": 1}
    _, live = made(simulator, "live", RedrivePolicy=json.dumps(policy))
    sqs.send_message(QueueUrl=live, MessageBody="poison")
    assert sqs.receive_message(QueueUrl=live)["Messages"]
    simulator.control("POST", "clock", {"advance_seconds": 30})
    assert "Messages" not in sqs.receive_message(QueueUrl=live)
    [message] = sqs.receive_message(QueueUrl=dead, AttributeNames=["All"])["Messages"]
    assert message["Attributes"]["DeadLetterQueueSourceArn"].endswith(":live")
    shown = simulator.control("GET", "queues")["queues"]
    assert [(each["queue"]["name"], len(each["messages"])) for each in shown] == [("dead", 1), ("live", 0)]


def test_refusals_of_queues(simulator):
    sqs, url = made(simulator)
    _, fifo = made(simulator, "tasks.fifo", FifoQueue="true")
    sqs.send_message(QueueUrl=url, MessageBody="hello")
    [message] = sqs.receive_message(QueueUrl=url)["Messages"]
    held = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
    nowhere = f"http://localhost/{MANAGEMENT}/none"
    one = {"Id": "a", "MessageBody": "x"}
    for call, arguments, code in [
        (sqs.create_queue, {"QueueName": "a b"}, "InvalidParameterValue"),
        (sqs.create_queue, {"QueueName": "a", "Attributes": {"Colour": "red"}}, "InvalidAttributeName"),
        (sqs.create_queue, {"QueueName": "a", "Attributes": {"DelaySeconds": "x"}}, "InvalidAttributeValue"),
        (sqs.create_queue, {"QueueName": "events", "Attributes": {"DelaySeconds": "9"}}, "QueueAlreadyExists"),
        (sqs.get_queue_url, {"QueueName": "none"}, "AWS.SimpleQueueService.NonExistentQueue"),
        (sqs.send_message, {"QueueUrl": nowhere, "MessageBody": "x"}, "AWS.SimpleQueueService.NonExistentQueue"),
        (sqs.send_message, {"MessageBody": "x"}, "AWS.SimpleQueueService.NonExistentQueue"),
        (sqs.get_queue_attributes, {"QueueUrl": url, "AttributeNames": ["Colour"]}, "InvalidAttributeName"),
        (sqs.send_message, {"QueueUrl": url, "MessageBody": ""}, "MissingParameter"),
        (sqs.send_message, {"QueueUrl": url, "MessageBody": "\x00"}, "InvalidMessageContents"),
        (sqs.send_message, {"QueueUrl": url, "MessageBody": "x", "DelaySeconds": 901}, "InvalidParameterValue"),
        (sqs.send_message, {"QueueUrl": url, "MessageBody": "x" * 1_048_577}, "InvalidParameterValue"),
        (sqs.send_message, {"QueueUrl": fifo, "MessageBody": "x"}, "MissingParameter"),
        (sqs.send_message, {"QueueUrl": fifo, "MessageBody": "x", "MessageGroupId": "a"}, "InvalidParameterValue"),
        (sqs.send_message_batch, {"QueueUrl": url, "Entries": []}, "AWS.SimpleQueueService.EmptyBatchRequest"),
        (
            sqs.send_message_batch,
            {"QueueUrl": url, "Entries": [one, one]},
            "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        ),
        (
            sqs.send_message_batch,
            {"QueueUrl": url, "Entries": [one | {"Id": str(number)} for number in range(11)]},
            "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        ),
        (sqs.send_message_batch, {"QueueUrl": url, "Entries": [one | {"Id": "?"}]}, "AWS.SimpleQueueService.InvalidBatchEntryId"),
        (
            sqs.send_message_batch,
            {"QueueUrl": url, "Entries": [{"Id": each, "MessageBody": "x" * 600_000} for each in "ab"]},
            "AWS.SimpleQueueService.BatchRequestTooLong",
        ),
        (sqs.receive_message, {"QueueUrl": url, "MaxNumberOfMessages": 11}, "InvalidParameterValue"),
        (sqs.receive_message, {"QueueUrl": url, "WaitTimeSeconds": 21}, "InvalidParameterValue"),
        (sqs.delete_message, {"QueueUrl": url, "ReceiptHandle": "none"}, "ReceiptHandleIsInvalid"),
        (sqs.delete_message, {"QueueUrl": url}, "MissingParameter"),
        (sqs.change_message_visibility, held | {"VisibilityTimeout": 43_201}, "InvalidParameterValue"),
        (sqs.change_message_visibility, held, "MissingParameter"),
    ]:
        assert code_of(call, **arguments) == code, str(arguments)[:200]
    sqs.change_message_visibility(**held, VisibilityTimeout=0)
    late = code_of(sqs.change_message_visibility, **held, VisibilityTimeout=9)
    assert late == "AWS.SimpleQueueService.MessageNotInflight"
    sqs.purge_queue(QueueUrl=url)
    assert code_of(sqs.purge_queue, QueueUrl=url) == "AWS.SimpleQueueService.PurgeQueueInProgress"
    stranger = simulator.client("sqs", MEMBER)
    assert code_of(stranger.send_message, QueueUrl=url, MessageBody="x") == "AccessDenied"
    nobody = simulator.client("sqs", "999999999999")
    assert code_of(nobody.send_message, QueueUrl=url, MessageBody="x") == "InvalidClientTokenId"
    assert code_of(sqs.list_queues) == "InvalidAction"


def test_faults_of_queues_and_buses(simulator):
    sqs, url = made(simulator)
    events = simulator.client("events")
    entry = {"Source": "guardrail-keeper", "DetailType": "Held", "Detail": "{}"}
    simulator.control("POST", "faults", {"kind": "throttle", "about": "events", "times": 1})
    assert code_of(sqs.send_message, QueueUrl=url, MessageBody="x") == "RequestThrottled"
    simulator.control("DELETE", "faults")
    simulator.control("POST", "faults", {"kind": "server-error"})
    assert code_of(sqs.send_message, QueueUrl=url, MessageBody="x") == "InternalFailure"
    assert code_of(events.put_events, Entries=[entry]) == "InternalException"
    simulator.control("DELETE", "faults")
    simulator.control("POST", "faults", {"kind": {"part-of-batch": {"code": "InternalError"}}})
    messages = [{"Id": each, "MessageBody": each} for each in "abc"]
    sent = sqs.send_message_batch(QueueUrl=url, Entries=messages)
    assert [each["Id"] for each in sent["Failed"]] == ["a", "c"]
    put = events.put_events(Entries=[entry, entry])
    assert (put["FailedEntryCount"], put["Entries"][0]["ErrorCode"]) == (1, "InternalError")


def test_events_are_put_on_a_bus(simulator):
    events = simulator.client("events", region="eu-west-1")
    entry = {"Source": "guardrail-keeper", "DetailType": "Held", "Detail": json.dumps({"account": MEMBER})}
    put = events.put_events(
        Entries=[
            entry | {"EventBusName": "keeper", "Resources": ["arn:aws:iam::111111111111:root"], "Time": 1790000000},
            entry | {"Source": "aws.bedrock"},
            entry | {"Detail": "no"},
        ]
    )
    assert put["FailedEntryCount"] == 2
    codes = [each.get("ErrorCode") for each in put["Entries"]]
    assert codes == [None, "NotAuthorizedForSourceException", "MalformedDetail"]
    [kept] = simulator.control("GET", "put-events")["events"]
    assert (kept["account"], kept["region"], kept["bus"]) == (MANAGEMENT, "eu-west-1", "keeper")
    assert kept["event"]["detail"] == {"account": MEMBER}
    assert kept["event"]["id"] == put["Entries"][0]["EventId"]
    assert code_of(events.put_events, Entries=[entry] * 11) == "ValidationException"
    large = entry | {"Detail": json.dumps("x" * 600_000)}
    assert code_of(events.put_events, Entries=[large, large]) == "ValidationException"
    function = simulator.client("events", credentials=simulator.assume(MEMBER))
    assert code_of(function.put_events, Entries=[entry]) == "AccessDeniedException"


def test_the_resources_of_boto3_work_too(simulator):
    """An older way to call the same, with objects for queues and messages."""
    import boto3

    keys = {"aws_access_key_id": f"SIM{MANAGEMENT}", "aws_secret_access_key": "simulator"}
    sqs = boto3.resource("sqs", region_name="us-east-1", endpoint_url=simulator.proxy.url, **keys)
    queue = sqs.create_queue(QueueName="events")
    queue.send_message(MessageBody="hello")
    [message] = queue.receive_messages()
    assert message.body == "hello"
    message.delete()
    queue.load()
    assert queue.attributes["ApproximateNumberOfMessages"] == "0"
    with pytest.raises(ClientError, match="NonExistentQueue"):
        sqs.get_queue_by_name(QueueName="none")


def test_queues_and_buses_by_hand(simulator):
    attributes = json.dumps({"FifoQueue": "true", "VisibilityTimeout": "720"})
    made = simulator.cli("sqs", "create-queue", "--queue-name", "tasks.fifo", "--attributes", attributes)
    at = ("--queue-url", made["QueueUrl"])
    message = ("--message-body", "hello", "--message-group-id", "a", "--message-deduplication-id", "1")
    sent = simulator.cli("sqs", "send-message", *at, *message)
    assert simulator.cli("sqs", "send-message", *at, *message)["SequenceNumber"] == sent["SequenceNumber"]
    [received] = simulator.cli("sqs", "receive-message", *at, "--attribute-names", "All")["Messages"]
    assert received["Attributes"]["MessageGroupId"] == "a"
    simulator.cli("sqs", "delete-message", *at, "--receipt-handle", received["ReceiptHandle"])
    shown = simulator.cli("sqs", "get-queue-attributes", *at, "--attribute-names", "All")["Attributes"]
    assert shown["ApproximateNumberOfMessages"] == "0"
    with pytest.raises(RuntimeError, match="MissingParameter"):
        simulator.cli("sqs", "send-message", *at, "--message-body", "hello")
    entry = json.dumps([{"Source": "guardrail-keeper", "DetailType": "Held", "Detail": "{}"}])
    put = simulator.cli("events", "put-events", "--entries", entry)
    assert put["FailedEntryCount"] == 0
