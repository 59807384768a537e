"""Reviews as they are kept.

What was imported and what visitors and moderators did stand in columns of their own, and the
columns that reads use are computed from both by PostgreSQL. So a refresh from CSV never undoes a
vote, a report or a decision. Ids that the shop makes itself start at 1,000,000,000.
"""

from typing import Self

from django.db import models
from django.db.models import ExpressionWrapper, F, GeneratedField, Q
from django.db.models.functions import Now

from products.models import Product


def reviews_scope(product_id: int) -> str:
    """The cache scope of a product's review list."""
    return f"reviews:{product_id}"


def meta_scope(product_id: int) -> str:
    """The cache scope of a product's review meta, which votes and reports leave as it is.

    It sorts after the list's, so that a door that holds the list can include it.
    """
    return f"reviews_meta:{product_id}"


class Moderation(models.TextChoices):
    PENDING = "pending", "not looked at"
    APPROVED = "approved", "approved"
    REJECTED = "rejected", "rejected"


class ReviewQuerySet(models.QuerySet["Review"]):
    def listed(self) -> Self:
        return self.filter(is_listed=True)

    def awaiting_moderation(self) -> Self:
        """Reported, and not looked at. Uses the partial index `review_awaiting_moderation`."""
        return self.filter(is_awaiting_moderation=True)


class Review(models.Model):
    id = models.BigAutoField(primary_key=True)
    product = models.ForeignKey(
        Product, on_delete=models.PROTECT, related_name="reviews", db_index=False
    )
    rating = models.SmallIntegerField()
    created_at = models.DateTimeField(db_default=Now())
    summary = models.TextField(blank=True, default="")
    body = models.TextField(blank=True, default="")
    recommend = models.BooleanField()
    # The imported answer of the shop, and the one that staff wrote here, which is shown instead.
    response = models.TextField(null=True, blank=True)  # noqa: DJ001 - the API tells null from ""
    staff_response = models.TextField(null=True, blank=True)  # noqa: DJ001 - null is unanswered
    reviewer_name = models.TextField(blank=True, default="")
    reviewer_email = models.TextField(blank=True, default="")

    source_helpfulness = models.IntegerField(default=0, db_default=0)
    vote_count = models.IntegerField(default=0, db_default=0)
    helpfulness = GeneratedField(
        expression=F("source_helpfulness") + F("vote_count"),
        output_field=models.IntegerField(),
        db_persist=True,
    )

    source_reported = models.BooleanField(default=False, db_default=False)
    report_count = models.IntegerField(default=0, db_default=0)
    moderation = models.TextField(
        choices=Moderation.choices, default=Moderation.PENDING, db_default=Moderation.PENDING
    )
    is_listed = GeneratedField(
        expression=ExpressionWrapper(
            Q(moderation=Moderation.APPROVED)
            | Q(moderation=Moderation.PENDING, source_reported=False, report_count=0),
            output_field=models.BooleanField(),
        ),
        output_field=models.BooleanField(),
        db_persist=True,
    )
    # A column, so that the query has no parameter: a plan made for any value uses no partial index.
    is_awaiting_moderation = GeneratedField(
        expression=ExpressionWrapper(
            Q(moderation=Moderation.PENDING) & (Q(source_reported=True) | Q(report_count__gt=0)),
            output_field=models.BooleanField(),
        ),
        output_field=models.BooleanField(),
        db_persist=True,
    )

    objects = ReviewQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(rating__gte=1, rating__lte=5), name="review_rating_from_1_to_5"
            ),
            models.CheckConstraint(
                condition=Q(moderation__in=Moderation.values), name="review_moderation_known"
            ),
            models.CheckConstraint(
                condition=Q(source_helpfulness__gte=0, vote_count__gte=0, report_count__gte=0),
                name="review_counters_not_negative",
            ),
        ]
        indexes = [
            models.Index(
                F("product"),
                F("helpfulness").desc(),
                F("id").desc(),
                condition=Q(is_listed=True),
                name="review_listed_by_helpfulness",
            ),
            models.Index(
                F("product"),
                F("created_at").desc(),
                F("id").desc(),
                condition=Q(is_listed=True),
                name="review_listed_by_date",
            ),
            # All reviews of a product, hidden ones too: recounts, the admin, the foreign key.
            models.Index(fields=["product", "id"], name="review_by_product"),
            models.Index(
                fields=["id"],
                condition=Q(moderation=Moderation.REJECTED),
                name="review_rejected",
            ),
            models.Index(
                fields=["id"],
                condition=Q(is_awaiting_moderation=True),
                name="review_awaiting_moderation",
            ),
        ]

    def __str__(self) -> str:
        return f"review {self.pk}"


