"""Every write on products. Each commits through the write door.

A write of the catalogue's list names `catalogue`; what is below a product names the product.
"""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal

from django.db import connection, models
from django.db.models.functions import Now

from atelier.core.errors import Conflict
from atelier.core.publishing import ScopeError, publish
from products.models import CATALOGUE_SCOPE, Product, RelatedProduct, Style, product_scope


class ProductInUse(Conflict):
    code = "product_in_use"


class ProductChanged(Conflict):
    code = "product_changed"


def reserve_product_id() -> int:
    """An id of the shop's own range, never handed out again.

    A new product's scope must be locked before the product exists, since answers that it is
    unknown may be cached; so its id comes first.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id'))", [Product._meta.db_table])
        row = cursor.fetchone()
    return int(row[0])


def writing_scopes(product_id: int) -> list[str]:
    """What a door must hold to add a product or change it with its features and relations."""
    return [CATALOGUE_SCOPE, product_scope(product_id)]


def style_scopes(style_ids: Collection[int]) -> list[str]:
    """What a door must hold to change these styles, their photos and skus; none for unknown ids."""
    owners = Style.objects.filter(pk__in=style_ids).values_list("product_id", flat=True)
    return sorted({product_scope(owner) for owner in owners})


def deletion_scopes(product_ids: Collection[int]) -> list[str]:
    """What a door must hold to delete these products.

    Besides their own answers: the review list of each, so that no review arrives meanwhile,
    and every product that shows one of them as related.
    """
    showing = RelatedProduct.objects.filter(related_product__in=product_ids)
    owners = {*product_ids, *showing.values_list("product_id", flat=True)}
    return sorted(
        {
            CATALOGUE_SCOPE,
            *(product_scope(owner) for owner in owners),
            *(_reviews_scope(product_id) for product_id in product_ids),
        }
    )


def create_product(
    *,
    name: str,
    default_price: Decimal,
    slogan: str = "",
    description: str = "",
    category: str = "",
    product_id: int | None = None,
) -> Product:
    """Add a product, under an id that `reserve_product_id` gave where the caller holds the door."""
    reserved = reserve_product_id() if product_id is None else product_id
    with publish(*writing_scopes(reserved)):
        return Product.objects.create(
            id=reserved,
            name=name,
            slogan=slogan,
            description=description,
            category=category,
            default_price=default_price,
        )


def update_product(*, product_id: int, changes: Mapping[str, object]) -> None:
    """Change columns of a product and its time of change; without columns only the time, for a
    change of its features or relations.

    Raises Product.DoesNotExist.
    """
    with publish(*writing_scopes(product_id)):
        if not Product.objects.filter(pk=product_id).update(**changes, updated_at=Now()):
            raise Product.DoesNotExist


def delete_products(*, product_ids: Collection[int]) -> int:
    """Delete products with their features, styles and relations; the number deleted.

    Raises ProductInUse where something protects one, such as its reviews, and ProductChanged where
    another product has begun to show one as related. Nothing is deleted then. Locks the products.
    """
    with publish(*deletion_scopes(product_ids)) as publication:
        products = Product.objects.filter(pk__in=product_ids)
        found = list(products.order_by("id").select_for_update().values_list("id", flat=True))
        # Nobody can point at a locked row, so what is read now stays so.
        if blocking := blockers_of(found):
            raise ProductInUse(
                f"A product that has {' or '.join(blocking)} is not deleted. Nothing was deleted."
            )
        try:
            publication.require(*deletion_scopes(found))
        except ScopeError as error:
            raise ProductChanged(
                "Another product has begun to show it as related. Try again."
            ) from error
        products.delete()
        return len(found)


def blockers_of(product_ids: Iterable[int]) -> list[str]:
    """What protects any of these products from being deleted, in plural: one probe for each kind.

    Django's own check would fetch every protected row.
    """
    ids = list(product_ids)
    return [
        str(relation.related_model._meta.verbose_name_plural)
        for relation in Product._meta.related_objects
        if relation.on_delete is models.PROTECT
        and relation.related_model._base_manager.filter(
            **{f"{relation.field.name}__in": ids}
        ).exists()
    ]


def _reviews_scope(product_id: int) -> str:
    """As reviews.models.reviews_scope names it; this app stands below that one."""
    return f"reviews:{product_id}"
