"""Readers of the environment: a bad value stops the start with the sentence that mends it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from jwt.algorithms import get_default_algorithms

from atelier import env


def test_text(monkeypatch):
    monkeypatch.setenv("THING", "value")
    assert env.text("THING") == "value"
    monkeypatch.delenv("THING")
    assert env.text("THING", default="x") == "x"
    assert env.text("THING", default="") == ""


@pytest.mark.parametrize("value", ["", None])
def test_a_missing_text_is_named(monkeypatch, value):
    if value is None:
        monkeypatch.delenv("THING", raising=False)
    else:
        monkeypatch.setenv("THING", value)
    with pytest.raises(ImproperlyConfigured, match=r"THING is not set\. Set it in"):
        env.text("THING")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("true", True),
        ("1", True),
        ("Yes", True),
        (" on ", True),
        ("FALSE", False),
        ("0", False),
        ("no", False),
        ("off", False),
    ],
)
def test_boolean(monkeypatch, value, expected):
    monkeypatch.setenv("THING", value)
    assert env.boolean("THING", default=not expected) is expected


@pytest.mark.parametrize("value", ["maybe", "2", "truee", "-"])
def test_a_boolean_that_is_none_is_refused(monkeypatch, value):
    monkeypatch.setenv("THING", value)
    with pytest.raises(ImproperlyConfigured, match="Set it to true or false"):
        env.boolean("THING", default=True)


def test_booleans_and_integers_have_defaults(monkeypatch):
    monkeypatch.delenv("THING", raising=False)
    assert env.boolean("THING", default=True) is True
    assert env.integer("THING", default=7) == 7


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "²", " ", "1e3", "4", "21", "9" * 5000])
def test_an_integer_out_of_range_is_refused(monkeypatch, value):
    monkeypatch.setenv("THING", value)
    with pytest.raises(ImproperlyConfigured, match="Set it to an integer >= 5 and <= 20"):
        env.integer("THING", default=9, minimum=5, maximum=20)


@pytest.mark.parametrize(
    "endpoint", ["127.0.0.1:9000", "s3.example", "ftp://s3.example", "http://"]
)
def test_a_bucket_is_served_at_an_address_or_nowhere(endpoint):
    unused = dict.fromkeys(("folder", "region", "access_key", "secret_key"), "")
    with pytest.raises(ImproperlyConfigured, match="MEDIA_S3_ENDPOINT is"):
        env.media_storage(bucket="pictures", endpoint=endpoint, **unused)


def test_integer_and_words(monkeypatch):
    monkeypatch.setenv("THING", "15")
    assert env.integer("THING", default=0) == 15
    monkeypatch.setenv("THING", " a, b ,,c,")
    assert env.words("THING", default="") == ["a", "b", "c"]
    monkeypatch.setenv("THING", "")
    assert env.words("THING", default="x") == ["x"]
    assert env.integer("THING", default=3) == 3


@pytest.mark.parametrize(
    ("url", "host", "name"),
    [
        ("postgres://me:p%40ss@db.example:5433/shop", "db.example", "shop"),
        ("postgresql://me@//run/shop/shop", "/run/shop", "shop"),
        ("postgresql://me@/%2Frun%2Fshop/shop", "/run/shop", "shop"),
    ],
)
def test_a_database_url(monkeypatch, url, host, name):
    monkeypatch.setenv("THING", url)
    settings = env.database("THING")
    assert settings["ENGINE"] == "django.db.backends.postgresql"
    assert (settings["HOST"], settings["NAME"], settings["USER"]) == (host, name, "me")


@pytest.mark.parametrize("url", ["sqlite:///x", "mysql://me@db/shop", "nonsense://x", ""])
def test_a_database_url_of_another_kind_is_refused(monkeypatch, url):
    monkeypatch.setenv("THING", url)
    with pytest.raises(ImproperlyConfigured, match="THING"):
        env.database("THING")


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("redis://cache.example:6379/0", "redis://cache.example:6379/1"),
        ("redis://:p%40ss@cache.example", "redis://:p%40ss@cache.example/1"),
        (
            "rediss://cache.example/0?ssl_cert_reqs=none",
            "rediss://cache.example/1?ssl_cert_reqs=none",
        ),
        ("unix:///run/redis.sock", "unix:///run/redis.sock?db=1"),
        ("unix:///run/redis.sock?db=0", "unix:///run/redis.sock?db=1"),
        ("unix://:p%40ss@/run/redis.sock", "unix://:p%40ss@/run/redis.sock?db=1"),
    ],
)
def test_a_redis_url_and_its_next_database(monkeypatch, url, other):
    monkeypatch.setenv("THING", url)
    assert env.redis("THING") == url
    assert env.redis_database(url, 1) == other


@pytest.mark.parametrize("url", ["memcached://x", "localhost:6379", "http://x"])
def test_a_redis_url_of_another_kind_is_refused(monkeypatch, url):
    monkeypatch.setenv("THING", url)
    with pytest.raises(ImproperlyConfigured, match="THING must start with redis://"):
        env.redis("THING")


@pytest.fixture
def checkout(tmp_path):
    """A copy of the settings, where a `.env` may be written."""
    source = env.BASE_DIR / "atelier"
    shutil.copytree(source, tmp_path / "atelier", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def settings_of(checkout: Path, expression: str, **environ: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", f"from atelier import settings; print(({expression}))"],
        cwd=checkout,
        env={"PATH": os.defpath, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


KEY = "only-for-tests-" + "0123456789abcdef" * 4
NEEDED = {
    "SECRET_KEY": KEY,
    "DATABASE_URL": "postgres://me@db.example/shop",
    "REDIS_URL": "redis://cache.example",
}


@pytest.mark.parametrize("missing", NEEDED)
def test_settings_without_a_needed_value_stop_with_its_name(checkout, missing):
    given = {name: value for name, value in NEEDED.items() if name != missing}
    finished = settings_of(checkout, "0", **given)
    assert finished.returncode != 0
    assert f"{missing} is not set. Set it in the environment or in .env." in finished.stderr


def test_the_environment_wins_over_the_file(checkout):
    (checkout / ".env").write_text(
        f"SECRET_KEY=file-{KEY}\nDATABASE_URL=postgres://me@file/shop\nREDIS_URL=redis://file\n"
    )
    expression = "settings.SECRET_KEY, settings.DATABASES['default']['HOST'], settings.REDIS_URL"
    finished = settings_of(checkout, expression)
    assert finished.stdout == f"('file-{KEY}', 'file', 'redis://file')\n"
    finished = settings_of(checkout, expression, SECRET_KEY=f"environment-{KEY}")
    assert finished.stdout == f"('environment-{KEY}', 'file', 'redis://file')\n"


@pytest.mark.parametrize(
    "key", ["short", "x" * 64, "abcd" * 16, f"django-insecure-{KEY}", KEY[:49]]
)
def test_a_key_that_can_be_guessed_is_for_debugging_only(monkeypatch, key):
    monkeypatch.setenv("THING", key)
    with pytest.raises(ImproperlyConfigured) as refused:
        env.secret("THING", is_checked=True)
    assert str(refused.value) == "THING can be guessed. Set it to 50 random characters or more."
    assert env.secret("THING", is_checked=False) == key
    monkeypatch.setenv("THING", KEY)
    assert env.secret("THING", is_checked=True) == KEY


def test_only_debugging_takes_any_key(checkout):
    given = {**NEEDED, "SECRET_KEY": "short"}
    assert "SECRET_KEY can be guessed." in settings_of(checkout, "0", **given).stderr
    assert settings_of(checkout, "0", **given, DEBUG="true").stdout == "0\n"


def test_each_algorithm_of_tokens_is_one_that_checks_them(checkout):
    finished = settings_of(checkout, "0", **NEEDED, TOKEN_ALGORITHM="none")
    [offered] = re.findall(r"TOKEN_ALGORITHM is 'none'\. Set it to one of (.*)\.", finished.stderr)
    assert set(offered.split(", ")) <= set(get_default_algorithms())


def test_https_closes_cookies_and_sends_hsts(checkout):
    expression = (
        "settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE,"
        " settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS > 0, settings.DEBUG"
    )
    closed = settings_of(checkout, expression, **NEEDED, HTTPS="true").stdout
    assert closed == "(True, True, True, True, False)\n"
    opened = settings_of(checkout, expression, **NEEDED).stdout
    assert opened == "(False, False, False, False, False)\n"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("", set()), ("10.0.0.9", {"10.0.0.9"}), ("10.0.0.9, ::0001 ", {"10.0.0.9", "::1"})],
)
def test_addresses(monkeypatch, value, expected):
    monkeypatch.setenv("THING", value)
    assert env.addresses("THING") == expected


@pytest.mark.parametrize("value", ["nginx", "10.0.0.0/8", "10.0.0.9 10.0.0.8"])
def test_what_is_no_address_is_named(monkeypatch, value):
    monkeypatch.setenv("THING", value)
    with pytest.raises(ImproperlyConfigured, match=r"THING: .* Set it to IP addresses"):
        env.addresses("THING")


@pytest.mark.parametrize(("value", "expected"), [("", ""), ("us", "US"), (" CA ", "CA")])
def test_region(monkeypatch, value, expected):
    monkeypatch.setenv("THING", value)
    assert env.region("THING") == expected


@pytest.mark.parametrize("value", ["USA", "U1", "ÄÖ"])
def test_what_is_no_region_is_named(monkeypatch, value):
    monkeypatch.setenv("THING", value)
    with pytest.raises(ImproperlyConfigured, match=r"THING is .* such as US"):
        env.region("THING")


def test_networks_are_read_and_bad_ones_named(monkeypatch):
    monkeypatch.setenv("NETWORKS", "10.0.0.0/8, 192.0.2.1,fd00::/8")
    found = [str(network) for network in env.networks("NETWORKS", default="")]
    assert found == ["10.0.0.0/8", "192.0.2.1/32", "fd00::/8"]
    for bad in ("10.0.0.1/8", "everywhere"):
        monkeypatch.setenv("NETWORKS", bad)
        with pytest.raises(ImproperlyConfigured, match="NETWORKS holds"):
            env.networks("NETWORKS", default="")


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("https://shop.example", "https://shop.example/"),
        ("https://shop.example/pictures/", "https://shop.example/pictures/"),
        ("", "http://localhost/"),
    ],
)
def test_an_address_that_others_continue_ends_in_a_slash(monkeypatch, value, url):
    monkeypatch.setenv("PUBLIC_URL", value)
    assert env.base_url("PUBLIC_URL", default="http://localhost") == url


@pytest.mark.parametrize(
    "value", ["shop.example", "/media/", "ftp://shop.example", "https://", "https://a.example/?b=c"]
)
def test_an_address_that_is_not_absolute_is_refused(monkeypatch, value):
    monkeypatch.setenv("PUBLIC_URL", value)
    with pytest.raises(ImproperlyConfigured, match="PUBLIC_URL"):
        env.base_url("PUBLIC_URL", default="")


@pytest.mark.parametrize("value", ["LOUD", "info"])
def test_a_choice_that_is_none_is_refused(monkeypatch, value):
    monkeypatch.setenv("THING", value)
    with pytest.raises(ImproperlyConfigured, match=f"THING is '{value}'. Set it to one of A, INFO"):
        env.choice("THING", default="INFO", among=("A", "INFO"))
    monkeypatch.setenv("THING", "")
    assert env.choice("THING", default="INFO", among=("A", "INFO")) == "INFO"


def test_a_file_is_there_or_the_setting_empty(monkeypatch, tmp_path):
    monkeypatch.setenv("THING", "")
    assert env.file("THING") == ""
    path = tmp_path / "a.mmdb"
    for missing in (path, tmp_path):
        monkeypatch.setenv("THING", str(missing))
        with pytest.raises(ImproperlyConfigured, match=r"THING is '.*'\. Set it to a file"):
            env.file("THING")
    path.touch()
    monkeypatch.setenv("THING", str(path))
    assert env.file("THING") == str(path)


@pytest.mark.parametrize("command", ["check", "migrate", "import_all"])
@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("DELIVERY_ALLOWED_NETWORKS", "foo"),
        ("LOG_LEVEL", "loud"),
        ("CLIENT_RATE", "many"),
        ("GEOIP_MMDB", "/no/such.mmdb"),
    ],
)
def test_the_command_line_says_in_one_line_which_setting_is_wrong(command, name, bad):
    finished = subprocess.run(
        [sys.executable, "manage.py", command],
        cwd=env.BASE_DIR,
        env={**os.environ, name: bad},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 1
    [line] = finished.stderr.splitlines()
    assert line.startswith(f"error: {name} ")
    assert repr(bad) in line
    assert "Set it to" in line


@pytest.mark.parametrize(
    ("command", "place"), [("migrate", "127.0.0.1:1"), ("rebuild_review_meta", "//no/such/folder")]
)
def test_the_command_line_says_in_one_line_that_there_is_no_database(command, place):
    finished = subprocess.run(
        [sys.executable, "manage.py", command],
        cwd=env.BASE_DIR,
        env={**os.environ, "DATABASE_URL": f"postgresql://nobody@{place}/shop"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 1
    [line] = finished.stderr.splitlines()
    assert line.startswith("error: DATABASE_URL cannot be reached: ")
    assert place.strip("/").split(":")[0] in line
