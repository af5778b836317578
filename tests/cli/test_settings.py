"""``tradewind variables``, ``connections``, ``pools``, ``users``, ``config``: set, read, moved by files."""

from __future__ import annotations

import json
import stat

import pytest
import yaml
from cryptography.fernet import Fernet
from sqlalchemy import text

from tradewind.metadata.database import Database


def test_a_variable_is_set_read_and_deleted(call, ok, migrated):
    assert call("variables", "set", "region", "north", "--description", "where").stderr == "Variable region created.\n"
    assert ok("variables", "get", "region") == "north\n"
    assert "changed" in call("variables", "set", "region", "south").stderr
    assert json.loads(ok("variables", "list", "-o", "json")) == [{"key": "region", "description": "where"}]
    shown = json.loads(ok("variables", "list", "--show-values", "-o", "json"))
    assert shown == [{"key": "region", "val": "south", "description": "where"}]
    ok("variables", "delete", "region")
    missing = call("variables", "get", "region")
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert ok("variables", "get", "region", "-d", "none yet") == "none yet\n"
    assert call("variables", "delete", "region").exit_code == 1


def test_a_near_name_is_offered(call, ok, migrated_sqlite):
    ok("variables", "set", "warehouse_url", "x")
    assert "Did you mean 'warehouse_url'?" in call("variables", "get", "warehouse_ulr").stderr


def test_json_variables_are_checked(call, ok, migrated_sqlite):
    ok("variables", "set", "-j", "limits", '{"rows": 5}')
    assert json.loads(ok("variables", "get", "-j", "limits")) == {"rows": 5}
    refused = call("variables", "set", "-j", "limits", "{rows: 5}")
    assert (refused.exit_code, "is not JSON" in refused.stderr) == (2, True)
    assert json.loads(ok("variables", "get", "limits")) == {"rows": 5}


def test_values_that_sound_secret_can_be_hidden(ok, migrated_sqlite):
    ok("variables", "set", "api_token", "abc123")
    ok("variables", "set", "colour", "blue")
    table = ok("variables", "list", "--show-values", "--hide-sensitive")
    assert "abc123" not in table
    assert "blue" in table


def test_values_are_encrypted_at_rest(ok, migrated):
    ok("variables", "set", "api_token", "abc123")
    database = Database(migrated)
    with database.read() as tx:
        assert "abc123" not in str(tx.execute(text("SELECT * FROM variable")).all())
    database.close()


