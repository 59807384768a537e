import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from atelier.core.numbers import uuid7


class CacheScope(models.Model):
    """What a public answer depends on, once it was written: its tag changes with every write.

    Tags are random, so that one is never used twice, whatever is restored or lost. A scope that
    was never written has no row. Answers of a restricted scope depend on who asks and are never
    stored.
    """

    key = models.TextField(primary_key=True)
    tag = models.UUIDField(default=uuid.uuid4)
    is_restricted = models.BooleanField(default=False, db_default=False)
    changed_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.key


class OutboxEntry(models.Model):
    """Scopes that were written while Redis could not be told.

    While there is any, the keeper lets nginx trust no tag; it deletes an entry once the scopes'
    tags are gone. `trust_lapsed` is true from the moment when the trust that was there before the
    entry has run out.
    """

    scopes = ArrayField(models.TextField())
    trust_lapsed = models.BooleanField(default=False)
    recorded_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return ", ".join(self.scopes)


class DeliveryStatus(models.TextChoices):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class Delivery(models.Model):
    """An event to be POSTed to another service, and how that went.

    The id begins with the time, so that its order is that of creation. `payload` is the JSON as it
    is sent, byte for byte. `attempts` counts since it was last asked to be sent. The next one comes
    at `next_attempt_at`, or as soon as the worker comes to it.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    event = models.TextField()
    url = models.TextField()
    payload = models.TextField()
    status = models.TextField(choices=DeliveryStatus, default=DeliveryStatus.PENDING)
    attempts = models.IntegerField(default=0)
    last_status_code = models.IntegerField(null=True)
    last_error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())
    last_attempt_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.CheckConstraint(
                name="delivery_status_is_known",
                condition=models.Q(status__in=DeliveryStatus.values),
            ),
            models.CheckConstraint(
                name="delivery_attempts_are_counted", condition=models.Q(attempts__gte=0)
            ),
            models.CheckConstraint(
                name="delivery_is_delivered_at_a_time",
                condition=~models.Q(status=DeliveryStatus.DELIVERED)
                | models.Q(delivered_at__isnull=False),
            ),
        ]
        indexes = [
            # The admin's filter, newest first, and the removal of what was delivered long ago.
            models.Index(name="delivery_by_status", fields=["status", "-id"]),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.id}"
