"""How do the assets of a DAG become plain data? Where each is named, and what each is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tradewind.model.spec import AliasSpec, AssetMention, AssetSpec, WatcherSpec
from tradewind.sdk.assets.definitions import Asset, AssetAlias, AssetAll, AssetRef, AssetWatcher, BaseAsset
from tradewind.sdk.exceptions import DagArgumentError
from tradewind.xcom.serde import encode

if TYPE_CHECKING:
    from tradewind.sdk.dag import DAG


def mentions(named: Iterable[Any]) -> tuple[AssetMention, ...]:
    """Return what the inlets or outlets of a task name, each once, in the order of the file."""
    found: dict[AssetMention, None] = {}
    for one in named:
        if isinstance(one, Asset):
            found[AssetMention(one.name, one.uri)] = None
        elif isinstance(one, AssetRef):
            found[AssetMention(one.name or None, one.uri or None)] = None
        elif isinstance(one, AssetAlias):
            found[AssetMention(alias=one.name)] = None
    return tuple(found)


def asset_specs(dag: DAG) -> tuple[AssetSpec, ...]:
    """Return every asset that the DAG names whole. Of one that it defines twice, the last definition counts."""
    found = {(one.name, one.uri): one for one in _all(dag) if isinstance(one, Asset)}
    return tuple(
        AssetSpec(one.name, one.uri, one.group, one.extra, tuple(_watcher(watcher) for watcher in one.watchers))
        for _, one in sorted(found.items())
    )


def alias_specs(dag: DAG) -> tuple[AliasSpec, ...]:
    """Return every alias that the DAG names."""
    found = {one.name: one for one in _all(dag) if isinstance(one, AssetAlias)}
    return tuple(AliasSpec(name, one.group) for name, one in sorted(found.items()))


def _all(dag: DAG) -> Iterator[Asset | AssetAlias | AssetRef]:
    condition = scheduled_on(dag.schedule)
    if condition is not None:
        yield from condition.parts()
    for task in dag.tasks:
        for one in (*task.inlets, *task.outlets):
            if isinstance(one, Asset | AssetAlias):
                yield one


def scheduled_on(schedule: Any) -> BaseAsset | None:
    """Return the condition of a schedule over assets; None: it is none."""
    if isinstance(schedule, BaseAsset):
        return schedule
    if isinstance(schedule, list | tuple | set | frozenset) and schedule:
        return AssetAll(*schedule)
    given = getattr(schedule, "assets", None)
    return None if given is None else scheduled_on(given)


def _watcher(watcher: AssetWatcher) -> WatcherSpec:
    path, kwargs = watcher.trigger.serialize()
    if path.startswith("tradewind_dag_"):
        raise DagArgumentError(
            f"AssetWatcher {watcher.name!r}: the class of its trigger stands in the DAG file, which nobody imports "
            "where triggers run. Put it into a module of the DAG folder."
        )
    return WatcherSpec(watcher.name, path, encode(dict(kwargs), f"The arguments of the trigger of {watcher!r}"))
