"""``python -m tests.load``: what `make load` calls. Settings are those of ``lib/config.js``."""

import html
import http.client
import json
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from stack import config as configuration
from stack import probes
from stack.config import Config
from stack.errors import StackError
from tests.bench import cpu

SCRIPT = Path(__file__).with_name("main.js")
# Settings of the site that make visitors. Those of .env are for its own site, not for any URL.
VISITOR_KEYS = ("VISITOR_ID_KEY", "TOKEN_KEY", "TOKEN_AUDIENCE")
# The collector of memory runs less often, for there is enough of it.
GOGC = "400"
PROBE_SECONDS = 10


def main() -> int:
    """k6's exit code: 0 all thresholds hold, 99 one does not, other numbers did not run.

    1 with a sentence where there is nothing to ask.
    """
    try:
        config = configuration.load()
        url = os.environ.get("URL", "").rstrip("/")
        settings = {"URL": url} if url else own_site(config)
        refuse_silence(settings["URL"])
        folder = new_folder(config)
        before = 0.0 if url else site_seconds(config)
        code = run(settings, folder)
        if not url:
            tell_cost(folder, site_seconds(config) - before)
        complete_report(folder)
    except StackError as error:
        print(f"\nerror: {error}", file=sys.stderr)  # noqa: T201
        return 1
    for made in sorted(folder.iterdir()):
        print(made)  # noqa: T201
    return code


def run(settings: Mapping[str, str], folder: Path) -> int:
    """Run k6, which leaves summary.json and report.html in the folder."""
    program = Path(sysconfig.get_path("scripts")) / "k6"
    if not program.exists():
        raise StackError(f"{program} is missing: run `make environment`.")
    # k6 takes orders of its own, such as K6_NO_THRESHOLDS, from wherever it is started.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("K6_")}
    environ = {
        "GOGC": GOGC,
        **inherited,
        **settings,
        "FOLDER": str(folder),
        "K6_NO_USAGE_REPORT": "true",
        "K6_WEB_DASHBOARD": "true",
        # The report alone: nobody needs to watch, so nothing listens.
        "K6_WEB_DASHBOARD_PORT": "-1",
        "K6_WEB_DASHBOARD_EXPORT": str(folder / "report.html"),
        "K6_WEB_DASHBOARD_PERIOD": os.environ.get("K6_WEB_DASHBOARD_PERIOD") or "1s",
    }
    # Without an address k6 offers no interface of its own, so that two runs do not collide.
    command = [str(program), "run", "--address", "", str(SCRIPT)]
    if not sys.stdout.isatty():
        command.insert(2, "--quiet")
    process = subprocess.Popen(command, env=environ)
    try:
        return process.wait()
    except KeyboardInterrupt:
        # The terminal interrupted k6 as well: it sums up what it has.
        return process.wait()


def site_seconds(config: Config) -> float:
    """CPU seconds that all processes of this checkout's site have used; 0 where none is seen."""
    try:
        supervisor = int((config.run / "supervisord.pid").read_text())
    except (OSError, ValueError):
        return 0.0
    return cpu.seconds_of({"site": [supervisor]})["site"]


def tell_cost(folder: Path, seconds: float) -> None:
    """Add to the summary what the site took for these requests, those of a warm-up included."""
    numbers, text = folder / "summary.json", folder / "summary.txt"
    if not numbers.exists():
        return
    found = json.loads(numbers.read_text())
    requests = found["sent"]
    if not requests or seconds <= 0:
        return
    found["site_cpu_seconds"] = round(seconds, 2)
    numbers.write_text(json.dumps(found, indent=2) + "\n")
    line = (
        f"the site took {seconds:.1f} s of CPU,"
        f" {seconds * 10_000 / requests:.2f} s per 10,000 requests\n"
    )
    text.write_text(text.read_text() + line)
    print(line, end="")  # noqa: T201


def complete_report(folder: Path) -> None:
    """Put the table of the routes on top of k6's page, which knows no routes."""
    report, summary = folder / "report.html", folder / "summary.txt"
    if not (report.exists() and summary.exists()):
        return
    text = html.escape(summary.read_text().strip())
    style = "margin: 2rem; overflow-x: auto; font: 14px/1.4 monospace"
    table = f'<body>\n<pre style="{style}">{text}</pre>'
    report.write_text(report.read_text().replace("<body>", table, 1))


def own_site(config: Config) -> dict[str, str]:
    """Where this checkout's site is, and how it knows visitors."""
    keys = {name: config.text(name) for name in VISITOR_KEYS if config.text(name)}
    if config.text("TOKEN_ALGORITHM", "HS256") != "HS256":
        keys.pop("TOKEN_KEY", None)
    client = {
        "CLIENT_ID": config.text("FIRST_CLIENT_ID", "first"),
        "CLIENT_SECRET": config.text("FIRST_CLIENT_SECRET"),
    }
    return {"URL": probes.base_url(config), **keys, **client}


def refuse_silence(url: str) -> None:
    """``StackError`` unless the products of a site answer there."""
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    try:
        address = urlsplit(url)
        if not address.hostname:
            raise ValueError
        connection = kinds[address.scheme](address.netloc, timeout=PROBE_SECONDS)
    except (ValueError, KeyError, http.client.InvalidURL) as error:
        raise StackError(f"URL is {url!r}: set it to one such as http://127.0.0.1:8000.") from error
    try:
        connection.request("GET", f"{address.path}/products?count=1")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise StackError(
            f"Nothing answers at {url} ({error}): `make up` starts the site; URL=... asks another, "
            "by a name of its ALLOWED_HOSTS."
        ) from error
    finally:
        connection.close()
    if status != http.client.OK:
        raise StackError(f"{url}/products answers {status}: is this the address of the site?")


def new_folder(config: Config) -> Path:
    """A folder for one run's files, in the state folder; of runs in one second each its own."""
    scenario = re.sub(r"\W", "", os.environ.get("SCENARIO") or "average")
    runs = config.state / "load"
    try:
        runs.mkdir(parents=True, exist_ok=True)
        prefix = f"{time.strftime('%Y%m%d-%H%M%S')}-{scenario}-"
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=runs))
        folder.chmod(0o755)
    except OSError as error:
        raise StackError(f"There can be no folder in {runs}: {error.strerror}.") from error
    return folder


if __name__ == "__main__":
    sys.exit(main())
