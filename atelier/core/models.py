import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now


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
