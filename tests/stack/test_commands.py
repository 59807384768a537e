import json
import subprocess
import sys

from django.conf import settings

NOISY = (
    "import os, subprocess; os.write(1, b'beside\\n'); subprocess.run(['echo', 'child']); print(7)"
)


def test_a_command_goes_on_where_nobody_reads():
    script = "import sys; from stack.__main__ import say; say('a'); say('b'); sys.exit(7)"
    silent = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    silent.stdout.close()
    assert silent.stderr.read() == b""
    assert silent.wait() == 7
    silent.stderr.close()


def run(*commands: list[str]) -> list[tuple[int, str]]:
    finished = subprocess.run(
        [sys.executable, "-m", "stack.commands"],
        cwd=settings.BASE_DIR,
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        check=True,
    )
    return [tuple(json.loads(line)) for line in finished.stdout.splitlines()]


def test_each_command_says_its_own_and_the_first_that_fails_is_the_last():
    shell = ["shell", "--no-imports", "--command"]
    said = run([*shell, NOISY], [*shell, "raise SystemExit('no')"], [*shell, "print(8)"])
    assert said == [(0, "7\n"), (1, "no")]
    [(code, told)] = run([*shell, "1 / 0"])
    assert code == 1
    assert "ZeroDivisionError" in told
