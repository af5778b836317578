"""``tradewind pools``: slots that tasks of any DAG share."""

from __future__ import annotations

from typing import Any

from tradewind.console.files import read_mapping, shown_name, write_text
from tradewind.errors import NotFound, UsageError
from tradewind.metadata.opening import open_database
from tradewind.metadata.pools import PoolData, PoolUse, delete_pool, get_pool, list_pools, pool_use, set_pool
from tradewind.terminal.output import counted, emit, talk, to_json

COLUMNS = ("pool", "slots", "running", "queued", "description", "include_deferred")


def list_all(output: str) -> None:
    """List the pools and how full they are."""
    with open_database() as db, db.read() as tx:
        pools, use = list_pools(tx), pool_use(tx)
    emit([_row(pool, use) for pool in pools], COLUMNS, output)


def get(name: str, output: str) -> None:
    """Show a pool."""
    with open_database() as db, db.read() as tx:
        pool, use = get_pool(tx, name), pool_use(tx)
        if pool is None:
            raise _unknown(name, list_pools(tx))
    emit([_row(pool, use)], COLUMNS, output)


def set_one(name: str, slots: int, description: str, include_deferred: bool) -> None:
    """Create a pool or change it."""
    with open_database() as db, db.write() as tx:
        is_new = set_pool(tx, PoolData(name, slots, description, include_deferred))
    talk(f"Pool {name} {'created' if is_new else 'changed'}.")


def delete(name: str) -> None:
    """Delete a pool."""
    with open_database() as db, db.write() as tx:
        if not delete_pool(tx, name):
            raise _unknown(name, list_pools(tx))
    talk(f"Pool {name} deleted.")


def import_file(filepath: str) -> None:
    """Create pools from a JSON file."""
    pools = [_read(name, item) for name, item in read_mapping(filepath, "json").items()]
    with open_database() as db, db.write() as tx:
        created = sum(set_pool(tx, pool) for pool in pools)
    talk(f"{created} created, {len(pools) - created} changed.")


def export_file(filepath: str) -> None:
    """Write all pools to a JSON file."""
    with open_database() as db, db.read() as tx:
        pools = list_pools(tx)
    found = {
        pool.name: {"slots": pool.slots, "description": pool.description, "include_deferred": pool.include_deferred}
        for pool in pools
    }
    write_text(filepath, to_json(found) + "\n")
    talk(f"{counted(len(found), 'pool')} exported to {shown_name(filepath)}.")


def _row(pool: PoolData, use: dict[str, PoolUse]) -> dict[str, Any]:
    taken = use.get(pool.name, PoolUse())
    return {
        "pool": pool.name,
        "slots": pool.slots,
        "running": taken.running,
        "queued": taken.queued,
        "description": pool.description,
        "include_deferred": pool.include_deferred,
    }


def _read(name: str, item: Any) -> PoolData:
    if not isinstance(item, dict) or not isinstance(item.get("slots"), int) or isinstance(item["slots"], bool):
        raise UsageError(f'Pool {name!r} needs a number of slots, like {{"slots": 5}}. Nothing was imported.')
    description, include_deferred = item.get("description") or "", item.get("include_deferred", False)
    if not isinstance(description, str) or not isinstance(include_deferred, bool):
        raise UsageError(f"Pool {name!r}: description is text, include_deferred true or false. Nothing was imported.")
    return PoolData(name, item["slots"], description, include_deferred)


def _unknown(name: str, known: list[PoolData]) -> NotFound:
    mend = f"Create it with `tradewind pools set {name} SLOTS`; `tradewind pools list` shows what there is."
    return NotFound("Pool", name, [pool.name for pool in known], mend)
