"""What does a task get of a mapped task above it? ``LazyXComSequence``: a list of what its indexes returned, on demand.

Indexes that returned nothing are left out. Elements are asked for in pages, and one page is kept: a task that adds up
100,000 results holds a hundred of them at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from operator import index as as_index
from typing import TYPE_CHECKING, Any, Final

from tradewind.xcom.store import unpack

if TYPE_CHECKING:
    from tradewind.sdk.channel import TaskChannel

PAGE: Final = 100
"""How many elements are asked for at once."""


class LazyXComSequence(Sequence[Any]):
    """What the indexes of one mapped task left under one key in this run, by map index."""

    def __init__(self, channel: TaskChannel, task_id: str, key: str) -> None:
        self._channel, self._task_id, self._key = channel, task_id, key
        self._length: int | None = None
        self._page: list[Any] = []
        self._page_start = 0
        self._has_missed = False

    def __len__(self) -> int:
        if self._length is None:
            self._length = self._channel.count_xcoms(self._task_id, self._key)
        return self._length

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return self._slice(range(*place.indices(len(self))))
        try:
            wanted = as_index(place)
        except TypeError:
            raise TypeError(
                f"indices of a LazyXComSequence must be integers or slices, not {type(place).__name__}"
            ) from None
        if wanted < 0:
            wanted += len(self)
        if wanted < 0:
            raise IndexError(place)
        return self._one(wanted, place)

    def _one(self, wanted: int, place: Any) -> Any:
        offset = wanted - self._page_start
        if not 0 <= offset < len(self._page):
            # An index of a mapped task wants one element; whoever asks again wants them all.
            start, size = (wanted - wanted % PAGE, PAGE) if self._has_missed else (wanted, 1)
            self._page, self._page_start, self._has_missed = self._fetch(start, start + size), start, True
            offset = wanted - start
        if offset >= len(self._page):
            raise IndexError(place)
        return self._page[offset]

    def _slice(self, places: range) -> list[Any]:
        if not places:
            return []
        low, high = min(places[0], places[-1]), max(places[0], places[-1]) + 1
        if abs(places.step) > PAGE:
            return [self._one(place, place) for place in places]
        found = [one for start in range(low, high, PAGE) for one in self._fetch(start, min(start + PAGE, high))]
        return [found[place - low] for place in places]

    def _fetch(self, start: int, stop: int) -> list[Any]:
        found = self._channel.get_xcom_range(self._task_id, self._key, start, stop)
        return [unpack(one.value, one.location) for one in found]

    def __iter__(self) -> Iterator[Any]:
        start = 0
        while page := self._fetch(start, start + PAGE):
            yield from page
            if len(page) < PAGE:
                return
            start += PAGE

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        nothing = object()
        return all(mine == theirs for mine, theirs in zip_longest(self, other, fillvalue=nothing))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        if self._length is None:
            return "LazyXComSequence(<unevaluated length>)"
        return f"LazyXComSequence([{self._length} {'item' if self._length == 1 else 'items'}])"
