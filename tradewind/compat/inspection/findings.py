"""What is said about one place of a DAG file?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KINDS: Final = {
    "syntax": "the file is no Python",
    "import": "a name or module of Airflow that is not there",
    "provider": "a provider package, or a part of it, that is not installed",
    "argument": "an argument that is unknown, refused or has no effect",
    "attribute": "something of Airflow's class that ours has not",
    "metadata-db": "a task that reaches for the metadata DB",
    "template": "a name in a template, or a key of the context, that Airflow 3 dropped",
}


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One unsupported use.

    Attributes:
        line, column: where it begins, counted from 1.
        kind: one of :data:`KINDS`.
        what: what stands there, and what is wrong with it.
        mend: what to do.
    """

    line: int
    column: int
    kind: str
    what: str
    mend: str
