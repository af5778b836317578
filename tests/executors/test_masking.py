"""Is no secret readable, and everything else?"""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executors.runner.environment import MARKER, task_environment
from executors.runner.masking import Masker


@given(st.text(min_size=4).filter(str.strip), st.text(), st.text())
def test_a_secret_is_masked_wherever_it_stands(secret, before, after):
    masker = Masker()
    masker.add(secret)

    assert secret not in masker.redact(f"{before}{secret}{after}").replace("***", "")


@pytest.mark.parametrize("form", [lambda s: s, lambda s: quote(s, safe=""), repr, lambda s: f"url://u:{s}@h/"])
def test_a_secret_is_masked_in_the_forms_in_which_it_gets_printed(form):
    masker = Masker()
    secret = 'p/a"s\\s w0rd\n'
    masker.add(secret)

    assert "w0rd" not in masker.redact(form(secret))


def test_a_secret_of_many_lines_is_masked_line_by_line():
    masker = Masker()
    masker.add("-----BEGIN KEY-----\nabcdefghij\nx\n-----END KEY-----")

    assert [masker.redact(line) for line in ("abcdefghij", "x")] == ["***", "x"]


def test_the_longer_of_two_secrets_is_masked_whole():
    masker = Masker()
    masker.add(["pass", "passport"])

    assert masker.redact("passport pass") == "*** ***"


def test_text_without_secrets_is_left_as_it_is():
    assert Masker().redact("anything at all") == "anything at all"


@pytest.mark.parametrize("nothing", [None, "", "   ", 0, [], {}])
def test_nothing_is_no_secret(nothing):
    masker = Masker()
    masker.add(nothing)

    assert masker.redact("a b") == "a b"


def test_values_are_masked_by_their_names_at_any_depth():
    masker = Masker()
    masker.set_names(["pin"])
    value = {"PASSWORD": "x", "list": [{"my_api_key": "y", "n": 1}], "pin": 1234, "none": None, "text": "plain"}

    assert masker.redact_value(value) == {
        "PASSWORD": "***",
        "list": [{"my_api_key": "***", "n": 1}],
        "pin": "***",
        "none": None,
        "text": "plain",
    }


def test_masking_by_name_can_be_turned_off_and_given_secrets_stay_masked():
    masker = Masker()
    masker.set_names([], is_on=False)
    masker.add("given")

    assert masker.redact_value({"password": "open", "x": "given"}) == {"password": "open", "x": "***"}


POSTGRES = "postgresql://tradewind:s3cret@db/x"


@pytest.mark.parametrize(
    ("name", "value", "is_kept"),
    [
        ("PATH", "/usr/bin", True),
        ("TRADEWIND_HOME", "/home/x", True),
        ("AWS_ACCESS_KEY_ID", "users-own", True),
        ("AIRFLOW__CORE__DAGS_FOLDER", "/dags", True),
        ("TRADEWIND__CORE__FERNET_KEY", "k", False),
        ("AIRFLOW__CORE__FERNET_KEY_CMD", "cat key", False),
        ("airflow__database__sql_alchemy_conn", "x", False),
        ("AIRFLOW_CONN_X", "postgres://", False),
        ("TRADEWIND_VAR_REGION", "eu", True),
        ("TRADEWIND_VAR_DB_PASSWORD", "x", False),
        ("DATABASE_URL", POSTGRES, False),
        ("OTHER", "the s3cret inside", False),
        ("PGPASSWORD", "users-own", True),
    ],
)
def test_the_environment_of_tasks_keeps_what_is_the_users_and_leaves_out_what_is_ours(name, value, is_kept):
    made = task_environment({name: value}, POSTGRES, "m")

    assert made == {MARKER: "m", **({name: value} if is_kept else {})}


def test_the_password_of_the_metadata_db_is_left_out_when_it_comes_by_pgpassword():
    assert "PGPASSWORD" not in task_environment({"PGPASSWORD": "x"}, "postgresql://u@h/x", "m")
    assert "PGPASSWORD" in task_environment({"PGPASSWORD": "x"}, "sqlite:////x.db", "m")


def test_variables_that_hold_another_secret_are_left_out():
    environ = {"BROKER": "redis://:pw@h", "COPY": "x 0123456789 x", "HOME": "/home/pw"}

    kept = task_environment(environ, "sqlite:///a.db", "m", secrets=["0123456789", ":pw@"])

    assert kept == {"HOME": "/home/pw", MARKER: "m"}
