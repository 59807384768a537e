"""Wire shapes of the profile routes: the legacy spelling (contract 4), and the one beside it."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from math import isfinite
from typing import Any
from uuid import UUID

import orjson
from django.http import QueryDict
from django_filters import FilterSet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from atelier.core.errors import Invalid, NotFound
from atelier.core.exception_handler import pointers
from atelier.core.fields import Changes, TextField
from atelier.core.numbers import MAX_ID
from atelier.core.pagination import whole
from atelier.core.text import LINE, LINES, NAMED
from users.models import SORTS

PROFILES_READ = "profiles:read"
PROFILES_WRITE = "profiles:write"
UNREADABLE = "The body must be a JSON object."
UNKNOWN = "There is no such profile."

DONE = b'{"status":"true"}'
GREETING = b'{"Greet":"hello"}'
HEALTHY = b'{"Status":"green"}'

# What PostgreSQL's indexes take of every alphabet, and more than people have.
MAX_NAME, MAX_EMAIL, MAX_MOBILE, MAX_WORD, MAX_ADDRESS = 255, 320, 50, 100, 2_000
MAX_QUERY = 1_000
DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET = 10, 100, 10_000
# The field of a picture's multipart body, and the bytes that it may have.
PICTURE, MAX_PICTURE = "profile_image", 2 * 1024 * 1024

ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# A date, or the time of RFC 3339 that some clients send in its place.
DAY = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})?)?"
)
# `next` of a page of the list: when a profile was made, and its id.
PLACE = re.compile(
    rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}\.[0-9]{{6}}Z)_({ID.pattern})"
)


def profile_id_of(text: str) -> UUID:
    """The profile id of a path; NotFound where it cannot be one."""
    if not ID.fullmatch(text):
        raise NotFound(UNKNOWN)
    return UUID(text)


class LooseText(TextField):
    """Text, or a whole number in its place."""

    def to_internal_value(self, data: Any) -> str:
        is_number = isinstance(data, int) and not isinstance(data, bool)
        return super().to_internal_value(str(data) if is_number else data)


class Degrees(serializers.FloatField):
    """A finite number, or its digits; empty text is none."""

    def __init__(self, most: int, **kwargs: Any) -> None:
        super().__init__(min_value=-most, max_value=most, allow_null=True, **kwargs)

    def run_validation(self, data: Any = serializers.empty) -> float | None:
        return super().run_validation(None if isinstance(data, str) and not data else data)

    def to_internal_value(self, data: Any) -> float:
        number = super().to_internal_value(data)
        if isinstance(data, bool) or not isfinite(number):
            self.fail("invalid")
        return number


@extend_schema_field({"type": "string", "description": "A date, or a time of RFC 3339 on it."})
class LooseDate(serializers.Field):
    """A date, or a time, whose day is taken as it is written; empty text is none."""

    default_error_messages = {"invalid": "Not a date such as 1990-12-31."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_null=True, **kwargs)

    def run_validation(self, data: Any = serializers.empty) -> date | None:
        return super().run_validation(None if isinstance(data, str) and not data else data)

    def to_internal_value(self, data: Any) -> date:
        found = DAY.fullmatch(data) if isinstance(data, str) else None
        if found is None:
            self.fail("invalid")
        try:
            return date.fromisoformat(found[1])
        except ValueError:
            self.fail("invalid")

    def to_representation(self, value: date) -> str:
        return value.isoformat()


class LegacyChanges(serializers.Serializer):
    """What is not there, or null, stays as it is; empty text empties. Unknown keys are ignored."""

    full_name = LooseText(max_length=MAX_NAME, required=False, validators=NAMED)
    gender = LooseText(max_length=MAX_WORD, allow_blank=True, required=False, validators=LINE)
    email_id = LooseText(max_length=MAX_EMAIL, required=False, source="email")
    mobile = LooseText(max_length=MAX_MOBILE, allow_blank=True, required=False, validators=LINE)
    birth_date = LooseDate(required=False)
    address = LooseText(max_length=MAX_ADDRESS, allow_blank=True, required=False, validators=LINES)
    city_id = LooseText(
        max_length=MAX_NAME, allow_blank=True, required=False, source="city", validators=LINE
    )
    country_id = LooseText(
        max_length=MAX_WORD, allow_blank=True, required=False, source="country", validators=LINE
    )
    latitude = Degrees(90, required=False)
    longitude = Degrees(180, required=False)


class NewProfile(LegacyChanges):
    """`birthdate` is read as `birth_date`. Unknown keys are ignored."""

    full_name = LooseText(max_length=MAX_NAME, validators=NAMED)
    email_id = LooseText(max_length=MAX_EMAIL, source="email")
    userid = serializers.IntegerField(
        min_value=1,
        max_value=MAX_ID,
        required=False,
        source="account",
        help_text="The account that the profile is one of.",
    )
    profile_type = LooseText(max_length=MAX_WORD, required=False, validators=NAMED)


def new_profile(body: Any) -> dict[str, Any]:
    """Arguments of `services.profiles.create_profile`. Raises Invalid, naming the first field."""
    return _read(NewProfile, body)


def legacy_changes(body: Any) -> dict[str, Any]:
    """Columns for `services.profiles.update_profile`. Raises Invalid, naming the first field."""
    return _read(LegacyChanges, body)


def _read(shape: type[serializers.Serializer], body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Invalid(UNREADABLE)
    given = {name: value for name, value in body.items() if value is not None}
    if "birthdate" in given:
        given.setdefault("birth_date", given["birthdate"])
    serializer = shape(data=given)
    if not serializer.is_valid():
        first = pointers(serializer.errors)[0]
        raise Invalid(f"{first['pointer'].strip('/')}: {first['detail']}")
    return dict(serializer.validated_data)


def new_ids(tenant_id: UUID, profile_id: UUID) -> bytes:
    """The answer to a new profile."""
    return orjson.dumps({"TenantID": tenant_id, "ProfileID": profile_id})


class Search(serializers.Serializer):
    """For the schema; `search_of` reads it."""

    query = serializers.CharField(required=False, allow_blank=True, max_length=MAX_QUERY)
    sort_by = serializers.CharField(required=False, allow_blank=True)
    limit = serializers.IntegerField(required=False, help_text=f"At most {MAX_LIMIT}.")
    offset = serializers.IntegerField(required=False, help_text=f"At most {MAX_OFFSET}.")
    after = serializers.CharField(
        required=False, help_text="X-Next-After of the page before, of the same query and order."
    )


def search_of(body: Any) -> dict[str, Any]:
    """query, limit, offset, after, and sort_by where it is an order; the numbers are clamped.

    Raises Invalid for a query that is no text, or too long, and for an `after` that is no text.
    """
    if not isinstance(body, dict):
        raise Invalid(UNREADABLE)
    query, sort_by = body.get("query"), body.get("sort_by")
    if query is None:
        query = ""
    if isinstance(query, int) and not isinstance(query, bool):
        query = str(query)
    if not isinstance(query, str) or "\0" in query or len(query) > MAX_QUERY:
        raise Invalid(f"query must be a text of at most {MAX_QUERY} characters.")
    after = body.get("after")
    if after is not None and not isinstance(after, str):
        raise Invalid("after must be the X-Next-After of a page.")
    return {
        **_order(sort_by),
        "query": query,
        "limit": min(_number(body.get("limit"), DEFAULT_LIMIT), MAX_LIMIT),
        "offset": min(_number(body.get("offset"), 0), MAX_OFFSET),
        "after": after,
    }


def _order(sort_by: Any) -> dict[str, str]:
    """`sort_by` as search has it; nothing for any other, which leaves the default order."""
    name, _, direction = (
        sort_by.strip().partition(" ") if isinstance(sort_by, str) else ("", "", "")
    )
    name, direction = name.lower(), direction.strip().upper()
    if name not in SORTS or direction not in {"", "ASC", "DESC"}:
        return {}
    return {"sort_by": f"{name} {direction or 'ASC'}"}


def _number(value: Any, default: int) -> int:
    """A whole number, or its digits, clamped; the default for anything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return whole(str(value), default=default)


