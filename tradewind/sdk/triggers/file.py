"""How does a task wait for a file without a slot?"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Hashable
from contextlib import suppress
from datetime import UTC, datetime
from glob import glob
from typing import Any, Final

from tradewind.sdk.triggers.base import BaseEventTrigger, BaseTrigger, TriggerEvent

_PLACE: Final = "airflow.providers.standard.triggers.file"


class FileTrigger(BaseTrigger):
    """Fires once a file is there, or a folder that has a file in it; the payload is True.

    Args:
        filepath: path or glob pattern.
        recursive: whether ``**`` in the pattern goes into subfolders.
        poke_interval: seconds between looks.
    """

    def __init__(self, filepath: str, recursive: bool = False, poke_interval: float = 5.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filepath, self.recursive, self.poke_interval = filepath, recursive, poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments."""
        kwargs = {"filepath": self.filepath, "recursive": self.recursive, "poke_interval": self.poke_interval}
        return f"{_PLACE}.FileTrigger", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until it is there."""
        while (found := await asyncio.to_thread(self._look)) is None:
            await asyncio.sleep(self.poke_interval)
        self.log.info("Found %s", found)
        yield TriggerEvent(True)

    def _look(self) -> str | None:
        for path in glob(self.filepath, recursive=self.recursive):
            if os.path.isfile(path):
                return f"file {path}, last modified {_changed_at(path)}"
            if any(files for _, _, files in os.walk(path)):
                return f"folder {path} with files in it"
        return None


class FileDeleteTrigger(BaseEventTrigger):
    """Fires once a file is there, and deletes it; the payload is True.

    Args:
        filepath: of the file.
        poke_interval: seconds between looks.
    """

    def __init__(self, filepath: str, poke_interval: float = 5.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filepath, self.poke_interval = filepath, poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments."""
        return f"{_PLACE}.FileDeleteTrigger", {"filepath": self.filepath, "poke_interval": self.poke_interval}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until it is there."""
        while not await asyncio.to_thread(_take, self.filepath):
            await asyncio.sleep(self.poke_interval)
        self.log.info("Found file %s and deleted it", self.filepath)
        yield TriggerEvent(True)


class DirectoryFileDeleteTrigger(BaseEventTrigger):
    """Fires once ``filename`` is in ``directory``, and deletes it; the payload is ``{"filepath": ...}``."""

    def __init__(self, *, directory: str, filename: str, poke_interval: float = 5.0) -> None:
        super().__init__()
        self.directory, self.filename, self.poke_interval = directory, filename, poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments."""
        kwargs = {"directory": self.directory, "filename": self.filename, "poke_interval": self.poke_interval}
        return f"{_PLACE}.DirectoryFileDeleteTrigger", kwargs

    def shared_stream_key(self) -> Hashable | None:
        """The folder and the interval."""
        return ("directory-scan", os.path.realpath(self.directory), self.poke_interval)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until it is there."""
        path = os.path.join(self.directory, self.filename)
        while not await asyncio.to_thread(_take, path):
            await asyncio.sleep(self.poke_interval)
        self.log.info("Found file %s and deleted it", path)
        yield TriggerEvent({"filepath": path})


def _take(path: str) -> bool:
    """Delete a file; False: there was none, or somebody else was first."""
    if not os.path.isfile(path):
        return False
    with suppress(FileNotFoundError):
        os.unlink(path)
        return True
    return False


def _changed_at(path: str) -> str:
    with suppress(OSError):
        return datetime.fromtimestamp(os.stat(path).st_mtime, UTC).isoformat(timespec="seconds")
    return "a moment ago"
