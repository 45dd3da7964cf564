"""One new account in 17 Regions, every call delayed by 50 ms: how long until everything is enforced,
beside the longest chain of calls of which each needs the answer of the one before."""

import json
import subprocess
import threading
from functools import cache

import boto3

from harness import HUB, OU, OWNER, Simulator, baseline, count, environment, middle

DELAY_MS = 50

# What each call can't begin without, by nature and not by how the keeper goes about it. No role is
# assumed before it is known that the account is a member of the baseline's organization; an
# enforcement is tried as the member before it is made, and looked at once more right before.
NEEDS = {
    "GetParameter": [],
    "DescribeOrganization": [],
    "SendMessageBatch": ["GetParameter"],
    "DescribeAccount": ["SendMessageBatch"],
    "AssumeRole, member": ["GetParameter", "DescribeOrganization", "DescribeAccount"],
    "AssumeRole, owner": ["GetParameter", "DescribeOrganization"],
    "List, first": ["AssumeRole, member"],
    "ListGuardrails": ["AssumeRole, owner"],
    "GetGuardrail": ["ListGuardrails"],
    "GetResourcePolicy": ["ListGuardrails"],
    "ApplyGuardrail": ["List, first", "GetGuardrail", "GetResourcePolicy"],
    "List, again": ["ApplyGuardrail"],
    "PutEnforcedGuardrailConfiguration": ["List, again"],
}


def measure(programs, folder, quick):
    times = 3 if quick else 9
    runs = [once(programs) for _ in range(times)]
    regions, calls = len(runs[0][2]), runs[0][1]
    chain = longest_chain(calls)
    seconds, least, most = middle([seconds for seconds, _, _ in runs])
    queued = {
        "seconds": seconds,
        "least": least,
        "most": most,
        "regions": regions,
        "chain": chain,
        "chain seconds": len(chain) * DELAY_MS / 1e3,
        "calls": count(calls),
    }
    return {"delay": DELAY_MS, "times": times, "queued": queued}


def once(programs):
    """The seconds in the handler, the calls, and the Regions that are enforced afterwards."""
    with Simulator(programs["simulator"], 20) as simulator:
        with Function(programs, simulator) as function:
            # The owner's side has been looked at, and the accounts that were there before.
            function.deliver(scheduled())
            simulator.control("PUT", "latency", {"*": DELAY_MS})
            account = newcomer(simulator, "newcomer")
            event = created(simulator)
            simulator.calls()
            seconds = function.deliver(event)
            simulator.control("DELETE", "latency")
            calls = [call for call in simulator.calls() if call["operation"] not in OF_LAMBDA]
        written = {
            call["region"]
            for call in calls
            if call["operation"].startswith("Put") and call["account"] == account
        }
        if written != set(simulator.regions):
            raise SystemExit(f"enforced in {sorted(written)} only")
        return seconds, calls, written


# What Lambda calls between a queue and a function, which here is done by Function.
OF_LAMBDA = {"ReceiveMessage", "DeleteMessage"}


class Function:
    """The handler in a process of its own, and what Lambda does between it and the queues."""

    def __init__(self, programs, simulator):
        admin = boto3.client(
            "ssm",
            region_name="us-east-1",
            endpoint_url=simulator.url,
            aws_access_key_id=f"SIM{HUB}",
            aws_secret_access_key="simulator",
        )
        admin.put_parameter(Name="/baseline", Value=baseline(simulator.regions), Type="String")
        self.sqs = boto3.client(
            "sqs",
            region_name="us-east-1",
            endpoint_url=simulator.url,
            aws_access_key_id=f"SIM{HUB}",
            aws_secret_access_key="simulator",
        )
        fifo = {"FifoQueue": "true", "VisibilityTimeout": "720"}
        self.tasks = self.sqs.create_queue(QueueName="tasks.fifo", Attributes=fifo)["QueueUrl"]
        events = self.sqs.create_queue(QueueName="events")["QueueUrl"]
        more = {
            "KEEPER_BASELINE": "ssm:/baseline",
            "KEEPER_TASKS_QUEUE": self.tasks,
            "KEEPER_EVENTS_QUEUE": events,
        }
        self.process = subprocess.Popen(
            [programs["keeper-bench"], "events"],
            env=environment(simulator.url, **more),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log = []
        threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True).start()
        self.answer()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def answer(self):
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": "it ended"}
        if "error" in answer:
            raise SystemExit(f"{answer}\n{''.join(self.log[-20:])}")
        return answer

    def invoke(self, payload):
        self.process.stdin.write(json.dumps(payload) + "\n")
        self.process.stdin.flush()
        return self.answer()["seconds"]

    def deliver(self, event):
        """Hands an event over, and whatever it leads to. The seconds are those in the handler."""
        seconds = self.invoke(batch("events", [("first", json.dumps(event), {})]))
        while True:
            found = self.sqs.receive_message(
                QueueUrl=self.tasks, MaxNumberOfMessages=1, MessageSystemAttributeNames=["All"]
            )
            if not found.get("Messages"):
                return seconds
            for message in found["Messages"]:
                record = (message["MessageId"], message["Body"], message["Attributes"])
                seconds += self.invoke(batch("tasks.fifo", [record]))
                self.sqs.delete_message(QueueUrl=self.tasks, ReceiptHandle=message["ReceiptHandle"])


def batch(queue, messages):
    return {
        "Records": [
            {
                "messageId": identifier,
                "receiptHandle": "unused",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1"} | attributes,
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:us-east-1:{HUB}:{queue}",
                "awsRegion": "us-east-1",
            }
            for identifier, body, attributes in messages
        ]
    }


def newcomer(simulator, name):
    simulator.control("DELETE", "events")
    answer = simulator.control("POST", "accounts", {"do": "create", "name": name, "parent": OU})
    return answer["account"]


def created(simulator):
    """The event that tells of the account that was made last."""
    events = [it["event"] for it in simulator.control("GET", "events")["events"]]
    return [it for it in events if it["detail"].get("eventName") == "CreateAccountResult"][-1]


def scheduled():
    return {
        "source": "guardrail-keeper.schedule",
        "id": "00000000-0000-4000-8000-000000000001",
        "time": "2026-11-22T00:00:00Z",
    }


def longest_chain(calls):
    """The names of the calls of the longest chain, first to last."""
    looks, steps = {}, {}
    for call in calls:
        name, region = call["operation"], call["region"]
        if name == "AssumeRole":
            name += ", owner" if OWNER in (call["target"] or "") else ", member"
        elif name == "ListEnforcedGuardrailsConfiguration":
            looks[region] = looks.get(region, 0) + 1
            name = "List, first" if looks[region] == 1 else "List, again"
        if name not in NEEDS:
            raise SystemExit(f"{name}: what it needs isn't known here")
        steps.setdefault(name, set()).add(region)

    @cache
    def chain(name):
        # Regions go side by side, each through the same steps, so that one stands for all.
        before = [chain(need) for need in NEEDS[name] if need in steps]
        return max(before, key=len, default=()) + (name,)

    return max((chain(name) for name in steps), key=len)
