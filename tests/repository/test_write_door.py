"""No code commits to public data beside the write door, and PostgreSQL holds every table to it."""

import ast
import re

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from atelier.core.models import CacheScope
from tests.factories.reviews import ReviewFactory
from tests.repository.checkout import CODE, code, dotted, trees

# No public answer that is stored reads them: what depends on a region never is.
OF_REGIONS = {
    "licensing_historicalproductlicence",
    "licensing_historicalregiongroup",
    "licensing_historicalregiongroup_members",
    "licensing_iprange",
    "licensing_networkoverride",
    "licensing_rangesource",
    "licensing_region",
    "licensing_regiongroup",
    "licensing_regiongroup_members",
}
PRIVATE = {"reviews_erasure", "reviews_helpfulvote", "reviews_reviewreport"} | OF_REGIONS
PUBLIC = {
    model._meta.db_table
    for label in ("licensing", "products", "reviews")
    for model in apps.get_app_config(label).get_models(include_auto_created=True)
} - PRIVATE

GUARD = (
    "CREATE TRIGGER require_publication BEFORE INSERT OR DELETE OR UPDATE ON public.{table}"
    " FOR EACH STATEMENT EXECUTE FUNCTION require_publication()"
)

# What is looked up by userid is in no cache as long as it is new.
LOOKED_UP = ("users_account", "users_profile")
OF_CHANGES = {
    table: GUARD.format(table=table).replace("INSERT OR DELETE", "DELETE") for table in LOOKED_UP
}


def guards():
    """The enabled triggers of each table that has any, as PostgreSQL spells them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT tgrelid::regclass::text, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger
            WHERE tgname = 'require_publication' AND NOT tgisinternal
            """
        )
        return {table: (enabled, definition) for table, enabled, definition in cursor.fetchall()}


def tables_of_the_apps():
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT relname FROM pg_class WHERE relkind IN ('r', 'p')
                AND relnamespace = 'public'::regnamespace
                AND (relname LIKE 'products\\_%' OR relname LIKE 'reviews\\_%'
                    OR relname LIKE 'licensing\\_%')
            """
        )
        return {name for (name,) in cursor.fetchall()}


def assert_guarded():
    expected = {table: ("O", GUARD.format(table=table)) for table in PUBLIC}
    expected |= {table: ("O", guard) for table, guard in OF_CHANGES.items()}
    assert guards() == expected


@pytest.mark.django_db
def test_every_table_that_public_answers_read_has_the_trigger():
    assert tables_of_the_apps() == PUBLIC | PRIVATE
    assert_guarded()


PRODUCTS = "id,name,slogan,description,category,default_price\n1,Coat,s,d,c,140\n2,Hat,s,d,c,9\n"
REVIEWS = (
    "id,product_id,rating,date,summary,body,recommend,reported,reviewer_name,reviewer_email,"
    "response,helpfulness\n"
    '1,1,5,1596080481467,"s","b",true,false,"n","e@example.com",null,8\n'
)


@pytest.mark.django_db(transaction=True)
def test_every_table_has_the_trigger_after_imports_that_replaced_empty_tables(tmp_path):
    (tmp_path / "product.csv").write_text(PRODUCTS)
    (tmp_path / "reviews.csv").write_text(REVIEWS)
    for _ in range(2):
        for command in ("import_products", "import_reviews"):
            call_command(command, str(tmp_path), stdout=None, stderr=None)
        assert tables_of_the_apps() == PUBLIC | PRIVATE
        assert_guarded()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM products_product JOIN reviews_review ON true")
        assert cursor.fetchone() == (2,)


@pytest.mark.django_db
def test_the_role_that_writes_cannot_switch_triggers_off():
    """A superuser could set session_replication_role, and no trigger would fire."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (False,)


# What would silence the trigger, or empty a table without firing it.
BESIDE_THE_DOOR = re.compile(
    r"session_replication_role"
    r"|(?:DIS|EN)ABLE\s+(?:REPLICA\s+|ALWAYS\s+)?TRIGGER"
    r"|DROP\s+TRIGGER"
    r"|(?:REPLACE|ALTER|DROP)\s+FUNCTION"
    r"|\bTRUNCATE\b"
    r"|_raw_delete"
    r"|publication\s*=",
    re.IGNORECASE,
)
# Here the door itself is opened and closed.
THE_DOOR = "atelier/core/publishing.py"


def test_no_code_silences_the_trigger():
    found = [
        f"{name}: {match.group()}"
        for name, text in code(*CODE)
        for match in BESIDE_THE_DOOR.finditer(text)
        if name != THE_DOOR and not is_allowed(name, match.group())
    ]
    assert found == []


def is_allowed(name, words):
    """An import may empty its own staging tables."""
    return words.upper() == "TRUNCATE" and name.startswith("etl/")


def test_only_the_door_tells_the_trigger_what_is_open():
    setting = "atelier" + ".scopes"
    assert {name for name, text in code(*CODE) if setting in text} == {THE_DOOR}


def test_only_migrations_of_the_kernel_define_the_trigger_function():
    defining = {name for name, text in code(*CODE, migrations=True) if "RETURNS trigger" in text}
    # The others note rows for the next import and ended tokens, under other names.
    noting = {"etl/migrations/0003_fingerprints.py", "users/migrations/0004_revocations.py"}
    assert defining == {"atelier/core/migrations/0001_cache_scopes.py", *noting}
    texts = dict(code(*CODE, migrations=True))
    assert not [name for name in noting if "require_publication" in texts[name]]


def test_no_app_opens_connections_of_its_own():
    """A second connection would commit apart from the door's transaction."""
    opening = {"psycopg.connect", "psycopg.Connection.connect", "psycopg2.connect"}
    found = [
        f"{name}:{node.lineno}"
        for name, tree in trees("atelier", "licensing", "products", "reviews", "users", "etl")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and dotted(node.func) in opening
    ]
    assert found == []


def test_tables_are_replaced_only_within_a_door():
    """`take_over` is DDL, which fires no trigger: it may be called inside `publish` only."""
    calls, within = [], []
    for name, tree in trees("etl"):
        for node in ast.walk(tree):
            if is_call(node, "take_over"):
                calls.append((name, node.lineno))
            if isinstance(node, ast.With) and any(
                is_call(item.context_expr, "publish") for item in node.items
            ):
                within += [
                    (name, inner.lineno) for inner in ast.walk(node) if is_call(inner, "take_over")
                ]
    assert calls
    assert calls == within


def is_call(node, name):
    return isinstance(node, ast.Call) and dotted(node.func).split(".")[-1] == name


@pytest.mark.django_db
def test_the_factories_of_these_tests_go_through_the_door_too():
    ReviewFactory()
    assert CacheScope.objects.filter(key="epoch").exists()
