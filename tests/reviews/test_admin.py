"""The moderators' window: quick lists, decisions through the services, and no way around them."""

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext

from reviews import services
from reviews.models import Moderation, Review
from tests.factories.products import ProductFactory
from tests.factories.reviews import (
    CharacteristicMetaFactory,
    CharacteristicReviewFactory,
    ReviewFactory,
    ReviewPhotoFactory,
    recount,
)
from tests.factories.users import UserFactory
from tests.staff import form_data, messages_of, retagged

# The door wants to be the outermost transaction, as in production.
pytestmark = pytest.mark.django_db(transaction=True)

REVIEWS = "/admin/reviews/review/"
SCRIPT = "<script>alert('stored')</script>"


@pytest.fixture
def review():
    """A counted review, 12 of product 1, with a photo and a characteristic."""
    review = ReviewFactory(id=12, product=ProductFactory(id=1), rating=5)
    ReviewPhotoFactory(id=1, review=review)
    CharacteristicReviewFactory(review=review, value=5, characteristic__id=3)
    recount()
    return review


def statements(client, path):
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return [query["sql"] for query in captured.captured_queries]


def run(client, action, ids, **more):
    data = {"action": action, "index": "0", "_selected_action": [str(number) for number in ids]}
    return client.post(REVIEWS, data | more, follow=True)


PAGES = [
    REVIEWS,
    f"{REVIEWS}?awaiting=yes",
    f"{REVIEWS}?q=12",
    f"{REVIEWS}?q=words",
    f"{REVIEWS}?product__id__exact=1",
    f"{REVIEWS}?awaiting=yes&product__id__exact=1&p=1&o=-1",
    f"{REVIEWS}12/change/",
    f"{REVIEWS}12/history/",
    "/admin/reviews/reviewmeta/",
    "/admin/reviews/reviewmeta/?q=1",
    "/admin/reviews/reviewmeta/1/change/",
    "/admin/reviews/characteristic/",
    "/admin/reviews/characteristic/?q=1",
    "/admin/reviews/characteristic/?product__id__exact=1",
    "/admin/reviews/characteristic/3/change/",
]


def test_every_page_opens(admin_client, review):
    found = {path: admin_client.get(path).status_code for path in PAGES}
    assert found == dict.fromkeys(PAGES, 200)


@pytest.mark.parametrize("model", ["review", "reviewmeta", "characteristic"])
def test_nothing_is_added_or_deleted(admin_client, review, model):
    key = {"review": 12, "reviewmeta": 1, "characteristic": 3}[model]
    for path in ("add/", f"{key}/delete/"):
        assert admin_client.get(f"/admin/reviews/{model}/{path}").status_code == 403
        assert admin_client.post(f"/admin/reviews/{model}/{path}").status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [str(key)], "post": "yes"}
    admin_client.post(f"/admin/reviews/{model}/", chosen)
    assert Review.objects.count() == 1


@pytest.mark.parametrize("model", ["reviewmeta", "characteristic"])
def test_aggregates_are_not_changed_by_hand(admin_client, review, model):
    key = {"reviewmeta": 1, "characteristic": 3}[model]
    answer = admin_client.post(f"/admin/reviews/{model}/{key}/change/", {"rating_5": "9"})
    assert answer.status_code == 403


def test_strangers_are_sent_to_the_login(client, review):
    client.force_login(UserFactory(is_staff=False, is_superuser=True))
    for path in (REVIEWS, f"{REVIEWS}12/change/", "/admin/reviews/reviewmeta/"):
        assert client.get(path)["Location"].startswith("/admin/login/")
    run(client, "reject", [12])
    assert Review.objects.get().moderation == Moderation.PENDING


@pytest.mark.parametrize(
    "path",
    [
        REVIEWS,
        f"{REVIEWS}?awaiting=yes",
        f"{REVIEWS}?q=1",
        "/admin/reviews/reviewmeta/",
        "/admin/reviews/characteristic/",
    ],
)
def test_list_takes_as_many_queries_for_50_rows_as_for_1_and_counts_nothing(
    admin_client, review, path
):
    admin_client.get("/admin/")
    few = statements(admin_client, path)
    for _ in range(49):
        other = CharacteristicReviewFactory(review__source_reported=True)
        CharacteristicMetaFactory(characteristic=other.characteristic)
    many = statements(admin_client, path)
    assert len(many) == len(few)
    assert not [sql for sql in many if "COUNT(" in sql]


