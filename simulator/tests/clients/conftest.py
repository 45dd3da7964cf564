"""A simulator for each test, seen through the checker."""

import json
import os
import re
import subprocess
import urllib.request

import boto3
import botocore.config
import pytest
from checker import Proxy

MANAGEMENT = "111111111111"
OWNER = "222222222222"
MEMBER = "300000000001"
GUARDRAIL = "arn:aws:bedrock:us-east-1:222222222222:guardrail/usbase1a2b3c"
MODEL = "amazon.nova-pro-v1:0"

# What every test together asked for, shown at the end.
ASKED = {}


class Simulator:
    """A running simulator behind its checker."""

    def __init__(self, *arguments):
        command = [os.environ["SIMULATOR_BIN"], "serve", "--fixed-time", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        ready = self.process.stdout.readline()
        self.direct = re.search(r"http://\S+", ready).group(0)
        self.proxy = Proxy(self.direct)

    def client(self, service, account=MANAGEMENT, region="us-east-1", credentials=None):
        """A boto3 client of an account's administrator, or of an assumed role."""
        keys = {"aws_access_key_id": f"SIM{account}", "aws_secret_access_key": "simulator"}
        if credentials:
            keys = {
                "aws_access_key_id": credentials["AccessKeyId"],
                "aws_secret_access_key": credentials["SecretAccessKey"],
                "aws_session_token": credentials["SessionToken"],
            }
        config = botocore.config.Config(
            retries={"total_max_attempts": 1}, read_timeout=5, parameter_validation=False
        )
        url = self.proxy.url
        return boto3.client(service, region_name=region, endpoint_url=url, config=config, **keys)

    def assume(self, account, role="GuardrailKeeperMember", by=MANAGEMENT):
        arn = f"arn:aws:iam::{account}:role/{role}"
        answer = self.client("sts", by).assume_role(RoleArn=arn, RoleSessionName="test")
        return answer["Credentials"]

    def cli(self, *arguments, account=MANAGEMENT, region="us-east-1"):
        """Runs the AWS CLI; answers its output, or raises with what it wrote to stderr."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "AWS_ENDPOINT_URL": self.proxy.url,
            "AWS_ACCESS_KEY_ID": f"SIM{account}",
            "AWS_SECRET_ACCESS_KEY": "simulator",
            "AWS_DEFAULT_REGION": region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_MAX_ATTEMPTS": "1",
        }
        command = ["aws", *arguments, "--output", "json"]
        if arguments[0] == "sqs":
            # Version 1 has an endpoint of its own for SQS, which only this overrules.
            command += ["--endpoint-url", self.proxy.url]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return json.loads(done.stdout) if done.stdout.strip() else None

    def control(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.direct}/_simulator/{path}"
        request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
        with urllib.request.urlopen(request) as response:
            text = response.read()
        return json.loads(text) if text else None

    def stop(self):
        self.proxy.close()
        self.process.terminate()
        return self.process.wait(timeout=10)


@pytest.fixture
def simulator():
    running = Simulator()
    yield running
    for name, (count, failures) in running.proxy.checker.seen.items():
        total, failed = ASKED.get(name, (0, 0))
        ASKED[name] = (total + count, failed + failures)
    problems = running.proxy.checker.problems
    assert running.stop() == 0, "the simulator stops in order"
    assert not problems, "answers that AWS's service models don't allow:\n" + "\n".join(problems)


def pytest_terminal_summary(terminalreporter):
    answers, failures = (sum(column) for column in zip(*ASKED.values(), strict=True)) if ASKED else (0, 0)
    terminalreporter.write_line(
        f"{answers} answers of {len(ASKED)} operations were held against the service models, {failures} of them errors"
    )
