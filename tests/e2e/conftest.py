"""One organization and one deployed keeper for all tests, but for test_organization_level.py, which has its own. They run in
the order they are written: each begins where the one before it ended, with everybody guarded and empty queues."""

import json
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from place import ROOT, Place, standing  # noqa: E402

START = time.time()


def pytest_terminal_summary(terminalreporter):
    """The line that tools/reliability takes figures from. What failed leaves none."""
    reports = terminalreporter.stats
    if "failed" in reports or "error" in reports:
        return
    seconds = round(time.time() - START)
    figures = json.dumps({"tests": len(reports.get("passed", [])), "seconds": seconds})
    terminalreporter.write_line(f"figures e2e {figures}")


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    with standing(Place, tmp_path_factory.mktemp("place")) as place:
        yield place


@pytest.fixture
def quiet(place):
    """The keeper, with nothing under way before the test and nothing dead after it."""
    place.quiet()
    place.pass_on(lose=lambda event: True)
    place.forget_calls()
    yield place
    place.quiet()
    assert place.dead_letters() == 0


@pytest.fixture(scope="session")
def baseline():
    return (ROOT / "tests/e2e/baseline.yaml").read_text(encoding="utf-8")
