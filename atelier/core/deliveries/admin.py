"""Deliveries as staff see them. The worker's own tables are no business of theirs."""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest

# Imported for its registration, which is taken back: its pages count and filter by whole columns.
from procrastinate.contrib.django import admin as _jobs  # noqa: F401
from procrastinate.contrib.django.models import ProcrastinateJob

from atelier.core.admin import QuickModelAdmin, ReadOnly
from atelier.core.deliveries import services
from atelier.core.models import Delivery, DeliveryStatus

admin.site.unregister(ProcrastinateJob)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly, QuickModelAdmin):
    list_display = (
        "id",
        "event",
        "receiver",
        "status",
        "attempts",
        "last_status_code",
        "last_attempt_at",
        "next_attempt",
        "delivered_at",
    )
    fields = (
        "id",
        "event",
        "url",
        "payload",
        "status",
        "attempts",
        "last_status_code",
        "last_error",
        "created_at",
        "last_attempt_at",
        "next_attempt",
        "delivered_at",
    )
    # Out of the index `delivery_by_status`.
    list_filter = ("status",)
    indexed_lookups = ("id", "id__exact", "status__exact")
    search_help_text = "The id of a delivery"
    # Digits alone are no id.
    ids_searched = ()
    actions = ("send_again",)

    def receiver(self, delivery: Delivery) -> str:
        return urlsplit(delivery.url).netloc.rpartition("@")[2]

    def next_attempt(self, delivery: Delivery) -> datetime | str | None:
        """What was made but not tried, or is to be sent again, comes as soon as it can."""
        if delivery.status != DeliveryStatus.PENDING:
            return None
        return delivery.next_attempt_at or "at once"

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet, search_term: str
    ) -> tuple[models.QuerySet, bool]:
        term = search_term.strip()
        return (self.search_words(queryset, term) if term else queryset), False

    def search_words(self, queryset: models.QuerySet, words: str) -> models.QuerySet:
        try:
            return queryset.filter(pk=UUID(words))
        except ValueError:
            return queryset.none()

    def has_send_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("core.change_delivery"))

    @admin.action(permissions=["send"], description="Send again")
    def send_again(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        """Each commits by itself; the receiver may get an event twice, and knows it by its id."""
        sent = 0
        for delivery in list(queryset):
            try:
                services.send_again(delivery_id=delivery.pk)
            except services.UnknownDelivery:
                continue
            sent += 1
            self.log_change(request, delivery, "Sent again.")
        self.message_user(
            request,
            f"{sent} {'delivery' if sent == 1 else 'deliveries'} will be sent again.",
            messages.SUCCESS if sent else messages.WARNING,
        )
