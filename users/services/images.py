"""Pictures of profiles: judged, drawn anew, and stored under names that nobody can guess.

What is stored is never what was sent: a picture is decoded and encoded again, so that metadata,
colour profiles and whatever else a file carries beside its pixels stay behind.
"""

import re
import secrets
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from io import BytesIO
from typing import IO
from uuid import UUID

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import transaction
from django.db.models.functions import Collate, Now
from django.utils import timezone
from PIL import Image, ImageOps

from atelier.core.errors import Invalid, Unavailable
from atelier.core.publishing import publish
from users.models import Profile, profile_scope
from users.services.profiles import UnknownProfile
from users.services.search import mark_profile

MAX_BYTES = 2 * 1024 * 1024
MAX_PIXELS = 25_000_000
# Pillow tries these decoders and no other; which one fits, the bytes say.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
# Modes whose pixels can be averaged as they are.
SCALABLE = {"L", "LA", "RGB", "RGBA", "CMYK"}
LONGEST_SIDE = 1600
THUMBNAIL_SIDES = (64, 256)
JPEG, WEBP = "jpg", "webp"
# The files of a picture: the stem and the ending of its name, with a thumbnail's side in between.
STORED = re.compile(r"(profiles/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{32})(?:-[0-9]+)?(\.(?:jpg|webp))")
PRUNED_AFTER = timedelta(days=1)

# Pillow's own guard, which judges frames as well: an error from here on, twice that at the latest.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)

# 25 megapixels take a second and up to 460 MB (WebP): a process decodes one picture at a time.
_drawing = threading.Lock()
# While the storage does not answer one upload at a time tries it, so that it does not take all the
# threads of a process away from everybody else.
_trying = threading.Lock()
_is_answering = threading.Event()
_is_answering.set()


class NotAnImage(Invalid):
    code = "not_an_image"

    def __init__(self) -> None:
        super().__init__("That is no JPEG, PNG, WebP or GIF, or it is broken.")


class ImageTooLarge(Invalid):
    code = "image_too_large"

    def __init__(self) -> None:
        super().__init__(
            f"A picture has {MAX_BYTES // 1024**2} MB and {MAX_PIXELS // 10**6} megapixels at most."
        )


class StorageUnavailable(Unavailable):
    code = "storage_unavailable"

    def __init__(self) -> None:
        super().__init__("Pictures cannot be stored at the moment. Try again shortly.")


def store_image(*, tenant_id: UUID, profile_id: UUID, content: bytes | IO[bytes], by: str) -> str:
    """Make the picture that of a live profile, in place of an earlier one; its URL.

    A transaction of its own, which begins when the files are stored and locks the profile's row.
    The earlier picture goes after the commit; what was stored goes when it fails. Raises
    UnknownProfile, NotAnImage, ImageTooLarge and StorageUnavailable. Takes up to a second of CPU,
    and waits for other pictures of this process.
    """
    # Somebody else's id shall not cost a decoding.
    if not Profile.objects.live().of_tenant(tenant_id).filter(pk=profile_id).exists():
        raise UnknownProfile
    ending, pictures = _drawn(_bytes_of(content))
    name = _new_name(ending)
    _save(name, pictures)
    try:
        with publish(profile_scope(profile_id)):
            _replace(tenant_id, profile_id, name, by)
    except BaseException:
        # What went wrong is worth more than what is in the way of tidying up.
        with suppress(Exception):
            _delete(_files_of(name))
        raise
    return url_of(name)


def remove_image(*, tenant_id: UUID, profile_id: UUID, by: str) -> bool:
    """Take a live profile's picture away; False where it has none. Raises UnknownProfile."""
    with publish(profile_scope(profile_id)):
        return bool(_replace(tenant_id, profile_id, "", by))


def delete_after_commit(name: str) -> None:
    """Delete a picture and its thumbnails once the caller's transaction has committed.

    A storage that fails then is logged: the files stay, and no row names them.
    """
    if name:
        transaction.on_commit(lambda: _delete(_files_of(name)), robust=True)


def delete_files(name: str) -> None:
    """Delete a picture and its thumbnails at once; those that are gone already are no error.

    Raises StorageUnavailable.
    """
    try:
        _delete(_files_of(name) if name else [])
    except Exception as error:
        raise StorageUnavailable from error


def url_of(name: str) -> str:
    """The absolute address of a stored picture; nothing for none."""
    return f"{settings.MEDIA_URL}{name}" if name else ""


def thumbnail_names(name: str) -> dict[int, str]:
    """The names of a picture's thumbnails by their longest side, in pixels; none without one."""
    stem, _, ending = name.rpartition(".")
    return {side: f"{stem}-{side}.{ending}" for side in THUMBNAIL_SIDES} if name else {}


def prune_images(*, is_dry: bool = False) -> int:
    """Delete files older than a day that no profile names, be it a deleted one; their number. With
    `is_dry` they are only counted.

    A picture's row is written seconds after its files. Lists every folder of the storage once, and
    reads the names of all pictures in the same order, so that memory does not grow with them.
    """
    # Outside a transaction, whose cursor would be closed while a slow storage is listed.
    rows = Profile.objects.exclude(image="").order_by(Collate("image", "C"))
    kept = rows.values_list("image", flat=True).iterator()
    newest = timezone.now() - PRUNED_AFTER
    pruned, named = 0, next(kept, None)
    for whole, name in _stored():
        while named is not None and named < whole:
            named = next(kept, None)
        if named == whole:
            continue
        # Whoever replaced the picture may have been quicker.
        with suppress(FileNotFoundError):
            if default_storage.get_modified_time(name) < newest:
                if not is_dry:
                    default_storage.delete(name)
                pruned += 1
    return pruned


