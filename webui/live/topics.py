"""What can a page listen to? Names of topics, as they stand in the address of the stream.

``all``: any run changed (lists, the first page). ``dag:D``: a run of the DAG changed. ``run:D/R``: the states of that
run's tasks. ``log:D/R/T/M/N``: the size of the log of try N. Ids are percent-encoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from tradewind.errors import UsageError

MAX_TOPICS: Final = 200


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. ``names`` are the ids in it, decoded."""

    kind: str
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}:{'/'.join(quote(name, safe='') for name in self.names)}" if self.names else self.kind


_LENGTHS: Final = {"all": 0, "dag": 1, "run": 2, "log": 5}


def parse_topics(text: str) -> frozenset[Topic]:
    """Return the topics of a comma-separated list.

    Raises:
        UsageError: one is not known, or there are too many.
    """
    topics: set[Topic] = set()
    for part in filter(None, text.split(",")):
        kind, _, rest = part.partition(":")
        names = tuple(unquote(name) for name in rest.split("/")) if rest else ()
        if _LENGTHS.get(kind) != len(names) or (kind == "log" and not all(_is_number(n) for n in names[3:])):
            raise UsageError(f"{part!r} is no topic. Use all, dag:D, run:D/R or log:D/R/T/M/N with encoded ids.")
        topics.add(Topic(kind, names))
    if len(topics) > MAX_TOPICS:
        raise UsageError(f"{len(topics)} topics are too many for one stream; {MAX_TOPICS} is the most.")
    return frozenset(topics)


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and len(text) < 10
