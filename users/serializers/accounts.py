"""Wire shapes of the account routes (contract 3), in the spelling of the legacy API."""

from typing import Any

import orjson
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from atelier.core.errors import Invalid, NotFound
from atelier.core.lookups import Lookup
from atelier.core.numbers import whole_number
from atelier.core.schema import GUARDED_JSON, ID, LegacyFailure, secured
from users.models import SubscriptionStatus

ACCOUNTS = "accounts"
UNREADABLE = "The body must be a JSON object."
INVALID_USERID = "userid must be a positive integer."
INVALID_IP = "ip must be an IP address."
INVALID_STATUS = "subscriptionstatus must be Subscribed, Expired or None."
UNKNOWN = "That user does not exist."

KNOWN_ACCOUNT = b'{"status":"postgres update success (IP and Subscription Status)","data":1}'
STATUSES = {str(status): status for status in SubscriptionStatus}


def userid_of(text: str) -> int:
    """The userid of a path; NotFound where it cannot be one."""
    userid = whole_number(text)
    if userid is None:
        raise NotFound(UNKNOWN)
    return userid


def login_of(body: Any) -> dict[str, Any]:
    """The arguments of `services.accounts.log_in`. Raises Invalid; addresses are judged there.

    By hand, because a serializer would cost more than the login does.
    """
    if not isinstance(body, dict):
        raise Invalid(UNREADABLE)
    given, ip = body.get("userid"), body.get("ip")
    userid = whole_number(given)
    if given is not None and userid is None:
        raise Invalid(INVALID_USERID)
    if not isinstance(ip, str):
        raise Invalid(INVALID_IP)
    status = body.get("subscriptionstatus")
    if not isinstance(status, str) or status not in STATUSES:
        raise Invalid(INVALID_STATUS)
    return {"userid": userid, "ip": ip, "subscription_status": STATUSES[status]}


def new_account(userid: int, ip: str, subscription_status: SubscriptionStatus) -> bytes:
    """The answer to a login that made an account."""
    row = {"userid": userid, "ip": ip, "subscriptionstatus": subscription_status}
    status = "postgres insert success (User ID, IP, and Status)"
    return orjson.dumps({"status": status, "data": [row]})


def account_answer(found: Lookup) -> bytes:
    """The row, which is JSON already, within what says where it came from."""
    source = "cache" if found.is_cached else "postgres"
    return f'{{"status":"{source} get success","data":[{found.value}]}}'.encode()


class NewLogin(serializers.Serializer):
    """For the schema; `login_of` reads it."""

    userid = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, help_text="Without one an account is made."
    )
    ip = serializers.IPAddressField()
    subscriptionstatus = serializers.ChoiceField(list(STATUSES))


class NewAccountEntry(serializers.Serializer):
    userid = serializers.IntegerField()
    ip = serializers.IPAddressField()
    subscriptionstatus = serializers.ChoiceField(list(STATUSES))


class NewAccountAnswer(serializers.Serializer):
    status = serializers.CharField()
    data = NewAccountEntry(many=True)  # type: ignore[assignment]


class KnownAccountAnswer(serializers.Serializer):
    status = serializers.CharField()
    data = serializers.IntegerField(  # type: ignore[assignment]
        help_text="Rows that were updated."
    )


class AccountEntry(serializers.Serializer):
    userid = serializers.IntegerField()
    subscriptionstatus = serializers.ChoiceField(list(STATUSES))
    region = serializers.CharField(allow_null=True, help_text="The country's English name.")


class AccountAnswer(serializers.Serializer):
    status = serializers.CharField(help_text="`postgres get success` or `cache get success`.")
    data = AccountEntry(many=True)  # type: ignore[assignment]


_USERID = OpenApiParameter("userid", ID, OpenApiParameter.PATH)
_UNKNOWN = OpenApiResponse(LegacyFailure, description=UNKNOWN)

LOGIN_SCHEMA: dict[str, Any] = {
    "operation_id": "accounts_login",
    "summary": "Note a login, or make an account",
    "description": (
        "The region comes from the address. The login is announced to the client-facing server "
        "where one is configured. Unknown keys of the body are ignored."
    ),
    "request": NewLogin,
    "responses": {
        (200, "application/json"): KnownAccountAnswer,
        (201, "application/json"): NewAccountAnswer,
        (400, "application/json"): OpenApiResponse(
            LegacyFailure, description=f"{INVALID_IP} {INVALID_STATUS}"
        ),
        (404, "application/json"): _UNKNOWN,
        (413, "application/json"): OpenApiResponse(
            LegacyFailure, description="The body is over 1 MB."
        ),
        **GUARDED_JSON,
    },
    **secured(ACCOUNTS),
}
RETRIEVE_SCHEMA: dict[str, Any] = {
    "operation_id": "accounts_retrieve",
    "summary": "Subscription and region of an account",
    "description": "`status` says where the answer comes from; it is never stale after a login.",
    "parameters": [_USERID],
    "responses": {
        (200, "application/json"): AccountAnswer,
        (404, "application/json"): _UNKNOWN,
        **GUARDED_JSON,
    },
    **secured(ACCOUNTS),
}
