"""What is known of a token, and which were revoked.

Not the ORM: one statement each below the cursors, since requests wait for them.
"""

from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from atelier.core.database import fetch_json

# More news than this at once stand for all tokens: it is quicker to forget them.
MOST_NEWS = 1000

# Of advisory locks: a family of tokens gets another, or is ended.
_FAMILY_LOCK = 0x0A17

# Indexes: the unique one of token_checksum, and primary keys. Scopes are those that the client may
# still have. The clock is PostgreSQL's, as it stands now, whenever the transaction began.
_GOOD = """
SELECT row_to_json(answer)::text FROM (
    SELECT client.client_id, tenant.id AS tenant_id, tenant.name AS tenant, token.user_id,
        array_to_json(ARRAY(
            SELECT unnest(string_to_array(token.scope, ' '))
            INTERSECT SELECT unnest(client.allowed_scopes)
        )) AS scopes,
        extract(epoch FROM token.expires - statement_timestamp())::float8 AS seconds_left,
        extract(epoch FROM token.expires)::bigint AS expires
    FROM oauth2_provider_accesstoken token
    JOIN users_client client ON client.id = token.application_id
    JOIN users_tenant tenant ON tenant.id = client.tenant_id
    LEFT JOIN users_user person ON person.id = token.user_id
    WHERE token.token_checksum = %(digest)s AND token.expires > statement_timestamp()
        AND client.is_active AND tenant.is_active AND coalesce(person.is_active, true)
) answer
"""

# Index: revocation_by_xid. Transactions below `xmin` have ended, and what they wrote is seen.
_NEWS = """
SELECT row_to_json(answer)::text FROM (
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xmin,
        array_to_json(ARRAY(
            SELECT subject FROM users_revocation WHERE xid >= %(xid)s::bigint
            LIMIT (SELECT %(most)s::bigint)
        )) AS subjects
) answer
"""


def token(digest: str) -> dict[str, Any] | None:
    """The good token whose SHA-256 this is: client_id, tenant_id, tenant, user_id, scopes,
    seconds_left and expires, a Unix time; None for an unknown, expired or disabled one."""
    found = fetch_json(_GOOD, {"digest": digest})
    return None if found is None else orjson.loads(found)


def revoked_since(xid: int) -> tuple[int, list[str]]:
    """Subjects of the revocations that transactions from `xid` on have committed, and the xid to
    ask for the next time; more than MOST_NEWS are cut off."""
    news = orjson.loads(fetch_json(_NEWS, {"xid": xid, "most": MOST_NEWS + 1}) or b"{}")
    return news["xmin"], news["subjects"]


def lock_family(family: UUID) -> None:
    """Until the transaction ends, nobody else gives this family a token or ends it.

    Not the ORM, which has no advisory locks; a row's lock would not hold off new rows.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_FAMILY_LOCK, str(family)]
        )
