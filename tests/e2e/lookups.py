"""What the tests of look-ups through nginx share: who asks, and who answered."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from stack.testing import TestStack
from tests.faults.cache.clients import Answer, Client, header
from tests.waiting import wait_until


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
    rows: dict[str, str] = {}

    def are_written() -> bool:
        text = (stack.config.logs / "access.log").read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        rows.update(
            (row["request_id"], row["upstream"]) for row in map(orjson.loads, whole.splitlines())
        )
        return all(one in rows for one in wanted)

    wait_until(are_written, "the lines of the access log")
    return [rows[one] for one in wanted]


def by_nginx(stack: TestStack, answers: Sequence[Answer]) -> list[Answer]:
    """Those that nginx gave without an instance."""
    asked = upstreams(stack, answers)
    return [answer for answer, where in zip(answers, asked, strict=True) if not where]


class Asking:
    """Asks without a pause; each answer with the moments it was asked for and came."""

    def __init__(self, port: int, path: str, headers: str) -> None:
        self.seen: list[tuple[float, float, Answer]] = []
        self._client = Client(port)
        self._path = path
        self._headers = headers

    def until(self, is_over: Callable[[], bool], *, clock: Callable[[], float] = time.time) -> None:
        try:
            while not is_over():
                began = clock()
                answer = self._client.ask("GET", self._path, self._headers)
                self.seen.append((began, clock(), answer))
        finally:
            self._client.close()
