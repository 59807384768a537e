"""Races of writers and readers through two nginx nodes, with a fault beside them.

Whatever happens: no answer that is not marked is older than what was acknowledged before it was
asked for, and one that is marked is at most two seconds older.
"""

import logging
import re

import pytest

from tests.faults.cache import faults
from tests.faults.cache.faults import Fault
from tests.faults.cache.race import Race
from tests.faults.cache.site import Site

pytestmark = pytest.mark.e2e

logger = logging.getLogger(__name__)

SECONDS = pytest.mark.parametrize("seconds", [2, pytest.param(60, marks=pytest.mark.long)])
MARKED_SECONDS = 2.0

# What may go wrong with a request at each fault. Nothing, unless something is said here.
ERRORS: dict[Fault, str] = {
    faults.nothing: "",
    # A session that stands still may hold a lock for longer than writers wait for it.
    faults.slow_answers: "(POST|PUT) 503",
    # No POST is sent twice, and none that may have been stored is called a 503.
    faults.killed_workers: "POST 50[24]",
    faults.workers_killed_at_their_release: "POST 50[24]",
    faults.killed_sessions: "(POST|PUT|GET) 503|(price|everything): OperationalError.*",
    faults.redis_killed: "",
    faults.redis_flushed: "",
    faults.redis_frozen: "",
    faults.redis_out_of_memory: "",
    faults.redis_reloaded: "",
    faults.keeper_killed: "",
    faults.keeper_frozen: "",
    faults.two_keepers_and_flushes: "",
    faults.nginx_frozen: "",
    faults.nginx_reloaded: "",
}


@pytest.mark.parametrize("fault", ERRORS, ids=lambda fault: fault.__name__)
@SECONDS
def test_no_reader_is_misled(site: Site, race: Race, fault: Fault, seconds: float):
    outbox = outbox_entries(site)
    tally = race.run(fault, seconds)
    logger.info("%s: %s", fault.__name__, tally)

    assert not tally.stale
    assert tally.oldest_marked <= MARKED_SECONDS
    assert not [error for error in tally.errors if not re.fullmatch(ERRORS[fault], error)]
    assert tally.writes > 10
    assert tally.reads > 10 * seconds
    if outbox_entries(site) == outbox:
        # Every writer could hide its tags: then what one answer has shown, each later one shows.
        # Where Redis lost a tombstone a commit may show here sooner than there, until it is
        # acknowledged.
        assert faults.loses_tags(fault) or not tally.older
    race.check_settled()


def outbox_entries(site: Site) -> int:
    """How many there ever were."""
    with site.psql() as connection:
        row = connection.execute(
            "SELECT last_value - (NOT is_called)::int FROM core_outboxentry_id_seq"
        ).fetchone()
    return int(row[0])
