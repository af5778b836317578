"""Where do the flights go, and what stands there? One table, replaced a day at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    case,
    create_engine,
    delete,
    event,
    func,
    insert,
    inspect,
    select,
)
from sqlalchemy.exc import DBAPIError

metadata = MetaData()

flight = Table(
    "flight",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("flight_date", Date, nullable=False),
    Column("carrier", String(2), nullable=False),
    Column("airline", String(100)),
    Column("flight", Integer, nullable=False),
    Column("tail_number", String(10)),
    Column("origin", String(3), nullable=False),
    Column("destination", String(3), nullable=False),
    Column("scheduled_departure", String(5)),
    Column("departure", String(5)),
    Column("departure_delay_minutes", Integer),
    Column("arrival_delay_minutes", Integer),
    Column("distance_miles", Integer),
    Column("is_cancelled", Boolean, nullable=False),
    Column("plane_built", Integer),
    Column("plane_model", String(100)),
    Column("plane_seats", Integer),
    Column("temperature_f", Float),
    Column("wind_mph", Float),
    Column("precipitation_inch", Float),
    Column("visibility_miles", Float),
    Index("ix_flight_flight_date", "flight_date"),
)


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    """Give the warehouse at any SQLAlchemy URL, with its table made when it was missing."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        _let_writers_queue(engine)
    try:
        _make_table(engine)
        yield engine
    finally:
        engine.dispose()


def _make_table(engine: Engine) -> None:
    try:
        metadata.create_all(engine)
    except DBAPIError:
        # Runs of several days start together: another one may make the table between our look and our CREATE.
        if not inspect(engine).has_table(flight.name):
            raise


def _let_writers_queue(engine: Engine) -> None:
    """Begin every SQLite transaction with the write lock: runs of several days then wait for each other in turn."""

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA busy_timeout = 60000")
        connection.execute("PRAGMA journal_mode = WAL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def replace_day(engine: Engine, day: date, rows: Sequence[Mapping[str, Any]]) -> int:
    """Put ``rows`` in the place of all that stood there for ``day``, in one transaction; return how many.

    Done twice, or again after a crash, it leaves what doing it once leaves.
    """
    values = [{**row, "flight_date": day} for row in rows]
    with engine.begin() as connection:
        connection.execute(delete(flight).where(flight.c.flight_date == day))
        if values:
            connection.execute(insert(flight), values)
    return len(values)


def counts_by_carrier(engine: Engine, day: date) -> dict[str, int]:
    """Return how many flights each carrier has on ``day``."""
    counted = select(flight.c.carrier, func.count()).where(flight.c.flight_date == day).group_by(flight.c.carrier)
    with engine.connect() as connection:
        return {str(row[0]): int(row[1]) for row in connection.execute(counted.order_by(flight.c.carrier))}


def summary(engine: Engine, day: date) -> list[dict[str, Any]]:
    """Return, for each airline on ``day`` by number of flights: flights, cancelled, mean delay, share on time."""
    on_time = func.sum(case((flight.c.arrival_delay_minutes <= 15, 1), else_=0))
    columns = (
        func.coalesce(flight.c.airline, flight.c.carrier).label("airline"),
        func.count().label("flights"),
        func.sum(case((flight.c.is_cancelled, 1), else_=0)).label("cancelled"),
        func.avg(flight.c.departure_delay_minutes).label("mean_delay_minutes"),
        (on_time * 1.0 / func.nullif(func.count(flight.c.arrival_delay_minutes), 0)).label("on_time"),
    )
    asked = select(*columns).where(flight.c.flight_date == day).group_by(columns[0].element)
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(asked.order_by(func.count().desc(), columns[0])).mappings()]
