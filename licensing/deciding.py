"""The rules of licences, without a database."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from licensing.models import Effect


@dataclass(frozen=True, slots=True)
class Term:
    """What a licence says: one of region and group, by id, and a window that may be open."""

    region_id: int | None
    group_id: int | None
    effect: str
    valid_from: datetime
    valid_until: datetime | None

    def holds(self, at: datetime) -> bool:
        return self.valid_from <= at and (self.valid_until is None or at < self.valid_until)


@dataclass(frozen=True, slots=True)
class Decision:
    """`until` is the next moment at which `is_allowed` changes; None where it never does."""

    is_allowed: bool
    reason: str
    until: datetime | None


def decide(
    terms: Sequence[Term], *, region_id: int | None, group_ids: Collection[int], at: datetime
) -> Decision:
    """May a product with these licences be shown in a region, which is in these groups.

    A region beats a group, deny beats allow, and any allow, be it past or to come, denies wherever
    no licence holds. An unknown region, None, matches no territory.
    """
    is_allowed, reason = _decide(terms, region_id, group_ids, at)
    moments = {term.valid_from for term in terms} | {term.valid_until for term in terms}
    for moment in sorted(moment for moment in moments if moment is not None and moment > at):
        if _decide(terms, region_id, group_ids, moment)[0] != is_allowed:
            return Decision(is_allowed, reason, moment)
    return Decision(is_allowed, reason, None)


def _decide(
    terms: Sequence[Term], region_id: int | None, group_ids: Collection[int], at: datetime
) -> tuple[bool, str]:
    if not terms:
        return True, "unrestricted"
    holding = [term for term in terms if term.holds(at)]
    for level, found in (
        ("region", [t for t in holding if region_id is not None and t.region_id == region_id]),
        ("group", [t for t in holding if region_id is not None and t.group_id in group_ids]),
    ):
        if found:
            is_allowed = all(term.effect == Effect.ALLOW for term in found)
            return is_allowed, f"{'allowed' if is_allowed else 'denied'} by {level}"
    if any(term.effect == Effect.ALLOW for term in terms):
        return False, "licensed elsewhere"
    return True, "not denied here"
