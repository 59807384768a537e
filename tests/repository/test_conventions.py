"""Facts about the code that must stay true."""

import ast
import re

import pytest
from django.apps import apps
from django.core.management import call_command

from tests import conftest
from tests.repository.checkout import APPS, CODE, ROOT, code, dotted, files, trees

OURS = ("core", *APPS)


def our_models():
    return [model for label in OURS for model in apps.get_app_config(label).get_models()]


@pytest.mark.django_db
def test_migrations_say_what_the_models_say():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_migrations_have_names_that_say_what_they_do():
    names = [path for path in files() if path.parent.name == "migrations" and path.suffix == ".py"]
    names = [path.stem for path in names if path.stem != "__init__"]
    assert len(names) >= len(OURS)
    assert [name for name in names if not re.fullmatch(r"\d{4}_[a-z][a-z_]+", name)] == []
    assert [name for name in names if re.search(r"_auto_|_initial$", name)] == []


def test_no_model_orders_its_rows_by_itself():
    # django-simple-history makes models of its own beside ours.
    ours = [model for model in our_models() if not hasattr(model, "history_object")]
    assert [model.__name__ for model in ours if model._meta.ordering] == []


def test_no_model_hides_logic_in_save_or_delete():
    hidden = [
        f"{model.__name__}.{name}"
        for model in our_models()
        for name in ("save", "delete", "save_base", "refresh_from_db")
        if name in vars(model)
    ]
    assert hidden == []


def test_constraints_and_indexes_are_named_by_hand():
    """An automatic name ends in a digest; these are caught by name."""
    for model in our_models():
        for part in [*model._meta.constraints, *model._meta.indexes]:
            assert not re.search(r"_[0-9a-f]{6,8}_(idx|uniq|chk)$", part.name), part.name


LISTENING = {"request_started.connect", "request_finished.connect"}


def test_nothing_listens_to_signals():
    found = []
    for name, tree in trees(*CODE):
        for node in ast.walk(tree):
            imported = isinstance(node, ast.ImportFrom) and node.module in {
                "django.dispatch",
                "django.db.models.signals",
                "django.db.models",
            }
            if imported and (
                node.module != "django.db.models" or "signals" in {a.name for a in node.names}
            ):
                found.append(f"{name}:{node.lineno}")
            if isinstance(node, ast.Attribute) and dotted(node).endswith("models.signals"):
                found.append(f"{name}:{node.lineno}")
            # Django's own listeners may be taken away from a request's signals, and none put there.
            if isinstance(node, ast.Attribute) and dotted(node) in LISTENING:
                found.append(f"{name}:{node.lineno}")
    assert found == []


def test_an_app_says_what_it_owns_and_nothing_else():
    for label in APPS:
        tree = ast.parse((ROOT / label / "__init__.py").read_text())
        assert ast.get_docstring(tree), label
        assert len(tree.body) == 1, label


def test_no_room_has_a_name_that_says_nothing():
    vague = {"utils", "helpers", "common", "misc", "util", "helper"}
    assert [str(path) for path in files() if {path.stem, path.parent.name} & vague] == []


def test_every_setting_is_fixed_for_the_tests():
    """A developer's .env must not change what the suite sees."""
    tree = ast.parse((ROOT / "atelier" / "settings.py").read_text())
    read = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and re.fullmatch(r"env\.[a-z]+", dotted(node.func))
    }
    assert "SECRET_KEY" in read
    assert read - set(conftest.ENVIRON) == {"DATABASE_URL", "REDIS_URL"}


def test_every_golden_file_is_used():
    tests = "\n".join(text for _, text in code("tests"))
    for path in (ROOT / "tests" / "contract").glob("*.json"):
        assert f'golden("{path.stem}")' in tests, path.stem


def test_every_test_function_stands_flat_and_has_a_name_of_its_own():
    for name, tree in trees("tests"):
        functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
        tests = [function for function in functions if function.startswith("test_")]
        assert len(tests) == len(set(tests)), name
        classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
        assert not [found for found in classes if found.startswith("Test")], name
