import uuid
from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from simple_history.models import HistoricalRecords

# The tenant that a migration makes, and the one of requests that name none.
DEFAULT_TENANT = "default"


class TenantQuerySet(models.QuerySet["Tenant"]):
    def active(self) -> Self:
        return self.filter(is_active=True)


# What points here stands on a class without types.
class Tenant(models.Model):  # type: ignore[django-manager-missing]
    """Whose data it is. A client, and so a token, belongs to one; an inactive one's are refused."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.SlugField(max_length=63, db_index=False)
    title = models.TextField(blank=True, default="")
    is_active = models.BooleanField(default=True, db_default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    history = HistoricalRecords()

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name"], name="one_tenant_a_name"),
            models.CheckConstraint(
                condition=Q(name__regex=r"^[a-z0-9][a-z0-9-]{0,62}$"),
                name="tenant_name_is_a_slug",
                violation_error_message="Lower-case letters, digits and hyphens only.",
            ),
        ]

    def __str__(self) -> str:
        return self.name
