"""What a generated data set holds, counted while it was written."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE_NAME = "manifest.json"


@dataclass(slots=True)
class FileCount:
    """One file's lines, and what an import into empty tables makes of its records.

    ``lines == 1 + blank + continuation + records`` and
    ``records == loaded + duplicate + sum(rejected)``. Repaired lines are among the
    loaded ones, except for `bom`, which belongs to the header.
    """

    blank: int = 0
    continuation: int = 0
    loaded: int = 0
    duplicate: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    repaired: Counter[str] = field(default_factory=Counter)

    @property
    def records(self) -> int:
        return self.loaded + self.duplicate + self.rejected.total()

    @property
    def lines(self) -> int:
        return 1 + self.blank + self.continuation + self.records

    def as_dict(self) -> dict[str, Any]:
        return {
            "lines": self.lines,
            "blank": self.blank,
            "continuation": self.continuation,
            "records": self.records,
            "loaded": self.loaded,
            "duplicate": self.duplicate,
            "rejected": dict(sorted(self.rejected.items())),
            "repaired": dict(sorted(self.repaired.items())),
        }


@dataclass(slots=True)
class Manifest:
    """The answer that an import of the data set must give, file by file."""

    products: int
    seed: int
    files: dict[str, FileCount]

    @property
    def lines(self) -> int:
        return sum(count.lines for count in self.files.values())

    def as_dict(self) -> dict[str, Any]:
        files = {name: count.as_dict() for name, count in self.files.items()}
        return {"products": self.products, "seed": self.seed, "files": files}

    def as_json(self) -> str:
        return json.dumps(self.as_dict(), indent=2) + "\n"

    @classmethod
    def read(cls, directory: Path) -> "Manifest":
        """The manifest beside the files in `directory`."""
        data = json.loads((directory / FILE_NAME).read_text(encoding="utf-8"))
        files = {
            name: FileCount(
                blank=count["blank"],
                continuation=count["continuation"],
                loaded=count["loaded"],
                duplicate=count["duplicate"],
                rejected=Counter(count["rejected"]),
                repaired=Counter(count["repaired"]),
            )
            for name, count in data["files"].items()
        }
        return cls(products=data["products"], seed=data["seed"], files=files)
