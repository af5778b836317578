"""What stands for ``airflow.providers.common.compat.connection`` and ``hook``? Look-ups for triggers, in coroutines."""

from __future__ import annotations

from typing import Any

from tradewind.sdk.connection import Connection


async def get_async_connection(conn_id: str) -> Connection:
    """Return a connection by its id."""
    return await Connection.async_get(conn_id)


async def get_async_extra_dejson(connection: Connection) -> dict[str, Any]:
    """Return the extra of a connection as a dict."""
    return connection.extra_dejson


async def get_async_hook(conn_id: str, hook_params: dict[str, Any] | None = None) -> Any:
    """Return the hook for the type of a connection."""
    return (await get_async_connection(conn_id)).get_hook(hook_params=hook_params)
