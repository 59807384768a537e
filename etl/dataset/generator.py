"""Writes a data set: chunks of lines from DuckDB, spoiled here and there, into its files."""

import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from etl.dataset import lines, manifest, people, queries
from etl.dataset.dirt import BOM, BOM_FILE, Spoiler
from etl.dataset.layout import LEGACY, header
from etl.dataset.manifest import FileCount, Manifest

Progress = Callable[[str, int, int], None]

PARTIAL = ".partial"
MOST = 100_000_000
CHUNK_PRODUCTS = 5_000
CHUNK_REVIEWS = 30_000
CHUNK_PEOPLE = 20_000
SWAP_EVERY = 199
MEMORY_LIMIT = "1500MB"

BIGGEST_FIRST = (
    people.PROFILES,
    people.ACCOUNTS,
    "reviews.csv",
    "characteristic_reviews.csv",
    "photos.csv",
    "skus.csv",
    "reviews_photos.csv",
    "product.csv",
    "related.csv",
    "features.csv",
    "styles.csv",
    "characteristics.csv",
)


class DirectoryNotEmptyError(Exception):
    """The directory holds files that a new data set might mix with."""


class StoppedError(Exception):
    """Another file of the same data set failed."""


@dataclass(slots=True)
class _Job:
    """What the threads of one run share."""

    directory: Path
    names: tuple[str, ...]
    products: int
    # Of the files of people, by name.
    people: dict[str, int]
    seed: int
    dirt: bool
    chunk: int
    connection: duckdb.DuckDBPyConnection
    statements: dict[str, str]
    progress: Progress | None
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopping: threading.Event = field(default_factory=threading.Event)

    def report(self, name: str, done: int, total: int) -> None:
        if self.progress:
            with self.lock:
                self.progress(name, done, total)


