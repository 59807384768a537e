"""What is kept of a person: shown to them, or erased for good.

A person is an account with its profiles, or whoever an e-mail address stands for. Reviews know
their authors by address only.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from atelier.core.deliveries.services import delete_deliveries, deliveries_about
from atelier.core.models import Delivery
from atelier.core.publishing import Publication, publish
from reviews import services as review_services
from reviews.models import Review
from users.identities import canonical_email
from users.models import (
    Account,
    Preference,
    Profile,
    ProfileQuerySet,
    profile_scope,
    user_scope,
)
from users.services import images

PROFILE_FIELDS = (
    *("id", "profile_type", "full_name", "email", "mobile", "gender", "birth_date", "address"),
    *("city", "country", "latitude", "longitude", "image", "is_active"),
    *("created_at", "updated_at", "deleted_at"),
)
REVIEW_FIELDS = (
    *("id", "product_id", "rating", "created_at", "summary", "body", "recommend"),
    *("reviewer_name", "reviewer_email"),
)


@dataclass(frozen=True, slots=True)
class Person:
    """Where something is kept of somebody. `emails` are canonical spellings."""

    emails: tuple[str, ...] = ()
    userids: tuple[int, ...] = ()
    profile_ids: tuple[UUID, ...] = ()
    delivery_ids: tuple[UUID, ...] = ()
    review_ids: tuple[int, ...] = ()

    @property
    def is_known(self) -> bool:
        return bool(self.userids or self.profile_ids or self.delivery_ids or self.review_ids)


@dataclass(frozen=True, slots=True)
class Erased:
    """How many of each are gone; reviews and their photos lost what they said."""

    accounts: int = 0
    profiles: int = 0
    preferences: int = 0
    pictures: int = 0
    deliveries: int = 0
    reviews: int = 0
    photos: int = 0


def find_person(
    *, userid: int | None = None, email: str = "", tenant_id: UUID | None = None
) -> Person:
    """Everything of an account, or of an address in any spelling; one of both is given.

    Profiles, deleted ones too, are those of the account or under the address; a profile's account
    comes along, with all of its profiles, and so do the reviews under all of these addresses. A
    tenant confines all this to its own profiles: accounts, deliveries and reviews are of none.
    Raises users.identities.InvalidEmail. Reads all deliveries and reviews, for an address all
    profiles: seconds for millions.
    """
    own = Profile.objects.all() if tenant_id is None else Profile.objects.of_tenant(tenant_id)
    emails = {canonical_email(email)} if email else set()
    profiles = (
        own.filter(account=userid) if userid is not None else own.filter(email_key__in=emails)
    )
    if tenant_id is not None:
        return _of_profiles(profiles, emails)
    userids = {userid} if userid is not None else set()
    userids |= set(profiles.filter(account__isnull=False).values_list("account_id", flat=True))
    found = _of_profiles(profiles | own.filter(account__in=userids), emails)
    return Person(
        emails=found.emails,
        userids=tuple(
            Account.objects.filter(pk__in=userids).order_by("pk").values_list("pk", flat=True)
        ),
        profile_ids=found.profile_ids,
        delivery_ids=tuple(
            delivery
            for each in sorted(userids)
            for delivery in deliveries_about(field="userid", value=each)
        ),
        review_ids=tuple(
            review_services.find_reviews_of(emails=set(found.emails), canonical=canonical_email)
            if found.emails
            else ()
        ),
    )


def export_person(*, person: Person) -> dict[str, Any]:
    """All that is kept of the person, as values that orjson writes."""
    return {
        "emails": list(person.emails),
        "accounts": [
            {
                "userid": account.userid,
                "subscription_status": account.subscription_status,
                "ip": account.ip,
                "region": account.region.name if account.region else None,
                "created_at": account.created_at,
                "updated_at": account.updated_at,
                "last_login_at": account.last_login_at,
            }
            for account in Account.objects.filter(pk__in=person.userids)
            .select_related("region")
            .order_by("pk")
        ],
        "profiles": [_profile(profile) for profile in _profiles_of(person)],
        "deliveries": list(
            Delivery.objects.filter(pk__in=person.delivery_ids)
            .order_by("pk")
            .values("id", "event", "url", "payload", "status", "created_at", "delivered_at")
        ),
        "reviews": [
            {
                **{field: getattr(review, field) for field in REVIEW_FIELDS},
                "response": review.staff_response or review.response,
                "photos": [photo.url for photo in review.photos.order_by("id")],
                "characteristics": {
                    rated.characteristic.name: rated.value
                    for rated in review.characteristics.select_related("characteristic")
                },
            }
            for review in Review.objects.filter(pk__in=person.review_ids).order_by("pk")
        ],
    }


def erase_person(*, person: Person) -> Erased:
    """Erase what `find_person` has found; what is gone already is no error.

    Each review, the deliveries, and each account with its profiles commit by themselves, through
    the write door where somebody may have read them, reviews first: an erasure that was cut off
    finds what it left when it is asked again. Pictures go before the rows that name them.
    """
    reviews = photos = 0
    for review_id in person.review_ids:
        try:
            photos += review_services.erase_review(review_id=review_id)
        except review_services.UnknownReview:
            continue
        reviews += 1
    deliveries = delete_deliveries(delivery_ids=person.delivery_ids)
    with publish() as door:
        profiles, preferences, pictures = _erase_profiles(_profiles_of(person), door)
    accounts = sum(_erase_account(userid) for userid in person.userids)
    return Erased(accounts, profiles, preferences, pictures, deliveries, reviews, photos)


def _of_profiles(profiles: ProfileQuerySet, emails: Iterable[str]) -> Person:
    found = list(profiles.order_by("pk").values_list("pk", "email_key"))
    return Person(
        emails=tuple(sorted({*emails, *(key for _, key in found)})),
        profile_ids=tuple(profile_id for profile_id, _ in found),
    )


def _profiles_of(person: Person) -> ProfileQuerySet:
    return Profile.objects.filter(pk__in=person.profile_ids).order_by("pk")


def _profile(profile: Profile) -> dict[str, Any]:
    return {
        **{field: getattr(profile, field) for field in PROFILE_FIELDS},
        "tenant": profile.tenant.name,
        "userid": profile.account_id,
        "image_url": images.url_of(profile.image),
        "preferences": dict(profile.preferences.order_by("key").values_list("key", "value")),
    }


def _erase_profiles(profiles: ProfileQuerySet, door: Publication) -> tuple[int, int, int]:
    """The numbers of profiles, preferences and pictures. Locks the profiles' scopes and rows."""
    found = list(profiles.values_list("pk", flat=True))
    door.include(*map(profile_scope, found))
    held = profiles.filter(pk__in=found).select_for_update()
    locked = list(held.values_list("pk", "image"))
    pictures = [image for _, image in locked if image]
    for image in pictures:
        images.delete_files(image)
    ids = [profile_id for profile_id, _ in locked]
    preferences, _ = Preference.objects.filter(profile__in=ids).delete()
    Profile.objects.filter(pk__in=ids).delete()
    return len(locked), preferences, len(pictures)


def _erase_account(userid: int) -> int:
    """The account, with a profile that was linked to it since it was found."""
    with publish(user_scope(userid)) as door:
        _erase_profiles(Profile.objects.filter(account=userid), door)
        return Account.objects.filter(pk=userid).delete()[0]
