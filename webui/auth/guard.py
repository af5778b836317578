"""May this request go on? Sessions, roles, and requests forged by other sites."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Final, ParamSpec, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, abort, g, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from tradewind.metadata.sessions import LiveSession, close_session, find_session, open_session, touch_session
from tradewind.metadata.users import ROLES, Account
from webui.web import session, web

COOKIE: Final = "tradewind_session"
TOUCH_EVERY: Final = timedelta(minutes=5)
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
OPEN_ENDPOINTS: Final = frozenset(
    {
        "auth.login",
        "auth.login_post",
        "auth.token",
        "auth.token_cli",
        "static_file",
        "health.health",
        "health.healthz",
        "health.readyz",
        "api.monitor_health",
        "api.version",
    }
)
"""What needs no login."""
_NOBODYS: Final = frozenset({"static_file", "health.health", "health.healthz", "health.readyz", "api.monitor_health"})
"""What is the same for everybody, so that nobody is looked up: probes are answered while the metadata DB is away."""

P = ParamSpec("P")
R = TypeVar("R")


def install(app: Flask) -> None:
    """Check every request of ``app`` before its page is made."""
    app.before_request(_check)


def _check() -> BaseResponse | None:
    if request.path.startswith("/execution/"):  # workers are no people: see webui.execution.entry
        g.login = None
        return None
    g.login = _who()
    if request.method not in SAFE and not _is_own_request():
        abort(403, description="This form was not sent by a page of Tradewind, or the page is too old. Load it again.")
    if g.login is None and request.endpoint not in OPEN_ENDPOINTS:
        if request.path.startswith("/api/"):
            abort(
                401, description="Log in first: POST /auth/token gives a token for the header 'Authorization: Bearer'."
            )
        if request.path.startswith("/live"):
            abort(401)
        target = request.full_path.rstrip("?") if request.method == "GET" else "/"
        return redirect(url_for("auth.login", next=target if target != "/" else None))
    return None


def hash_token(token: str) -> str:
    """Return what is stored of a session token."""
    return hashlib.sha256(token.encode()).hexdigest()


def start_session(account: Account, lifetime: timedelta | None = None) -> str:
    """Open a session for an account and return its token, 256 random bits."""
    token = secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    with web().db.write() as tx:
        open_session(
            tx,
            hash_token(token),
            account.id,
            now,
            lifetime or web().settings.session_lifetime,
            request.user_agent.string,
            request.remote_addr or "",
        )
    return token


def end_session() -> None:
    """End the session of this request."""
    if g.login is not None:
        with web().db.write() as tx:
            close_session(tx, g.login.token_hash)
        g.login = None


def set_cookie(response: Response, token: str) -> None:
    """Give the browser its token; it ends with the session or when the browser forgets it."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(web().settings.session_lifetime.total_seconds()),
        httponly=True,
        samesite="Lax",
        secure=web().settings.is_https or request.is_secure,
        path=request.script_root or "/",
    )


def _token() -> str | None:
    header = request.headers.get("Authorization", "")
    return header[7:].strip() if header[:7].lower() == "bearer " else request.cookies.get(COOKIE)


def _who() -> LiveSession | None:
    token = _token()
    if not token or request.endpoint in _NOBODYS:
        return None
    now = datetime.now(UTC)
    with web().db.read() as tx:
        found = find_session(tx, hash_token(token), now)
    if found is not None and now - found.seen_at > TOUCH_EVERY:
        with web().db.write() as tx:
            touch_session(tx, found.token_hash, now, web().settings.session_lifetime)
    return found


def csrf_token() -> str:
    """Return what forms carry: derived from the session token, which other sites can neither read nor guess."""
    token = request.cookies.get(COOKIE, "")
    return hmac.new(token.encode(), b"tradewind csrf", hashlib.sha256).hexdigest()


def _is_own_request() -> bool:
    """Return whether a request that changes something comes from our own pages, or carries a bearer token."""
    if request.headers.get("Authorization", "")[:7].lower() == "bearer ":
        return True  # no browser adds this header by itself
    origin = request.headers.get("Origin") or request.headers.get("Referer")
    if origin and urlsplit(origin).netloc != request.host:
        return False
    if g.login is None:
        return True  # nothing to abuse but the login itself, whose origin was checked above
    sent = request.headers.get("X-CSRF-Token") or request.form.get("csrf", "")
    return hmac.compare_digest(sent, csrf_token())


def may(role: str) -> bool:
    """Return whether whoever asks may do what needs ``role``."""
    login = session()
    return login is not None and ROLES.index(login.role) >= ROLES.index(role)


def needs(role: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a page that needs a role; others are answered 403 with what is missing."""

    def decorate(page: Callable[P, R]) -> Callable[P, R]:
        @wraps(page)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            if not may(role):
                login = session()
                abort(
                    403,
                    description=f"This needs the role {role!r}; you have {login.role if login else 'none'!r}. "
                    "Ask an administrator.",
                )
            return page(*args, **kwargs)

        return checked

    return decorate
