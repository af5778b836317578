"""How does a task speak to Docker? ``DockerHook``: the few calls that running a container takes, over its HTTP API.

The daemon is asked over its Unix socket or over TCP; nothing but the standard library is needed. Who needs more of
Docker installs ``apache-airflow-providers-docker``, which then stands in its place.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from tradewind.sdk.connection import BaseHook
from tradewind.sdk.exceptions import AirflowException

DEFAULT_URL: Final = "unix:///var/run/docker.sock"
API: Final = "/v1.41"
"""Of Docker 20.10; newer daemons speak it as well."""

_HEAD_BYTES: Final = 8


class DockerHook(BaseHook):
    """Speaks to a Docker daemon. A connection, if it is named, holds the login to a registry: host, login, password."""

    conn_name_attr = "docker_conn_id"
    default_conn_name = "docker_default"
    conn_type = "docker"
    hook_name = "Docker"

    def __init__(
        self,
        docker_conn_id: str | None = None,
        base_url: str | None = None,
        tls: ssl.SSLContext | None = None,
        timeout: float = 60.0,
        **kwargs: Any,
    ) -> None:
        """
        Args:
            docker_conn_id: whose login is used to pull images; None: none.
            base_url: ``unix:///path`` or ``tcp://host:port``; None: as ``DOCKER_HOST`` says, else the usual socket.
            timeout: seconds to wait for an answer; not for the end of a container.
        """
        super().__init__(**kwargs)
        self.docker_conn_id = docker_conn_id
        self.base_url = base_url or os.environ.get("DOCKER_HOST") or DEFAULT_URL
        self.tls, self.timeout = tls, timeout

    def get_conn(self) -> DockerHook:
        """Return this hook: each call has a connection of its own."""
        return self

    # --- calls ------------------------------------------------------------------------------------------------------

    def has_image(self, image: str) -> bool:
        """Return whether the daemon has an image already."""
        status, _ = self._ask("GET", f"/images/{quote(image, safe='')}/json", accept=(404,))
        return status == 200

    def pull(self, image: str) -> None:
        """Fetch an image from its registry; what the daemon says goes to the log.

        Raises:
            AirflowException: it cannot be had.
        """
        name, sign, tag = image.rpartition(":")
        if not sign or "/" in tag or "@" in image:
            name, tag = image, "" if "@" in image else "latest"
        place = f"/images/create?{urlencode({'fromImage': name, **({'tag': tag} if tag else {})})}"
        connection, answer = self._begin("POST", place, None, self._registry_login(), self.timeout * 10)
        try:
            for line in answer:
                said = json.loads(line)
                if "error" in said:
                    raise AirflowException(f"The image {image!r} cannot be pulled: {said['error']}.")
                if "progress" not in said and said.get("status"):
                    self.log.info("%s", said["status"])
        finally:
            connection.close()

    def create(self, settings: Mapping[str, Any], name: str | None = None) -> str:
        """Make a container, which does not run yet; return its id.

        Args:
            settings: as the API has them: ``Image``, ``Cmd``, ``Env``, ``HostConfig`` ...
        """
        query = f"?{urlencode({'name': name})}" if name else ""
        _, made = self._ask("POST", f"/containers/create{query}", settings)
        for warning in made.get("Warnings") or ():
            self.log.warning("%s", warning)
        identity: str = made["Id"]
        return identity

    def start(self, container: str) -> None:
        """Let a container run."""
        self._ask("POST", f"/containers/{container}/start")

    def logs(self, container: str, *, is_tty: bool) -> Iterator[str]:
        """Yield each line that a container writes, as it comes, until it ends.

        Args:
            is_tty: it was made with a terminal, and so writes without marks between stdout and stderr.
        """
        query = "follow=1&stdout=1&stderr=1"
        connection, answer = self._begin("GET", f"/containers/{container}/logs?{query}", None, {}, None)
        try:
            rest = b""
            for piece in _pieces(answer, is_tty):
                *lines, rest = (rest + piece).split(b"\n")
                yield from (_text(line) for line in lines)
            if rest:
                yield _text(rest)
        finally:
            connection.close()

    def wait(self, container: str) -> int:
        """Wait until a container has ended; return its exit code."""
        _, ended = self._ask("POST", f"/containers/{container}/wait", timeout=None)
        code: int = ended["StatusCode"]
        return code

    def stop(self, container: str, grace_seconds: int = 5) -> None:
        """End a container: SIGTERM, and SIGKILL later. One that has ended, or is gone, is left alone."""
        self._ask("POST", f"/containers/{container}/stop?t={grace_seconds}", accept=(304, 404))

    def remove(self, container: str, *, force: bool = False) -> None:
        """Remove a container; one that is gone is left alone."""
        self._ask("DELETE", f"/containers/{container}?force={int(force)}&v=1", accept=(404, 409))

    def read_file(self, container: str, path: str) -> bytes | None:
        """Return the contents of a file in a container, running or not; None when there is none."""
        import io
        import tarfile

        status, archive = self._ask(
            "GET", f"/containers/{container}/archive?{urlencode({'path': path})}", accept=(404,)
        )
        if status == 404:
            return None
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            member = files.extractfile(files.getmembers()[0])
            return None if member is None else member.read()

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the daemon answers, and a sentence about it."""
        try:
            self._ask("GET", "/_ping")
        except AirflowException as error:
            return False, str(error)
        return True, "The Docker daemon answers."

    # --- HTTP -------------------------------------------------------------------------------------------------------

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        accept: tuple[int, ...] = (),
        timeout: float | None = -1.0,
    ) -> tuple[int, Any]:
        limit = self.timeout if timeout == -1.0 else timeout
        connection, answer = self._begin(method, path, body, {}, limit, accept)
        try:
            found = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise AirflowException(f"The Docker daemon at {self.base_url} broke off its answer: {error}.") from error
        finally:
            connection.close()
        is_json = "json" in (answer.getheader("Content-Type") or "")
        return answer.status, json.loads(found) if is_json and found else found

    def _begin(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        timeout: float | None,
        accept: tuple[int, ...] = (),
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = self._connection(timeout)
        content = None if body is None else json.dumps(body).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        try:
            connection.request(method, f"{API}{path}", content, {"Host": "docker", **kind, **headers})
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise AirflowException(
                f"There is no Docker daemon at {self.base_url}: {error}. Start it, or give its address in docker_url "
                "or DOCKER_HOST."
            ) from error
        if answer.status < 400 or answer.status in accept:
            return connection, answer
        why = _why(answer)
        connection.close()
        raise AirflowException(f"Docker refused {method} {path.partition('?')[0]}: {why}")

    def _connection(self, timeout: float | None) -> http.client.HTTPConnection:
        parts = urlsplit(self.base_url)
        if parts.scheme == "unix":
            return _UnixConnection(parts.path, timeout)
        if parts.scheme not in ("tcp", "http", "https") or not parts.hostname:
            raise AirflowException(
                f"{self.base_url!r} is no address of a Docker daemon. Write unix:///path/to/socket or tcp://host:port."
            )
        if self.tls is not None or parts.scheme == "https":
            return http.client.HTTPSConnection(parts.hostname, parts.port or 2376, timeout=timeout, context=self.tls)
        return http.client.HTTPConnection(parts.hostname, parts.port or 2375, timeout=timeout)

    def _registry_login(self) -> dict[str, str]:
        if self.docker_conn_id is None:
            return {}
        found = self.get_connection(self.docker_conn_id)
        login = {"username": found.login, "password": found.password, "serveraddress": found.host}
        text = json.dumps({name: value for name, value in login.items() if value}).encode()
        return {"X-Registry-Auth": base64.urlsafe_b64encode(text).decode()}


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float | None) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _why(answer: http.client.HTTPResponse) -> str:
    text = answer.read().decode(errors="replace")
    try:
        found = json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        found = text.strip() or answer.reason
    return f"{found} ({answer.status})"


def _pieces(answer: http.client.HTTPResponse, is_tty: bool) -> Iterator[bytes]:
    """Yield what a container writes. Without a terminal, eight bytes before each piece say how long it is."""
    if is_tty:
        while piece := answer.read1(65536):
            yield piece
        return
    while len(head := answer.read(_HEAD_BYTES)) == _HEAD_BYTES:
        yield answer.read(int.from_bytes(head[4:]))


def _text(line: bytes) -> str:
    return line.decode("utf-8", errors="backslashreplace").rstrip("\r")
