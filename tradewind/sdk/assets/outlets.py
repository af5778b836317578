"""What does a running task say of the assets that it updates? ``outlet_events``; and what becomes of it at its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from tradewind.model.orders import AssetChange
from tradewind.sdk.assets.definitions import Asset, AssetAlias, AssetRef
from tradewind.sdk.assets.lookup import AssetFinder, ByAsset, Key, shown
from tradewind.sdk.exceptions import AirflowException

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_KEY_LENGTH: Final = 250


class OutletEvent:
    """What is said of one asset, or through one alias.

    Attributes:
        extra: goes into the event of the asset.
    """

    def __init__(self, key: Key, finder: AssetFinder) -> None:
        self.key, self._finder = key, finder
        self.extra: dict[str, Any] = {}
        self.partition_keys: set[str] = set()
        self.added: list[tuple[Asset, dict[str, Any]]] = []

    def add(self, asset: Asset | AssetRef, extra: Mapping[str, Any] | None = None) -> None:
        """Say, through an alias, that ``asset`` was updated. Means nothing for an asset itself."""
        if not isinstance(self.key, str):
            return
        if isinstance(asset, AssetRef):
            asset = self._finder.find(name=asset.name, uri=asset.uri)
        if not isinstance(asset, Asset):
            raise AirflowException(f"add() takes an Asset or Asset.ref(...), not {asset!r} ({type(asset).__name__}).")
        self.added.append((asset, dict(extra or {})))

    def add_partitions(self, keys: str | list[str]) -> None:
        """Say which parts of the asset were updated: each becomes an event of its own."""
        if isinstance(self.key, str):
            raise TypeError("add_partitions() is for assets, not for aliases: say the asset itself as an outlet.")
        for key in [keys] if isinstance(keys, str) else keys:
            if not key.strip() or len(key) > MAX_KEY_LENGTH:
                raise ValueError(f"A partition key must have 1 to {MAX_KEY_LENGTH} characters, not {key!r}.")
            self.partition_keys.add(key)

    def __repr__(self) -> str:
        return f"OutletEvent({self.key!r}, extra={self.extra!r})"


class OutletEvents(Mapping["Asset | AssetAlias | AssetRef", OutletEvent], ByAsset[OutletEvent]):
    """``outlet_events[asset].extra = {...}``; an entry comes into being when it is first asked for."""

    def __init__(self, finder: AssetFinder) -> None:
        self._finder = finder
        self.by_key: dict[Key, OutletEvent] = {}

    def __getitem__(self, key: Asset | AssetAlias | AssetRef) -> OutletEvent:
        found = self._finder.key(key)
        return self.by_key.setdefault(found, OutletEvent(found, self._finder))

    def __iter__(self) -> Iterator[Asset | AssetAlias | AssetRef]:
        return (shown(key) for key in self.by_key)

    def __len__(self) -> int:
        return len(self.by_key)

    def __repr__(self) -> str:
        return f"OutletEvents({list(self.by_key.values())!r})"


def changes_of(outlets: Sequence[Any], events: OutletEvents) -> tuple[AssetChange, ...]:
    """Return what a task that succeeded has updated: each of its outlets, and what it reported through its aliases.

    What was said of assets that are no outlets of the task is left out, as in Airflow.
    """
    said = events.by_key
    changes: list[AssetChange] = []
    for outlet in outlets:
        if isinstance(outlet, Asset):
            changes += _of_asset(AssetChange(name=outlet.name, uri=outlet.uri), said.get((outlet.name, outlet.uri)))
        elif isinstance(outlet, AssetRef):
            mine = next((one for key, one in said.items() if _fits(outlet, key)), None)
            changes += _of_asset(AssetChange(name=outlet.name or None, uri=outlet.uri or None), mine)
        elif isinstance(outlet, AssetAlias):
            changes += _of_alias(outlet.name, said.get(outlet.name))
    return tuple(_without_copies(changes))


def _fits(ref: AssetRef, key: Key) -> bool:
    return not isinstance(key, str) and (key[0] == ref.name if ref.name else key[1] == ref.uri)


def _of_asset(change: AssetChange, said: OutletEvent | None) -> list[AssetChange]:
    extra = {} if said is None else said.extra
    keys: list[str | None] = sorted(said.partition_keys) if said is not None and said.partition_keys else [None]  # type: ignore[assignment]  # a list of texts is one
    return [AssetChange(name=change.name, uri=change.uri, extra=extra, partition_key=key) for key in keys]


def _of_alias(alias: str, said: OutletEvent | None) -> list[AssetChange]:
    added = [] if said is None else said.added
    return [
        AssetChange(name=asset.name, uri=asset.uri, extra=extra, alias=alias, asset_extra=asset.extra)
        for asset, extra in added
    ]


def _without_copies(changes: list[AssetChange]) -> Iterator[AssetChange]:
    """Leave out what says the same as one before: an asset that stands twice among the outlets is one."""
    seen: list[AssetChange] = []
    for change in changes:
        if change not in seen:
            seen.append(change)
            yield change
