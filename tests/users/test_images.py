"""Pictures of profiles: what is taken, what becomes of it, and when it goes (F10)."""

import errno
import io
import os
import re
import struct
import subprocess
import sys
import threading
import time
import zlib
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
from django.core.exceptions import RequestDataTooBig
from django.core.files.storage import FileSystemStorage, default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.test import RequestFactory
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from moto.server import ThreadedMotoServer
from PIL import Image

from atelier import env
from atelier.core.checks import pictures_in_a_bucket_have_an_address
from atelier.core.errors import Invalid
from atelier.core.uploads import uploaded_file
from tests.factories.users import ProfileFactory, TenantFactory
from tests.threads import Aside
from users.services import images
from users.services.profiles import UnknownProfile, delete_profile

pytestmark = [
    pytest.mark.django_db,
    # As in a process of the site.
    pytest.mark.filterwarnings("error::PIL.Image.DecompressionBombWarning"),
]

NAME = re.compile(r"profiles/([0-9a-f]{2})/([0-9a-f]{2})/\1\2[0-9a-f]{28}\.(jpg|webp)")
GPS, ORIENTATION, MAKE = 0x8825, 0x0112, 0x010F
TURNED_RIGHT = 6
RED, BLUE = (250, 0, 0), (0, 0, 250)


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path / "media")
    settings.STORAGES = {
        **settings.STORAGES,
        "default": storage(folder=settings.MEDIA_ROOT),
    }
    settings.MEDIA_URL = "https://shop.example/media/"
    return Path(settings.MEDIA_ROOT)


@pytest.fixture
def profile():
    return ProfileFactory()


def storage(**options):
    unused = {"folder": "", "bucket": "", "endpoint": "", "region": ""}
    return env.media_storage(**{**unused, "access_key": "", "secret_key": "", **options})


def store(profile, content):
    """Store a picture; the name under which it is kept."""
    url = images.store_image(
        tenant_id=profile.tenant_id, profile_id=profile.pk, content=content, by="client-7"
    )
    profile.refresh_from_db()
    assert url == images.url_of(profile.image)
    return profile.image


def encoded(kind, *, mode="RGB", size=(40, 20), colour=RED, **options):
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, kind, **options)
    return buffer.getvalue()


