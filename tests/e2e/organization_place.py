"""An organization whose management account owns the guardrails. The keeper writes its Bedrock policies by a role there."""

import json
import threading

from place import HOME, HUB, MANAGEMENT, OWNER, REGIONS, WORKLOAD, Place, wait_for

ROOT = "r-exam"
PAYMENTS, SHIPPING, SEARCH = "300000000001", "300000000002", "300000000003"
PLAYGROUND = "300000000005"
"""In the sandbox; the others are workloads."""
KIND = "BEDROCK_POLICY"
GUARDRAILS = {"floor": "base1a2b3c", "strict": "hard1a2b3c", "search": "seek1a2b3c"}
"""What the guardrails of the baseline are called, and their ids without the Region."""
TARGETS = {"floor": ROOT, "strict": WORKLOAD, "search": SEARCH}
GIVEN = {
    MANAGEMENT: "floor", HUB: "floor", OWNER: "floor", PLAYGROUND: "floor",
    PAYMENTS: "strict", SHIPPING: "strict",
    SEARCH: "search",
}
"""Which guardrail each account has by that."""


class OrganizationPlace(Place):
    owner = MANAGEMENT
    organization_level = "GuardrailKeeperOrganization"
    # Most of these tests wait for the end of a sweep.
    longest_delay = 4

    def start(self):
        super().start()
        self.listen_to_mails()

    def world(self):
        world = super().world()
        (management,) = [account for account in world["accounts"] if account["id"] == MANAGEMENT]
        function_role = self.outputs["FunctionRoleArn"]
        management["roles"].append(self.role(MANAGEMENT, self.organization_level, [function_role]))
        world["bedrock_policies_enabled"] = True
        content = world["guardrails"][0]["content"]
        world["guardrails"] = [
            {
                "account": MANAGEMENT, "region": region, "id": region[:2] + rest, "versions": 2,
                "share_with_organization": True, "content": {**content, "name": name},
            }
            for name, rest in GUARDRAILS.items() for region in REGIONS
        ]
        return world

    def quiet(self):
        """The same, with nothing that waits for its time either: no wait is long here."""
        return wait_for("nothing waits", lambda: not any(
            sum(self.depth(self.outputs[queue])) for queue in ["EventsQueueUrl", "TasksQueueUrl"]
        ))

    # -- what is there -----------------------------------------------------------------------------

    def given(self, account):
        """What AWS publishes to an account: each Region's guardrail and version. The account asks for itself."""
        organizations = self.simulated("organizations", account)
        published = organizations.describe_effective_policy(PolicyType=KIND)["EffectivePolicy"]["PolicyContent"]
        regions = json.loads(published).get("bedrock", {}).get("guardrail_inference", {})
        # One configuration each, or this fails.
        return {region: one["identifier"].rsplit("/", 1)[1] for region, (one,) in (
            (region, configurations.values()) for region, configurations in regions.items()
        )}

    def all_given(self, version=1, **others):
        """Whether every account has the guardrail that the baseline gives it; `others` have other versions."""
        return all(
            self.given(account) == wanted(guardrail, others.get(guardrail, version))
            for account, guardrail in GIVEN.items()
        )

    def policies(self):
        """Every Bedrock policy by its name: its id, and what it is attached to."""
        organizations = self.simulated("organizations", MANAGEMENT)
        listed = organizations.list_policies(Filter=KIND)["Policies"]
        return {policy["Name"]: (policy["Id"], [
            target["TargetId"] for target in organizations.list_targets_for_policy(PolicyId=policy["Id"])["Targets"]
        ]) for policy in listed}

    def own_policies(self):
        """The names of the keeper's policies, and what each is attached to."""
        return {name: on for name, (_, on) in self.policies().items() if name.startswith("guardrail-keeper-")}

    def policy_writes(self):
        """How the keeper wrote policies since the calls were last forgotten: all by the one role for it."""
        writes = [call for call in self.writes() if call["service"] == "organizations"]
        assert all(f"assumed-role/{self.organization_level}/" in call["caller"] for call in writes), writes
        return [call["operation"] for call in writes]

    def frozen(self):
        """The accounts that AWS calls frozen."""
        organizations = self.simulated("organizations", MANAGEMENT)
        listed = organizations.list_accounts_with_invalid_effective_policy(PolicyType=KIND)["Accounts"]
        return [account["Id"] for account in listed]

    def look(self):
        """The keeper's last look at this level, as the ledger has it."""
        document = self.ledger().get("organization-level")
        return (document and json.loads(document["document"]["S"])["look"]) or {}

    def holds(self):
        """Why nothing is written, by that look."""
        return {hold["code"]: hold["text"] for hold in self.look().get("holds", [])}

    def level(self):
        """What `guardrailctl status` says of this level."""
        said = self.guardrailctl("status", "--output", "json", check=False)
        return json.loads(said.stdout)["summary"]["organization_level"]

    # -- what others do ----------------------------------------------------------------------------

    def administrator(self):
        """Somebody else who may write policies."""
        return self.simulated("organizations", MANAGEMENT)

    def attach_foreign(self, name, target, regions):
        """Makes a policy of somebody else's, attaches it and returns its id."""
        organizations = self.administrator()
        content = json.dumps({"bedrock": {"guardrail_inference": regions}})
        made = organizations.create_policy(Name=name, Description="", Type=KIND, Content=content)
        policy = made["Policy"]["PolicySummary"]["Id"]
        organizations.attach_policy(PolicyId=policy, TargetId=target)
        return policy

    def remove_foreign(self, policy, target):
        organizations = self.administrator()
        organizations.detach_policy(PolicyId=policy, TargetId=target)
        organizations.delete_policy(PolicyId=policy)

    # -- what people read --------------------------------------------------------------------------

    def listen_to_mails(self):
        """A subscriber of the topic of alarms."""
        self.mails_queue = self.aws("sqs", HUB).create_queue(QueueName="mails")["QueueUrl"]
        self.aws("sns", HUB).subscribe(
            TopicArn=self.outputs["AlarmTopicArn"], Protocol="sqs", Endpoint=f"arn:aws:sqs:{HOME}:{HUB}:mails"
        )
        self.read = []

    def mails(self, about):
        """The mails so far that are about this kind of outcome."""
        sqs = self.aws("sqs", HUB)
        while messages := sqs.receive_message(QueueUrl=self.mails_queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self.read.append(json.loads(message["Body"])["Message"])
                sqs.delete_message(QueueUrl=self.mails_queue, ReceiptHandle=message["ReceiptHandle"])
        return [mail for mail in self.read if f"): {about}" in mail.splitlines()[0]]


class Watch:
    """Asks every account again and again what it is given, as long as the body of the statement takes."""

    def __init__(self, place):
        self.place, self.seen, self.times, self.failed = place, {}, 0, None

    def __enter__(self):
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self.ask)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join()

    def ask(self):
        try:
            while not self.ends.is_set():
                for account in GIVEN:
                    self.seen.setdefault(account, set()).add(tuple(sorted(self.place.given(account).items())))
                self.times += 1
        except Exception as error:  # What happens in a thread, the test has to say.
            self.failed = error


