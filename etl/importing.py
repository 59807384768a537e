"""An import from its files to its final transaction.

1. Each file is read into a table of the schema `etl`, every line accounted for: bad ones, orphans
   and repeated ids stay out.
2. Where the live table is empty, that one is its successor, and is indexed and constrained;
   otherwise it is compared, and what differs is noted.
3. One transaction, through the write door with the scope `epoch`, makes everything visible.

Two lanes do 1 and 2, each step committed when it is done, parents before children. A process that
is killed before the end of 3 leaves the tables as they were; what it left in the schema `etl` is
dropped by the next run, or used by one that resumes it.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

from django.conf import settings
from django.db import connection, transaction

from atelier.core.publishing import EPOCH, publish
from etl import aggregates, building, fingerprints, merging, staging
from etl.building import ForeignKey
from etl.files import KINDS, FileKind
from etl.keys import AnyOf, IdSet
from etl.merging import Changes
from etl.models import ImportFile
from etl.priority import yield_to_visitors
from etl.progress import Progress
from etl.readers import Readers
from etl.report import FileReport
from etl.sources import STDIN
from etl.staging import SCHEMA, Staged
from etl.tasks import DATABASE_FAILURES, LANES, Lanes, Task
from reviews import services as review_services

# Any numbers, as long as every import asks for the same. The first is held by the run, the second
# shared by its lanes, which may outlive it for a moment when it is killed.
IMPORT_LOCK, LANE_LOCK = 0x61746C72, 0x61746C73

# What a step costs for each byte of its file, as measured, the reading of it being 1.
PRIMARY_COST, INDEX_COST, KEY_COST, COMPARE_COST, COUNT_COST = 0.3, 0.4, 0.3, 0.6, 0.2
# Of an index of words, which is to be begun before all others.
WORDS_COST = 3.0
# Of a file whose pairs are looked up in the live table.
PAIRS_COST = 3.0
UNKNOWN_BYTES = 100_000_000

SESSION_SETTINGS = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "work_mem": "128MB",
    "maintenance_work_mem": "512MB",
    # Two lanes are work for two cores, and visitors come first: four more processes that count and
    # compare had them wait for half a second.
    "max_parallel_workers_per_gather": "0",
    # What it writes goes to the disk bit by bit: a heap of it at once would have everybody wait.
    "backend_flush_after": "512kB",
    # A killed import must not go on working in the server.
    "client_connection_check_interval": "1s",
}


class TooManyRejects(Exception):
    """More lines were rejected than --max-errors allows."""


class DryRun(Exception):
    """Rolls the final transaction of a dry run back."""


@dataclass(frozen=True, slots=True)
class Options:
    """on_conflict: update, skip or fail; max_errors: a number, or with `%` a share of the records
    read, empty for any."""

    on_conflict: str = "update"
    max_errors: str = ""
    is_dry_run: bool = False
    deletes_absent: bool = False

    def refuse_rejects(self, reports: Sequence[FileReport], *, is_all_read: bool) -> None:
        """Raises TooManyRejects. A share is known only when everything is read."""
        limit = self.max_errors
        rejected = sum(report.rejected for report in reports)
        if limit.endswith("%"):
            read = sum(report.read for report in reports)
            exceeded = is_all_read and rejected * 100 > float(limit[:-1]) * read
        else:
            exceeded = limit != "" and rejected > int(limit)
        if exceeded:
            raise TooManyRejects(
                f"{rejected:,} lines were rejected, and --max-errors allows {limit}."
            )


@dataclass
class Import:
    """One import of opened files. The session must hold the lock of `take_lock`."""

    run: int
    files: Sequence[Staged]
    new_file: Callable[[Staged], ImportFile]
    options: Options
    progress: Progress
    # What an earlier attempt has read, by the kind's name.
    kept: dict[str, ImportFile] = field(default_factory=dict)
    changes: dict[str, Changes] = field(default_factory=dict)
    lanes: Lanes = field(init=False)
    readers: Readers = field(default_factory=Readers)
    # Whether a file is asked for its lines once more after it was read.
    are_read_twice: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.lanes = Lanes(self.progress.begin, self.progress.end, prepare_lane)
        if self.options.deletes_absent:
            for staged in self.files:
                staged.refused = IdSet()
        self._by_kind = {staged.kind.name: staged for staged in self.files}
        self._by_table = {staged.kind.table: staged for staged in self.files}
        # Successors, and foreign keys to rows that the final transaction will bring.
        self._built: list[str] = []
        self._late_keys: list[tuple[str, ForeignKey]] = []
        self._known: dict[str, AnyOf] = {}
        self._builds_aggregates = False

    @staticmethod
    def still_holds(staged: Staged, file: ImportFile, parents: Sequence[str]) -> bool:
        """Whether what an earlier attempt has read of an unchanged file is there, and nobody has
        changed rows since that it was compared with, nor those of these parent tables."""
        return staging.has_rows(staged.table, file) and not fingerprints.were_touched_since(
            staged.kind.table, staged.touched, parents=parents
        )

    @property
    def reports(self) -> list[FileReport]:
        return [staged.report for staged in self.files]

    def prepare(self) -> None:
        """Read, check, build and compare; nothing of it is visible.

        Raises SourceError, Unaccounted, TooManyRejects or Conflicts.
        """
        self._clear()
        self._built = self._to_be_built()
        tables = [staged.kind.table for staged in self.files]
        self._builds_aggregates = aggregates.can_be_built(tables, self._built)
        tasks = self._tasks()
        self.progress.plan(tasks)
        large = [staged for staged in self.files if self._is_read_apart(staged)]
        self.readers.start(min(len(large), LANES))
        try:
            self.lanes.run(tasks)
        finally:
            self.readers.close()
        self.options.refuse_rejects(self.reports, is_all_read=True)
        for staged in self.files:
            self._tell_outcome(staged)

    def _to_be_built(self) -> list[str]:
        """The tables that are replaced by successors."""
        return [
            staged.kind.table
            for staged in self.files
            if (staged.kind.name not in self.kept or self._is_successor(staged))
            and building.is_empty(staged.kind.table)
        ]

    def publish(self, record: Callable[[], None]) -> None:
        """The final transaction; `record` is called within it, when the reports are complete.

        Without a change no door is opened, and the caches keep their tags. Raises DryRun when
        everything of a dry run is done, and undone.
        """
        self.progress.say("publish")
        updates = self.options.on_conflict == "update"
        # Parents before children, in whichever order the lanes compared them.
        names = [staged.kind.name for staged in self.files]
        changes = [self.changes[name] for name in names if name in self.changes]
        changing = [change for change in changes if change.new or (change.changed and updates)]
        deleting = self.options.deletes_absent and any(change.absent for change in changes)
        if not self._built and not changing and not deleting:
            with transaction.atomic():
                self._finish(record)
            return
        with publish(EPOCH):
            fingerprints.import_is_writing()
            avoid_merge_joins()
            self._remember_affected(deletes=deleting)
            # Visitors vote, so the rows of reviews are locked last, and for as short as can be.
            # Only before rows are deleted it must be known what refers to them.
            updating = changing if updates else []
            late = [] if deleting else [each for each in updating if each.kind.name == "reviews"]
            if deleting:
                # Whoever locks counters and reviews locks the counters first.
                self._select_for_recount()
            for change in changing:
                if change in updating and change not in late:
                    merging.update_rows(change)
                merging.insert_rows(change)
                merging.analyze_grown(change)
            if deleting:
                self._delete_absent(changes)
            building.take_over(self._all_built)
            for table, key in self._late_keys:
                key.add(table, key.parent)
            is_recounting = self._select_for_recount()
            if is_recounting:
                review_services.recount_sums()
            for change in late:
                merging.update_rows(change)
            if is_recounting:
                review_services.recount_counts()
            review_services.erase_again()
            self._finish(record)

    def _finish(self, record: Callable[[], None]) -> None:
        for staged in self.files:
            staged.report.check_done()
        if self.options.is_dry_run:
            raise DryRun
        self._remember()
        record()

    def _remember(self) -> None:
        """Let the fingerprints of this import count from its commit on."""
        if self.options.on_conflict != "skip":
            for staged in self.files:
                fingerprints.count_from_now_on(self.run, staged.kind.table, staged.touched)

    @property
    def _all_built(self) -> list[str]:
        made = [aggregates.COUNTS_TABLE, aggregates.SUMS_TABLE]
        return [*self._built, *(made if self._builds_aggregates else [])]

    def _remember_affected(self, *, deletes: bool) -> None:
        """Keep the ids of what has to be counted again: once applied, the changes no longer tell
        what was there before."""
        reviews = self.changes.get("reviews")
        ratings = self.changes.get("characteristic_reviews")
        products = characteristics = aggregates.NONE
        if reviews is not None:
            products = aggregates.affected_products(reviews, deletes=deletes)
        if ratings is not None:
            characteristics = aggregates.affected_characteristics(ratings, deletes=deletes)
        _remember("affected_product", products)
        _remember("affected_characteristic", characteristics)

    def _select_for_recount(self) -> bool:
        """What has to be counted again, if anything; others write none of it from here on."""
        if aggregates.COUNTED_TABLES & set(self._built) and not self._builds_aggregates:
            review_services.select_for_recount(
                products=aggregates.ALL_PRODUCTS, characteristics=None
            )
        elif {"reviews", "characteristic_reviews"} & set(self.changes):
            review_services.select_for_recount(
                products=f"SELECT id FROM {SCHEMA}.affected_product",
                characteristics=f"SELECT id FROM {SCHEMA}.affected_characteristic",
            )
        else:
            return False
        return True

    def _delete_absent(self, changes: Sequence[Changes]) -> None:
        for change in reversed(changes):
            if change.absent:
                referring: list[tuple[str, str]] = []
                derived: list[tuple[str, str]] = []
                for key in building.foreign_keys(change.kind.table, inbound=True):
                    is_derived = key.table in {aggregates.COUNTS_TABLE, aggregates.SUMS_TABLE}
                    (derived if is_derived else referring).append((key.table, key.column))
                merging.delete_absent(change, referring, derived)

    def _tell_outcome(self, staged: Staged) -> None:
        """What is certain before the final transaction; it counts the rest itself."""
        report = staged.report
        change = self.changes.get(staged.kind.name)
        if change is None:
            report.loaded = report.accepted
            return
        report.unchanged = report.accepted - change.new - change.changed
        report.absent = change.absent
        if self.options.on_conflict == "skip":
            report.skipped = change.changed
        elif self.options.on_conflict == "fail":
            merging.refuse_conflicts(change)

    def _clear(self) -> None:
        """Drop what earlier runs left behind, but not what is to be used again."""
        kept = [KINDS[name].table for name in self.kept]
        made = [aggregates.COUNTS_TABLE, aggregates.SUMS_TABLE] if kept else []
        touched = [f"touched_{table}" for table in kept]
        drop_leftovers(keeping=[*kept, *made, *touched])
        fingerprints.forget_unfinished(kept)
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")

    @staticmethod
    def _is_successor(staged: Staged) -> bool:
        """Whether the table that an earlier attempt has filled may become the live one."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT relpersistence = 'p' FROM pg_class WHERE oid = %s::regclass",
                [staged.table],
            )
            return bool(cursor.fetchone()[0])

    def _tasks(self) -> list[Task]:
        """Parents before children, so that whatever a task waits for stands before it."""
        tasks: list[Task] = []
        reads: dict[str, Task] = {}
        ready: dict[str, Task] = {}
        for staged in self.files:
            kind = staged.kind
            before = [reads[column.parent] for column in kind.references if column.parent in reads]
            before += self._knowing(kind, tasks)
            reads[kind.name] = self._reading(staged, before)
            tasks.append(reads[kind.name])
        for staged in self.files:
            table, read = staged.kind.table, reads[staged.kind.name]
            if table in self._built:
                tasks += self._building(table, size_of(staged), [read], ready)
            else:
                ready[table] = Task(
                    *("compare", table),
                    partial(self._compare, staged),
                    after=[read],
                    cost=COMPARE_COST * size_of(staged),
                )
                tasks.append(ready[table])
        if self._builds_aggregates:
            tasks += self._counting(reads, ready)
        return tasks

    def _knowing(self, kind: FileKind, tasks: list[Task]) -> list[Task]:
        """Make the ids known that rows of this kind may refer to."""
        if kind.name in self.kept:
            return []
        for column in kind.references:
            parent = KINDS[column.parent]
            if parent.name in self._known:
                continue
            staged = self._by_kind.get(parent.name)
            live = IdSet()
            sets = [live] if staged is None else [staged.accepted, live]
            self._known[parent.name] = AnyOf(sets)
            if not building.is_empty(parent.table):
                tasks.append(Task("look at", parent.table, partial(_add_ids, live, parent.table)))
            if staged is not None and parent.name in self.kept:
                ids = partial(_add_ids, staged.accepted, staged.table)
                tasks.append(Task("look at", staged.table, ids))
        parents = {KINDS[column.parent].table for column in kind.references}
        return [task for task in tasks if task.about.removeprefix(f"{SCHEMA}.") in parents]

    def _reading(self, staged: Staged, before: list[Task]) -> Task:
        kept = self.kept.get(staged.kind.name)
        run = partial(self._read, staged) if kept is None else partial(self._keep, staged, kept)
        cost = size_of(staged) if kept is None else 0
        if staged.kind.pair and staged.kind.table not in self._built:
            cost *= PAIRS_COST
        return Task("read", staged.source.name, run, after=before, cost=cost)

    def _read(self, staged: Staged) -> int:
        is_asked_for = staged.kind.name in self._known or self.options.deletes_absent
        fill = staging.fill
        if self._is_read_apart(staged) and self.readers.has_ready:
            fill = partial(self.readers.fill, wants_accepted=is_asked_for)
        rows = fill(
            staged,
            self.new_file(staged),
            is_successor=staged.kind.table in self._built,
            known=self._known,
            tick=self._tick,
            # Rows that are skipped stay otherwise than in the file.
            stores=self.options.on_conflict != "skip",
        )
        if not is_asked_for:
            staged.accepted = IdSet()
        return rows

    @staticmethod
    def _is_read_apart(staged: Staged) -> bool:
        """Whether a process of its own reads the file, which has to be opened anew for it."""
        return staged.source.location != STDIN and staged.size >= settings.IMPORT_APART_BYTES

    @staticmethod
    def _keep(staged: Staged, file: ImportFile) -> int:
        staged.report.read_from(file)
        staged.file = file
        return staged.report.accepted

    def _tick(self, staged: Staged) -> None:
        self.lanes.check()
        self.options.refuse_rejects(self.reports, is_all_read=False)
        self.progress.advance(staged.source.name, staged.taken, staged.size, staged.report.read)

    def _compare(self, staged: Staged) -> int:
        change = merging.find_changes(staged)
        if self.options.deletes_absent and change.absent:
            merging.find_absent(change)
        self.changes[staged.kind.name] = change
        return staged.report.accepted

    def _building(
        self, table: str, size: float, before: list[Task], ready: dict[str, Task]
    ) -> list[Task]:
        """Give a filled successor all that the live table has: keys, indexes, foreign keys,
        statistics. `ready` gets the task after which it can be referred to."""
        uses = frozenset({table})
        keys, others = [], []
        for definition in building.definitions(table):
            made = partial(_count_none, partial(building.define, table, definition))
            about, cost = f"{table}.{definition.name}", size * INDEX_COST
            if definition.is_key:
                cost = size * PRIMARY_COST
                keys.append(Task("index", about, made, after=before, uses=uses, cost=cost))
            elif definition.sort == "index":
                if definition.is_of_words:
                    cost = size * WORDS_COST
                others.append(Task("index", about, made, after=keys or before, cost=cost))
            else:
                others.append(Task("guard", about, made, after=keys or before, uses=uses))
        ready[table] = (keys or before)[-1]
        tasks = [*keys, *others]
        for key in building.foreign_keys(table):
            after = [*tasks, *([ready[key.parent]] if key.parent in ready else [])]
            made = partial(_count_none, partial(self._constrain, table, key))
            cost = size * KEY_COST
            about = f"{table}.{key.column}"
            tasks.append(Task("constrain", about, made, after=after, uses=uses, cost=cost))
        statistics = partial(_count_none, partial(building.analyze, table))
        tasks.append(Task("analyze", table, statistics, after=tasks[:], uses=uses))
        return tasks

    def _constrain(self, table: str, key: ForeignKey) -> None:
        """To a successor, or to a live table; where rows are still to come there, at the end."""
        if key.parent in self._all_built:
            building.constrain(table, key, f"{SCHEMA}.{key.parent}")
            return
        parent = self._by_table.get(key.parent)
        if parent is not None and self.changes[parent.kind.name].new:
            self._late_keys.append((table, key))
        else:
            building.constrain(table, key, key.parent)

    def _counting(self, reads: dict[str, Task], ready: dict[str, Task]) -> list[Task]:
        reviews = self._by_kind["reviews"]
        counts = Task(
            *("count", aggregates.COUNTS_TABLE, aggregates.build_counts),
            after=[reads["reviews"]],
            cost=COUNT_COST * size_of(reviews),
        )
        rated = self._by_kind.get("characteristic_reviews")
        sums = Task(
            *("count", aggregates.SUMS_TABLE),
            partial(aggregates.build_sums, rated.table if rated else aggregates.RATINGS_TABLE),
            after=[reads["characteristic_reviews"]] if rated else [],
            cost=COUNT_COST * size_of(rated) if rated else 0,
        )
        tasks = [counts, sums]
        for task in (counts, sums):
            tasks += self._building(task.about, task.cost / 10, [task], ready)
        return tasks


