import uuid

from django.db import models
from django.db.models.functions import Now


class CacheScope(models.Model):
    """What a public answer depends on, once it was written: its tag changes with every write.

    Tags are random, so that one is never used twice, whatever is restored or lost. A scope that
    was never written has no row.
    """

    key = models.TextField(primary_key=True)
    tag = models.UUIDField(default=uuid.uuid4)
    changed_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.key
