"""Errors that services raise. They know no HTTP; `exception_handler` maps them to answers."""


class AtelierError(Exception):
    """A request that cannot be carried out, with a stable code and a sentence for its sender."""

    code = "error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFound(AtelierError):
    code = "not_found"


class Invalid(AtelierError):
    code = "invalid"


class Conflict(AtelierError):
    code = "conflict"
