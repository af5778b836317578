"""``tradewind jobs``: which processes are alive?"""

from __future__ import annotations

import socket
from typing import Final

from tradewind.cli.jobs import KINDS
from tradewind.errors import TradewindError, UsageError
from tradewind.metadata.opening import open_database
from tradewind.metadata.processes import ProcessRecord, list_processes
from tradewind.terminal.output import emit, talk

COLUMNS: Final = ("kind", "hostname", "pid", "version", "started_at", "heartbeat_at", "expires_at")


def check(
    job_type: str | None, hostname: str | None, local: bool, limit: int, allow_multiple: bool, output: str
) -> None:
    """Check that processes are alive."""
    if allow_multiple and limit == 1:
        raise UsageError("--allow-multiple needs a --limit above 1, or 0 for all: with 1 only one is looked at.")
    if hostname and local:
        raise UsageError("--hostname and --local both say which host. Use one of them.")
    host = socket.gethostname() if local else hostname
    with open_database() as db:
        at = db.now()
        with db.read() as tx:
            alive = [one for one in list_processes(tx, alive_at=at) if host is None or one.hostname == host]
    found = [one for one in alive if _is_meant(one, job_type)]
    found = found[:limit] if limit else found
    which = f"{f' of type {job_type}' if job_type else ''}{f' on {host}' if host else ''}"
    if not found:
        raise TradewindError(f"No process{which} is alive. Is it started? What it said last stands in its own log.")
    if len(found) > 1 and not allow_multiple:
        raise TradewindError(
            f"{len(found)} processes{which} are alive where one was expected. Say --allow-multiple if that is well."
        )
    if output == "table":
        talk(f"One process{which} is alive." if len(found) == 1 else f"{len(found)} processes{which} are alive.")
    emit([_row(one) for one in found], COLUMNS, output)


def _is_meant(process: ProcessRecord, job_type: str | None) -> bool:
    kind = {name.lower(): ours for name, ours in KINDS.items()}.get((job_type or "").lower(), job_type)
    if kind == "dag_processor":  # a thread of each scheduler
        return isinstance(process.info.get("dag_files_seconds"), int | float)
    return kind is None or process.kind == kind


def _row(process: ProcessRecord) -> dict[str, object]:
    return {
        "kind": process.kind,
        "hostname": process.hostname,
        "pid": process.pid,
        "version": process.info.get("version", ""),
        "started_at": process.started_at,
        "heartbeat_at": process.heartbeat_at,
        "expires_at": process.expires_at,
    }
