"""How does one message of a worker reach a web server, and its answer come back? One POST over kept connections.

A call is never left open: whatever happens to the network or the web server, it ends within seconds as a
:class:`LinkLost`, and may be made again.
"""

from __future__ import annotations

import logging
import ssl
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from executors.worker.http_wire import (
    MAX_REQUEST_BYTES,
    MEDIA_TYPE,
    PATH,
    VERSION_HEADER,
    decode_answer,
    encode_request,
)
from executors.worker.link import LinkLost
from executors.worker.talk import TALK_VERSION, No, WorkerAnswer, WorkerRequest
from tradewind import __version__
from tradewind.config import Config
from tradewind.errors import TradewindError, UsageError

log = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 20.0
"""Between two signs of life of the web server, which gives up what it asks of the metadata DB after 10 s itself."""
CONNECTIONS: Final = 16
"""Kept open at most: one for each thread of a worker that may speak at the same time."""
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""What web servers and those before them answer when it is worth asking again."""


class NotSent(LinkLost):
    """Nobody was there to say it to: what was asked has certainly not been done."""


class TooLarge(UsageError):
    """The message is larger than the web server, or a proxy before it, takes."""


class HttpDoor:
    """Says messages to the web server that ``[workers] control_plane`` names. Any number of threads may use it."""

    def __init__(self, config: Config) -> None:
        """
        Raises:
            UsageError: address, token or certificates are not such that a worker can work with them.
        """
        self.url: Final = config.workers.control_plane
        if not self.url:
            raise UsageError(
                "[workers] control_plane is empty, so there is no web server to ask. Set it to the address of one, "
                "e.g. https://tradewind.example.com."
            )
        if not config.workers.token:
            raise UsageError(
                f"[workers] control_plane is {self.url}, and [workers] token is empty, so the web server there would "
                "let nobody in. Give this worker the token that the web server has."
            )
        address = urlsplit(self.url)
        if address.scheme == "http" and address.hostname not in LOOPBACK:
            log.warning(
                "[workers] control_plane is %s: the token, and the secrets of tasks, cross the network in the clear. "
                "Use https:// unless a tunnel protects them.",
                self.url,
            )
        self._headers: Final = {
            "Authorization": f"Bearer {config.workers.token[0]}",
            "Content-Type": MEDIA_TYPE,
            "User-Agent": f"tradewind-worker/{__version__}",
            VERSION_HEADER: str(TALK_VERSION),
        }
        self._connections: Final = _connections(config, address)
        self._has_met = False  # what was right once is not taken for a wrong address later

    def say(self, request: WorkerRequest) -> WorkerAnswer:
        """Return the answer to a message. It is tried once.

        Raises:
            LinkLost: there is none now.
            TooLarge: the message must be made smaller.
            TradewindError: the answer is no; or there is no control plane at this address.
        """
        body = encode_request(request)
        if len(body) > MAX_REQUEST_BYTES:
            raise TooLarge(
                f"A message of {_mib(len(body))} is more than the {_mib(MAX_REQUEST_BYTES)} that can be sent to the "
                "control plane at once."
            )
        try:
            response = self._connections.urlopen(
                "POST", f"{self.url}{PATH}", body=body, headers=self._headers, retries=False, redirect=False
            )
        except SSLError as error:
            raise self._no_tls(error) from error
        except (NewConnectionError, ConnectTimeoutError, ProxyError) as error:
            raise NotSent(f"The control plane at {self.url} cannot be reached: {_reason(error)}.") from error
        except HTTPError as error:
            raise LinkLost(f"The control plane at {self.url} has not answered: {_reason(error)}.") from error
        return self._read(response, len(body))

    def close(self) -> None:
        """Close the connections."""
        self._connections.clear()

    def _read(self, response: urllib3.BaseHTTPResponse, sent: int) -> WorkerAnswer:
        if response.status == 413:
            raise TooLarge(
                f"A message of {_mib(sent)} is more than {self.url} takes at once. When that is a limit of a proxy "
                f"before the web server, raise it to {_mib(MAX_REQUEST_BYTES)} there (nginx: client_max_body_size)."
            )
        if VERSION_HEADER not in response.headers:
            raise self._not_ours(response)
        try:
            answer = decode_answer(response.data)
        except ValueError as error:
            raise UsageError(
                f"The answer of the control plane at {self.url} cannot be read: {error}. It speaks version "
                f"{response.headers[VERSION_HEADER]!r} with workers, and this worker {TALK_VERSION}. Upgrade the web "
                "servers first, then the workers."
            ) from error
        if isinstance(answer, No):
            raise TradewindError(answer.why) if answer.is_final else LinkLost(answer.why)
        self._has_met = True
        return answer

    def _no_tls(self, error: SSLError) -> TradewindError:
        cause = error.args[0] if error.args else None
        if isinstance(cause, ssl.SSLCertVerificationError):
            return self._wrong(f"its certificate is not trusted: {_reason(error)}", _MEND_TLS)
        if isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER":
            return self._wrong("what answers there does not speak HTTPS", "Correct the port, or give it a certificate.")
        return LinkLost(f"The control plane at {self.url} has not answered: {_reason(error)}.")

    def _not_ours(self, response: urllib3.BaseHTTPResponse) -> TradewindError:
        """Return what to say of an answer that was not written by Tradewind."""
        status = f"{response.status} {response.reason or ''}".strip()
        if response.status in _LATER:
            return LinkLost(f"The control plane at {self.url} is away: something before it answers {status}.")
        target = response.headers.get("Location", "")
        if 300 <= response.status < 400 and target.endswith(PATH):
            return self._wrong(f"it sends workers on to {target.removesuffix(PATH)}", "Put that address there.")
        return self._wrong(
            f"it answers {status} where a web server of Tradewind would let workers in",
            "Check the address, that the proxy before it hands on /execution/, and that the web server is not older "
            "than this worker.",
        )

    def _wrong(self, what: str, mend: str) -> TradewindError:
        text = f"[workers] control_plane is {self.url}, and {what}."
        return LinkLost(text) if self._has_met else UsageError(f"{text} {mend}")


_MEND_TLS: Final = (
    "Name the authority that vouches for it in [workers] ca_file, and use the name of the host that the certificate "
    "is for."
)


def _connections(config: Config, address: SplitResult) -> urllib3.PoolManager:
    """Return connections to an address, through the proxy that ``HTTPS_PROXY`` and its kin name for it."""
    options: dict[str, Any] = {
        "maxsize": CONNECTIONS,
        "timeout": urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
    }
    if address.scheme == "https":
        options["ssl_context"] = _trust(config)
    proxy = getproxies().get(address.scheme)
    host = address.hostname or ""
    if not proxy or proxy_bypass(host) or host in LOOPBACK:
        return urllib3.PoolManager(**options)
    of_proxy = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    login = ":".join(unquote(part) for part in (of_proxy.username, of_proxy.password) if part is not None)
    headers = urllib3.make_headers(proxy_basic_auth=login) if login else None
    place = f"{of_proxy.scheme}://{of_proxy.netloc.rpartition('@')[2]}"
    try:
        return urllib3.ProxyManager(place, proxy_headers=headers, **options)
    except (ValueError, HTTPError):  # what it says may hold a password
        raise UsageError(
            f"The environment names a proxy for {address.scheme}:// that is none. Set {address.scheme.upper()}_PROXY to"
            " http://HOST:PORT, or NO_PROXY to the hosts that are reached without it."
        ) from None


def _trust(config: Config) -> ssl.SSLContext:
    path = config.workers.ca_file
    try:
        return ssl.create_default_context(cafile=None if path is None else str(path))
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f"[workers] ca_file is {path}, which cannot be read as certificates: {error.strerror or error}. Name a PEM "
            "file with the certificate of the authority."
        ) from error


def _reason(error: HTTPError) -> str:
    """Return why, without the objects that urllib3 puts before it."""
    if isinstance(error, ReadTimeoutError):
        return "nothing came for too long"
    if isinstance(error, ConnectTimeoutError) and not isinstance(error, NewConnectionError):
        return f"no connection within {CONNECT_SECONDS:g} s"
    cause: BaseException = error
    if isinstance(error, ProtocolError) and len(error.args) > 1 and isinstance(error.args[1], BaseException):
        cause = error.args[1]
    elif error.__cause__ is not None:
        cause = error.__cause__
    text = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
    return (text or type(cause).__name__).rstrip(".")


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size} bytes"
