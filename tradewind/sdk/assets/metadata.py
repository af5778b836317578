"""What does a task yield to say something about an asset that it has updated? ``Metadata``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tradewind.sdk.assets.definitions import Asset, AssetAlias


class Metadata:
    """``yield Metadata(asset, extra)`` in a task: ``extra`` goes into the event of the asset.

    With ``alias`` the event is reported through that alias, which must be an outlet of the task.
    """

    def __init__(self, asset: Asset, extra: Mapping[str, Any] | None = None, alias: AssetAlias | None = None) -> None:
        self.asset = asset
        self.extra: dict[str, Any] = dict(extra or {})
        self.alias = alias

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Metadata) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # it can be changed

    def __repr__(self) -> str:
        return f"Metadata(asset={self.asset!r}, extra={self.extra!r}, alias={self.alias!r})"
