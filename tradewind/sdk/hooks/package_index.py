"""Where do packages come from? ``PackageIndexHook``: the address of a package index, with its login."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from tradewind.sdk.connection import BaseHook
from tradewind.sdk.exceptions import AirflowException


class PackageIndexHook(BaseHook):
    """A package index such as PyPI. The host of its connection is the address; login and password are put into it."""

    conn_name_attr = "pi_conn_id"
    default_conn_name = "package_index_default"
    conn_type = "package_index"
    hook_name = "Package Index (Python)"

    def __init__(self, pi_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pi_conn_id = pi_conn_id
        self.conn = None

    def get_conn(self) -> Any:
        """Return the address; there is nothing to connect to."""
        return self.get_connection_url()

    def get_connection_url(self) -> str:
        """Return the address with login and password in it.

        Raises:
            AirflowException: the connection has no host, or one without a protocol.
        """
        found = self.get_connection(self.pi_conn_id)
        parts = urlsplit(found.host or "")
        if not parts.scheme or not parts.netloc:
            raise AirflowException(
                f"Connection {self.pi_conn_id!r}: the host must be an address such as https://pypi.example.org/simple."
            )
        login = quote(found.login or "", safe="")
        password = f":{quote(found.password, safe='')}" if found.password else ""
        place = f"{login}{password}@{parts.netloc}" if login or password else parts.netloc
        return urlunsplit((parts.scheme, place, parts.path, parts.query, ""))
