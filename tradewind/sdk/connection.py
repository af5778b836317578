"""How does a task reach another system? ``Connection``: where it is and how to log in, as a value with a URI form."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from tradewind.sdk import reach
from tradewind.sdk.exceptions import AirflowException, AirflowNotFoundException
from tradewind.sdk.task_log import LoggingMixin

if TYPE_CHECKING:
    from tradewind.sdk.channel import ConnectionData, TaskChannel

_SCHEMES = {"postgresql": "postgres"}
_EXTRA = "__extra__"
_PROTOCOL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://")
"""What a host may begin with, as in ``https://x.org``; it stands before the login in a URI."""
_ANY_PROTOCOL: Final = re.compile(r"[^/?#]*://")
_IPV6: Final = re.compile(r"(?=.*:.*:)[0-9A-Fa-f:.]+")


class Connection:
    """One connection. Give its parts, or ``uri``, e.g. ``postgres://user:pass@host:5432/db?sslmode=require``."""

    def __init__(
        self,
        conn_id: str | None = None,
        conn_type: str | None = None,
        description: str | None = None,
        host: str | None = None,
        login: str | None = None,
        password: str | None = None,
        schema: str | None = None,
        port: int | None = None,
        extra: str | Mapping[str, Any] | None = None,
        uri: str | None = None,
    ) -> None:
        parts = (conn_type, host, login, password, schema, port, extra)
        if uri is not None and any(part is not None for part in parts):
            raise AirflowException(f"Connection {conn_id!r}: give uri or the parts, not both.")
        self.conn_id, self.description = conn_id, description
        self.conn_type: str | None = conn_type
        self.host, self.login, self.password, self.schema = host, login, password, schema
        self.port = int(port) if port is not None else None
        self.extra: str | None = json.dumps(dict(extra)) if isinstance(extra, Mapping) else extra
        if uri is not None:
            self._take_uri(uri)
        if self.extra:
            self._check_extra()

    def _take_uri(self, uri: str) -> None:
        protocol, split = self._split(uri)
        self.conn_type = _SCHEMES.get(split.scheme, split.scheme.replace("-", "_"))
        authority, _, place = split.netloc.rpartition("@")
        login, has_password, password = authority.partition(":")
        self.login = unquote(login) if authority else None
        self.password = unquote(password) if has_password else None
        try:
            self.port = split.port
        except ValueError:  # its words may hold a part of the password
            raise self._wrong_uri("The port must be a number from 0 to 65535.") from None
        self.host = f"{protocol}{_host_in(place)}" or None
        self.schema = unquote(split.path[1:]) if len(split.path) > 1 else None
        query = dict(parse_qsl(split.query, keep_blank_values=True))
        if _EXTRA in query:
            self.extra = query[_EXTRA]
        elif query:
            self.extra = json.dumps(query)

    def _split(self, uri: str) -> tuple[str, SplitResult]:
        """Return the protocol of the host with its ``://``, or an empty text, and the parts of the URI without it."""
        kind, sign, rest = uri.partition("://")
        found = _PROTOCOL.match(rest)
        protocol = found[0] if found else ""
        rest = rest[len(protocol) :]
        if _ANY_PROTOCOL.match(rest):
            raise self._wrong_uri(
                "A host with a protocol is written type://protocol://login:password@host:port/schema."
            )
        try:
            split = urlsplit(f"{kind}{sign}{rest}")
        except ValueError:
            raise self._wrong_uri("Quote each of its parts with urllib.parse.quote(part, safe='').") from None
        if not split.scheme:
            raise self._wrong_uri("Write type://login:password@host:port/schema.")
        return protocol, split

    def _wrong_uri(self, mend: str) -> AirflowException:
        """Return the error; the URI is not shown, since it may hold a password."""
        return AirflowException(f"Connection {self.conn_id!r}: what was given is not a URI that can be read. {mend}")

    def _check_extra(self) -> None:
        try:
            json.loads(self.extra or "{}")
        except ValueError:
            raise AirflowException(
                f"Connection {self.conn_id!r}: extra is not JSON. Write a JSON object such as {{}}."
            ) from None

    @classmethod
    def from_json(cls, text: str, conn_id: str | None = None) -> Connection:
        """Return the connection that a JSON object describes.

        Raises:
            AirflowException: it is no JSON object, or has a key that no connection has.
        """
        try:
            parts = json.loads(text)
        except ValueError as error:
            raise AirflowException(f"Connection {conn_id!r} is not JSON: {error}.") from None
        if not isinstance(parts, dict):
            raise AirflowException(f"Connection {conn_id!r}: the JSON must be an object, not {type(parts).__name__}.")
        parts.pop("conn_id", None)
        for alias, name in (("type", "conn_type"), ("user", "login"), ("pass", "password")):
            if alias in parts:
                parts.setdefault(name, parts.pop(alias))
        try:
            return cls(conn_id=conn_id, **parts)
        except TypeError as error:
            raise AirflowException(
                f"Connection {conn_id!r}: {error}. Use conn_type, host, login, password, ..."
            ) from None

    @classmethod
    def from_data(cls, data: ConnectionData) -> Connection:
        """Return the connection that the metadata DB keeps."""
        return cls(
            data.conn_id, data.conn_type, data.description, data.host, data.login, data.password,
            data.schema, data.port, data.extra,
        )  # fmt: skip

    @classmethod
    def get(cls, conn_id: str) -> Connection:
        """Return a connection by its id: from the environment, else from the metadata DB.

        Raises:
            AirflowNotFoundException: there is none.
        """
        given = reach.connection_text(conn_id)
        if given is not None:
            return cls.from_json(given, conn_id) if given.lstrip().startswith("{") else cls(conn_id=conn_id, uri=given)
        source = reach.source() or reach.channel(f"Connection.get({conn_id!r})")  # the latter raises
        data = source.get_connection(conn_id)
        if data is None:
            raise AirflowNotFoundException(
                f"Connection {conn_id!r} does not exist. "
                f"Create it with `tradewind connections add {conn_id} --conn-uri URI`."
            )
        found = cls.from_data(data)
        if found.password:
            source.mask_secret(found.password)
        return found

    get_connection_from_secrets = get

    @classmethod
    async def async_get(cls, conn_id: str) -> Connection:
        """Return a connection by its id, in a coroutine; see :meth:`get`."""
        return cls.get(conn_id)

    def get_hook(self, *, hook_params: dict[str, Any] | None = None) -> Any:
        """Return the hook that the installed provider package has for this type of connection.

        Args:
            hook_params: further arguments of the hook.

        Raises:
            AirflowException: no installed package has one.
        """
        from tradewind.compat.standins.manager import new_hook

        return new_hook(self, hook_params or {})

    @property
    def extra_dejson(self) -> dict[str, Any]:
        """``extra`` as a dict; empty when there is none."""
        found = json.loads(self.extra) if self.extra else {}
        return found if isinstance(found, dict) else {}

    def get_extra_dejson(self, nested: bool = False) -> dict[str, Any]:
        """Return ``extra`` as a dict; with ``nested``, texts in it that are JSON are read too."""
        found = self.extra_dejson
        return {key: _maybe_json(value) for key, value in found.items()} if nested else found

    def get_uri(self) -> str:
        """Return the connection as a URI; :class:`Connection` reads it back."""
        login = quote(self.login, safe="") if self.login is not None else ""
        password = f":{quote(self.password, safe='')}" if self.password is not None else ""
        authority = f"{login}{password}@" if login or password else ""
        kind = (self.conn_type or "").lower().replace("_", "-")
        protocol, place = _host_out(self.host or "", kind)
        port = f":{self.port}" if self.port is not None else ""
        schema = f"/{quote(self.schema, safe='')}" if self.schema else ""
        uri = f"{kind}://{protocol}{authority}{place}{port}{schema}"
        return f"{uri}{'' if schema else '/'}?{self._query()}" if self.extra else uri

    def _query(self) -> str:
        extra = self.extra_dejson
        flat = extra and all(isinstance(value, str) for value in extra.values())
        return urlencode(extra) if flat else urlencode({_EXTRA: self.extra})

    def to_dict(self) -> dict[str, Any]:
        """Return the connection as plain data, with ``extra`` as a dict; None stands for what it does not have."""
        parts = ("conn_id", "conn_type", "description", "host", "login", "password", "schema", "port")
        found = {name: getattr(self, name) for name in parts}
        return {**found, "extra": self.extra_dejson} if self.extra else found

    def as_json(self) -> str:
        """Return the connection as a JSON object."""
        parts = ("conn_type", "description", "host", "login", "password", "schema", "port", "extra")
        return json.dumps({name: getattr(self, name) for name in parts if getattr(self, name) is not None})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Connection) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # it can be changed

    def __repr__(self) -> str:
        return f"<Connection {self.conn_id}: {self.conn_type}>"


