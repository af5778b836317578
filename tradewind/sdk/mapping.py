"""What does dynamic task mapping say? That it does not exist yet, at parse time, with a way round it."""

from __future__ import annotations

from tradewind.sdk.exceptions import NotSupportedYet


def mapping_refused(what: str) -> NotSupportedYet:
    """Return the error for ``what``, e.g. ``"add.expand(...)"``."""
    return NotSupportedYet(
        f"{what}: dynamic task mapping is not supported yet. Create one task per value in a loop, "
        "or handle the values inside one task."
    )
