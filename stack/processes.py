"""Starting one background program, waiting for it, and stopping exactly that one."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from stack.accounts import SOCKET_PATH_LIMIT, Account
from stack.errors import StackError

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.05


class Daemon:
    """A child process with a log file, in its own session so that Ctrl-C spares it.

    The kernel sends it ``stop_signal`` when the starter dies, so a killed test run leaves nothing.
    """

    def __init__(
        self,
        *,
        command: Sequence[str],
        log: Path,
        account: Account,
        stop_signal: signal.Signals,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._command = list(command)
        self._log = log
        self._account = account
        self._stop_signal = stop_signal
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self, *, is_ready: Callable[[], bool], seconds: float = 60) -> None:
        """Start it and wait until ``is_ready``; ``StackError`` with its log's end if it is not."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environ,
                cwd="/",
                start_new_session=True,
                preexec_fn=self._die_with_parent,
                **self._account.popen_options(),
            )
        deadline = time.monotonic() + seconds
        while not is_ready():
            if self.pid is None or time.monotonic() > deadline:
                self.stop()
                raise StackError(f"{self._command[0]} did not start.\n{tail(self._log)}")
            time.sleep(POLL_SECONDS)

    def stop(self, seconds: float = 30) -> None:
        """Ask it to end, wait, and kill it when it has not in time. Harmless when not running."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(self._stop_signal)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _die_with_parent(self) -> None:
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(self._stop_signal))


def run(
    command: Sequence[str],
    *,
    account: Account | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    input_text: str | None = None,
    failure: str,
) -> str:
    """Run to the end; standard output, or ``StackError(failure + output)`` on a non-zero exit."""
    finished: subprocess.CompletedProcess[str] = subprocess.run(
        list(command),
        env=None if environ is None else dict(environ),
        cwd=cwd,
        text=True,
        capture_output=True,
        check=False,
        **({"stdin": subprocess.DEVNULL} if input_text is None else {"input": input_text}),
        **(account.popen_options() if account else {}),
    )
    if finished.returncode != 0:
        output = (finished.stdout + finished.stderr).strip()
        raise StackError(f"{failure}\n{last_lines(output)}")
    return finished.stdout


def last_lines(text: str, lines: int = 20) -> str:
    """The last lines, indented, for quoting in an error."""
    return "\n".join(f"  | {line}" for line in text.splitlines()[-lines:])


def tail(log: Path, lines: int = 20) -> str:
    """The end of a log file, indented, under its name."""
    try:
        text = log.read_text(errors="replace")[-20_000:]
    except FileNotFoundError:
        text = "(nothing was logged)"
    return f"The end of {log}:\n{last_lines(text, lines)}"


def check_socket_path(path: Path, setting: str = "ATELIER_STATE_DIR") -> None:
    """``StackError`` naming the setting where the kernel would refuse such a Unix socket."""
    length = len(os.fsencode(path))
    if length > SOCKET_PATH_LIMIT:
        raise StackError(
            f"The socket path {path} has {length} bytes and Unix allows {SOCKET_PATH_LIMIT}: "
            f"set {setting} to a shorter folder."
        )
