"""Is the metadata DB away for now, or does it refuse what was asked, however often it is asked?"""

from __future__ import annotations

from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError


def is_refusal(error: BaseException) -> bool:
    """Whether asking again is no use: a table or a right is missing, a value does not fit."""
    return isinstance(error, (ProgrammingError, IntegrityError, DataError))
