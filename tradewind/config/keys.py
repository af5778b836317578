"""Where do the secrets of an installation come from? Made once, kept in the home folder, never made again."""

from __future__ import annotations

import base64
import contextlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tradewind.config.sections import Config, Source
from tradewind.errors import UsageError

FILES: Final = {("core", "fernet_key"): "fernet.key", ("api", "secret_key"): "secret.key"}
"""Option -> the file in the home folder that holds its value."""


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """What :func:`ensure_secrets` gives. Has no repr, so that it is not logged by accident."""

    fernet_key: str
    secret_key: str


def read_secrets(home: Path) -> dict[tuple[str, str], tuple[str, Path]]:
    """Return the secrets that exist in ``home``, by option, each with its file.

    Raises:
        UsageError: a file is there but empty or unreadable. A new key would make everything encrypted unreadable, so
            none is made.
    """
    found = {}
    for key, name in FILES.items():
        path = home / name
        value = _read(path)
        if value is not None:
            found[key] = (value, path)
    return found


def ensure_secrets(home: Path) -> Secrets:
    """Return the secrets of ``home``; make those that are missing, readable by their owner only.

    Safe to call from many processes at once: all get the same. Call it before :func:`~tradewind.config.load_config`,
    which reads what is there, or use :func:`with_secrets`, which makes only what the configuration does not give.
    """
    return Secrets(*(_ensure(home / name) for name in FILES.values()))


def with_secrets(config: Config) -> Config:
    """Return ``config`` with every secret filled in: as configured, else from the home folder, made if need be."""
    changed = config
    for (section, name), file_name in FILES.items():
        if getattr(getattr(config, section), name):
            continue
        path = config.home / file_name
        value = _ensure(path)
        changed = replace(
            changed,
            sources={**changed.sources, (section, name): Source("generated", str(path))},
            texts={**changed.texts, (section, name): value},
            **{section: replace(getattr(changed, section), **{name: value})},
        )
    return changed


def _ensure(path: Path) -> str:
    value = _read(path)
    if value is not None:
        return value
    path.parent.mkdir(parents=True, exist_ok=True)
    key = base64.urlsafe_b64encode(os.urandom(32)).decode()  # 32 random bytes: what Fernet wants, and enough to sign
    # Written whole under another name, then linked: link refuses when another process was first, and its key counts.
    draft = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(key + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)
    value = _read(path)
    assert value is not None
    return value


def _read(path: Path) -> str | None:
    try:
        value = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The key file {path} cannot be read: {error}. Make it readable, or restore it.") from error
    if not value:
        raise UsageError(
            f"The key file {path} is empty. Restore it from a backup: without its key, stored passwords cannot be "
            "read. Remove it only if nothing was stored yet; a new key is made then."
        )
    return value
