"""The OpenAPI file is what the code says now."""

import pytest
import yaml
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.validation import validate_schema

from atelier.docs import OPENAPI_FILE


@pytest.fixture(scope="module")
def schema():
    return SchemaGenerator().get_schema(public=True)


def test_the_openapi_file_is_current(schema):
    made = OpenApiYamlRenderer().render(schema, renderer_context={}).decode()
    assert OPENAPI_FILE.read_text().strip() == made.strip(), (
        "Run: manage.py spectacular --file docs/openapi.yaml"
    )


def test_the_schema_is_valid_openapi(schema):
    validate_schema(yaml.safe_load(OpenApiYamlRenderer().render(schema, renderer_context={})))


def test_every_operation_has_an_id_a_summary_and_a_described_failure(schema):
    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids)) == 39
    for operation in operations:
        assert operation["summary"]
        failures = [code for code in operation["responses"] if code.startswith("4")]
        assert failures, operation["operationId"]
        for code in failures:
            assert operation["responses"][code]["description"]
