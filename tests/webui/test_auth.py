"""Who gets in, and what they may do: logins, locks, roles, sessions, forged requests, headers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.webui.conftest import PASSWORD, csrf_of
from tests.webui.seed import ETL_TASKS
from tradewind.errors import Conflict, NotFound, UsageError
from tradewind.metadata.sessions import find_session, open_session, touch_session
from tradewind.metadata.users import (
    LONG_LOCK,
    create_user,
    delete_user,
    find_user,
    get_user,
    list_users,
    lock_after,
    note_failed_login,
    set_password_hash,
    set_role,
)
from webui.auth import pages as auth_pages
from webui.auth.bootstrap import ensure_first_admin
from webui.auth.passwords import generate_password, hash_password, verify_password

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _fresh_addresses(monkeypatch):
    monkeypatch.setattr(auth_pages, "_addresses", auth_pages._Addresses())


def test_without_a_login_every_page_leads_to_the_login_and_back(app):
    client = app.test_client()
    answer = client.get("/dags?q=nightly")
    assert answer.status_code == 302
    assert answer.location == "/login?next=/dags?q%3Dnightly"
    answer = client.post("/login", data={"username": "viewer", "password": PASSWORD, "next": "/dags?q=nightly"})
    assert answer.location == "/dags?q=nightly"


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_a_login_never_leads_to_another_site(app, target):
    answer = app.test_client().post("/login", data={"username": "viewer", "password": PASSWORD, "next": target})
    assert answer.location == "/"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(app):
    answer = app.test_client().post("/login", data={"username": "viewer", "password": PASSWORD})
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(app):
    client = app.test_client()
    wrong = client.post("/login", data={"username": "viewer", "password": "wrong password"})
    unknown = client.post("/login", data={"username": "nobody", "password": "wrong password"})
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.text.replace("viewer", "") == unknown.text.replace("nobody", "")


def test_an_account_locks_after_too_many_wrong_passwords_even_for_the_right_one(app):
    client = app.test_client()
    for _ in range(4):
        client.post("/login", data={"username": "viewer", "password": "wrong password"})
    answer = client.post("/login", data={"username": "viewer", "password": PASSWORD})
    assert answer.status_code == 401
    assert "opens again in" in answer.text


def test_an_address_that_fails_too_often_must_wait(app):
    client = app.test_client()
    for number in range(auth_pages.TRIES_PER_MINUTE):
        client.post("/login", data={"username": f"guess{number}", "password": "wrong password"})
    answer = client.post("/login", data={"username": "admin", "password": PASSWORD})
    assert answer.status_code == 401 and "from your address" in answer.text


def test_locks_grow_and_end_at_a_quarter_of_an_hour():
    assert [lock_after(n).total_seconds() for n in (1, 3, 4, 5, 9)] == [0, 0, 1, 2, 32]
    assert lock_after(10) == lock_after(500) == LONG_LOCK


def test_logging_out_ends_the_session_on_the_server(app, client):
    token = client.get_cookie("tradewind_session").value
    csrf = csrf_of(client.get("/dags").text)
    assert client.post("/logout", data={"csrf": csrf}).status_code == 302
    other = app.test_client()
    other.set_cookie("tradewind_session", token)
    assert other.get("/dags").status_code == 302


@pytest.mark.parametrize("csrf", ["", "0" * 64])
def test_a_form_without_the_right_token_changes_nothing(client, seed, csrf):
    seed.dag("d", ETL_TASKS)
    answer = client.post("/dags/d/pause", data={"paused": "true", "csrf": csrf})
    assert answer.status_code == 403
    assert client.get("/api/v2/dags/d").get_json()["is_paused"] is False


def test_a_form_sent_by_another_site_is_refused_even_with_the_token(client, seed):
    seed.dag("d", ETL_TASKS)
    csrf = csrf_of(client.get("/dags").text)
    data = {"paused": "true", "csrf": csrf}
    assert client.post("/dags/d/pause", data=data, headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.post("/dags/d/pause", data=data, headers={"Origin": "http://localhost"}).status_code == 302


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("user", 302), ("op", 302), ("admin", 302)])
def test_viewers_look_and_users_act(log_in, seed, role, status):
    seed.dag("d", ETL_TASKS)
    client = log_in(role)
    csrf = csrf_of(client.get("/dags").text)
    assert client.post("/dags/d/pause", data={"paused": "true", "csrf": csrf}).status_code == status


def test_a_viewer_sees_no_buttons_that_would_be_refused(log_in, seed):
    seed.dag("d", ETL_TASKS)
    page = log_in("viewer").get("/dags/d").text
    assert "/dags/d/trigger" not in page
    assert 'role="switch"' in page and "disabled" in page


def test_a_changed_password_ends_open_sessions(client, database):
    with database.write() as tx:
        set_password_hash(tx, "admin", hash_password("another password"))
    assert client.get("/dags").status_code == 302


def test_a_role_that_is_taken_away_is_gone_at_the_next_request(client, seed, database):
    seed.dag("d", ETL_TASKS)
    csrf = csrf_of(client.get("/dags").text)
    with database.write() as tx:
        set_role(tx, "admin", "viewer")
    assert client.post("/dags/d/pause", data={"paused": "true", "csrf": csrf}).status_code == 403


def test_clients_get_a_token_and_use_it_without_cookie_or_form_token(app, seed):
    seed.dag("d", ETL_TASKS)
    client = app.test_client()
    answer = client.post("/auth/token", json={"username": "user", "password": PASSWORD})
    assert answer.status_code == 201
    headers = {"Authorization": f"Bearer {answer.get_json()['access_token']}"}
    assert client.patch("/api/v2/dags/d", json={"is_paused": True}, headers=headers).get_json()["is_paused"] is True


@pytest.mark.parametrize(
    ("body", "status"), [({"username": "user", "password": "wrong one"}, 401), ({"username": 1}, 422)]
)
def test_a_token_is_refused_with_a_reason(app, body, status):
    answer = app.test_client().post("/auth/token", json=body)
    assert answer.status_code == status and answer.get_json()["detail"]


def test_the_api_without_a_token_answers_401_as_json(app):
    answer = app.test_client().get("/api/v2/dags")
    assert answer.status_code == 401 and answer.mimetype == "application/json"


def test_every_answer_carries_the_security_headers(app, client):
    for answer in (client.get("/dags"), client.get("/none"), app.test_client().get("/login"), client.get("/health")):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"


def test_the_first_admin_is_made_once(database):
    made = ensure_first_admin(database)
    assert made is not None
    name, password = made
    assert ensure_first_admin(database) is None
    with database.read() as tx:
        found = find_user(tx, name)
    assert found is not None and found.account.role == "admin"
    assert verify_password(found.password_hash, password)
    assert password not in found.password_hash


def test_accounts_are_made_listed_and_removed(database):
    with database.write() as tx:
        create_user(tx, "ann", "hash", "op", NOW)
        with pytest.raises(Conflict, match="'ann' exists already"):
            create_user(tx, "ann", "hash", "op", NOW)
        with pytest.raises(UsageError, match="viewer, user, op, admin"):
            create_user(tx, "bob", "hash", "root", NOW)
        with pytest.raises(UsageError, match="user name"):
            create_user(tx, " bob", "hash", "op", NOW)
        with pytest.raises(NotFound, match="Did you mean 'ann'"):
            get_user(tx, "anne")
        assert [account.username for account in list_users(tx)] == ["ann"]
        delete_user(tx, "ann")
        assert list_users(tx) == []


def test_a_session_ends_by_itself_and_is_not_put_off_for_ever(database):
    hour = timedelta(hours=1)
    with database.write() as tx:
        account = create_user(tx, "ann", "hash", "op", NOW)
        open_session(tx, "token", account.id, NOW, hour, "browser", "127.0.0.1")
        assert find_session(tx, "token", NOW + hour * 0.9) is not None
        assert find_session(tx, "token", NOW + hour * 1.1) is None
        touch_session(tx, "token", NOW + hour * 0.9, hour)
        assert find_session(tx, "token", NOW + hour * 1.8) is not None
        touch_session(tx, "token", NOW + timedelta(days=6.99), timedelta(days=5))
        assert find_session(tx, "token", NOW + timedelta(days=7, minutes=1)) is None


def test_failures_are_counted_across_processes(database):
    with database.write() as tx:
        account = create_user(tx, "ann", "hash", "op", NOW)
        locks = [note_failed_login(tx, account.id, NOW) for _ in range(5)]
    assert locks == [None, None, None, NOW + timedelta(seconds=1), NOW + timedelta(seconds=2)]


def test_passwords_have_a_length_and_generated_ones_differ():
    with pytest.raises(UsageError, match="8 to 512"):
        hash_password("short")
    assert generate_password() != generate_password()
    assert not verify_password(None, "nobody has this password")
    assert not verify_password(hash_password("a password"), "x" * 600)
