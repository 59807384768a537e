from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from licensing.services import InvalidAddress, region_of


class Command(BaseCommand):
    help = "Says the region of IP addresses, and why: the source, and its network or range."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("addresses", nargs="+", metavar="IP")

    def handle(self, *args: Any, **options: Any) -> None:
        bad = []
        for address in options["addresses"]:
            try:
                found = region_of(address)
            except InvalidAddress as error:
                bad.append(f"{address}: {error.message}")
                continue
            place = f"{found.region.code} {found.region.name}" if found.region else "unknown"
            why = f"{found.source} {found.network}".strip()
            self.stdout.write(f"{found.address}\t{place}\t{why}")
        if bad:
            raise CommandError("\n".join(bad), returncode=1)
