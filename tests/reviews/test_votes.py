"""PUT /reviews/:id/helpful and /report (contract 1.4): once a visitor."""

import hashlib
import hmac
import uuid
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from django.test import Client

from atelier.core.models import CacheScope
from atelier.core.publishing import publish
from atelier.core.tags import connect, key_of
from reviews import services
from reviews.models import HelpfulVote, Moderation, Review, ReviewReport, reviews_scope
from tests.factories.products import ProductFactory
from tests.factories.reviews import ReviewFactory, recount
from tests.factories.users import give_token
from tests.threads import Aside
from tests.waiting import wait_for_blocked

pytestmark = pytest.mark.django_db

TOKEN_KEY = "the key that signs the storefront's tokens, long enough for SHA-512 as well"
VISITOR_ID_KEY = "the key that signs the visitors' ids"


@pytest.fixture
def review():
    return ReviewFactory(id=12, product=ProductFactory(id=1), source_helpfulness=3)


@pytest.fixture
def keys(settings):
    settings.TOKEN_KEY = TOKEN_KEY
    settings.VISITOR_ID_KEY = VISITOR_ID_KEY


def stranger(agent="agent", address="192.0.2.7"):
    """A new browser without cookies."""
    return Client(SERVER_NAME="localhost", HTTP_USER_AGENT=agent, REMOTE_ADDR=address)


def bearer(subject="maria", key=TOKEN_KEY, algorithm="HS256", **claims):
    expires = datetime.now(UTC) + timedelta(hours=1)
    token = jwt.encode({"sub": subject, "exp": expires, **claims}, key, algorithm)
    return f"Bearer {token}"


def stated(visitor="cart-17", key=VISITOR_ID_KEY):
    signature = hmac.new(key.encode(), visitor.encode(), hashlib.sha256).hexdigest()
    return f"{visitor}.{signature}"


def votes():
    """Rows and counter, which must agree."""
    review = Review.objects.get(pk=12)
    assert review.vote_count == HelpfulVote.objects.filter(review=review).count()
    assert review.helpfulness == 3 + review.vote_count
    return review.vote_count


def reports():
    review = Review.objects.get(pk=12)
    assert review.report_count == ReviewReport.objects.filter(review=review).count()
    return review.report_count


COUNTED = pytest.mark.parametrize(("verb", "counted"), [("helpful", votes), ("report", reports)])


@COUNTED
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_answer_is_204_and_empty(client, review, verb, counted, slash):
    response = client.put(f"/reviews/12/{verb}{slash}")
    assert response.status_code == 204
    assert response.content == b""
    assert counted() == 1


@COUNTED
@pytest.mark.parametrize("body", [b"", b"{}", b"{{", b"\xff\x00", b"[" * 100_000])
def test_the_body_of_a_vote_is_not_read(client, review, verb, counted, body):
    response = client.put(f"/reviews/12/{verb}", body, content_type="application/json")
    assert response.status_code == 204
    assert counted() == 1


@COUNTED
@pytest.mark.parametrize("review_id", ["404", "9223372036854775807", "0404"])
def test_an_unknown_review_is_204_and_counts_nothing(client, review, verb, counted, review_id):
    response = client.put(f"/reviews/{review_id}/{verb}")
    assert (response.status_code, response.content) == (204, b"")
    assert counted() == 0
    assert not CacheScope.objects.filter(key="reviews:1").exists()


@COUNTED
@pytest.mark.parametrize(
    "review_id", ["hello", "0", "-1", "1.5", "null", "9223372036854775808", "9" * 300, "%00", "²"]
)
def test_an_id_that_cannot_be_one_is_404(client, review, verb, counted, review_id):
    response = client.put(f"/reviews/{review_id}/{verb}")
    assert response.status_code == 404
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response.content == b"Error: invalid review id provided"
    assert counted() == 0


@COUNTED
@pytest.mark.parametrize("method", ["get", "head", "post", "patch", "delete"])
def test_other_methods_count_nothing(client, review, verb, counted, method):
    response = getattr(client, method)(f"/reviews/12/{verb}")
    assert response.status_code == 405
    assert response["Allow"] == "PUT, OPTIONS"
    assert counted() == 0


@COUNTED
def test_rule_1_a_token_counts_once_wherever_it_comes_from(review, keys, verb, counted):
    for agent, headers in [
        ("laptop", {"authorization": bearer()}),
        ("phone", {"authorization": bearer()}),
        ("phone", {"authorization": bearer(iat=1), "x-visitor-id": stated()}),
        ("phone", {"authorization": bearer().replace("Bearer ", "bearer  ")}),
    ]:
        assert stranger(agent).put(f"/reviews/12/{verb}", headers=headers).status_code == 204
        assert counted() == 1
    stranger("laptop").put(f"/reviews/12/{verb}", headers={"authorization": bearer("carlos")})
    assert counted() == 2


