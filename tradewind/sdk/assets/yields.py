"""What becomes of what a task's function yields? ``Metadata`` goes to the asset's event; the rest is not used."""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

from tradewind.sdk.assets.metadata import Metadata

if TYPE_CHECKING:
    from tradewind.sdk.assets.outlets import OutletEvents

log: Final = logging.getLogger("airflow.task")


def run_through(function: Generator[Any, Any, Any], events: OutletEvents) -> Any:
    """Run a generator to its end, take what it says of assets into ``events``, and return what it returned."""
    while True:
        try:
            said = next(function)
        except StopIteration as end:
            return end.value
        if not isinstance(said, Metadata):
            log.warning("The task yielded a %s, which is not used. Yield Metadata(asset, extra).", type(said).__name__)
            continue
        events[said.asset].extra.update(said.extra)
        if said.alias is not None:
            events[said.alias].add(said.asset, said.extra)
