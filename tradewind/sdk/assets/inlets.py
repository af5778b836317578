"""What happened to the assets that a task reads? ``inlet_events`` and ``triggering_asset_events``, asked for lazily."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, overload

import msgspec

from tradewind.model.asset_talk import EventFacts, FindEvents, FindTriggering
from tradewind.sdk.assets.definitions import Asset, AssetAlias, AssetRef
from tradewind.sdk.assets.events import AssetEvent
from tradewind.sdk.assets.lookup import AssetFinder, ByAsset, Key, NoAsset, shown
from tradewind.sdk.exceptions import AirflowException

if TYPE_CHECKING:
    from tradewind.sdk.channel import TaskChannel

PAGE: Final = 500
"""Events that are asked for at a time, so that a long history is not held in memory."""


class InletEvents(Sequence[AssetEvent]):
    """The events of one asset, or those reported through one alias: the oldest first, the newest last.

    Nothing is asked for before something is looked at, and then only that. ``after``, ``before``, ``ascending`` and
    ``limit`` narrow it, and give it back.
    """

    def __init__(self, channel: TaskChannel, question: FindEvents) -> None:
        self._channel, self._question = channel, question
        self._limit: int | None = None

    def after(self, after: str | datetime) -> InletEvents:
        """Take only events at this instant or later."""
        return self._change(after=_instant("after", after))

    def before(self, before: str | datetime) -> InletEvents:
        """Take only events at this instant or earlier."""
        return self._change(before=_instant("before", before))

    def ascending(self, ascending: bool = True) -> InletEvents:
        """Take the oldest first, or the newest."""
        return self._change(is_descending=not ascending)

    def limit(self, limit: int) -> InletEvents:
        """Take only so many."""
        self._limit = limit
        return self

    def _change(self, **fields: Any) -> InletEvents:
        self._question = msgspec.structs.replace(self._question, **fields)
        return self

    def __len__(self) -> int:
        answer = self._channel.ask_assets(msgspec.structs.replace(self._question, only_count=True))
        return answer.count if self._limit is None else min(answer.count, self._limit)

    def __iter__(self) -> Iterator[AssetEvent]:
        offset = 0
        while True:
            wanted = PAGE if self._limit is None else min(PAGE, self._limit - offset)
            found = self._ask(offset, wanted) if wanted > 0 else []
            yield from found
            offset += len(found)
            if len(found) < wanted or wanted <= 0:
                return

    @overload
    def __getitem__(self, index: int) -> AssetEvent: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[AssetEvent]: ...
    def __getitem__(self, index: int | slice) -> AssetEvent | Sequence[AssetEvent]:
        if isinstance(index, slice):
            places = range(*index.indices(len(self)))
            if not places:
                return []
            least = min(places)
            found = self._ask(least, max(places) - least + 1)
            return [found[place - least] for place in places if place - least < len(found)]
        from_end = index < 0
        if from_end and self._limit is not None:
            return list(self)[index]
        if not from_end and self._limit is not None and index >= self._limit:
            raise IndexError(index)
        found = self._ask(-index - 1 if from_end else index, 1, reverse=from_end)
        if not found:
            raise IndexError(index)
        return found[0]

    def _ask(self, offset: int, limit: int, *, reverse: bool = False) -> list[AssetEvent]:
        descending = self._question.is_descending is not reverse
        question = msgspec.structs.replace(self._question, offset=offset, limit=limit, is_descending=descending)
        return [AssetEvent(facts) for facts in self._channel.ask_assets(question).events]

    def __repr__(self) -> str:
        what = self._question.alias or self._question.name or self._question.uri
        return f"InletEvents({what!r})"


def _instant(name: str, given: str | datetime) -> datetime:
    try:
        at = given if isinstance(given, datetime) else datetime.fromisoformat(given)
    except (TypeError, ValueError):
        raise AirflowException(f"{name}() takes an ISO 8601 instant, not {given!r}.") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


class InletEventsByAsset(Mapping["Asset | AssetAlias | AssetRef", InletEvents], ByAsset[InletEvents]):
    """``inlet_events[asset]`` for the inlets of a task; ``inlet_events[0]`` for the first of them."""

    def __init__(self, inlets: Sequence[Any], finder: AssetFinder) -> None:
        self._inlets, self._finder = inlets, finder

    def __getitem__(self, key: int | Asset | AssetAlias | AssetRef) -> InletEvents:
        channel = self._finder.channel
        asset = self._inlets[key] if isinstance(key, int) else key
        if isinstance(key, int) and not isinstance(asset, Asset | AssetAlias | AssetRef):
            raise IndexError(key)
        if not isinstance(asset, Asset | AssetAlias | AssetRef):
            raise NoAsset(asset)
        if not any(self._is_same(inlet, asset) for inlet in self._inlets):
            raise KeyError(f"{asset!r} is no inlet of this task; name it in inlets=[...]")
        if isinstance(asset, AssetAlias):
            return InletEvents(channel, FindEvents(alias=asset.name))
        return InletEvents(channel, FindEvents(name=asset.name or None, uri=asset.uri or None))

    def _is_same(self, inlet: object, asset: Asset | AssetAlias | AssetRef) -> bool:
        if isinstance(inlet, AssetAlias) or isinstance(asset, AssetAlias):
            return isinstance(inlet, AssetAlias) and isinstance(asset, AssetAlias) and inlet.name == asset.name
        if not isinstance(inlet, Asset | AssetRef):
            return False
        if isinstance(asset, AssetRef) and isinstance(inlet, Asset):
            return inlet.name == asset.name if asset.name else inlet.uri == asset.uri
        if isinstance(inlet, Asset) and isinstance(asset, Asset):
            return (inlet.name, inlet.uri) == (asset.name, asset.uri)
        return self._finder.key(inlet) == self._finder.key(asset)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._inlets)

    def __len__(self) -> int:
        return len(self._inlets)

    def __repr__(self) -> str:
        return f"InletEventsByAsset({list(self._inlets)!r})"


class TriggeringEvents(Mapping["Asset | AssetAlias | AssetRef", Sequence[AssetEvent]], ByAsset[Sequence[AssetEvent]]):
    """The events that the run was created for, by asset and by the alias that they were reported through."""

    def __init__(self, finder: AssetFinder, *, was_triggered: bool) -> None:
        """
        Args:
            was_triggered: False for a run that nobody's events have made; then nothing is asked for.
        """
        self._finder, self._was_triggered = finder, was_triggered

    @cached_property
    def _by_key(self) -> dict[Key, list[AssetEvent]]:
        found: dict[Key, list[AssetEvent]] = {}
        for facts in self._finder.channel.ask_assets(FindTriggering()).events if self._was_triggered else ():
            event = AssetEvent(facts)
            for key in _keys(facts):
                found.setdefault(key, []).append(event)
        return found

    def __getitem__(self, key: Asset | AssetAlias | AssetRef) -> Sequence[AssetEvent]:
        return self._by_key[self._finder.key(key)]

    def __iter__(self) -> Iterator[Asset | AssetAlias | AssetRef]:
        return (shown(key) for key in self._by_key)

    def __len__(self) -> int:
        return len(self._by_key)

    def __repr__(self) -> str:
        return f"TriggeringEvents({self._by_key!r})"


def _keys(facts: EventFacts) -> list[Key]:
    return [(facts.asset.name, facts.asset.uri), *facts.aliases]