def test_form_takes_as_many_queries_for_50_rows_as_for_1(admin_client, review):
    statements(admin_client, f"{REVIEWS}12/change/")  # fills the caches of Django itself
    few = statements(admin_client, f"{REVIEWS}12/change/")
    for _ in range(49):
        ReviewPhotoFactory(review=review)
        CharacteristicReviewFactory(review=review)
    assert len(statements(admin_client, f"{REVIEWS}12/change/")) == len(few)


def test_search_finds_exact_ids_of_reviews_and_products(admin_client, review):
    ReviewFactory(id=1, product=ProductFactory(id=2))

    def found(term):
        page = admin_client.get(REVIEWS, {"q": term})
        return [row.pk for row in page.context["cl"].result_list]

    assert found("12") == [12]
    assert found("1") == [12, 1]
    assert found(" 2 ") == [1]
    for nothing in ("hangs", "1.5", "-1", "9" * 40, "' OR 1=1"):
        assert found(nothing) == []


@pytest.mark.parametrize("query", ["rating=5", "body__icontains=a", "reviewer_email=a@b"])
def test_filters_without_an_index_are_refused(admin_client, review, query):
    assert admin_client.get(f"{REVIEWS}?{query}").status_code == 400


def test_awaiting_moderation_lists_what_is_reported_and_not_looked_at(admin_client, review):
    ReviewFactory(id=20, source_reported=True)
    ReviewFactory(id=21, report_count=2)
    ReviewFactory(id=22, report_count=2, moderation=Moderation.APPROVED)
    ReviewFactory(id=23, source_reported=True, moderation=Moderation.REJECTED)
    page = admin_client.get(f"{REVIEWS}?awaiting=yes")
    assert [row.pk for row in page.context["cl"].result_list] == [21, 20]


def test_awaiting_moderation_uses_its_index_and_no_parameter(admin_client, review):
    """From the sixth time on PostgreSQL may plan without looking at parameters."""
    listing = statements(admin_client, f"{REVIEWS}?awaiting=yes")
    [sql] = [each for each in listing if "reviews_review" in each and "WHERE" in each]
    assert 'WHERE "reviews_review"."is_awaiting_moderation"' in sql
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute(f"EXPLAIN {sql}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")
    assert "review_awaiting_moderation" in plan


def test_rejection_leaves_list_and_meta(admin_client, get_json, review):
    other = ReviewFactory(id=13, product_id=1, rating=1)
    ReviewFactory(id=14, product=ProductFactory(id=2), rating=2)
    recount()
    with retagged() as scopes:
        page = run(admin_client, "reject", [12, 14])
    assert messages_of(page) == ["2 reviews are now: rejected."]
    assert scopes == {"reviews:1", "reviews:2", "reviews_meta:1", "reviews_meta:2"}
    listed = get_json("/reviews", {"product_id": 1})["results"]
    assert [entry["review_id"] for entry in listed] == [other.pk]
    meta = get_json("/reviews/meta", {"product_id": 1})
    assert meta["ratings"] == {"1": "1"}
    assert meta["characteristics"]["Fit"]["value"] is None
    assert get_json("/reviews/meta", {"product_id": 2})["ratings"] == {}
    assert {entry.get_change_message() for entry in LogEntry.objects.all()} == {
        "Moderation: rejected."
    }
    assert recount() == 0


def test_approval_lists_a_reported_review_again(admin_client, get_json, review):
    services.report_review(review_id=12, visitor="00000000-0000-0000-0000-000000000001")
    assert get_json("/reviews", {"product_id": 1})["results"] == []
    assert messages_of(run(admin_client, "approve", [12])) == ["1 review is now: approved."]
    assert len(get_json("/reviews", {"product_id": 1})["results"]) == 1
    run(admin_client, "set_back_to_pending", [12])
    assert get_json("/reviews", {"product_id": 1})["results"] == []
    assert Review.objects.get().moderation == Moderation.PENDING


