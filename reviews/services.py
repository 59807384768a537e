"""Every write on reviews. Each commits through the write door with the product's scopes."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from django.db import IntegrityError, connection
from django.db.models import F, Min
from psycopg.errors import ForeignKeyViolation

from atelier.core.database import violated_constraint
from atelier.core.errors import Invalid, NotFound
from atelier.core.publishing import EPOCH, confirm, publish
from licensing import services as licensing
from products.models import Product
from reviews import sql
from reviews.models import (
    Erasure,
    Moderation,
    Review,
    ReviewMeta,
    ReviewPhoto,
    meta_scope,
    reviews_scope,
)

# What tells who wrote a review, what they wrote, and what was answered.
WORDS: dict[str, str | None] = {
    "summary": "",
    "body": "",
    "reviewer_name": "",
    "reviewer_email": "",
    "response": None,
    "staff_response": None,
}


class CountOnce(Protocol):
    """A service that counts something of a visitor's once."""

    def __call__(self, *, review_id: int, visitor: UUID, address: str | None) -> bool: ...


class InvalidReview(Invalid):
    """What no single field shows: the sentence is the contract's for every bad entry."""

    code = "invalid_review"

    def __init__(self) -> None:
        super().__init__("Error: Review body contains invalid entries")


class UnknownReview(NotFound):
    code = "unknown_review"

    def __init__(self) -> None:
        super().__init__("There is no such review.")


def create_review(
    *,
    product_id: int,
    rating: int,
    summary: str,
    body: str,
    recommend: bool,
    reviewer_name: str,
    reviewer_email: str,
    photo_urls: Sequence[str] = (),
    characteristics: Mapping[int, int],
    address: str | None = None,
) -> Review:
    """Store a review and count it. `characteristics` maps ids to values from 1 to 5; `address` is
    that of the visitor who writes it, None for somebody whom licences do not concern.

    Raises InvalidReview for an unknown product, and for a characteristic of another product;
    licensing's NotLicensed where the product may not be shown to the visitor.
    """
    scope = reviews_scope(product_id)
    try:
        with publish(scope, meta_scope(product_id)) as publication:
            # The door knows already, so that other products need not be asked about.
            if address is not None and publication.is_restricted(scope):
                licensing.require_licence(product_id=product_id, address=address)
            review = Review.objects.create(
                product_id=product_id,
                rating=rating,
                summary=summary,
                body=body,
                recommend=recommend,
                reviewer_name=reviewer_name,
                reviewer_email=reviewer_email,
            )
            # Foreign keys are checked at the commit; ask now, while it can still be answered for.
            connection.check_constraints()
            ReviewPhoto.objects.bulk_create(
                ReviewPhoto(review=review, url=url) for url in photo_urls
            )
            stored = sql.add_characteristic_reviews(
                review_id=review.pk, product_id=product_id, values=characteristics
            )
            if stored != len(characteristics):
                raise InvalidReview
            _count(review, sign=1)
    except IntegrityError as error:
        if isinstance(error.__cause__, ForeignKeyViolation):
            raise InvalidReview from error
        raise
    return review


def mark_helpful(*, review_id: int, visitor: UUID, address: str | None = None) -> bool:
    """Count a visitor's vote once. False where it was counted before, or the review is unknown.

    Raises licensing's NotLicensed where the product may not be shown at the visitor's address.
    """
    return _count_once("vote_count", "one_vote_a_visitor", review_id, visitor, address)


def report_review(*, review_id: int, visitor: UUID, address: str | None = None) -> bool:
    """Count a visitor's report once, which hides a review that no moderator has approved.

    Raises as mark_helpful does.
    """
    return _count_once("report_count", "one_report_a_visitor", review_id, visitor, address)


