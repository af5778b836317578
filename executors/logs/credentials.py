"""With which credentials is the log store reached? Those of a connection, as options of fsspec; or of the machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from executors.given_values import given_connection
from executors.logs.store import LogStore, LogStoreError, open_store
from executors.runner.desk import Desk
from executors.runner.protocol import ConnectionAnswer, GetConnection, Refused
from tradewind.config import Config
from tradewind.errors import UsageError
from tradewind.model.orders import AttemptOrder
from tradewind.sdk.channel import ConnectionData

FindConnection = Callable[[str], ConnectionData | None]
"""Finds a connection by its id."""
_OF_AWS: Mapping[str, str] = {
    "aws_access_key_id": "key",
    "aws_secret_access_key": "secret",
    "aws_session_token": "token",
}


def has_store(config: Config) -> bool:
    """Return whether logs go to a log store."""
    return config.logging.remote_logging and bool(config.logging.remote_base_log_folder)


def configured_store(config: Config, find_connection: FindConnection) -> LogStore | None:
    """Return the log store of the configuration, None when there is none. Connects to nothing but for the connection.

    Raises:
        UsageError: it cannot be used as it is configured.
        LogStoreError: the connection cannot be read now.
    """
    if not has_store(config):
        return None
    return open_store(config.logging.remote_base_log_folder, store_options(config, find_connection))


def store_options(config: Config, find_connection: FindConnection) -> dict[str, Any]:
    """Return the options of fsspec that the connection gives; none when none is configured.

    Raises:
        UsageError: there is no such connection, or it says nothing that could be used.
        LogStoreError: it cannot be read now.
    """
    name = config.logging.remote_log_conn_id
    if not name:
        return {}
    try:
        found = find_connection(name)
    except UsageError:
        raise
    except Exception as error:  # the metadata DB away, a key that does not fit, a worker that may not ask
        raise LogStoreError(f"The connection {name!r} of the log store cannot be read: {error}") from error
    if found is None:
        raise UsageError(
            f"[logging] remote_log_conn_id is {name!r}, and there is no such connection. Make it with `tradewind "
            f"connections add {name} ...`, or give it to this process as AIRFLOW_CONN_{name.upper()}."
        )
    return _options_of(found)


def connections_of(desk: Desk, environ: Mapping[str, str]) -> FindConnection:
    """Return what finds connections for a host of tasks: those of its environment, then those that its desk knows."""

    def find(conn_id: str) -> ConnectionData | None:
        given = given_connection(environ, conn_id)
        if given is not None:
            return given
        answer = desk.answer(_nobody(), GetConnection(conn_id))
        if isinstance(answer, ConnectionAnswer):
            return answer.data
        raise LogStoreError(
            f"{answer.error if isinstance(answer, Refused) else answer} Give it to this process as "
            f"AIRFLOW_CONN_{conn_id.upper()}, or leave [logging] remote_log_conn_id empty and use the machine's own."
        )

    return find


def _nobody() -> AttemptOrder:
    """Return in whose name a host asks for itself."""
    return AttemptOrder(uuid4(), 0, 0, "", "", "", -1, 0, 0, "", 0, "", "manual", datetime.now(UTC))


def _options_of(found: ConnectionData) -> dict[str, Any]:
    try:
        extra = json.loads(found.extra) if found.extra else {}
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise UsageError(f"The extra of connection {found.conn_id!r} is no JSON object. Correct it.")
    if found.conn_type not in ("aws", "s3"):
        return extra  # whatever fsspec's file system for it takes
    options: dict[str, Any] = {"key": found.login or None, "secret": found.password or None}
    options |= {ours: extra[name] for name, ours in _OF_AWS.items() if extra.get(name)}
    client = {}
    if extra.get("region_name"):
        client["region_name"] = extra["region_name"]
    if extra.get("endpoint_url") or extra.get("host"):
        options["endpoint_url"] = extra.get("endpoint_url") or extra["host"]
    if client:
        options["client_kwargs"] = client
    return {name: value for name, value in options.items() if value}