def identifier(guardrail, region, version):
    return f"arn:aws:bedrock:{region}:{MANAGEMENT}:guardrail/{region[:2]}{GUARDRAILS[guardrail]}:{version}"


def wanted(guardrail, version, regions=REGIONS):
    return {region: identifier(guardrail, region, version).rsplit("/", 1)[1] for region in regions}


def configuration(name, guardrail, region, version):
    """One Region of a policy, complete."""
    return {name: {
        "identifier": {"@@assign": identifier(guardrail, region, version)},
        "model_enforcement": {"included_models": {"@@assign": ["ALL"]}, "excluded_models": {"@@assign": []}},
        "selective_content_guarding": {
            "messages": {"@@assign": "comprehensive"}, "system": {"@@assign": "comprehensive"},
        },
    }}


def baseline(regions=", ".join(REGIONS), more="", **versions):
    """Root, OU and account, each with its guardrail on the organization's level."""
    guardrails = "".join(
        f"  {name}: {{ name: {name}, version: {versions.get(name, 1)}, regions: [{regions}] }}\n" for name in GUARDRAILS
    )
    assignments = "".join(
        f'  - {{ targets: ["{target}"], guardrail: {name}, level: organization }}\n' for name, target in TARGETS.items()
    )
    return (
        f'version: 2\norganization: o-exampleorgid\nowner: "{MANAGEMENT}"\n'
        f"guardrails:\n{guardrails}assignments:\n{assignments}{more}"
    )
