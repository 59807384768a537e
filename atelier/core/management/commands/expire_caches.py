from typing import Any

from django.core.management.base import BaseCommand

from atelier.core.publishing import EPOCH, publish


class Command(BaseCommand):
    help = (
        "Make every stored answer unreachable: after a release, a restored backup or a failover,"
        " whose changes no write door has seen."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        with publish(EPOCH):
            pass
        self.stdout.write("Every cached answer is out of reach.")
