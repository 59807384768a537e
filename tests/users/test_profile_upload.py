"""The route of pictures, as the legacy API had it; what becomes of one is the service's test."""

import socket
from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from PIL import Image

from atelier import env
from atelier.core.exception_handler import LEGACY_FAILURE
from tests.users.profiles import ANN, BO, NOBODY, ann_and_bo, send
from users.models import Profile

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def people(settings):
    settings.OPEN_WITHOUT_TOKENS = True
    return ann_and_bo()


def picture():
    content = BytesIO()
    Image.new("RGB", (40, 30), "red").save(content, "PNG")
    return content.getvalue()


def upload(client, profile_id, content, field="profile_image"):
    form = {field: SimpleUploadedFile("../../x.svg", content, "image/svg+xml")}
    body = encode_multipart(BOUNDARY, form)
    return client.put(f"/profiles/{profile_id}/_upload", body, MULTIPART_CONTENT)


def test_a_picture_is_answered_with_its_address(client):
    response = upload(client, BO, picture())
    assert response.status_code == 200
    url = client.get(f"/profiles/{BO}").json()["image_url"]
    assert url.startswith("http://localhost/media/profiles/")
    told = f"File upload successful. File uploaded at {url}"
    assert response.json() == {"status": told}
    assert response["Cache-Control"] == "private, no-store"
    found = send(client, "POST", "/profiles/_search", {"query": "bo"}).json()
    assert [entry["ProfileImageURL"] for entry in found] == [url]
    assert Profile.objects.get(pk=BO).updated_by == "anonymous"


@pytest.mark.parametrize(
    ("content", "status"), [(b"<svg/>", 400), (b"", 400), (b"x" * (2 * 1024**2 + 1), 413)]
)
def test_f10_what_is_no_picture_is_refused(client, content, status):
    response = upload(client, ANN, content)
    assert response.status_code == status
    assert list(response.json()) == ["error"]
    assert Profile.objects.get(pk=ANN).image == "profiles/a.jpg"


def test_f10_a_body_that_holds_no_picture_is_400(client):
    assert upload(client, ANN, picture(), field="picture").status_code == 400
    for body, kind in [
        (b"{}", "application/json"),
        (b"", MULTIPART_CONTENT),
        (b"x", "multipart/form-data"),
        (picture(), "image/png"),
    ]:
        response = client.put(f"/profiles/{ANN}/_upload", body, kind)
        assert response.status_code == 400, kind
        assert response.json()["error"]


def test_a_bucket_that_does_not_answer_is_a_503_and_changes_nothing(client, settings):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        bucket = env.media_storage(
            folder="",
            bucket="pictures",
            endpoint=f"http://127.0.0.1:{nobody.getsockname()[1]}",
            region="us-east-1",
            access_key="a",
            secret_key="b",
        )
        settings.STORAGES = {**settings.STORAGES, "default": bucket}
        response = upload(client, ANN, picture())
    assert (response.status_code, response["Retry-After"]) == (503, "1")
    assert response.json() == {"error": LEGACY_FAILURE}
    assert Profile.objects.get(pk=ANN).image == "profiles/a.jpg"


@pytest.mark.parametrize("profile_id", [NOBODY, "x"])
def test_a_picture_of_nobody_is_a_404(client, profile_id):
    response = upload(client, profile_id, picture())
    assert response.status_code == 404
    assert response.json() == {"error": "There is no such profile."}
