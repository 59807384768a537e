"""What the stack asks of the site through manage.py, each step harmless when done again."""

import hashlib
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
ADMIN_DONE = "admin-done"
CLIENT_DONE = "client-done"
# Where the shell finds the hash of what was made.
ADMIN_HASH = "User.objects.get(username=os.environ['NAME']).password"
CLIENT_HASH = "Client.objects.get(client_id=os.environ['NAME']).client_secret"
# All that an instance reads when it starts.
CHECK_SETTINGS = """
from django.core.exceptions import ImproperlyConfigured
try:
    import atelier.wsgi
except ImproperlyConfigured as error:
    raise SystemExit(str(error))
"""


class Made(Enum):
    """What `.env` names: made now, there before, or there with another secret."""

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

    def migrate(self) -> None:
        self._manage("migrate", "--noinput", "--verbosity", "0")

    def collect_static(self) -> None:
        """Files readable by nginx's workers whatever the caller's umask is."""
        self._manage("collectstatic", "--noinput", "--verbosity", "0")
        for path in (self.config.static, *self.config.static.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)

    def expire_caches(self) -> None:
        """New code may answer otherwise; nothing that old code answered is served from now on."""
        self._manage("expire_caches")

    def wants_sample(self) -> bool:
        """Whether sample data is asked for and neither it nor other products are there."""
        if self._is_marked(SAMPLE_DONE) or self._sample_size() == 0:
            return False
        if self._is_marked(SAMPLE_STARTED):
            return True
        question = "from products.models import Product; print(Product.objects.exists())"
        answer = self._manage("shell", "--no-imports", "--command", question)
        return answer.split()[-1] == "False"

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

    def create_admin(self) -> Made:
        """Make the staff account of `.env`: its password is news then."""
        name = self.config.text("ADMIN_USERNAME", "admin")
        password = self.config.text("ADMIN_PASSWORD")
        if not password:
            raise StackError("ADMIN_PASSWORD is empty: set the first account's password in .env.")
        told = _digest(name, password)
        if self._mark_of(ADMIN_DONE) == told:
            return Made.BEFORE
        account = {
            "DJANGO_SUPERUSER_USERNAME": name,
            "DJANGO_SUPERUSER_EMAIL": self.config.text("ADMIN_EMAIL", "admin@localhost"),
            "DJANGO_SUPERUSER_PASSWORD": password,
        }
        made = Made.NOW
        try:
            self._manage("createsuperuser", "--noinput", more=account)
        except StackError as error:
            if "already taken" not in str(error):
                raise
            made = self._compared(ADMIN_HASH, name, password)
        if made is not Made.OTHERWISE:
            self._mark(ADMIN_DONE, told)
        return made

    def create_client(self) -> Made:
        """Make the first client of the API, of `.env`.

        A `.env` from before there were clients names no secret: then none is made.
        """
        name = self.config.text("FIRST_CLIENT_ID", "first")
        secret = self.config.text("FIRST_CLIENT_SECRET")
        told = _digest(name, secret)
        if not secret or self._mark_of(CLIENT_DONE) == told:
            return Made.BEFORE
        said = self._manage(
            *("create_client", "The first client", "--id", name, "--if-missing"),
            more={"CLIENT_SECRET": secret},
        )
        is_new = "client_secret=" in said
        made = Made.NOW if is_new else self._compared(CLIENT_HASH, name, secret)
        if made is not Made.OTHERWISE:
            self._mark(CLIENT_DONE, told)
        return made

    def _compared(self, stored: str, name: str, secret: str) -> Made:
        """Whether what was made before has this secret; `stored` is where Django keeps its hash."""
        question = (
            "import os; from django.contrib.auth.hashers import check_password; "
            "from users.models import Client, User; "
            f"print(check_password(os.environ['SECRET'], {stored}))"
        )
        answer = self._manage(
            *("shell", "--no-imports", "--command", question), more={"NAME": name, "SECRET": secret}
        )
        return Made.BEFORE if answer.split()[-1] == "True" else Made.OTHERWISE

    def _sample_size(self) -> int:
        return self.config.number("SAMPLE_PRODUCTS", 2000)

    def _manage(
        self,
        *arguments: str,
        more: Mapping[str, str] | None = None,
        accepted: tuple[int, ...] = (0,),
    ) -> str:
        command = [str(self.config.python), str(self.config.checkout / "manage.py"), *arguments]
        finished = subprocess.run(
            command,
            env={**self.environ, **(more or {})},
            cwd=self.config.checkout,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if finished.returncode not in accepted:
            output = last_lines((finished.stdout + finished.stderr).strip())
            raise StackError(
                f"manage.py {arguments[0]} failed (exit code {finished.returncode}).\n{output}"
            )
        return finished.stdout

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


def code_files(checkout: Path) -> list[Path]:
    """The files whose change asks for a restart: the site's Python and its templates."""
    return sorted(
        path
        for package in checkout.iterdir()
        if (package / "__init__.py").exists() and package.name not in {"stack", "tests"}
        for suffix in ("*.py", "*.html", "*.sql")
        for path in package.rglob(suffix)
    )
