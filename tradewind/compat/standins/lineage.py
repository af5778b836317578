"""What stands for ``airflow.lineage``? Hooks may say what they read and write; nobody listens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

MAX_COLLECTED_ASSETS: Final = 100
MAX_COLLECTED_EXTRA: Final = 200


@dataclass
class AssetLineageInfo:
    """An asset, and how often and by whom it was used."""

    asset: Any
    count: int
    context: Any


@dataclass
class ExtraLineageInfo:
    """Something else that a hook said."""

    key: str
    value: Any
    count: int
    context: Any


@dataclass
class HookLineage:
    """What hooks have said."""

    inputs: list[AssetLineageInfo] = field(default_factory=list)
    outputs: list[AssetLineageInfo] = field(default_factory=list)
    extra: list[ExtraLineageInfo] = field(default_factory=list)


class HookLineageCollector:
    """Takes what hooks say, and forgets it."""

    def create_asset(self, **_: Any) -> None:
        """No asset is made of it."""

    def add_input_asset(self, *_: Any, **__: Any) -> None:
        """Forgets it."""

    def add_output_asset(self, *_: Any, **__: Any) -> None:
        """Forgets it."""

    def add_extra(self, *_: Any, **__: Any) -> None:
        """Forgets it."""

    @property
    def collected_assets(self) -> HookLineage:
        """Nothing."""
        return HookLineage()

    @property
    def has_collected(self) -> bool:
        """Never."""
        return False


NoOpCollector = HookLineageCollector


class HookLineageReader:
    """Reads what hooks have said: nothing."""

    def __init__(self, **_: Any) -> None:
        self.lineage_collector = get_hook_lineage_collector()

    def retrieve_hook_lineage(self) -> HookLineage:
        """Return nothing."""
        return self.lineage_collector.collected_assets


_COLLECTOR: Final = HookLineageCollector()


def get_hook_lineage_collector() -> HookLineageCollector:
    """Return the one collector."""
    return _COLLECTOR
