"""How does a command come to its metadata DB? By configuration, checked to be migrated, closed at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tradewind.config import Config, load_config
from tradewind.errors import MetadataError
from tradewind.metadata.database import DATABASE_ERRORS, Database, in_words
from tradewind.metadata.revision import require_current


@contextmanager
def open_database(config: Config | None = None, *, is_current: bool = True) -> Iterator[Database]:
    """Give the metadata DB of ``config``, for the time of a ``with`` block.

    Args:
        config: None reads it from the environment.
        is_current: refuse a database that is not at the newest revision.

    Raises:
        MetadataError: it cannot be used; the message says the mend.
    """
    section = (config or load_config(os.environ)).database
    database = Database(
        section.sql_alchemy_conn,
        pool_size=section.sql_alchemy_pool_size,
        statement_timeout_seconds=section.statement_timeout_seconds,
    )
    try:
        if is_current:
            require_current(database)
        yield database
    except DATABASE_ERRORS as error:
        raise MetadataError(
            f"The metadata DB at {database.safe_url} gave up: {in_words(error).rstrip('.')}. What was not said to be "
            "done was not done, unless its answer was lost. Check with `tradewind db check`, then try again."
        ) from error
    finally:
        database.close()
