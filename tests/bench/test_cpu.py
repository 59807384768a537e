import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.bench import cpu

BURN = "import time\nwhile time.process_time() < 0.5: pass"
# Burns in a child that ends, and then waits to be told to go.
PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {BURN!r}])
print("burnt", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def parent() -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "burnt\n"
        yield process
        assert process.stdin
        process.stdin.close()


def test_children_that_ended_are_counted_with_their_parent(parent):
    assert cpu.seconds_of({"tree": [parent.pid]})["tree"] >= 0.4


def test_a_process_that_is_gone_uses_nothing():
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    assert cpu.seconds_of({"gone": [gone.pid], "none": []}) == {"gone": 0.0, "none": 0.0}
