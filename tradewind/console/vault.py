"""How does a command come to what is encrypted? To the metadata DB first, then to the key, made when missing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cryptography.fernet import MultiFernet

from tradewind.config import Config, load_config, with_secrets
from tradewind.metadata.crypto import make_fernet
from tradewind.metadata.database import Database
from tradewind.metadata.opening import open_database


@dataclass(frozen=True, slots=True)
class Vault:
    """A metadata DB with the key to its secrets."""

    db: Database
    fernet: MultiFernet
    config: Config


@contextmanager
def open_vault() -> Iterator[Vault]:
    """Give the vault of the configured installation, for the time of a ``with`` block.

    No key is made for a metadata DB that is missing: a mistyped home must not come into being by being asked about.

    Raises:
        MetadataError: the metadata DB cannot be used.
        UsageError: the configured key is not one.
    """
    config = load_config(os.environ)
    with open_database(config) as db:
        config = with_secrets(config)
        yield Vault(db, make_fernet(config.core.fernet_key), config)
