"""What the stack asks of the site through manage.py, each step harmless when done again."""

import shutil
import subprocess
from collections.abc import Mapping
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


class Application:
    """manage.py of the checkout, with the stack's environment."""

    def __init__(self, config: Config, environ: Mapping[str, str]) -> None:
        self.config = config
        self.environ = dict(environ)
        self._marks = config.state / "marks"

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

    def create_admin(self) -> bool:
        """Make the staff account of `.env`. True if it was made now: its password is news."""
        if self._is_marked(ADMIN_DONE):
            return False
        name = self.config.text("ADMIN_USERNAME", "admin")
        password = self.config.text("ADMIN_PASSWORD")
        if not password:
            raise StackError("ADMIN_PASSWORD is empty: set the first account's password in .env.")
        account = {
            "DJANGO_SUPERUSER_USERNAME": name,
            "DJANGO_SUPERUSER_EMAIL": self.config.text("ADMIN_EMAIL", "admin@localhost"),
            "DJANGO_SUPERUSER_PASSWORD": password,
        }
        try:
            self._manage("createsuperuser", "--noinput", more=account)
        except StackError as error:
            if "already taken" not in str(error):
                raise
            self._mark(ADMIN_DONE)
            return False
        self._mark(ADMIN_DONE)
        return True

    def create_client(self) -> bool:
        """Make the first client of the API, of `.env`. True if it was made now.

        A `.env` from before there were clients names no secret: then none is made.
        """
        secret = self.config.text("FIRST_CLIENT_SECRET")
        if self._is_marked(CLIENT_DONE) or not secret:
            return False
        client = self.config.text("FIRST_CLIENT_ID", "first")
        made = self._manage(
            "create_client",
            "The first client",
            "--id",
            client,
            "--if-missing",
            more={"CLIENT_SECRET": secret},
        )
        self._mark(CLIENT_DONE)
        return "client_secret=" in made

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

    def _mark(self, name: str) -> None:
        self._marks.mkdir(parents=True, exist_ok=True)
        (self._marks / name).touch()


def code_files(checkout: Path) -> list[Path]:
    """The files whose change asks for a restart: the site's Python and its templates."""
    return sorted(
        path
        for package in checkout.iterdir()
        if (package / "__init__.py").exists() and package.name not in {"stack", "tests"}
        for suffix in ("*.py", "*.html", "*.sql")
        for path in package.rglob(suffix)
    )
