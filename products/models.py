"""The catalogue as it is kept.

Ids come from the data set, or count up from 1,000,000,000 where the shop itself makes the row, so
that imports and the shop never collide. PostgreSQL refuses every write that does not go through
`atelier.core.publishing.publish`.
"""

from typing import Self

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchQuery, SearchVectorField
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Now

from atelier.core.pagination import Page

CATALOGUE_SCOPE = "catalogue"

# No catalogue reaches this far, and a walk of it would outlast the deadline.
FARTHEST_OFFSET = 10_000_000


def product_scope(product_id: int) -> str:
    """The cache scope of a product's detail, styles and related products."""
    return f"product:{product_id}"


class NameWords(Func):
    """The words of a name, spelled as the index `product_name_words` has them."""

    template = "to_tsvector('simple'::regconfig, %(expressions)s)"
    output_field = SearchVectorField()


class ProductQuerySet(models.QuerySet["Product"]):
    def in_category(self, category: str) -> Self:
        return self.filter(category=category)

    def named_like(self, words: str) -> Self:
        """Products whose name holds, for each word given, a word that begins with it."""
        quoted = words.replace("\\", "\\\\").replace("'", "''").split()
        if not quoted:
            return self
        # PostgreSQL splits each quoted word as it split the names, so "7.5" finds "7.5".
        prefixes = " & ".join(f"'{word}':*" for word in quoted)
        query = SearchQuery(prefixes, config="simple", search_type="raw")
        return self.annotate(name_words=NameWords("name")).filter(name_words=query)

    def ids_of(self, page: Page) -> list[int]:
        """Ids on this page of the list, ascending. Far pages walk the index, never the table."""
        if page.offset > FARTHEST_OFFSET:
            return []
        ordered = self.order_by("id").values_list("id", flat=True)
        return list(ordered[page.offset : page.offset + page.limit])


class Product(models.Model):
    id = models.BigAutoField(primary_key=True)
    name = models.TextField()
    slogan = models.TextField(blank=True, default="")
    description = models.TextField(blank=True, default="")
    category = models.TextField(blank=True, default="")
    default_price = models.DecimalField(max_digits=12, decimal_places=2)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = ProductQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(default_price__gte=0), name="product_price_not_negative"
            ),
        ]
        indexes = [
            models.Index(fields=["category", "id"], name="product_by_category"),
            models.Index(fields=["default_price", "id"], name="product_by_price"),
            GinIndex(NameWords(F("name")), name="product_name_words"),
        ]

    def __str__(self) -> str:
        return self.name


class Feature(models.Model):
    id = models.BigAutoField(primary_key=True)
    product = models.ForeignKey(
        Product, on_delete=models.CASCADE, related_name="features", db_index=False
    )
    feature = models.TextField()
    value = models.TextField(null=True, blank=True)  # noqa: DJ001 - the API tells null from ""

    class Meta:
        indexes = [models.Index(fields=["product", "id"], name="feature_by_product")]

    def __str__(self) -> str:
        return self.feature


class Style(models.Model):
    id = models.BigAutoField(primary_key=True)
    product = models.ForeignKey(
        Product, on_delete=models.CASCADE, related_name="styles", db_index=False
    )
    name = models.TextField()
    original_price = models.DecimalField(max_digits=12, decimal_places=2)
    sale_price = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    is_default = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(original_price__gte=0) & (Q(sale_price=None) | Q(sale_price__gte=0)),
                name="style_prices_not_negative",
            ),
        ]
        indexes = [models.Index(fields=["product", "id"], name="style_by_product")]

    def __str__(self) -> str:
        return self.name


class Photo(models.Model):
    id = models.BigAutoField(primary_key=True)
    style = models.ForeignKey(
        Style, on_delete=models.CASCADE, related_name="photos", db_index=False
    )
    url = models.TextField(null=True, blank=True)  # noqa: DJ001 - as the API gives it
    thumbnail_url = models.TextField(null=True, blank=True)  # noqa: DJ001 - as the API gives it

    class Meta:
        indexes = [models.Index(fields=["style", "id"], name="photo_by_style")]

    def __str__(self) -> str:
        return f"photo {self.pk}"


class Sku(models.Model):
    """A piece in stock. One style may carry the same size twice."""

    id = models.BigAutoField(primary_key=True)
    style = models.ForeignKey(Style, on_delete=models.CASCADE, related_name="skus", db_index=False)
    size = models.TextField(null=True, blank=True)  # noqa: DJ001 - as the API gives it
    quantity = models.IntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(quantity=None) | Q(quantity__gte=0), name="sku_quantity_not_negative"
            ),
        ]
        indexes = [models.Index(fields=["style", "id"], name="sku_by_style")]

    def __str__(self) -> str:
        return f"{self.size or 'sku'} ({self.pk})"


class RelatedProduct(models.Model):
    """A product shown beside another. The same pair may occur twice, as in the legacy data."""

    id = models.BigAutoField(primary_key=True)
    product = models.ForeignKey(
        Product, on_delete=models.CASCADE, related_name="related", db_index=False
    )
    related_product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(product=F("related_product")), name="related_product_is_another"
            ),
        ]
        indexes = [models.Index(fields=["product", "id"], name="related_by_product")]

    def __str__(self) -> str:
        return f"{self.product_id} with {self.related_product_id}"