def moderate_review(*, review_id: int, moderation: Moderation) -> None:
    """Take a moderator's decision. A rejected review leaves list and meta; others count.

    Raises UnknownReview.
    """
    product_id = _product_of(review_id)
    with publish(reviews_scope(product_id)) as publication:
        review = _locked(review_id, product_id)
        counted, counts = review.moderation != Moderation.REJECTED, moderation != "rejected"
        Review.objects.filter(pk=review_id).update(moderation=moderation)
        if counted != counts:
            publication.include(meta_scope(product_id))
            _count(review, sign=1 if counts else -1)


def respond_to_review(*, review_id: int, response: str | None) -> None:
    """Set the staff's answer below a review, or with None show the imported one again.

    Raises UnknownReview.
    """
    with publish(reviews_scope(_product_of(review_id))):
        if not Review.objects.filter(pk=review_id).update(staff_response=response):
            raise UnknownReview


def change_review(*, review_id: int, changes: Mapping[str, str | None]) -> Review:
    """Take a moderator's `moderation` and `response`, those that are given; the review after it.

    Raises UnknownReview.
    """
    product_id = _product_of(review_id)
    with publish(reviews_scope(product_id)):
        if "moderation" in changes:
            moderate_review(review_id=review_id, moderation=Moderation(str(changes["moderation"])))
        if "response" in changes:
            respond_to_review(review_id=review_id, response=changes["response"])
        return Review.objects.get(pk=review_id)


def delete_review(*, review_id: int) -> int:
    """Delete a review with its photos, ratings, votes and reports, and count it no longer; the
    product's id.

    Raises UnknownReview. Locks the product's ReviewMeta, then the review. An import that holds the
    review makes it anew: what shall stay away is rejected.
    """
    product_id = _product_of(review_id)
    with publish(reviews_scope(product_id), meta_scope(product_id)):
        review = _locked(review_id, product_id)
        if review.moderation != Moderation.REJECTED:
            _count(review, sign=-1)
        review.delete()
    return product_id


def find_reviews_of(*, emails: Collection[str], canonical: Callable[[str], str]) -> list[int]:
    """The ids of the reviews whose author's address is, in the canonical spelling, one of these.

    `canonical` trims, lowers ASCII letters, and may do more to addresses that hold others or
    Punycode; it raises Invalid for what is no address. Reads all reviews: seconds for millions.
    """
    return [
        review_id
        for review_id, address in sql.written_under(sorted(emails))
        if _canonical_or_none(address, canonical) in emails
    ]


def erase_review(*, review_id: int) -> int:
    """Take the words of a review, its author's name and address, the answers and the addresses of
    the photos out for good; the number of photos.

    What was rated and recommended stays, so the product's aggregates do. Raises UnknownReview.
    """
    with publish(reviews_scope(_product_of(review_id))):
        Erasure.objects.bulk_create([Erasure(review_id=review_id)], ignore_conflicts=True)
        if not Review.objects.filter(pk=review_id).update(**WORDS):
            raise UnknownReview
        return ReviewPhoto.objects.filter(review_id=review_id).exclude(url="").update(url="")


def erase_again() -> None:
    """Take out what an import has brought back of reviews that were erased, in the import's door.

    Called last there: an erasure that comes later waits for the row that the import has changed.
    """
    if not Erasure.objects.exists():
        return
    erased = Erasure.objects.values("review_id")
    Review.objects.filter(pk__in=erased).exclude(**WORDS).update(**WORDS)
    ReviewPhoto.objects.filter(review_id__in=erased).exclude(url="").update(url="")


def rebuild_review_meta(*, batch: int, progress: Callable[[int], None]) -> int:
    """Recount every product's aggregates, `batch` ids to a transaction; the rows that were wrong.

    Locks the aggregate rows of one batch at a time, so writers wait for one batch at most.
    """
    wrong = 0
    low = _first_product_from(1)
    while low is not None:
        wrong += _rebuild_batch(low, low + batch)
        progress(low + batch - 1)
        low = _first_product_from(low + batch)
    return wrong


