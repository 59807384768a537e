from typing import Self
from uuid import UUID

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from atelier.core.numbers import uuid7
from users.models.accounts import Account
from users.models.search import SORTS, SearchKeys
from users.models.tenants import Tenant

# The type of a profile whose sender names none.
DEFAULT_PROFILE_TYPE = "personal"


def profile_scope(profile_id: UUID) -> str:
    """The cache scope of a profile. Sorts after that of an account, whose door may include it."""
    return f"user_profile:{profile_id}"


class ProfileQuerySet(models.QuerySet["Profile"]):
    def live(self) -> Self:
        return self.filter(deleted_at__isnull=True)

    def of_tenant(self, tenant_id: UUID) -> Self:
        return self.filter(tenant=tenant_id)


class Profile(models.Model):
    """What a tenant knows of a person. Deleted softly: nobody but staff sees it then.

    `email_key` and `mobile_key` are the canonical spellings (`users.identities`) of `email` and
    `mobile`, which are as the sender had them; no two live profiles of a tenant share one. Who
    created, updated and deleted is the client's id, or the name of a member of the staff.
    PostgreSQL refuses an UPDATE or DELETE outside the write door.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(
        Tenant, models.PROTECT, related_name="+", db_index=False, editable=False
    )
    account = models.ForeignKey(
        Account, models.PROTECT, null=True, blank=True, related_name="profiles", db_index=False
    )
    profile_type = models.TextField(default=DEFAULT_PROFILE_TYPE)
    full_name = models.TextField()
    email = models.TextField()
    email_key = models.TextField(editable=False)
    mobile = models.TextField(blank=True, default="")
    mobile_key = models.TextField(null=True, editable=False)  # noqa: DJ001 - absent ones are no twins
    gender = models.TextField(blank=True, default="")
    birth_date = models.DateField(null=True, blank=True)
    address = models.TextField(blank=True, default="")
    city = models.TextField(blank=True, default="")
    country = models.TextField(blank=True, default="")
    latitude = models.FloatField(null=True, blank=True)
    longitude = models.FloatField(null=True, blank=True)
    # The name of the picture in the storage; empty without one.
    image = models.TextField(blank=True, default="", editable=False)
    is_active = models.BooleanField(default=True, db_default=True)
    created_by = models.TextField(editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    # What search and its sorts read: `users.terms.search_columns` says it, with every write.
    name_key = models.TextField(editable=False, default="", db_default="")
    search_words = models.TextField(editable=False, default="", db_default="")
    updated_by = models.TextField(blank=True, default="", editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    deleted_by = models.TextField(blank=True, default="", editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)

    objects = ProfileQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_live_profile_an_email",
                fields=["tenant", "email_key"],
                condition=Q(deleted_at__isnull=True),
            ),
            models.UniqueConstraint(
                name="one_live_profile_a_mobile",
                fields=["tenant", "mobile_key"],
                condition=Q(deleted_at__isnull=True, mobile_key__isnull=False),
            ),
            models.UniqueConstraint(
                name="one_live_profile_a_type",
                fields=["account", "tenant", "profile_type"],
                condition=Q(deleted_at__isnull=True, account__isnull=False),
            ),
            models.CheckConstraint(
                name="profile_has_name_and_email",
                condition=~Q(full_name="") & ~Q(email_key="") & ~Q(profile_type=""),
            ),
            models.CheckConstraint(
                name="profile_mobile_has_a_key",
                condition=Q(mobile="", mobile_key__isnull=True)
                | ~Q(mobile="") & Q(mobile_key__isnull=False),
            ),
            models.CheckConstraint(
                name="profile_latitude_is_on_earth",
                condition=Q(latitude__isnull=True) | Q(latitude__range=(-90, 90)),
            ),
            models.CheckConstraint(
                name="profile_longitude_is_on_earth",
                condition=Q(longitude__isnull=True) | Q(longitude__range=(-180, 180)),
            ),
            models.CheckConstraint(
                name="profile_deletion_has_a_doer",
                condition=Q(deleted_at__isnull=True, deleted_by="")
                | Q(deleted_at__isnull=False) & ~Q(deleted_by=""),
            ),
        ]
        indexes = [
            # Search, and each order that it may have (`users.models.search`).
            GinIndex(
                SearchKeys("tenant", "search_words"),
                name="profile_by_search_key",
                condition=Q(deleted_at__isnull=True),
                fastupdate=False,
            ),
            *(
                models.Index(
                    F("tenant"),
                    sort.expression,
                    F("id"),
                    name=sort.index,
                    condition=Q(deleted_at__isnull=True),
                )
                for sort in SORTS.values()
            ),
            # Staff look for deleted ones, of which there are few.
            models.Index(
                name="deleted_profile_by_id", fields=["id"], condition=Q(deleted_at__isnull=False)
            ),
            models.Index(
                name="deleted_profile_by_email",
                fields=["email_key"],
                condition=Q(deleted_at__isnull=False),
            ),
            # For exports and erasures, which want deleted ones too.
            models.Index(
                name="profile_by_account", fields=["account"], condition=Q(account__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"Profile {self.pk}"


class Preference(models.Model):
    """A setting of a profile under a key of its owner's choice, as JSON."""

    profile = models.ForeignKey(Profile, models.CASCADE, related_name="preferences", db_index=False)
    key = models.TextField()
    value = models.JSONField()
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_preference_a_key", fields=["profile", "key"]),
            models.CheckConstraint(name="preference_has_a_key", condition=~Q(key="")),
        ]

    def __str__(self) -> str:
        return self.key
