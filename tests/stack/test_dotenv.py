import stat

import pytest

from stack import config, dotenv
from stack.__main__ import kept_environment
from stack.errors import StackError

EXAMPLE = """\
# made: signs sessions
SECRET_KEY=
HTTP_PORT=8000
ADMIN_PASSWORD=
POSTGRES_BINDIR=
"""


def make(tmp_path, environ=None):
    (tmp_path / ".env.example").write_text(EXAMPLE)
    return config.create_env_file(tmp_path, environ or {})


def test_env_file_gets_secrets_of_its_own(tmp_path):
    assert make(tmp_path) is True

    values = dotenv.read(tmp_path / ".env")
    assert len(values["SECRET_KEY"]) >= 50
    assert len(values["ADMIN_PASSWORD"]) >= 16
    assert values["HTTP_PORT"] == "8000"
    assert values["POSTGRES_BINDIR"] == ""


def test_env_file_is_closed_to_others(tmp_path):
    make(tmp_path)

    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def test_env_file_is_made_once_and_then_left_alone(tmp_path):
    make(tmp_path)
    first = (tmp_path / ".env").read_text()

    assert make(tmp_path, {"HTTP_PORT": "9"}) is False
    assert (tmp_path / ".env").read_text() == first


def test_env_file_keeps_what_the_environment_sets_and_the_comments(tmp_path):
    make(tmp_path, {"HTTP_PORT": "8101"})

    text = (tmp_path / ".env").read_text()
    assert "HTTP_PORT=8101\n" in text
    assert text.startswith("# made: signs sessions\n")


def test_two_env_files_share_no_secret(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        make(tmp_path / name)

    first, second = (dotenv.read(tmp_path / name / ".env") for name in ("a", "b"))
    assert first["SECRET_KEY"] != second["SECRET_KEY"]
    assert first["ADMIN_PASSWORD"] != second["ADMIN_PASSWORD"]


def test_reading_takes_off_quotes_and_skips_comments(tmp_path):
    path = tmp_path / ".env"
    path.write_text("# A=0\nA=\"1\"\nB='x=y'\n\nC=plain # kept\n")

    assert dotenv.read(path) == {"A": "1", "B": "x=y", "C": "plain # kept"}


def test_the_shipped_example_holds_every_made_value_empty():
    values = dotenv.read(config.CHECKOUT / ".env.example")

    for name in ("SECRET_KEY", "ADMIN_PASSWORD", "ATELIER_STATE_DIR", "DATABASE_URL", "REDIS_URL"):
        assert values[name] == "", f"{name} must be made on each machine"


def test_environment_is_kept_in_a_file_that_is_there_already(tmp_path):
    make(tmp_path)
    before = dotenv.read(tmp_path / ".env")
    name = next(iter(before))
    assert dotenv.keep(tmp_path / ".env", {name: "other", "UNKNOWN": "x", "PATH": "/bin"}) == [name]
    assert dotenv.read(tmp_path / ".env") == {**before, name: "other"}
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert dotenv.keep(tmp_path / ".env", {name: "other"}) == []
    assert dotenv.keep(tmp_path / ".env", {name: ""}) == []


@pytest.mark.parametrize("is_first", [True, False])
def test_a_setting_that_is_refused_is_not_kept(tmp_path, monkeypatch, is_first):
    path = tmp_path / ".env"
    for file in [tmp_path / ".env.example", *([] if is_first else [path])]:
        file.write_text("HTTP_PORT=8000\n")
    monkeypatch.setattr(config, "CHECKOUT", tmp_path)
    monkeypatch.setenv("HTTP_PORT", "90000")
    with pytest.raises(StackError), kept_environment():
        pass
    assert path.exists() is not is_first
    monkeypatch.setenv("HTTP_PORT", "8001")
    with pytest.raises(StackError), kept_environment():
        raise StackError("nginx does not accept its configuration.")
    assert dotenv.read(path)["HTTP_PORT"] == "8000"
    with kept_environment() as found:
        assert found.http_port == 8001
    assert dotenv.read(path)["HTTP_PORT"] == "8001"


def test_what_a_file_leaves_empty_or_out_is_made(tmp_path):
    path = tmp_path / ".env"
    path.write_text("# mine\nSECRET_KEY=\nHTTP_PORT=8123\nDEBUG=\n")
    made = {"SECRET_KEY": lambda: "made", "HTTP_PORT": lambda: "1", "MORE": lambda: "too"}
    assert dotenv.fill(path, made) == ["SECRET_KEY", "MORE"]
    assert path.read_text() == "# mine\nSECRET_KEY=made\nHTTP_PORT=8123\nDEBUG=\nMORE=too\n"
    assert dotenv.fill(path, made) == []


def test_addresses_follow_the_state_folder_that_a_file_names(tmp_path):
    names = ("ATELIER_STATE_DIR", "MEDIA_ROOT", "DATABASE_URL", "REDIS_URL")
    (tmp_path / ".env.example").write_text("".join(f"{name}=\n" for name in names))
    (tmp_path / ".env").write_text("ATELIER_STATE_DIR=/srv/shop\nMEDIA_ROOT=\n")
    assert not config.create_env_file(tmp_path, {})
    made = dotenv.read(tmp_path / ".env")
    assert made["MEDIA_ROOT"] == "/srv/shop/media"
    assert "/srv/shop/run/postgres" in made["DATABASE_URL"]
    assert "/srv/shop/run/redis" in made["REDIS_URL"]
