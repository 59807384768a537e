from typing import Any, cast

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from atelier.core.admin import QuickModelAdmin
from atelier.core.history import HistoryAdmin
from users.models import Tenant, User
from users.services import tenants as services


@admin.register(Tenant)
class TenantAdmin(HistoryAdmin, QuickModelAdmin):
    """Tenants are made inactive, never deleted: what belongs to them names them."""

    list_display = ("name", "title", "is_active", "created_at")
    fields = ("name", "title", "is_active", "created_at")
    readonly_fields = ("created_at",)
    single_line = ("title",)
    ordering = ("name",)
    sortable_by = ("name",)
    search_help_text = "The beginning of a name"
    indexed_lookups = ("id", "id__exact")

    def get_fields(self, request: HttpRequest, obj: models.Model | None = None) -> Any:
        return self.fields if obj else ("name", "title", "is_active")

    def search_words(self, queryset: models.QuerySet, words: str) -> models.QuerySet:
        return queryset.filter(name__startswith=words)

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        by = cast(User, request.user)
        if not change:
            made = services.create_tenant(name=obj.name, title=obj.title, by=by)
            obj.pk, obj._state.adding = made.pk, False
        elif form.changed_data:
            changes = {name: form.cleaned_data[name] for name in form.changed_data}
            services.update_tenant(tenant_id=obj.pk, changes=changes, by=by)
