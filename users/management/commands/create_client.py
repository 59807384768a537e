import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from atelier.core.errors import AtelierError
from users.models import DEFAULT_TENANT, Client, Scope, Tenant
from users.services.tenants import register_client

SECRET = "CLIENT_SECRET"  # noqa: S105 - the name of a variable


class Command(BaseCommand):
    help = (
        "Make a client of the API and print its id and secret, once. "
        f"A secret of one's own comes from the environment, as {SECRET}."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--tenant", default=DEFAULT_TENANT)
        parser.add_argument("--scopes", nargs="+", choices=Scope.values, default=Scope.values)
        parser.add_argument("--id", default="", help="an id of one's own instead of a random one")
        parser.add_argument(
            "--redirect-uris", nargs="+", default=[], help="for people: authorization code"
        )
        parser.add_argument(
            "--public", action="store_true", help="for people, and without a secret"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = Tenant.objects.filter(name=options["tenant"]).first()
        if tenant is None:
            raise CommandError(f"There is no tenant {options['tenant']}: add it in the admin.")
        for_people = bool(options["redirect_uris"])
        if options["public"] and not for_people:
            raise CommandError("A client without a secret is for people: give --redirect-uris.")
        kind = Client.CLIENT_PUBLIC if options["public"] else Client.CLIENT_CONFIDENTIAL
        grants = [grant for grant, _ in Client.GRANTS]
        try:
            made = register_client(
                name=options["name"],
                tenant=tenant,
                scopes=options["scopes"],
                grant=grants[for_people],
                client_type=kind,
                redirect_uris=" ".join(options["redirect_uris"]),
                client_id=options["id"],
                secret=os.environ.get(SECRET, ""),
            )
        except AtelierError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"client_id={made.client.client_id}")
        if not options["public"]:
            self.stdout.write(f"client_secret={made.secret}")
