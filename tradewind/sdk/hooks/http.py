"""How does a task speak HTTP? ``HttpHook``: one request by the address and the login of a connection.

Made of the standard library. Who needs more of HTTP (own ways to log in, uploads in parts, sessions) installs the
provider package ``apache-airflow-providers-http``, which then stands in its place.
"""

from __future__ import annotations

import base64
import json as json_format
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import timedelta
from email.message import Message
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from tradewind.errors import did_you_mean
from tradewind.sdk.connection import BaseHook, Connection
from tradewind.sdk.exceptions import AirflowException

OPTIONS: Final = ("allow_redirects", "check_response", "proxies", "timeout", "verify", "cert", "stream")
"""What ``extra_options``, and the extra of a connection, may say of a request. Other keys of the latter are headers."""

_IN_THE_ADDRESS: Final = ("GET", "HEAD", "DELETE")
"""Methods whose ``data`` is not a body but becomes part of the address."""


class Response:
    """What a server answered; attributes as those of ``requests.Response``.

    Attributes:
        status_code: e.g. 200.
        reason: in words, e.g. ``OK``.
        headers: by name, in any case of letters.
        content: the body.
        url: the address that answered, after redirects.
        elapsed: from the request to the end of the answer.
    """

    def __init__(
        self, status_code: int, reason: str, headers: Message, content: bytes, url: str, elapsed: timedelta
    ) -> None:
        self.status_code, self.reason, self.headers = status_code, reason, headers
        self.content, self.url, self.elapsed = content, url, elapsed

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status_code < 400

    @property
    def encoding(self) -> str:
        """How the body is to be read: as the server says, else UTF-8."""
        return self.headers.get_content_charset("utf-8")

    @property
    def text(self) -> str:
        """The body as a text."""
        try:
            return self.content.decode(self.encoding, errors="replace")
        except LookupError:  # the server named an encoding that nobody knows
            return self.content.decode("utf-8", errors="replace")

    def json(self, **kwargs: Any) -> Any:
        """Return the body read as JSON; ``kwargs`` are those of ``json.loads``.

        Raises:
            ValueError: it is none.
        """
        return json_format.loads(self.text, **kwargs)

    def raise_for_status(self) -> None:
        """Raise :class:`AirflowException` when the status is 400 or more; the message begins with it."""
        if not self.ok:
            raise AirflowException(f"{self.status_code}:{self.reason}")

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return f"<Response [{self.status_code}]>"


