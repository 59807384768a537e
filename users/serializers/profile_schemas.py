"""The OpenAPI descriptions of the profile routes."""

from typing import Any

from drf_spectacular.helpers import forced_singular_serializer
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from atelier.core.numbers import MAX_ID
from atelier.core.schema import GUARDED, PROBLEMS, problems, secured
from users.serializers import preferences, profiles
from users.serializers.profiles import MAX_LIMIT, PROFILES_READ, PROFILES_WRITE


class ProfileFailure(serializers.Serializer):
    """An error of the legacy profile routes."""

    error = serializers.CharField()


class NewIds(serializers.Serializer):
    TenantID = serializers.UUIDField()
    ProfileID = serializers.UUIDField()


class Done(serializers.Serializer):
    status = serializers.CharField()


class Greeting(serializers.Serializer):
    Greet = serializers.CharField()


class Health(serializers.Serializer):
    Status = serializers.CharField()


class LegacyProfile(serializers.Serializer):
    """Text that is absent is empty, and a coordinate that is absent is 0."""

    tenant_id = serializers.UUIDField()
    profile_id = serializers.UUIDField()
    full_name = serializers.CharField()
    Gender = serializers.CharField()
    email_id = serializers.CharField()
    mobile = serializers.CharField()
    BirthDate = serializers.CharField(help_text="`1990-12-31`")
    CityID = serializers.CharField()
    CountryID = serializers.CharField()
    Address = serializers.CharField()
    Latitude = serializers.FloatField()
    Longitude = serializers.FloatField()
    ProfileImageURL = serializers.CharField()
    Active = serializers.CharField(help_text="`true` or `false`")
    CreatedBy = serializers.CharField()
    CreatedAt = serializers.DateTimeField()
    UpdatedBy = serializers.CharField()
    UpdatedAt = serializers.DateTimeField()
    DeletedBy = serializers.CharField()
    DeletedAt = serializers.DateTimeField(allow_null=True)


class ProfileEntry(serializers.Serializer):
    id = serializers.UUIDField()
    tenant = serializers.CharField()
    account = serializers.IntegerField(allow_null=True)
    profile_type = serializers.CharField()
    full_name = serializers.CharField()
    email = serializers.CharField()
    mobile = serializers.CharField()
    gender = serializers.CharField()
    birth_date = serializers.DateField(allow_null=True)
    address = serializers.CharField()
    city = serializers.CharField()
    country = serializers.CharField()
    latitude = serializers.FloatField(allow_null=True)
    longitude = serializers.FloatField(allow_null=True)
    image_url = serializers.CharField(allow_null=True)
    is_active = serializers.BooleanField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_by = serializers.CharField()
    updated_at = serializers.DateTimeField()


class ProfilePage(serializers.Serializer):
    results = ProfileEntry(many=True)
    next = serializers.CharField(
        allow_null=True, help_text="`after` of the next page; null where there is none."
    )


class Upload(serializers.Serializer):
    profile_image = serializers.FileField(help_text="JPEG, PNG, WebP or GIF, 2 MB at most.")


_JSON = {"type": "object", "additionalProperties": {}}
_ID = OpenApiParameter("profile_id", OpenApiTypes.UUID, OpenApiParameter.PATH)
_KEY = OpenApiParameter(
    "key",
    {"type": "string", "pattern": f"^{preferences.KEY_PATTERN}$"},
    OpenApiParameter.PATH,
)
_TENANT = OpenApiParameter(
    "ntenant",
    str,
    OpenApiParameter.HEADER,
    description="The tenant's name; it may name no other tenant than the token's.",
)
_LEGACY = {
    400: "The body cannot be read, or a field does not fit: the sentence names it.",
    404: "There is no such profile.",
    409: "Another profile has the address, the number, or the account's type.",
    413: "The body is over 1 MB.",
}
_UNFIT = {
    (422, "application/problem+json"): OpenApiResponse(
        OpenApiTypes.OBJECT,
        description="The address or the number is none, or there is no such account.",
    )
}
_ONLY_READ = {
    (405, "application/json"): OpenApiResponse(ProfileFailure, description="Only GET and HEAD.")
}


def _failures(*statuses: int) -> dict[Any, OpenApiResponse]:
    """Failures in the shape that the legacy API gave them."""
    texts = {**PROBLEMS, **_LEGACY}
    return {
        (status, "application/json"): OpenApiResponse(ProfileFailure, description=texts[status])
        for status in (*statuses, *GUARDED)
    }