@COUNTED
def test_rule_2_a_signed_visitor_id_counts_once_wherever_it_comes_from(review, keys, verb, counted):
    for agent in ("laptop", "phone"):
        headers = {"x-visitor-id": stated(), "authorization": "ghp_legacy"}
        stranger(agent).put(f"/reviews/12/{verb}", headers=headers)
        assert counted() == 1
    upper = stated().rpartition(".")
    headers = {"x-visitor-id": f"{upper[0]}.{upper[2].upper()}"}
    stranger("third").put(f"/reviews/12/{verb}", headers=headers)
    assert counted() == 1
    headers = {"x-visitor-id": stated("cart.18")}
    stranger("laptop").put(f"/reviews/12/{verb}", headers=headers)
    assert counted() == 2


@COUNTED
def test_rule_3_the_cookie_counts_once_wherever_it_comes_from(review, keys, verb, counted):
    first = stranger("laptop")
    cookie = first.put(f"/reviews/12/{verb}").cookies["visitor"]
    moved = stranger("phone", address="198.51.100.9")
    moved.cookies["visitor"] = cookie.value
    response = moved.put(f"/reviews/12/{verb}")
    assert response.status_code == 204
    assert counted() == 1
    assert "visitor" not in response.cookies


@COUNTED
def test_rule_4_address_and_agent_together_are_a_visitor(review, verb, counted):
    for agent, address, expected in [
        ("laptop", "192.0.2.7", 1),
        ("laptop", "192.0.2.7", 1),
        ("phone", "192.0.2.7", 2),
        ("laptop", "192.0.2.8", 3),
        ("phone", "192.0.2.7", 3),
    ]:
        stranger(agent, address).put(f"/reviews/12/{verb}")
        assert counted() == expected


@COUNTED
def test_taking_the_cookie_gives_no_second_vote(review, verb, counted):
    browser = stranger()
    for _ in range(3):
        browser.put(f"/reviews/12/{verb}")
    assert browser.cookies["visitor"].value
    assert counted() == 1
    stranger().put(f"/reviews/12/{verb}")
    assert counted() == 1


@COUNTED
@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "ghp_0123456789"},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer x.y.z"},
        {"authorization": "Bearer " + "é" * 40},
        {"authorization": bearer(key="x" * 40)},
        {"authorization": bearer(exp=1)},
        {"authorization": bearer(subject="")},
        {"authorization": bearer(subject=None)},
        {"authorization": bearer(subject=5)},
        {"authorization": bearer(exp=None)},
        {"authorization": bearer(algorithm="HS512")},
        {"authorization": bearer(key=None, algorithm="none")},
        {"authorization": bearer(nbf=4_000_000_000)},
        {"authorization": bearer(aud="another shop")},
        {"x-visitor-id": "cart-17"},
        {"x-visitor-id": "cart-17."},
        {"x-visitor-id": "."},
        {"x-visitor-id": ".".join(["", stated("")])},
        {"x-visitor-id": stated(key="another key")},
        {"x-visitor-id": stated()[:-1]},
        {"x-visitor-id": "cart-17.é"},
        {"cookie": "visitor="},
        {"cookie": f"visitor={uuid.uuid4().hex}"},
        {"cookie": f"visitor={uuid.uuid4().hex}:c2lnbmF0dXJl"},
        {"cookie": "visitor=é:é"},
    ],
)
def test_a_forged_credential_is_passed_over(review, keys, verb, counted, headers):
    assert stranger().put(f"/reviews/12/{verb}").status_code == 204
    response = stranger().put(f"/reviews/12/{verb}", headers=headers)
    assert response.status_code == 204
    assert counted() == 1
    assert "visitor" in response.cookies


@COUNTED
def test_f11_a_token_nested_deeply_is_passed_over(review, keys, verb, counted):
    from base64 import urlsafe_b64encode

    for part in (b'{"alg":' + b"[" * 5000, b"[" * 5000 + b"]" * 5000, b'{"alg":' + b"1" * 6000):
        header = urlsafe_b64encode(part).decode().rstrip("=")
        token = f"Bearer {header}.e30.c2ln"
        assert (
            stranger().put(f"/reviews/12/{verb}", headers={"authorization": token}).status_code
            == 204
        )
        assert counted() == 1


@COUNTED
def test_without_keys_tokens_and_visitor_ids_mean_nothing(review, verb, counted):
    stranger().put(f"/reviews/12/{verb}", headers={"authorization": bearer()})
    stranger().put(f"/reviews/12/{verb}", headers={"x-visitor-id": stated()})
    empty = hmac.new(b"", b"cart-17", hashlib.sha256).hexdigest()
    stranger().put(f"/reviews/12/{verb}", headers={"x-visitor-id": f"cart-17.{empty}"})
    assert counted() == 1