class HttpHook(BaseHook):
    """Sends requests. The connection holds host (with or without ``https://``), port, login and password; its
    ``schema`` is the protocol, ``http`` by default; its extra holds headers and options."""

    conn_name_attr = "http_conn_id"
    default_conn_name = "http_default"
    conn_type = "http"
    hook_name = "HTTP"
    default_host = ""

    def __init__(
        self,
        method: str = "POST",
        http_conn_id: str = default_conn_name,
        auth_type: Any = None,
        tcp_keep_alive: bool = True,
        tcp_keep_alive_idle: int = 120,
        tcp_keep_alive_count: int = 20,
        tcp_keep_alive_interval: int = 30,
        **kwargs: Any,
    ) -> None:
        """
        Args:
            auth_type: None: login and password in the usual (basic) way; others need the provider package.
            tcp_keep_alive, tcp_keep_alive_idle, tcp_keep_alive_count, tcp_keep_alive_interval: taken for Airflow's
                sake; a request has a ``timeout`` instead.
        """
        super().__init__(**kwargs)
        if auth_type is not None and getattr(auth_type, "__name__", "") != "HTTPBasicAuth":
            raise AirflowException(
                f"HttpHook has only the basic way to log in, not {auth_type!r}. Leave out auth_type, put a header such "
                'as {"Authorization": "Bearer ..."} into the extra of the connection, or install '
                "apache-airflow-providers-http."
            )
        self.method = method.upper()
        self.http_conn_id = http_conn_id
        self.base_url = ""

    def get_conn(self, headers: Mapping[str, Any] | None = None) -> Connection:
        """Return the connection, and take its address as :attr:`base_url`. There is no session to hold."""
        found = self.get_connection(self.http_conn_id)
        self.base_url = base_url_of(found)
        return found

    def url_from_endpoint(self, endpoint: str | None) -> str:
        """Return the whole address of an endpoint; one that is whole already stays as it is."""
        if endpoint and urlsplit(endpoint).scheme in ("http", "https"):
            return endpoint
        if self.base_url and endpoint:
            return f"{self.base_url.rstrip('/')}/{endpoint.lstrip('/')}"
        return self.base_url or endpoint or ""

    def run(
        self,
        endpoint: str | None = None,
        data: Mapping[str, Any] | str | bytes | None = None,
        headers: Mapping[str, Any] | None = None,
        extra_options: Mapping[str, Any] | None = None,
        **request_kwargs: Any,
    ) -> Response:
        """Send one request and return the answer.

        Args:
            endpoint: behind the address of the connection, or a whole address.
            data: of GET, HEAD and DELETE the query; else the body: a text, or a dict as a form has it.
            extra_options: ``timeout`` (seconds), ``verify`` (False, or a file of certificates), ``cert``, ``proxies``,
                ``allow_redirects``, ``check_response``; these count before those of the connection.
            request_kwargs: ``json``: a body as JSON; ``params``: the query.

        Raises:
            AirflowException: no answer, or a status of 400 or more unless ``check_response`` is off.
        """
        connection = self.get_conn()
        extra = connection.extra_dejson
        options = {name: extra.pop(name) for name in OPTIONS if name in extra} | dict(extra_options or {})
        self._check_options(options, request_kwargs)
        query, body, own = self._contents(data, request_kwargs)
        url = self.url_from_endpoint(endpoint)
        if not url:
            raise AirflowException(
                f"There is no address: connection {self.http_conn_id!r} has no host, and no endpoint is given."
            )
        if query:
            url += ("&" if urlsplit(url).query else "?") + query
        given = {**own, **_login(connection), **{str(k): str(v) for k, v in {**extra, **(headers or {})}.items()}}
        request = urllib.request.Request(url, body, given, method=self.method)
        self.log.debug("Sending %s to %s", self.method, request.full_url)
        response = self._send(request, options)
        if options.get("check_response", True):
            self.check_response(response)
        return response

    def check_response(self, response: Response) -> None:
        """Log an answer whose status is 400 or more, and raise.

        Raises:
            AirflowException: the message begins with the status.
        """
        if not response.ok:
            self.log.error("HTTP error: %s", response.reason)
            self.log.error(response.text)
            response.raise_for_status()

    def run_with_advanced_retry(self, _retry_args: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Send a request, and again as the library ``tenacity`` is told to; it must be installed.

        Raises:
            AirflowException: ``tenacity`` is not there, or what the last try raised.
        """
        try:
            from tenacity import Retrying  # type: ignore[import-not-found, unused-ignore]
        except ModuleNotFoundError:
            raise AirflowException(
                "Retries within a task need the package tenacity. Use retries= of the task."
            ) from None
        send: Callable[..., Any] = Retrying(**_retry_args)
        return send(self.run, *args, **kwargs)

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the address answers, and a sentence about it."""
        try:
            self.run()
        except AirflowException as error:
            return False, str(error)
        return True, "The address answers."

    # --- one request -------------------------------------------------------------------------------------------------

    def _check_options(self, options: Mapping[str, Any], request_kwargs: Mapping[str, Any]) -> None:
        for given, known, what in (
            (options, OPTIONS, "extra_options"),
            (request_kwargs, ("json", "params"), "request_kwargs"),
        ):
            strange = next((name for name in given if name not in known), None)
            if strange is not None:
                raise AirflowException(
                    f"HttpHook does not know {strange!r} of {what}.{did_you_mean(strange, known)} It knows "
                    f"{', '.join(known)}; apache-airflow-providers-http, once installed, knows more."
                )

    def _contents(
        self, data: Mapping[str, Any] | str | bytes | None, request_kwargs: Mapping[str, Any]
    ) -> tuple[str, bytes | None, dict[str, str]]:
        """Return query, body, and headers that say what the body is."""
        query = _encoded(request_kwargs.get("params"))
        if self.method in _IN_THE_ADDRESS and "json" not in request_kwargs:
            return "&".join(filter(None, [query, _encoded(data)])), None, {}
        if "json" in request_kwargs and not data:
            body = json_format.dumps(request_kwargs["json"]).encode()
            return query, body, {"Content-Type": "application/json"}
        if isinstance(data, Mapping):
            is_form = {"Content-Type": "application/x-www-form-urlencoded"}
            return query, _encoded(data).encode() or None, is_form if data else {}
        return query, data.encode() if isinstance(data, str) else data, {}

    def _send(self, request: urllib.request.Request, options: Mapping[str, Any]) -> Response:
        handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=_tls(options))]
        if not options.get("allow_redirects", True):
            handlers.append(_NoRedirects())
        if options.get("proxies"):
            handlers.append(urllib.request.ProxyHandler(dict(options["proxies"])))
        opener = urllib.request.build_opener(*handlers)
        timeout = options.get("timeout")
        if isinstance(timeout, tuple | list):  # (connect, read), as requests has it
            timeout = max(timeout)
        started = time.monotonic()
        try:
            with opener.open(request, timeout=timeout or socket.getdefaulttimeout()) as answer:
                return _response(answer, started)
        except urllib.error.HTTPError as error:
            with error:
                return _response(error, started)
        except (OSError, HTTPException, ValueError) as error:
            why = error.reason if isinstance(error, urllib.error.URLError) else error
            raise AirflowException(f"{self.method} {_without_login(request.full_url)}: no answer: {why}") from error


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


def base_url_of(connection: Connection) -> str:
    """Return the address of a connection, without its login."""
    host = connection.host or ""
    if "://" in host:
        address = host
    elif host:
        address = f"{connection.schema or 'http'}://{host}"
    else:
        return ""
    return f"{address}:{connection.port}" if connection.port else address


def _login(connection: Connection) -> dict[str, str]:
    if not connection.login and not connection.password:
        return {}
    pair = f"{connection.login or ''}:{connection.password or ''}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _encoded(data: Any) -> str:
    if isinstance(data, bytes):
        return data.decode()
    return data if isinstance(data, str) else urlencode(data or {}, doseq=True)


def _tls(options: Mapping[str, Any]) -> ssl.SSLContext:
    verify, cert = options.get("verify", True), options.get("cert")
    context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if cert:
        context.load_cert_chain(*([cert] if isinstance(cert, str) else cert))
    return context


def _response(answer: Any, started: float) -> Response:
    content = answer.read()
    elapsed = timedelta(seconds=time.monotonic() - started)
    return Response(answer.status, answer.reason, answer.headers, content, answer.url, elapsed)


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
