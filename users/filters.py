"""Filters of the list of profiles, from the query string."""

from django_filters import BooleanFilter, CharFilter, FilterSet, NumberFilter

from atelier.core.numbers import MAX_ID
from users.models import Profile

TEXT = {"max_length": 255, "strip": False}


class ProfileFilter(FilterSet):
    """Each exactly; `email` and `mobile` in any spelling that means the same.

    They are read here and applied in `users.sql.profiles`, which bounds what a page may look at.
    """

    profile_type = CharFilter(**TEXT)
    gender = CharFilter(**TEXT)
    country = CharFilter(**TEXT)
    city = CharFilter(**TEXT)
    account = NumberFilter(min_value=1, max_value=MAX_ID, decimal_places=0)
    email = CharFilter(max_length=320)
    mobile = CharFilter(max_length=50)
    is_active = BooleanFilter()

    class Meta:
        model = Profile
        fields: list[str] = []
