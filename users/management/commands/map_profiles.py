from typing import Any

from django.core.management.base import BaseCommand, CommandError

from users.services.mapping import Busy, map_tenants


class Command(BaseCommand):
    help = (
        "Tell search anew where frequent words are, for tenants of many profiles. The worker does "
        "it every night; run it after loading millions. Search and writes go on meanwhile."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            mapped = map_tenants(say=self.stderr.write)
        except Busy as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"tenants with a map: {mapped}")
