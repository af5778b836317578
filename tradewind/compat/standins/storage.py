"""What stands for ``ObjectStoragePath``? A path of any file system that fsspec knows, opened through a connection.

``ObjectStoragePath("s3://aws_default@bucket/key")`` takes the connection ``aws_default``; ``conn_id=`` does the same.
The library ``universal-pathlib`` makes paths of file systems; it must be installed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

Properties = dict[str, str]
"""Options of a file system that may hold secrets."""

_attached: dict[str, AbstractFileSystem] = {}


_KIN: Mapping[str, str] = {"gs": "gcs", "s3a": "s3", "s3n": "s3", "abfs": "adls", "abfss": "adls", "adl": "adls"}
"""Schemes, and the module of the provider package that makes their file system, where the two differ."""


@cache
def _maker(scheme: str) -> Callable[..., Any] | None:
    """Return who makes the file system of ``scheme``, of the installed provider packages."""
    from importlib import import_module

    from tradewind.compat.providers import provider_info

    names = [name for info in provider_info().values() for name in info.get("filesystems") or ()]
    for name in names:
        if name.rpartition(".")[2] not in (scheme, _KIN.get(scheme)):
            continue
        module = import_module(name)
        if scheme in module.schemes:
            found: Callable[..., Any] = module.get_fs
            return found
    return None


def has_fs(scheme: str) -> bool:
    """Return whether there is a file system for ``scheme``."""
    from fsspec import available_protocols

    return scheme in available_protocols() or _maker(scheme) is not None


def get_fs(scheme: str, conn_id: str | None = None, storage_options: Mapping[str, Any] | None = None) -> Any:
    """Return the file system for ``scheme``, through a connection when one is given.

    Raises:
        ValueError: nobody knows the scheme.
    """
    import fsspec

    maker = _maker(scheme)
    if maker is not None:
        return maker(conn_id, dict(storage_options or {}))
    try:
        return fsspec.filesystem(scheme, **(storage_options or {}))
    except (ValueError, ImportError) as error:
        raise ValueError(
            f"There is no file system for {scheme!r}: {error}. "
            "Install the library of that scheme, or its provider package."
        ) from error


def attach(
    protocol: str | None = None,
    conn_id: str | None = None,
    alias: str | None = None,
    encryption_type: str | None = None,
    fs: Any = None,
) -> Any:
    """Make ``protocol`` (or ``alias``) lead to a file system of one's own from now on, and return the store of it."""
    name = alias or (f"{protocol}-{conn_id}" if conn_id else protocol)
    if not name:
        raise ValueError("attach() needs a protocol or an alias.")
    if fs is not None:
        _attached[name] = fs
        if protocol:
            _attached[f"{protocol}-{conn_id}" if conn_id else protocol] = fs
    return ObjectStore(protocol or name, conn_id, fs)


class ObjectStore:
    """A file system, with the connection through which it is opened."""

    def __init__(self, protocol: str, conn_id: str | None, fs: Any = None) -> None:
        self.protocol, self.conn_id, self._fs = protocol, conn_id, fs

    @property
    def fs(self) -> Any:
        """The file system."""
        if self._fs is None:
            key = f"{self.protocol}-{self.conn_id}" if self.conn_id else self.protocol
            self._fs = _attached.get(key) or get_fs(self.protocol, self.conn_id)
        return self._fs


@cache
def _path_class() -> type:
    try:
        from upath import UPath
        from upath.implementations.cloud import CloudPath
    except ImportError:
        raise ImportError(
            "ObjectStoragePath needs the library universal-pathlib, which is not installed. "
            "Install it: pip install universal-pathlib"
        ) from None

    class ObjectStoragePath(CloudPath):
        """A path of any file system that fsspec knows."""

        root_marker = ""

        def __new__(cls, *args: Any, protocol: str | None = None, conn_id: str | None = None, **options: Any) -> Any:
            return object.__new__(cls)

        def __init__(
            self, *args: Any, protocol: str | None = None, conn_id: str | None = None, **storage_options: Any
        ) -> None:
            first, *others = args or ("",)
            if isinstance(first, ObjectStoragePath):
                conn_id = conn_id or first.conn_id
            text = str(first)
            split = urlsplit(text)
            if "@" in split.netloc:
                found, _, place = split.netloc.rpartition("@")
                conn_id = conn_id or found or None
                text = text.replace(split.netloc, place, 1)
            protocol = protocol or split.scheme or "file"
            if conn_id is not None:
                storage_options["conn_id"] = conn_id
            super().__init__(text, *others, protocol=protocol, **storage_options)

        @classmethod
        def _fs_factory(cls, urlpath: str, protocol: str, storage_options: Mapping[str, Any]) -> Any:
            options = dict(storage_options)
            return ObjectStore(protocol, options.pop("conn_id", None)).fs

        @property
        def conn_id(self) -> str | None:
            """The connection through which it is opened."""
            return self.storage_options.get("conn_id")

        @property
        def container(self) -> str:
            """The bucket."""
            return str(self.drive)

        bucket = container

        @property
        def key(self) -> str:
            """The path within the bucket."""
            return str(self.path).removeprefix(self.container).lstrip("/")

        @property
        def namespace(self) -> str:
            """Protocol and bucket."""
            return f"{self.protocol}://{self.container}"

        def __to_xcom__(self) -> list[Any]:
            return [str(self), self.protocol, dict(self.storage_options)]

        @classmethod
        def __from_xcom__(cls, kept: list[Any]) -> Any:
            path, protocol, options = kept
            return cls(path, protocol=protocol, **options)

    del UPath
    ObjectStoragePath.__qualname__ = ObjectStoragePath.__name__  # found by this name in the module, as below
    return ObjectStoragePath


def __getattr__(name: str) -> Any:
    """Return :class:`ObjectStoragePath`, made when it is first asked for: its library is heavy."""
    if name != "ObjectStoragePath":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _path_class()
