"""F10 through nginx: how much may be sent, and how pictures are served."""

import http.client
import json
from pathlib import Path

import pytest

from users.services import images

pytestmark = pytest.mark.e2e

JSON = "application/json; charset=utf-8"
MEBIBYTE = 1024 * 1024
UPLOAD = "/profiles/0199aa00-0000-7000-8000-000000000001/_upload"
PICTURE = b"\xff\xd8\xff the bytes of a picture"
NAME = "profiles/ab/cd/abcd0123456789abcdef0123456789ab.jpg"


@pytest.fixture
def ask(site):
    def send(method, path, *, length=0, headers=()):
        connection = http.client.HTTPConnection("127.0.0.1", site.stack.port, timeout=20)
        try:
            connection.request(method, path, b"x" * length, dict(headers))
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    return send


@pytest.fixture
def picture(site):
    path = Path(site.stack.config.media) / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(PICTURE)
    yield path
    path.unlink(missing_ok=True)


@pytest.mark.parametrize("path", [UPLOAD, f"{UPLOAD}/", f"/api/fec2/hr-lax{UPLOAD}"])
def test_f10_oversize_upload_is_refused_in_the_words_of_its_route(ask, path):
    status, headers, body = ask("PUT", path, length=3 * MEBIBYTE + 1)

    assert (status, body) == (413, b'{"error":"Request body too large"}')
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["Cache-Control"] == "private, no-store"
    assert headers["X-Request-ID"]


def test_f10_the_largest_picture_and_its_form_reach_an_instance(ask):
    status, _, _ = ask("PUT", UPLOAD, length=images.MAX_BYTES + 1000)
    assert status != 413


TOO_LARGE = b"Request body too large"


@pytest.mark.parametrize(
    ("method", "path", "kind", "body"),
    [
        ("POST", "/reviews", "text/plain", TOO_LARGE),
        ("POST", "/media/profiles/1/_upload", "text/plain", TOO_LARGE),
        ("POST", "/admin/login/", "text/plain", TOO_LARGE),
        *(
            ("POST", path, JSON, b'{"status":"error","message":"Request body too large"}')
            for path in ("/login", "/login/", "/login?x=1", "/api/fec2/hr-lax/login", "/user/1")
        ),
        *(
            (method, path, JSON, b'{"error":"Request body too large"}')
            for method, path in (
                ("POST", "/profiles"),
                ("POST", "/profiles/_search"),
                ("PUT", "/profiles/1"),
                ("DELETE", "/api/fec2/hr-lax/profiles/1/"),
            )
        ),
        (
            "POST",
            "/oauth/token",
            "application/json",
            b'{"error": "invalid_request", "error_description": "Request body too large"}',
        ),
        *(
            (method, path, "application/problem+json", None)
            for method, path in (
                ("PATCH", "/profiles/1"),
                ("PUT", "/profiles/1/preferences/theme"),
                ("POST", "/profiles/1/restore"),
                ("POST", "/profiles/1/_uploads"),
                ("POST", "/profiles/1/2/_upload"),
                ("POST", "/products"),
                ("PATCH", "/products/1"),
                ("PUT", "/products/1/features"),
                ("PATCH", "/reviews/1"),
                ("POST", "/_upload"),
                ("POST", "/nothing"),
            )
        ),
    ],
)
def test_f10_no_other_route_takes_more_than_1_mb_and_each_says_so_in_its_own_words(
    ask, method, path, kind, body
):
    status, headers, told = ask(method, path, length=MEBIBYTE + 1)
    assert (status, headers["Content-Type"]) == (413, kind)
    assert headers.get_all("X-Content-Type-Options") == ["nosniff"]
    if body is not None:
        assert told == body
        return
    assert json.loads(told) == {
        "type": "about:blank",
        "title": "Request Entity Too Large",
        "status": 413,
        "detail": "Request body too large",
        "code": "too_large",
        "request_id": headers["X-Request-ID"],
    }


def test_picture_is_served_as_nothing_but_a_picture(ask, picture):
    status, headers, body = ask("GET", f"/media/{NAME}")

    assert (status, body) == (200, PICTURE)
    assert headers["Content-Type"] == "image/jpeg"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert "Set-Cookie" not in headers
    assert ask("HEAD", f"/media/{NAME}")[::2] == (200, b"")


def test_thumbnail_and_webp_are_served_too(ask, picture):
    for ending, kind in (("-64.jpg", "image/jpeg"), (".webp", "image/webp")):
        other = picture.with_name(picture.stem + ending)
        other.write_bytes(PICTURE)
        status, headers, _ = ask("GET", "/media/" + NAME.replace(".jpg", ending))
        assert (status, headers["Content-Type"]) == (200, kind)
        other.unlink()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_pictures_are_read_and_nothing_else(ask, picture, method):
    status, _, body = ask(method, f"/media/{NAME}")
    assert (status, body) == (405, b"Method not allowed")
    assert picture.read_bytes() == PICTURE


def test_deleted_picture_is_gone_at_once(ask, picture):
    assert ask("GET", f"/media/{NAME}")[0] == 200
    picture.unlink()
    status, headers, body = ask("GET", f"/media/{NAME}")
    assert (status, body) == (404, b"There is nothing here.")
    # Whoever asks for one too early shall not be told so for a year.
    assert "immutable" not in (headers["Cache-Control"] or "")


@pytest.mark.parametrize(
    "path",
    [
        *("/media", "/media/", "/media/profiles", "/media/profiles/", "/media/profiles/ab/"),
        *(f"/media/{NAME}/", f"/media/{NAME}%00.html", "/media/../run/web/", "/media/note.html"),
        *("/media/profiles/..%2f..%2fconfig/nginx/nginx.conf", "/media/profiles/ab/page.html"),
    ],
)
def test_neither_folders_nor_other_files_are_shown(ask, site, picture, path):
    (picture.parent.parent / "page.html").write_text("<script>alert(1)</script>")
    (Path(site.stack.config.media) / "note.html").write_text("<script>alert(1)</script>")
    status, _, body = ask("GET", path)
    assert status in {400, 404}
    assert b"script" not in body
    assert b"Index of" not in body
