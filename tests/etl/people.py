"""Small files of accounts and profiles for the tests."""

from pathlib import Path
from typing import Any

from django.db import connection

ACCOUNTS = "userid,ip,subscriptionstatus"
PROFILES = (
    "profile_id,tenant,userid,profile_type,full_name,email_id,mobile,gender,birth_date,address,"
    "city_id,country_id,latitude,longitude"
)
ANN = "018f0000-0000-7000-8000-000000000001"
BEN = "018f0000-0000-7000-8000-000000000002"

ACCOUNT_ROWS = ['1,"192.0.2.7","Subscribed"', "2,198.51.100.9,None", '3,"2001:db8::1","Expired"']
PROFILE_ROWS = [
    f'{ANN},default,1,,"Lee, Ann",ann@example.com,+447911123456,F,1990-02-03,"1",Ely,GB,51.5,-0.1',
    f"{BEN},default,2,,Ben Roe,Ben@Example.com,,,,,,,,",
    ",default,,work,Cy,cy@example.com,+14155550123,,,,,US,,",
]


def write(folder: Path, name: str, header: str, rows: list[str]) -> Path:
    path = folder / f"{name}.csv"
    path.write_text("\n".join([header, *rows]))
    return path


def write_people(
    folder: Path, accounts: list[str] = ACCOUNT_ROWS, profiles: list[str] = PROFILE_ROWS
) -> Path:
    folder.mkdir(exist_ok=True)
    write(folder, "accounts", ACCOUNTS, accounts)
    write(folder, "profiles", PROFILES, profiles)
    return folder


def people_contents(*, with_ids: bool = True) -> dict[str, list[Any]]:
    """Every row of both tables, the times of their making left out; and without the ids that an
    import gives."""
    left_out = ["updated_at", "created_at", *([] if with_ids else ["id"])]
    contents = {}
    with connection.cursor() as cursor:
        for table in ("users_account", "users_profile"):
            cursor.execute(
                f"SELECT (to_jsonb(t) - %s::text[])::text FROM {table} t ORDER BY 1", [left_out]
            )
            contents[table] = [row[0] for row in cursor.fetchall()]
    return contents
