"""How are secrets kept at rest? As Fernet tokens: the first configured key encrypts, every configured key decrypts.

A key is changed by putting the new one first; rows are written anew with it by ``tradewind rotate-fernet-key``, after
which the old key may go.
"""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from tradewind.errors import MetadataError, UsageError


def make_fernet(keys: str) -> MultiFernet:
    """Return what encrypts and decrypts, made from ``[core] fernet_key``: keys joined by commas, the newest first.

    Raises:
        UsageError: there is no key, or one is not 32 bytes in URL-safe base64.
    """
    parts = [part.strip() for part in keys.split(",") if part.strip()]
    if not parts:
        raise UsageError(
            "[core] fernet_key is empty, so nothing can be encrypted. Remove the option to have a key made and kept in "
            "the home folder, or set one made by `python -c 'from cryptography.fernet import Fernet; "
            "print(Fernet.generate_key().decode())'`."
        )
    return MultiFernet([_make_one(part, number) for number, part in enumerate(parts, 1)])


def _make_one(key: str, number: int) -> Fernet:
    try:
        return Fernet(key)
    except ValueError as error:  # binascii.Error is one
        raise UsageError(  # the key itself is not shown: it may be a good one with a typing mistake
            f"Key {number} in [core] fernet_key is not valid: a key is 32 bytes in URL-safe base64, 44 characters "
            f"long; this one has {len(key)}."
        ) from error


def encrypt(fernet: MultiFernet | Fernet, value: str) -> str:
    """Return ``value`` as a token that only the holders of the key can read."""
    return fernet.encrypt(value.encode()).decode()


def decrypt(fernet: MultiFernet | Fernet, token: str, what: str) -> str:
    """Return what was encrypted.

    Args:
        what: the thing that the token belongs to, for the error, e.g. ``"variable 'region'"``.

    Raises:
        MetadataError: no configured key fits.
    """
    try:
        return fernet.decrypt(token.encode()).decode()
    except InvalidToken:
        raise MetadataError(
            f"The value of {what} cannot be decrypted: it was encrypted with a key that is not in [core] fernet_key. "
            "Add the former key there (keys are joined by commas, the newest first), or set the value again."
        ) from None