def _stored() -> Iterator[tuple[str, str]]:
    """Each file of a picture: the name of the whole picture, by which they come, and its own.

    Whatever else lies there is passed over.
    """
    for outer in _listed("profiles")[0]:
        for inner in _listed(f"profiles/{outer}")[0]:
            folder = f"profiles/{outer}/{inner}"
            found = (STORED.fullmatch(f"{folder}/{file}") for file in _listed(folder)[1])
            yield from sorted((f"{one[1]}{one[2]}", one[0]) for one in found if one)


def _listed(folder: str) -> tuple[list[str], list[str]]:
    """Folders and files in a folder, in order; those with other names than ours left out."""
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return [], []
    return sorted(name for name in folders if re.fullmatch("[0-9a-f]{2}", name)), files


def _bytes_of(content: bytes | IO[bytes]) -> bytes:
    data = content if isinstance(content, bytes) else content.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ImageTooLarge
    return data


def _drawn(data: bytes) -> tuple[str, Mapping[int, bytes]]:
    """The ending of a picture's name, and its encodings by their longest side."""
    with _drawing:
        try:
            whole = _decoded(data)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise ImageTooLarge from error
        except Invalid:
            raise
        # Broken files make decoders raise whatever comes to hand.
        except Exception as error:
            raise NotAnImage from error
        ending = WEBP if whole.mode == "RGBA" else JPEG
        return ending, {side: _encoded(whole, side) for side in (LONGEST_SIDE, *THUMBNAIL_SIDES)}


def _decoded(data: bytes) -> Image.Image:
    """The first frame, upright, in RGB or RGBA, not longer than LONGEST_SIDE, nothing beside it."""
    with Image.open(BytesIO(data), formats=FORMATS) as source:
        # The header tells, and nothing is decoded yet.
        if source.width * source.height > MAX_PIXELS:
            raise ImageTooLarge
        # JPEG alone can be decoded smaller than it is.
        source.draft(None, (LONGEST_SIDE, LONGEST_SIDE))
        source.load()
        mode = "RGBA" if source.has_transparency_data else "RGB"
        # Made smaller before it is converted, where that looks the same: each copy is large.
        is_scalable = source.mode in SCALABLE and "transparency" not in source.info
        frame = source if is_scalable else _eight_bits(source).convert(mode)
        frame.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        frame = frame.convert(mode)
        ImageOps.exif_transpose(frame, in_place=True)
    # Copies carry on what Pillow knows of the file; a new picture has its pixels only.
    clean = Image.new(mode, frame.size)
    clean.paste(frame)
    return clean


def _eight_bits(source: Image.Image) -> Image.Image:
    """Grey of 16 bits, which Pillow would cut off at 255, scaled to 8."""
    if source.mode.startswith("I"):
        return source.point(lambda value: value / 256).convert("L")
    return source


def _encoded(whole: Image.Image, side: int) -> bytes:
    picture = whole
    if max(whole.size) > side:
        picture = whole.copy()
        picture.thumbnail((side, side))
    encoded = BytesIO()
    if picture.mode == "RGBA":
        picture.save(encoded, "WEBP", quality=85, method=2)
    else:
        picture.save(encoded, "JPEG", quality=85, optimize=True, progressive=True)
    return encoded.getvalue()


def _new_name(ending: str) -> str:
    """Nothing of it comes from the sender. Two levels of folders keep each small."""
    stem = secrets.token_hex(16)
    return f"profiles/{stem[:2]}/{stem[2:4]}/{stem}.{ending}"


def _save(name: str, pictures: Mapping[int, bytes]) -> None:
    names = {LONGEST_SIDE: name, **thumbnail_names(name)}
    begun: list[str] = []
    with _one_while_it_is_away():
        try:
            for side, content in pictures.items():
                begun.append(names[side])
                default_storage.save(names[side], ContentFile(content))
        # Each storage has errors of its own.
        except Exception as error:
            _is_answering.clear()
            # A full disk keeps half a file; a service keeps none, and might hang for it once more.
            # Not told by the error: botocore's time-outs are OSErrors too.
            left = begun if isinstance(default_storage, FileSystemStorage) else begun[:-1]
            with suppress(Exception):
                _delete(left)
            raise StorageUnavailable from error
        _is_answering.set()


@contextmanager
def _one_while_it_is_away() -> Iterator[None]:
    """Raises StorageUnavailable at once where the storage did not answer last, and another upload
    finds out whether it does again."""
    if _is_answering.is_set():
        yield
        return
    if not _trying.acquire(blocking=False):
        raise StorageUnavailable
    try:
        yield
    finally:
        _trying.release()


def _replace(tenant_id: UUID, profile_id: UUID, name: str, by: str) -> str:
    """Set a live profile's picture; the name of the earlier one."""
    live = Profile.objects.live().of_tenant(tenant_id).filter(pk=profile_id)
    earlier = live.select_for_update(no_key=True).values_list("image", flat=True).first()
    if earlier is None:
        raise UnknownProfile
    live.update(image=name, updated_by=by, updated_at=Now())
    mark_profile(tenant_id=tenant_id, profile_id=profile_id)
    delete_after_commit(earlier)
    return earlier


def _files_of(name: str) -> list[str]:
    return [name, *thumbnail_names(name).values()]


def _delete(names: Iterable[str]) -> None:
    for name in names:
        default_storage.delete(name)