def test_variables_move_through_a_file(call, ok, migrated, tmp_path):
    values = {"text": "yes", "number-like": "12", "json": '{"a": [1, 2]}', "odd": '{"value": 1}', "umlaut": "größer"}
    for key, value in values.items():
        ok("variables", "set", key, value, *(["--description", "why"] if key == "text" else []))
    file = tmp_path / "out.json"
    ok("variables", "export", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["json"] == {"a": [1, 2]}
    assert json.loads(ok("variables", "export", "-")) == json.loads(file.read_text())
    for key in values:
        ok("variables", "delete", key)
    assert "5 created" in call("variables", "import", str(file)).stderr
    assert {key: ok("variables", "get", key).rstrip("\n") for key in values} == values
    described = json.loads(ok("variables", "list", "-o", "json"))
    assert {"key": "text", "description": "why"} in described


@pytest.mark.parametrize(("action", "code", "value"), [("overwrite", 0, "new"), ("skip", 0, "old"), ("fail", 2, "old")])
def test_importing_over_what_is_there(call, ok, migrated_sqlite, tmp_path, action, code, value):
    ok("variables", "set", "a", "old")
    file = tmp_path / "in.yaml"
    file.write_text(yaml.safe_dump({"a": "new", "b": [1]}))
    assert call("variables", "import", str(file), "-a", action).exit_code == code
    assert ok("variables", "get", "a") == f"{value}\n"
    assert call("variables", "get", "b").exit_code == (1 if action == "fail" else 0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.json", "{", "is not JSON"),
        ("x.json", "[1]", "does not map names to values"),
        ("x.yaml", "a: [", "is not YAML"),
        ("x.env", "NO VALUE", "line 1 is not NAME=VALUE"),
        ("x.env", "A=1\nA=2", "line 2 gives A for the second time"),
        ("x.txt", "", "End it with .json, .yaml, .env"),
        ("x.json", None, "cannot be read: No such file"),
    ],
)
def test_files_that_make_no_sense_are_refused(call, migrated_sqlite, tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    for group in ("variables", "connections"):
        result = call(group, "import", str(tmp_path / name))
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr


def test_a_connection_is_added_shown_and_deleted(call, ok, migrated):
    uri = "postgres://me:s%40fe@db.example.com:5432/warehouse?sslmode=require"
    created = call("connections", "add", "db", "--conn-uri", uri, "--conn-description", "Warehouse")
    assert created.exit_code == 0
    assert "s%40fe" not in created.output
    (found,) = json.loads(ok("connections", "get", "db", "-o", "json"))
    assert found == {
        "conn_id": "db", "conn_type": "postgres", "description": "Warehouse", "host": "db.example.com",
        "schema": "warehouse", "login": "me", "password": "s@fe", "port": 5432, "extra_dejson": {"sslmode": "require"},
        "get_uri": uri,
    }  # fmt: skip
    assert "s@fe" not in ok("connections", "list")
    assert "s@fe" not in ok("connections", "list", "--show-values", "--hide-sensitive")
    assert "s@fe" in ok("connections", "list", "--show-values")
    again = call("connections", "add", "db", "--conn-type", "http")
    assert (again.exit_code, "exists already" in again.stderr) == (1, True)
    ok("connections", "delete", "db")
    assert call("connections", "get", "db").exit_code == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "Nothing says what the connection is"),
        (("--conn-uri", "http://x", "--conn-type", "http"), "exclude each other: --conn-uri, --conn-type"),
        (("--conn-json", "{"), "is not JSON"),
        (("--conn-json", '{"hots": "x"}'), "hots"),
        (("--conn-uri", "nonsense"), "is not a URI"),
        (("--conn-type", "http", "--conn-extra", "{"), "extra is not JSON"),
        (("--conn-host", "x"), "has no type"),
        (("--conn-type", "http", "--conn-port", "99999"), "99999 is not in the range"),
    ],
)
def test_connections_that_make_no_sense_are_refused(call, ok, migrated_sqlite, options, message):
    result = call("connections", "add", "x", *options)
    assert (result.exit_code, message in " ".join(result.stderr.split())) == (2, True), result.stderr
    assert json.loads(ok("connections", "list", "-o", "json")) == []


@pytest.mark.parametrize("name", ["out.json", "out.yaml", "out.env"])
@pytest.mark.parametrize("form", ["uri", "json"])
def test_connections_move_through_files(call, ok, migrated_sqlite, tmp_path, name, form):
    added = {
        "db": ("--conn-uri", "postgres://u:p%2F@h:1/s?a=b"),
        "web": ("--conn-type", "http", "--conn-host", "x.org", "--conn-extra", '{"n": {"deep": 1}}'),
        "bare": ("--conn-type", "sqlite"),
    }
    for conn_id, options in added.items():
        ok("connections", "add", conn_id, *options)
    before = json.loads(ok("connections", "list", "--show-values", "-o", "json"))
    file = tmp_path / name
    ok("connections", "export", str(file), "--serialization-format", form)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for conn_id in added:
        ok("connections", "delete", conn_id)
    ok("connections", "import", str(file))
    assert json.loads(ok("connections", "list", "--show-values", "-o", "json")) == before
    assert "0 created, 0 replaced" in call("connections", "import", str(file)).stderr
    assert "0 created, 3 replaced" in call("connections", "import", str(file), "--overwrite").stderr


