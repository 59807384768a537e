"""What a process of `etl.readers` does. Its module is imported before Django is set up."""

import os
import pickle
import signal
import time
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

SECONDS_BETWEEN_TICKS = 0.1


class Alone(Exception):
    """The importing process has ended."""


def serve(pipe: Connection, database: dict[str, Any]) -> None:
    """Carry out orders until there are no more; `database` says where they are to go."""
    # An interrupt is the importing process's to deal with: it ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    import django

    django.setup()

    from django.db import connection

    connection.settings_dict.update(database)
    # Visitors go first: it runs when nobody else wants the core.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    # Without an importing process there is nothing left to do.
    with suppress(EOFError, ConnectionError):
        pipe.send("ready")
        _serve(pipe)
    connection.close()


def _serve(pipe: Connection) -> None:
    from django.db import connection

    from etl.importing import prepare_lane

    while True:
        order = pipe.recv()
        if order is None:
            # Told to stop after it was done.
            continue
        try:
            if connection.connection is None:
                prepare_lane()
            pipe.send(_carry_out(order, pipe))
        except Alone:
            return
        except BaseException as error:  # the importing process raises it again
            pipe.send(_portable(error))


def _carry_out(order: Any, pipe: Connection) -> Any:
    from etl import staging
    from etl.files import KINDS, SourceError
    from etl.keys import IdSet
    from etl.memory import peak_bytes
    from etl.readers import Filled, Progressed
    from etl.sources import Text
    from etl.tasks import Stopped

    kind = KINDS[order.kind]
    staged = staging.open_file(kind, order.source, (kind,), Text(order.source, order.encoding))
    if staged.identity != order.identity:
        raise SourceError(f"{order.source.location} was changed just now. Start again.")
    if order.wants_refused:
        staged.refused = IdSet()
    told_at = 0.0

    def tick(staged: staging.Staged) -> None:
        nonlocal told_at
        try:
            if pipe.poll():
                raise Stopped
            if time.monotonic() - told_at > SECONDS_BETWEEN_TICKS:
                pipe.send(Progressed(staged.taken, staged.report))
                told_at = time.monotonic()
        except ConnectionError as error:
            raise Alone from error

    staging.fill(
        staged,
        order.file,
        is_successor=order.is_successor,
        known=order.known,
        tick=tick,
        stores=order.stores,
    )
    return Filled(
        report=staged.report,
        accepted=staged.accepted if order.wants_accepted else None,
        refused=staged.refused,
        file=order.file,
        peak_bytes=peak_bytes(),
    )


def _portable(error: BaseException) -> BaseException:
    """The error with its traceback as a note, as what can be sent."""
    from etl.readers import ReaderLost

    error.add_note(traceback.format_exc())
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    except Exception:
        return ReaderLost(f"{type(error).__name__}: {error}")
    return error
