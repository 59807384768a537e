"""What a web process answers while its database or Redis is away, hung or busy, and afterwards."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from atelier.core.exception_handler import LEGACY_FAILURE
from tests.faults.instance import Instance

REVIEW = (
    b'{"product_id": 1, "rating": 5, "body": "b", "recommend": true, "name": "n", "email": "e"}'
)
READS = [
    "/products",
    "/products/1",
    "/products/1/styles",
    "/products/1/related",
    "/reviews?product_id=1",
    "/reviews/meta?product_id=1",
]


@pytest.fixture(scope="module")
def instance():
    """Migrated, and with one product; its tests stop servers and start them again."""
    with Instance() as instance:
        pending = instance.get("/readyz")
        assert pending.status == 503
        assert pending.json == {
            "status": "unavailable",
            "database": "migrations pending",
            "redis": "ok",
            "cache": "degraded",
        }
        instance.manage("migrate", "--verbosity", "0")
        with instance.psql() as connection:
            connection.execute("SELECT set_config('atelier.scopes', 'epoch', true)")
            connection.execute(
                "INSERT INTO products_product (id, name, slogan, description, category,"
                " default_price) VALUES (1, 'Coat', '', '', '', 1)"
            )
        yield instance


@pytest.fixture(autouse=True)
def healthy(instance):
    """Each test finds all well and leaves all well."""
    assert_healthy(instance)
    yield
    assert_healthy(instance)


def assert_healthy(instance):
    ready = instance.get("/readyz")
    assert (ready.status, ready.json) == (
        200,
        # No keeper runs here.
        {"status": "degraded", "database": "ok", "redis": "ok", "cache": "degraded"},
    )


def assert_busy(answer):
    """503 in the legacy API's words, with a hint when to come back."""
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.body.decode() == LEGACY_FAILURE


def assert_serving(instance):
    for path in READS:
        assert instance.get(path).status == 200, path
    assert instance.request("POST", "/reviews", REVIEW).status == 201
    assert instance.request("PUT", "/reviews/1000000000/helpful").status == 204


def test_without_redis_everything_is_served_and_readiness_is_degraded(instance):
    instance.redis.stop()
    try:
        ready = instance.get("/readyz")
        assert (ready.status, ready.json) == (
            200,
            {
                "status": "degraded",
                "database": "ok",
                "redis": "unreachable",
                "cache": "degraded",
            },
        )
        assert_serving(instance)
    finally:
        instance.redis.start()


def test_with_a_hung_redis_everything_is_served_and_readiness_is_degraded(instance):
    instance.freeze_redis()
    try:
        ready = instance.get("/readyz")
        assert (ready.status, ready.json["status"]) == (200, "degraded")
        assert_serving(instance)
    finally:
        instance.thaw_redis()


def test_without_a_database_every_route_is_503_and_recovers_with_it(instance):
    instance.postgres.stop()
    try:
        for path in READS:
            assert_busy(instance.get(path))
        assert_busy(instance.request("POST", "/reviews", REVIEW))
        assert_busy(instance.request("PUT", "/reviews/1/helpful"))
        assert_busy(instance.request("PUT", "/reviews/1/report"))
        ready = instance.get("/readyz")
        assert (ready.status, ready.json) == (
            503,
            {
                "status": "unavailable",
                "database": "unreachable",
                "redis": "ok",
                "cache": "degraded",
            },
        )
        assert instance.get("/healthz").status == 200
        assert instance.get("/docs").status == 200
    finally:
        instance.postgres.start()
    # The connections that the process kept are dead; none of them costs a request.
    assert_serving(instance)


def test_sessions_that_the_database_ended_cost_no_request(instance):
    assert_serving(instance)
    with instance.psql() as connection:
        ended = connection.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE application_name = 'atelier' AND pid <> pg_backend_pid()"
        ).fetchone()
    assert ended[0] >= 1
    assert_serving(instance)


def test_a_read_that_waits_too_long_for_a_lock_is_503_with_retry_after(instance):
    with instance.psql() as connection:
        connection.execute("LOCK TABLE products_product, reviews_review, reviews_reviewmeta")
        assert_busy(instance.get("/products/1"))
        assert_busy(instance.get("/reviews?product_id=1"))
        connection.rollback()
    assert_serving(instance)


def test_a_write_that_waits_too_long_for_its_scope_is_503_and_stores_nothing(instance):
    with instance.psql() as connection:
        connection.execute(
            "INSERT INTO core_cachescope (key, tag) VALUES ('reviews:1', gen_random_uuid())"
            " ON CONFLICT (key) DO UPDATE SET tag = excluded.tag"
        )
        before = instance.get("/reviews?product_id=1&count=1000").body
        assert_busy(instance.request("POST", "/reviews", REVIEW))
        connection.rollback()
    assert instance.get("/reviews?product_id=1&count=1000").body == before
    assert_serving(instance)


def test_a_write_waits_longer_for_a_row_than_a_read_but_not_for_ever(instance):
    """An import that is being published holds rows of reviews for some seconds."""
    assert instance.request("POST", "/reviews", REVIEW).status == 201
    with instance.psql() as connection:
        row = connection.execute("SELECT max(id) FROM reviews_review").fetchone()
        connection.execute("SELECT FROM reviews_review WHERE id = %s FOR UPDATE", row)
        with ThreadPoolExecutor() as pool:
            vote = pool.submit(instance.request, "PUT", f"/reviews/{row[0]}/helpful")
            with pytest.raises(TimeoutError):
                vote.result(timeout=1.7)
            connection.rollback()
            assert vote.result().status == 204
        connection.execute("SELECT FROM reviews_review WHERE id = %s FOR UPDATE", row)
        assert_busy(instance.request("PUT", f"/reviews/{row[0]}/report"))
        connection.rollback()
    assert_serving(instance)


SLOW = """
ALTER TABLE products_feature RENAME TO feature_behind;
CREATE VIEW products_feature AS SELECT feature_behind.* FROM feature_behind, pg_sleep(20)
"""
QUICK = "DROP VIEW products_feature; ALTER TABLE feature_behind RENAME TO products_feature"


def test_a_statement_that_runs_too_long_is_cancelled_and_503(instance):
    """The limit comes from atelier.wsgi: the environment of this process sets none."""
    with instance.psql() as connection:
        connection.execute(SLOW)
    try:
        assert_busy(instance.get("/products/1"))
        with instance.psql() as connection:
            running = connection.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE application_name = 'atelier' AND state = 'active'"
            ).fetchone()
        assert running == (0,)
    finally:
        with instance.psql() as connection:
            connection.execute(QUICK)
    assert_serving(instance)
