"""Real PostgreSQL and Redis for the suite, and the fixtures that every test may use.

Each process that runs tests has a pair of servers of its own. Their addresses are made when pytest
loads this file, before Django reads its settings.
"""

import atexit
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import django
import django.conf
import orjson
import pytest
from django.apps import apps
from django.db import connection
from django.test import TransactionTestCase
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from stack.postgres import DATABASE
from stack.testing import TEMPLATE, Template, TestServices, has_servers_of_others
from tests.waiting import pulse

WHOLE_SITE = {"site", "small_stack"}
FAULTS = Path(__file__).parent / "faults"
CONTRACT = Path(__file__).parent / "contract"

_files = tempfile.TemporaryDirectory(prefix="atelier-test-files-")

# Every setting that the environment or a developer's .env could change: the environment wins.
ENVIRON = {
    "DJANGO_SETTINGS_MODULE": "atelier.settings",
    "SECRET_KEY": "only-for-tests-" + "0123456789abcdef" * 4,
    "SECRET_KEY_FALLBACKS": "",
    "DEBUG": "false",
    "HTTPS": "false",
    "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
    "CSRF_TRUSTED_ORIGINS": "",
    "STATIC_ROOT": f"{_files.name}/static",
    "PUBLIC_URL": "http://localhost",
    "MEDIA_URL": "",
    "MEDIA_ROOT": f"{_files.name}/media",
    "MEDIA_S3_BUCKET": "",
    "MEDIA_S3_ENDPOINT": "",
    "MEDIA_S3_REGION": "",
    "MEDIA_S3_ACCESS_KEY": "",
    "MEDIA_S3_SECRET_KEY": "",
    "LOG_LEVEL": "INFO",
    "CATALOGUE_CAMPUS": "hr-atelier",
    "CACHE_SECONDS": "300",
    "GEOIP_MMDB": "",
    "UNKNOWN_REGION": "",
    "NGINX_ADDRESSES": "",
    "VISITOR_ID_KEY": "",
    "TOKEN_KEY": "",
    "TOKEN_ALGORITHM": "HS256",
    "TOKEN_AUDIENCE": "",
    "CALLBACK_URL": "",
    "DELIVERY_KEYS": "key-of-the-tests",
    "DELIVERY_ALLOWED_NETWORKS": "",
    "DELIVERIES_KEPT_DAYS": "7",
    "WORKER_CONCURRENCY": "8",
    "ACCESS_TOKEN_SECONDS": "3600",
    "CLIENT_RATE": "0",
    "OPEN_WITHOUT_TOKENS": "false",
    "IMPORT_APART_BYTES": "33554432",
    "DATABASE_STATEMENT_TIMEOUT_MS": "0",
    "DATABASE_LOCK_TIMEOUT_MS": "0",
    "DATABASE_WRITE_TIMEOUT_MS": "0",
    "DATABASE_PARALLEL_WORKERS": "0",
}

if django.conf.settings.configured:
    raise pytest.UsageError("Unset DJANGO_SETTINGS_MODULE: the suite starts its own servers first.")

_services = TestServices()
_template: Template | None = None
# Of the modules that speak to Redis, in seconds.
_timeouts: dict[Any, float] = {}
atexit.register(_services.stop)
_before = os.environ.copy()
os.environ.update(ENVIRON)
os.environ.update(_services.environ)
django.setup()
# The real one takes 0.3 s a user.
django.conf.settings.PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher",
    "users.hashers.SecretHasher",
]


def _empty_tables(case: TransactionTestCase) -> None:
    """What Django does after a test that committed, but only for tables that hold rows.

    Most are empty, and a table takes a millisecond or two. Procrastinate's are among them, which
    Django does not manage. Content types and permissions stay: they are the same for all tests, and
    to make them anew takes longer than most tests do.
    """
    with connection.cursor() as cursor:
        cursor.execute(_rows_query())
        filled = [table for (table,) in cursor.fetchall()]
        if filled:
            names = ", ".join(map(connection.ops.quote_name, filled))
            cursor.execute(f"TRUNCATE {names} CASCADE")


