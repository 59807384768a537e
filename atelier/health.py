"""Liveness and readiness."""

from functools import cache

import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, JsonResponse
from redis import Redis, RedisError

from atelier.failures import reads_only

logger = structlog.get_logger(__name__)


@reads_only
def healthz(request: HttpRequest) -> JsonResponse:
    """200 while the process answers at all."""
    return JsonResponse({"status": "ok"})


@reads_only
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers and is migrated, else 503.

    Redis or the keeper away is degraded, not dead: `cache` is then `degraded` as well, and answers
    may be up to two seconds old.
    """
    database = _database()
    redis, cache = _redis()
    ready = database == "ok"
    status = "unavailable" if not ready else "ok" if cache == "trusted" else "degraded"
    return JsonResponse(
        {"status": status, "database": database, "redis": redis, "cache": cache},
        status=200 if ready else 503,
    )


def _database() -> str:
    try:
        applied = MigrationRecorder(connection).applied_migrations()
    except DatabaseError:
        logger.exception("database not ready")
        return "unreachable"
    return "ok" if wanted_migrations() <= applied.keys() else "migrations pending"


@cache
def wanted_migrations() -> frozenset[tuple[str, str]]:
    """Those that lay beside the code when it was first asked, which a worker does at its start.

    Files that come later, as with a pull, are for the next worker.
    """
    return frozenset(MigrationLoader(None).graph.nodes)


def _redis() -> tuple[str, str]:
    client = Redis.from_url(settings.REDIS_URL, socket_timeout=0.2, socket_connect_timeout=0.2)
    try:
        trusted = client.exists("alive")
    except RedisError:
        return "unreachable", "degraded"
    finally:
        client.close()
    return "ok", "trusted" if trusted else "degraded"
