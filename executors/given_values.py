"""Which variables and connections does the environment of a host give? Those go before what the metadata DB has."""

from __future__ import annotations

from collections.abc import Mapping

from tradewind.sdk.channel import ConnectionData
from tradewind.sdk.connection import Connection


def given_variable(environ: Mapping[str, str], key: str) -> str | None:
    """Return what ``TRADEWIND_VAR_X`` or ``AIRFLOW_VAR_X`` says, or None."""
    return _given(environ, "VAR", key)


def given_connection(environ: Mapping[str, str], conn_id: str) -> ConnectionData | None:
    """Return what ``TRADEWIND_CONN_X`` or ``AIRFLOW_CONN_X`` says, as JSON or as a URI, or None.

    Raises:
        AirflowException: it is no connection.
    """
    text = _given(environ, "CONN", conn_id)
    if text is None:
        return None
    is_json = text.lstrip().startswith("{")
    given = Connection.from_json(text, conn_id) if is_json else Connection(conn_id=conn_id, uri=text)
    return ConnectionData(
        conn_id=conn_id,
        conn_type=given.conn_type or "",
        description=given.description,
        host=given.host,
        schema=given.schema,
        login=given.login,
        password=given.password,
        port=given.port,
        extra=given.extra,
    )


def _given(environ: Mapping[str, str], kind: str, name: str) -> str | None:
    for prefix in ("TRADEWIND", "AIRFLOW"):
        value = environ.get(f"{prefix}_{kind}_{name.upper()}")
        if value is not None:
            return value
    return None
