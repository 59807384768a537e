from collections.abc import Callable, Collection, Iterable
from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.core.validators import MaxLengthValidator
from django.db import models
from django.forms import Field
from django.http import HttpRequest

from atelier.core.admin import PublishedModelAdmin, QuickInline, ReadOnly
from atelier.core.errors import AtelierError, Invalid
from atelier.core.text import LINE, LINES, NAMED
from users.identities import InvalidEmail, InvalidMobile, canonical_email, canonical_mobile
from users.models import Preference, Profile, Tenant, User, profile_scope
from users.serializers.profiles import MAX_ADDRESS, MAX_EMAIL, MAX_MOBILE, MAX_NAME, MAX_WORD
from users.services import profiles as services

MOST_LETTERS = {
    "full_name": MAX_NAME,
    "email": MAX_EMAIL,
    "mobile": MAX_MOBILE,
    "gender": MAX_WORD,
    "address": MAX_ADDRESS,
    "city": MAX_NAME,
    "country": MAX_WORD,
    "profile_type": MAX_WORD,
}


class Deleted(SimpleListFilter):
    """Deleted profiles show on demand, out of the partial index `deleted_profile_by_id`."""

    title = "deletion"
    parameter_name = "deleted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Deleted")]

    def queryset(self, request: HttpRequest, queryset: Any) -> models.QuerySet[Profile]:
        return queryset.filter(deleted_at__isnull=self.value() != "yes")


class PreferenceRows(ReadOnly, QuickInline):
    model = Preference
    fields = ("key", "value", "updated_at")
    readonly_fields = fields
    ordering = ("key",)


@admin.register(Profile)
class ProfileAdmin(PublishedModelAdmin):
    """Profiles are made over the API. Staff correct, delete and restore them, by the services."""

    refused_at = {
        InvalidEmail: "email",
        services.EmailTaken: "email",
        InvalidMobile: "mobile",
        services.MobileTaken: "mobile",
        services.NoSuchAccount: "account",
        services.ProfileTypeTaken: "profile_type",
    }
    ranges = {
        "latitude": (-90, 90),
        "longitude": (-180, 180),
    }
    list_display = ("id", "full_name", "email", "mobile", "tenant", "profile_type", "is_active")
    list_select_related = ("tenant",)
    list_filter = (Deleted,)
    search_help_text = "The id of a profile, an e-mail address, or a mobile number such as +4915..."
    indexed_lookups = ("id", "id__exact", Deleted.parameter_name)
    inlines = (PreferenceRows,)
    actions = ("delete_softly", "restore")
    single_line = ("full_name", "email", "mobile", "gender", "city", "country", "profile_type")
    fields = (
        ("id", "tenant"),
        ("account", "profile_type"),
        "full_name",
        ("email", "mobile"),
        ("gender", "birth_date"),
        "address",
        ("city", "country"),
        ("latitude", "longitude"),
        "image",
        "is_active",
        ("created_by", "created_at"),
        ("updated_by", "updated_at"),
        ("deleted_by", "deleted_at"),
    )
    readonly_fields = (
        "id",
        "tenant",
        "image",
        "created_by",
        "created_at",
        "updated_by",
        "updated_at",
        "deleted_by",
        "deleted_at",
    )

    def formfield_for_dbfield(
        self, db_field: models.Field, request: HttpRequest, **kwargs: Any
    ) -> Field | None:
        """Held to what the API takes."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.name in MOST_LETTERS:
            field.validators.append(MaxLengthValidator(MOST_LETTERS[db_field.name]))
        if field is not None and db_field.name in self.single_line:
            field.validators += NAMED if field.required else LINE
        if field is not None and db_field.name == "address":
            field.validators += LINES
        return field

    @staticmethod
    def key_of(text: str | None) -> UUID | None:
        return _uuid_of(text or "")

    def addition_scopes(self, request: HttpRequest) -> Iterable[str]:
        return ()

    def change_scopes(self, object_id: UUID) -> Iterable[str]:
        return (profile_scope(object_id),)

    def deletion_scopes(self, ids: Collection[UUID]) -> Iterable[str]:
        return ()

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet, search_term: str
    ) -> tuple[models.QuerySet, bool]:
        """Numbers are no ids here."""
        term = search_term.strip()
        return (self.search_words(queryset, term) if term else queryset), False

    def search_words(self, queryset: models.QuerySet, words: str) -> models.QuerySet:
        """By one index each; those of live profiles begin with the tenant."""
        if (known := _uuid_of(words)) is not None:
            return queryset.filter(pk=known)
        column, spell = (
            ("email_key", canonical_email) if "@" in words else ("mobile_key", canonical_mobile)
        )
        try:
            key = spell(words)
        except Invalid:
            return queryset.none()
        tenants = list(Tenant.objects.values_list("pk", flat=True))
        return queryset.filter(**{"tenant__in": tenants, column: key})

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """For good: that is erasure's part."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """A deleted one is restored first."""
        alive = not isinstance(obj, Profile) or obj.deleted_at is None
        return alive and super().has_change_permission(request, obj)

    def has_remove_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("users.delete_profile"))

    def save_model(self, request: HttpRequest, obj: Profile, form: Any, change: bool) -> None:
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        if "account" in changes:
            changes["account"] = obj.account_id
        services.update_profile(
            tenant_id=obj.tenant_id, profile_id=obj.pk, changes=changes, by=_name_of(request)
        )

    @admin.action(permissions=["remove"], description="Delete: can be restored")
    def delete_softly(self, request: HttpRequest, queryset: models.QuerySet[Profile]) -> None:
        self._each(request, queryset, services.delete_profile, "deleted")

    @admin.action(permissions=["remove"], description="Restore")
    def restore(self, request: HttpRequest, queryset: models.QuerySet[Profile]) -> None:
        self._each(request, queryset, services.restore_profile, "restored")

    def _each(
        self,
        request: HttpRequest,
        queryset: models.QuerySet[Profile],
        write: Callable[..., None],
        done: str,
    ) -> None:
        """A write for each selected row, and what stood in the way of which."""
        number = 0
        for key, tenant_id in list(queryset.values_list("pk", "tenant_id")):
            try:
                write(tenant_id=tenant_id, profile_id=key, by=_name_of(request))
                number += 1
            except AtelierError as error:
                self.message_user(request, f"{key}: {error.message}", messages.ERROR)
        self.message_user(request, f"Profiles {done}: {number}.", messages.SUCCESS)


def _name_of(request: HttpRequest) -> str:
    return cast(User, request.user).get_username()


def _uuid_of(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
