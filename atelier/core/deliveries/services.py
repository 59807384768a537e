"""Every write on deliveries. What a receiver may rely on is in docs/deliveries.md."""

import random
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, JSONField
from django.db.models.functions import Cast

from atelier.core import jobs
from atelier.core.deliveries import guard, sending
from atelier.core.deliveries.signing import signature_of
from atelier.core.errors import AtelierError, NotFound
from atelier.core.models import Delivery, DeliveryStatus
from atelier.core.numbers import uuid7

logger = structlog.get_logger(__name__)

TASK = "deliver"
QUEUE = "deliveries"

# 5 s, 10 s, 20 s and so on to an hour: the last attempt comes about seven hours after the first.
MAX_ATTEMPTS = 16
FIRST_WAIT_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 3600.0
# As long as a receiver may put us off.
LONGEST_RETRY_AFTER_SECONDS = 86_400.0
WORTH_ANOTHER_TRY = {408, 425, 429}

REMOVED_AT_ONCE = 5000


class TryAgain(AtelierError):
    """An attempt failed and another may succeed, so many seconds from now."""

    code = "try_again"

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class Unsigned(AtelierError):
    """Nothing leaves without a signature."""

    code = "unsigned"

    def __init__(self) -> None:
        super().__init__("DELIVERY_KEYS is empty.")


class UnknownDelivery(NotFound):
    code = "unknown_delivery"

    def __init__(self) -> None:
        super().__init__("There is no such delivery.")


def defer_delivery(*, event: str, url: str, payload: Mapping[str, Any]) -> Delivery:
    """Store an event for another service; the worker POSTs it once this transaction has committed.

    At least once, in no particular order. Raises `guard.Refused` for a URL that is none; where its
    host leads is judged with each attempt.
    """
    guard.target_of(url)
    with transaction.atomic(savepoint=False):
        delivery = Delivery.objects.create(
            event=event, url=url, payload=orjson.dumps(payload).decode()
        )
        jobs.defer(TASK, queue=QUEUE, delivery_id=str(delivery.pk))
    return delivery


def send_again(*, delivery_id: UUID) -> None:
    """Attempt a delivery anew, whatever became of it. Raises UnknownDelivery."""
    with transaction.atomic():
        found = Delivery.objects.filter(pk=delivery_id).update(
            status=DeliveryStatus.PENDING, attempts=0, last_error="", next_attempt_at=None
        )
        if not found:
            raise UnknownDelivery
        jobs.defer(TASK, queue=QUEUE, delivery_id=str(delivery_id))


def attempt(*, delivery_id: UUID, resolver: guard.Resolver = guard.resolve) -> None:
    """POST a delivery that is still pending, and note what came of it. Holds no transaction open.

    Raises TryAgain where another attempt is due. Deliveries that are settled, or gone, are left.
    """
    delivery = Delivery.objects.filter(pk=delivery_id, status=DeliveryStatus.PENDING).first()
    if delivery is None:
        return
    try:
        answer = _post(delivery, resolver)
    except guard.Refused as refusal:
        _settle(delivery, DeliveryStatus.FAILED, error=str(refusal))
    except (Unsigned, guard.Unresolved, sending.Unreachable) as failure:
        _put_off(delivery, error=str(failure))
    else:
        _judge(delivery, answer)


def remove_old() -> int:
    """Remove deliveries that were made and delivered DELIVERIES_KEPT_DAYS ago; how many it were.

    A few thousand to a transaction; failed ones stay for staff to see.
    """
    limit = uuid7(time.time() - timedelta(days=settings.DELIVERIES_KEPT_DAYS).total_seconds())
    old = Delivery.objects.filter(status=DeliveryStatus.DELIVERED, id__lt=limit).order_by("id")
    removed = 0
    while ids := list(old.values_list("pk", flat=True)[:REMOVED_AT_ONCE]):
        removed += Delivery.objects.filter(pk__in=ids).delete()[0]
    return removed


