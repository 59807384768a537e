"""What is kept of a person is found in any spelling, shown whole, and erased for good."""

import io
import json
import socket
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from atelier import env
from atelier.core.deliveries.services import attempt, defer_delivery
from atelier.core.models import CacheScope, Delivery
from reviews.models import Erasure, Review, ReviewMeta, ReviewPhoto
from tests.factories.reviews import (
    CharacteristicFactory,
    CharacteristicReviewFactory,
    ReviewFactory,
    ReviewPhotoFactory,
    recount,
)
from tests.factories.users import (
    AccountFactory,
    PreferenceFactory,
    ProfileFactory,
    TenantFactory,
)
from users.models import Account, Preference, Profile, profile_scope
from users.services import images
from users.services.accounts import UnknownAccount, find_account
from users.services.people import (
    PROFILE_FIELDS,
    REVIEW_FIELDS,
    Erased,
    Person,
    erase_person,
    find_person,
)

pytestmark = pytest.mark.django_db

ANN = "ann.lee@example.com"


def run(command, *arguments, **options):
    """What a command says, and what it complains of."""
    out = io.StringIO()
    try:
        call_command(command, *map(str, arguments), stdout=out, **options)
    except CommandError as error:
        return out.getvalue(), error
    return out.getvalue(), None


def announce(userid):
    payload = {"userid": userid, "region": "Canada", "subscriptionStatus": "None"}
    return defer_delivery(event="login", url="https://shop.example/logins", payload=payload)


@pytest.fixture
def picture(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path / "media")
    kept = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    settings.STORAGES = {**settings.STORAGES, "default": kept}
    name = "profiles/ab/cd/abcd0123456789abcdef0123456789ab.jpg"
    for each in (name, *images.thumbnail_names(name).values()):
        default_storage.save(each, ContentFile(b"pixels"))
    return name


def files_below(folder):
    return [path for path in Path(folder).rglob("*") if path.is_file()]


@pytest.fixture
def ann(picture):
    """An account with two profiles, deliveries and reviews; and somebody else's of each."""
    account, other = AccountFactory(), AccountFactory()
    profile = ProfileFactory(account=account, email=" Ann.Lee@Example.com", image=picture)
    PreferenceFactory(profile=profile, key="theme", value={"name": "dark"})
    ProfileFactory(
        account=account,
        profile_type="work",
        email="ann@work.example",
        deleted_at=timezone.now(),
        deleted_by="tests",
    )
    announce(account.pk)
    stranger = ProfileFactory(account=other, email="bob@example.com")
    PreferenceFactory(profile=stranger)
    announce(other.pk)
    announce(account.pk * 10)
    review = ReviewFactory(reviewer_email="ANN.LEE@example.com ", response="Thank you, Ann")
    ReviewPhotoFactory(review=review)
    fit = CharacteristicFactory(product=review.product, name="Fit")
    CharacteristicReviewFactory(review=review, characteristic=fit, value=4)
    ReviewFactory(reviewer_email="ann@work.example", product=review.product)
    ReviewFactory(reviewer_email="bob@example.com", product=review.product)
    recount()
    return account


