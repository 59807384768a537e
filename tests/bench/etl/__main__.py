"""The sitting: a full import against plain COPY, refreshes, and the API meanwhile."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from stack.errors import StackError
from tests.bench import draws, report
from tests.bench.__main__ import ERRORS, say
from tests.bench.etl import deliveries, plot, tables
from tests.bench.load import Generators, Load, Shot
from tests.bench.options import MOST_PRODUCTS
from tests.bench.site import DONE_WITH_REJECTS, IMPORTED, SEED, Site

CHANGED_SHARE = 0.01
RATE, WRITES = 200, 0.05
# Every request is sent in time unless the API stands still for longer.
PATIENCE_SECONDS = 1
ALONE_SECONDS, MOST_SECONDS = 5, 3600
SAMPLE_SECONDS = 0.5


class Imported:
    """An import that was measured. seconds: of the whole command; staged_bytes: the most that the
    schema `etl` took meanwhile."""

    def __init__(self, told: Mapping[str, Any], seconds: float, staged_bytes: int) -> None:
        self.told = told
        self.seconds = seconds
        self.staged_bytes = staged_bytes

    @property
    def rows(self) -> int:
        return sum(file["read"] for file in self.told["files"])

    def total(self, count: str) -> int:
        return sum(file[count] for file in self.told["files"])

    def as_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "staged_bytes": self.staged_bytes, **self.told}


def main() -> int:
    """Exit codes: 0 measured, 1 could not be measured, 130 interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        products = _products(os.environ)
        with EtlSite(products, say) as site:
            _sit(site)
    except StackError as error:
        ERRORS.print(f"\nerror: {error}")
        return 1
    except KeyboardInterrupt:
        ERRORS.print("\ninterrupted: the files stay for the next run")
        return 130
    return 0


def _products(environ: Mapping[str, str]) -> int:
    text = environ.get("PRODUCTS") or "20000"
    if not text.isascii() or not text.isdigit() or not 1000 <= int(text) <= MOST_PRODUCTS:
        raise StackError(f"PRODUCTS is {text!r}: set it to a whole number from 1000.")
    return int(text)


class EtlSite(Site):
    """A site whose data come and go: nothing is loaded when it starts."""

    prefix = "etl-"

    def _load(self) -> None:
        self._mark.parent.mkdir(exist_ok=True)
        self._mark.touch()


def _sit(site: EtlSite) -> None:
    began = time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime())
    files = site.folder / "files"
    if not (files / "dirty" / "manifest.json").exists():
        shutil.rmtree(files, ignore_errors=True)
        _generate(site, files / "dirty")
        say("writing the later deliveries")
        deliveries.one_line_each(files / "dirty", files / "one")
        deliveries.share_of_lines(files / "one", files / "share", CHANGED_SHARE)
        deliveries.share_of_lines(files / "share", files / "again", CHANGED_SHARE)
    results: dict[str, Any] = {
        "began_at": began,
        "revision": report.revision(),
        "machine": report.machine(),
        "products": site.products,
    }
    tables.empty(site)
    first = _import(site, files / "dirty", "the full import")
    _check(first, files / "dirty")
    results["full"] = first.as_dict()
    if not (files / "clean" / "done").exists():
        say("writing what was loaded as clean files")
        tables.write_clean(site, files / "clean")
        (files / "clean" / "done").touch()
    site.settle()
    one = _import(site, files / "one", "one changed line in each file")
    results["one_line"] = one.as_dict()
    site.settle()
    share = _import(site, files / "share", f"{CHANGED_SHARE:.0%} of the lines changed")
    results["share"] = share.as_dict()
    site.settle()
    again, shot = _import_under_load(site, files / "again")
    results["under_load"] = {**again.as_dict(), "load": shot.as_dict()}
    tables.empty(site)
    say("plain COPY of the clean files")
    baseline = tables.copy_plainly(site, files / "clean")
    tables.empty(site)
    results["baseline"] = {"seconds": sum(baseline.values()), "phases": baseline}
    folder = site.folder / "results"
    folder.mkdir(exist_ok=True)
    (folder / f"{began}.json").write_text(json.dumps(results, indent=2) + "\n")
    (folder / f"{began}.svg").write_text(plot.phases(results["full"]))
    markdown = plot.tables(results)
    (folder / f"{began}.md").write_text(markdown)
    print(markdown)  # noqa: T201
    say(f"as JSON, Markdown and with a plot: {folder / began}.json, .md, .svg")


def _generate(site: EtlSite, folder: Path) -> None:
    _manage(
        site,
        *("generate_dataset", "--products", str(site.products), "--seed", str(SEED), str(folder)),
    )


def _manage(site: EtlSite, *arguments: str) -> str:
    say(f"manage.py {' '.join(arguments)}")
    with (site.config.logs / "etl.log").open("ab") as log:
        finished = subprocess.run(
            [sys.executable, str(site.config.checkout / "manage.py"), *arguments],
            env=site.stack.environ,
            cwd=site.config.checkout,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            check=False,
        )
    if finished.returncode not in (IMPORTED, DONE_WITH_REJECTS):
        raise StackError(f"manage.py {arguments[0]} failed: see {site.config.logs / 'etl.log'}.")
    return finished.stdout


def _import(site: EtlSite, folder: Path, what: str) -> Imported:
    say(what)
    with Staged(site) as staged:
        began = time.monotonic()
        told = json.loads(_manage(site, "import_all", str(folder), "--format", "json"))
        seconds = time.monotonic() - began
    return Imported(told, seconds, staged.most)


def _import_under_load(site: EtlSite, folder: Path) -> tuple[Imported, Shot]:
    """The API is asked from some seconds before the command is given to its end."""
    shutil.rmtree(site.folder / "draws", ignore_errors=True)
    generators = Generators(draws.read(site), site.programs)
    shots: list[Shot] = []
    ended = threading.Event()
    load = Load("zipf", site.products, writes=WRITES, rate=RATE, patience=PATIENCE_SECONDS)
    asking = threading.Thread(
        target=lambda: shots.append(
            generators.fire(load, site.url, MOST_SECONDS, seed=SEED, ended=ended)
        )
    )
    asking.start()
    try:
        time.sleep(ALONE_SECONDS)
        imported = _import(site, folder, f"the same again, the API at {RATE} requests a second")
    finally:
        ended.set()
        asking.join()
    if not shots:
        raise StackError("The load generator failed.")
    return imported, shots[0]


class Staged:
    """Watches how much room the schema `etl` takes."""

    def __init__(self, site: EtlSite) -> None:
        self.most = 0
        self._site = site
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Staged":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        with closing(self._site.connect()) as connection:
            while not self._ended.wait(SAMPLE_SECONDS):
                row = connection.execute(
                    "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class"
                    " WHERE relkind = 'r' AND relnamespace = to_regnamespace('etl')"
                ).fetchone()
                self.most = max(self.most, row[0] if row else 0)


def _check(imported: Imported, folder: Path) -> None:
    """That the import did what the manifest says."""
    manifest = json.loads((folder / "manifest.json").read_text())["files"]
    for file in imported.told["files"]:
        expected = manifest[f"{file['file']}.csv"]
        found = (file["lines"], file["loaded"], file["duplicate"], file["rejects"])
        wanted = tuple(expected[name] for name in ("lines", "loaded", "duplicate", "rejected"))
        if found != wanted:
            raise StackError(f"{file['file']} should count {wanted}, and counts {found}.")


if __name__ == "__main__":
    sys.exit(main())
