from collections.abc import Collection
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest
from oauth2_provider.models import (
    AccessToken,
    Grant,
    IDToken,
    RefreshToken,
    revoke_access_token,
)
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from atelier.core.admin import QuickModelAdmin, ReadOnly
from users.models import Client, Scope
from users.services import tenants as services

# The toolkit registers its own, which show what belongs to protocols that are not spoken here.
for unused in (Client, AccessToken, Grant, IDToken, RefreshToken):
    admin.site.unregister(unused)


class ClientForm(forms.ModelForm):
    allowed_scopes = forms.MultipleChoiceField(
        choices=Scope.choices, required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        is_for_itself = cleaned.get("authorization_grant_type") == Client.GRANT_CLIENT_CREDENTIALS
        if is_for_itself and cleaned.get("client_type") == Client.CLIENT_PUBLIC:
            self.add_error("client_type", "A client that acts for itself has a secret.")
        return cleaned


@admin.register(Client)
class ClientAdmin(QuickModelAdmin):
    """A secret is made here and shown once; it is not kept."""

    form = ClientForm
    list_display = ("client_id", "name", "tenant", "authorization_grant_type", "is_active")
    list_select_related = ("tenant",)
    fields = (
        "name",
        "tenant",
        "authorization_grant_type",
        "client_type",
        "redirect_uris",
        "allowed_scopes",
        "is_active",
        "client_id",
    )
    readonly_fields = ("client_id",)
    search_help_text = "The id of a client"

    def search_words(self, queryset: models.QuerySet, words: str) -> models.QuerySet:
        return queryset.filter(client_id=words)

    def get_readonly_fields(
        self, request: HttpRequest, obj: models.Model | None = None
    ) -> Collection[str]:
        """A client stays with its tenant and its kind."""
        kept = ("tenant", "authorization_grant_type", "client_type")
        return (*self.readonly_fields, *kept) if obj else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: Client, form: Any, change: bool) -> None:
        if change:
            changes = {name: form.cleaned_data[name] for name in form.changed_data}
            if changes:
                services.update_client(client_id=obj.pk, changes=changes)
            return
        made = services.register_client(
            name=obj.name,
            tenant=obj.tenant,
            scopes=obj.allowed_scopes,
            grant=obj.authorization_grant_type,
            client_type=obj.client_type,
            redirect_uris=obj.redirect_uris,
        )
        obj.pk, obj._state.adding = made.client.pk, False
        told = f"Client {made.client.client_id}, secret {made.secret}. The secret is not kept."
        self.message_user(request, told, messages.WARNING)


@admin.register(AccessToken)
class AccessTokenAdmin(ReadOnly, QuickModelAdmin):
    """What is out there. A token is revoked, with its refresh token, and not deleted."""

    list_display = ("id", "application", "user", "scope", "created", "expires")
    list_select_related = ("application", "user")
    fields = list_display
    search_help_text = "The id of a token, or of its client"
    actions = ("revoke",)

    def search_words(self, queryset: models.QuerySet, words: str) -> models.QuerySet:
        return queryset.filter(application__client_id=words)

    @admin.action(permissions=["revoke"], description="Revoke: refused within a second")
    def revoke(self, request: HttpRequest, queryset: models.QuerySet[AccessToken]) -> None:
        tokens = list(queryset)
        for token in tokens:
            revoke_access_token(token)
        self.message_user(request, f"Tokens revoked: {len(tokens)}.", messages.SUCCESS)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("oauth2_provider.delete_accesstoken"))
