"""Where do the DAG files of a run come from? ``[dag_processor] dag_bundle``: the folder, the metadata DB, or git.

A repository is written as pip writes one: ``git+https://host/team/dags.git@main#subdirectory=dags``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit, urlunsplit

_EXAMPLE: Final = "git+https://git.example.com/team/dags.git@main#subdirectory=dags"
_SCHEMES: Final = ("https", "http", "ssh", "git", "file")
_REF: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]*")
_FOLDER: Final = re.compile(r"[^/\0]+(/[^/\0]+)*")


@dataclass(frozen=True, slots=True)
class GitSource:
    """A git repository.

    Attributes:
        url: as ``git`` takes it; may hold a password.
        ref: a branch, a tag or a commit; empty: the branch that the repository names as its own.
        folder: where in it the DAG files are; empty: at its top.
    """

    url: str
    ref: str = ""
    folder: str = ""

    @property
    def safe_url(self) -> str:
        """The address without a password."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    def __repr__(self) -> str:
        return f"GitSource({self.safe_url!r}, {self.ref!r}, {self.folder!r})"


@dataclass(frozen=True, slots=True)
class FolderSource:
    """The DAG folder. ``is_shipped``: each of its states is stored in the metadata DB."""

    is_shipped: bool = False


BundleSource = FolderSource | GitSource


def bundle_source(value: str) -> BundleSource:
    """Nothing, ``database``, or a git repository as pip writes it."""
    if value in ("", "database"):
        return FolderSource(is_shipped=bool(value))
    if not value.startswith("git+"):
        raise ValueError(f"nothing, `database`, or a git repository such as {_EXAMPLE}")
    parts = urlsplit(value.removeprefix("git+"))
    if parts.scheme not in _SCHEMES or not parts.path.strip("/") or parts.query:
        raise ValueError(f"a repository with one of {', '.join(_SCHEMES)}, such as {_EXAMPLE}")
    if parts.scheme != "file" and not parts.hostname:
        raise ValueError(f"a repository with the name of its host, such as {_EXAMPLE}")
    path, at, ref = parts.path.rpartition("@")
    if not at:
        path, ref = ref, ""
    elif not _REF.fullmatch(ref) or ".." in ref:
        raise ValueError(f"a branch, a tag or a commit in place of {ref!r}, such as {_EXAMPLE}")
    said = dict(parse_qsl(parts.fragment))
    folder = said.pop("subdirectory", "").strip("/")
    if said or (parts.fragment and not folder):
        raise ValueError(f"nothing but subdirectory= behind #, such as {_EXAMPLE}")
    if folder and (not _FOLDER.fullmatch(folder) or ".." in folder.split("/")):
        raise ValueError(f"a folder inside the repository in place of {folder!r}")
    return GitSource(urlunsplit(parts._replace(path=path, fragment="")), ref, folder)
