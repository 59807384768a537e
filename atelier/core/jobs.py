"""Jobs for the worker, on PostgreSQL: deferred in the transaction that they belong to."""

from functools import cache

from django.db import OperationalError
from procrastinate import tasks
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.manager import JobManager
from procrastinate.types import JSONValue


def defer(task: str, *, queue: str, lock: str | None = None, **arguments: JSONValue) -> None:
    """A job that a worker takes up once the caller's transaction has committed, if it does.

    Jobs of one lock are done one after the other. Raises OperationalError, as any statement would.
    """
    deferrer = tasks.configure_task(name=task, job_manager=_manager(), queue=queue, lock=lock)
    try:
        deferrer.defer(**arguments)
    except ConnectorException as error:
        raise OperationalError(str(error.__cause__ or error)) from error


@cache
def _manager() -> JobManager:
    """On Django's connection. A worker gives procrastinate's own app connections apart from it,
    whose jobs would be there before the caller's rows are, or without them."""
    return JobManager(DjangoConnector())
