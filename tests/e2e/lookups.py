"""What the tests of look-ups through nginx share: who asks, and who answered."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from stack.testing import TestStack
from tests.access_log import access_log
from tests.faults.cache.clients import Answer, Client, header


def bearer(token: str, more: str = "") -> str:
    """Whole header lines."""
    return f"Authorization: Bearer {token}\r\n{more}"


def shown(answer: Answer) -> dict[str, Any]:
    """The account in an answer."""
    return orjson.loads(answer.body)["data"][0]


def source(answer: Answer) -> str:
    return orjson.loads(answer.body)["status"]


def ask_often(stack: TestStack, userid: int, headers: str, times: int = 30) -> list[Answer]:
    """One after the other: most are answered by nginx where it may."""
    client = Client(stack.port)
    try:
        return [client.ask("GET", f"/user/{userid}", headers) for _ in range(times)]
    finally:
        client.close()


def upstreams(stack: TestStack, answers: Sequence[Answer]) -> list[str]:
    """Which instances nginx asked for each answer: nobody where it is empty."""
    wanted = [header(answer, "X-Request-ID") for answer in answers]
    known = set(wanted)
    log = access_log(stack.config.logs)
    rows = log.wait_for(len(known), lambda row: row["request_id"] in known)
    upstream = {row["request_id"]: row["upstream"] for row in rows}
    return [upstream[one] for one in wanted]


def by_nginx(stack: TestStack, answers: Sequence[Answer]) -> list[Answer]:
    """Those that nginx gave without an instance."""
    asked = upstreams(stack, answers)
    return [answer for answer, where in zip(answers, asked, strict=True) if not where]


class Asking:
    """Asks over and over; each answer with the moments it was asked for and came."""

    def __init__(self, port: int, path: str, headers: str, pause: float = 0) -> None:
        self.seen: list[tuple[float, float, Answer]] = []
        self._client = Client(port)
        self._path = path
        self._headers = headers
        self._pause = pause

    def is_refused_after(self, moment: float) -> bool:
        """Whether it is later and the last answer was no 200, or so late that none will come."""
        late = time.time() - moment
        return late > 0 and bool(self.seen) and (self.seen[-1][2].status != 200 or late > 10)

    def until(self, is_over: Callable[[], bool], *, clock: Callable[[], float] = time.time) -> None:
        try:
            while not is_over():
                began = clock()
                answer = self._client.ask("GET", self._path, self._headers)
                self.seen.append((began, clock(), answer))
                time.sleep(self._pause)
        finally:
            self._client.close()
