"""Are rows locked in one order everywhere? A log of the locks of each transaction, held against the order of the house.

Two transactions that wait for each other took locks in two orders. The order is: the head of bundles, rows of DAGs, of
backfills, of pools (behind whose lock keys of runs are counted), of rates, of attempts. Rows of runs stand outside:
they are written by whoever claimed them, and claimed with ``SKIP LOCKED``, which waits for nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine, event

from tradewind.metadata.models import Base

ORDER: Final = ("bundle_head", "dag", "backfill", "pool", "rate_limit", "attempt")
_KEY: Final = "tests_locks"
_VERB: Final = re.compile(r"\b(UPDATE|DELETE FROM|INSERT INTO) (?:ONLY )?(\w+)(?: SET| AS| WHERE| \(|$|\s)")
_FOR: Final = re.compile(
    r"\bFOR (?:NO KEY )?(UPDATE|SHARE|KEY SHARE)(?: OF ([\w, ]+?))?( SKIP LOCKED)?(?=\)|$|\s+RETURNING|\s)"
)
_FROM: Final = re.compile(r"\bFROM (\w+)")
_REFERENCES: Final = {
    name: {key.column.table.name for key in table.foreign_keys} - {name} for name, table in Base.metadata.tables.items()
}


class Lock(NamedTuple):
    """Rows of one table that a statement locks."""

    table: str
    waits: bool  # for whoever has them


@lru_cache(maxsize=4096)
def locks_of(statement: str) -> tuple[Lock, ...]:
    """Return the locks of the tables in :data:`ORDER` that a statement takes, in words of SQL."""
    text = " ".join(statement.split())
    found: list[Lock] = []
    skips = "SKIP LOCKED" in text
    for match in _FOR.finditer(text):
        tables = [name.strip() for name in (match[2] or "").split(",") if name.strip()]
        if not tables:
            tables = _FROM.findall(text[: match.start()])[-1:]
        found += [Lock(name, not match[3]) for name in tables]
    for match in _VERB.finditer(text):
        verb, table = match[1], match[2]
        if verb == "UPDATE" and text[max(0, match.start() - 4) : match.start()].strip() in ("FOR", "KEY", "DO"):
            continue
        if verb == "INSERT INTO":
            found += [Lock(name, True) for name in sorted(_REFERENCES.get(table, ()))]
            if "ON CONFLICT" in text and "DO UPDATE" in text:
                found.append(Lock(table, True))
        else:
            found.append(Lock(table, not skips))
    return tuple(lock for lock in found if lock.table in ORDER)


class LockLog:
    """What was locked in which order, and what of it was against the order."""

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.transactions = 0

    def on_begin(self, connection: Connection) -> None:
        connection.info[_KEY] = []
        self.transactions += 1

    def on_statement(self, connection: Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
        held: list[tuple[str, str]] = connection.info.setdefault(_KEY, [])
        for lock in locks_of(statement):
            if any(table == lock.table for table, _ in held):
                continue
            later = [(table, said) for table, said in held if ORDER.index(table) > ORDER.index(lock.table)]
            if lock.waits and later:
                table, said = later[0]
                self.violations.append(
                    f"waits for rows of {lock.table} behind those of {table}; the order is {' -> '.join(ORDER)}:\n"
                    f"  {table}: {said}\n  {lock.table}: {' '.join(statement.split())[:300]}"
                )
            held.append((lock.table, " ".join(statement.split())[:300]))
        unordered = unordered_lock(statement)
        if unordered:
            self.violations.append(unordered)


@lru_cache(maxsize=4096)
def unordered_lock(statement: str) -> str:
    """Say so when a statement waits for several rows and does not say in which order."""
    text = " ".join(statement.split())
    match = _FOR.search(text)
    if match is None or match[3] or match[1] != "UPDATE" or "ORDER BY" in text or "INSERT INTO" in text:
        return ""
    is_by_key = re.search(r"WHERE \w+\.id = ", text) is not None
    is_one = re.search(r"WHERE \w+\.\w+ = ", text) is not None and " IN (" not in text and "ANY (" not in text
    return "" if is_by_key or is_one else f"locks several rows in no order; add ORDER BY: {text[:300]}"


@contextmanager
def lock_log() -> Iterator[LockLog]:
    """Log the locks of every transaction of this process on PostgreSQL, in whatever engine."""
    log = LockLog()

    def on_begin(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            log.on_begin(connection)

    def on_statement(connection: Connection, cursor: Any, statement: str, *rest: Any) -> None:
        if connection.dialect.name == "postgresql":
            log.on_statement(connection, cursor, statement, *rest)

    event.listen(Engine, "begin", on_begin)
    event.listen(Engine, "before_cursor_execute", on_statement)
    try:
        yield log
    finally:
        event.remove(Engine, "begin", on_begin)
        event.remove(Engine, "before_cursor_execute", on_statement)