def recount_reviews(*, products: str, params: Sequence[int] = ()) -> int:
    """Recount the aggregates of the products whose ids a query answers, in the caller's door.

    Locks their ReviewMeta rows until the commit. Answers the number of rows that were wrong.
    """
    sql.select_products(products, params)
    sql.lock_selected()
    return sql.recount_counts() + sql.recount_sums()


def select_for_recount(*, products: str, characteristics: str | None) -> None:
    """The recount by steps, in the caller's door: select the products whose ids a query answers,
    and such characteristics, or all of the products' with None; then recount their sums, and the
    products' counts, in any order.

    Locks the products' ReviewMeta rows until the commit. Whoever also locks reviews does so later.
    """
    if characteristics is None:
        sql.select_products(products, [])
    else:
        sql.select(products=products, characteristics=characteristics)
    sql.lock_selected()


def recount_sums() -> int:
    """Add up the ratings that are selected for it; the number of rows that were wrong."""
    return sql.recount_sums()


def recount_counts() -> int:
    """Count the reviews that are selected for it; the number of rows that were wrong."""
    return sql.recount_counts()


def review_counts() -> dict[str, str]:
    """The counters of ReviewMeta, each with the SQL that counts it over a product's reviews."""
    return dict(sql.COUNTS)


def _product_of(review_id: int) -> int:
    found = sql.product_of_review(review_id)
    if found is None:
        raise UnknownReview
    _, product_id = found
    return product_id


def _locked(review_id: int, product_id: int) -> Review:
    """The review, in the order of an import: the counters, then the review."""
    ReviewMeta.objects.select_for_update().filter(pk=product_id).first()
    review = Review.objects.select_for_update().filter(pk=review_id).first()
    if review is None:
        raise UnknownReview
    return review


def _canonical_or_none(address: str, canonical: Callable[[str], str]) -> str | None:
    try:
        return canonical(address)
    except Invalid:
        return None


def _first_product_from(product_id: int) -> int | None:
    """The next id in use: between the data set's and the shop's own lie a thousand million."""
    return Product.objects.filter(pk__gte=product_id).aggregate(first=Min("id"))["first"]


def _rebuild_batch(low: int, high: int) -> int:
    try:
        with publish(EPOCH):
            wrong = recount_reviews(
                products="SELECT id FROM products_product WHERE id >= %s AND id < %s",
                params=[low, high],
            )
            if not wrong:
                raise _NothingWrong
            return wrong
    except _NothingWrong:
        return 0


class _NothingWrong(Exception):
    """Rolls a batch back that changed nothing, so that the caches keep their tags."""


def _count(review: Review, *, sign: int) -> None:
    """Add the review to its product's aggregates, or take it away."""
    ReviewMeta.objects.bulk_create(
        [ReviewMeta(product_id=review.product_id)], ignore_conflicts=True
    )
    stars = f"rating_{review.rating}"
    answer = "recommended_count" if review.recommend else "not_recommended_count"
    ReviewMeta.objects.filter(pk=review.product_id).update(
        **{stars: F(stars) + sign, answer: F(answer) + sign}
    )
    sql.shift_characteristic_meta(review_id=review.pk, sign=sign)


def _count_once(
    counter: str, constraint: str, review_id: int, visitor: UUID, address: str | None
) -> bool:
    found = sql.product_of_review(review_id)
    if found is None:
        return False
    is_restricted, product_id = found
    if is_restricted and address is not None:
        licensing.require_licence(product_id=product_id, address=address)
    try:
        # A repeated vote rolls back, so the caches keep their tags.
        with publish(reviews_scope(product_id)):
            sql.count_once(counter, review_id=review_id, visitor=visitor)
    except IntegrityError as error:
        # The review may go, with its product, while the vote waits for the scope.
        if isinstance(error.__cause__, ForeignKeyViolation):
            return False
        if violated_constraint(error) == constraint:
            # Of a restricted product nothing is stored that could be older.
            if not is_restricted:
                confirm(reviews_scope(product_id))
            return False
        raise
    return True