def opened(name):
    with default_storage.open(name) as file:
        picture = Image.open(io.BytesIO(file.read()))
    picture.load()
    return picture


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def png(width, height, *, rows=b""):
    """A PNG that says it is so wide and high, whatever its rows hold."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (encoded("JPEG"), "JPEG"),
        (encoded("PNG"), "JPEG"),
        (encoded("WEBP", lossless=True), "JPEG"),
        (encoded("GIF"), "JPEG"),
        (encoded("PNG", mode="RGBA", colour=(*RED, 128)), "WEBP"),
        (encoded("PNG", mode="LA", colour=(100, 128)), "WEBP"),
        (encoded("PNG", mode="P", colour=3, transparency=3), "WEBP"),
        (encoded("PNG", mode="L", colour=100), "JPEG"),
        (encoded("PNG", mode="I;16", colour=0x6400), "JPEG"),
        (encoded("PNG", mode="1", colour=1), "JPEG"),
        (encoded("JPEG", mode="CMYK", colour=(0, 200, 200, 0)), "JPEG"),
    ],
)
def test_picture_is_drawn_anew_with_thumbnails(profile, media, content, kind):
    name = store(profile, content)

    assert NAME.fullmatch(name)
    assert opened(name).format == kind
    assert opened(name).size == (40, 20)
    thumbnails = images.thumbnail_names(name)
    assert {side: opened(each).size for side, each in thumbnails.items()} == {
        64: (40, 20),
        256: (40, 20),
    }
    assert files_below(media) == sorted([name, *thumbnails.values()])
    assert profile.updated_by == "client-7"


def test_grey_of_16_bits_keeps_its_tone(profile):
    name = store(profile, encoded("PNG", mode="I;16", colour=0x6400))
    assert all(abs(part - 0x64) < 3 for part in opened(name).getpixel((10, 10)))


def test_large_picture_becomes_smaller_and_its_thumbnails_keep_its_shape(profile):
    name = store(profile, encoded("JPEG", size=(4000, 2000)))

    assert opened(name).size == (1600, 800)
    sizes = {side: opened(each).size for side, each in images.thumbnail_names(name).items()}
    assert sizes == {64: (64, 32), 256: (256, 128)}


def test_first_frame_of_an_animation_is_the_picture(profile):
    frames = [Image.new("RGB", (20, 20), colour) for colour in (RED, BLUE)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])

    picture = opened(store(profile, buffer.getvalue()))

    assert picture.getpixel((10, 10))[0] > 200
    assert getattr(picture, "n_frames", 1) == 1


def test_f10_place_and_every_other_word_about_a_picture_are_gone(profile):
    exif = Image.Exif()
    exif[MAKE] = "Camera-of-Ann"
    exif.get_ifd(GPS)[2] = (48.0, 51.0, 30.0)
    content = encoded("JPEG", exif=exif, comment=b"taken-at-home", icc_profile=b"profile-of-ann")
    assert b"Camera-of-Ann" in content

    name = store(profile, content)

    for each in (name, *images.thumbnail_names(name).values()):
        with default_storage.open(each) as file:
            kept = file.read()
        assert not [word for word in (b"Ann", b"home", b"ann", b"Exif", b"ICC_") if word in kept]
        picture = opened(each)
        assert not dict(picture.getexif())
        assert not {"exif", "comment", "icc_profile", "xmp"} & set(picture.info)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_f10_orientation_is_applied_before_it_is_stripped(profile, kind):
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED_RIGHT
    picture = Image.new("RGB", (40, 20), RED)
    picture.paste(BLUE, (20, 0, 40, 20))
    buffer = io.BytesIO()
    picture.save(buffer, kind, exif=exif)

    upright = opened(store(profile, buffer.getvalue()))

    assert upright.size == (20, 40)
    assert upright.getpixel((10, 5))[0] > 200
    assert upright.getpixel((10, 35))[2] > 200


# Nothing that is drawn needs a file behind its pixels, or a script before them.
ZIP = b"PK\x03\x04" + b"archive-inside" * 20
SCRIPT = b"*/=1;alert(document.domain);/*"


@pytest.mark.parametrize(
    ("content", "hidden"),
    [
        (encoded("JPEG") + ZIP, b"archive-inside"),
        (encoded("PNG") + ZIP, b"archive-inside"),
        (encoded("GIF") + SCRIPT, b"alert"),
        (encoded("GIF", comment=SCRIPT), b"alert"),
        (encoded("JPEG", comment=b"<script>alert(1)</script>"), b"script"),
    ],
)
def test_f10_what_hides_in_a_picture_is_not_stored(profile, media, content, hidden):
    assert hidden in content

    store(profile, content)

    assert not [name for name in files_below(media) if hidden in (media / name).read_bytes()]


WHOLE = {kind: encoded(kind, size=(300, 300)) for kind in ("JPEG", "PNG", "WEBP", "GIF")}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<?xml version='1.0'?><svg/>",
        b"%PDF-1.7",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        ZIP,
        encoded("BMP"),
        encoded("TIFF"),
        encoded("ICO"),
        encoded("PPM"),
        encoded("TGA"),
        *(whole[: len(whole) // 2] for whole in WHOLE.values()),
        *(whole[:40] for whole in WHOLE.values()),
        png(0, 20),
        png(30, 30, rows=b"\x00" * 100),
    ],
)
def test_f10_what_is_no_whole_picture_of_four_kinds_is_refused(profile, media, content):
    with pytest.raises(images.NotAnImage):
        store(profile, content)

    profile.refresh_from_db()
    assert profile.image == ""
    assert files_below(media) == []


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "PPM"])
def test_f10_what_is_refused_is_a_picture_that_pillow_could_read(kind):
    assert Image.open(io.BytesIO(encoded(kind))).size == (40, 20)


# The first could be drawn and is not, the others say more than they hold.
BOMBS = {
    "a little too many": (5001, 5000),
    "more than Pillow warns of": (8000, 6000),
    "more than Pillow bears": (30_000, 30_000),
    "more than there could be": (2**31 - 1, 2**31 - 1),
}


@pytest.mark.parametrize("size", BOMBS.values(), ids=BOMBS)
def test_f10_png_bomb_is_refused_by_its_header(profile, size):
    with pytest.raises(images.ImageTooLarge):
        store(profile, png(*size))


BOMB = """
import sys
import django
django.setup()
from users.services import images

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

content = sys.stdin.buffer.read()
before = peak()
try:
    images._drawn(content)
    said = "drawn"
