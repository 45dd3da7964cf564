"""Measures everything, prints it as tables for docs/performance.md, and keeps the figures as JSON.
Started by benches/run, which builds what is measured."""

import argparse
import datetime
import json
import os
import platform
import tempfile
from pathlib import Path

import coldstart
import model
import newcomer
import records
import sweeps

PARTS = ["sweeps", "newcomer", "coldstart", "records"]


def main():
    parser = argparse.ArgumentParser(prog="benches/run")
    parser.add_argument("--quick", action="store_true", help="small and once: shows that it works")
    parser.add_argument("--only", choices=PARTS, action="append", help="only this part; may be repeated")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keeps the figures there as well")
    parser.add_argument("--programs", type=json.loads, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    parts = arguments.only or PARTS

    figures = {"machine": machine(), "quick": arguments.quick}
    say("", f"# {figures['machine']['date']}, {figures['machine']['cpu']}", "")
    say(f"{figures['machine']['cores']} cores, load {figures['machine']['load']} at the start")
    with tempfile.TemporaryDirectory() as folder:
        for part in parts:
            module = {"sweeps": sweeps, "newcomer": newcomer, "coldstart": coldstart, "records": records}[part]
            figures[part] = module.measure(arguments.programs, Path(folder), arguments.quick)
            TOLD[part](figures[part])
    if "records" in parts:
        figures["model"] = model.measure(figures["records"])
        tell_model(figures["model"])
    say("", f"load {os.getloadavg()[0]:.1f} at the end")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def machine():
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": names[0].partition(": ")[2] if names else platform.processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


def say(*lines):
    print("\n".join(lines), flush=True)


def table(head, rows):
    say("", f"| {' | '.join(head)} |", f"| --- {'| ---: ' * (len(head) - 1)}|")
    for row in rows:
        say(f"| {' | '.join(row)} |")


def tell_sweeps(figures):
    say("", f"## {figures['accounts']} accounts × {figures['regions']} Regions, {figures['times']} times each")
    for state in ["absent", "in sync", "1% drifted"]:
        head = [state, "targets/CPU-s", "CPU-s (range)", "CPU ms/target", "targets/s", "peak MB", "calls/target", "simulator's CPU-s"]
        rows = [
            [
                name,
                f"{it['targets per CPU-second']:,.0f}",
                f"{it['CPU-seconds']:.2f} ({it['CPU-seconds, least']:.2f}–{it['CPU-seconds, most']:.2f})",
                f"{it['CPU-milliseconds per target']:.3f}",
                f"{it['targets per second']:,.0f}",
                f"{it['peak MB']:.0f}",
                f"{it['calls per target']:.3f}",
                format(it["simulator's CPU-seconds"], ".2f"),
            ]
            for name, it in figures[state].items()
        ]
        table(head, rows)
        peer = figures[state]["boto3, clients shared"]["targets per CPU-second"]
        for name in ["keeper, direct", "keeper, queued"]:
            say("", f"{name}: {figures[state][name]['targets per CPU-second'] / peer:.1f} times the peer's targets per CPU-second")
            say(f"calls: {figures[state][name]['calls']}")
    say("", f"needed where all is in sync: {sweeps.needed(figures['accounts'], figures['regions'])}")


def tell_newcomer(figures):
    say("", f"## One new account, {figures['delay']} ms per call, {figures['times']} times each")
    table(
        ["form", "seconds (range)", "longest chain", "of calls", "ratio"],
        [
            [
                form,
                f"{it['seconds']:.3f} ({it['least']:.3f}–{it['most']:.3f})",
                f"{it['chain seconds']:.2f} s",
                str(len(it["chain"])),
                f"{it['seconds'] / it['chain seconds']:.2f}",
            ]
            for form, it in figures.items()
            if isinstance(it, dict)
        ],
    )
    for form, it in figures.items():
        if isinstance(it, dict):
            say("", f"{form}: {' → '.join(it['chain'])}", f"calls: {it['calls']}")


def tell_coldstart(figures):
    say("", f"## Cold start, {figures['times']} times each")
    names = ["init ms", "init CPU ms", "first invocation ms", "second invocation ms", "peak MB"]
    table(
        ["", *names, "init range", "binary", "zip"],
        [
            [
                name,
                *(f"{it[what]:.1f}" for what in names),
                f"{it['init ms, least']:.1f}–{it['init ms, most']:.1f}",
                f"{it['bytes'] / 1e6:.1f} MB",
                f"{it['zip bytes'] / 1e6:.2f} MB",
            ]
            for name, it in figures.items()
            if isinstance(it, dict)
        ],
    )
    say("", f"init: {figures['bootstrap']['init ms'] / figures['hello']['init ms']:.2f} times hello's")


def tell_records(figures):
    say("", f"## Records in DynamoDB, {figures['accounts']} accounts × {figures['regions']} Regions")
    for state in ["absent", "in sync"]:
        it = figures[state]
        calls = ", ".join(f"{name} {number:.2f}" for name, number in it["calls per task"].items())
        say("", f"{state}: per task {calls}; {it['read units per task']:.1f} read and {it['write units per task']:.1f} write units; {it['CPU-milliseconds per task']:.1f} ms CPU")


def tell_model(figures):
    say("", f"## Modelled: {figures['accounts']:,} accounts × {figures['regions']} Regions")
    say("", f"a task: {figures['task seconds']:.2f} s, of these computing {figures['of these computing']:.2f} s")
    say(f"accounts a second: {', '.join(f'{name} {rate:.0f}' for name, rate in figures['accounts per second'].items())}")
    say(f"concurrency that is enough: {figures['concurrency that is enough']:.0f}")
    table(
        ["concurrency", "minutes", "bound by"],
        [[str(it["concurrency"]), f"{it['seconds'] / 60:.1f}", it["bound by"]] for it in figures["sweeps"]],
    )
    table(["one sweep, all in sync", "US$"], [[name, f"{dollars:.3f}"] for name, dollars in figures["costs"].items()])


TOLD = {"sweeps": tell_sweeps, "newcomer": tell_newcomer, "coldstart": tell_coldstart, "records": tell_records}

if __name__ == "__main__":
    main()
