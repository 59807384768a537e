"""The staff of a stack, in a process that has its settings: makes tokens, and ends them.

`Office` is the tests' end; the module itself is the process: a line of JSON in, a line out.
"""

import subprocess
import sys
from typing import Any

import orjson

from stack.testing import TestStack


class Office:
    """`office.token("south", "desk")` runs the function of this name in the process."""

    def __init__(self, stack: TestStack) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.office"],
            cwd=stack.config.checkout,
            env=stack.stack.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __getattr__(self, name: str) -> Any:
        def call(*words: object) -> Any:
            self._child.stdin.write(orjson.dumps([name, *words]) + b"\n")
            self._child.stdin.flush()
            return orjson.loads(self._child.stdout.readline())

        return call

    def close(self) -> None:
        self._child.stdin.close()
        self._child.wait()
        self._child.stdout.close()


def main() -> None:
    import django

    django.setup()
    from django_redis import get_redis_connection
    from oauth2_provider.models import AccessToken

    from tests.factories.users import ClientFactory, TenantFactory, give_token
    from users.models import Account, Client, Scope, Tenant
    from users.services import accounts, tenants
    from users.services.tokens import digest_of

    def token(tenant, client, scopes=tuple(Scope.values), seconds=3600):
        found = Client.objects.filter(client_id=client).first()
        if found is None:
            found = ClientFactory(tenant=TenantFactory(name=tenant), client_id=client)
        return give_token(found, scopes=scopes, seconds=seconds)

    def expires_at(token):
        return AccessToken.objects.get(token_checksum=digest_of(token)).expires.timestamp()

    def delete(token):
        AccessToken.objects.filter(token_checksum=digest_of(token)).delete()

    def close_client(client):
        Client.objects.filter(client_id=client).update(is_active=False)

    def narrow_client(client):
        Client.objects.filter(client_id=client).update(allowed_scopes=["moderation"])

    def close_tenant(tenant):
        found = Tenant.objects.get(name=tenant)
        tenants.update_tenant(tenant_id=found.pk, changes={"is_active": False})

    def account(status="None"):
        return Account.objects.create(ip="192.0.2.7", subscription_status=status).pk

    def change_account(userid, status):
        accounts.change_account(userid=userid, ip="192.0.2.7", subscription_status=status)

    def counted(client):
        redis = get_redis_connection("default")
        return sum(int(redis.get(key)) for key in redis.keys(f"rate:{client}:*"))

    for line in sys.stdin.buffer:
        name, *words = orjson.loads(line)
        answer = {
            "token": token,
            "expires_at": expires_at,
            "delete": delete,
            "close_client": close_client,
            "narrow_client": narrow_client,
            "close_tenant": close_tenant,
            "account": account,
            "change_account": change_account,
            "counted": counted,
        }[name](*words)
        sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
