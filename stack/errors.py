"""The one error of this package."""


class StackError(Exception):
    """Something an operator can mend; the message is a whole sentence saying how."""