def generate(
    directory: Path | str,
    *,
    seed: int,
    products: int = 0,
    accounts: int = 0,
    profiles: int = 0,
    reviews_per_product: float = 5.8,
    dirt: bool = True,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Write the ten files of products, and those of accounts and profiles, where any are wanted,
    and `manifest.json` into `directory`, made if need be.

    The same arguments give the same bytes, whatever `threads` (default: one a core).
    Files appear under their names when all are complete, the manifest last.
    `progress` is called with a file's name, its rows done and its rows in all, by one
    thread at a time. A million products take about 4.5 GB of disk and 0.5 GB of memory.

    Raises `ValueError` for numbers out of range and `DirectoryNotEmptyError` unless
    `overwrite`; other files in the directory are left alone.
    """
    people_wanted = {people.ACCOUNTS: accounts, people.PROFILES: profiles}
    if not all(0 <= number < MOST for number in (products, accounts, profiles)):
        raise ValueError(f"products, accounts and profiles must be from 0 to {MOST - 1:,}")
    names = (*(LEGACY if products else ()), *(name for name, n in people_wanted.items() if n))
    if not names:
        raise ValueError("one of products, accounts and profiles must be from 1")
    if not 0 <= reviews_per_product <= 1_000:
        raise ValueError("reviews per product must be from 0 to 1,000")
    target = Path(directory)
    target.mkdir(parents=True, exist_ok=True)
    if not overwrite and any(not _is_partial(path) for path in target.iterdir()):
        raise DirectoryNotEmptyError(f"{target} is not empty")
    with _database(products, seed, reviews_per_product) as connection:
        job = _Job(
            directory=target,
            names=names,
            products=products,
            people=people_wanted,
            seed=seed,
            dirt=dirt,
            chunk=max(1, min(CHUNK_PRODUCTS, int(CHUNK_REVIEWS / max(1, reviews_per_product)))),
            connection=connection,
            statements=lines.statements(products) | people.statements(accounts),
            progress=progress,
        )
        try:
            counts = _write_files(job, threads or os.cpu_count() or 1)
            result = Manifest(products, seed, {name: counts[name] for name in names})
            _publish(target, result)
        finally:
            for name in names:
                _partial(target, name).unlink(missing_ok=True)
    return result


def _database(products: int, seed: int, reviews_per_product: float) -> duckdb.DuckDBPyConnection:
    """An in-memory database that runs each query in the thread that asks."""
    connection = duckdb.connect(
        ":memory:", config={"threads": 1, "memory_limit": MEMORY_LIMIT, "temp_directory": ""}
    )
    digest = hashlib.sha256(f"atelier data set {seed}".encode()).digest()
    for statement in queries.macros(int.from_bytes(digest[:7])):
        connection.execute(statement)
    queries.create_pools(connection)
    if products:
        connection.execute(queries.products_table(products, reviews_per_product))
    return connection


def _write_files(job: _Job, threads: int) -> dict[str, FileCount]:
    with ThreadPoolExecutor(max_workers=threads) as executor:
        futures = {
            executor.submit(_write_file, job, name): name
            for name in BIGGEST_FIRST
            if name in job.names
        }
        try:
            return {futures[future]: future.result() for future in as_completed(futures)}
        except BaseException:
            job.stopping.set()
            raise


def _write_file(job: _Job, name: str) -> FileCount:
    """Write one file under its temporary name, flushed to disk."""
    count = FileCount()
    with job.connection.cursor() as cursor, _partial(job.directory, name).open("wb") as file:
        last = job.people.get(name, job.products)
        step = CHUNK_PEOPLE if name in job.people else job.chunk
        total = last
        if name not in job.people:
            everything = {"first": 1, "last": last}
            total = _row(cursor, lines.COUNTS[name], everything)[0] or 0
        spoiler = Spoiler(name, total, job.seed, count) if job.dirt else None
        if spoiler and name == BOM_FILE:
            file.write(BOM)
            count.repaired["bom"] += 1
        file.write(header(name))
        for first in range(1, last + 1, step):
            if job.stopping.is_set():
                raise StoppedError(name)
            until = min(first + step - 1, last)
            rows = _chunk(job, cursor, name, (first, until), count.loaded)
            if spoiler:
                spoiler.spoil(rows, count.loaded)
            count.loaded += len(rows)
            file.writelines([b"\n", b"\n".join(rows)] if rows else [])
            job.report(name, count.loaded, total)
        if count.loaded != total:
            raise RuntimeError(f"{name}: {count.loaded} rows made, {total} expected")
        file.flush()
        os.fsync(file.fileno())
    return count


def _chunk(
    job: _Job, cursor: duckdb.DuckDBPyConnection, name: str, between: tuple[int, int], done: int
) -> list[bytes]:
    """The clean lines of one range of products or people, some neighbours in each other's place."""
    statement = job.statements[name]
    parameters = dict(zip(("first", "last"), between, strict=True))
    if "$done" in statement:
        parameters["done"] = done
    _, text = _row(cursor, statement, parameters)
    rows: list[bytes] = text.split(b"\n") if text else []
    for index in range(SWAP_EVERY // 2, len(rows) - 1, SWAP_EVERY):
        rows[index], rows[index + 1] = rows[index + 1], rows[index]
    return rows


def _row(
    cursor: duckdb.DuckDBPyConnection, statement: str, parameters: dict[str, int]
) -> tuple[Any, ...]:
    row: tuple[Any, ...] = cursor.execute(statement, parameters).fetchall()[0]
    return row


def _publish(directory: Path, result: Manifest) -> None:
    """Give the files their names; a manifest stands only beside the files it describes."""
    final = directory / manifest.FILE_NAME
    final.unlink(missing_ok=True)
    for name in result.files:
        _partial(directory, name).replace(directory / name)
    partial = _partial(directory, manifest.FILE_NAME)
    partial.write_text(result.as_json(), encoding="utf-8")
    partial.replace(final)


def _partial(directory: Path, name: str) -> Path:
    return directory / f".{name}{PARTIAL}"


def _is_partial(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(PARTIAL)
