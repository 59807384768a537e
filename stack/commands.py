"""Several commands of manage.py in one process: most of what one takes is the start of Django.

``python -m stack.commands`` reads a list of commands as JSON, each a list of words, and prints a
line of JSON for each: its exit code and what it has printed. The first that fails is the last.
"""

import contextlib
import io
import json
import os
import sys
import traceback

import manage


def run(words: list[str]) -> tuple[int, str]:
    """Exit code and output of one command."""
    said = io.StringIO()
    code = 0
    sys.argv = ["manage.py", *words]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            manage.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
            if isinstance(end.code, str):
                said.write(end.code)
        except Exception:
            code = 1
            traceback.print_exc()
    return code, said.getvalue()


def main() -> None:
    # Of a process's own: what a command starts may print beside it.
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as told:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        for words in json.load(sys.stdin):
            code, said = run(words)
            print(json.dumps([code, said]), file=told, flush=True)
            if code:
                return


if __name__ == "__main__":
    main()
