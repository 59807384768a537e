"""The flat arrays of text from which SQL picks by arithmetic.

Every pool is a sequence of equal parts (one per category, tone and topic), so an
element's place is ``part * size + draw % size``. All text is escaped for CSV.
"""

import unicodedata
from functools import cache

from etl.dataset import people, product_text, review_text
from etl.dataset.phrases import Voice, pool, quoted

PART_SIZE = 48
NO_VOICE = Voice("thing", plural=False)

TOPICS = 6
TONES = 3


@cache
def build() -> dict[str, list[str]]:
    """Every pool by its name."""
    made = _product_pools() | _review_pools() | people.pools()
    return {name: quoted(texts) for name, texts in made.items()}


def _product_pools() -> dict[str, list[str]]:
    text = product_text
    pools: dict[str, list[str]] = {
        "categories": list(text.CATEGORIES),
        "adjectives": text.ADJECTIVES,
        "materials": [word for words in text.MATERIALS for word in words],
        "nouns": [noun for category in text.CATEGORIES for noun in text.NOUNS[category]],
        "colours": text.COLOURS,
        "sizes": [size for sizes in text.SIZES for size in sizes],
        "slogans": [],
        "descriptions": [],
        "features": [],
        "feature_values": [],
        "characteristics": [name for names in text.CHARACTERISTICS for name in names],
    }
    for category in text.CATEGORIES:
        voice = text.VOICES[category]
        pools["slogans"] += pool(text.SLOGANS, voice, PART_SIZE, f"slogan {category}")
        for part, patterns in enumerate(text.DESCRIPTION_PARTS):
            name = f"description {category} {part}"
            pools["descriptions"] += pool(patterns, voice, PART_SIZE, name)
    for family in text.FEATURES:
        for feature, values in family:
            pools["features"].append(feature)
            pools["feature_values"] += values.split("|")
    return pools


def _review_pools() -> dict[str, list[str]]:
    text = review_text
    pools: dict[str, list[str]] = {
        "summaries": [],
        "bodies": [],
        "responses": [],
        "first_names": text.FIRST_NAMES,
        "last_names": text.LAST_NAMES,
        "first_mails": [_ascii(name) for name in text.FIRST_NAMES],
        "last_mails": [_ascii(name) for name in text.LAST_NAMES],
        "nicknames": text.NICKNAMES,
        "creatures": text.CREATURES,
        "odd_emails": list(text.ODD_EMAILS),
    }
    for category in product_text.CATEGORIES:
        voice = product_text.VOICES[category]
        fits = text.FITS[product_text.FAMILIES[category]]
        topics = (text.VERDICTS, fits, text.FEELS, text.MAKES, text.EVENTS, text.CLOSINGS)
        for tone in range(TONES):
            name = f"summary {category} {tone}"
            pools["summaries"] += pool(text.SUMMARIES[tone], voice, PART_SIZE, name)
            for topic, patterns in enumerate(topics):
                name = f"body {category} {tone} {topic}"
                pools["bodies"] += pool(patterns[tone], voice, PART_SIZE, name)
    for tone in range(TONES):
        name = f"response {tone}"
        pools["responses"] += pool(text.RESPONSES[tone], NO_VOICE, PART_SIZE, name)
    return pools


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.replace("Ł", "L"))
    return plain.encode("ascii", "ignore").decode().lower()