def _host_in(place: str) -> str:
    """Return the host of ``host:port`` with its capitals, which urlsplit takes away; account names may have some."""
    if place.startswith("["):
        return place[1:].partition("]")[0]
    return unquote(place.partition(":")[0])


def _host_out(host: str, kind: str) -> tuple[str, str]:
    """Return how a host stands in a URI: its protocol, which comes before the login, and the rest of it.

    As in Airflow, a protocol that is the same as the type of the connection is quoted with the rest.
    """
    found = _PROTOCOL.match(host)
    if found is None or found.end() == len(host) or found[1].lower() == kind:
        return "", f"[{host}]" if _IPV6.fullmatch(host) else quote(host, safe="")
    return found[0], quote(host[found.end() :], safe="")


def _maybe_json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


class ConnectionAccessor:
    """``conn`` in templates: ``{{ conn.warehouse.host }}``."""

    def __init__(self, channel: TaskChannel) -> None:
        self._channel = channel

    def __getattr__(self, conn_id: str) -> Any:
        if conn_id.startswith("__"):  # Jinja and copy ask for such; no connection is called that
            raise AttributeError(conn_id)
        return self[conn_id]

    def __getitem__(self, conn_id: str) -> Connection:
        with reach.through(self._channel):
            return Connection.get(conn_id)

    def get(self, conn_id: str, default: Any = None) -> Any:
        """Return a connection, or ``default`` when there is none."""
        try:
            return self[conn_id]
        except AirflowNotFoundException:
            return default

    def __repr__(self) -> str:
        return "<connections>"


