"""Liveness and readiness."""

import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
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
    """200 when the database answers and is migrated, else 503. Redis away is degraded, not dead."""
    database = _database()
    redis = _redis()
    ready = database == "ok"
    status = "unavailable" if not ready else "ok" if redis == "ok" else "degraded"
    return JsonResponse(
        {"status": status, "database": database, "redis": redis}, status=200 if ready else 503
    )


def _database() -> str:
    try:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        logger.exception("database not ready")
        return "unreachable"
    return "migrations pending" if pending else "ok"


def _redis() -> str:
    client = Redis.from_url(settings.REDIS_URL, socket_timeout=0.2, socket_connect_timeout=0.2)
    try:
        client.ping()
    except RedisError:
        return "unreachable"
    finally:
        client.close()
    return "ok"
