"""Files in a request's body."""

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError

from atelier.core.errors import Invalid

# Boundaries and the fields beside the file.
OVERHEAD_BYTES = 1024 * 1024


def uploaded_file(request: HttpRequest, field: str, *, limit: int) -> UploadedFile:
    """The file of a multipart field, whatever the method is; it lies in memory.

    Nothing is parsed where the request says that it is too long. Raises RequestDataTooBig where it
    does, or the file has more than `limit` bytes; Invalid where the body is no multipart form, or
    the field holds no file.
    """
    content_type = request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if content_type != "multipart/form-data":
        raise Invalid(f"The body must be multipart/form-data with a file in {field}.")
    if _length(request) > limit + OVERHEAD_BYTES:
        raise RequestDataTooBig
    try:
        _, files = request.parse_file_upload(request.META, request)
    except RequestDataTooBig:
        raise
    # Too many fields or files, or names that nobody could mean.
    except (MultiPartParserError, SuspiciousOperation) as error:
        raise Invalid("The multipart form cannot be read.") from error
    file = files.get(field)
    if file is None:
        raise Invalid(f"{field} holds no file.")
    if (file.size or 0) > limit:
        raise RequestDataTooBig
    return file


def _length(request: HttpRequest) -> int:
    """What the request says of its body; a body of unknown length is not read at all."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isascii() and length.isdigit() else 0
