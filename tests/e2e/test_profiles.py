"""Profiles through three instances, with a token: what one wrote, the next one finds."""

import itertools
import uuid

import orjson
import pytest

from tests.faults.cache.clients import Client, header

pytestmark = pytest.mark.e2e


@pytest.fixture
def token(site):
    """Header lines with a token of the first client."""
    settings = site.environ()
    form = (
        f"grant_type=client_credentials&client_id={settings.get('FIRST_CLIENT_ID', 'first')}"
        f"&client_secret={settings['FIRST_CLIENT_SECRET']}&scope=profiles:read+profiles:write"
    )
    client = Client(site.stack.port)
    answer = client.ask(
        "POST",
        "/oauth/token",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        form.encode(),
    )
    client.close()
    assert answer.status == 200, answer.body
    return f"Authorization: Bearer {orjson.loads(answer.body)['access_token']}\r\n"


@pytest.fixture
def instances(site):
    """A client of each, past nginx."""
    config = site.stack.config
    clients = [Client(config.web_sockets / f"{name}.sock") for name in config.instances]
    assert len(clients) == 3
    yield clients
    for client in clients:
        client.close()


def ask(client, token, method, path, body=None):
    answer = client.ask(method, path, token, b"" if body is None else orjson.dumps(body))
    assert answer.status == 200, answer.body
    return orjson.loads(answer.body)


def ids(found):
    return [entry["profile_id"] for entry in found]


@pytest.mark.parametrize("times", [50, pytest.param(1_000, marks=pytest.mark.long)])
def test_f27_who_was_created_through_one_instance_is_found_at_once_through_another(
    instances, token, times
):
    pairs = itertools.cycle(itertools.permutations(instances, 2))
    for number, (writer, reader) in zip(range(times), pairs, strict=False):
        word = uuid.uuid4().hex
        body = {"full_name": f"Ann {word}", "email_id": f"{word}@x.org"}
        made = ask(writer, token, "POST", "/profiles", body)["ProfileID"]
        asked = {"query": word if number % 2 else f"ann {word[:20]}"}
        assert ids(ask(reader, token, "POST", "/profiles/_search", asked)) == [made]
        assert ask(reader, token, "GET", f"/profiles/{made}")["full_name"] == body["full_name"]


def test_f18_nginx_stores_no_profile(site, token):
    client = Client(site.stack.port)
    word = uuid.uuid4().hex
    body = {"full_name": "Ann", "email_id": f"{word}@x.org"}
    made = ask(client, token, "POST", "/profiles", body)["ProfileID"]
    for number in range(10):
        ask(client, token, "PUT", f"/profiles/{made}", {"city_id": str(number)})
        for _ in range(3):
            answer = client.ask("GET", f"/profiles/{made}", token)
            assert orjson.loads(answer.body)["city"] == str(number)
            assert answer.cache == ""
            assert header(answer, "Cache-Control") == "private, no-store"
    ask(client, token, "DELETE", f"/profiles/{made}")
    assert client.ask("GET", f"/profiles/{made}", token).status == 404
    assert client.ask("GET", f"/profiles/{made}").status == 401
    client.close()


def test_the_greeting_comes_through_nginx_without_a_token(site):
    assert site.get("/").body == b'{"Greet":"hello"}'
    assert site.get("/_health").body == b'{"Status":"green"}'
