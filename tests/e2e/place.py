"""The organization, the emulator and the deployed stacks: what a test stands in.

Bedrock, STS and Organizations are the simulator's; CloudFormation, IAM, EventBridge, SQS, Lambda,
DynamoDB, SSM, Scheduler and CloudWatch are ministack's. What the roles may do comes out of the
templates: they are deployed first, and the simulator's roles get what IAM was told.
"""

import atexit
import fnmatch
import io
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from contextlib import contextmanager
from pathlib import Path

import boto3
import yaml
from botocore.config import Config

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

ORGANIZATION = "o-exampleorgid"
MANAGEMENT = "111111111111"
OWNER = "222222222222"
HUB = "555555555555"
HOME = "us-east-1"
"""The hub's Region, and where Organizations tells its events."""
REGIONS = ["us-east-1", "eu-west-1"]
STACK = "guardrail-keeper"
WORKLOAD, SANDBOX = "ou-exam-workload", "ou-exam-sandbox1"
PARAMETER = "/guardrail-keeper/baseline"
SECRET = "secret-of-the-end-to-end-test"

PATIENCE_SECONDS = 90
"""Longer than anything that is waited for takes, on any machine. Nothing waits this long when all is well."""


def wait_for(what, ask, patience_seconds=PATIENCE_SECONDS):
    """Asks until there is an answer, and returns it."""
    deadline = time.monotonic() + patience_seconds
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience_seconds} s: {what}")
        time.sleep(0.1)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Place:
    """Everything that runs, and everything that is asked of it."""

    owner = OWNER
    organization_level = "none"
    """The parameter OrganizationLevel of the templates."""
    longest_delay = None
    """How many seconds a message is delayed at most."""

    def __init__(self, folder, binaries, package=None):
        self.folder, self.binaries = folder, binaries
        self.package = package
        self.simulator_url = f"http://127.0.0.1:{free_port()}"
        self.emulator_url = f"http://127.0.0.1:{free_port()}"
        self.processes = []
        self.told = 0  # Events of the simulator that were passed on.
        atexit.register(self.stop)

    # -- from nothing to a deployed keeper ---------------------------------------------------------

    def start(self):
        self.start_emulator()
        self.upload()
        self.outputs = self.deploy_hub()
        self.deploy_management()
        self.members = ["300000000001", "300000000002", "300000000003"]
        for account in [HUB, OWNER, *self.members]:
            self.deploy_member(account)
        self.start_simulator()
        self.listen_to_outcomes()

    def start_emulator(self):
        log = open(self.folder / "emulator.log", "w", encoding="utf-8")
        environment = {
            **os.environ,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": self.emulator_url.rsplit(":", 1)[1],
            "MINISTACK_ACCOUNT_ID": HUB,
            "MINISTACK_REGION": HOME,
            "AWS_DEFAULT_REGION": HOME,
            "AWS_ENDPOINT_URL": self.emulator_url,
            "E2E_ROLE_CREDENTIALS": str(self.folder / "credentials.json"),
            # Where the emulator and what it starts keep their files.
            "TMPDIR": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if self.longest_delay is not None:
            environment["E2E_LONGEST_DELAY"] = str(self.longest_delay)
        # It hands its environment to the function.
        for name in [name for name in environment if name.startswith(("KEEPER_", "AWS_ENDPOINT_URL_", "RUST_"))]:
            del environment[name]
        self.processes.append(
            subprocess.Popen(
                [sys.executable, str(HERE / "emulator.py")],
                cwd=self.folder, env=environment, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            )
        )
        wait_for("the emulator answers", lambda: self.answers(self.emulator_url))

    def start_simulator(self):
        world = self.folder / "world.yaml"
        world.write_text(yaml.safe_dump(self.world(), sort_keys=False), encoding="utf-8")
        log = open(self.folder / "simulator.log", "w", encoding="utf-8")
        port = self.simulator_url.rsplit(":", 1)[1]
        self.processes.append(
            subprocess.Popen(
                [str(self.binaries / "simulator"), "serve", "--port", port, "--world", str(world)],
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            )
        )
        wait_for("the simulator answers", lambda: self.answers(self.simulator_url + "/_simulator/"))
        # What Lambda does before it starts a function.
        role = self.outputs["FunctionRoleArn"]
        credentials = self.simulated("sts", HUB).assume_role(
            RoleArn=role, RoleSessionName=self.outputs["FunctionName"]
        )["Credentials"]
        (self.folder / "credentials.json").write_text(
            json.dumps({
                "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
                "AWS_SESSION_TOKEN": credentials["SessionToken"],
            }),
            encoding="utf-8",
        )

    def stop(self):
        for process in self.processes:
            if process.poll() is None:
                # The emulator's children are the functions.
                for child in children(process.pid):
                    kill(child)
                process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        self.processes = []

    def upload(self):
        """The package and the StackSets' bodies, as `sam deploy` puts them into a bucket."""
        self.put_artifact(HUB, "keeper.zip", self.package or self.packed())
        for template in (ROOT / "deploy").glob("*.yaml"):
            self.put_artifact(MANAGEMENT, template.name, template.read_bytes())

    def put_artifact(self, account, key, body):
        """Into a bucket of the account that deploys it: ministack looks nowhere else."""
        s3 = self.aws("s3", account)
        s3.create_bucket(Bucket=f"artifacts-{account}")
        s3.put_object(Bucket=f"artifacts-{account}", Key=key, Body=body)
        return f"{self.emulator_url}/artifacts-{account}/{key}"

    def packed(self):
        """The binary that the tests were built with, without what only a debugger reads."""
        stripped = self.folder / "bootstrap"
        subprocess.run(
            ["objcopy", "--strip-all", str(self.binaries / "bootstrap"), str(stripped)], check=True
        )
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
            entry = zipfile.ZipInfo("bootstrap")
            entry.external_attr = 0o755 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(entry, stripped.read_bytes())
        return packed.getvalue()

    def deploy_hub(self, **parameters):
        template = load(ROOT / "template.yaml")
        function = template["Resources"]["KeeperFunction"]["Properties"]
        function["CodeUri"] = {"Bucket": f"artifacts-{HUB}", "Key": "keeper.zip"}
        # The one thing that no deployment has: three services are elsewhere.
        for service in ["BEDROCK", "BEDROCK_RUNTIME", "ORGANIZATIONS", "STS"]:
            function["Environment"]["Variables"][f"AWS_ENDPOINT_URL_{service}"] = self.simulator_url
        return self.deploy(HUB, HOME, STACK, template, {
            "OrganizationId": ORGANIZATION,
            "ManagementAccountId": MANAGEMENT,
            "OwnerAccountId": self.owner,
            "OrganizationLevel": self.organization_level,
            "Architecture": "x86_64",
            "AlarmEmail": "security@example.com",
            # Whether the schedule works is told by shortening its interval; see test_schedule.
            "SweepInterval": "rate(1 day)",
            **parameters,
        })

    def deploy_management(self):
        for region in REGIONS:
            self.deploy(MANAGEMENT, region, "guardrail-keeper-management", self.nested("management.yaml"), {
                "HubAccountId": HUB, "HubRegion": HOME, "HubBusArn": self.outputs["BusArn"],
                "OrganizationLevel": self.organization_level,
                "OwnsGuardrails": "true" if self.owner == MANAGEMENT else "false",
            })

    def deploy_member(self, account):
        """What the hub's StackSets, which ministack doesn't have, deploy to an account."""
        parameters = {"HubAccountId": HUB, "HubBusArn": self.outputs["BusArn"], "OwnerAccountId": self.owner}
        self.deploy(account, HOME, "member-role", load(ROOT / "deploy/member-role.yaml"), parameters)
        if account == self.owner:
            self.deploy(account, HOME, "owner", load(ROOT / "deploy/owner.yaml"), {})
        for region in REGIONS:
            self.deploy(account, region, "member-rules", load(ROOT / "deploy/member-rules.yaml"), {
                "HubBusArn": self.outputs["BusArn"], "OwnerAccountId": self.owner,
            })

    def nested(self, name):
        template = load(ROOT / "deploy" / name)
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::CloudFormation::Stack":
                body = resource["Properties"]["TemplateURL"]
                resource["Properties"]["TemplateURL"] = f"{self.emulator_url}/artifacts-{MANAGEMENT}/{body}"
        return template

    def deploy(self, account, region, name, template, parameters):
        """Creates a stack, or updates it, and returns its outputs."""
        cloudformation = self.aws("cloudformation", account, region)
        arguments = {
            "StackName": name,
            "TemplateURL": self.put_artifact(account, f"{region}-{name}.json", json.dumps(template).encode()),
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            "Capabilities": ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        }
        known = [stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]]
        if name in known:
            cloudformation.update_stack(**arguments)
        else:
            cloudformation.create_stack(**arguments)

        def ended():
            (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
            return stack if not stack["StackStatus"].endswith("_IN_PROGRESS") else None

        stack = wait_for(f"{name} is deployed in {account} {region}", ended)
        if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
            reasons = [
                f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}"
                for event in events if "FAILED" in event["ResourceStatus"]
            ]
            raise AssertionError("\n".join([f"{name} in {account} {region}: {stack['StackStatus']}", *reasons]))
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def world(self):
        """The simulated organization. Its roles are those that IAM got by the templates."""
        example = subprocess.run(
            [str(self.binaries / "simulator"), "world"], check=True, capture_output=True, text=True
        ).stdout
        world = yaml.safe_load(example)
        function_role = self.outputs["FunctionRoleArn"]
        accounts = {account["id"]: account for account in world["accounts"]}
        accounts[MANAGEMENT]["roles"] = [self.role(MANAGEMENT, "GuardrailKeeperMember", [function_role])]
        accounts[HUB] = {
            "id": HUB, "name": "security-tooling", "parent": "r-exam",
            "delegated": ["member.org.stacksets.cloudformation.amazonaws.com"],
            # The hub's root stands in for Lambda, which assumes the role for the function.
            "roles": [self.role(HUB, "GuardrailKeeper", [f"arn:aws:iam::{HUB}:root"])],
        }
        accounts[OWNER]["roles"] = [self.role(OWNER, "GuardrailKeeperMember", [function_role])]
        world["stack_set_roles"] = [self.role(self.members[0], "GuardrailKeeperMember", [function_role])]
        world["accounts"] = [account for account in accounts.values() if account["id"] != "300000000004"]
        return world

    def role(self, account, name, principals):
        """A role as IAM has it, in the simulator's words. Of conditions it reads the type of a policy and the tag of
        what is written; the trust names the principal that the condition of the real one does."""
        iam = self.aws("iam", account)
        allowed = []
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for statement in document["Statement"]:
                if statement["Effect"] == "Deny":
                    # It denies what is asked outside of the function's own code, and the function asks all of it.
                    assert list(statement["Condition"]["ArnNotEquals"]) == ["lambda:SourceFunctionArn"], statement
                    continue
                assert statement["Effect"] == "Allow", statement
                allowed.append({
                    "actions": several(statement["Action"]), "resources": several(statement["Resource"]),
                    **conditions(statement),
                })
        assert allowed, f"{name} of {account} may do nothing"
        return {"name": name, "trust": {"principals": principals}, "permissions": {"allow": allowed}}

    # -- clients -----------------------------------------------------------------------------------

    def aws(self, service, account, region=HOME):
        """A client of the emulator, as an administrator of that account."""
        return boto3.client(
            service, region_name=region, endpoint_url=self.emulator_url,
            aws_access_key_id=account, aws_secret_access_key=SECRET,
            config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def simulated(self, service, account, region=HOME):
        """A client of the simulator, as an administrator of that account."""
        return boto3.client(
            service, region_name=region, endpoint_url=self.simulator_url,
            aws_access_key_id=f"SIM{account}", aws_secret_access_key=SECRET,
        )

    def control(self, method, path, body=None):
        """The simulator's control API."""
        request = urllib.request.Request(
            f"{self.simulator_url}/_simulator/{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        with direct().open(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def answers(self, url):
        for process in self.processes:
            assert process.poll() is None, f"{process.args[0]} ended with {process.returncode}: see {self.folder}"
        try:
            direct().open(url, timeout=5)
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    # -- what happens ------------------------------------------------------------------------------

    def pass_on(self, lose=lambda event: False, times=1):
        """Brings the simulator's new events to the buses of their accounts, as AWS does: in the order
        they came, `times` times each, without those that get lost. Answers how many came."""
        page = self.control("GET", f"events?since={self.told}")
        events = page["events"]
        for told in events:
            if not lose(told["event"]):
                for _ in range(times):
                    self.put_event(told["event"])
        self.told += len(events)
        return len(events)

    def put_event(self, event, bus="default", account=None, region=None):
        """An event of an AWS service, with its whole envelope, on a bus of the account it is from."""
        account = account or event["account"]
        entry = {
            "EventId": event["id"], "Account": event["account"], "Region": event["region"],
            "Time": event["time"], "Source": event["source"], "DetailType": event["detail-type"],
            "Resources": event.get("resources", []), "Detail": json.dumps(event["detail"]), "EventBusName": bus,
        }
        client = self.aws("events", account, region or event["region"])
        # botocore would refuse members that it doesn't know.
        request = {"Entries": [entry]}
        self.raw(client, "AWSEvents.PutEvents", request, account, region or event["region"])

    def raw(self, client, target, body, account, region):
        scope = f"Credential={account}/20260101/{region}/events/aws4_request"
        request = urllib.request.Request(
            self.emulator_url, method="POST", data=json.dumps(body).encode(),
            headers={
                "content-type": "application/x-amz-json-1.1", "x-amz-target": target,
                "authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
            },
        )
        with direct().open(request, timeout=30) as answer:
            answered = json.loads(answer.read())
        assert answered["FailedEntryCount"] == 0, answered

    def quiet(self):
        """Waits until nothing is in a queue or under way, but for what waits for its time."""
        return wait_for("the queues are empty", lambda: not self.messages("EventsQueueUrl", "TasksQueueUrl"))

    def messages(self, *queues):
        """How many messages are in these queues and not waiting for their time."""
        return sum(sum(self.depth(self.outputs[queue])[:2]) for queue in queues)

    def depth(self, url):
        attributes = self.aws("sqs", HUB).get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return tuple(
            int(attributes[f"ApproximateNumberOfMessages{kind}"]) for kind in ["", "NotVisible", "Delayed"]
        )

    def dead_letters(self):
        return self.messages("EventsDeadLettersUrl", "TasksDeadLettersUrl")

    # -- what is there -----------------------------------------------------------------------------

    def enforced(self, account, region):
        """The guardrail and the version that is enforced there, or nothing."""
        bedrock = self.simulated("bedrock", account, region)
        try:
            found = bedrock.list_enforced_guardrails_configuration()["guardrailsConfig"]
        except bedrock.exceptions.ResourceNotFoundException:
            return None
        (one,) = found
        return one["guardrailArn"], one["guardrailVersion"]

    def guarded(self, *accounts, version="2"):
        """Whether each of these accounts has the guardrail of its Region, in that version."""
        return all(
            self.enforced(account, region) == (guardrail(region), version)
            for account in accounts for region in REGIONS
        )

    def calls(self):
        return self.control("GET", "calls")["calls"]

    def forget_calls(self):
        self.control("DELETE", "calls")

    def writes(self):
        """What the keeper wrote since the calls were last forgotten."""
        return [call for call in self.calls() if call["write"] and "assumed-role" in str(call.get("caller"))]

    def ledger(self):
        """The ledger's documents, by key."""
        table = self.aws("dynamodb", HUB)
        pages = table.get_paginator("scan").paginate(TableName=self.outputs["LedgerTableName"])
        return {item["key"]["S"]: item for page in pages for item in page["Items"]}

    def log(self):
        """The function's log: every line is an object."""
        logs = self.aws("logs", HUB)
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=self.outputs["LogGroupName"])
        return [event["message"] for page in pages for event in page["events"]]

    def listen_to_outcomes(self):
        """A rule of somebody who wants to hear what came of the keeper's work."""
        queue = self.aws("sqs", HUB).create_queue(QueueName="outcomes")["QueueUrl"]
        events = self.aws("events", HUB)
        bus = self.outputs["BusName"]
        events.put_rule(
            Name="outcomes", EventBusName=bus, EventPattern=json.dumps({"source": ["guardrail-keeper"]})
        )
        arn = f"arn:aws:sqs:{HOME}:{HUB}:outcomes"
        events.put_targets(Rule="outcomes", EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
        self.outcomes_queue = queue
        self.heard = []

    def outcomes(self):
        """The outcome events so far."""
        sqs = self.aws("sqs", HUB)
        while messages := sqs.receive_message(QueueUrl=self.outcomes_queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self.heard.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=self.outcomes_queue, ReceiptHandle=message["ReceiptHandle"])
        return self.heard

    # -- the terminal ------------------------------------------------------------------------------

    def guardrailctl(self, *arguments, check=True, **others):
        """Runs the terminal with the settings that the stack's output gives it, but for others that are given here."""
        settings = dict(
            word.split("=", 1) for word in shlex.split(self.outputs["TerminalSettings"]) if "=" in word
        )
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_REGION": HOME, "AWS_ACCESS_KEY_ID": f"SIM{HUB}", "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": self.emulator_url,
            **{
                f"AWS_ENDPOINT_URL_{service}": self.simulator_url
                for service in ["BEDROCK", "BEDROCK_RUNTIME", "ORGANIZATIONS", "STS"]
            },
            **settings, **others,
        }
        command = [str(self.binaries / "guardrailctl"), *arguments]
        known = self.parameters()
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
            ends = time.monotonic() + 120
            while run.poll() is None and time.monotonic() < ends:
                known = self.tell_of_parameters(known)
                try:
                    run.wait(0.5)
                except subprocess.TimeoutExpired:
                    pass
            if run.returncode is None:
                run.kill()
            out, err = run.communicate()
        self.tell_of_parameters(known)
        done = subprocess.CompletedProcess(command, run.returncode, out, err)
        if check:
            assert done.returncode == 0, f"guardrailctl {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done

    def put_baseline(self, text):
        """Puts a baseline, and passes on what SSM says of it."""
        ssm = self.aws("ssm", HUB)
        existed = any(p["Name"] == PARAMETER for p in ssm.describe_parameters()["Parameters"])
        ssm.put_parameter(Name=PARAMETER, Value=text, Type="String", Overwrite=True, Tier="Advanced")
        self.tell_of_the_baseline("Update" if existed else "Create")

    def tell_of_the_baseline(self, operation):
        self.tell_of_a_parameter(PARAMETER, operation)

    def tell_of_a_parameter(self, name, operation):
        self.put_event({
            "id": f"parameter-{time.monotonic_ns()}", "account": HUB, "region": HOME, "time": time.time(),
            "source": "aws.ssm", "detail-type": "Parameter Store Change",
            "resources": [f"arn:aws:ssm:{HOME}:{HUB}:parameter{name}"],
            "detail": {"operation": operation, "name": name, "type": "String"},
        })

    def parameters(self):
        """The keeper's parameters, with the version of each."""
        pages = self.aws("ssm", HUB).get_paginator("get_parameters_by_path").paginate(
            Path="/guardrail-keeper", Recursive=True)
        return {parameter["Name"]: parameter["Version"] for page in pages for parameter in page["Parameters"]}

    def tell_of_parameters(self, known):
        """Passes on what SSM says of the parameters that were written since; ministack says nothing of them."""
        now = self.parameters()
        for name, version in now.items():
            if known.get(name) != version:
                self.tell_of_a_parameter(name, "Update" if name in known else "Create")
        return now

    def functions(self):
        """The process ids of the function."""
        return [pid for process in self.processes for pid in children(process.pid) if is_function(pid)]


@contextmanager
def standing(kind, folder):
    """A place of that kind, as long as somebody stands in it."""
    package = os.environ.get("KEEPER_PACKAGE")
    place = kind(folder, Path(os.environ["KEEPER_BINARIES"]), Path(package).read_bytes() if package else None)
    place.start()
    try:
        yield place
    finally:
        place.stop()


def direct():
    """Whatever proxy the environment names, nothing here leaves this machine."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def guardrail(region):
    return f"arn:aws:bedrock:{region}:{OWNER}:guardrail/{region[:2]}base1a2b3c"


def several(value):
    return value if isinstance(value, list) else [value]


def conditions(statement):
    """What of a statement's conditions the simulator reads."""
    asked = statement.get("Condition", {})
    read = {}
    if kind := asked.get("StringEquals", {}).get("organizations:PolicyType"):
        read["policy_type"] = kind
    for key, is_absent in asked.get("Null", {}).items():
        if key.startswith("aws:ResourceTag/") and is_absent == "false":
            read["tagged"] = key.removeprefix("aws:ResourceTag/")
    return read


def load(path):
    """A template with its short forms written out, as JSON wants it."""

    class Loader(yaml.SafeLoader):
        pass

    def construct(loader, suffix, node):
        if isinstance(node, yaml.ScalarNode):
            value = loader.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        else:
            value = loader.construct_mapping(node, deep=True)
        if suffix == "GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}

    # A date is a text here.
    Loader.yaml_implicit_resolvers = {
        key: [(tag, expression) for tag, expression in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for key, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_multi_constructor("!", construct)
    return yaml.load(path.read_text(encoding="utf-8"), Loader)


def children(pid):
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def is_function(pid):
    try:
        return fnmatch.fnmatch(os.readlink(f"/proc/{pid}/exe"), "*/bootstrap")
    except OSError:
        return False


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
