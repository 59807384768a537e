from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from users.management.people import add_arguments, person_of
from users.services.images import StorageUnavailable
from users.services.people import Erased, Person, erase_person

MOST_SHOWN = 20
REMAINS = """\
What remains, until it is overwritten or removed where it lies:
  backups and archived write-ahead logs of the database, and replicas until they have caught up
  access logs, with addresses of visitors, until they turn over
  CSV files that were imported, and rejected lines of imports (manage.py import_runs prune)
  what other services were told by deliveries
  pictures in browsers that have them already, and in a storage that is no longer set (MEDIA_ROOT
  after a change to a bucket, or a bucket that was left)
  answers with reviews in nginx's files on disk, which no answer shows: until CACHE_SECONDS after
  they were last asked for
  a name or an address where the map of search has a bound, until the night after next
  (or until manage.py map_profiles has run twice)
Ratings, votes and reports stay and name nobody. An import of accounts or profiles that still holds
the person makes them anew; one of reviews does not bring back their words."""


class Command(BaseCommand):
    help = (
        "Erase a person's data for good, the words of their reviews included; say what was erased."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_arguments(parser)
        parser.add_argument(
            "--yes", action="store_true", help="erase; without it, only say what would be"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        person = person_of(options)
        if not person.is_known:
            self.stdout.write("Nothing is kept of that person.")
            return
        if not options["yes"]:
            self._say_found(person)
            raise CommandError("Nothing was erased. Look at it with export_user; then add --yes.")
        try:
            erased = erase_person(person=person)
        except StorageUnavailable as error:
            raise CommandError(
                "The storage of pictures does not answer. The reviews and deliveries are erased;"
                " accounts and profiles that have a picture there are not. Run it again."
            ) from error
        self._say_erased(erased)
        self.stdout.write(REMAINS)

    def _say_found(self, person: Person) -> None:
        self.stdout.write(f"addresses: {', '.join(person.emails) or 'none'}")
        for what, ids in (
            ("accounts", person.userids),
            ("profiles", person.profile_ids),
            ("deliveries", person.delivery_ids),
            ("reviews", person.review_ids),
        ):
            shown = " ".join(map(str, ids[:MOST_SHOWN])) or "none"
            more = f" and {len(ids) - MOST_SHOWN} more" if len(ids) > MOST_SHOWN else ""
            self.stdout.write(f"{what}: {shown}{more}")

    def _say_erased(self, erased: Erased) -> None:
        for what, number in asdict(erased).items():
            self.stdout.write(f"{what} erased: {number}")
