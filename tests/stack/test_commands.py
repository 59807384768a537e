import json
import subprocess
import sys

from django.conf import settings

NOISY = (
    "import os, subprocess; os.write(1, b'beside\\n'); subprocess.run(['echo', 'child']); print(7)"
)


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