def test_an_import_that_is_partly_wrong_changes_nothing(call, ok, migrated_sqlite, tmp_path):
    file = tmp_path / "in.json"
    file.write_text(json.dumps({"good": "http://x", "bad": "no uri"}))
    assert call("connections", "import", str(file)).exit_code == 2
    assert json.loads(ok("connections", "list", "-o", "json")) == []
    file.write_text(json.dumps({"good": {"slots": 1}, "bad": {"slots": "many"}}))
    assert call("pools", "import", str(file)).exit_code == 2
    assert call("pools", "get", "good").exit_code == 1


def test_pools(call, ok, migrated, tmp_path):
    assert "created" in call("pools", "set", "db", "4", "few").stderr
    assert "changed" in call("pools", "set", "db", "5", "few", "--include-deferred").stderr
    (pool,) = json.loads(ok("pools", "get", "db", "-o", "json"))
    assert pool == {
        "pool": "db", "slots": 5, "running": 0, "queued": 0, "description": "few", "include_deferred": True,
    }  # fmt: skip
    ok("pools", "set", "free", "--", "-1")
    file = tmp_path / "pools.json"
    ok("pools", "export", str(file))
    ok("pools", "delete", "db")
    assert "1 created, " in call("pools", "import", str(file)).stderr
    assert {"db", "free"} <= {row["pool"] for row in json.loads(ok("pools", "list", "-o", "json"))}
    for words, code in (
        (("set", "x", "-5"), 2),
        (("set", "x", "--", "-5"), 2),
        (("delete", "default_pool"), 1),
        (("get", "dbb"), 1),
    ):
        assert call("pools", *words).exit_code == code


@pytest.mark.parametrize(
    ("group", "create", "names", "said"),
    [
        ("variables", ("variables", "set", "region", "north"), {"region"}, "1 variable exported to standard output."),
        (
            "connections",
            ("connections", "add", "ship", "--conn-uri", "http://harbour"),
            {"ship"},
            "1 connection exported to standard output.",
        ),
        ("pools", ("pools", "set", "few", "2"), {"few", "default_pool"}, "2 pools exported to standard output."),
    ],
)
def test_a_dash_is_standard_output(call, ok, migrated_sqlite, tmp_path, monkeypatch, group, create, names, said):
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    ok(*create)
    result = call(group, "export", "-")
    assert result.exit_code == 0
    assert set(json.loads(result.stdout)) == names
    assert result.stderr.strip() == said
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        (("dags", "list"), "`tradewind dags reserialize`"),
        (("variables", "list"), "`tradewind variables set KEY VALUE`"),
        (("connections", "list"), "`tradewind connections add ID --conn-uri URI`"),
        (("users", "list"), "`tradewind users create -u NAME -r admin`"),
    ],
)
def test_an_empty_list_says_what_to_do(call, migrated_sqlite, words, mend):
    result = call(*words)
    assert (result.exit_code, result.stdout) == (0, "")
    assert mend in result.stderr


def test_users(call, ok, migrated):
    password = ok("users", "create", "-u", "ada", "-r", "op", "--use-random-password").strip()
    assert len(password) >= 20
    typed = call("users", "create", "-u", "bob", input="a long password\na long password\n")
    assert typed.exit_code == 0
    assert "a long password" not in typed.output
    accounts = json.loads(ok("users", "list", "-o", "json"))
    assert [(one["username"], one["role"]) for one in accounts] == [("ada", "op"), ("bob", "viewer")]
    assert call("users", "create", "-u", "ada", "-p", "another one").exit_code == 1
    assert call("users", "create", "-u", "eve", "-p", "short").exit_code == 2
    assert call("users", "create", "-u", "eve", "-p", "long enough", "--use-random-password").exit_code == 2
    assert ok("users", "reset-password", "-u", "ada", "--use-random-password").strip() != password
    assert "Did you mean 'ada'?" in call("users", "reset-password", "-u", "adaa", "-p", "long enough").stderr
    assert call("users", "delete", "-u", "bob", input="n\n").exit_code == 1
    ok("users", "delete", "-u", "bob", "-y")
    assert [one["username"] for one in json.loads(ok("users", "list", "-o", "json"))] == ["ada"]


