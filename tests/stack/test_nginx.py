import re
from pathlib import Path

import pytest
from django.http import HttpResponse
from django.middleware.security import SecurityMiddleware
from django.test import RequestFactory

from stack import nginx
from stack.accounts import service_account
from stack.config import CHECKOUT, Config
from stack.debian import Nginx
from stack.errors import StackError

FOLDER = Path("/tmp/a/config/nginx")


def rendered(**values: str) -> dict[str, str]:
    settings = {"ATELIER_STATE_DIR": "/tmp/a", **values}
    config = Config(CHECKOUT, Path("python"), settings, service_account())
    return nginx.render(config, Nginx(Path("/")), FOLDER)


def test_each_instance_stands_once_as_server_and_once_as_backup():
    lines = [line.strip() for line in rendered()["upstream.conf"].splitlines() if "unix:" in line]

    sockets = [f"unix:/tmp/a/run/web/web-{number}.sock" for number in (1, 2, 3)]
    block = [
        *(f"server {socket} max_fails=3 fail_timeout=3s;" for socket in sockets),
        *(f"server {socket} backup max_fails=0;" for socket in sockets),
    ]
    # One upstream keeps connections open, the other makes them anew.
    assert lines == block * 2


def test_another_instance_is_one_setting():
    assert rendered(WEB_INSTANCES="4")["upstream.conf"].count("web-4.sock") == 4


def test_no_placeholder_is_left():
    for name, text in rendered().items():
        assert "${" not in text, name


def test_allowed_hosts_are_the_names_that_nginx_answers_to():
    site = rendered(ALLOWED_HOSTS="shop.example, .example.org")["site.conf"]

    assert "server_name shop.example .example.org;" in site


@pytest.mark.parametrize("host", ["a;b", "~evil", "a{", 'a"b', "http://a"])
def test_what_is_no_host_name_is_refused(host):
    with pytest.raises(StackError, match="ALLOWED_HOSTS"):
        rendered(ALLOWED_HOSTS=host)


def test_networks_are_checked():
    assert "    10.0.0.0/8 1;" in rendered(TRUSTED_NETWORKS="10.1.2.3/8")["maps.conf"]
    with pytest.raises(StackError, match="TRUSTED_NETWORKS"):
        rendered(TRUSTED_NETWORKS="example.org; return 200")


def test_forwarded_address_is_believed_from_named_proxies_only():
    assert "real_ip_header" not in rendered()["nginx.conf"]

    main = rendered(TRUSTED_PROXIES="10.0.0.7")["nginx.conf"]
    assert "set_real_ip_from 10.0.0.7/32;" in main
    assert "real_ip_header X-Forwarded-For;" in main


def test_clients_cannot_say_where_they_come_from():
    proxy = rendered()["proxy.conf"]

    assert "proxy_set_header X-Forwarded-For $remote_addr;" in proxy
    for name in ("X-Forwarded-Host", "Forwarded", "X-Real-IP"):
        assert f'proxy_set_header {name} "";' in proxy


def test_https_is_what_the_setting_says_not_what_a_client_sends():
    assert "X-Forwarded-Proto http;" in rendered()["proxy.conf"]
    assert "X-Forwarded-Proto https;" in rendered(HTTPS="true")["proxy.conf"]


def test_answers_ask_for_https_where_the_site_has_it(settings):
    line = f'add_header Strict-Transport-Security "{nginx.TRANSPORT_SECURITY}" always;'
    assert line in rendered(HTTPS="true")["headers.conf"]
    assert nginx.TRANSPORT_SECURITY not in rendered()["headers.conf"]

    # In the words of Django, which answers the staff's pages.
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True
    middleware = SecurityMiddleware(lambda request: HttpResponse())
    answer = middleware(RequestFactory().get("/", secure=True))
    assert answer["Strict-Transport-Security"] == nginx.TRANSPORT_SECURITY


def test_what_is_stored_lies_where_the_setting_says():
    assert "proxy_cache_path /tmp/a/cache/answers " in rendered()["nginx.conf"]
    main = rendered(CACHE_DIR="/dev/shm/b")["nginx.conf"]
    assert "proxy_cache_path /dev/shm/b/answers " in main
    assert "proxy_temp_path /dev/shm/b/proxy;" in main


def test_a_worker_cannot_run_out_of_files():
    """Open answers count as files too, and a client's connection has one to an instance."""
    main = rendered()["nginx.conf"]
    [limit] = re.findall(r"worker_rlimit_nofile (\d+);", main)
    [connections] = re.findall(r"worker_connections (\d+);", main)
    [answers] = re.findall(r"open_file_cache max=(\d+) ", main)
    assert int(answers) + 2 * int(connections) < int(limit)


def test_deadlines_nest():
    text = (CHECKOUT / "atelier" / "gunicorn.py").read_text()
    settings: dict[str, int] = {}
    exec(compile(text, "gunicorn.py", "exec"), settings)  # noqa: S102
    read_timeout = 5

    assert f"proxy_read_timeout {read_timeout}s;" in rendered()["proxy.conf"]
    assert 1.5 < read_timeout < settings["timeout"] < settings["graceful_timeout"] < 15


def test_look_ups_are_answered_by_nginx_only_where_there_is_a_cache():
    call = 'require("lookups").access("accounts")'
    assert call in rendered()["site.conf"]
    assert call not in rendered(CACHE_SECONDS="0")["site.conf"]
    assert "lookup_ms = 1800000" in rendered()["nginx.conf"]


def test_what_nginx_and_the_instances_tell_each_other_no_client_can_say_or_see():
    proxy = rendered()["proxy.conf"]
    for name in ("Scope", "Tags", "Permit"):
        assert f"proxy_set_header X-Cache-{name} $cache_{name.lower()};" in proxy
    assert "proxy_hide_header X-Accel-Permit;" in proxy
    # Every way to an instance has them.
    site = rendered()["site.conf"]
    assert site.count("proxy_pass") == site.count("/proxy.conf;")


def test_sign_ins_have_a_rate_of_their_own():
    files = rendered(SIGN_IN_RATE="40")
    assert "zone=sign_ins:10m rate=40r/m;" in files["maps.conf"]
    assert "limit_req zone=sign_ins burst=40 nodelay;" in files["site.conf"]
    assert "set $retry_after 2;" in files["site.conf"]
    with pytest.raises(StackError, match="SIGN_IN_RATE"):
        rendered(SIGN_IN_RATE="0")


def test_more_connections_than_nginx_can_count_are_refused():
    assert "limit_conn connections 65535;" in rendered(CONNECTION_LIMIT="65535")["site.conf"]
    with pytest.raises(StackError, match=r"CONNECTION_LIMIT .* 1 to 65535"):
        rendered(CONNECTION_LIMIT="65536")
