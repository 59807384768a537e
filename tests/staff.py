"""What tests of the admin share: forms as a browser sends them, scopes that a write tags."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.http import HttpResponse

from atelier.core.models import CacheScope


def form_data(page: HttpResponse) -> dict[str, Any]:
    """What a browser would post if the form were sent back as it came."""
    forms = [page.context["adminform"].form]
    for inline in page.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    return {
        field.html_name: field.value()
        for form in forms
        for field in form
        if field.value() is not None and field.value() is not False
    }


@contextmanager
def retagged() -> Iterator[set[str]]:
    """A set that holds, after the block, the scopes whose tags the block changed."""
    changed: set[str] = set()
    before = dict(CacheScope.objects.values_list("key", "tag"))
    yield changed
    after = dict(CacheScope.objects.values_list("key", "tag"))
    changed.update(key for key, tag in after.items() if before.get(key) != tag)


def messages_of(page: HttpResponse) -> list[str]:
    return [str(message) for message in page.context["messages"]]
