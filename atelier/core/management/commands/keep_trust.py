import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from atelier.core.keeper import Keeper

PERIOD_SECONDS = 0.2


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
        stopped = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *ignored: stopped.set())
        while not stopped.is_set():
            keeper.tend()
            stopped.wait(PERIOD_SECONDS)
