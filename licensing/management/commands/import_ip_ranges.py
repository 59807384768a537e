import re
import sys
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from licensing import importing, layouts

DONE_WITH_REJECTS = 3
SHOWN_OF_A_LINE = 80


def limit(text: str) -> str:
    """What --max-errors takes: a number of lines, or a share of them such as 0.5%."""
    if not re.fullmatch(r"[0-9]{1,12}|(?:[0-9]{1,2}(?:\.[0-9]+)?|100)%", text):
        raise ArgumentTypeError(f"{text!r} is neither a number nor a percentage such as 0.5%")
    return text


class Command(BaseCommand):
    help = (
        "Replaces the address ranges of a source by those of its files, while look-ups go on."
        " Exit codes: 0 clean, 3 done with rejected lines, 1 failed (all is as before), 2 usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help="- is standard input")
        parser.add_argument("--source", required=True, help="name of the source, such as geoip")
        parser.add_argument(
            "--format",
            choices=layouts.LAYOUTS,
            default="geoip",
            help="geoip: tables of Debian's tor-geoipdb; maxmind: GeoLite2-Country-Blocks and"
            " -Locations; own: lines of network,code or start,end,code",
        )
        parser.add_argument(
            "--precedence", type=int, help="sources with a lower one are asked first (100)"
        )
        parser.add_argument(
            "--max-errors", type=limit, metavar="N|P%", help="fail where more lines are bad"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        most: str | None = options["max_errors"]
        is_share = most is not None and most.endswith("%")
        try:
            account = importing.import_ranges(
                name=options["source"],
                layout=options["format"],
                paths=options["files"],
                precedence=options["precedence"],
                max_rejects=None if most is None or is_share else int(most),
                max_percent=float(most[:-1]) if most is not None and is_share else None,
                reject=self._reject,
            )
        except (
            OSError,
            importing.Locked,
            importing.TooManyRejects,
            importing.NothingRead,
            layouts.BadFile,
        ) as error:
            raise CommandError(f"{error} Nothing was changed.", returncode=1) from error
        self._summarise(options["source"], account)
        if account.rejected:
            sys.exit(DONE_WITH_REJECTS)

    def _reject(self, path: str, number: int, reason: str, line: bytes) -> None:
        shown = line[:SHOWN_OF_A_LINE].decode("utf-8", "replace").strip()
        self.stderr.write(f"{path}:{number}: {reason}: {shown!r}")

    def _summarise(self, source: str, account: importing.Account) -> None:
        rejected = account.rejected.total()
        self.stdout.write(
            f"{source}: {account.lines:,} lines = {account.placed:,} placed"
            f" + {account.unplaced:,} of no one country + {rejected:,} rejected"
            f" + {account.without_data:,} without data; {account.ranges:,} ranges"
        )
        for reason, number in sorted(account.rejected.items()):
            self.stdout.write(f"  rejected, {reason}: {number:,}")
