"""The routes /profiles and below, /, and /_health (contract 4)."""

from typing import Any
from uuid import UUID

import orjson
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema

from atelier.core.callers import Caller, permit, record, require
from atelier.core.control import Tags
from atelier.core.exception_handler import LEGACY_FAILURE
from atelier.core.fields import read_body
from atelier.core.lookups import noted_tags
from atelier.core.responses import no_content, private_json
from atelier.core.uploads import uploaded_file
from atelier.core.viewsets import ServiceViewSet, json_body
from users.filters import ProfileFilter
from users.models import profile_scope
from users.serializers import preferences as preference_shapes
from users.serializers import profile_schemas as schemas
from users.serializers import profiles as shapes
from users.serializers.profiles import PROFILES_READ, PROFILES_WRITE
from users.services import images, preferences, profiles, search
from users.services.tokens import doer_of


class PrivateViewSet(ServiceViewSet):
    """Nobody but the caller may keep an answer, an error included."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = super().dispatch(request, *args, **kwargs)
        response.headers["Cache-Control"] = "private, no-store"
        return response

    @staticmethod
    def legacy_error(status: int, message: str) -> HttpResponse:
        """`{"error":...}`."""
        told = LEGACY_FAILURE if status >= 500 else message
        return private_json(orjson.dumps({"error": told}), status=400 if status == 422 else status)


class GreetingViewSet(PrivateViewSet):
    """Open to everybody, and answered without a query."""

    @extend_schema(**schemas.GREET)
    def greet(self, request: HttpRequest) -> HttpResponse:
        return private_json(shapes.GREETING)

    @extend_schema(**schemas.HEALTH)
    def health(self, request: HttpRequest) -> HttpResponse:
        return private_json(shapes.HEALTHY)


class ProfileViewSet(PrivateViewSet):
    modern_actions = ("list", "retrieve", "update", "restore")

    @extend_schema(**schemas.CREATE)
    def create(self, request: HttpRequest) -> HttpResponse:
        caller = require(request, PROFILES_WRITE)
        given = shapes.new_profile(json_body(request, complaint=shapes.UNREADABLE))
        made = profiles.create_profile(tenant_id=caller.tenant_id, by=doer_of(caller), **given)
        record(caller, "profile created", profile_id=str(made))
        return private_json(shapes.new_ids(caller.tenant_id, made))

    @extend_schema(**schemas.REPLACE)
    def replace(self, request: HttpRequest, profile_id: str) -> HttpResponse:
        caller = require(request, PROFILES_WRITE)
        known = shapes.profile_id_of(profile_id)
        changes = shapes.legacy_changes(json_body(request, complaint=shapes.UNREADABLE))
        profiles.update_profile(
            tenant_id=caller.tenant_id, profile_id=known, changes=changes, by=doer_of(caller)
        )
        record(caller, "profile changed", profile_id=profile_id, changed=sorted(changes))
        return private_json(shapes.DONE)

    @extend_schema(**schemas.DELETE)
    def destroy(self, request: HttpRequest, profile_id: str) -> HttpResponse:
        caller = require(request, PROFILES_WRITE)
        known = shapes.profile_id_of(profile_id)
        profiles.delete_profile(tenant_id=caller.tenant_id, profile_id=known, by=doer_of(caller))
        record(caller, "profile deleted", profile_id=profile_id)
        return private_json(shapes.DONE)

    @extend_schema(**schemas.SEARCH)
    def search(self, request: HttpRequest) -> HttpResponse:
        caller = require(request, PROFILES_READ)
        asked = shapes.search_of(json_body(request, complaint=shapes.UNREADABLE))
        found = search.search_profiles(tenant_id=caller.tenant_id, **asked)
        answer = private_json(found.profiles)
        if found.next is not None:
            answer.headers["X-Next-After"] = found.next
        return answer

    @extend_schema(**schemas.UPLOAD)
    def upload(self, request: HttpRequest, profile_id: str) -> HttpResponse:
        caller = require(request, PROFILES_WRITE)
        known = shapes.profile_id_of(profile_id)
        file = uploaded_file(request, shapes.PICTURE, limit=shapes.MAX_PICTURE)
        url = images.store_image(
            tenant_id=caller.tenant_id, profile_id=known, content=file, by=doer_of(caller)
        )
        record(caller, "picture uploaded", profile_id=profile_id)
        return private_json(shapes.uploaded(url))

    @extend_schema(**schemas.LIST)
    def list(self, request: HttpRequest) -> HttpResponse:
        caller = require(request, PROFILES_READ)
        filters = shapes.filters_of(request.GET, ProfileFilter(request.GET))
        page = shapes.page_of(request.GET)
        return private_json(
            profiles.list_profiles(
                tenant_id=caller.tenant_id, tenant=caller.tenant, filters=filters, **page
            )
        )

    @extend_schema(**schemas.RETRIEVE)
    def retrieve(self, request: HttpRequest, profile_id: str) -> HttpResponse:
        caller = require(request, PROFILES_READ)
        known = shapes.profile_id_of(profile_id)
        noted = noted_tags(request, profile_scope(known))
        answer = _shown(caller, known, noted)
        permit(request, answer, caller, profiles.reader_of(caller.tenant_id, caller.tenant))
        return answer

    @extend_schema(**schemas.UPDATE)
    def update(self, request: HttpRequest, profile_id: str) -> HttpResponse:
        caller = require(request, PROFILES_WRITE)
        known = shapes.profile_id_of(profile_id)
        changes = read_body(request, shapes.ProfileChanges)
        profiles.update_profile(
            tenant_id=caller.tenant_id, profile_id=known, changes=changes, by=doer_of(caller)
        )
        record(caller, "profile changed", profile_id=profile_id, changed=sorted(changes))
        return _shown(caller, known)

    @extend_schema(**schemas.RESTORE)
    def restore(self, request: HttpRequest, profile_id: str) -> HttpResponse:
        caller = require(request, PROFILES_WRITE)
        known = shapes.profile_id_of(profile_id)
        profiles.restore_profile(tenant_id=caller.tenant_id, profile_id=known, by=doer_of(caller))
        record(caller, "profile restored", profile_id=profile_id)
        return _shown(caller, known)


def _shown(caller: Caller, profile_id: UUID, noted: Tags | None = None) -> HttpResponse:
    found = profiles.find_profile(
        tenant_id=caller.tenant_id, tenant=caller.tenant, profile_id=profile_id, noted=noted
    )
    return private_json((found.value or "").encode())


class PreferenceViewSet(PrivateViewSet):
    speaks_legacy = False

    @extend_schema(**schemas.PREFERENCES)
    def list(self, request: HttpRequest, profile_id: str) -> HttpResponse:
        caller = require(request, PROFILES_READ)
        known = shapes.profile_id_of(profile_id)
        return private_json(
            preferences.read_preferences(tenant_id=caller.tenant_id, profile_id=known)
        )

    @extend_schema(**schemas.PREFERENCE)
    def retrieve(self, request: HttpRequest, profile_id: str, key: str) -> HttpResponse:
        caller = require(request, PROFILES_READ)
        known, named = shapes.profile_id_of(profile_id), preference_shapes.key_of(key)
        return private_json(
            preferences.read_preference(tenant_id=caller.tenant_id, profile_id=known, key=named)
        )

    @extend_schema(**schemas.SET_PREFERENCE)
    def update(self, request: HttpRequest, profile_id: str, key: str) -> HttpResponse:
        caller = require(request, PROFILES_WRITE)
        known, named = shapes.profile_id_of(profile_id), preference_shapes.key_of(key)
        preferences.set_preference(
            tenant_id=caller.tenant_id,
            profile_id=known,
            key=named,
            value=preference_shapes.value_of(request),
        )
        record(caller, "preference set", profile_id=profile_id, key=named)
        return no_content()

    @extend_schema(**schemas.REMOVE_PREFERENCE)
    def destroy(self, request: HttpRequest, profile_id: str, key: str) -> HttpResponse:
        caller = require(request, PROFILES_WRITE)
        known, named = shapes.profile_id_of(profile_id), preference_shapes.key_of(key)
        preferences.remove_preference(tenant_id=caller.tenant_id, profile_id=known, key=named)
        record(caller, "preference removed", profile_id=profile_id, key=named)
        return no_content()
