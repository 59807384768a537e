from collections.abc import Collection, Iterable
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db import models
from django.forms import BaseInlineFormSet, ModelForm
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from atelier.core.admin import PublishedModelAdmin, QuickInline, ReadOnly, id_of
from products import services
from products.models import (
    Feature,
    Photo,
    Product,
    RelatedProduct,
    Sku,
    Style,
    product_scope,
)

# More hits than anybody pages through; they are gathered before they are put in order.
MOST_HITS = 1000


class FeatureInline(QuickInline):
    model = Feature
    fields = ("feature", "value")
    single_line = ("feature", "value")
    tab = True


class RelatedProductForm(ModelForm):
    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        related = (cleaned or {}).get("related_product")
        if related is not None and related.pk == self.instance.product_id:
            self.add_error("related_product", "A product is not related to itself.")
        return cleaned


class RelatedProductInline(QuickInline):
    model = RelatedProduct
    form = RelatedProductForm
    fk_name = "product"
    fields = ("related_product", "name")
    readonly_fields = ("name",)
    verbose_name_plural = "related products"
    tab = True

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[RelatedProduct]:
        return super().get_queryset(request).select_related("related_product")

    def name(self, row: RelatedProduct) -> str:
        return row.related_product.name


class StyleLinks(ReadOnly, QuickInline):
    model = Style
    fields = ("link", "original_price", "sale_price", "is_default")
    readonly_fields = fields
    tab = True

    @admin.display(description="style")
    def link(self, style: Style) -> SafeString:
        url = reverse("admin:products_style_change", args=[style.pk])
        return format_html('<a href="{}" class="text-link">{}</a>', url, style.name)


@admin.register(Product)
class ProductAdmin(PublishedModelAdmin):
    list_display = ("id", "name", "category", "default_price", "updated_at")
    list_display_links = ("id", "name")
    search_help_text = "An id, or beginnings of words of the name"
    # Each has an index: the primary key, product_by_category, product_by_price.
    sortable_by = ("id", "category", "default_price")
    indexed_lookups = ("id", "id__exact", "category", "category__exact")
    fields = (
        "name",
        "slogan",
        "description",
        "category",
        "default_price",
        "created_at",
        "updated_at",
        "see_also",
    )
    single_line = ("name", "slogan", "category")
    ranges = {"default_price": (0, None)}
    readonly_fields = ("created_at", "updated_at", "see_also")
    inlines = (FeatureInline, StyleLinks, RelatedProductInline)

    def search_words(self, queryset: models.QuerySet, words: str) -> models.QuerySet:
        # Ordered at once, a search for rare words might walk the primary key instead of
        # product_name_words.
        hits = Product.objects.named_like(words).order_by().values("pk")[:MOST_HITS]
        return queryset.filter(pk__in=hits)

    @admin.display(description="see also")
    def see_also(self, product: Product) -> SafeString:
        """Links to the lists of what points at the product, in whatever app it lives."""
        if product.pk is None:
            return SafeString("-")
        links = [("add a style", _url("products_style_add", product=product.pk))]
        for relation in Product._meta.related_objects:
            opts = relation.related_model._meta
            column = f"{relation.field.name}__id__exact"
            try:
                url = _url(f"{opts.app_label}_{opts.model_name}_changelist", **{column: product.pk})
            except NoReverseMatch:
                continue
            links.append((str(opts.verbose_name_plural), url))
        return format_html_join(
            " · ", '<a href="{}" class="text-link">{}</a>', ((url, name) for name, url in links)
        )

    def addition_scopes(self, request: HttpRequest) -> Iterable[str]:
        reserved = services.reserve_product_id()
        request.reserved_product_id = reserved  # type: ignore[attr-defined]
        return services.writing_scopes(reserved)

    def change_scopes(self, object_id: int) -> Iterable[str]:
        return services.writing_scopes(object_id)

    def deletion_scopes(self, ids: Collection[int]) -> Iterable[str]:
        return services.deletion_scopes(ids)

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        if not change:
            created = services.create_product(
                product_id=request.reserved_product_id,  # type: ignore[attr-defined]
                **form.cleaned_data,
            )
            obj.pk, obj._state.adding = created.pk, False
        elif changes:
            services.update_product(product_id=obj.pk, changes=changes)

    def save_related(
        self, request: HttpRequest, form: Any, formsets: list[BaseInlineFormSet], change: bool
    ) -> None:
        super().save_related(request, form, formsets, change)
        if change and not form.changed_data and any(map(_saved_something, formsets)):
            services.update_product(product_id=form.instance.pk, changes={})

    def delete_model(self, request: HttpRequest, obj: Product) -> None:
        services.delete_products(product_ids=[obj.pk])

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Product]) -> None:
        services.delete_products(product_ids=[product.pk for product in queryset])


class PhotoInline(QuickInline):
    model = Photo
    fields = ("url", "thumbnail_url")
    single_line = fields


class SkuInline(QuickInline):
    model = Sku
    fields = ("size", "quantity")
    ranges = {"quantity": (0, None)}
    single_line = ("size",)


@admin.register(Style)
class StyleAdmin(PublishedModelAdmin):
    list_display = ("id", "product_id", "name", "original_price", "sale_price", "is_default")
    list_display_links = ("id", "name")
    search_help_text = "The id of a style or of its product"
    ids_searched = ("id", "product_id")
    indexed_lookups = ("id", "id__exact", "product__id__exact")
    fields = ("product", "name", "original_price", "sale_price", "is_default")
    single_line = ("name",)
    ranges = {
        "original_price": (0, None),
        "sale_price": (0, None),
    }
    inlines = (PhotoInline, SkuInline)

    def get_readonly_fields(
        self, request: HttpRequest, obj: models.Model | None = None
    ) -> tuple[str, ...]:
        """A style stays with its product."""
        return ("product",) if obj else ()

    def addition_scopes(self, request: HttpRequest) -> Iterable[str]:
        product_id = id_of(request.POST.get("product"))
        return [] if product_id is None else [product_scope(product_id)]

    def change_scopes(self, object_id: int) -> Iterable[str]:
        return services.style_scopes([object_id])

    def deletion_scopes(self, ids: Collection[int]) -> Iterable[str]:
        return services.style_scopes(ids)


def _url(name: str, **query: object) -> str:
    return f"{reverse(f'admin:{name}')}?{urlencode(query)}"


def _saved_something(formset: BaseInlineFormSet) -> bool:
    return bool(formset.new_objects or formset.changed_objects or formset.deleted_objects)
