"""The two files of people: their columns, the columns of the tables that those bring, and what no
two rows may share."""

from dataclasses import dataclass

from etl.columns import Column
from etl.files import FileKind
from etl.people.columns import (
    EMAIL,
    IP,
    LATITUDE,
    LONGITUDE,
    NAME,
    NULL_DATE,
    NULL_INSTANT,
    NULL_LINE,
    NULL_LINES,
    NULL_MOBILE,
    NULL_NAME,
    NULL_USERID,
    NULL_UUID,
    STATUS,
    USERID,
)

ACCOUNTS = FileKind(
    "accounts",
    "users_account",
    (
        Column("userid", USERID),
        Column("ip", IP),
        Column("subscriptionstatus", STATUS, target="subscription_status"),
        Column("created_at", NULL_INSTANT, is_optional=True),
        Column("last_login_at", NULL_INSTANT, is_optional=True),
    ),
    others=("users",),
)
PROFILES = FileKind(
    "profiles",
    "users_profile",
    (
        Column("profile_id", NULL_UUID, target="id", is_optional=True),
        Column("tenant", NULL_NAME, target="tenant_name"),
        Column("userid", NULL_USERID, target="account_id", is_optional=True),
        Column("profile_type", NULL_NAME, is_optional=True),
        Column("full_name", NAME),
        Column("email_id", EMAIL, target="email"),
        Column("mobile", NULL_MOBILE, is_optional=True),
        Column("gender", NULL_LINE, is_optional=True),
        Column("birth_date", NULL_DATE, is_optional=True),
        Column("address", NULL_LINES, is_optional=True),
        Column("city_id", NULL_LINE, target="city", is_optional=True),
        Column("country_id", NULL_LINE, target="country", is_optional=True),
        Column("latitude", LATITUDE, is_optional=True),
        Column("longitude", LONGITUDE, is_optional=True),
    ),
)
PEOPLE_FILES = (ACCOUNTS, PROFILES)


@dataclass(frozen=True, slots=True)
class Target:
    """A column of the table, of a staged column's name.

    empty: what null means for a new row; keeps: null leaves a row that is there as it is; follows:
    it is no news by itself, since it follows from other columns.
    """

    name: str
    empty: str = "NULL"
    keeps: bool = False
    follows: bool = False

    def new(self, row: str) -> str:
        return (
            f"{row}.{self.name}"
            if self.empty == "NULL"
            else f"coalesce({row}.{self.name}, {self.empty})"
        )

    def changed(self, row: str) -> str:
        return f"coalesce({row}.{self.name}, live.{self.name})" if self.keeps else self.new(row)


@dataclass(frozen=True, slots=True)
class Key:
    """What no two rows may share: an SQL text of a row `staged`, null where it has none.

    column: of the file; reason: why a later row is rejected.
    """

    column: str
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class People:
    """What is particular to a file: its table's columns by the file's own, and its keys.

    derived: staged columns that the reader makes of others.
    """

    kind: FileKind
    key: str
    derived: tuple[tuple[str, str], ...]
    targets: dict[str, tuple[Target, ...]]
    keys: tuple[Key, ...]

    @property
    def staged(self) -> str:
        return f"etl.staged_{self.kind.table}"

    @property
    def rows(self) -> str:
        """The staged rows with what they are to the table's."""
        return f"etl.rows_{self.kind.table}"

    @property
    def refused(self) -> str:
        return f"etl.refused_{self.kind.table}"

    def columns(self) -> list[tuple[str, str]]:
        """Staged columns and their types, but for line and span."""
        return [*self.derived, *((each.table_column, each.kind.sql) for each in self.kind.columns)]

    def brought(self, columns: list[Column]) -> list[Target]:
        """The table's columns that a file with these columns brings, its key apart."""
        names = {column.name for column in columns}
        return [each for name, targets in self.targets.items() if name in names for each in targets]


OF_ACCOUNTS = People(
    ACCOUNTS,
    key="userid",
    derived=(),
    targets={
        "ip": (Target("ip"),),
        "subscriptionstatus": (Target("subscription_status"),),
        "created_at": (Target("created_at", empty="now()", keeps=True),),
        "last_login_at": (Target("last_login_at", keeps=True),),
    },
    keys=(Key("userid", "conflicting_id", "staged.userid::text"),),
)
_OF_TENANT = "staged.tenant_id::text || ' ' || "
OF_PROFILES = People(
    PROFILES,
    key="id",
    derived=(
        ("tenant_id", "uuid"),
        ("email_key", "text"),
        ("mobile_key", "text"),
        ("name_key", "text"),
        ("search_words", "text"),
    ),
    targets={
        "userid": (Target("account_id"),),
        "profile_type": (Target("profile_type", empty="'personal'"),),
        "full_name": (
            Target("full_name"),
            Target("name_key", follows=True),
            Target("search_words", follows=True),
        ),
        "email_id": (Target("email"), Target("email_key")),
        "mobile": (Target("mobile", empty="''"), Target("mobile_key")),
        "gender": (Target("gender", empty="''"),),
        "birth_date": (Target("birth_date"),),
        "address": (Target("address", empty="''"),),
        "city_id": (Target("city", empty="''"),),
        "country_id": (Target("country", empty="''"),),
        "latitude": (Target("latitude"),),
        "longitude": (Target("longitude"),),
    },
    keys=(
        Key("profile_id", "conflicting_id", "staged.row_id::text"),
        Key("email_id", "repeated_email", f"{_OF_TENANT}staged.email_key"),
        Key("mobile", "repeated_mobile", f"{_OF_TENANT}staged.mobile_key"),
        Key(
            "profile_type",
            "repeated_type",
            f"{_OF_TENANT}staged.account_id || ' ' || coalesce(staged.profile_type, 'personal')",
        ),
    ),
)
PEOPLE = {each.kind.name: each for each in (OF_ACCOUNTS, OF_PROFILES)}
