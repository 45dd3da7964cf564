"""A sweep of every account and Region: the keeper's two forms beside the peer's."""

import random
import sys
from pathlib import Path

import boto3

from harness import Simulator, baseline, count, environment, middle, run

EACH = "boto3, a client each"
PEER = Path(__file__).with_name("peers") / "sweep.py"


def measure(programs, folder, quick):
    accounts, width, times = (100, 4, 1) if quick else (1000, 10, 3)
    with Simulator(programs["simulator"], accounts) as simulator:
        regions = simulator.regions[:width]
        targets = accounts * width
        document = folder / "baseline.yaml"
        document.write_text(baseline(regions))
        env = environment(simulator.url, KEEPER_BASELINE=str(document))
        peer = [sys.executable, str(PEER), *regions]
        contenders = {
            "keeper, direct": [programs["keeper-bench"], "direct"],
            "keeper, queued": [programs["keeper-bench"], "queued"],
            "boto3, clients shared": peer,
            # The slowest by far: a tenth of it is enough to know by how much.
            EACH: [*peer, "--clients", "each", "--first", str(accounts // 10)],
        }
        prepare(simulator, programs, env, regions, targets)
        figures = {"accounts": accounts, "regions": width, "targets": targets, "times": times}
        for state, written in {"absent": targets, "in sync": 0, "1% drifted": targets // 100}.items():
            found = {name: [] for name in contenders}
            # Turn and turn about, so that whatever else the machine does falls on all alike.
            for turn in range(times):
                for name, command in contenders.items():
                    if name == EACH and (turn > 0 or state != "in sync"):
                        continue
                    part = targets // 10 if name == EACH else targets
                    found[name].append(once(simulator, state, command, env, part, written))
            figures[state] = {
                name: told(runs, runs[0][0].answer["targets"]) for name, runs in found.items() if runs
            }
    return figures


def prepare(simulator, programs, env, regions, targets):
    """Makes the three worlds: nothing enforced, everything, and a hundredth of it changed."""
    simulator.keep("absent")
    run([programs["keeper-bench"], "direct"], env)
    simulator.keep("in sync")
    drift(simulator, regions, targets // 100)
    simulator.keep("1% drifted")


def drift(simulator, regions, number):
    """Administrators remove half of these enforcements and put the other half back to version 1."""
    accounts = sorted(simulator.control("GET", "state")["accounts"])
    members = [account for account in accounts if account.startswith("5")]
    places = [(account, region) for account in members for region in regions]
    for position, (account, region) in enumerate(random.Random(1).sample(places, number)):
        bedrock = boto3.client(
            "bedrock",
            region_name=region,
            endpoint_url=simulator.url,
            aws_access_key_id=f"SIM{account}",
            aws_secret_access_key="simulator",
        )
        (found,) = bedrock.list_enforced_guardrails_configuration()["guardrailsConfig"]
        if position % 2:
            bedrock.delete_enforced_guardrail_configuration(configId=found["configId"])
        else:
            bedrock.put_enforced_guardrail_configuration(
                configId=found["configId"],
                guardrailInferenceConfig={
                    "guardrailIdentifier": found["guardrailArn"],
                    "guardrailVersion": "1",
                },
            )


def once(simulator, state, command, env, targets, written):
    simulator.back_to(state)
    before = simulator.cpu()
    used = run(command, env)
    simulators = simulator.cpu() - before
    calls = simulator.calls()
    answer = used.answer
    wrong = [call for call in calls if call["error"] not in (None, "ResourceNotFoundException")]
    if not answer["converged"] or (answer["targets"], answer["written"]) != (targets, written) or wrong:
        raise SystemExit(f"{command}, {state}: not the work that was to be done: {answer}, {wrong[:3]}")
    return used, simulators, count(calls)


def told(runs, targets):
    used = [used for used, _, _ in runs]
    cpu, least, most = middle([one.cpu for one in used])
    _, simulators, calls = runs[-1]
    return {
        "targets per CPU-second": targets / cpu,
        "CPU-seconds": cpu,
        "CPU-seconds, least": least,
        "CPU-seconds, most": most,
        "CPU-milliseconds per target": cpu / targets * 1e3,
        "targets per second": targets / middle([one.answer["seconds"] for one in used])[0],
        "peak MB": max(one.peak_mb for one in used),
        "calls per target": sum(calls.values()) / targets,
        "calls": calls,
        "simulator's CPU-seconds": simulators,
        "tasks": used[-1].answer.get("tasks"),
        "task milliseconds": used[-1].answer.get("task_milliseconds_median"),
    }


def needed(accounts, regions, owner=3):
    """The calls that a sweep needs where everything is in sync: what the aim is held against."""
    return {
        "AssumeRole": accounts - 1,
        "DescribeOrganization": 1,
        "ListAccounts": -(-accounts // 20),
        "ListEnforcedGuardrailsConfiguration": accounts * regions,
        "the owner's side": owner * regions,
    }