GREET: dict[str, Any] = {
    "operation_id": "greet",
    "summary": "A greeting",
    "auth": [],
    "responses": {(200, "application/json"): Greeting, **_ONLY_READ},
}
HEALTH: dict[str, Any] = {
    "operation_id": "health",
    "summary": "Whether a process answers",
    "auth": [],
    "responses": {(200, "application/json"): Health, **_ONLY_READ},
}
CREATE: dict[str, Any] = {
    "operation_id": "profiles_create",
    "summary": "Add a profile",
    "description": (
        "One live profile of a tenant has an e-mail address, however it is spelled, and one has a "
        "mobile number. It is found by search at once."
    ),
    "parameters": [_TENANT],
    "request": profiles.NewProfile,
    "responses": {(200, "application/json"): NewIds, **_failures(400, 409, 413)},
    **secured(PROFILES_WRITE),
}
REPLACE: dict[str, Any] = {
    "operation_id": "profiles_replace",
    "summary": "Change a profile, in the legacy spelling",
    "description": "What is not named, or null, stays as it is.",
    "parameters": [_ID, _TENANT],
    "request": profiles.LegacyChanges,
    "responses": {(200, "application/json"): Done, **_failures(400, 404, 409, 413)},
    **secured(PROFILES_WRITE),
}
DELETE: dict[str, Any] = {
    "operation_id": "profiles_delete",
    "summary": "Delete a profile",
    "description": "It can be restored; its address and number are free at once.",
    "parameters": [_ID, _TENANT],
    "request": None,
    "responses": {(200, "application/json"): Done, **_failures(404)},
    **secured(PROFILES_WRITE),
}
SEARCH: dict[str, Any] = {
    "operation_id": "profiles_search",
    "summary": "Search profiles",
    "description": (
        "Words, each of which has to be found; without any, all profiles. An unknown `sort_by` "
        "counts as none, and numbers are clamped. A full page says in `X-Next-After` how to go on:"
        " sent as `after` it costs as much as a first page, however far it is."
    ),
    "parameters": [_TENANT],
    "request": profiles.Search,
    "responses": {
        (200, "application/json"): LegacyProfile(many=True),
        **_failures(400, 413),
    },
    **secured(PROFILES_READ),
}
UPLOAD: dict[str, Any] = {
    "operation_id": "profiles_upload",
    "summary": "Give a profile a picture",
    "description": "In place of the one it has. It is drawn anew, without metadata.",
    "parameters": [_ID, _TENANT],
    "request": {"multipart/form-data": Upload},
    "responses": {(200, "application/json"): Done, **_failures(400, 404, 413)},
    **secured(PROFILES_WRITE),
}
LIST: dict[str, Any] = {
    "operation_id": "profiles_list",
    "summary": "Profiles, the oldest first",
    "description": (
        "A page may be short, or empty, while `next` leads on: each looks at ten thousand profiles "
        "at most, whatever the filters leave of them."
    ),
    "parameters": [
        OpenApiParameter(
            "after",
            {"type": "string", "pattern": f"^{profiles.PLACE.pattern}$"},
            description="`next` of the page before.",
        ),
        OpenApiParameter(
            "limit",
            {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_LIMIT,
                "default": profiles.DEFAULT_LIMIT,
            },
        ),
        *(
            OpenApiParameter(name, {"type": "string", "maxLength": length})
            for name, length in [
                ("profile_type", 255),
                ("gender", 255),
                ("country", 255),
                ("city", 255),
                ("email", 320),
                ("mobile", 50),
            ]
        ),
        OpenApiParameter("account", {"type": "integer", "minimum": 1, "maximum": MAX_ID}),
        OpenApiParameter("is_active", bool),
        _TENANT,
    ],
    "responses": {
        (200, "application/json"): forced_singular_serializer(ProfilePage),
        **problems(400, *GUARDED),
        **_UNFIT,
    },
    **secured(PROFILES_READ),
}
RETRIEVE: dict[str, Any] = {
    "operation_id": "profiles_retrieve",
    "summary": "A profile",
    "parameters": [_ID, _TENANT],
    "responses": {(200, "application/json"): ProfileEntry, **problems(404, *GUARDED)},
    **secured(PROFILES_READ),
}
UPDATE: dict[str, Any] = {
    "operation_id": "profiles_update",
    "summary": "Change a profile",
    "description": "What is not named stays as it is.",
    "parameters": [_ID, _TENANT],
    "request": profiles.ProfileChanges,
    "responses": {
        (200, "application/json"): ProfileEntry,
        **problems(400, 404, 409, 413, *GUARDED),
        **_UNFIT,
    },
    **secured(PROFILES_WRITE),
}
RESTORE: dict[str, Any] = {
    "operation_id": "profiles_restore",
    "summary": "Undo the deletion of a profile",
    "description": "A profile that is not deleted stays as it is.",
    "parameters": [_ID, _TENANT],
    "request": None,
    "responses": {
        (200, "application/json"): ProfileEntry,
        **problems(404, 409, *GUARDED),
    },
    **secured(PROFILES_WRITE),
}
PREFERENCES: dict[str, Any] = {
    "operation_id": "preferences_list",
    "summary": "The preferences of a profile, by key",
    "parameters": [_ID, _TENANT],
    "responses": {(200, "application/json"): _JSON, **problems(404, *GUARDED)},
    **secured(PROFILES_READ),
}
PREFERENCE: dict[str, Any] = {
    "operation_id": "preferences_retrieve",
    "summary": "The value of a preference",
    "parameters": [_ID, _KEY, _TENANT],
    "responses": {(200, "application/json"): OpenApiTypes.ANY, **problems(400, 404, *GUARDED)},
    **secured(PROFILES_READ),
}
SET_PREFERENCE: dict[str, Any] = {
    "operation_id": "preferences_set",
    "summary": "Set a preference",
    "description": "The body is its value: any JSON of 16 kB at most. A profile has 100 at most.",
    "parameters": [_ID, _KEY, _TENANT],
    "request": {"application/json": {}},
    "responses": {
        204: OpenApiResponse(description="Done."),
        **problems(400, 404, 409, 413, *GUARDED),
    },
    **secured(PROFILES_WRITE),
}
REMOVE_PREFERENCE: dict[str, Any] = {
    "operation_id": "preferences_remove",
    "summary": "Remove a preference",
    "parameters": [_ID, _KEY, _TENANT],
    "request": None,
    "responses": {204: OpenApiResponse(description="Done."), **problems(400, 404, *GUARDED)},
    **secured(PROFILES_WRITE),
}
