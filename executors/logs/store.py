"""Where do logs lie when the machine that wrote them is gone? In a log store: a shared folder, or an object store.

Names are paths below its root, those of the files in the log folder of the machine that wrote them.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import uuid4

from tradewind.errors import TradewindError, UsageError, did_you_mean

BLOCK_BYTES: Final = 8 << 20
"""Read or written at once: what a process needs in memory for a log of any size."""
_EXTRAS: Final[Mapping[str, str]] = {"s3": "tradewind[s3]", "s3a": "tradewind[s3]"}
_PATTERNS: Final = str.maketrans({char: f"%{ord(char):02X}" for char in "*?[]#"})
"""fsspec takes some of these for patterns, some stores for the end of a path: no run may be named ``*``."""
_CONNECT_SECONDS: Final = 5
_READ_SECONDS: Final = 30


class LogStoreError(TradewindError):
    """The log store cannot be reached, or says no. Nothing is lost: it is tried again."""

    code = "log-store"


class LogStore(Protocol):
    """A place of files. Safe to use from several threads; every call may raise :class:`LogStoreError`."""

    where: str
    """Its address, for people; without secrets."""

    def sizes(self, folder: str) -> dict[str, int]:
        """Return name (within the folder) and size of the files in a folder; of none when there is no such folder."""

    def read(self, name: str, start: int, stop: int) -> bytes:
        """Return the bytes from ``start`` to before ``stop``; fewer when the file ends before."""

    def put(self, name: str, data: bytes) -> None:
        """Write a file, instead of one that is there. Whoever reads sees the old one or the new one, whole."""

    def put_file(self, name: str, path: Path) -> None:
        """Write a file from one on this machine, as :meth:`put` does, however large it is."""

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; those that are not there are nothing."""

    def remove_folder(self, folder: str) -> None:
        """Remove a folder and all below it, if it is there."""


def open_store(url: str, options: Mapping[str, Any] | None = None) -> LogStore:
    """Return the store at an address: a folder, or any URL that fsspec knows. Nothing is connected to yet.

    Args:
        options: of the fsspec file system, credentials above all.

    Raises:
        UsageError: the address means nothing, or the package for it is not installed.
    """
    if "://" not in url:
        return FolderStore(Path(url))
    protocol, _, rest = url.partition("://")
    if protocol in ("file", "local"):
        return FolderStore(Path(rest))
    # Late: fsspec is needed only where logs go to an object store.
    from fsspec.registry import get_filesystem_class, known_implementations, registry

    try:
        if protocol not in registry:
            if protocol not in known_implementations:
                raise UsageError(
                    f"[logging] remote_base_log_folder is {url!r}, and nobody knows {protocol}://."
                    f"{did_you_mean(protocol, known_implementations)} Give a folder, or a URL of fsspec such as "
                    "s3://bucket/logs; or set [logging] remote_logging = False to keep logs where they are written."
                )
            import_module(known_implementations[protocol]["class"].rpartition(".")[0])
        kind = get_filesystem_class(protocol)
    except ImportError as error:
        package = _EXTRAS.get(protocol) or error.name or protocol
        raise UsageError(
            f"[logging] remote_base_log_folder is {url!r}, and the package for {protocol}:// is not installed on this "
            f"machine: {error}. Install it (pip install '{package}'), here and wherever tasks run or logs are shown."
        ) from error
    return ObjectStore(kind, url, {**_defaults(protocol), **(options or {})})


def _defaults(protocol: str) -> dict[str, Any]:
    if protocol not in ("s3", "s3a"):
        return {}
    # botocore waits a minute for a connection unless it is told otherwise: a page of the UI must not.
    limits = {"connect_timeout": _CONNECT_SECONDS, "read_timeout": _READ_SECONDS, "retries": {"max_attempts": 1}}
    # One part of 50 MB at a time: a large log must not fill the memory of who ships it.
    return {"config_kwargs": limits, "max_concurrency": 1}


