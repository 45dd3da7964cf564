"""The constraints that the simulator holds inputs to are those of the service models used here."""

import subprocess
import sys
from pathlib import Path

SIMULATOR = Path(__file__).parents[2]


def test_the_schema_is_what_the_tool_writes():
    tool = [sys.executable, SIMULATOR / "tools" / "schema.py"]
    written = subprocess.run(tool, capture_output=True, text=True, check=True).stdout
    assert written == (SIMULATOR / "src" / "wire" / "schema.json").read_text()