@cache
def _rows_query() -> str:
    """Names of the tables that hold rows."""
    kept = {"django_migrations", "django_content_type", "auth_permission"}
    managed = connection.introspection.django_table_names(only_existing=True, include_views=False)
    jobs = [model._meta.db_table for model in apps.get_app_config("procrastinate").get_models()]
    return " UNION ALL ".join(
        f"(SELECT '{table}' FROM {connection.ops.quote_name(table)} LIMIT 1)"
        for table in sorted({*managed, *jobs} - kept)
    )


TransactionTestCase._fixture_teardown = _empty_tables

# No example has a time to keep: a machine that others use stands still now and then.
hypothesis_settings.register_profile(
    "atelier", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("atelier")


def pytest_configure(config: pytest.Config) -> None:
    global _template
    if not config.getoption("numprocesses", None):
        return
    # This one runs no test: it hands them out to others, which set themselves up.
    environ = dict(os.environ)
    os.environ.clear()
    os.environ.update(_before)
    if not has_servers_of_others():
        _template = Template(environ)
        os.environ.update(_template.environ)
        _template.start()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """A test that is marked `alone` waits until those of other processes are over, and they for it.

    Whoever is about to begin holds the door, so that no others slip in before one that waits.
    """
    if TEMPLATE not in os.environ:
        yield
        return
    folder = Path(os.environ[TEMPLATE])
    kind = fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH
    with (folder / "room").open("w") as room:
        with (folder / "door").open("w") as door:
            fcntl.flock(door, fcntl.LOCK_EX)
            fcntl.flock(room, kind)
        yield


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.getoption("numprocesses", None):
        return
    # Redis is not away because this machine stands still; tests of that ask for `hasty_redis`.
    from atelier.core import control, tags

    _timeouts.update({control: control.TIMEOUT_SECONDS, tags: tags.TIMEOUT_SECONDS})
    control.TIMEOUT_SECONDS = tags.TIMEOUT_SECONDS = 5
    pulse.start()
    _services.start()
    if TEMPLATE in os.environ:
        connection.settings_dict["TEST"]["TEMPLATE"] = DATABASE


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of the whole site where two processes begin: they wait more than they compute.

    --dist worksteal gives each process an equal part, and those that are done steal from the end of
    what is left to others, so that two processes start a site, and keep it.
    """
    kinds: dict[str, list[pytest.Item]] = {"first": [], "faults": [], "rest": []}
    for item in items:
        is_whole = WHOLE_SITE & set(getattr(item, "fixturenames", ()))
        is_fault = item.path.is_relative_to(FAULTS)
        kinds["rest" if not is_whole else "faults" if is_fault else "first"].append(item)
    first, faults, rest = kinds.values()
    processes = getattr(config, "workerinput", {"workercount": 1})["workercount"]
    part = max(len(items) // processes, len(first))
    split = part - len(first)
    items[:] = [*first, *rest[:split], *faults, *rest[split:]]


def pytest_unconfigure() -> None:
    _services.stop()
    if _template is not None:
        _template.stop()
    _files.cleanup()


@pytest.fixture(scope="session")
def site() -> Any:
    """The whole site behind two nginx nodes, for tests that leave it as they found it."""
    from tests.faults.cache.site import SHARED, Site

    started = Site(SHARED).start()
    yield started
    started.stop()


@pytest.fixture
def client() -> Any:
    """Django's test client, under a name that the site answers to."""
    from django.test import Client

    return Client(SERVER_NAME="localhost")


@pytest.fixture
def hasty_redis(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Redis is waited for as long as the site does, by new connections."""
    from atelier.core import control

    def forget_connections() -> None:
        control._pool.cache_clear()
        control._here.url = None

    for module, seconds in _timeouts.items():
        monkeypatch.setattr(module, "TIMEOUT_SECONDS", seconds)
    forget_connections()
    yield
    forget_connections()


@pytest.fixture
def golden() -> Callable[[str], bytes]:
    """The bytes that an answer must have: a file of `tests/contract` without its white space."""

    def read(name: str) -> bytes:
        return orjson.dumps(orjson.loads((CONTRACT / f"{name}.json").read_bytes()))

    return read


@pytest.fixture
def get_json(client: Any) -> Callable[..., Any]:
    """GET a path that must answer 200 with JSON, and read it."""

    def get(path: str, query: dict[str, Any] | None = None, **headers: str) -> Any:
        response = client.get(path, query or {}, headers=headers)
        assert response.status_code == 200, response.content
        assert response["Content-Type"] == "application/json; charset=utf-8"
        return orjson.loads(response.content)

    return get