class FolderStore:
    """A :class:`LogStore` in a folder that several machines share."""

    def __init__(self, root: Path) -> None:
        """
        Raises:
            UsageError: the path is not absolute.
        """
        if not root.is_absolute():
            raise UsageError(
                f"[logging] remote_base_log_folder is {str(root)!r}: give an absolute path, or a URL such as "
                "s3://bucket/logs."
            )
        self._root, self.where = root, str(root)

    def sizes(self, folder: str) -> dict[str, int]:
        try:
            with os.scandir(self._root / folder) as found:
                return {one.name: one.stat().st_size for one in found if one.is_file() and one.name[0] != "."}
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise self._error(error, folder) from error

    def read(self, name: str, start: int, stop: int) -> bytes:
        try:
            with (self._root / name).open("rb") as file:
                file.seek(start)
                return file.read(stop - start)
        except OSError as error:
            raise self._error(error, name) from error

    def put(self, name: str, data: bytes) -> None:
        self._replace(name, lambda path: path.write_bytes(data))

    def put_file(self, name: str, path: Path) -> None:
        self._replace(name, lambda target: shutil.copyfile(path, target))

    def _replace(self, name: str, write: Any) -> None:
        target = self._root / name
        fresh = target.with_name(f".{uuid4().hex}")  # whoever lists the folder leaves it out
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                write(fresh)
                fresh.replace(target)
            finally:
                fresh.unlink(missing_ok=True)
        except OSError as error:
            raise self._error(error, name) from error

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                (self._root / name).unlink(missing_ok=True)
            except OSError as error:
                raise self._error(error, name) from error

    def remove_folder(self, folder: str) -> None:
        try:
            shutil.rmtree(self._root / folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._error(error, folder) from error

    def _error(self, error: OSError, name: str) -> LogStoreError:
        return LogStoreError(
            f"The log store {self.where} does not do its work ({name}): {error.strerror or error}. Is it mounted, "
            "writable, and not full?"
        )


class ObjectStore:
    """A :class:`LogStore` behind fsspec."""

    def __init__(self, kind: Any, url: str, options: Mapping[str, Any]) -> None:
        self._kind, self._options = kind, dict(options)
        self._root = str(kind._strip_protocol(url)).rstrip("/")
        self.where = url
        self._lock = threading.Lock()
        self._system: Any = None

    @property
    def _fs(self) -> Any:
        """Made on first use, so that a server may fork before."""
        with self._lock:
            if self._system is None:
                self._system = self._kind(skip_instance_cache=True, **self._options)
            return self._system

    def sizes(self, folder: str) -> dict[str, int]:
        try:
            self._fs.invalidate_cache()  # what others write is not in it
            found = self._fs.ls(self._path(folder), detail=True)
        except FileNotFoundError:
            return {}
        except Exception as error:  # fsspec's back ends raise errors of many families
            raise self._error(error, folder) from error
        return {one["name"].rpartition("/")[2]: one["size"] or 0 for one in found if one["type"] == "file"}

    def read(self, name: str, start: int, stop: int) -> bytes:
        try:
            return bytes(self._fs.cat_file(self._path(name), start=start, end=stop))
        except Exception as error:  # as above
            raise self._error(error, name) from error

    def put(self, name: str, data: bytes) -> None:
        try:
            self._fs.pipe_file(self._path(name), data)
        except Exception as error:  # as above
            raise self._error(error, name) from error

    def put_file(self, name: str, path: Path) -> None:
        try:
            self._fs.put_file(str(path), self._path(name))
        except Exception as error:  # as above
            raise self._error(error, name) from error

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            try:
                self._fs.rm_file(self._path(name))
            except FileNotFoundError:
                continue
            except Exception as error:  # as above
                raise self._error(error, name) from error

    def remove_folder(self, folder: str) -> None:
        try:
            self._fs.invalidate_cache()
            found = list(self._fs.find(self._path(folder)))
            for start in range(0, len(found), 1000):
                self._fs.rm(found[start : start + 1000])
        except FileNotFoundError:
            return
        except Exception as error:  # as above
            raise self._error(error, folder) from error

    def _path(self, name: str) -> str:
        return f"{self._root}/{name.translate(_PATTERNS)}"

    def _error(self, error: Exception, name: str) -> LogStoreError:
        told = " ".join(f"{type(error).__name__}: {error}".split())
        return LogStoreError(
            f"The log store {self.where} does not do its work ({name}): {told}. Is it reachable from here, does "
            "the bucket exist, and may these credentials list, read, write and delete there?"
        )
