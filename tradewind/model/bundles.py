"""What is a bundle? The DAG folder as it was at one moment, by name, and the list of the files in it: plain data.

A file is named by the digest of its content, so that what two bundles share is stored and sent once. The digest is what
git calls a file (SHA-1 or SHA-256 over a header and the content), so that git's own lists can be used; bundles that do
not come from git have SHA-256.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final, Literal

import msgspec

from tradewind.errors import DagError

Kind = Literal["db", "git"]

FILES_AT_ONCE: Final = 200
CONTENT_AT_ONCE: Final = 2**22
"""How many files are asked for at once, and how many bytes they hold in all; a larger file comes alone."""

_NAME: Final = re.compile(r"(db|git)-([0-9a-f]{40}|[0-9a-f]{64})(?::(.+))?")


class BundleName(msgspec.Struct, frozen=True):
    """What a bundle is called: ``db-<digest>``, ``git-<commit>`` or ``git-<commit>:<folder>``.

    Attributes:
        root: the name without the folder, which is what it is called on disk.
        folder: where in it the DAG files are; empty: at its top.
    """

    kind: Kind
    digest: str
    folder: str = ""

    @property
    def root(self) -> str:
        """What is the same for every folder of it."""
        return f"{self.kind}-{self.digest}"

    def __str__(self) -> str:
        return f"{self.root}:{self.folder}" if self.folder else self.root


def read_name(name: str) -> BundleName:
    """Return what a name says.

    Raises:
        DagError: it is none of this version of Tradewind.
    """
    found = _NAME.fullmatch(name)
    if found is None or (found[3] and not is_inside(found[3])):
        raise DagError(f"{name!r} names no bundle of DAG files that this version of Tradewind knows. Update this host.")
    kind: Kind = "git" if found[1] == "git" else "db"
    return BundleName(kind, found[2], found[3] or "")


class BundleFile(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One file of a bundle."""

    path: str  # relative, with "/"
    digest: str
    size: int
    is_executable: bool = False
    is_link: bool = False  # a symbolic link; its content is where it leads


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True):
    """All files of a bundle, by path."""

    files: tuple[BundleFile, ...] = ()

    @property
    def size(self) -> int:
        """How many bytes the files hold."""
        return sum(file.size for file in self.files)


def manifest_of(files: Sequence[BundleFile]) -> Manifest:
    """Return the list of these files; the same files give the same list, in whatever order they come."""
    return Manifest(tuple(sorted(files, key=lambda file: file.path)))


def encode_manifest(manifest: Manifest) -> bytes:
    """Return a manifest as it is stored and sent: a few dozen bytes for each file."""
    return zlib.compress(msgspec.json.encode(manifest), 6)


def decode_manifest(data: bytes) -> Manifest:
    """Return the manifest that was stored.

    Raises:
        DagError: these bytes are none, or it names a file outside of the bundle.
    """
    try:
        manifest = msgspec.json.decode(zlib.decompress(data), type=Manifest)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise DagError(f"The list of a bundle's files cannot be read: {error}.") from error
    for file in manifest.files:
        if not is_inside(file.path):
            raise DagError(f"The list of a bundle's files names {file.path!r}, which does not lie in it.")
    return manifest


def name_of(manifest: Manifest) -> BundleName:
    """Return the name of the bundle that consists of these files."""
    return BundleName("db", hashlib.sha256(msgspec.json.encode(manifest)).hexdigest())


def file_digest(content: bytes, like: str = "0" * 64) -> str:
    """Return what git calls a file with this content.

    Args:
        like: a digest of the same kind: 40 digits are SHA-1, 64 are SHA-256.
    """
    head = b"blob %d\0" % len(content)
    if len(like) == 64:
        return hashlib.sha256(head + content).hexdigest()
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()


def is_inside(path: str) -> bool:
    """Whether a relative path stays where it begins."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and "\0" not in path
