"""Where does Tradewind differ from Apache Airflow 3.3.2 on purpose? Each decision with its reason, and where it shows.

Whatever else differs is a fault, and fails a test; so does a decision that shows nowhere any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from tests.differential.compare import Difference


@dataclass(frozen=True, slots=True)
class Decision:
    """One thing that is not as it is there.

    Attributes:
        there, here: what Airflow does, and what Tradewind does.
        reason: why.
        where: patterns of ``file: dag/run what`` (``*`` and ``?`` as in file names).
    """

    there: str
    here: str
    reason: str
    where: tuple[str, ...]

    def explains(self, difference: Difference) -> bool:
        """Whether this is why."""
        return any(fnmatchcase(difference.place, pattern) for pattern in self.where)


DECISIONS: Final[tuple[Decision, ...]] = ()

STRICTER: Final[dict[str, str]] = {}
"""Wrong use that Airflow accepts when it reads the file and Tradewind refuses, with the reason."""

LOOSER: Final[dict[str, str]] = {}
"""What Airflow refuses and Tradewind accepts, with the reason."""


def unexplained(differences: Iterable[Difference]) -> list[Difference]:
    """Return those that no decision explains."""
    return [one for one in differences if not any(decision.explains(one) for decision in DECISIONS)]
