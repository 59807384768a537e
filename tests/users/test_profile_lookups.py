"""Profiles out of the cache: never older than the last write, and never another tenant's."""

import orjson
import pytest
from django.db import IntegrityError

from atelier.core import control
from atelier.core.lookups import Lookup
from atelier.core.publishing import publish
from atelier.core.tags import Breaker
from tests.factories.users import TenantFactory
from tests.users.profiles import ANN, BO, ann_and_bo
from users.models import Profile, profile_scope
from users.services import profiles as services
from users.services.images import remove_image
from users.services.people import erase_person, find_person
from users.services.profiles import UnknownProfile
from users.services.tenants import update_tenant

pytestmark = pytest.mark.django_db(transaction=True)

BY = "tests"


@pytest.fixture
def people(redis, monkeypatch):
    monkeypatch.setattr(control, "breaker", Breaker())
    return ann_and_bo()


def find(profile, tenant=None):
    tenant = tenant or profile.tenant
    return services.find_profile(tenant_id=tenant.pk, tenant=tenant.name, profile_id=profile.pk)


def name_in(found: Lookup) -> str:
    return orjson.loads(found.value or "")["full_name"]


def test_a_profile_is_read_once(people):
    ann, bo = people
    assert not find(ann).is_cached
    assert find(ann).is_cached
    assert find(ann).value == find(ann).value
    assert not find(bo).is_cached


def test_a_change_shows_at_once_and_for_one_profile_only(people):
    ann, bo = people
    for one in (ann, bo):
        find(one)
    change = {"full_name": "Ann Lee-Sand"}
    services.update_profile(tenant_id=ann.tenant_id, profile_id=ann.pk, changes=change, by=BY)
    assert name_in(find(ann)) == "Ann Lee-Sand"
    assert find(bo).is_cached


def test_a_refused_change_leaves_what_is_cached(people):
    ann, bo = people
    find(ann)
    with pytest.raises(services.EmailTaken):
        services.update_profile(
            tenant_id=ann.tenant_id, profile_id=ann.pk, changes={"email": bo.email}, by=BY
        )
    assert find(ann).is_cached


def test_a_deleted_profile_is_gone_and_a_restored_one_is_back(people):
    ann, _ = people
    find(ann)
    services.delete_profile(tenant_id=ann.tenant_id, profile_id=ann.pk, by=BY)
    with pytest.raises(UnknownProfile):
        find(ann)
    services.restore_profile(tenant_id=ann.tenant_id, profile_id=ann.pk, by=BY)
    assert orjson.loads(find(ann).value)["updated_by"] == BY


def test_a_picture_that_is_removed_shows_no_more(people):
    ann, _ = people
    assert orjson.loads(find(ann).value)["image_url"]
    remove_image(tenant_id=ann.tenant_id, profile_id=ann.pk, by=BY)
    assert orjson.loads(find(ann).value)["image_url"] is None


def test_an_erased_person_is_gone(people):
    ann, _ = people
    find(ann)
    erase_person(person=find_person(email=ann.email))
    with pytest.raises(UnknownProfile):
        find(ann)


def test_another_tenant_finds_nothing_of_what_is_cached(people):
    ann, _ = people
    find(ann)
    with pytest.raises(UnknownProfile):
        find(ann, TenantFactory(name="other"))
    assert find(ann).is_cached


def test_a_tenant_that_takes_anothers_name_finds_nothing_of_its_profiles(people):
    ann, _ = people
    tenant = ann.tenant
    find(ann)
    update_tenant(tenant_id=tenant.pk, changes={"name": "renamed"}, by=None)
    with pytest.raises(UnknownProfile):
        find(ann, TenantFactory(name="default"))
    tenant.refresh_from_db()
    assert orjson.loads(find(ann, tenant).value)["tenant"] == "renamed"


@pytest.mark.parametrize("write", ["update", "delete"])
def test_postgresql_refuses_a_change_outside_the_write_door(people, write):
    rows = Profile.objects.filter(pk=BO)
    with pytest.raises(IntegrityError, match="write door"):
        rows.update(city="Paris") if write == "update" else rows.delete()
    with publish(profile_scope(ANN)):
        assert rows.update(city="Paris") == 1