def test_one_visitor_may_vote_for_and_report_several_reviews(client, review):
    other = ReviewFactory(product_id=1)
    for number in (review.pk, other.pk):
        client.put(f"/reviews/{number}/helpful")
        client.put(f"/reviews/{number}/report")
    assert (votes(), reports()) == (1, 1)
    assert Review.objects.get(pk=other.pk).vote_count == 1
    assert Review.objects.get(pk=other.pk).report_count == 1


def test_a_vote_moves_the_review_up(client, get_json, review):
    leader = ReviewFactory(product_id=1, source_helpfulness=4)
    shown = get_json("/reviews", {"product_id": 1})["results"]
    assert [entry["review_id"] for entry in shown] == [leader.pk, 12]
    stranger("a").put("/reviews/12/helpful")
    stranger("b").put("/reviews/12/helpful")
    shown = get_json("/reviews", {"product_id": 1})["results"]
    assert [(entry["review_id"], entry["helpfulness"]) for entry in shown] == [
        (12, 5),
        (leader.pk, 4),
    ]


@pytest.mark.parametrize("sort", ["newest", "relevant"])
def test_a_report_hides_from_the_list_and_leaves_the_meta_alone(client, get_json, review, sort):
    ReviewFactory(id=13, product_id=1, rating=1, recommend=False)
    recount()
    before = client.get("/reviews/meta?product_id=1").content
    client.put("/reviews/12/report")
    shown = get_json("/reviews", {"product_id": 1, "sort": sort})["results"]
    assert [entry["review_id"] for entry in shown] == [13]
    assert client.get("/reviews/meta?product_id=1").content == before
    assert recount() == 0


def test_an_approved_review_is_immune_to_reports(client, get_json, review):
    with publish("epoch"):
        Review.objects.filter(pk=12).update(moderation=Moderation.APPROVED)
    client.put("/reviews/12/report")
    assert reports() == 1
    shown = get_json("/reviews", {"product_id": 1})["results"]
    assert [entry["review_id"] for entry in shown] == [12]


@pytest.mark.parametrize("verb", ["helpful", "report"])
def test_a_first_vote_tags_only_its_products_list(review, verb):
    ReviewFactory(product=ProductFactory(id=2))
    CacheScope.objects.all().delete()
    stranger().put(f"/reviews/12/{verb}")
    assert list(CacheScope.objects.values_list("key", flat=True)) == ["reviews:1"]


@pytest.mark.parametrize("verb", ["helpful", "report"])
def test_a_repeated_vote_leaves_the_tag(review, verb):
    stranger().put(f"/reviews/12/{verb}")
    tag = CacheScope.objects.get(key="reviews:1").tag
    stranger().put(f"/reviews/12/{verb}")
    assert CacheScope.objects.get(key="reviews:1").tag == tag
    stranger("another").put(f"/reviews/12/{verb}")
    assert CacheScope.objects.get(key="reviews:1").tag != tag


@pytest.mark.parametrize("verb", ["helpful", "report"])
@pytest.mark.django_db(transaction=True)
def test_a_vote_for_a_review_that_goes_meanwhile_is_204(verb):
    ReviewFactory(id=12, product=ProductFactory(id=1))
    with publish("reviews:1"):
        Review.objects.filter(pk=12).delete()
        vote = Aside(lambda: stranger().put(f"/reviews/12/{verb}"))
        wait_for_blocked()
    with vote:
        assert vote.result().status_code == 204
    assert not HelpfulVote.objects.exists()
    assert not ReviewReport.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_repeated_vote_is_answered_when_no_older_tag_is_left(review):
    """The request that counted it may not have released its tags yet."""
    redis, key, visitor = connect(), key_of(reviews_scope(1)), uuid.uuid4()
    assert services.mark_helpful(review_id=12, visitor=visitor)
    for before, after in ("minted before the commit", None), ("T:another", "T:another"):
        redis.set(key, before)
        assert not services.mark_helpful(review_id=12, visitor=visitor)
        assert redis.get(key) == after
    redis.delete(key)


def test_f21_many_tokens_are_one_voter(review):
    """Whoever has many clients' tokens, or asks for a new one each time, is no crowd."""
    for verb, counted in (("helpful", "vote_count"), ("report", "report_count")):
        for _ in range(5):
            browser = Client(SERVER_NAME="localhost")
            shown = {"authorization": f"Bearer {give_token()}"}
            response = browser.put(f"/reviews/{review.pk}/{verb}", headers=shown)
            assert response.status_code == 204
        review.refresh_from_db()
        assert getattr(review, counted) == 1
