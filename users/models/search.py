"""What search walks: the orders it may have, and which parts of them can hold a word."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Collate, Left, Now

from users.models.tenants import Tenant
from users.terms import SORTED_LETTERS


@dataclass(frozen=True, slots=True)
class Sort:
    """An order of profiles: by `key`, then by the id. Absent values come first.

    `key` is the SQL of what `expression` is to the index; `text` spells it so that texts sort as
    keys do, and are read back as `kind`; `least` and `greatest` are outside all of them.
    """

    index: str
    expression: Combinable
    key: str
    text: str
    kind: str
    least: str
    greatest: str
    # Raises ValueError for a text that cannot be read back.
    check: Callable[[str], object] = str


def _text(column: str, *, is_short: bool = False, is_nullable: bool = False) -> Sort:
    """By code points, in whatever language the database sorts."""
    expression: Combinable = F(column)
    key = f"profile.{column}"
    if is_nullable:
        expression, key = Coalesce(expression, Value("")), f"COALESCE({key}, '')"
    if not is_short:
        expression, key = Left(expression, SORTED_LETTERS), f"LEFT({key}, {SORTED_LETTERS})"
    key = f'({key} COLLATE "C")'
    # No text of SORTED_LETTERS is greater than this.
    greatest = "\U0010ffff" * (SORTED_LETTERS + 1)
    index = f"profile_by_{column}"
    return Sort(index, Collate(expression, "C"), key, key, "text", "", greatest)


def _instant(column: str) -> Sort:
    key = f"profile.{column}"
    text = f"""to_char({key} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    index = f"profile_by_{column}"
    return Sort(index, F(column), key, text, "timestamptz", "-infinity", "infinity", _check_instant)


def _check_date(text: str) -> None:
    if date.fromisoformat(text).isoformat() != text:
        raise ValueError(text)


def _check_instant(text: str) -> None:
    read = datetime.fromisoformat(text)
    if read.isoformat(timespec="microseconds").replace("+00:00", "Z") != text:
        raise ValueError(text)


_BIRTH_DATE = Sort(
    "profile_by_birth_date",
    Coalesce(F("birth_date"), Value(date.min)),
    f"COALESCE(profile.birth_date, '{date.min}'::date)",
    f"coalesce(to_char(profile.birth_date, 'YYYY-MM-DD'), '{date.min}')",
    "date",
    str(date.min),
    "infinity",
    _check_date,
)

# By the names that `sort_by` has for them.
SORTS = {
    "full_name": _text("name_key", is_short=True),
    "email_id": _text("email_key", is_short=True),
    "mobile": _text("mobile_key", is_short=True, is_nullable=True),
    "gender": _text("gender"),
    "birth_date": _BIRTH_DATE,
    "city_id": _text("city"),
    "country_id": _text("country"),
    "created_at": _instant("created_at"),
    "updated_at": _instant("updated_at"),
}


class SearchKeys(Func):
    """The beginnings of a profile's words, each behind four letters of its tenant's id."""

    function = "users_search_keys"
    output_field = ArrayField(models.TextField())


class SearchMap(models.Model):
    """Which parts of a large tenant's orders can hold which frequent words.

    Built by `users.services.mapping`, and never changed but for bits that writers set. A tenant may
    have one that is used and one that is being built, which writers keep both, and some that were
    given up and wait for their removal.
    """

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    # As they were when it was built.
    profiles = models.BigIntegerField()
    # Into how many each order is cut.
    zones = models.IntegerField()
    is_used = models.BooleanField(default=False)
    is_kept = models.BooleanField(default=True)
    built_at = models.DateTimeField(db_default=Now())
    # Of one that was given up: since when no search begins with it, at the latest.
    idle_since = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_search_map_a_tenant", fields=["tenant"], condition=Q(is_used=True)
            ),
            models.CheckConstraint(
                name="search_map_used_is_kept", condition=Q(is_used=False) | Q(is_kept=True)
            ),
        ]

    def __str__(self) -> str:
        return f"Search map {self.pk}"


class SearchWord(models.Model):
    """A beginning of words that many profiles have, and where they are. None is added later.

    Bit n of `zones`, counted from the least of the first byte, is that of the zone with the number
    n: words of a profile there may begin so if it is set, and none does if it is not. It is stored
    as it is, neither compressed nor in the row.
    """

    map = models.ForeignKey(SearchMap, models.CASCADE, related_name="+", db_index=False)
    key = models.TextField(db_collation="C")
    # An estimate.
    profiles = models.BigIntegerField()
    zones = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(name="one_search_word_a_key", fields=["map", "key"])]

    def __str__(self) -> str:
        return self.key


class SearchCount(models.Model):
    """How many profiles have a beginning of words that is not frequent, but not rare either."""

    map = models.ForeignKey(SearchMap, models.CASCADE, related_name="+", db_index=False)
    key = models.TextField(db_collation="C")
    # An estimate.
    profiles = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_search_count_a_key", fields=["map", "key"])
        ]

    def __str__(self) -> str:
        return self.key


class SearchZone(models.Model):
    """The profiles of an order from `lower` to before `upper`.

    Numbers go on from zone to zone of an order, and from order to order as SORTS has them.
    """

    map = models.ForeignKey(SearchMap, models.CASCADE, related_name="+", db_index=False)
    number = models.IntegerField()
    sort = models.TextField()
    # Texts of the order's key, with the id.
    lower_key = models.TextField(db_collation="C")
    lower_id = models.UUIDField()
    upper_key = models.TextField(db_collation="C")
    upper_id = models.UUIDField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_search_zone_a_number", fields=["map", "number"]),
            models.UniqueConstraint(
                name="one_search_zone_a_beginning", fields=["map", "sort", "lower_key", "lower_id"]
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sort} from {self.lower_key}"
