"""Was a slot handed out that is not free? Admission trusts in ends that are written with it, or not at all."""

from __future__ import annotations

from collections.abc import Sequence

from tradewind.metadata.commit import RunChange


class Overdrawn(Exception):
    """Slots were handed out that an attempt still holds: its end was not written, since its run moved on elsewhere.

    The transaction must be rolled back, and what was kept in memory forgotten; then all can be decided again.
    """


def check_slots(changes: Sequence[RunChange], written: Sequence[RunChange]) -> None:
    """Raise when what was admitted rests on an end that is not among what was written.

    Raises:
        Overdrawn: a limit would be exceeded.
    """
    if len(written) < len(changes) and any(change.attempts for change in written):
        good = {change.run.pk for change in written}
        if any(change.ended for change in changes if change.run.pk not in good):
            raise Overdrawn
