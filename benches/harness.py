"""What the measurements share: a simulator in a process of its own, and processes whose CPU and memory
are counted by the kernel."""

import json
import os
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

HUB = "111111111111"
OWNER = "222222222222"
OU = "ou-exam-workload"

TICKS = os.sysconf("SC_CLK_TCK")

# No proxy of this machine stands between anything here.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


@dataclass
class Used:
    """What a process, with its children, needed from start to end."""

    answer: dict
    cpu: float
    wall: float
    peak_mb: float


class Simulator:
    """A simulated organization, started as a process of its own. Its CPU time is told apart."""

    def __init__(self, program, accounts):
        """`accounts` members, the management account and the owner of the guardrails among them."""
        self.process = subprocess.Popen(
            [program, "serve", "--large", str(accounts - 2)], stdout=subprocess.PIPE, text=True
        )
        self.url = self.process.stdout.readline().split()[-1]
        # What it says besides is for people.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        ready = self.control("GET", "state")
        self.regions = list(ready["regions"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def control(self, method, path, body=None):
        request = urllib.request.Request(
            f"{self.url}/_simulator/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        with _open(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def calls(self):
        """The calls since they were last forgotten, and forgets them."""
        calls = self.control("GET", "calls")["calls"]
        self.control("DELETE", "calls")
        return calls

    def keep(self, name):
        self.control("POST", f"snapshots/{urllib.parse.quote(name)}")

    def back_to(self, name):
        self.control("PUT", f"snapshots/{urllib.parse.quote(name)}")
        self.control("DELETE", "calls")
        self.control("DELETE", "events")

    def cpu(self):
        """Its CPU time so far, in seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


def count(calls):
    counts = {}
    for call in calls:
        counts[call["operation"]] = counts.get(call["operation"], 0) + 1
    return dict(sorted(counts.items()))


def baseline(regions, assigned="r-exam"):
    """Everybody enforces version 2, in these Regions."""
    return f"""version: 1
organization: o-exampleorgid
owner: "{OWNER}"
mode: sync
guardrails:
  corporate:
    name: corporate-baseline
    version: 2
    regions: [{", ".join(regions)}]
assignments:
  - {{ targets: [{assigned}], guardrail: corporate }}
limits: {{ max_replacements: 100000, max_releases: 100000 }}
"""


def environment(url, **more):
    """The environment of whoever is measured: what is needed, and nothing of this machine's."""
    found = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": f"SIM{HUB}",
        "AWS_SECRET_ACCESS_KEY": "simulator",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "KEEPER_MEMBER_ROLE": "GuardrailKeeperMember",
        "KEEPER_FUNCTION_ROLE": f"arn:aws:iam::{HUB}:role/GuardrailKeeperFunction",
    }
    found.update(more)
    return found


def run(command, env):
    """Runs a program to its end, and tells what it and its children used."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as log:
        began = time.monotonic()
        process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=log)
        memory = Memory(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        peak = memory.stop()
        out.seek(0)
        log.seek(0)
        text = out.read().decode()
        if process.returncode != 0:
            raise SystemExit(f"{command} failed:\n{text}\n{log.read().decode()[-4000:]}")
    answer = json.loads(text.splitlines()[-1])
    return Used(answer, usage.ru_utime + usage.ru_stime, wall, peak)


class Memory:
    """Watches a process, and remembers the most memory it had: of one alone as the kernel remembers it,
    of several each one's share of what they have in common, added up."""

    # What wait4 tells is no use: it counts the memory of whoever started the process as well.

    def __init__(self, pid):
        self.pid, self.peak = pid, 0.0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        turn = 0
        while not self.stopped.wait(0.02):
            turn += 1
            self.peak = max(self.peak, peak_mb(self.pid))
            # This takes longer to tell.
            if turn % 10 == 0 and (children := self.children()):
                self.peak = max(self.peak, sum(map(proportional_mb, [self.pid, *children])))

    def children(self):
        try:
            tasks = Path(f"/proc/{self.pid}/task").glob("*/children")
            return [int(pid) for task in tasks for pid in task.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            return []

    def stop(self):
        self.stopped.set()
        self.thread.join()
        return self.peak


def peak_mb(pid):
    """The most memory that a process has had since it was started."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def proportional_mb(pid):
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def middle(values):
    """The median, and between what it was found."""
    values = sorted(values)
    return values[len(values) // 2], values[0], values[-1]
