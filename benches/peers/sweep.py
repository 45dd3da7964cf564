"""The same sweep as a careful script: boto3, every core, nothing made twice.

    sweep.py REGION… [--processes N] [--threads N] [--clients shared|each] [--first N]

It lists the organization's accounts, looks once per Region whether the guardrail is ready and granted
to the organization, and then, in every account and Region, lists what is enforced. Where that isn't
the guardrail, it tries the guardrail as the member and enforces it. Endpoint and credentials come
from the environment. What was done is told as one line of JSON.

It does less than the keeper: it keeps no record, doesn't look a second time before it writes, knows
of no one else's configuration, and retries as boto3 does.

`shared` is what takes the least: one client per Region and process for all accounts. A boto3 client
belongs to one set of credentials, so these are looked up per thread each time a request is signed.
`each` is what most scripts do: a client per account and Region, made from one session.
"""

import argparse
import json
import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import ClientError

OWNER = "222222222222"
GUARDRAIL = "corporate-baseline"
VERSION = "2"
ROLE = "GuardrailKeeperMember"

current = threading.local()


class OfThisThread(Credentials):
    """The credentials of the account that the calling thread works on."""

    def __init__(self):
        super().__init__("unused", "unused", method="of-this-thread")

    def get_frozen_credentials(self):
        return current.credentials


class Clients:
    """Everything that one process makes once."""

    def __init__(self, regions, threads, clients):
        self.regions = regions
        self.config = Config(
            max_pool_connections=threads * len(regions), retries={"mode": "standard", "max_attempts": 4}
        )
        self.sts = boto3.session.Session().client("sts", config=self.config)
        inner = botocore.session.get_session()
        # The models and endpoint rules are read once, whatever the number of clients.
        inner._credentials = OfThisThread()
        self.session = boto3.session.Session(botocore_session=inner)
        self.shared = clients == "shared"
        self.making = threading.Lock()
        if self.shared:
            self.bedrock = {region: self.make("bedrock", region) for region in regions}
            self.runtime = {region: self.make("bedrock-runtime", region) for region in regions}

    def make(self, service, region, **credentials):
        return self.session.client(service, region_name=region, config=self.config, **credentials)

    def enter(self, account, own):
        """Credentials in an account: the caller's own in its own, else those of the member role."""
        if account == own:
            found = boto3.session.Session().get_credentials().get_frozen_credentials()
        else:
            answer = self.sts.assume_role(
                RoleArn=f"arn:aws:iam::{account}:role/{ROLE}", RoleSessionName="peer"
            )["Credentials"]
            found = ReadOnlyCredentials(
                answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"]
            )
        current.credentials = found

    def of(self, service, region):
        if self.shared:
            return (self.bedrock if service == "bedrock" else self.runtime)[region]
        access, secret, token = current.credentials[:3]
        # Making clients isn't safe from several threads at once.
        with self.making:
            return self.make(
                service,
                region,
                aws_access_key_id=access,
                aws_secret_access_key=secret,
                aws_session_token=token,
            )


def owner_side(clients, own, organization):
    """The ARN of the guardrail in each Region, if it is ready and the organization may use it."""
    clients.enter(OWNER, own)
    arns = {}
    for region in clients.regions:
        bedrock = clients.of("bedrock", region)
        pages = bedrock.get_paginator("list_guardrails").paginate()
        found = [it["arn"] for page in pages for it in page["guardrails"] if it["name"] == GUARDRAIL]
        (arn,) = found
        guardrail = bedrock.get_guardrail(guardrailIdentifier=arn, guardrailVersion=VERSION)
        policy = bedrock.get_resource_policy(resourceArn=arn)["resourcePolicy"]
        if guardrail["status"] != "READY" or organization not in policy:
            raise SystemExit(f"{arn} is not ready, or not granted to {organization}")
        arns[region] = arn
    return arns


def visit(clients, own, arns, account):
    """One account in every Region. Says how many targets there were, were written, and failed."""
    written = failed = 0
    clients.enter(account, own)
    for region in clients.regions:
        try:
            written += keep(clients, region, arns[region])
        except ClientError as error:
            print(f"{account}/{region}: {error}", flush=True)
            failed += 1
    return len(clients.regions), written, failed


def keep(clients, region, arn):
    bedrock = clients.of("bedrock", region)
    try:
        found = bedrock.list_enforced_guardrails_configuration()["guardrailsConfig"]
    except bedrock.exceptions.ResourceNotFoundException:
        found = []
    if found and found[0]["guardrailArn"] == arn and found[0]["guardrailVersion"] == VERSION:
        models = found[0].get("modelEnforcement", {"includedModels": ["ALL"], "excludedModels": []})
        if models["includedModels"] == ["ALL"] and not models["excludedModels"]:
            return 0
    clients.of("bedrock-runtime", region).apply_guardrail(
        guardrailIdentifier=arn,
        guardrailVersion=VERSION,
        source="INPUT",
        content=[{"text": {"text": "Hello."}}],
    )
    arguments = {"configId": found[0]["configId"]} if found else {}
    bedrock.put_enforced_guardrail_configuration(
        guardrailInferenceConfig={"guardrailIdentifier": arn, "guardrailVersion": VERSION}, **arguments
    )
    return 1


def share(accounts, arguments, own, organization, results):
    """What one process does."""
    clients = Clients(arguments.regions, arguments.threads, arguments.clients)
    arns = owner_side(clients, own, organization)
    with ThreadPoolExecutor(arguments.threads) as pool:
        done = list(pool.map(lambda account: visit(clients, own, arns, account), accounts))
    results.put(tuple(map(sum, zip(*done))))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("regions", nargs="+", metavar="REGION")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--clients", choices=["shared", "each"], default="shared")
    parser.add_argument("--first", type=int, metavar="N", help="only the first N accounts")
    arguments = parser.parse_args()

    began = time.monotonic()
    organizations = boto3.client("organizations")
    organization = organizations.describe_organization()["Organization"]
    own = organization["MasterAccountId"]
    pages = organizations.get_paginator("list_accounts").paginate()
    accounts = [it["Id"] for page in pages for it in page["Accounts"] if it["State"] == "ACTIVE"]
    accounts = accounts[: arguments.first]

    # Forked while there is one thread only, so that what was imported is shared.
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    number = arguments.processes
    workers = [
        context.Process(
            target=share, args=(accounts[part::number], arguments, own, organization["Id"], results)
        )
        for part in range(number)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise SystemExit("a process failed")
    targets, written, failed = map(sum, zip(*(results.get() for _ in workers)))
    print(
        json.dumps(
            {
                "seconds": time.monotonic() - began,
                "targets": targets,
                "written": written,
                "converged": failed == 0,
            }
        )
    )


if __name__ == "__main__":
    main()
