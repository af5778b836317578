"""Which errors of the metadata DB pass by themselves, and how often is something tried again? Bounded, everywhere.

A deadlock, a lock that was waited for in vain, a connection that broke: what was begun was undone, and may be done
again. Only a connection that broke while it committed leaves it open; then only what may be said twice is said twice.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from tradewind.metadata.database import DATABASE_ERRORS, in_words, is_in_doubt

log = logging.getLogger(__name__)
T = TypeVar("T")

FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 2.0
_PASSING: Final = frozenset(
    {
        "40001",  # serialisation failure
        "40P01",  # deadlock
        "55P03",  # a lock was not to be had in time
        "25P03",  # the server ended a transaction that stood still
        "53300",  # too many connections
        "57P01", "57P02", "57P03", "57P05",  # the server stops, has crashed, or starts
    }
)  # fmt: skip


def is_passing(error: BaseException) -> bool:
    """Whether the same may well succeed in a moment. A statement that took too long is none of these."""
    if isinstance(error, NoConnectionError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    code = getattr(error.orig, "sqlstate", None)
    if code is not None:
        return code in _PASSING or code.startswith("08")  # 08: of the connection
    # Without a code it came from the driver, which has no connection; or it is SQLite, whose file is locked.
    is_locked = "locked" in str(error.orig) or "busy" in str(error.orig)
    return error.connection_invalidated or is_locked or (_is_postgres(error) and isinstance(error, OperationalError))


def again(act: Callable[[], T], *, patience_seconds: float, is_repeatable: bool = True, what: str = "") -> T:
    """Return what ``act`` returns; call it again for errors that pass, until the patience is over.

    Args:
        act: one whole transaction, or a whole reading. Called once at least.
        is_repeatable: doing it twice is doing it once. If not, it is not called again when the answer of a commit was
            lost.
        what: named in the log.

    Raises:
        DBAPIError: it does not pass, or not in time.
    """
    give_up_at = time.monotonic() + patience_seconds
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            return act()
        except DATABASE_ERRORS as error:
            if not is_passing(error) or (is_in_doubt(error) and not is_repeatable):
                raise
            wait = pause * random.uniform(0.5, 1.0)
            if time.monotonic() + wait > give_up_at:
                raise
            log.info("%s: %s; trying again in %.2f s", what or "metadata DB", in_words(error), wait)
        time.sleep(wait)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _is_postgres(error: DBAPIError) -> bool:
    return type(error.orig).__module__.startswith("psycopg") and not isinstance(error, InterfaceError)
