"""Small data sets of our own, and imports of them by the real commands."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from etl.files import KINDS
from etl.models import ImportFile, ImportRun

ROWS = {
    "product": [
        '1,"Camo Vest","Be seen","Warm, and ""light""","Jackets",140',
        '2,"Sun Hat","Stay cool","Wide","Accessories",69.50',
        '3,"Morning Runners","Up early","Soft","Kicks",40',
    ],
    "features": ['1,1,"Fabric","Canvas"', '2,1,"Cut",null', '3,2,"Brim","Wide"'],
    "styles": [
        '1,1,"Forest Green & Black",null,140,1',
        '2,1,"Desert",100,140,0',
        '3,2,"Straw",null,69.50,1',
    ],
    "photos": [
        '1,1,"https://img.example/1?w=668&h=1","https://img.example/1?w=300"',
        '2,2,"https://img.example/2","https://img.example/2t"',
    ],
    "skus": ['1,1,"XS",8', '2,1,"XL",15', '3,1,"XL",4', "4,2,null,null"],
    "related": ["1,1,2", "2,1,3", "3,2,3", "4,2,1"],
    "reviews": [
        '1,1,5,1596080481467,"Great","It fits.",true,false,"ann","ann@mail.example",null,8',
        '2,1,3,1610178433963,"Fair","So so.",false,false,"bob","a","Thank you!",2',
        '3,2,4,1609325851021,"Nice","Shady",true,true,"cy","cy@mail.example",null,5',
    ],
    "reviews_photos": ['1,1,"https://img.example/r1"', '2,1,"https://img.example/r2"'],
    "characteristics": ['1,1,"Fit"', '2,1,"Length"', '3,2,"Quality"'],
    "characteristic_reviews": ["1,1,1,4", "2,2,1,3", "3,1,2,5", "4,3,3,2"],
}


@dataclass
class Outcome:
    code: int
    stdout: str
    stderr: str
    rejects: list[dict[str, str]] = field(default_factory=list)

    @property
    def run(self) -> ImportRun:
        return ImportRun.objects.latest("id")

    def report(self, name: str) -> ImportFile:
        return self.run.files.get(name=name)

    def counts(self, name: str) -> tuple[int, int, int, int, int]:
        """loaded, updated, unchanged, duplicate, rejected."""
        row = self.report(name)
        return (row.loaded, row.updated, row.unchanged, row.duplicate, row.rejected)


@dataclass
class Dataset:
    """A folder of CSV files whose lines a test may change before it imports them."""

    folder: Path
    rows: dict[str, list[str]] = field(
        default_factory=lambda: {name: list(lines) for name, lines in ROWS.items()}
    )

    def header(self, name: str) -> str:
        return ",".join(column.name for column in KINDS[name].columns)

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.csv"

    def write(self, *names: str) -> Path:
        """Write the files, these or all, as the legacy data set has them: no last line feed."""
        for name in names or self.rows:
            self.path(name).write_text("\n".join([self.header(name), *self.rows[name]]))
        return self.folder

    def write_bytes(self, name: str, content: bytes) -> Path:
        self.path(name).write_bytes(content)
        return self.path(name)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    folder = tmp_path / "data"
    folder.mkdir()
    return Dataset(folder)


@pytest.fixture
def import_command(
    transactional_db: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    def run(command: str, *sources: Path | str, **options: Any) -> Outcome:
        rejects = tmp_path / f"rejects-{command}.csv"
        options = {"rejects": rejects, **options}
        capsys.readouterr()
        out, err, code = io.StringIO(), io.StringIO(), 0
        try:
            call_command(
                command, *map(str, sources), stdout=out, stderr=err, no_color=True, **options
            )
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        except CommandError as error:
            code = error.returncode
            err.write(str(error))
        outcome = Outcome(code, out.getvalue(), err.getvalue())
        if rejects.exists():
            text = rejects.read_bytes().decode("utf-8", "surrogateescape")
            outcome.rejects = list(csv.DictReader(io.StringIO(text, newline="")))
        return outcome

    return run


@pytest.fixture
def import_all(import_command: Callable[..., Outcome], dataset: Dataset) -> Callable[[], None]:
    """Import the whole data set; it must end clean."""

    def run() -> None:
        outcome = import_command("import_all", dataset.write())
        assert outcome.code == 0, outcome

    return run


def table_contents(tables: Sequence[str] = ()) -> dict[str, list[tuple]]:
    """Every row of the public tables, times of their making left out."""
    contents = {}
    with connection.cursor() as cursor:
        for table in tables or [
            *(kind.table for kind in KINDS.values()),
            "reviews_reviewmeta",
            "reviews_characteristicmeta",
        ]:
            cursor.execute(f"SELECT to_jsonb(t) - 'updated_at' FROM {table} t ORDER BY 1")
            rows = [row[0] for row in cursor.fetchall()]
            if table == "products_product":
                rows = [re.sub(r'"created_at": "[^"]*"', "", str(row)) for row in rows]
            contents[table] = rows
    return contents
