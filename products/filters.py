"""Filters of the product list, from the query string."""

from django.db.models import QuerySet
from django_filters import CharFilter, FilterSet, NumberFilter

from products.models import Product, ProductQuerySet

# PostgreSQL's numeric ends at some 16,000 decimals, and 1e-20000 is quickly written.
PRICE = {"min_value": 0, "decimal_places": 6}


class ProductFilter(FilterSet):
    """`category` exactly; `min_price` and `max_price` inclusive; `name` by beginnings of words."""

    category = CharFilter(field_name="category", strip=False)
    min_price = NumberFilter(field_name="default_price", lookup_expr="gte", **PRICE)
    max_price = NumberFilter(field_name="default_price", lookup_expr="lte", **PRICE)
    name = CharFilter(method="filter_name", max_length=200)

    class Meta:
        model = Product
        fields: list[str] = []

    def filter_name(self, queryset: ProductQuerySet, name: str, value: str) -> QuerySet[Product]:
        return queryset.named_like(value)
