"""How commands name a person."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError

from users.identities import InvalidEmail
from users.models import Tenant
from users.services.people import Person, find_person

USAGE = 2


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("userid", nargs="?", type=int, metavar="USERID", help="of an account")
    parser.add_argument(
        "--email", default="", metavar="ADDRESS", help="in any spelling, instead of a userid"
    )
    parser.add_argument(
        "--tenant",
        default="",
        metavar="NAME",
        help="only the profiles of this tenant; no account, delivery or review",
    )


def person_of(options: Mapping[str, Any]) -> Person:
    """Raises CommandError for arguments that name nobody."""
    userid, email, name = options["userid"], options["email"], options["tenant"]
    if (userid is None) == (not email):
        raise CommandError("Give a USERID or --email ADDRESS.", returncode=USAGE)
    tenant = Tenant.objects.filter(name=name).first() if name else None
    if name and tenant is None:
        raise CommandError(f"There is no tenant {name}.", returncode=USAGE)
    try:
        return find_person(userid=userid, email=email, tenant_id=tenant.pk if tenant else None)
    except InvalidEmail as error:
        raise CommandError(f"{email}: {error.message}", returncode=USAGE) from error
