"""Whose a token is, without a query on the hot path, and no longer than a second after it ended.

Each process keeps the tokens it has read. PostgreSQL notes every revocation (the trigger
`note_revocation`), and twice a second a process asks for those that are new to it: one short query,
however many tokens it keeps. docs/adr/0012-tokens.md tells why none can be missed.
"""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from oauth2_provider.models import RefreshToken, clear_expired

from atelier.core.callers import Caller, Stranger
from users.models import DEFAULT_TENANT, EVERYTHING, Revocation, Scope, Tenant, User
from users.sql import tokens as sql

# How often news are asked for, and how old they may be while another thread asks.
NEWS_SECONDS = 0.5
TRUST_SECONDS = 0.9
# A token is read anew after this time: permissions of the person behind it may have changed.
ENTRY_SECONDS = 60.0
MOST_ENTRIES = 5000
# Longer than any transaction that revokes, and than any process believes an entry.
KEPT_REVOCATIONS = timedelta(hours=1)
NO_NEWS_YET = 2**62

# What a person must be allowed to do in the admin for a token to do it in their name.
PERMISSIONS: dict[str, tuple[str, ...]] = {
    Scope.ACCOUNTS: ("users.change_account",),
    Scope.PROFILES_READ: ("users.view_profile",),
    Scope.PROFILES_WRITE: ("users.change_profile", "users.delete_profile"),
    Scope.CATALOGUE_WRITE: (
        "products.add_product",
        "products.change_product",
        "products.delete_product",
    ),
    Scope.MODERATION: ("reviews.change_review", "reviews.delete_review"),
}
# Who is noted down where a request has neither client nor person.
NOBODY = "anonymous"
# What OPEN_WITHOUT_TOKENS opens.
OPENED = frozenset({Scope.ACCOUNTS, Scope.PROFILES_READ, Scope.PROFILES_WRITE})


def scopes_of(user: Any) -> set[str]:
    """The scopes that a token in this person's name may have: none where they left the staff."""
    if not user.is_staff:
        return set()
    return {scope for scope, needed in PERMISSIONS.items() if user.has_perms(needed)}


def doer_of(caller: Caller) -> str:
    """Who is noted down as having done something: the person a token acts for, or the client.

    Costs a query for a person.
    """
    if caller.user_id is None:
        return caller.client_id or NOBODY
    people = User.objects.filter(pk=caller.user_id).values_list("username", flat=True)
    return people.first() or caller.client_id


def digest_of(token: str) -> str:
    """Under which a token is kept: hex SHA-256."""
    return sha256(token.encode("utf-8", "replace")).hexdigest()


def read_token(digest: str) -> tuple[Caller, float, int] | None:
    """Whose the token is, the seconds it has left and its end as a Unix time; None for no good one.

    Costs a query, and some more for the permissions of a person behind it.
    """
    found = sql.token(digest)
    if found is None:
        return None
    scopes = set(found["scopes"])
    if found["user_id"] is not None:
        scopes &= scopes_of(User.objects.get(pk=found["user_id"]))
    caller = Caller(
        client_id=found["client_id"],
        tenant_id=UUID(found["tenant_id"]),
        tenant=found["tenant"],
        user_id=found["user_id"],
        scopes=frozenset(scopes),
    )
    return caller, found["seconds_left"], found["expires"]


def family_of_code(code: str) -> UUID:
    """The family of the tokens that an authorization code gives: its digest, so that a second use
    finds them when the code itself is gone."""
    return UUID(bytes=sha256(code.encode("utf-8", "replace")).digest()[:16])


def end_family(family: UUID) -> None:
    """Revoke all tokens that came of one consent. Waits for a refresh that is under way."""
    with transaction.atomic():
        sql.lock_family(family)
        RefreshToken.revoke_family(family)


def prune_tokens() -> int:
    """Delete what has expired, and revocations that every process knows; the number of those."""
    clear_expired()
    old = Revocation.objects.filter(revoked_at__lt=Now() - KEPT_REVOCATIONS)
    return old.delete()[0]


@dataclass(frozen=True, slots=True)
class _Entry:
    caller: Caller
    until: float


class Verifier:
    """The tokens that one process knows. Any number of threads may ask."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._changing = threading.Lock()
        self._asking = threading.Lock()
        self._xid = NO_NEWS_YET
        self._asked_at = float("-inf")
        # Counts the times when entries were dropped, so that nothing read before is stored after.
        self._generation = 0

    def caller_of(self, token: str) -> Caller | None:
        """Whose the token is; None for an unknown, expired or revoked one.

        Costs a digest and a look into a dict; a query for a token that is new to the process, and
        twice a second the one for news.
        """
        digest = digest_of(token)
        self._keep_up()
        entry = self._entries.get(digest)
        if entry is not None and time.monotonic() < entry.until:
            return entry.caller
        return self._read(digest)

    def seconds_to_trust(self, token: str, caller: Caller) -> float:
        """For how long the caller that `caller_of` has just answered holds without asking again.

        No longer than the last news do, so that a revocation is seen within a second all the same.
        """
        # Read before the entry, which news that another thread asks for may end in between.
        asked_at = self._asked_at
        entry = self._entries.get(digest_of(token))
        if entry is None or entry.caller != caller:
            return 0.0
        return min(entry.until, asked_at + TRUST_SECONDS) - time.monotonic()

    def stranger(self, scope: str, tenant: str) -> Caller | Stranger:
        """Whom a request without a token is taken for. Only OPEN_WITHOUT_TOKENS takes any."""
        if not settings.OPEN_WITHOUT_TOKENS or scope not in OPENED:
            return Stranger.NO_TOKEN
        found = Tenant.objects.active().filter(name=tenant or DEFAULT_TENANT).first()
        if found is None:
            return Stranger.NO_TENANT
        return Caller("", found.pk, found.name, None, frozenset(OPENED))

    def _keep_up(self) -> None:
        age = time.monotonic() - self._asked_at
        if age < NEWS_SECONDS:
            return
        # What another thread is asking for need not be waited for while the last news are young.
        if not self._asking.acquire(blocking=age >= TRUST_SECONDS):
            return
        try:
            if time.monotonic() - self._asked_at >= NEWS_SECONDS:
                self._ask()
        finally:
            self._asking.release()

    def _ask(self) -> None:
        began = time.monotonic()
        if began - self._asked_at > ENTRY_SECONDS:
            self._drop([EVERYTHING])
        xmin, subjects = sql.revoked_since(self._xid)
        if len(subjects) > sql.MOST_NEWS or xmin < self._xid != NO_NEWS_YET:
            subjects = [EVERYTHING]
        if subjects:
            self._drop(subjects)
        self._xid, self._asked_at = xmin, began

    def _drop(self, subjects: Iterable[str]) -> None:
        with self._changing:
            self._generation += 1
            if EVERYTHING in subjects:
                self._entries.clear()
            for subject in subjects:
                self._entries.pop(subject, None)

    def _read(self, digest: str) -> Caller | None:
        generation, began = self._generation, time.monotonic()
        found = read_token(digest)
        if found is None:
            return None
        caller, seconds_left, _ = found
        with self._changing:
            if generation == self._generation:
                if len(self._entries) >= MOST_ENTRIES:
                    del self._entries[next(iter(self._entries))]
                self._entries[digest] = _Entry(caller, began + min(ENTRY_SECONDS, seconds_left))
        return caller


verifier = Verifier()
