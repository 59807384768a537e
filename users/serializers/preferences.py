"""Wire shapes of the preferences of a profile."""

import re
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from rest_framework.exceptions import ParseError

from atelier.core.fields import read_json

# Clients shorten addresses with `.` and `..` in them, and never ask for those.
KEY_PATTERN = r"(?!\.+$)[A-Za-z0-9._-]{1,100}"
KEY = re.compile(KEY_PATTERN)
UNFIT_KEY = (
    "A key has at most 100 letters, digits, dots, hyphens and underscores, and not dots alone."
)
MAX_VALUE = 16 * 1024
MAX_DEPTH = 32


def key_of(text: str) -> str:
    """The key of a path. Raises ParseError, which answers 400, where it cannot be one."""
    if not KEY.fullmatch(text):
        raise ParseError(UNFIT_KEY)
    return text


def value_of(request: HttpRequest) -> Any:
    """The body, which is the value. Raises RequestDataTooBig beyond 16 kB, and ParseError for what
    is no JSON or what PostgreSQL's JSON cannot hold."""
    if len(request.body) > MAX_VALUE:
        raise RequestDataTooBig
    value = read_json(request)
    _check(value, MAX_DEPTH)
    return value


def _check(value: Any, depth: int) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise ParseError("A text holds a NUL.")
        return
    if not isinstance(value, dict | list):
        return
    if depth == 0:
        raise ParseError(f"The value is nested deeper than {MAX_DEPTH} levels.")
    for part in [*value, *value.values()] if isinstance(value, dict) else value:
        _check(part, depth - 1)
