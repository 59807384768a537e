"""The read of an account that PostgreSQL answers as JSON."""

from atelier.core.database import fetch_json

# Indexes: the primary keys of both tables. Not the ORM: this is the busiest read of all.
_ACCOUNT = """
SELECT row_to_json(found)::text FROM (
    SELECT account.userid, account.subscription_status AS subscriptionstatus, region.name AS region
    FROM users_account account LEFT JOIN licensing_region region ON region.id = account.region_id
    WHERE account.userid = %(userid)s
) found
"""


def account(userid: int) -> str | None:
    """The account as `GET /user/:userid` shows it, as JSON text; None where there is none."""
    found = fetch_json(_ACCOUNT, {"userid": userid})
    return None if found is None else found.decode()
