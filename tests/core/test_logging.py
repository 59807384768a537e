"""Logs are JSON, one object a line, with the id of the request."""

import os
import re
import subprocess
import sys

import orjson
import pytest
import structlog
from django.conf import settings

from products.sql import Read

SETUP = """
import logging, structlog
from atelier.core.logging import configure
configure(level="INFO")
ours, theirs = structlog.get_logger("shop"), logging.getLogger("library")
"""


def logged(program):
    """The lines that a program of its own writes on standard error, each read as JSON."""
    finished = subprocess.run(
        [sys.executable, "-c", SETUP + program],
        cwd=settings.BASE_DIR,
        env={"PATH": os.defpath, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        check=True,
    )
    assert finished.stdout == b""
    return [orjson.loads(line) for line in finished.stderr.splitlines()]


def test_both_kinds_of_loggers_write_one_json_object_a_line():
    ours, theirs = logged(
        'ours.warning("out of stock", sku=7, name="é\\n"); theirs.error("it %s", "broke")'
    )
    assert (ours["event"], ours["sku"], ours["name"]) == ("out of stock", 7, "é\n")
    assert (ours["logger"], ours["level"]) == ("shop", "warning")
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("it broke", "library", "error")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", ours["timestamp"])


@pytest.mark.parametrize("logger", ["ours", "theirs"])
def test_an_exception_stays_on_its_line(logger):
    (line,) = logged(f"try: 1 / 0\nexcept ZeroDivisionError: {logger}.exception('it broke')")
    assert line["event"] == "it broke"
    assert "ZeroDivisionError" in line["exception"]


def test_lines_below_the_level_are_left_out():
    lines = logged(
        'ours.debug("quiet"); theirs.debug("quiet");'
        ' logging.getLogger("django.request").warning("Not Found: /x"); theirs.info("heard")'
    )
    assert [line["event"] for line in lines] == ["heard"]


def test_lines_of_a_request_carry_its_id():
    ours, theirs, after = logged(
        "with structlog.contextvars.bound_contextvars(request_id='r-1'):\n"
        "    ours.info('within')\n    theirs.info('within')\n"
        "ours.info('after')"
    )
    assert ours["request_id"] == theirs["request_id"] == "r-1"
    assert "request_id" not in after


def test_a_request_binds_its_id_for_as_long_as_it_runs(client, monkeypatch):
    seen = []

    def related_ids(product_id):
        seen.append(structlog.contextvars.get_contextvars())
        return Read(is_restricted=False, body=b"[]")

    monkeypatch.setattr("products.sql.related_ids", related_ids)
    response = client.get("/products/1/related", headers={"x-request-id": "abc-1.2_3"})
    assert response["X-Request-ID"] == "abc-1.2_3"
    assert seen == [{"request_id": "abc-1.2_3"}]
    assert structlog.contextvars.get_contextvars() == {}


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, 'a"b', "a\nb", "é", "{}"])
def test_a_malformed_request_id_is_replaced(client, given):
    response = client.get("/healthz", headers={"x-request-id": given})
    assert re.fullmatch(r"[0-9a-f]{32}", response["X-Request-ID"])


def test_requests_without_an_id_get_one_each(client):
    assert client.get("/healthz")["X-Request-ID"] != client.get("/healthz")["X-Request-ID"]
