"""Every write on products. Each commits through the write door.

A write of the catalogue's list names `catalogue`; what is below a product names the product.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal

from django.db import IntegrityError, connection, models
from django.db.models.functions import Now
from psycopg.errors import ForeignKeyViolation

from atelier.core.database import violated_constraint
from atelier.core.errors import Conflict, Invalid, NotFound
from atelier.core.publishing import ScopeError, publish
from products.models import (
    CATALOGUE_SCOPE,
    Feature,
    Photo,
    Product,
    RelatedProduct,
    Sku,
    Style,
    product_scope,
)

# Name and value; address and thumbnail's address; size and quantity.
FeatureRow = tuple[str, str | None]
PhotoRow = tuple[str | None, str | None]
SkuRow = tuple[str | None, int | None]


class ProductInUse(Conflict):
    code = "product_in_use"


class ProductChanged(Conflict):
    code = "product_changed"


class UnknownProduct(NotFound):
    code = "unknown_product"

    def __init__(self) -> None:
        super().__init__("There is no such product.")


class UnknownStyle(NotFound):
    code = "unknown_style"

    def __init__(self) -> None:
        super().__init__("The product has no such style.")


class InvalidRelation(Invalid):
    code = "invalid_relation"


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
    features: Sequence[FeatureRow] = (),
    product_id: int | None = None,
) -> Product:
    """Add a product, under an id that `reserve_product_id` gave where the caller holds the door."""
    reserved = reserve_product_id() if product_id is None else product_id
    with publish(*writing_scopes(reserved)):
        product = Product.objects.create(
            id=reserved,
            name=name,
            slogan=slogan,
            description=description,
            category=category,
            default_price=default_price,
        )
        _add_features(reserved, features)
    return product


def update_product(*, product_id: int, changes: Mapping[str, object]) -> None:
    """Change columns of a product and its time of change; without columns only the time, for a
    change of its features or relations.

    Raises UnknownProduct.
    """
    with publish(*writing_scopes(product_id)):
        if not Product.objects.filter(pk=product_id).update(**changes, updated_at=Now()):
            raise UnknownProduct


def replace_features(*, product_id: int, features: Sequence[FeatureRow]) -> None:
    """Give a product these features, in this order, instead of those it has.

    Raises UnknownProduct.
    """
    with publish(*writing_scopes(product_id)):
        update_product(product_id=product_id, changes={})
        Feature.objects.filter(product=product_id).delete()
        _add_features(product_id, features)


def replace_related(*, product_id: int, related_ids: Sequence[int]) -> None:
    """Show these products beside a product, in this order, instead of those it has.

    Raises UnknownProduct, and InvalidRelation where one does not exist or is the product itself.
    """
    try:
        with publish(*writing_scopes(product_id)):
            update_product(product_id=product_id, changes={})
            RelatedProduct.objects.filter(product=product_id).delete()
            RelatedProduct.objects.bulk_create(
                RelatedProduct(product_id=product_id, related_product_id=related)
                for related in related_ids
            )
            # Foreign keys are checked at the commit; ask now, while it can still be answered for.
            connection.check_constraints()
    except IntegrityError as error:
        if isinstance(error.__cause__, ForeignKeyViolation):
            raise InvalidRelation("A related product does not exist.") from error
        if violated_constraint(error) == "related_product_is_another":
            raise InvalidRelation("A product is not related to itself.") from error
        raise


def create_style(
    *,
    product_id: int,
    name: str,
    original_price: Decimal,
    sale_price: Decimal | None = None,
    is_default: bool = False,
    photos: Sequence[PhotoRow] = (),
    skus: Sequence[SkuRow] = (),
) -> Style:
    """Add a style to a product, with photos and skus in this order. Raises UnknownProduct."""
    with publish(product_scope(product_id)):
        # Whoever deletes the product waits for its scope.
        if not Product.objects.filter(pk=product_id).exists():
            raise UnknownProduct
        style = Style.objects.create(
            product_id=product_id,
            name=name,
            original_price=original_price,
            sale_price=sale_price,
            is_default=is_default,
        )
        _add_photos(style.pk, photos)
        _add_skus(style.pk, skus)
    return style


def update_style(
    *,
    product_id: int,
    style_id: int,
    changes: Mapping[str, object],
    photos: Sequence[PhotoRow] | None = None,
    skus: Sequence[SkuRow] | None = None,
) -> None:
    """Change columns of a product's style; photos and skus that are given replace those it has.

    Raises UnknownStyle.
    """
    with publish(product_scope(product_id)):
        styles = Style.objects.filter(pk=style_id, product=product_id)
        if not (styles.update(**changes) if changes else styles.exists()):
            raise UnknownStyle
        if photos is not None:
            Photo.objects.filter(style=style_id).delete()
            _add_photos(style_id, photos)
        if skus is not None:
            Sku.objects.filter(style=style_id).delete()
            _add_skus(style_id, skus)


def delete_style(*, product_id: int, style_id: int) -> None:
    """Delete a product's style with its photos and skus. Raises UnknownStyle."""
    with publish(product_scope(product_id)):
        deleted, _ = Style.objects.filter(pk=style_id, product=product_id).delete()
        if not deleted:
            raise UnknownStyle


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


def _add_features(product_id: int, features: Sequence[FeatureRow]) -> None:
    Feature.objects.bulk_create(
        Feature(product_id=product_id, feature=feature, value=value) for feature, value in features
    )


def _add_photos(style_id: int, photos: Sequence[PhotoRow]) -> None:
    Photo.objects.bulk_create(
        Photo(style_id=style_id, url=url, thumbnail_url=thumbnail) for url, thumbnail in photos
    )


def _add_skus(style_id: int, skus: Sequence[SkuRow]) -> None:
    Sku.objects.bulk_create(
        Sku(style_id=style_id, size=size, quantity=quantity) for size, quantity in skus
    )


def _reviews_scope(product_id: int) -> str:
    """As reviews.models.reviews_scope names it; this app stands below that one."""
    return f"reviews:{product_id}"