def uploaded(url: str) -> bytes:
    """The answer to a new picture."""
    return orjson.dumps({"status": f"File upload successful. File uploaded at {url}"})


class ProfileChanges(Changes):
    """What is not named stays as it is; an unknown field is refused."""

    account = serializers.IntegerField(min_value=1, max_value=MAX_ID, allow_null=True)
    profile_type = TextField(max_length=MAX_WORD, validators=NAMED)
    full_name = TextField(max_length=MAX_NAME, validators=NAMED)
    email = TextField(max_length=MAX_EMAIL)
    mobile = TextField(max_length=MAX_MOBILE, allow_blank=True, validators=LINE)
    gender = TextField(max_length=MAX_WORD, allow_blank=True, validators=LINE)
    birth_date = serializers.DateField(allow_null=True)
    address = TextField(max_length=MAX_ADDRESS, allow_blank=True, validators=LINES)
    city = TextField(max_length=MAX_NAME, allow_blank=True, validators=LINE)
    country = TextField(max_length=MAX_WORD, allow_blank=True, validators=LINE)
    latitude = Degrees(90)
    longitude = Degrees(180)
    is_active = serializers.BooleanField()


@extend_schema_field({"type": "string", "pattern": f"^{PLACE.pattern}$"})
class PlaceField(serializers.Field):
    """Where a page of the list ended: the time and the id of a profile."""

    default_error_messages = {"invalid": "Not the `next` of a page."}

    def to_internal_value(self, data: Any) -> tuple[str, UUID]:
        found = PLACE.fullmatch(data)
        if found is None:
            self.fail("invalid")
        try:
            datetime.fromisoformat(found[1])
        except ValueError:
            self.fail("invalid")
        return found[1], UUID(found[2])


class PageQuery(serializers.Serializer):
    """Which page of the list."""

    after = PlaceField(default=None)
    limit = serializers.IntegerField(min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT)


def page_of(query: QueryDict) -> dict[str, Any]:
    """`after` and `limit` of the list. ValidationError for what cannot be read."""
    given = {name: query[name] for name in ("after", "limit") if name in query}
    page = PageQuery(data=given)
    page.is_valid(raise_exception=True)
    return dict(page.validated_data)


def filters_of(query: Mapping[str, Any], filters: FilterSet) -> dict[str, Any]:
    """What each filter of the query asks for.

    ValidationError for what cannot be read or is empty, and for a name that is no filter: an answer
    that ignored one would hold people who were not asked for.
    """
    known = {*filters.filters, "after", "limit"}
    unknown = {name: ["Unknown parameter."] for name in query if name not in known}
    if unknown:
        raise ValidationError(unknown)
    if not filters.is_valid():
        raise ValidationError({name: list(errors) for name, errors in filters.errors.items()})
    chosen = {name: filters.form.cleaned_data[name] for name in filters.filters if name in query}
    unread = [name for name, value in chosen.items() if value in (None, "")]
    if unread:
        raise ValidationError({name: ["This is no value of it."] for name in unread})
    return chosen
