"""F16, F18: look-ups that nginx answers out of Redis: to whom, for how long, and how fresh."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlencode

import orjson
import pytest
from redis import Redis, RedisError

from tests.e2e.lookups import Asking, ask_often, bearer, by_nginx, shown, source, upstreams
from tests.factories.users import SECRET
from tests.faults.cache.clients import Answer, Client, Lost, header
from tests.threads import Aside, Crew
from tests.waiting import tried, wait_until

pytestmark = pytest.mark.e2e

STATUSES = ["Subscribed", "Expired", "None"]
IP = "192.0.2.7"
CACHE, POSTGRES = "cache get success", "postgres get success"
READERS = 4
# A machine that others use too.
SLACK_SECONDS = 0.15
# How old an instance's news may be before it asks for more is 0.5 s.
NEWS_AGE_SECONDS = 0.35
ATTEMPTS = 10
MOST = "256mb"


@pytest.fixture(scope="module")
def token(office) -> str:
    return office.token("default", "desk")


@pytest.fixture(scope="module")
def north(office) -> str:
    return office.token("north", "north-desk")


@pytest.fixture
def userid(office) -> int:
    return office.account("Expired")


@pytest.fixture
def redis(stack) -> Iterator[Redis]:
    client = Redis.from_url(stack.config.redis_url, socket_timeout=10, decode_responses=True)
    yield client
    client.close()


@pytest.fixture
def healing(stack, token, userid) -> Iterator[None]:
    """Leaves instances that all let nginx answer, not only the one that brought it back.

    One that Redis did not answer in time counts nobody ahead for five seconds, and as long again
    where the next try fails too. Finds them so as well, whatever an earlier test did to Redis.
    """
    wait_for_permits(stack, token, userid)
    yield
    wait_for_permits(stack, token, userid)


def wait_for_permits(stack, token, userid) -> None:
    """Each instance lets nginx answer."""
    wanted = bearer(token, "X-Cache-Permit: 0\r\n")
    for name in stack.config.instances:
        instance = Client(stack.config.web_sockets / f"{name}.sock")

        def permits(instance=instance) -> bool:
            answer = instance.ask("GET", f"/user/{userid}", wanted)
            return header(answer, "X-Accel-Permit") != ""

        wait_until(permits, f"a permit of {name}")
        instance.close()


def ask(stack, method, path, headers, body=b"") -> Answer:
    client = Client(stack.port)
    try:
        return client.ask(method, path, headers, body)
    finally:
        client.close()


def log_in(client, token, userid, status) -> int:
    body = orjson.dumps({"userid": userid, "ip": IP, "subscriptionstatus": status})
    return client.ask("POST", "/login", bearer(token), body).status


def often(stack, userid, headers, *, share=0.0):
    """Asked until nginx gives more than this share of thirty answers."""
    return tried(
        lambda: ask_often(stack, userid, headers),
        lambda answers: len(by_nginx(stack, answers)) > share * len(answers),
    )


def headers_of(answer):
    lines = answer.head.decode().split("\r\n")
    own = ("Date:", "X-Request-ID:")
    return sorted(line for line in lines if line and not line.startswith(own))


def test_nginx_answers_as_an_instance_does(stack, token, userid):
    answers = often(stack, userid, bearer(token), share=1 / 2)
    own = by_nginx(stack, answers)
    assert len(own) > len(answers) / 2
    plain = tried(
        lambda: ask(stack, "GET", f"/user/{userid}?x=1", bearer(token)),
        lambda answer: source(answer) == CACHE,
    )
    assert upstreams(stack, [plain]) != [""]
    for answer in own:
        assert answer.body == plain.body
        assert headers_of(answer) == headers_of(plain)
    assert shown(plain) == {"userid": userid, "subscriptionstatus": "Expired", "region": None}
    assert source(plain) == CACHE
    assert all(b"X-Accel" not in answer.head for answer in [plain, *answers])


def test_an_answer_says_truly_where_it_comes_from(stack, token, userid):
    client = Client(stack.port)

    def others_after_logins():
        firsts, others = [], []
        for number in range(30):
            assert log_in(client, token, userid, STATUSES[number % 3]) == 200
            answers = [client.ask("GET", f"/user/{userid}", bearer(token)) for _ in range(4)]
            assert {shown(one)["subscriptionstatus"] for one in answers} == {STATUSES[number % 3]}
            firsts.append(answers[0])
            others += answers[1:]
        assert {source(one) for one in firsts} == {POSTGRES}
        assert all(upstreams(stack, firsts))
        return others

    others = tried(others_after_logins, lambda answers: {source(one) for one in answers} == {CACHE})
    client.close()
    assert {source(one) for one in others} == {CACHE}
    assert by_nginx(stack, others)


def test_what_staff_change_shows_at_once(stack, office, token, userid):
    for number in range(10):
        office.change_account(userid, STATUSES[number % 3])
        answers = ask_often(stack, userid, bearer(token), 5)
        assert {shown(one)["subscriptionstatus"] for one in answers} == {STATUSES[number % 3]}


def test_both_tenants_are_answered_by_nginx(stack, token, north, userid):
    for headers in (
        bearer(token),
        bearer(token, "ntenant: default\r\n"),
        bearer(north),
        bearer(north, "NTenant: north\r\n"),
    ):
        answers = often(stack, userid, headers)
        assert {one.status for one in answers} == {200}
        assert by_nginx(stack, answers)


def test_f16_nobody_else_gets_an_answer_while_nginx_answers_the_caller(
    stack, office, token, north, userid
):
    client = Client(stack.port)
    good = [
        bearer(token),
        bearer(token, "ntenant: default\r\n"),
        bearer(token, "ntenant:\r\n"),
        bearer(north, "ntenant: north\r\n"),
    ]
    refused = {
        "": 401,
        "ntenant: default\r\n": 401,
        bearer(""): 401,
        bearer("wrong"): 401,
        bearer(token + "x"): 401,
        bearer(token[:-1]): 401,
        f"Authorization: Basic {token}\r\n": 401,
        f"Authorization: {token}\r\n": 401,
        f"X-Authorization: Bearer {token}\r\n": 401,
        bearer(office.token("default", "desk", ["profiles:read", "moderation"])): 403,
        bearer(token, "ntenant: north\r\n"): 403,
        bearer(token, "ntenant: DEFAULT\r\n"): 403,
        bearer(north, "ntenant: default\r\n"): 403,
        bearer(token, "ntenant: default\r\nntenant: north\r\n"): 403,
        bearer(token, "ntenant: north\r\nntenant: default\r\n"): 403,
        bearer(token, "ntenant:\r\nntenant: north\r\n"): 403,
        bearer(north, "ntenant: north\r\nNTENANT: default\r\n"): 403,
    }

    def given_to_the_good():
        given = []
        for _ in range(6):
            for headers in good:
                for _ in range(3):
                    given.append(client.ask("GET", f"/user/{userid}", headers))
            for headers, status in refused.items():
                answer = client.ask("GET", f"/user/{userid}", headers)
                assert (headers, answer.status) == (headers, status)
                assert b"subscriptionstatus" not in answer.body
        assert {answer.status for answer in given} == {200}
        return given

    def by_nginx_enough(given):
        return len(by_nginx(stack, given)) > len(given) / 3

    given = tried(given_to_the_good, by_nginx_enough)
    client.close()
    assert by_nginx_enough(given)


def end_by_route(stack, office, token):
    form = urlencode({"token": token, "client_id": "ending", "client_secret": SECRET}).encode()
    kind = "Content-Type: application/x-www-form-urlencoded\r\n"
    assert ask(stack, "POST", "/oauth/revoke", kind, form).status == 200


ENDS = {
    "route": end_by_route,
    "row": lambda stack, office, token: office.delete(token),
    "narrowed": lambda stack, office, token: office.narrow_client("narrowed"),
    "client": lambda stack, office, token: office.close_client("client"),
    "tenant": lambda stack, office, token: office.close_tenant("tenant-tenant"),
}


@pytest.mark.parametrize("end", list(ENDS))
def test_f16_what_ends_a_token_is_seen_within_a_second(stack, office, userid, end):
    client = "ending" if end == "route" else end
    token = office.token(f"tenant-{end}", client)
    assert by_nginx(stack, often(stack, userid, bearer(token)))
    ended = []
    asking = Asking(stack.port, f"/user/{userid}", bearer(token))

    def is_over():
        return bool(ended) and asking.is_refused_after(ended[0] + 1.5)

    with Aside(lambda: asking.until(is_over)) as work:
        try:
            wait_until(lambda: len(asking.seen) > 100, "answers to a good token")
            ENDS[end](stack, office, token)
        finally:
            ended.append(time.time())
        work.result()
    let_in = [(began, answer) for began, _, answer in asking.seen if answer.status == 200]
    assert by_nginx(stack, [answer for _, answer in let_in])
    last = max(began for began, _ in let_in)
    assert last - ended[0] < 1 + SLACK_SECONDS
    after = {answer.status for began, _, answer in asking.seen if began > last}
    assert after == ({403} if end == "narrowed" else {401})


def test_f16_a_permit_ends_with_the_news_that_it_rests_on(stack, office, userid):
    """What nginx was permitted by an instance that had not heard of the token's end yet.

    Instances hear news twice a second. Here all three have just heard some when the token ends, and
    the next second begins before they want more: nginx gets a permit whose count holds for all of
    that second, and which must not last so long.
    """
    sockets = [stack.config.web_sockets / f"{name}.sock" for name in stack.config.instances]
    instances = [Client(socket) for socket in sockets]
    for _ in range(ATTEMPTS):
        token = office.token("default", "desk")
        ask_often(stack, userid, bearer(token), 10)
        second = int(time.time()) + 2
        time.sleep(second - NEWS_AGE_SECONDS - time.time())
        for instance in instances:
            assert instance.ask("GET", f"/user/{userid}", bearer(token)).status == 200
        office.delete(token)
        ended = time.time()
        time.sleep(max(0, second - time.time()))
        # Slowly, so that the count is not used up.
        asking = Asking(stack.port, f"/user/{userid}", bearer(token), pause=0.01)
        asking.until(
            lambda asking=asking, second=second: asking.is_refused_after(second + 1.2),
        )
        let_in = [(began, answer) for began, _, answer in asking.seen if answer.status == 200]
        if by_nginx(stack, [answer for _, answer in let_in]):
            break
        # A busy machine: the instances had heard of it before the second began.
    assert let_in
    last = max(began for began, _ in let_in)
    assert last - ended < 1 + SLACK_SECONDS
    assert {answer.status for began, _, answer in asking.seen if began > last} == {401}
    for instance in instances:
        instance.close()


def test_f16_a_token_expires_for_nginx_too(stack, office, userid):
    token = office.token("default", "desk", ["accounts"], 3)
    expires_at = office.expires_at(token)
    asking = Asking(stack.port, f"/user/{userid}", bearer(token), pause=0.001)
    asking.until(lambda: asking.is_refused_after(expires_at + 0.5))
    let_in = [(began, answer) for began, _, answer in asking.seen if answer.status == 200]
    refused = [ended for _, ended, answer in asking.seen if answer.status == 401]
    assert len(let_in) + len(refused) == len(asking.seen)
    assert len(by_nginx(stack, [answer for _, answer in let_in])) > len(let_in) / 2
    # Neither early nor late, however long this machine takes over one of them.
    assert expires_at <= min(refused)
    assert max(began for began, _ in let_in) < expires_at + 0.05


def test_headers_that_only_nginx_may_send_have_no_effect(stack, token, userid, redis):
    ask_often(stack, userid, bearer(token))
    current = " ".join(redis.mget("tag:epoch", f"tag:user:{userid}"))
    ends = f"{time.time() + 60:.3f}"
    forged = (
        f"X-Cache-Scope: user:{userid}\r\nX-Cache-Tags: {current}\r\nX-Cache-Permit: 0\r\n"
        f"X-Accel-Permit: {ends} {ends} 1000 -\r\nX-Accel-Redirect: /healthz\r\n"
    )
    # Whoever is told of tags reads PostgreSQL.
    for path in (f"/user/{userid}?x=1", f"/user/{userid}"):

        def answers(path=path):
            return [ask(stack, "GET", path, bearer(token, forged)) for _ in range(5)]

        for answer in tried(answers, lambda all_: {source(one) for one in all_} == {CACHE}):
            assert (answer.status, source(answer)) == (200, CACHE)
            assert b"X-Accel" not in answer.head
    for _ in range(5):
        assert ask(stack, "GET", f"/user/{userid}", bearer("wrong", forged)).status == 401
        assert ask(stack, "GET", f"/user/{userid}", forged).status == 401
    # Nothing is stored of another account, or under tags of one's own.
    other = "X-Cache-Scope: user:987654\r\nX-Cache-Tags: a b\r\n"
    ask(stack, "GET", f"/user/{userid}?x=1", bearer(token, other))
    assert redis.get("lookup:1:user:987654") is None
    assert redis.get(f"lookup:1:user:{userid}").startswith(current)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/user/0"),
        ("GET", "/user/00{id}"),
        ("GET", "/user/{id}/"),
        ("GET", "/user/{id}?x=1"),
        ("GET", "/user/{id}?"),
        ("GET", "/user/{escaped}"),
        ("GET", "/user/{id}.0"),
        ("GET", "/user/-{id}"),
        ("GET", "/user/%20{id}"),
        ("GET", "/user/{id}x"),
        ("GET", "/user/987654321"),
        ("GET", "/user/999999999999999"),
        ("GET", "/user/1000000000000000"),
        ("GET", "/user/9223372036854775807"),
        ("GET", "/user/9223372036854775808"),
        ("GET", f"/user/{'9' * 200}"),
        ("GET", "/user/"),
        ("HEAD", "/user/{id}"),
        ("POST", "/user/{id}"),
        ("PUT", "/user/{id}"),
        ("PATCH", "/user/{id}"),
        ("DELETE", "/user/{id}"),
        ("OPTIONS", "/user/{id}"),
    ],
)
def test_unusual_requests_are_answered_as_by_an_instance(stack, token, userid, method, path):
    address = path.format(id=userid, escaped=f"%3{str(userid)[0]}{str(userid)[1:]}")
    ask_often(stack, userid, bearer(token), 10)
    instance, nginx = Client(stack.config.run / "web" / "web-1.sock"), Client(stack.port)
    headers = bearer(token, "X-Request-ID: one\r\n")

    def both():
        return instance.ask(method, address, headers), nginx.ask(method, address, headers)

    for _ in range(5):
        # Where Redis is held up, one of them says that it asked PostgreSQL.
        plain, answer = tried(both, lambda pair: pair[0].body == pair[1].body)
        assert (answer.status, answer.body) == (plain.status, plain.body)
        kinds = [header(one, "Content-Type") for one in (answer, plain)]
        assert kinds[0] == kinds[1]
    instance.close()
    nginx.close()


@pytest.mark.parametrize(
    ("credentials", "is_nginx_asked"),
    [
        ("Bearer {}", True),
        ("bearer {}", True),
        ("BEARER {}", True),
        ("Bearer {}   \t ", True),
        ("Bearer   {}", True),
        ("Bearer " + " " * 1000 + "{}", False),
    ],
)
def test_other_spellings_of_the_same_credentials(stack, token, userid, credentials, is_nginx_asked):
    headers = f"Authorization: {credentials.format(token)}\r\n"
    answers = (often if is_nginx_asked else ask_often)(stack, userid, headers)
    assert {answer.status for answer in answers} == {200}
    assert bool(by_nginx(stack, answers)) == is_nginx_asked


def test_credentials_that_are_none(stack, token, userid):
    ask_often(stack, userid, bearer(token))
    for _ in range(3):
        long = ask(stack, "GET", f"/user/{userid}", bearer("x" * 3000))
        assert long.status == 401
        for pair in ((token, token), (token, "wrong"), ("wrong", token)):
            twice = ask(stack, "GET", f"/user/{userid}", bearer(pair[0]) + bearer(pair[1]))
            assert twice.status == 400


@pytest.mark.parametrize(
    "condition",
    [
        'If-Match: "x"',
        "If-Match: *",
        'If-None-Match: "x"',
        "If-None-Match: *",
        "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
        "If-Modified-Since: Sun, 06 Nov 2044 08:49:37 GMT",
        "Range: bytes=0-3",
    ],
)
def test_conditions_change_nothing_and_end_no_worker(stack, token, userid, condition):
    workers = stack.pids("nginx")
    for _ in range(3):
        first, *_ = ask_often(stack, userid, bearer(token), 10)
        for answer in ask_often(stack, userid, bearer(token, f"{condition}\r\n"), 10):
            assert answer.status == 200
            assert answer.body.endswith(first.body.partition(b"data")[2])
    assert stack.pids("nginx") == workers


def test_a_body_is_not_taken_for_the_next_request(stack, token, userid):
    hidden = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: smuggled\r\n\r\n"
    client = Client(stack.port)
    answers = tried(
        lambda: [client.ask("GET", f"/user/{userid}", bearer(token), hidden) for _ in range(20)],
        lambda answers: bool(by_nginx(stack, answers)),
    )
    client.close()
    assert {answer.status for answer in answers} == {200}
    assert by_nginx(stack, answers)
    assert b"smuggled" not in (stack.config.logs / "access.log").read_bytes()


class Race:
    """One writer that logs an account in over and over, readers that hold it to its word.

    `answered` is the number of the last login that was answered; the status tells which login an
    answer shows, since only the writer is ahead, by one login at most.
    """

    def __init__(self, stack, userid, tokens):
        self.stack, self.userid, self.tokens = stack, userid, tokens
        self.answered = 0
        self.ended = threading.Event()
        self.answers = []
        self.wrong = []

    def write(self, rounds, trouble):
        client = Client(self.stack.port)
        try:
            for number in range(1, rounds + 1):
                while not self._log_in(client, STATUSES[number % 3]):
                    time.sleep(0.02)
                self.answered = number
                trouble(number)
        finally:
            self.ended.set()
            client.close()

    def _log_in(self, client, status):
        with suppress(Lost):
            return log_in(client, self.tokens[0], self.userid, status) == 200
        return False

    def read(self, token):
        client = Client(self.stack.port)
        # Hardly a pause, but the writer and the servers have to get along too.
        while not self.ended.wait(0.001):
            before = self.answered
            try:
                answer = client.ask("GET", f"/user/{self.userid}", bearer(token))
            except Lost:
                continue
            after = self.answered
            if answer.status != 200:
                continue
            self.answers.append(answer)
            allowed = {STATUSES[number % 3] for number in range(before, after + 2)}
            status = shown(answer)["subscriptionstatus"]
            if before and status not in allowed:
                self.wrong.append((before, after, status, source(answer)))
        client.close()

    def run(self, rounds, trouble):
        tokens = [self.tokens[number % len(self.tokens)] for number in range(READERS)]
        with Crew(READERS + 1) as crew:
            crew.run(
                [
                    lambda: self.write(rounds, trouble),
                    *[lambda token=token: self.read(token) for token in tokens],
                ]
            )
        assert self.answered == rounds
        assert self.wrong == []
        return len(by_nginx(self.stack, self.answers))


def test_f18_no_reader_sees_less_than_the_last_answered_login(stack, token, north, userid):
    race = Race(stack, userid, [token, north])
    own = race.run(300, lambda number: time.sleep(0.01))
    assert own > 300
    assert {source(answer) for answer in race.answers} == {CACHE, POSTGRES}


def flush(stack, redis):
    redis.flushall()


def kill(stack, redis):
    os.kill(stack.pid("redis"), signal.SIGKILL)


def freeze(stack, redis):
    pid = stack.pid("redis")
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(0.7)
    finally:
        os.kill(pid, signal.SIGCONT)


def fill(stack, redis):
    redis.config_set("maxmemory", "1")
    time.sleep(0.5)
    redis.config_set("maxmemory", MOST)


@pytest.mark.usefixtures("healing")
@pytest.mark.parametrize("fault", [flush, kill, freeze, fill])
def test_f5_nor_while_redis_fails(stack, token, north, userid, redis, fault):
    race = Race(stack, userid, [token, north])

    def trouble(number):
        time.sleep(0.02)
        if number % 40 == 20:
            fault(stack, redis)
            # So that nginx answers in between.
            if fault is not flush:
                wait_until(lambda: is_alive(redis), "the keeper's trust")

    own = race.run(160, trouble)
    assert own > 50


def is_alive(redis):
    with suppress(RedisError):
        return bool(redis.exists("alive"))
    return False


@pytest.mark.usefixtures("healing")
def test_f5_without_redis_instances_answer_and_nginx_comes_back(stack, token, userid, redis):
    def nginx_answers():
        return bool(by_nginx(stack, ask_often(stack, userid, bearer(token))))

    wait_until(nginx_answers, "nginx's answers")
    stack.stack.client.stop("redis")
    try:
        answers = ask_often(stack, userid, bearer(token))
        assert {(one.status, source(one)) for one in answers} == {(200, POSTGRES)}
        assert all(upstreams(stack, answers))
        assert ask(stack, "GET", f"/user/{userid}", bearer("wrong")).status == 401
    finally:
        stack.stack.client.start("redis")
    wait_until(nginx_answers, "nginx's answers")


def test_a_full_redis_is_given_no_new_look_ups(stack, office, token, redis):
    stored, new = office.account(), office.account()
    wait_until(
        lambda: bool(by_nginx(stack, ask_often(stack, stored, bearer(token)))), "nginx's answers"
    )
    # Beside it, what connections need for a moment is little.
    redis.setrange("ballast", 20_000_000, "x")
    used = redis.info("memory")["used_memory"]
    redis.config_set("maxmemory", int(used * 1.2))
    try:
        # What was known of the memory may be a second old.
        time.sleep(1.2)
        answers = ask_often(stack, new, bearer(token))
        assert {(one.status, source(one)) for one in answers} == {(200, POSTGRES)}
        assert redis.mget(f"tag:user:{new}", f"lookup:1:user:{new}") == [None, None]
        assert by_nginx(stack, ask_often(stack, stored, bearer(token)))
    finally:
        redis.config_set("maxmemory", MOST)
        redis.delete("ballast")


def test_strangers_make_no_tags(stack, token, redis):
    before = set(redis.keys("tag:user:*"))
    client = Client(stack.port)
    for number in range(20):
        path = f"/user/{9_000_000 + number}"
        assert client.ask("GET", path, bearer("nobody's")).status == 401
        assert client.ask("GET", path, "").status == 401
    client.close()
    assert set(redis.keys("tag:user:*")) == before


def made_profile(stack, token) -> str:
    """The path of a new profile."""
    body = {"full_name": "Ann Lee", "email_id": f"ann{time.monotonic_ns()}@example.com"}
    answer = ask(stack, "POST", "/profiles", bearer(token), orjson.dumps(body))
    return f"/profiles/{orjson.loads(answer.body)['ProfileID']}"


def test_nginx_answers_a_profile_as_an_instance_does(stack, token):
    path = made_profile(stack, token)
    client = Client(stack.port)
    answers = tried(
        lambda: [client.ask("GET", path, bearer(token)) for _ in range(30)],
        lambda answers: len(by_nginx(stack, answers)) > len(answers) / 2,
    )
    plain = client.ask("GET", f"{path}?x=1", bearer(token))
    client.close()
    own = by_nginx(stack, answers)
    assert len(own) > len(answers) / 2
    for answer in own:
        assert answer.body == plain.body
        assert headers_of(answer) == headers_of(plain)


def test_f16_a_profile_is_found_by_its_tenant_alone(stack, token, north):
    path = made_profile(stack, token)
    client = Client(stack.port)

    def answers_of_owners():
        owners, others = [], []
        for _ in range(30):
            owners.append(client.ask("GET", path, bearer(token)))
            others.append(client.ask("GET", path, bearer(north)))
            forged = client.ask("GET", path, bearer(north, "ntenant: default\r\n"))
            assert forged.status == 403
            assert client.ask("GET", path, "").status == 401
        assert {one.status for one in owners} == {200}
        assert {one.status for one in others} == {404}
        assert not by_nginx(stack, others)
        return owners

    owners = tried(answers_of_owners, lambda answers: bool(by_nginx(stack, answers)))
    client.close()
    assert by_nginx(stack, owners)


def test_f18_every_write_of_a_profile_shows_at_once(stack, token):
    path = made_profile(stack, token)
    client = Client(stack.port)

    def read():
        answers = [client.ask("GET", path, bearer(token)) for _ in range(4)]
        assert len({(one.status, one.status == 200 and one.body) for one in answers}) == 1
        return answers[0]

    read()
    for number in range(10):
        for method, body in (
            ("PATCH", {"full_name": f"Ann {number}"}),
            ("PUT", {"full_name": f"Eve {number}"}),
        ):
            assert client.ask(method, path, bearer(token), orjson.dumps(body)).status == 200
            assert orjson.loads(read().body)["full_name"] == body["full_name"]
        assert client.ask("DELETE", path, bearer(token)).status == 200
        assert read().status == 404
        assert client.ask("POST", f"{path}/restore", bearer(token)).status == 200
        assert read().status == 200
    client.close()
