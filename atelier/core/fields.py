"""Bodies of requests, read strictly: an unknown field is refused, and nothing set by chance."""

from typing import Any

import orjson
from django.http import HttpRequest
from rest_framework import serializers
from rest_framework.exceptions import ParseError

MOST_ROWS = 1000


class TextField(serializers.CharField):
    """Text kept as it came, white space included; PostgreSQL takes no NUL and no surrogates."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("Not a string.")
        return super().to_internal_value(data)


class StrictSerializer(serializers.Serializer):
    """Refuses what it does not know."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = {str(name): ["Unknown field."] for name in data if name not in self.fields}
            if unknown:
                raise serializers.ValidationError(unknown)
        return super().to_internal_value(data)


class Changes(StrictSerializer):
    """None of its own fields has to be there, but one; entries of its lists are whole all the same,
    which those of a partial serializer are not."""

    def get_fields(self) -> dict[str, serializers.Field]:
        fields = super().get_fields()
        for field in fields.values():
            field.required = False
        return fields

    def validate(self, attrs: Any) -> Any:
        if not attrs:
            raise serializers.ValidationError("Nothing is to be changed.")
        return attrs


def read_json(request: HttpRequest) -> Any:
    """The body as JSON; the content type is not looked at. Raises ParseError, which answers 400."""
    try:
        return orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise ParseError("The body is not JSON in UTF-8.") from error


def read_body(request: HttpRequest, shape: type[serializers.Serializer]) -> Any:
    """What the body says, as the serializer reads it.

    Raises ParseError for what is no JSON, ValidationError for what does not fit; both answer 400.
    """
    serializer = shape(data=read_json(request))
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data


class Rows(serializers.ListField):
    """A list of objects of one shape, or of values; a thousand at most."""

    def __init__(self, child: serializers.Field, **kwargs: Any) -> None:
        super().__init__(child=child, max_length=MOST_ROWS, **kwargs)
