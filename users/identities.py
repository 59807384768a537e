"""Canonical spellings of what identifies a person: two that mean the same are one text."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

import phonenumbers
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from atelier.core.errors import Invalid
from atelier.core.text import has_invisible

# What a number without its country's code is kept by, where no country is known.
NATIONAL = re.compile(r"[0-9]{4,15}")
SEPARATORS = re.compile(r"[\s().\-/\u00a0]+")
# What is its own canonical spelling, as far as a pattern can tell: such addresses and numbers are
# most of those that an import brings, and the libraries take some fifty microseconds for each.
PLAIN_EMAIL = re.compile(
    r"[a-z0-9]+(?:[._+-][a-z0-9]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+([a-z]{2,})"
)
PLAIN_EMAIL_LENGTH = 64
PLAIN_MOBILE = re.compile(r"\+[1-9][0-9]{6,14}")
# Names below these are refused, some of them only as a whole.
SPECIAL_ENDINGS = {name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES}


class InvalidEmail(Invalid):
    code = "invalid_email"


class InvalidMobile(Invalid):
    code = "invalid_mobile"


def fold(text: str) -> str:
    """Trimmed, NFKC and case-folded: full-width and composed twins are one (Unicode 3.13, D147)."""
    if text.isascii():
        return text.lower().strip()
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded).strip()


def canonical_email(text: str) -> str:
    """The address folded, its domain in Unicode. Raises InvalidEmail.

    Whether anybody receives mail there is not looked up.
    """
    folded = fold(text)
    if len(folded) <= PLAIN_EMAIL_LENGTH:
        plain = PLAIN_EMAIL.fullmatch(folded)
        if plain and plain[1] not in SPECIAL_ENDINGS:
            return folded
    if has_invisible(folded):
        raise InvalidEmail("That is no e-mail address.")
    try:
        found = validate_email(
            folded, check_deliverability=False, allow_empty_local=False, test_environment=True
        )
    except EmailNotValidError as error:
        raise InvalidEmail("That is no e-mail address.") from error
    return fold(found.normalized)


def canonical_mobile(text: str, country: str = "") -> str | None:
    """The number in E.164; None for none. Raises InvalidMobile.

    A number without `+` is one of the country (ISO 3166-1 alpha-2), and is kept as its digits where
    the country is not known.
    """
    number = (text if text.isascii() else unicodedata.normalize("NFKC", text)).strip()
    if not number:
        return None
    if PLAIN_MOBILE.fullmatch(number) and _is_canonical(number):
        return number
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


@dataclass(frozen=True, slots=True)
class _Plan:
    """Of a country's calling code, the lengths of its national numbers, and what stands before one
    that is dialled within the country."""

    lengths: frozenset[int]
    prefix: re.Pattern[str] | None


def _is_canonical(number: str) -> bool:
    """Whether E.164 digits are sure to stay as they are: a number of a possible length, without
    what could be taken for a prefix. False where only the library knows."""
    # No calling code is the beginning of another.
    for width in (1, 2, 3):
        plan = _plan(number[1 : 1 + width])
        if plan is not None:
            national = number[1 + width :]
            has_prefix = plan.prefix is not None and plan.prefix.match(national)
            return len(national) in plan.lengths and not has_prefix
    return False


@cache
def _plan(code: str) -> _Plan | None:
    """The plan of a calling code's main country; None where there is no such code."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code))
    if regions is None:
        return None
    data = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(int(code), regions[0])
    if data is None or data.general_desc is None:
        return None
    prefix = data.national_prefix_for_parsing
    return _Plan(
        frozenset(data.general_desc.possible_length), re.compile(prefix) if prefix else None
    )
