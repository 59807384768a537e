"""The admin's menu, lists and pages call a thing by one name."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.utils.text import capfirst

from atelier.menu import MENU
from tests.factories.users import AdminFactory

# Reviews twice, under the filter that moderators begin with.
OF_FILTERS = {"Awaiting moderation"}


def test_the_menu_has_the_names_of_the_pages():
    for section, entries in MENU.items():
        for title, _, name, _ in entries:
            model = apps.get_model(name)
            assert model._meta.app_config.verbose_name == section, name
            if title not in OF_FILTERS:
                assert capfirst(model._meta.verbose_name_plural) == title


def test_all_that_is_registered_is_in_the_menu_or_reached_from_a_page_of_it():
    listed = {name for entries in MENU.values() for _, _, name, _ in entries}
    registered = {model._meta.label_lower for model in admin.site._registry}
    assert registered - listed == {"etl.importreject"}


@pytest.mark.django_db
def test_the_first_page_has_each_section_once(client):
    client.force_login(AdminFactory())
    shown = [app["name"] for app in client.get("/admin/").context["app_list"]]
    assert sorted(shown) == sorted(MENU)
