"""A writer outside of the web, as commands are: each line asks for one write.

`python -m tests.faults.cache.process` answers each line with one when the write's service has
returned: empty, or with the error that it raised.
"""

import os
import sys
from collections.abc import Callable
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "atelier.settings")
django.setup()

from atelier.core.publishing import EPOCH, publish  # noqa: E402
from licensing import services as licensing  # noqa: E402
from licensing.models import ProductLicence  # noqa: E402
from products.models import Product  # noqa: E402
from products.services import update_product  # noqa: E402
from reviews.models import Moderation  # noqa: E402
from reviews.services import create_review, mark_helpful, moderate_review  # noqa: E402


def vote(review: str, visitor: str) -> None:
    mark_helpful(review_id=int(review), visitor=UUID(visitor))


def review(product: str, rating: str) -> None:
    create_review(
        product_id=int(product),
        rating=int(rating),
        summary="",
        body="Any.",
        recommend=True,
        reviewer_name="any",
        reviewer_email="any@example.com",
        characteristics={},
    )


def moderate(review: str, moderation: str) -> None:
    moderate_review(review_id=int(review), moderation=Moderation(moderation))


def price(product: str, value: str) -> None:
    update_product(product_id=int(product), changes={"default_price": value})


def everything(product: str, value: str) -> None:
    """As an import commits: with the one scope on which every answer depends."""
    with publish(EPOCH):
        Product.objects.filter(pk=product).update(default_price=value)


def license(product: str, region: str) -> None:
    """The product may be shown in this region only."""
    region_id = licensing.region_named(region).pk
    licensing.create_licence(product_id=int(product), effect="allow", region_id=region_id)


def unlicense(product: str) -> None:
    for licence in ProductLicence.objects.filter(product_id=product):
        licensing.delete_licence(licence_id=licence.pk)


WRITES: dict[str, Callable[..., None]] = {
    write.__name__: write
    for write in (vote, review, moderate, price, everything, license, unlicense)
}


def answer(text: str) -> None:
    sys.stdout.write(text.replace("\n", " ") + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    answer("")
    for line in sys.stdin:
        name, *arguments = line.split()
        try:
            WRITES[name](*arguments)
        except Exception as error:
            answer(f"{type(error).__name__}: {error}")
        else:
            answer("")