def deliveries_about(*, field: str, value: int) -> list[UUID]:
    """The ids of deliveries whose payload has the value in a field. Reads all deliveries."""
    # The words first: they spare PostgreSQL reading every payload as JSON.
    named = Delivery.objects.filter(payload__contains=f'"{field}":{value}')
    read = named.annotate(read=Cast("payload", JSONField()))
    found = read.filter(**{f"read__{field}": value}).order_by("id")
    return list(found.values_list("pk", flat=True))


def delete_deliveries(*, delivery_ids: Collection[UUID]) -> int:
    """Delete deliveries for good, pending ones included, whose jobs then find none; how many."""
    return Delivery.objects.filter(pk__in=delivery_ids).delete()[0]


def wait_before(next_attempt: int, retry_after: float | None = None) -> float:
    """Seconds until the second attempt, the third and so on; a quarter more or less, so that those
    who failed together do not come back together. Never less than the receiver asks for."""
    planned = min(FIRST_WAIT_SECONDS * 2 ** (next_attempt - 2), LONGEST_WAIT_SECONDS)
    planned *= random.uniform(0.75, 1.25)  # noqa: S311 - no secret
    return max(planned, min(retry_after or 0.0, LONGEST_RETRY_AFTER_SECONDS))


def _post(delivery: Delivery, resolver: guard.Resolver) -> sending.Answer:
    if not settings.DELIVERY_KEYS:
        raise Unsigned
    target = guard.target_of(delivery.url)
    addresses = guard.checked_addresses(
        target, allowed=settings.DELIVERY_ALLOWED_NETWORKS, resolver=resolver
    )
    body = delivery.payload.encode()
    return sending.post(
        target,
        addresses,
        body=body,
        headers={
            "Content-Type": "application/json",
            "User-Agent": "atelier",
            "Connection": "close",
            "X-Atelier-Event": delivery.event,
            "X-Atelier-Delivery": str(delivery.pk),
            "X-Atelier-Signature": signature_of(
                body, at=int(time.time()), keys=settings.DELIVERY_KEYS
            ),
        },
    )


def _judge(delivery: Delivery, answer: sending.Answer) -> None:
    if 200 <= answer.status < 300:
        _settle(delivery, DeliveryStatus.DELIVERED, status_code=answer.status)
    elif answer.status in WORTH_ANOTHER_TRY or 500 <= answer.status < 600:
        _put_off(
            delivery,
            error=answer.excerpt,
            status_code=answer.status,
            retry_after=answer.retry_after,
        )
    else:
        _settle(delivery, DeliveryStatus.FAILED, error=answer.excerpt, status_code=answer.status)


def _put_off(
    delivery: Delivery,
    *,
    error: str,
    status_code: int | None = None,
    retry_after: float | None = None,
) -> None:
    made = delivery.attempts + 1
    if made >= MAX_ATTEMPTS:
        _settle(delivery, DeliveryStatus.FAILED, error=error, status_code=status_code)
        return
    seconds = wait_before(made + 1, retry_after)
    _note(
        delivery,
        last_error=error,
        last_status_code=status_code,
        next_attempt_at=datetime.now(UTC) + timedelta(seconds=seconds),
    )
    raise TryAgain(error, seconds)


def _settle(
    delivery: Delivery, status: DeliveryStatus, *, error: str = "", status_code: int | None = None
) -> None:
    now = datetime.now(UTC) if status == DeliveryStatus.DELIVERED else None
    _note(
        delivery,
        status=status,
        last_error=error,
        last_status_code=status_code,
        delivered_at=now,
        next_attempt_at=None,
    )
    if status == DeliveryStatus.FAILED:
        logger.error(
            "a delivery failed",
            delivery=str(delivery.pk),
            event_name=delivery.event,
            status_code=status_code,
            reason=error,
        )


def _note(delivery: Delivery, **fields: Any) -> None:
    """Unless the delivery was settled meanwhile, by a job that ran beside this one."""
    Delivery.objects.filter(pk=delivery.pk, status=DeliveryStatus.PENDING).update(
        attempts=F("attempts") + 1, last_attempt_at=datetime.now(UTC), **fields
    )
