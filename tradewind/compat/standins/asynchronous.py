"""What stands for ``airflow.providers.common.compat.connection`` and ``hook``? Look-ups for triggers, in coroutines."""

from __future__ import annotations

from typing import Any

from tradewind.sdk.connection import BaseHook, Connection


async def get_async_connection(conn_id: str, hook: Any = None) -> Connection:
    """Return a connection by its id, by the look-up of a hook of one's own when one is given."""
    found: Connection = await (hook or BaseHook).aget_connection(conn_id=conn_id)
    return found


async def get_async_extra_dejson(conn: Connection) -> dict[str, Any]:
    """Return the extra of a connection as a dict."""
    return conn.extra_dejson


async def get_async_hook(conn_id: str, hook_params: dict[str, Any] | None = None) -> Any:
    """Return the hook for the type of a connection."""
    return await BaseHook.aget_hook(conn_id, hook_params)
