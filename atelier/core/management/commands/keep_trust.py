import signal
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from atelier.core.keeper import Keeper

PERIOD_SECONDS = 0.2
STOP = {signal.SIGTERM, signal.SIGINT}


class Command(BaseCommand):
    help = (
        "Keep nginx's exact cache going: renew the trust in the cache tags while no write is left"
        " that Redis was not told of. Runs until it is stopped; several may run."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="one round; exits 1 if it fails")

    def handle(self, *args: Any, **options: Any) -> None:
        keeper = Keeper()
        if options["once"]:
            if not keeper.tend():
                raise SystemExit(1)
            return
        # Taken between rounds: a handler could interrupt whoever holds the lock that it needs.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
        keeper.tend()
        while not signal.sigpending() & STOP:
            time.sleep(PERIOD_SECONDS)
            keeper.tend()
