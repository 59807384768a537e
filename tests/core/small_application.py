"""What test_worker.py has served: a WSGI application that does as its path says.

It is also the settings of Django, of which gunicorn's configuration wants the URLs.
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SECRET_KEY = "only-for-tests"
ROOT_URLCONF = __name__
urlpatterns: list[Any] = []

# More than the buffers of a socket hold.
LARGE = 8_000_000


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """The path itself, unless it is the name of one of the functions below."""
    path = environ["PATH_INFO"]
    body = BODIES.get(path, lambda _: path.encode())(environ)
    headers = [("X-Process", str(os.getpid()))]
    if isinstance(body, bytes):
        headers.append(("Content-Length", str(len(body))))
        body = [body]
    start_response("200 OK", headers)
    return body


def wait(environ: dict[str, Any]) -> bytes:
    """Say in the folder of the query that it began; wait there for leave to end."""
    folder = Path(environ["QUERY_STRING"])
    (folder / "began").touch()
    while not (folder / "leave").exists():
        time.sleep(0.005)
    return b"waited"


def read(environ: dict[str, Any]) -> bytes:
    return bytes(environ["wsgi.input"].read())


def large(environ: dict[str, Any]) -> bytes:
    return bytes(LARGE)


def fail(environ: dict[str, Any]) -> bytes:
    raise ValueError("It fails.")


def fail_late(environ: dict[str, Any]) -> Iterator[bytes]:
    yield b"begun"
    raise ValueError("It fails late.")


def leave(environ: dict[str, Any]) -> bytes:
    sys.exit("It leaves.")


BODIES = {
    "/wait": wait,
    "/read": read,
    "/large": large,
    "/fail": fail,
    "/fail-late": fail_late,
    "/leave": leave,
}