def test_decisions_commit_one_by_one(admin_client, review, monkeypatch):
    """The second fails; the first stands."""
    ReviewFactory(id=11, product_id=1)
    recount()
    moderate = services.moderate_review

    def fail_at_11(*, review_id, moderation):
        if review_id == 11:
            raise services.UnknownReview
        moderate(review_id=review_id, moderation=moderation)

    monkeypatch.setattr("reviews.admin.services.moderate_review", fail_at_11)
    page = run(admin_client, "reject", [11, 12])
    assert messages_of(page) == ["1 review is now: rejected.", "1 review is gone meanwhile."]
    assert Review.objects.get(pk=12).moderation == Moderation.REJECTED


def test_actions_never_reach_beyond_the_page(admin_client, review):
    ReviewFactory(id=13, product_id=1)
    page = run(admin_client, "reject", [12], select_across="1")
    assert messages_of(page) == ["Actions work on selected rows only."]
    assert not Review.objects.filter(moderation=Moderation.REJECTED).exists()


def test_viewers_moderate_nothing(client, review):
    from django.contrib.auth.models import Permission

    viewer = UserFactory()
    viewer.user_permissions.add(Permission.objects.get(codename="view_review"))
    client.force_login(viewer)
    assert client.get(REVIEWS).status_code == 200
    run(client, "reject", [12])
    assert client.post(f"{REVIEWS}12/change/", {"staff_response": "x"}).status_code == 403
    assert Review.objects.values_list("moderation", "staff_response").get() == ("pending", None)


def test_answer_is_shown_and_cleared(admin_client, get_json, review):
    def shown():
        return get_json("/reviews", {"product_id": 1})["results"][0]["response"]

    path = f"{REVIEWS}12/change/"
    data = form_data(admin_client.get(path)) | {"staff_response": "Thank you."}
    with retagged() as scopes:
        assert admin_client.post(path, data).status_code == 302
    assert scopes == {"reviews:1"}
    assert shown() == "Thank you."
    admin_client.post(path, data | {"staff_response": ""})
    assert shown() is None


def test_form_changes_nothing_but_the_answer(admin_client, review):
    path = f"{REVIEWS}12/change/"
    before = Review.objects.values().get()
    data = form_data(admin_client.get(path))
    assert {name for name in data if "-" not in name} <= {"staff_response"}
    forged = {
        "rating": "1",
        "body": "x",
        "moderation": "rejected",
        "vote_count": "99",
        "product": "2",
    }
    forged |= {"photos-TOTAL_FORMS": "1", "photos-0-url": "https://evil.example"}
    assert admin_client.post(path, data | forged | {"staff_response": "Hi"}).status_code == 302
    assert Review.objects.values().get() == before | {"staff_response": "Hi"}
    assert review.photos.get().url == "https://images.example/review/1"


def test_stored_script_is_text(admin_client, review):
    stored = ReviewFactory(
        id=66, product_id=1, summary=SCRIPT, body=SCRIPT, response=SCRIPT, reviewer_name=SCRIPT
    )
    ReviewPhotoFactory(review=stored, url="javascript:alert(1)")
    ReviewPhotoFactory(review=stored, url='https://x.example/"><script>alert(2)</script>')
    CharacteristicReviewFactory(review=stored, characteristic__name=SCRIPT)
    for path in (
        REVIEWS,
        f"{REVIEWS}66/change/",
        f"{REVIEWS}66/history/",
        "/admin/reviews/characteristic/",
    ):
        page = admin_client.get(path).content.decode()
        assert "<script>alert(" not in page
        assert 'href="javascript:' not in page
    assert "&lt;script&gt;alert(" in admin_client.get(REVIEWS).content.decode()


def test_photo_that_is_a_web_address_is_a_link(admin_client, review):
    page = admin_client.get(f"{REVIEWS}12/change/").content.decode()
    assert '<a href="https://images.example/review/1"' in page
