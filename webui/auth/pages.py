"""Logging in and out: the page, and tokens for clients."""

from __future__ import annotations

import threading
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from tradewind.metadata.users import Account, find_user, note_failed_login, note_login
from webui.auth.guard import COOKIE, end_session, set_cookie, start_session
from webui.auth.passwords import verify_password
from webui.web import session, web

pages: Final = Blueprint("auth", __name__)
TRIES_PER_MINUTE: Final = 20
"""Failed logins that one address has in a minute, over all names."""


class Refused(Exception):
    """A login was not accepted; the text is for the person."""


class _Addresses:
    """Failed logins by address within the last minute. Per process: it slows guessing, it need not be exact."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: dict[str, deque[float]] = {}

    def is_blocked(self, address: str) -> bool:
        with self._lock:
            times = self._failures.get(address)
            while times and times[0] < time.monotonic() - 60:
                times.popleft()
            return times is not None and len(times) >= TRIES_PER_MINUTE

    def note(self, address: str) -> None:
        with self._lock:
            if len(self._failures) > 10_000:
                self._failures.clear()
            self._failures.setdefault(address, deque()).append(time.monotonic())


_addresses: Final = _Addresses()


def check_login(username: str, password: str) -> Account:
    """Return the account that name and password open.

    Raises:
        Refused: they do not fit, or the account or the address has failed too often.
    """
    address = request.remote_addr or ""
    if _addresses.is_blocked(address):
        raise Refused("Too many failed logins from your address. Wait a minute and try again.")
    now = datetime.now(UTC)
    with web().db.read() as tx:
        found = find_user(tx, username)
    if found is not None and found.account.locked_until is not None and found.account.locked_until > now:
        wait = found.account.locked_until - now
        raise Refused(f"Too many failed logins. This account opens again in {_say(wait)}.")
    if verify_password(found.password_hash if found else None, password) and found and found.account.is_active:
        if found.account.failed_logins:
            with web().db.write() as tx:
                note_login(tx, found.account.id)
        return found.account
    _addresses.note(address)
    if found is not None:
        with web().db.write() as tx:
            note_failed_login(tx, found.account.id, now)
    raise Refused("User name and password do not fit together.")


def _say(wait: timedelta) -> str:
    seconds = max(1, round(wait.total_seconds()))
    return f"{seconds} s" if seconds < 90 else f"{round(seconds / 60)} min"


def _next_page() -> str:
    """Return where to go after the login: a path of ours, never another site."""
    target = request.values.get("next", "")
    parts = urlsplit(target)
    is_ours = target.startswith("/") and not target.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme
    return request.script_root + target if is_ours else url_for("home.home")


@pages.get("/login")
def login() -> BaseResponse | str:
    if session() is not None:
        return redirect(_next_page())
    return render_template("login.html", next=request.args.get("next", ""), username="", error="")


@pages.post("/login")
def login_post() -> BaseResponse:
    username = request.form.get("username", "").strip()
    try:
        account = check_login(username, request.form.get("password", ""))
    except Refused as error:
        page = render_template("login.html", next=request.form.get("next", ""), username=username, error=str(error))
        return make_response(page, 401)
    response = make_response(redirect(_next_page()))
    set_cookie(response, start_session(account))
    return response


@pages.post("/logout")
def logout() -> BaseResponse:
    end_session()
    response = redirect(url_for("auth.login"))
    response.delete_cookie(COOKIE, path=request.script_root or "/")
    return response


@pages.post("/auth/token")
@pages.post("/auth/token/cli", endpoint="token_cli")
def token() -> Response | tuple[Response, int]:
    """Give a client a bearer token for name and password, as JSON or as a form."""
    body = request.get_json(silent=True) if request.is_json else request.form
    if not body or not isinstance(body.get("username"), str) or not isinstance(body.get("password"), str):
        return jsonify(detail="Send {'username': ..., 'password': ...} as JSON or as a form."), 422
    try:
        account = check_login(body["username"], body["password"])
    except Refused as error:
        return jsonify(detail=str(error)), 401
    return jsonify(access_token=start_session(account, timedelta(hours=24))), 201