def test_the_fernet_key_can_be_changed_without_losing_anything(call, ok, migrated, monkeypatch):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    monkeypatch.setenv("TRADEWIND__CORE__FERNET_KEY", old)
    ok("variables", "set", "a", "1")
    ok("connections", "add", "db", "--conn-uri", "postgres://u:p@h/s?k=v")
    monkeypatch.setenv("TRADEWIND__CORE__FERNET_KEY", new)
    lost = call("variables", "get", "a")
    assert (lost.exit_code, "cannot be decrypted" in lost.stderr) == (1, True)
    monkeypatch.setenv("TRADEWIND__CORE__FERNET_KEY", f"{new},{old}")
    assert "1 variable and 1 connection." in call("rotate-fernet-key").stderr
    monkeypatch.setenv("TRADEWIND__CORE__FERNET_KEY", new)
    assert ok("variables", "get", "a") == "1\n"
    assert json.loads(ok("connections", "get", "db", "-o", "json"))[0]["password"] == "p"


def test_config_shows_values_sources_and_defaults(call, ok, home, monkeypatch):
    (home / "airflow.cfg").write_text("[core]\nparallelism = 7\n")
    monkeypatch.setenv("TRADEWIND__API__PORT", "9999")
    monkeypatch.setenv("TRADEWIND__API__SECRET_KEY", "do-not-show-this")
    assert ok("config", "get-value", "core", "parallelism") == "7\n"
    listed = ok("config", "list", "--include-sources", "--include-env-vars", "--include-descriptions")
    assert f"# Source: file {home / 'airflow.cfg'}\nparallelism = 7" in listed
    assert "# Source: env TRADEWIND__API__PORT\nport = 9999" in listed
    assert "do-not-show-this" not in listed
    assert "do-not-show-this" in ok("config", "list", "--show-values")
    assert "do-not-show-this" not in ok("config", "list", "--show-values", "--hide-sensitive")
    assert ok("config", "get-value", "api", "secret_key") == "do-not-show-this\n"
    assert "# parallelism = 32" in ok("config", "list", "--defaults", "--section", "core")
    assert "[api]" not in ok("config", "list", "--section", "core")
    assert "Did you mean 'parallelism'?" in call("config", "get-value", "core", "paralelism").stderr
    assert "Did you mean 'core'?" in call("config", "list", "--section", "cor").stderr


def test_a_wrong_configuration_is_said_by_every_command(call, home):
    (home / "airflow.cfg").write_text("[core]\nparallelisn = 7\n")
    for words in (("config", "list"), ("dags", "list"), ("info",), ("standalone",)):
        result = call(*words)
        assert (result.exit_code, "Did you mean 'parallelism'?" in result.stderr) == (2, True)


def test_info_helps_when_nothing_works_yet(call, ok, migrated, home, monkeypatch):
    assert json.loads(ok("info", "-o", "json"))["Metadata DB"]["state"] != ""
    monkeypatch.setenv("TRADEWIND__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{home}/none.db")
    assert "tradewind db migrate" in ok("info")
    monkeypatch.setenv("HOME", str(home.parent))
    assert str(home.parent) not in ok("info", "--anonymize")


def test_asking_about_a_home_that_is_not_there_does_not_make_it(call, home, monkeypatch):
    missing = home.parent / "mistyped"
    monkeypatch.setenv("TRADEWIND_HOME", str(missing))
    for words in (("variables", "list"), ("connections", "get", "x"), ("variables", "set", "a", "1"), ("scheduler",)):
        assert call(*words).exit_code == 1
    assert not missing.exists()