except images.ImageTooLarge:
    said = "refused"
print(said, peak() - before)
"""


def drawn_apart(content):
    """What a process of its own says of a picture, and by how many KB it grew."""
    done = subprocess.run(
        [sys.executable, "-c", BOMB], input=content, capture_output=True, check=True
    )
    said, growth = done.stdout.split()
    return said.decode(), int(growth)


def test_f10_memory_of_a_bomb_is_never_taken():
    rows = (b"\x00" * (1 + 3 * 9000)) * 9000
    content = png(9000, 9000, rows=rows)
    assert len(content) < 300_000
    assert drawn_apart(content) == ("refused", pytest.approx(0, abs=20_000))


def test_f10_memory_of_the_largest_picture_is_bounded():
    rows = (b"\x00" * (1 + 3 * 5000)) * 5000
    said, growth = drawn_apart(png(5000, 5000, rows=rows))
    assert said == "drawn"
    assert growth < 250_000


def test_f10_more_than_2_mb_are_not_even_opened(profile):
    with pytest.raises(images.ImageTooLarge):
        store(profile, encoded("JPEG") + b"\x00" * images.MAX_BYTES)
    with pytest.raises(images.ImageTooLarge):
        store(profile, io.BytesIO(encoded("JPEG") + b"\x00" * images.MAX_BYTES))


def test_f10_names_are_random_and_owe_the_sender_nothing(profile):
    upload = SimpleUploadedFile("../../etc/ann.php", encoded("JPEG"), "text/html")
    names = {store(profile, upload.open()) for _ in range(3)}
    assert len(names) == 3
    assert all(NAME.fullmatch(name) for name in names)


def test_earlier_picture_goes_after_the_commit(profile, media, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        earlier = store(profile, encoded("JPEG"))
    with django_capture_on_commit_callbacks() as callbacks:
        later = store(profile, encoded("PNG"))

    assert default_storage.exists(earlier)
    for callback in callbacks:
        callback()
    assert files_below(media) == sorted([later, *images.thumbnail_names(later).values()])


class WatchedStorage(FileSystemStorage):
    """A folder, and something that happens before each file is written."""

    before = staticmethod(lambda name: None)

    def _save(self, name, content):
        self.before(name)
        return super()._save(name, content)


@pytest.fixture
def watched(settings, media, monkeypatch):
    def watch(before):
        monkeypatch.setattr(WatchedStorage, "before", staticmethod(before))
        kept = {"BACKEND": f"{__name__}.WatchedStorage", "OPTIONS": {"location": str(media)}}
        settings.STORAGES = {**settings.STORAGES, "default": kept}

    return watch


def test_nothing_is_left_behind_where_the_storage_fails_half_way(profile, media, watched):
    def fill_up(name):
        if "-256" in name:
            (media / name).write_bytes(b"half of it")
            raise OSError(errno.ENOSPC, "No space left on device")

    watched(fill_up)
    with pytest.raises(images.StorageUnavailable) as raised:
        store(profile, encoded("JPEG"))
    assert "No space" in str(raised.value.__cause__)
    profile.refresh_from_db()
    assert (profile.image, files_below(media)) == ("", [])


@pytest.mark.django_db(transaction=True)
def test_a_hanging_storage_holds_no_row_and_one_thread_only(profile, media, watched):
    begun, is_back = threading.Event(), threading.Event()
    in_transaction, hanging = [], []

    def fail(name):
        in_transaction.append(connection.in_atomic_block)
        raise OSError(errno.ETIMEDOUT, "It does not answer")

    def hang(name):
        hanging.append(name)
        begun.set()
        assert is_back.wait(30)

    watched(fail)
    with pytest.raises(images.StorageUnavailable):
        store(profile, encoded("JPEG"))
    assert in_transaction == [False]
    watched(hang)
    with Aside(lambda: store(profile, encoded("JPEG"))) as first:
        assert begun.wait(30)
        for _ in range(5):
            with pytest.raises(images.StorageUnavailable):
                store(profile, encoded("PNG"))
        assert len(hanging) == 1
        is_back.set()
        assert first.result() in files_below(media)
    # Nobody waits for anybody once it answers again.
    watched(lambda name: None)
    with images._trying:
        store(profile, encoded("PNG"))


def test_nothing_is_left_behind_where_the_profile_goes_meanwhile(profile, media, watched):
    def delete(name):
        if "-" not in name:
            delete_profile(tenant_id=profile.tenant_id, profile_id=profile.pk, by="another")

    watched(delete)
    with pytest.raises(UnknownProfile):
        store(profile, encoded("JPEG"))
    assert files_below(media) == []


def test_picture_goes_when_asked(profile, media, django_capture_on_commit_callbacks):
    where = {"tenant_id": profile.tenant_id, "profile_id": profile.pk, "by": "client-7"}
    store(profile, encoded("JPEG"))
    with django_capture_on_commit_callbacks(execute=True):
        assert images.remove_image(**where) is True
    profile.refresh_from_db()
    assert (profile.image, files_below(media)) == ("", [])
    assert images.remove_image(**where) is False


def test_profile_of_another_tenant_is_unknown(profile, media):
    where = {"tenant_id": TenantFactory(name="other").pk, "profile_id": profile.pk, "by": "b"}
    with pytest.raises(UnknownProfile):
        images.store_image(content=encoded("JPEG"), **where)
    with pytest.raises(UnknownProfile):
        images.remove_image(**where)
    assert files_below(media) == []


def test_no_picture_has_no_address():
    assert images.url_of("") == ""
    assert images.thumbnail_names("") == {}


def test_files_can_be_read_by_others_whatever_the_umask_is(profile, media):
    name = store(profile, encoded("JPEG"))
    assert (media / name).stat().st_mode & 0o777 == 0o644
    assert (media / name).parent.stat().st_mode & 0o777 == 0o755


@pytest.fixture(scope="module")
def object_store():
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield {"endpoint": f"http://{host}:{port}", "access_key": "test", "secret_key": "test"}
    server.stop()


def test_a_bucket_that_hangs_is_asked_once(profile, settings):
    """A second request would hang as long, and nginx would lose patience."""
    asked = []

    class Hanging(BaseHTTPRequestHandler):
        def handle_one_request(self):
            asked.append(self.rfile.readline().split(b" ")[0])
            is_over.wait(60)

    is_over = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hanging)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        keys = {"access_key": "test", "secret_key": "test", "region": "us-east-1"}
        endpoint = f"http://127.0.0.1:{server.server_port}"
        bucket = storage(bucket="pictures", endpoint=endpoint, **keys)
        settings.STORAGES = {**settings.STORAGES, "default": bucket}
        with pytest.raises(images.StorageUnavailable):
            store(profile, encoded("JPEG"))
    finally:
        is_over.set()
        server.shutdown()
        server.server_close()
    assert asked == [b"PUT"]


def test_pictures_are_kept_in_a_bucket_where_one_is_named(
    profile, media, settings, object_store, django_capture_on_commit_callbacks, monkeypatch
):
    bucket = {"bucket": "pictures", "region": "us-east-1", **object_store}
    settings.STORAGES = {**settings.STORAGES, "default": storage(**bucket)}
    settings.MEDIA_URL = "https://pictures.example/"
    client = boto3.client(
        "s3",
        endpoint_url=bucket["endpoint"],
        region_name=bucket["region"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    client.create_bucket(Bucket="pictures")

    def keys():
        found = client.list_objects_v2(Bucket="pictures").get("Contents", [])
        return sorted(each["Key"] for each in found)

    name = store(profile, encoded("PNG"))

    assert images.url_of(name) == f"https://pictures.example/{name}"
    assert keys() == sorted([name, *images.thumbnail_names(name).values()])
    head = client.head_object(Bucket="pictures", Key=name)
    assert head["ContentType"] == "image/jpeg"
    assert head["CacheControl"] == "private, max-age=31536000, immutable"
    assert files_below(media) == []
    lost = "profiles/ff/ff/" + "f" * 32 + ".jpg"
    client.put_object(Bucket="pictures", Key=lost, Body=b"x")
    assert images.prune_images() == 0
    monkeypatch.setattr(images, "PRUNED_AFTER", -timedelta(days=1))
    assert images.prune_images() == 1
    assert lost not in keys()
    assert len(keys()) == 3
    with django_capture_on_commit_callbacks(execute=True):
        images.remove_image(tenant_id=profile.tenant_id, profile_id=profile.pk, by="client-7")
    assert keys() == []


def test_what_no_profile_names_is_pruned_after_a_day_and_nothing_else(media, profile, capsys):
    kept, gone = store(profile, encoded("PNG")), ProfileFactory(tenant=profile.tenant)
    kept_too = store(gone, encoded("PNG"))
    delete_profile(tenant_id=gone.tenant_id, profile_id=gone.pk, by="x")
    lost = [f"profiles/{n}{n}/00/{n * 2}00{n * 28}.{end}" for n in "0f" for end in ("jpg", "webp")]
    lost += [f"{name[:-4]}-64{name[-4:]}" for name in (lost[0], kept[:15] + "0" * 32 + ".jpg")]
    others = [
        "profiles/note.jpg",
        "profiles/zz/00/" + "0" * 32 + ".jpg",
        "profiles/00/00/" + "0" * 32 + ".png",
        "other/00/00/" + "0" * 32 + ".jpg",
    ]
    young = "profiles/00/00/" + "1" * 32 + ".jpg"
    for name in [*lost, *others, young]:
        default_storage.save(name, io.BytesIO(b"x"))
    old = time.time() - 25 * 3600
    for file in files_below(media):
        if young not in str(file):
            os.utime(media / file, (old, old))
    before = files_below(media)

    call_command("prune_pictures", "--dry-run")
    assert files_below(media) == before
    call_command("prune_pictures")
    call_command("prune_pictures")
    told = capsys.readouterr().out.splitlines()
    assert told == ["files to delete: 6", "files deleted: 6", "files deleted: 0"]
    assert all(default_storage.exists(name) for name in [kept, kept_too, young, *others])
    assert len(files_below(media)) == len(before) - len(lost)


def test_bucket_without_a_public_address_is_a_mistake(settings):
    settings.PUBLIC_URL, settings.MEDIA_URL = "https://a.example/", "https://a.example/media/"
    assert pictures_in_a_bucket_have_an_address(None) == []
    settings.MEDIA_S3_BUCKET = "pictures"
    assert [found.id for found in pictures_in_a_bucket_have_an_address(None)] == ["core.E002"]
    settings.MEDIA_URL = "https://pictures.example/"
    assert pictures_in_a_bucket_have_an_address(None) == []


def upload(files, *, method="PUT", content_type=MULTIPART_CONTENT, **extra):
    body = files if isinstance(files, bytes) else encode_multipart(BOUNDARY, files)
    return RequestFactory().generic(method, "/", body, content_type=content_type, **extra)


def picture_of(request):
    return uploaded_file(request, "profile_image", limit=images.MAX_BYTES)


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_file_of_a_form_is_read_whatever_the_method_is(method):
    file = SimpleUploadedFile("a.png", encoded("PNG"))
    found = picture_of(upload({"profile_image": file, "note": "x"}, method=method))
    assert found.read() == encoded("PNG")


@pytest.mark.parametrize(
    "request_",
    [
        upload({"other": SimpleUploadedFile("a", b"x")}),
        upload({"profile_image": "text, no file"}),
        upload(b""),
        upload(b"not a form"),
        upload(b"{}", content_type="application/json"),
        upload(b"x", content_type="multipart/form-data"),
        upload(b"x", content_type="multipart/form-data; boundary="),
        upload({str(number): "x" for number in range(1001)}),
        upload({f"f{number}": SimpleUploadedFile("a", b"x") for number in range(101)}),
        upload({"profile_image": SimpleUploadedFile("a", b"x")}, CONTENT_LENGTH="-1"),
        upload({"profile_image": SimpleUploadedFile("a", b"x")}, CONTENT_LENGTH="many"),
    ],
)
def test_f10_body_that_holds_no_file_is_invalid(request_):
    with pytest.raises(Invalid):
        picture_of(request_)


def test_f10_oversize_bodies_are_refused():
    large = SimpleUploadedFile("a.png", b"\x00" * (images.MAX_BYTES + 1))
    with pytest.raises(RequestDataTooBig):
        picture_of(upload({"profile_image": large}))


def test_f10_body_that_says_it_is_oversize_is_not_read():
    request = upload({"profile_image": SimpleUploadedFile("a", b"x")}, CONTENT_LENGTH=str(10**9))
    with pytest.raises(RequestDataTooBig):
        picture_of(request)
    assert request.read(2) == b"--"


def test_f10_fields_beside_the_file_are_bounded_too():
    with pytest.raises(RequestDataTooBig):
        picture_of(upload({"note": "x" * 1_100_000}))
