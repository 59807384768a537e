from collections.abc import Collection, Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.validators import validate_ipv46_address
from django.db import models
from django.http import HttpRequest

from atelier.core.admin import PublishedModelAdmin
from users.models import Account, SubscriptionStatus, user_scope
from users.services import accounts as services


class AddressField(forms.GenericIPAddressField):
    """Django would drop a zone such as %eth0, which is a machine's own name of an interface."""

    def to_python(self, value: Any) -> str:
        if "%" in str(value or ""):
            raise ValidationError("An address with a zone is not one of a visitor.", code="zone")
        return super().to_python(value)


@admin.register(Account)
class AccountAdmin(PublishedModelAdmin):
    """Accounts are made by logins. Staff correct them; the region follows the address."""

    list_display = ("userid", "ip", "subscription_status", "region", "last_login_at")
    list_select_related = ("region",)
    ordering = ("-userid",)
    sortable_by = ("userid",)
    search_fields = ("userid",)
    search_help_text = "The userid or the IP address of an account"
    ids_searched = ("userid",)
    indexed_lookups = ("userid", "userid__exact", "ip", "ip__exact")
    fields = (
        "userid",
        "ip",
        "subscription_status",
        "region",
        "created_at",
        "updated_at",
        "last_login_at",
    )
    readonly_fields = ("userid", "region", "created_at", "updated_at", "last_login_at")
    formfield_overrides = {models.GenericIPAddressField: {"form_class": AddressField}}

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        is_readable = not lookup.startswith("ip") or _is_address(value)
        return is_readable and super().lookup_allowed(lookup, value, request)

    def search_words(self, queryset: models.QuerySet, words: str) -> models.QuerySet:
        return queryset.filter(ip=words) if _is_address(words) else queryset.none()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def change_scopes(self, object_id: int) -> Iterable[str]:
        return [user_scope(object_id)] if Account.objects.filter(pk=object_id).exists() else []

    def addition_scopes(self, request: HttpRequest) -> Iterable[str]:
        return []

    def deletion_scopes(self, ids: Collection[int]) -> Iterable[str]:
        return []

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:
        if form.changed_data:
            services.change_account(
                userid=obj.pk,
                ip=obj.ip,
                subscription_status=SubscriptionStatus(obj.subscription_status),
            )


def _is_address(text: str) -> bool:
    try:
        validate_ipv46_address(text)
    except ValidationError:
        return False
    return "%" not in text
