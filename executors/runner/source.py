"""What is a process given that is to import a DAG file? Its text, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Source:
    """A DAG file as it was when the run was made.

    Attributes:
        folder: the DAG folder that it belongs to.
        lock_path: what is to be held by who imports it, so that the folder stays; empty: it stays anyway.
    """

    path: Path
    text: bytes
    folder: Path
    lock_path: str = ""
