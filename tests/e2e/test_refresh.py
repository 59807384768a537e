"""Readers of the whole site while imports replace what they read: never a mixture, never a step
back, never an error."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
import pytest

from etl.files import KINDS
from tests.faults.cache.clients import Client
from tests.faults.cache.site import Site, wait_until

pytestmark = pytest.mark.e2e

FIRST, PRODUCTS = 7_000_001, 100
READERS, REFRESHES = 4, 2


def write_delivery(folder: Path, version: int) -> None:
    """Every product with a feature, a style and a review that carry the version."""
    word = f"v{version}"
    rows = {
        "product": '{id},"{word}","","","Refreshed",{version}',
        "features": '{id},{id},"Version","{word}"',
        "styles": '{id},{id},"{word}",null,{version},1',
        "reviews": '{id},{id},5,1596080481467,"{word}","b",true,false,"n","e",null,{version}',
    }
    folder.mkdir(exist_ok=True)
    for name, row in rows.items():
        header = ",".join(column.name for column in KINDS[name].columns)
        lines = [
            row.format(id=number, word=word, version=version)
            for number in range(FIRST, FIRST + PRODUCTS)
        ]
        (folder / f"{name}.csv").write_text("\n".join([header, *lines]))


def versions_of_product(body: bytes) -> set[str]:
    product = orjson.loads(body)
    price = f"v{product['default_price'].partition('.')[0]}"
    return {product["name"], price, *(feature["value"] for feature in product["features"])}


def versions_of_styles(body: bytes) -> set[str]:
    return {style["name"] for style in orjson.loads(body)["results"]}


def versions_of_reviews(body: bytes) -> set[str]:
    reviews = orjson.loads(body)["results"]
    return {review["summary"] for review in reviews} | {
        f"v{review['helpfulness']}" for review in reviews
    }


READS: tuple[tuple[str, Callable[[bytes], set[str]]], ...] = (
    ("/products/{id}", versions_of_product),
    ("/products/{id}/styles", versions_of_styles),
    ("/reviews?product_id={id}", versions_of_reviews),
)


class Reader(threading.Thread):
    """Reads one route after the other; `wrong` says what no reader may see."""

    def __init__(self, port: int, number: int) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.seen: set[int] = set()
        self.ended = threading.Event()
        self._port = port
        self._product = FIRST + number

    def run(self) -> None:
        newest = 0
        with contextlib.closing(Client(self._port)) as client:
            while not self.ended.is_set():
                for path, versions in READS:
                    address = path.format(id=self._product)
                    answer = client.get(address)
                    if answer.status != 200:
                        self.wrong.append(f"{address}: {answer.status}")
                        continue
                    found = {int(word[1:]) for word in versions(answer.body)}
                    if len(found) != 1:
                        self.wrong.append(f"{address}: a mixture of {sorted(found)}")
                    # A marked answer says itself that it may be a little old.
                    elif not answer.is_marked:
                        if max(found) < newest:
                            self.wrong.append(f"{address}: {found} after {newest}")
                        newest = max(newest, *found)
                        self.seen |= found


def seen_by(readers: Sequence[Reader]) -> set[int]:
    return set().union(*(reader.seen for reader in readers))


def import_delivery(site: Site, folder: Path) -> None:
    finished = subprocess.run(
        [sys.executable, site.stack.config.checkout / "manage.py", "import_all", folder],
        env=site.environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr


def test_readers_see_each_refresh_whole_and_all_at_once(site: Site, tmp_path: Path):
    write_delivery(tmp_path / "delivery", 1)
    import_delivery(site, tmp_path / "delivery")
    readers = [Reader(site.ports[number % 2], number % 2) for number in range(READERS)]
    for reader in readers:
        reader.start()
    try:
        for version in range(2, REFRESHES + 2):
            wait_until(lambda last=version - 1: last in seen_by(readers), "the version before")
            write_delivery(tmp_path / "delivery", version)
            import_delivery(site, tmp_path / "delivery")
        wait_until(lambda: REFRESHES + 1 in seen_by(readers), "the last version")
    finally:
        for reader in readers:
            reader.ended.set()
        for reader in readers:
            reader.join()
    assert [wrong for reader in readers for wrong in reader.wrong] == []
    assert seen_by(readers) >= {1, 2, REFRESHES + 1}
