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


class Unavailable(AtelierError):
    """What a request needs is away for the moment: worth another try."""

    code = "unavailable"


class Withheld(AtelierError):
    """What there is, and may not be shown to this caller for legal reasons.

    `blocked_by` is the address of what says who withholds it, and why (RFC 7725).
    """

    code = "withheld"

    def __init__(self, message: str, *, blocked_by: str) -> None:
        super().__init__(message)
        self.blocked_by = blocked_by


class Unauthenticated(AtelierError):
    """Nobody is known to ask; `credentials_failed` where what was shown did not hold."""

    code = "token_missing"
    credentials_failed = False


class InvalidToken(Unauthenticated):
    code = "invalid_token"
    credentials_failed = True


class Forbidden(AtelierError):
    code = "forbidden"


class InsufficientScope(Forbidden):
    code = "insufficient_scope"

    def __init__(self, scope: str) -> None:
        super().__init__(f"The token does not have the scope {scope}.")
        self.scope = scope
