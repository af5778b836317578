"""How are passwords kept? As argon2id hashes with the parameters that OWASP recommends."""

from __future__ import annotations

import secrets
import threading
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tradewind.errors import UsageError

MIN_LENGTH: Final = 8
MAX_LENGTH: Final = 512  # more is refused, since hashing megabytes is a way to keep a server busy

_hasher: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_slots: Final = threading.BoundedSemaphore(2)  # each hash takes 19 MiB: many at once would be a way to fill the memory
_NOBODY: Final = _hasher.hash("nobody has this password")


def hash_password(password: str) -> str:
    """Return the hash to store.

    Raises:
        UsageError: the password is shorter than 8 or longer than 512 characters.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise UsageError(f"A password needs {MIN_LENGTH} to {MAX_LENGTH} characters; this one has {len(password)}.")
    with _slots:
        return _hasher.hash(password)


def verify_password(password_hash: str | None, password: str) -> bool:
    """Return whether ``password`` is the one behind the hash.

    None stands for an account that does not exist: the same work is done and the answer is False, so that the time
    taken does not tell which names exist.
    """
    if len(password) > MAX_LENGTH:
        return False
    with _slots:
        try:
            return _hasher.verify(password_hash or _NOBODY, password) and password_hash is not None
        except (VerificationError, InvalidHashError):
            return False


def generate_password() -> str:
    """Return a fresh password with 96 bits of randomness, easy to copy by a double click."""
    return secrets.token_hex(12)
