import json
import os
import re
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.hashers import check_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from atelier.core.errors import AtelierError
from users.models import DEFAULT_TENANT, Client, Scope, Tenant, User
from users.services.tenants import ClientExists, register_client

# It goes into a user name of HTTP Basic, and onto a command line.
CLIENT_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")


class Command(BaseCommand):
    help = (
        "Make the first staff account and the first client of the API that the environment names "
        "(ADMIN_USERNAME, ADMIN_EMAIL, ADMIN_PASSWORD; FIRST_CLIENT_ID, FIRST_CLIENT_SECRET). "
        "One that is there stays as it is. Prints as JSON for each whether its secret is that of "
        "the environment."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kinds", nargs="+", choices=["admin", "client"])

    def handle(self, *args: Any, **options: Any) -> None:
        makers = {"admin": _staff_account, "client": _client}
        # Both or none: one that is made is told of.
        with transaction.atomic():
            told = {kind: makers[kind](os.environ) for kind in options["kinds"]}
        self.stdout.write(json.dumps(told))


def _staff_account(environ: Mapping[str, str]) -> bool:
    name, email = environ["ADMIN_USERNAME"], environ["ADMIN_EMAIL"]
    password = environ["ADMIN_PASSWORD"]
    there = User.objects.filter(username=name).first()
    if there is not None:
        return check_password(password, there.password)
    try:
        User(username=name, email=email).clean_fields(exclude=["password"])
    except ValidationError as error:
        raise CommandError(f"The first staff account: {' '.join(error.messages)}") from error
    User.objects.create_superuser(name, email, password)
    return True


def _client(environ: Mapping[str, str]) -> bool:
    client_id, secret = environ["FIRST_CLIENT_ID"], environ["FIRST_CLIENT_SECRET"]
    if not CLIENT_ID.fullmatch(client_id):
        raise CommandError(
            f"FIRST_CLIENT_ID is {client_id!r}: set it to 100 letters, digits, dots, dashes and "
            "underscores at most."
        )
    try:
        register_client(
            name="The first client",
            tenant=Tenant.objects.get(name=DEFAULT_TENANT),
            scopes=Scope.values,
            client_id=client_id,
            secret=secret,
        )
    except ClientExists:
        return check_password(secret, Client.objects.get(client_id=client_id).client_secret)
    except AtelierError as error:
        raise CommandError(error.message) from error
    return True