class BaseHook(LoggingMixin):
    """What hooks of other systems derive from: looks up their connection."""

    _log_config_logger_name = "airflow.task.hooks"

    def __init__(self, logger_name: str | None = None) -> None:
        super().__init__()
        self._logger_name = logger_name

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """Return a connection by its id; see :meth:`Connection.get`."""
        return Connection.get(conn_id)

    @classmethod
    async def aget_connection(cls, conn_id: str) -> Connection:
        """Return a connection by its id, in a coroutine; see :meth:`Connection.get`."""
        return cls.get_connection(conn_id)

    @classmethod
    def get_hook(cls, conn_id: str, hook_params: dict[str, Any] | None = None) -> Any:
        """Return the hook for the type of a connection; see :meth:`Connection.get_hook`."""
        return cls.get_connection(conn_id).get_hook(hook_params=hook_params)

    @classmethod
    async def aget_hook(cls, conn_id: str, hook_params: dict[str, Any] | None = None) -> Any:
        """Return the hook for the type of a connection, in a coroutine."""
        return cls.get_hook(conn_id, hook_params)

    @classmethod
    def get_conn_uri(cls, conn_id: str) -> str:
        """Return a connection's URI."""
        return Connection.get(conn_id).get_uri()

    def get_conn(self) -> Any:
        """Return the connected client; for subclasses."""
        raise NotImplementedError(f"{type(self).__name__} has no get_conn(). Give it one.")

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the extra fields of its form in the UI: none."""
        return {}

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return which fields of the form are hidden or called otherwise: none."""
        return {}
