"""An import of accounts and profiles: read, settle, fill or compare, and make everything visible.

The steps are those of etl.importing; only the settling is more, since people are known by what they
are called and not by an id alone.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

from django.db import IntegrityError, connection, transaction

from atelier.core.publishing import EPOCH, publish
from etl import building, importing, merging, staging
from etl.building import NotEmpty
from etl.importing import COMPARE_COST, Import, avoid_merge_joins, size_of
from etl.merging import Changes
from etl.models import ImportFile
from etl.people import applying
from etl.people.files import ACCOUNTS, PEOPLE, PROFILES
from etl.people.reading import Derive, Nothing, ProfileKeys, stage
from etl.people.settling import settle
from etl.staging import SCHEMA, Staged
from etl.tasks import Task
from users.models import Tenant

# Of reading a file, by its bytes.
SETTLE_COST = 0.4


class PeopleImport(Import):
    """One import of opened files of people; the lock of `importing.take_lock` is held."""

    are_read_twice: ClassVar[bool] = True

    @staticmethod
    def still_holds(staged: Staged, file: ImportFile, parents: Sequence[str]) -> bool:
        """Whether an earlier attempt's rows are there: they are settled and compared anew."""
        return staging.has_rows(PEOPLE[staged.kind.name].staged, file)

    def publish(self, record: Callable[[], None]) -> None:
        """The final transaction, through the write door where what changes is cached.

        Raises NotEmpty where somebody has taken a key meanwhile, and DryRun as etl.importing does.
        """
        self.progress.say("publish")
        updates = self.options.on_conflict == "update"
        names = [staged.kind.name for staged in self.files]
        changes = [self.changes[name] for name in names if name in self.changes]
        changing = [change for change in changes if change.new or (change.changed and updates)]
        if not self._built and not changing:
            with transaction.atomic():
                self._finish(record)
            return
        tables = {*self._built, *(change.kind.table for change in changing)}
        changed = any(change.kind is PROFILES and change.changed and updates for change in changing)
        scopes = [EPOCH] if ACCOUNTS.table in tables or changed else []
        try:
            with publish(*scopes):
                avoid_merge_joins()
                for change in changing:
                    people = PEOPLE[change.kind.name]
                    if updates:
                        applying.update_rows(change, people)
                    applying.insert_rows(change, people)
                    merging.analyze_grown(change)
                # Nobody can read a table from here to the commit, so that this comes last.
                building.take_over(self._built)
                for table, key in self._late_keys:
                    key.add(table, key.parent)
                if ACCOUNTS.table in tables:
                    applying.carry_userids()
                self._tell_search(changing)
                self._finish(record)
        except IntegrityError as error:
            said = str(error).splitlines()[0]
            raise NotEmpty(
                f"Somebody has changed people since the import began: {said}."
                " Run it again with --resume: it will compare them anew."
            ) from error

    def _tell_search(self, changing: Sequence[Changes]) -> None:
        if PROFILES.table in self._built:
            applying.forget_maps(Tenant.objects.order_by("id").values_list("pk", flat=True))
        for change in changing:
            if change.kind is PROFILES:
                applying.tell_search_of(change)

    def _remember(self) -> None:
        """People have no fingerprints."""

    @staticmethod
    def _is_read_apart(staged: Staged) -> bool:
        """One file is read at a time, so that no lane waits for the other."""
        return False

    def _to_be_built(self) -> list[str]:
        tables = [staged.kind.table for staged in self.files]
        return [
            table
            for table in tables
            if building.is_empty(table) and not building.is_referred_to(table)
        ]

    def _clear(self) -> None:
        importing.drop_leftovers(
            keeping=[PEOPLE[name].staged.removeprefix(f"{SCHEMA}.") for name in self.kept]
        )
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")

    def _tasks(self) -> list[Task]:
        """Accounts before profiles, which refer to them."""
        tasks: list[Task] = []
        settled: list[Task] = []
        ready: dict[str, Task] = {}
        for staged in self.files:
            # Reading is this process's own work, of which two lanes would do no more than one; the
            # server settles and fills meanwhile.
            tasks.append(self._reading(staged, tasks[-1:]))
        for staged, read in zip(self.files, tasks[:], strict=True):
            settling = Task(
                *("settle", staged.kind.table),
                partial(self._settle, staged),
                after=[read, *settled],
                cost=SETTLE_COST * size_of(staged),
            )
            settled.append(settling)
            tasks.append(settling)
        for staged, settling in zip(self.files, settled, strict=True):
            table, size = staged.kind.table, size_of(staged)
            if table in self._built:
                fill = Task(
                    *("fill", table),
                    partial(applying.fill_successor, staged, PEOPLE[staged.kind.name]),
                    after=[settling],
                    cost=COMPARE_COST * size,
                )
                tasks.append(fill)
                tasks += self._building(table, size, [fill], ready)
            else:
                ready[table] = Task(
                    *("compare", table),
                    partial(self._compare, staged),
                    after=[settling],
                    cost=COMPARE_COST * size,
                )
                tasks.append(ready[table])
        return tasks

    def _read(self, staged: Staged) -> int:
        people = PEOPLE[staged.kind.name]
        return stage(staged, self.new_file(staged), people, self._derive(staged), self._tick)

    @staticmethod
    def _derive(staged: Staged) -> Derive:
        if staged.kind is not PROFILES:
            return Nothing()
        return ProfileKeys(dict(Tenant.objects.values_list("name", "id")))

    def _settle(self, staged: Staged) -> int:
        return settle(
            staged,
            PEOPLE[staged.kind.name],
            is_compared=staged.kind.table not in self._built,
            brings_accounts=ACCOUNTS.name in self._by_kind,
        )

    def _compare(self, staged: Staged) -> int:
        people = PEOPLE[staged.kind.name]
        self.changes[staged.kind.name] = applying.find_changes(staged, people)
        return staged.report.accepted
