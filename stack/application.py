"""What the stack asks of the site through manage.py, each step harmless when done again."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping
from enum import Enum, auto
from pathlib import Path

from stack.config import Config
from stack.errors import StackError
from stack.processes import last_lines

DONE_WITH_REJECTS = 3
SEED = "1"
SAMPLE_STARTED = "sample-started"
SAMPLE_DONE = "sample-done"
HAS_PRODUCTS = [
    *("shell", "--no-imports", "--command"),
    "from products.models import Product; print(Product.objects.exists())",
]
# All that an instance reads when it starts.
CHECK_SETTINGS = """
from django.core.exceptions import ImproperlyConfigured
try:
    import atelier.wsgi
except ImproperlyConfigured as error:
    raise SystemExit(str(error))
"""


class Made(Enum):
    """What `.env` names: new to the user, known, or there with another secret."""

    NOW = auto()
    BEFORE = auto()
    OTHERWISE = auto()


class Application:
    """manage.py of the checkout, with the stack's environment."""

    def __init__(self, config: Config, environ: Mapping[str, str]) -> None:
        self.config = config
        self.environ = dict(environ)
        self._marks = config.state / "marks"

    def check_settings(self) -> None:
        """``StackError`` with Django's sentence where a setting cannot be used."""
        finished = subprocess.run(
            [str(self.config.python), "-c", CHECK_SETTINGS],
            env={**self.environ, "DJANGO_SETTINGS_MODULE": "atelier.settings"},
            cwd=self.config.checkout,
            capture_output=True,
            text=True,
            check=False,
        )
        if finished.returncode:
            raise StackError(
                (finished.stderr.strip() or "The settings cannot be read.").splitlines()[-1]
            )

    def prepare(self) -> bool:
        """Migrate and collect static files. Whether sample data should be imported.

        It should where it is asked for, and neither it nor other products are there.
        """
        steps = [
            ["migrate", "--noinput", "--verbosity", "0"],
            ["collectstatic", "--noinput", "--verbosity", "0"],
        ]
        wanted = self._sample_size() > 0 and not self._is_marked(SAMPLE_DONE)
        asks = wanted and not self._is_marked(SAMPLE_STARTED)
        said = self._manage_each([*steps, HAS_PRODUCTS] if asks else steps)
        # Readable by nginx's workers whatever the caller's umask is.
        for path in (self.config.static, *self.config.static.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        return wanted and not (asks and said[-1].split()[-1] == "True")

    def expire_caches(self) -> None:
        """New code may answer otherwise; nothing that old code answered is served from now on."""
        self._manage("expire_caches")

    def import_sample(self) -> list[str]:
        """Generate and import the sample; the closing lines of the import's summary.

        The whole summary is in the log `sample.log`.
        """
        folder = self.config.state / "sample"
        shutil.rmtree(folder, ignore_errors=True)
        self._mark(SAMPLE_STARTED)
        size = str(self._sample_size())
        summaries = [
            self._manage("generate_dataset", "--products", size, "--seed", SEED, str(folder)),
            self._manage("import_all", str(folder), accepted=(0, DONE_WITH_REJECTS)),
        ]
        (self.config.logs / "sample.log").write_text("\n".join(summaries))
        self._mark(SAMPLE_DONE)
        return [line for text in summaries[1:] for line in text.splitlines()[-2:]]

    def create_accounts(self) -> dict[str, Made]:
        """Make the first staff account (``admin``) and the first client (``client``) of `.env`.

        A `.env` from before there were clients names no secret for one: then none is made.
        """
        if not self.config.text("ADMIN_PASSWORD"):
            raise StackError("ADMIN_PASSWORD is empty: set the first account's password in .env.")
        text = self.config.text
        accounts = {
            "admin": (text("ADMIN_USERNAME", "admin"), text("ADMIN_PASSWORD")),
            "client": (text("FIRST_CLIENT_ID", "first"), text("FIRST_CLIENT_SECRET")),
        }
        made = dict.fromkeys(accounts, Made.BEFORE)
        missing = [
            kind
            for kind, (name, secret) in accounts.items()
            if secret and self._mark_of(f"{kind}-done") != _digest(name, secret)
        ]
        if missing:
            told = self._manage(
                *("create_first_accounts", *missing),
                more={
                    "ADMIN_USERNAME": accounts["admin"][0],
                    "ADMIN_EMAIL": text("ADMIN_EMAIL", "admin@localhost"),
                    "ADMIN_PASSWORD": accounts["admin"][1],
                    "FIRST_CLIENT_ID": accounts["client"][0],
                    "FIRST_CLIENT_SECRET": accounts["client"][1],
                },
            )
            for kind, is_known in json.loads(told).items():
                # Also where an earlier command made it, and did not come to tell of it.
                made[kind] = Made.NOW if is_known else Made.OTHERWISE
                if is_known:
                    self._mark(f"{kind}-done", _digest(*accounts[kind]))
        return made

    def _sample_size(self) -> int:
        return self.config.number("SAMPLE_PRODUCTS", 2000)

    def _manage(
        self,
        *arguments: str,
        more: Mapping[str, str] | None = None,
        accepted: tuple[int, ...] = (0,),
    ) -> str:
        """What a command of manage.py prints."""
        finished = self._run(str(self.config.checkout / "manage.py"), *arguments, more=more)
        if finished.returncode not in accepted:
            raise _failed(arguments[0], finished.returncode, finished.stdout + finished.stderr)
        return finished.stdout

    def _manage_each(self, commands: list[list[str]]) -> list[str]:
        """What each of some commands prints, run in one process."""
        finished = self._run("-m", "stack.commands", said=json.dumps(commands))
        told = [json.loads(line) for line in finished.stdout.splitlines()]
        for command, (code, said) in zip(commands, told, strict=False):
            if code:
                raise _failed(command[0], code, said)
        if len(told) < len(commands):
            raise _failed(commands[len(told)][0], finished.returncode, finished.stderr)
        return [said for _, said in told]

    def _run(
        self, *arguments: str, more: Mapping[str, str] | None = None, said: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.config.python), *arguments],
            env={**self.environ, **(more or {})},
            cwd=self.config.checkout,
            input=said,
            capture_output=True,
            text=True,
            check=False,
        )

    def _is_marked(self, name: str) -> bool:
        return (self._marks / name).exists()

    def _mark_of(self, name: str) -> str:
        path = self._marks / name
        return path.read_text() if path.exists() else ""

    def _mark(self, name: str, text: str = "") -> None:
        self._marks.mkdir(parents=True, exist_ok=True)
        path = self._marks / name
        # What tells of a password is not for everybody.
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(text)


def _digest(name: str, secret: str) -> str:
    """What tells whether `.env` has another secret by now, and not which."""
    return hashlib.sha256(f"{name}\0{secret}".encode()).hexdigest()


def _failed(command: str, code: int, output: str) -> StackError:
    return StackError(
        f"manage.py {command} failed (exit code {code}).\n{last_lines(output.strip())}"
    )


def code_files(checkout: Path) -> list[Path]:
    """The files whose change asks for a restart: the site's Python and its templates."""
    return sorted(
        path
        for package in checkout.iterdir()
        if (package / "__init__.py").exists() and package.name not in {"stack", "tests"}
        for suffix in ("*.py", "*.html", "*.sql")
        for path in package.rglob(suffix)
    )
