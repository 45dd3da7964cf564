"""A ledger in a file beside one in memory: the same run over everything, turn and turn about.

    cargo build --release --locked --package keeper-bench --package simulator
    python3 benches/ledgers.py target/release
"""

import sys
import tempfile
from pathlib import Path

from harness import Simulator, baseline, environment, run

ACCOUNTS, REGIONS, TURNS = 302, 10, 2


def main(built):
    with tempfile.TemporaryDirectory() as folder, Simulator(f"{built}/simulator", ACCOUNTS) as simulator:
        document = Path(folder) / "baseline.yaml"
        document.write_text(baseline(simulator.regions[:REGIONS]), encoding="utf-8")
        simulator.keep("absent")
        for turn in range(TURNS):
            for ledger in (f"file:{folder}/ledger-{turn}.json", "memory"):
                simulator.back_to("absent")
                env = environment(simulator.url, KEEPER_BASELINE=str(document), KEEPER_LEDGER=ledger)
                used = run([f"{built}/keeper-bench", "direct"], env)
                if used.answer["written"] != ACCOUNTS * REGIONS or not used.answer["converged"]:
                    sys.exit(f"it didn't do the work: {used.answer}")
                kind = ledger.partition(":")[0]
                print(f"{kind:6} {used.wall:6.1f} s, {used.cpu:5.1f} s of CPU time, {used.peak_mb:.0f} MB", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
