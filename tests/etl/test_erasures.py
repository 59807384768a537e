"""What was erased stays erased, whatever files say (docs/adr/0002)."""

import threading

import pytest
from django.db import connection, connections

from etl import importing, merging
from reviews.models import Erasure, Review, ReviewPhoto
from reviews.services import delete_review, erase_again, erase_review
from tests.factories.reviews import recount

WORDS = ("summary", "body", "reviewer_name", "reviewer_email", "response")
BLANK = ("", "", "", "", None)


def words(review_id):
    return Review.objects.values_list(*WORDS).get(pk=review_id)


def photo_urls():
    return dict(ReviewPhoto.objects.values_list("id", "url"))


@pytest.fixture
def erased(import_all):
    import_all()
    assert erase_review(review_id=2) == 0
    assert erase_review(review_id=1) == 2
    assert (words(1), words(2)) == (BLANK, BLANK)
    return [1, 2]


def refresh(import_command, dataset, **options):
    outcome = import_command("import_reviews", dataset.write(), **options)
    assert outcome.code == 0, outcome.stderr
    assert (words(1), words(2)) == (BLANK, BLANK)
    assert photo_urls() == {1: "", 2: ""}
    assert recount() == 0
    return outcome


def test_same_file_does_not_bring_erased_words_back(import_command, dataset, erased):
    for _ in range(2):
        outcome = refresh(import_command, dataset)
        assert outcome.counts("reviews") == (0, 0, 3, 0, 0)
        assert outcome.counts("reviews_photos") == (0, 0, 2, 0, 0)
        assert outcome.report("reviews_photos").absent == 0


def test_changed_line_does_not_bring_erased_words_back(import_command, dataset, erased):
    dataset.rows["reviews"] = [
        line.replace("Great", "Greater").replace("Nice", "Nicer")
        for line in dataset.rows["reviews"]
    ]
    dataset.rows["reviews_photos"][0] = '1,1,"https://img.example/anew"'
    outcome = refresh(import_command, dataset)
    assert outcome.counts("reviews") == (0, 1, 2, 0, 0)
    assert words(3)[0] == "Nicer"


def test_new_photo_of_an_erased_review_is_not_shown(import_command, dataset, erased):
    dataset.rows["reviews_photos"].append('3,1,"https://img.example/r3"')
    outcome = import_command("import_reviews", dataset.write())
    assert outcome.code == 0, outcome.stderr
    assert photo_urls() == {1: "", 2: "", 3: ""}


def test_lost_fingerprints_do_not_bring_erased_words_back(import_command, dataset, erased):
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE etl_fingerprint")
    refresh(import_command, dataset)


def test_erased_review_that_was_deleted_comes_back_without_words(import_command, dataset, erased):
    delete_review(review_id=1)
    assert not ReviewPhoto.objects.exists()
    outcome = refresh(import_command, dataset)
    assert outcome.counts("reviews")[0] == 1
    assert Review.objects.get(pk=1).rating == 5


def test_erased_reviews_come_back_to_empty_tables_without_words(import_command, dataset, erased):
    for review in list(Review.objects.all()):
        delete_review(review_id=review.pk)
    outcome = refresh(import_command, dataset)
    assert outcome.counts("reviews")[0] == 3
    assert words(3)[0] == "Nice"


def test_erased_review_that_the_file_no_longer_holds_goes(import_command, dataset, erased):
    dataset.rows["reviews"] = dataset.rows["reviews"][1:]
    dataset.rows["reviews_photos"] = []
    dataset.rows["characteristic_reviews"] = ["4,3,3,2"]
    outcome = import_command("import_reviews", dataset.write(), delete_absent=True)
    assert outcome.code == 0, outcome.stderr
    assert not Review.objects.filter(pk=1).exists()
    assert Erasure.objects.filter(pk=1).exists()


def test_erasure_while_an_import_is_about_to_publish_holds(
    import_command, dataset, import_all, monkeypatch
):
    """The import has compared the row and is going to change it."""
    import_all()
    dataset.rows["reviews"][0] = dataset.rows["reviews"][0].replace("Great", "Greater")
    update_rows = merging.update_rows

    def erase_first(change):
        if change.kind.name == "reviews":
            eraser = threading.Thread(target=erase_elsewhere)
            eraser.start()
            eraser.join()
        update_rows(change)

    def erase_elsewhere():
        erase_review(review_id=1)
        connections.close_all()

    monkeypatch.setattr(importing.merging, "update_rows", erase_first)
    outcome = import_command("import_reviews", dataset.write())
    assert outcome.code == 0, outcome.stderr
    assert outcome.counts("reviews")[1] == 1
    assert words(1) == BLANK


def test_nothing_is_asked_of_reviews_where_nothing_was_erased(db, django_assert_num_queries):
    with django_assert_num_queries(1):
        erase_again()
