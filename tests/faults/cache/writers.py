"""Writers of a race. Each knows exactly how far its own number has grown."""

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

import orjson

from tests.faults.cache.clients import Client, Lost
from tests.faults.cache.hot import price, stars, votes
from tests.faults.cache.site import WriteFailed

if TYPE_CHECKING:
    from tests.faults.cache.race import Race


class Writer(Protocol):
    def run(self) -> None:
        """Write until the race is over, and read after each write."""

    def close(self) -> None: ...


class Voter:
    """Votes for one review through nginx. A vote counts once, so one whose answer was lost is sent
    again until it is answered, as an impatient visitor does."""

    def __init__(self, race: "Race", review: int) -> None:
        self._race, self._review, self._votes = race, review, 0
        self._visitor = _somebody()
        self._ports = itertools.cycle(race.writes_to)
        self._readers = [Client(port) for port in race.site.ports]
        [self._read] = [read for read in race.hot.reads if votes(review) in read.names]

    def run(self) -> None:
        while not self._race.is_over:
            if self.vote():
                for reader in self._readers:
                    self._race.read(self._read, reader)

    def vote(self) -> bool:
        """One vote, until it is answered or the race is over."""
        while not self._sent(self._visitor):
            if self._race.is_over:
                return False
        self._visitor = _somebody()
        self._votes += 1
        self._race.acknowledge(votes(self._review), self._votes)
        return True

    def close(self) -> None:
        for reader in self._readers:
            reader.close()

    def _sent(self, visitor: str) -> bool:
        path = f"/reviews/{self._review}/helpful"
        return _is_answered(self._race, next(self._ports), "PUT", path, 204, visitor)


def _is_answered(
    race: "Race",
    address: int | Path,
    method: str,
    path: str,
    status: int,
    headers: str = "",
    body: bytes = b"",
) -> bool:
    """Whether a write on a connection of its own has this status; counted as an error where not."""
    client = Client(address)
    try:
        found = client.ask(method, path, headers, body).status
    except Lost:
        race.count_error(f"{method} lost")
        return False
    finally:
        client.close()
    if found != status:
        race.count_error(f"{method} {found}")
    return found == status


def _somebody() -> str:
    """The header of a visitor who has never been here."""
    return f"User-Agent: {uuid4()}\r\n"


class Poster:
    """Adds reviews with one rating through nginx. After a lost answer it asks PostgreSQL."""

    def __init__(self, race: "Race", rating: int) -> None:
        self._race, self._rating, self._count = race, rating, 0
        self._name = stars(race.hot.reviewed, rating)
        self._ports = itertools.cycle(race.writes_to)
        self._readers = [Client(port) for port in race.site.ports]
        [self._read] = [read for read in race.hot.reads if self._name in read.names]
        self._body = orjson.dumps(
            {
                "product_id": race.hot.reviewed,
                "rating": rating,
                "summary": "",
                "body": "Any.",
                "recommend": True,
                "name": "any",
                "email": "any@example.com",
                "photos": [],
                "characteristics": {},
            }
        )

    def run(self) -> None:
        while not self._race.is_over:
            if not self._sent():
                self._count = self._stored()
                continue
            self._count += 1
            self._race.acknowledge(self._name, self._count)
            for reader in self._readers:
                self._race.read(self._read, reader)

    def close(self) -> None:
        for reader in self._readers:
            reader.close()

    def _sent(self) -> bool:
        address = next(self._ports)
        return _is_answered(self._race, address, "POST", "/reviews", 201, body=self._body)

    def _stored(self) -> int:
        """The scope's lock waits for a commit that goes on without its writer."""
        product = self._race.hot.reviewed
        with self._race.site.psql() as connection, connection.transaction():
            connection.execute(
                "SELECT FROM core_cachescope WHERE key = %s FOR UPDATE", [f"reviews:{product}"]
            )
            row = connection.execute(
                f"SELECT rating_{self._rating} FROM reviews_reviewmeta WHERE product_id = %s",
                [product],
            ).fetchone()
        return int(row[0]) if row else 0


class Pricer:
    """Raises a price from a process of its own; a new process where it was killed."""

    def __init__(self, race: "Race", write: str, product: int) -> None:
        self._race, self._write, self._product = race, write, product
        self._process = race.site.process(**race.settings)
        self._values = itertools.count(1)
        self._readers = [Client(port) for port in race.site.ports]
        self._reads = [read for read in race.hot.reads if price(product) in read.names]

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(self) -> None:
        while not self._race.is_over:
            value = next(self._values)
            try:
                self._process.write(self._write, self._product, value)
            except WriteFailed as failure:
                self._race.count_error(f"{self._write}: {str(failure)[:60]}")
                if "gone" in str(failure):
                    self._process.close()
                    self._process = self._race.site.process(**self._race.settings)
                continue
            self._race.acknowledge(price(self._product), value)
            for read in self._reads:
                for reader in self._readers:
                    self._race.read(read, reader)

    def close(self) -> None:
        self._process.close()
        for reader in self._readers:
            reader.close()
