import os
from pathlib import Path

import pytest

from stack.accounts import service_account
from stack.application import Application
from stack.config import CHECKOUT, Config, default_state, load, running_python
from stack.errors import StackError


def configured(**values: str) -> Config:
    return Config(CHECKOUT, Path("python"), values, service_account())


def test_too_long_a_socket_path_names_the_setting():
    config = configured(ATELIER_STATE_DIR="/tmp/" + "x" * 100)

    with pytest.raises(StackError, match="set ATELIER_STATE_DIR to a shorter folder"):
        config.check()


@pytest.mark.parametrize(
    "folder", [{"ATELIER_STATE_DIR": "var"}, {"CACHE_DIR": "var"}, {"MEDIA_ROOT": "var"}]
)
def test_a_relative_folder_is_refused(folder):
    with pytest.raises(StackError, match=f"{next(iter(folder))} is var: .* absolute path"):
        configured(**{"ATELIER_STATE_DIR": "/tmp/a", **folder}).check()


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "８０００"])
def test_bad_port_names_the_setting(port):
    with pytest.raises(StackError, match="HTTP_PORT is"):
        configured(ATELIER_STATE_DIR="/tmp/a", HTTP_PORT=port).check()


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("REDIS_MAXMEMORY", "lots"),
        ("REDIS_MAXMEMORY", "1.5gb"),
        ("REDIS_MAXMEMORY", "-1"),
        ("CACHE_SIZE", "2gb"),
        ("CACHE_SIZE", "0"),
    ],
)
def test_a_size_that_its_program_would_not_read_names_the_setting(name, bad):
    with pytest.raises(StackError, match=f"^{name} is '{bad}': set it to a size such as "):
        configured(ATELIER_STATE_DIR="/tmp/a", **{name: bad}).check()


@pytest.mark.parametrize("host", ["300.1.1.1", "no such name", "::1::"])
def test_a_host_that_nothing_can_listen_on_is_refused(host):
    with pytest.raises(StackError, match=f"^HTTP_HOST is '{host}': set it to an address of this"):
        configured(ATELIER_STATE_DIR="/tmp/a", HTTP_HOST=host).check()


@pytest.mark.parametrize("host", ["", "127.0.0.1", "::", "::1", "localhost"])
def test_addresses_and_names_of_this_machine_are_hosts(host):
    configured(ATELIER_STATE_DIR="/tmp/a", HTTP_HOST=host).check()


@pytest.mark.parametrize("number", ["x", "-1", "1.5"])
def test_a_sample_of_no_number_is_refused(number):
    with pytest.raises(StackError, match=f"^SAMPLE_PRODUCTS is '{number}': set it to a whole"):
        configured(ATELIER_STATE_DIR="/tmp/a", SAMPLE_PRODUCTS=number).check()


@pytest.mark.parametrize("size", ["1", "1024", "64k", "15mb", "16m", "16777215B"])
def test_redis_is_given_what_it_needs_for_itself(size):
    with pytest.raises(StackError, match=f"^REDIS_MAXMEMORY is '{size}': set it to 16mb or more"):
        configured(ATELIER_STATE_DIR="/tmp/a", REDIS_MAXMEMORY=size).check()


@pytest.mark.parametrize("size", ["0", "0mb", "16777216", "16mb", "256mb", "2GB", "20000k"])
def test_redis_reads_its_size_with_or_without_a_unit(size):
    configured(ATELIER_STATE_DIR="/tmp/a", REDIS_MAXMEMORY=size).check()


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("DELIVERY_ALLOWED_NETWORKS", "foo"),
        ("DEBUG", "maybe"),
        ("GEOIP_MMDB", "/no/such.mmdb"),
        ("TOKEN_ALGORITHM", "XX"),
    ],
)
def test_a_setting_that_django_refuses_is_told_in_a_line(name, bad):
    values = {
        "ATELIER_STATE_DIR": "/tmp/a",
        "SECRET_KEY": "only-for-tests-" + "0123456789abcdef" * 4,
        "DATABASE_URL": "postgresql://a@/a",
        "REDIS_URL": "redis://localhost",
    }
    config = Config(CHECKOUT, running_python(), values, service_account())
    Application(config, {**os.environ, **values}).check_settings()
    with pytest.raises(StackError) as refused:
        Application(config, {**os.environ, **values, name: bad}).check_settings()
    assert str(refused.value).startswith(name)
    assert repr(bad) in str(refused.value)
    assert "Set it to" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_nothing_is_embedded_where_urls_point_elsewhere():
    config = configured(
        ATELIER_STATE_DIR="/tmp/a",
        DATABASE_URL="postgresql://shop@db.internal/shop",
        REDIS_URL="redis://cache.internal:6379",
    )

    assert not config.has_own_postgres
    assert not config.has_own_redis


def test_urls_of_the_embedded_servers_count_as_embedded():
    config = configured(
        ATELIER_STATE_DIR="/tmp/a",
        DATABASE_URL="postgresql://atelier@//tmp/a/run/postgres/atelier",
        REDIS_URL="unix:///tmp/a/run/redis/redis.sock",
    )

    assert config.has_own_postgres
    assert config.has_own_redis


def test_environment_wins_over_the_env_file(tmp_path):
    (tmp_path / ".env").write_text("HTTP_PORT=8000\nWEB_WORKERS=3\n")

    config = load(tmp_path, {"HTTP_PORT": "8101"})
    assert config.http_port == 8101
    assert config.text("WEB_WORKERS") == "3"


def test_state_of_two_checkouts_of_one_name_differs():
    first, second = Path("/srv/a/atelier"), Path("/srv/b/atelier")

    assert default_state(first) != default_state(second)
    if os.geteuid() != 0:
        assert default_state(first) == first / "var"


def test_pictures_are_found_where_the_site_listens_unless_told_otherwise():
    config = configured(ATELIER_STATE_DIR="/tmp/a", HTTP_PORT="8101", PUBLIC_URL="")
    assert config.environ["PUBLIC_URL"] == "http://127.0.0.1:8101"
    assert config.environ["MEDIA_ROOT"] == "/tmp/a/media"

    config = configured(ATELIER_STATE_DIR="/tmp/a", PUBLIC_URL="https://shop.example")
    assert config.environ["PUBLIC_URL"] == "https://shop.example"