class ReviewPhoto(models.Model):
    id = models.BigAutoField(primary_key=True)
    review = models.ForeignKey(
        Review, on_delete=models.CASCADE, related_name="photos", db_index=False
    )
    url = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["review", "id"], name="review_photo_by_review")]

    def __str__(self) -> str:
        return f"photo {self.pk}"


class Erasure(models.Model):
    """A review that lost its words, and who wrote it, for good.

    No import gives them back, even where it brings the row anew: so this refers to none.
    """

    review_id = models.BigIntegerField(primary_key=True)
    erased_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"erasure of review {self.pk}"


class Characteristic(models.Model):
    """Something about a product that reviewers rate from 1 to 5, such as Fit."""

    id = models.BigAutoField(primary_key=True)
    product = models.ForeignKey(
        Product, on_delete=models.PROTECT, related_name="characteristics", db_index=False
    )
    name = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["product", "id"], name="characteristic_by_product")]

    def __str__(self) -> str:
        return self.name


class CharacteristicReview(models.Model):
    """A review's rating of one characteristic."""

    id = models.BigAutoField(primary_key=True)
    characteristic = models.ForeignKey(
        Characteristic, on_delete=models.PROTECT, related_name="ratings"
    )
    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="characteristics")
    value = models.SmallIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(value__gte=1, value__lte=5), name="characteristic_value_from_1_to_5"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.characteristic_id}: {self.value}"


class ReviewMeta(models.Model):
    """The counters of one product over all its reviews but rejected ones (denormalised).

    Changed with every review in the same transaction; `rebuild_review_meta` recounts them.
    """

    product = models.OneToOneField(
        Product, on_delete=models.CASCADE, primary_key=True, related_name="review_meta"
    )
    rating_1 = models.IntegerField(default=0, db_default=0)
    rating_2 = models.IntegerField(default=0, db_default=0)
    rating_3 = models.IntegerField(default=0, db_default=0)
    rating_4 = models.IntegerField(default=0, db_default=0)
    rating_5 = models.IntegerField(default=0, db_default=0)
    recommended_count = models.IntegerField(default=0, db_default=0)
    not_recommended_count = models.IntegerField(default=0, db_default=0)

    class Meta:
        verbose_name = "ratings of a product"
        verbose_name_plural = "ratings by product"
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    rating_1__gte=0,
                    rating_2__gte=0,
                    rating_3__gte=0,
                    rating_4__gte=0,
                    rating_5__gte=0,
                    recommended_count__gte=0,
                    not_recommended_count__gte=0,
                ),
                name="review_meta_counters_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"meta of product {self.pk}"


class CharacteristicMeta(models.Model):
    """Sum and number of the ratings of one characteristic, rejected reviews left out."""

    characteristic = models.OneToOneField(
        Characteristic, on_delete=models.CASCADE, primary_key=True, related_name="meta"
    )
    value_sum = models.BigIntegerField(default=0, db_default=0)
    value_count = models.IntegerField(default=0, db_default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(value_sum__gte=0, value_count__gte=0),
                name="characteristic_meta_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"meta of characteristic {self.pk}"


class HelpfulVote(models.Model):
    """One visitor found one review helpful; `visitor` as atelier.core.visitors names it."""

    review = models.ForeignKey(
        Review, on_delete=models.CASCADE, related_name="votes", db_index=False
    )
    visitor = models.UUIDField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["review", "visitor"], name="one_vote_a_visitor"),
        ]

    def __str__(self) -> str:
        return f"vote on review {self.review_id}"


class ReviewReport(models.Model):
    """One visitor reported one review."""

    review = models.ForeignKey(
        Review, on_delete=models.CASCADE, related_name="reports", db_index=False
    )
    visitor = models.UUIDField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["review", "visitor"], name="one_report_a_visitor"),
        ]

    def __str__(self) -> str:
        return f"report of review {self.review_id}"
