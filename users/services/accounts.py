"""Logins, changes and look-ups of accounts."""

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from atelier.core.control import Tags
from atelier.core.deliveries.services import defer_delivery
from atelier.core.errors import NotFound
from atelier.core.lookups import LOOKUP_SECONDS, Lookup, look_up
from atelier.core.publishing import publish
from licensing.services import Found, region_of
from users.models import Account, SubscriptionStatus, user_scope
from users.sql import accounts as sql

LOGIN = "login"


class UnknownAccount(NotFound):
    code = "unknown_account"

    def __init__(self) -> None:
        super().__init__("That user does not exist.")


@dataclass(frozen=True, slots=True)
class Login:
    """`is_new` where the login made the account; `ip` as PostgreSQL keeps it."""

    userid: int
    ip: str
    subscription_status: SubscriptionStatus
    is_new: bool


def log_in(*, userid: int | None, ip: str, subscription_status: SubscriptionStatus) -> Login:
    """Note a login of an account, or make one where no userid is given, and announce it.

    The announcement is a delivery in the same transaction, so it is neither lost nor waited for.
    Locks the account's scope and row. Raises UnknownAccount, and `licensing`'s InvalidAddress.
    """
    found = region_of(ip)
    if userid is None:
        with transaction.atomic():
            account = Account.objects.create(
                ip=found.address,
                subscription_status=subscription_status,
                region_id=found.region_id,
                last_login_at=Now(),
            )
            _announce(account.pk, found, subscription_status)
        return Login(account.pk, found.address, subscription_status, is_new=True)
    with publish(user_scope(userid)):
        _update(userid, found, subscription_status, last_login_at=Now())
        _announce(userid, found, subscription_status)
    return Login(userid, found.address, subscription_status, is_new=False)


def change_account(*, userid: int, ip: str, subscription_status: SubscriptionStatus) -> None:
    """What staff change. The region follows the address; nothing is announced.

    Raises UnknownAccount, and `licensing`'s InvalidAddress.
    """
    found = region_of(ip)
    with publish(user_scope(userid)):
        _update(userid, found, subscription_status)


def find_account(*, userid: int, noted: Tags | None = None) -> Lookup:
    """The account as `GET /user/:userid` shows it, as JSON text, out of the cache or PostgreSQL.

    Never older than the last login or change that was answered; `noted` as `look_up` takes it.
    Raises UnknownAccount.
    """
    found = look_up(
        user_scope(userid), lambda: sql.account(userid), seconds=LOOKUP_SECONDS, noted=noted
    )
    if found.value is None:
        raise UnknownAccount
    return found


def _update(
    userid: int, found: Found, subscription_status: SubscriptionStatus, **fields: Now
) -> None:
    updated = Account.objects.filter(pk=userid).update(
        ip=found.address,
        subscription_status=subscription_status,
        region_id=found.region_id,
        updated_at=Now(),
        **fields,
    )
    if not updated:
        raise UnknownAccount


def _announce(userid: int, found: Found, subscription_status: SubscriptionStatus) -> None:
    if settings.CALLBACK_URL:
        payload = {
            "userid": userid,
            "region": found.region.name if found.region else None,
            "subscriptionStatus": subscription_status,
        }
        defer_delivery(event=LOGIN, url=settings.CALLBACK_URL, payload=payload)
