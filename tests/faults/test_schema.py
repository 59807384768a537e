"""F11: requests drawn from the OpenAPI schema, the allowed and the forbidden, end in no 5xx."""

import pytest
import schemathesis
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from atelier.wsgi import application
from tests.factories.products import (
    FeatureFactory,
    PhotoFactory,
    ProductFactory,
    RelatedProductFactory,
    SkuFactory,
    StyleFactory,
)
from tests.factories.reviews import CharacteristicReviewFactory, ReviewFactory, recount
from tests.factories.users import AccountFactory, bearer, give_token

# Requests come through the real WSGI handler, which would close a connection in a transaction.
pytestmark = pytest.mark.django_db(transaction=True)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def load_schema():
    schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(public=True))
    schema.app = application
    return schema


OPERATIONS = {
    operation.label: operation
    for operation in (found.ok() for found in load_schema().get_all_operations())
}


# What takes nothing cannot be asked wrongly.
DRAWN = [
    (label, mode)
    for label, operation in OPERATIONS.items()
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE
    or {"parameters", "requestBody"} & operation.definition.raw.keys()
]
EVERY_WAY = pytest.mark.parametrize(
    ("label", "mode"), DRAWN, ids=[f"{label}-{mode.name}" for label, mode in DRAWN]
)


@pytest.fixture
def shop():
    """A few rows under the small ids that generated requests ask for."""
    for product_id in (1, 2):
        product = ProductFactory(id=product_id)
        FeatureFactory(product=product)
        style = StyleFactory(product=product)
        PhotoFactory(style=style)
        SkuFactory(style=style)
        review = ReviewFactory(id=product_id, product=product)
        CharacteristicReviewFactory(review=review, characteristic__id=product_id)
        AccountFactory(userid=product_id)
    RelatedProductFactory(product_id=1, related_product_id=2)
    recount()
    return bearer(give_token(seconds=3600))


def exchange(operation, mode, examples, headers, *, derandomize):
    """Send this many drawn requests, each checked against the schema."""

    @hypothesis_settings(
        max_examples=examples,
        derandomize=derandomize,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case):
        case.call_and_validate(checks=CHECKS, headers=headers)

    send()


def test_f11_the_schema_holds_every_public_route():
    assert set(OPERATIONS) == {
        "GET /products",
        "GET /products/{product_id}",
        "GET /products/{product_id}/styles",
        "GET /products/{product_id}/related",
        "GET /licensing/products/{product_id}",
        "GET /licensing/region",
        "GET /reviews",
        "POST /reviews",
        "GET /reviews/meta",
        "PUT /reviews/{review_id}/helpful",
        "PUT /reviews/{review_id}/report",
        "POST /products",
        "PATCH /products/{product_id}",
        "DELETE /products/{product_id}",
        "PUT /products/{product_id}/features",
        "PUT /products/{product_id}/related",
        "POST /products/{product_id}/styles",
        "GET /products/{product_id}/styles/{style_id}",
        "PATCH /products/{product_id}/styles/{style_id}",
        "DELETE /products/{product_id}/styles/{style_id}",
        "PATCH /reviews/{review_id}",
        "DELETE /reviews/{review_id}",
        "POST /login",
        "GET /user/{userid}",
        "GET /",
        "GET /_health",
        "GET /profiles",
        "POST /profiles",
        "POST /profiles/_search",
        "GET /profiles/{profile_id}",
        "PUT /profiles/{profile_id}",
        "PATCH /profiles/{profile_id}",
        "DELETE /profiles/{profile_id}",
        "PUT /profiles/{profile_id}/_upload",
        "POST /profiles/{profile_id}/restore",
        "GET /profiles/{profile_id}/preferences",
        "GET /profiles/{profile_id}/preferences/{key}",
        "PUT /profiles/{profile_id}/preferences/{key}",
        "DELETE /profiles/{profile_id}/preferences/{key}",
    }


@EVERY_WAY
def test_f11_drawn_requests_are_answered_as_the_schema_says(shop, label, mode):
    exchange(OPERATIONS[label], mode, 12, shop, derandomize=True)


@pytest.mark.long
@EVERY_WAY
def test_f11_many_drawn_requests_are_answered_as_the_schema_says(shop, label, mode):
    exchange(OPERATIONS[label], mode, 2_000, shop, derandomize=False)
