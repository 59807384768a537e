"""Canonical spellings of what identifies a person: two that mean the same are one text."""

import re
import unicodedata

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from atelier.core.errors import Invalid

# What a number without its country's code is kept by, where no country is known.
NATIONAL = re.compile(r"[0-9]{4,15}")
SEPARATORS = re.compile(r"[\s().\-/\u00a0]+")


class InvalidEmail(Invalid):
    code = "invalid_email"


class InvalidMobile(Invalid):
    code = "invalid_mobile"


def fold(text: str) -> str:
    """Trimmed, NFKC and case-folded: full-width and composed twins are one (Unicode 3.13, D147)."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded).strip()


def canonical_email(text: str) -> str:
    """The address folded, its domain in Unicode. Raises InvalidEmail.

    Whether anybody receives mail there is not looked up.
    """
    try:
        found = validate_email(
            fold(text), check_deliverability=False, allow_empty_local=False, test_environment=True
        )
    except EmailNotValidError as error:
        raise InvalidEmail("That is no e-mail address.") from error
    return fold(found.normalized)


def canonical_mobile(text: str, country: str = "") -> str | None:
    """The number in E.164; None for none. Raises InvalidMobile.

    A number without `+` is one of the country (ISO 3166-1 alpha-2), and is kept as its digits where
    the country is not known.
    """
    number = unicodedata.normalize("NFKC", text).strip()
    if not number:
        return None
    region = country.upper() if country.upper() in phonenumbers.SUPPORTED_REGIONS else None
    if region is None and not number.startswith("+"):
        digits = SEPARATORS.sub("", number)
        if NATIONAL.fullmatch(digits):
            return digits
        raise InvalidMobile("That is no telephone number.")
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException as error:
        raise InvalidMobile("That is no telephone number.") from error
    if not phonenumbers.is_possible_number(parsed):
        raise InvalidMobile("That is no telephone number.")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