def take_lock() -> bool:
    """Hold the import lock in this session; False while another import holds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [IMPORT_LOCK])
        return bool(cursor.fetchone()[0])


def release_lock() -> None:
    """Let the next import run. A lost session has let go already."""
    with suppress(*DATABASE_FAILURES), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [IMPORT_LOCK])


def prepare_session() -> None:
    """Settings of a long import, and the end of whatever lanes a killed one left working."""
    _set_session()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s), pg_advisory_unlock(%s)", [LANE_LOCK] * 2)


def drop_leftovers(keeping: Sequence[str] = ()) -> None:
    """Drop the tables of the schema `etl`, but for those named."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('%%I.%%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname = %s AND tablename <> ALL(%s)",
            [SCHEMA, list(keeping)],
        )
        tables = [row[0] for row in cursor.fetchall()]
        if tables:
            cursor.execute(f"DROP TABLE {', '.join(tables)} CASCADE")


def prepare_lane() -> None:
    """Settings of a lane's session, and of a reader's, and their priority."""
    _set_session()
    with connection.cursor() as cursor:
        # What it writes is lost with the server's crash at worst, and then read again.
        cursor.execute("SET synchronous_commit = off")
        # The other lane has work for the other core, and workers would only get in its way.
        cursor.execute("SET max_parallel_maintenance_workers = 0")
        cursor.execute("SELECT pg_advisory_lock_shared(%s)", [LANE_LOCK])
    yield_to_visitors()


def _set_session() -> None:
    with connection.cursor() as cursor:
        for setting, value in SESSION_SETTINGS.items():
            cursor.execute("SELECT set_config(%s, %s, false)", [setting, value])


def avoid_merge_joins() -> None:
    """For the rest of the transaction: a table that was just built has no visibility map, which the
    planner does not expect of the index-only scan below a merge join."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_mergejoin = off")


def _count_none(run: Callable[[], None]) -> int:
    run()
    return 0


def _add_ids(ids: IdSet, table: str) -> int:
    for some in staging.stored_ids(table):
        ids.add(some)
    return 0


def size_of(staged: Staged) -> float:
    return float(staged.size or UNKNOWN_BYTES)


def _remember(name: str, query: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {SCHEMA}.{name}")
        cursor.execute(f"CREATE UNLOGGED TABLE {SCHEMA}.{name} AS SELECT * FROM ({query}) a (id)")
