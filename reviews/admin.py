from collections.abc import Collection, Iterable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from atelier.core.admin import PublishedModelAdmin, QuickInline, QuickModelAdmin, ReadOnly
from reviews import services
from reviews.models import (
    Characteristic,
    CharacteristicReview,
    Moderation,
    Review,
    ReviewMeta,
    ReviewPhoto,
    ReviewQuerySet,
    reviews_scope,
)

BY_PRODUCT = ("product__id__exact",)


class ProductLink:
    """A column with the product's id, which leads to it. The name would cost a join."""

    @admin.display(description="product")
    def product_link(self, row: Any) -> SafeString:
        url = reverse("admin:products_product_change", args=[row.product_id])
        return format_html('<a href="{}" class="text-link">{}</a>', url, row.product_id)


class AwaitingModeration(SimpleListFilter):
    """Reported and not looked at, out of the partial index `review_awaiting_moderation`."""

    title = "moderation"
    parameter_name = "awaiting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Awaiting moderation")]

    def queryset(self, request: HttpRequest, queryset: Any) -> models.QuerySet[Review]:
        return queryset.awaiting_moderation() if self.value() else queryset


class PhotoRows(ReadOnly, QuickInline):
    model = ReviewPhoto
    fields = ("id", "link")
    readonly_fields = fields
    verbose_name_plural = "photos"

    @admin.display(description="url")
    def link(self, photo: ReviewPhoto) -> SafeString | str:
        """A visitor wrote the address: it is a link only where a click does nothing but load."""
        if not photo.url.lower().startswith(("https://", "http://")):
            return photo.url
        return format_html(
            '<a href="{0}" class="text-link" target="_blank" rel="noreferrer nofollow">{0}</a>',
            photo.url,
        )


class CharacteristicRows(ReadOnly, QuickInline):
    model = CharacteristicReview
    fields = ("characteristic", "value")
    readonly_fields = fields
    verbose_name_plural = "characteristics"

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[CharacteristicReview]:
        return super().get_queryset(request).select_related("characteristic")


@admin.register(Review)
class ReviewAdmin(ProductLink, PublishedModelAdmin):
    """Staff moderate and answer. Nobody writes a review here, and rejection replaces deletion."""

    list_display = (
        "id",
        "product_link",
        "rating",
        "summary",
        "moderation",
        "source_reported",
        "report_count",
        "helpfulness",
        "listed",
    )
    list_display_links = ("id", "summary")
    list_filter = (AwaitingModeration,)
    search_help_text = "The id of a review or of a product"
    ids_searched = ("id", "product_id")
    indexed_lookups = ("id", "id__exact", *BY_PRODUCT, AwaitingModeration.parameter_name)
    actions = ("approve", "reject", "set_back_to_pending")
    inlines = (PhotoRows, CharacteristicRows)
    fields = (
        "product_link",
        "rating",
        "summary",
        "body",
        "recommend",
        "created_at",
        ("reviewer_name", "reviewer_email"),
        "response",
        "staff_response",
        ("moderation", "listed"),
        ("source_reported", "report_count"),
        ("helpfulness", "source_helpfulness", "vote_count"),
    )
    readonly_fields = tuple(
        name
        for line in fields
        for name in ([line] if isinstance(line, str) else line)
        if name != "staff_response"
    )

    @admin.display(boolean=True)
    def listed(self, review: Review) -> bool:
        return review.is_listed

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def change_scopes(self, object_id: int) -> Iterable[str]:
        owners = Review.objects.filter(pk=object_id).values_list("product_id", flat=True)
        return [reviews_scope(owner) for owner in owners]

    def addition_scopes(self, request: HttpRequest) -> Iterable[str]:
        return []

    def deletion_scopes(self, ids: Collection[int]) -> Iterable[str]:
        return []

    def save_model(self, request: HttpRequest, obj: Review, form: Any, change: bool) -> None:
        if form.changed_data:
            services.respond_to_review(review_id=obj.pk, response=obj.staff_response)

    @admin.action(permissions=["change"], description="Approve: show, whatever is reported")
    def approve(self, request: HttpRequest, queryset: ReviewQuerySet) -> None:
        self._moderate(request, queryset, Moderation.APPROVED)

    @admin.action(permissions=["change"], description="Reject: take out of list and meta")
    def reject(self, request: HttpRequest, queryset: ReviewQuerySet) -> None:
        self._moderate(request, queryset, Moderation.REJECTED)

    @admin.action(permissions=["change"], description="Set back to not looked at")
    def set_back_to_pending(self, request: HttpRequest, queryset: ReviewQuerySet) -> None:
        self._moderate(request, queryset, Moderation.PENDING)

    def _moderate(
        self, request: HttpRequest, queryset: ReviewQuerySet, moderation: Moderation
    ) -> None:
        """Each review commits by itself, so a failure leaves the earlier decisions standing."""
        done = gone = 0
        for review in list(queryset):
            try:
                services.moderate_review(review_id=review.pk, moderation=moderation)
            except services.UnknownReview:
                gone += 1
                continue
            done += 1
            self.log_change(request, review, f"Moderation: {moderation.label}.")
        self.message_user(
            request,
            f"{_number(done)} now: {moderation.label}.",
            messages.SUCCESS if done else messages.WARNING,
        )
        if gone:
            self.message_user(request, f"{_number(gone)} gone meanwhile.", messages.WARNING)


@admin.register(ReviewMeta)
class ReviewMetaAdmin(ReadOnly, ProductLink, QuickModelAdmin):
    """The counters as the API shows them; `rebuild_review_meta` recounts them."""

    list_display = (
        "product_link",
        "rating_1",
        "rating_2",
        "rating_3",
        "rating_4",
        "rating_5",
        "recommended_count",
        "not_recommended_count",
    )
    fields = list_display
    ordering = ("-product_id",)
    sortable_by = ()
    search_fields = ("product_id",)
    search_help_text = "The id of a product"
    ids_searched = ("product_id",)
    indexed_lookups = BY_PRODUCT


@admin.register(Characteristic)
class CharacteristicAdmin(ReadOnly, ProductLink, QuickModelAdmin):
    list_display = ("id", "product_link", "name", "value_count", "mean")
    fields = list_display
    list_select_related = ("meta",)
    search_help_text = "The id of a characteristic or of a product"
    ids_searched = ("id", "product_id")
    indexed_lookups = ("id", "id__exact", *BY_PRODUCT)

    @admin.display(description="ratings")
    def value_count(self, row: Characteristic) -> int:
        return row.meta.value_count if hasattr(row, "meta") else 0

    def mean(self, row: Characteristic) -> str:
        if not self.value_count(row):
            return "-"
        return f"{row.meta.value_sum / row.meta.value_count:.2f}"


def _number(reviews: int) -> str:
    return f"{reviews} review is" if reviews == 1 else f"{reviews} reviews are"