SPELLINGS = [
    "ann.lee@example.com",
    "Ann.Lee@EXAMPLE.com",
    "\t ann.lee@example.com\n",
    "ａnn.lee@example.com",
    "ann.lee＠example.com",
    "ANN.LEE@EXAMPLE.COM\u00a0",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_reviews_are_found_in_any_spelling_of_the_address(spelling):
    review = ReviewFactory(reviewer_email=spelling)
    for other in ("", "a", "ann.lee", "ann.lee@example.comm", f"v{ANN}", f"{ANN}v", "é@é"):
        ReviewFactory(reviewer_email=other, product=review.product)
    assert find_person(email=ANN).review_ids == (review.pk,)
    assert find_person(email=spelling).review_ids == (review.pk,)


def test_domain_in_punycode_is_the_one_in_unicode():
    review = ReviewFactory(reviewer_email="ann@XN--bcher-kva.example")
    assert find_person(email="Ann@bücher.example").review_ids == (review.pk,)
    assert find_person(email="ann@xn--bcher-kva.example").review_ids == (review.pk,)


def test_letters_that_only_fold_alike_are_found():
    review = ReviewFactory(reviewer_email="STRASSE@example.com")
    other = ReviewFactory(reviewer_email="straße@example.com", product=review.product)
    assert find_person(email="Straße@example.com").review_ids == (review.pk, other.pk)


def test_reviews_are_searched_in_one_statement():
    ReviewFactory.create_batch(3, reviewer_email=ANN)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert len(find_person(email=ANN).review_ids) == 3
    assert len([query for query in queries if "reviews_review" in query["sql"]]) == 1


@pytest.mark.parametrize("named", ["userid", "email"])
def test_all_of_a_person_is_found(ann, named):
    found = find_person(userid=ann.pk) if named == "userid" else find_person(email=ANN)

    assert found.userids == (ann.pk,)
    assert found.emails == (ANN, "ann@work.example")
    assert set(found.profile_ids) == set(ann.profiles.values_list("pk", flat=True))
    assert [json.loads(row.payload)["userid"] for row in deliveries(found)] == [ann.pk]
    assert len(found.review_ids) == 2


def deliveries(person):
    return Delivery.objects.filter(pk__in=person.delivery_ids)


def test_a_tenant_confines_the_search_to_its_own_profiles(ann):
    other = TenantFactory(name="other")
    theirs = ProfileFactory(tenant=other, email=ANN, account=ann)
    found = find_person(email=ANN, tenant_id=other.pk)
    assert found.profile_ids == (theirs.pk,)
    assert (found.userids, found.delivery_ids, found.review_ids) == ((), (), ())
    assert find_person(userid=ann.pk, tenant_id=other.pk) == found

    erase_person(person=found)

    assert not Profile.objects.filter(pk=theirs.pk).exists()
    assert (ann.profiles.count(), Account.objects.filter(pk=ann.pk).count()) == (2, 1)


def test_export_is_one_document_with_everything(ann, picture, tmp_path):
    said, error = run("export_user", ann.pk)
    assert error is None
    document = json.loads(said)

    assert document["emails"] == [ANN, "ann@work.example"]
    (account,) = document["accounts"]
    assert (account["userid"], account["ip"]) == (ann.pk, "192.0.2.7")
    assert account["subscription_status"] == "Expired"
    first, second = document["profiles"]
    assert (first["email"], first["tenant"], first["userid"]) == (
        " Ann.Lee@Example.com",
        "default",
        ann.pk,
    )
    assert first["preferences"] == {"theme": {"name": "dark"}}
    assert (first["image"], first["image_url"]) == (picture, images.url_of(picture))
    assert second["deleted_at"] is not None
    (delivery,) = document["deliveries"]
    assert json.loads(delivery["payload"])["userid"] == ann.pk
    review = document["reviews"][0]
    assert review["reviewer_email"] == "ANN.LEE@example.com "
    assert review["response"] == "Thank you, Ann"
    assert (len(review["photos"]), review["characteristics"]) == (1, {"Fit": 4})
    assert len(document["reviews"]) == 2
    assert "bob" not in said


def test_export_goes_to_a_file_for_its_owner_alone(ann, tmp_path):
    output = tmp_path / "ann.json"
    output.write_text("older")
    output.chmod(0o644)
    said, error = run("export_user", email=ANN, output=output)
    assert (error, said) == (None, f"written to {output}\n")
    assert output.stat().st_mode & 0o777 == 0o600
    assert json.loads(output.read_text())["emails"] == [ANN, "ann@work.example"]
    _, error = run("export_user", email=ANN, output=tmp_path / "none" / "ann.json")
    assert "No such file" in str(error)


def test_every_column_of_a_person_is_exported_or_left_out_on_purpose():
    """`tenant` and `account` come under other names; keys repeat them; writers are others."""
    kept = {field.name for field in Profile._meta.fields} - set(PROFILE_FIELDS)
    assert kept == {
        *("tenant", "account", "email_key", "mobile_key", "name_key", "search_words"),
        *("created_by", "updated_by", "deleted_by"),
    }
    ours = {"helpfulness", "vote_count", "report_count", "moderation", "is_listed"}
    ours |= {"is_awaiting_moderation", "source_helpfulness", "source_reported"}
    kept = {field.attname for field in Review._meta.fields} - set(REVIEW_FIELDS) - ours
    assert kept == {"response", "staff_response"}


def test_erasure_leaves_nothing_of_the_person_and_all_of_others(ann, settings):
    ratings = list(ReviewMeta.objects.values())
    person = find_person(userid=ann.pk)

    erased = erase_person(person=person)

    assert erased == Erased(
        accounts=1, profiles=2, preferences=1, pictures=1, deliveries=1, reviews=2, photos=1
    )
    assert not Account.objects.filter(pk=ann.pk).exists()
    assert [profile.email for profile in Profile.objects.all()] == ["bob@example.com"]
    assert Preference.objects.count() == 1
    assert files_below(settings.MEDIA_ROOT) == []
    told = sorted(json.loads(delivery.payload)["userid"] for delivery in Delivery.objects.all())
    assert ann.pk not in told
    assert len(told) == 2
    for review in Review.objects.filter(pk__in=person.review_ids):
        assert (review.summary, review.body) == ("", "")
        assert (review.reviewer_name, review.reviewer_email) == ("", "")
        assert (review.response, review.staff_response) == (None, None)
        assert review.rating == 4
    assert [photo.url for photo in ReviewPhoto.objects.all()] == [""]
    assert Review.objects.get(reviewer_email="bob@example.com").body != ""
    assert list(ReviewMeta.objects.values()) == ratings
    assert recount() == 0


def test_erasure_shows_at_once_wherever_it_could_be_read(ann, redis, client, django_db_blocker):
    review = Review.objects.filter(reviewer_email="ann@work.example").get()
    lists = f"/reviews?product_id={review.product_id}"
    assert b"weddings" in client.get(lists).content
    find_account(userid=ann.pk)
    assert find_account(userid=ann.pk).is_cached
    tags = dict(CacheScope.objects.values_list("key", "tag"))
    person = find_person(userid=ann.pk)
    profiles = {profile_scope(profile_id) for profile_id in person.profile_ids}

    erase_person(person=person)

    after = dict(CacheScope.objects.values_list("key", "tag"))
    changed = {key for key in after if after[key] != tags.get(key)}
    assert changed == {f"reviews:{review.product_id}", f"user:{ann.pk}", *profiles}
    with pytest.raises(UnknownAccount):
        find_account(userid=ann.pk)
    results = json.loads(client.get(lists).content)["results"]
    assert sorted(entry["reviewer_name"] for entry in results) == ["", "", "coatwearer"]
    assert [entry["photos"] for entry in results] == [[], [], []]


def test_erasure_is_asked_for_twice_without_harm(ann):
    person = find_person(userid=ann.pk)
    assert erase_person(person=person).accounts == 1
    assert erase_person(person=find_person(userid=ann.pk)) == Erased()
    # The reviews are there, and have no words to lose.
    assert erase_person(person=person) == Erased(reviews=2)


def test_erasure_that_was_cut_off_finds_the_rest_when_asked_again(ann):
    first, *_ = find_person(userid=ann.pk).review_ids
    erase_person(person=Person(review_ids=(first,)))

    erased = erase_person(person=find_person(userid=ann.pk))

    assert (erased.reviews, erased.accounts, erased.profiles) == (1, 1, 2)


def test_profile_that_was_linked_meanwhile_goes_with_the_account(ann):
    person = find_person(userid=ann.pk)
    late = ProfileFactory(account=ann, profile_type="late")
    erase_person(person=person)
    assert not Profile.objects.filter(pk=late.pk).exists()
    assert not Account.objects.filter(pk=ann.pk).exists()


def test_delivery_that_is_gone_is_not_sent(ann):
    person = find_person(userid=ann.pk)
    erase_person(person=person)
    for delivery_id in person.delivery_ids:
        attempt(delivery_id=delivery_id)
    assert not Delivery.objects.filter(pk__in=person.delivery_ids).exists()


def test_of_many_deliveries_the_command_names_some(ann):
    before = len(find_person(userid=ann.pk).delivery_ids)
    for _ in range(30):
        announce(ann.pk)
    said, _ = run("erase_user", ann.pk)
    told = next(line for line in said.splitlines() if line.startswith("deliveries:"))
    assert told.endswith(f" and {before + 10} more")
    assert len(told.split()) == 1 + 20 + 3


def test_command_erases_when_told_so_and_says_what(ann):
    said, error = run("erase_user", ann.pk)
    assert "Nothing was erased" in str(error)
    assert f"accounts: {ann.pk}\n" in said
    assert Account.objects.filter(pk=ann.pk).exists()

    said, error = run("erase_user", ann.pk, yes=True)
    assert error is None
    assert "accounts erased: 1\nprofiles erased: 2\n" in said
    assert "reviews erased: 2\nphotos erased: 1\n" in said
    assert "backups" in said

    assert run("erase_user", ann.pk, yes=True) == ("Nothing is kept of that person.\n", None)
    assert run("erase_user", email=ANN, yes=True) == ("Nothing is kept of that person.\n", None)


def test_command_says_what_stays_where_the_storage_of_pictures_does_not_answer(ann, settings):
    answering = settings.STORAGES
    keys = {"region": "us-east-1", "access_key": "key", "secret_key": "secret"}
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        endpoint = f"http://127.0.0.1:{bound.getsockname()[1]}"
        away = env.media_storage(folder="", bucket="pictures", endpoint=endpoint, **keys)
        settings.STORAGES = {**answering, "default": away}
        said, error = run("erase_user", ann.pk, yes=True)
    assert "The storage of pictures does not answer" in str(error)
    assert "erased:" not in said
    left = find_person(userid=ann.pk)
    assert (left.userids, len(left.profile_ids)) == ((ann.pk,), 2)
    assert not left.delivery_ids
    settings.STORAGES = answering
    said, error = run("erase_user", ann.pk, yes=True)
    assert error is None
    assert (
        "accounts erased: 1\nprofiles erased: 2\npreferences erased: 1\npictures erased: 1\n"
        in said
    )


@pytest.mark.parametrize("command", ["export_user", "erase_user"])
@pytest.mark.parametrize(
    ("arguments", "options", "complaint"),
    [
        ((), {}, "Give a USERID"),
        ((1,), {"email": ANN}, "Give a USERID"),
        ((), {"email": "no address"}, "That is no e-mail address"),
        ((1,), {"tenant": "nobody"}, "There is no tenant nobody"),
    ],
)
def test_arguments_that_name_nobody_are_refused(command, arguments, options, complaint):
    _, error = run(command, *arguments, **options)
    assert complaint in str(error)
    assert error.returncode == 2


def test_export_of_somebody_unknown_fails():
    said, error = run("export_user", 999_999_999)
    assert (said, str(error)) == ("", "Nothing is kept of that person.")


def test_erased_review_is_remembered_once(ann):
    person = find_person(userid=ann.pk)
    for _ in range(2):
        erase_person(person=person)
    assert set(Erasure.objects.values_list("pk", flat=True)) == set(person.review_ids)
