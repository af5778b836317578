"""What do tasks keep with an asset, from run to run? ``asset_state_store``: small JSON values by key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tradewind.model.asset_talk import ReadState, WriteState
from tradewind.sdk.assets.definitions import Asset, AssetNameRef, AssetRef
from tradewind.sdk.assets.lookup import NoAsset
from tradewind.sdk.exceptions import AirflowException
from tradewind.xcom import check_size, decode, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradewind.sdk.channel import TaskChannel

MAX_BYTES: Final = 65_535
MAX_KEY_LENGTH: Final = 250


class AssetStateStore:
    """What is kept with one asset."""

    def __init__(self, channel: TaskChannel, asset: Asset | AssetRef) -> None:
        self._channel = channel
        # The name is enough for whoever has one; a reference by URI has no name.
        self._place = {"name": asset.name} if isinstance(asset, Asset | AssetNameRef) else {"uri": asset.uri}

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or ``default`` when there is none."""
        found = self._channel.ask_assets(ReadState(_checked(key), **self._place)).value
        return default if found is None else decode(found)

    def set(self, key: str, value: Any) -> None:
        """Keep a value at once: a task that fails later has kept it all the same."""
        if value is None:
            raise AirflowException(f"The asset state {key!r} cannot be None. Delete it instead.")
        text = encode(value, f"The asset state {key!r}")
        check_size(text, MAX_BYTES, f"The asset state {key!r}")
        self._channel.ask_assets(WriteState(_checked(key), text, **self._place))

    def delete(self, key: str) -> None:
        """Forget a value; nothing happens when there is none."""
        self._channel.ask_assets(WriteState(_checked(key), **self._place))

    def clear(self) -> None:
        """Forget all values."""
        self._channel.ask_assets(WriteState(**self._place))


class AssetStates:
    """``asset_state_store[asset]`` for the inlets and outlets of a task; with exactly one of them, itself."""

    def __init__(self, channel: TaskChannel, assets: Sequence[Any]) -> None:
        self._channel = channel
        self._assets = list(dict.fromkeys(a for a in assets if isinstance(a, Asset | AssetRef)))

    def __getitem__(self, asset: Asset | AssetRef) -> AssetStateStore:
        if not isinstance(asset, Asset | AssetRef):
            raise NoAsset(asset)
        if not any(_may_be_same(one, asset) for one in self._assets):
            raise KeyError(f"{asset!r} is neither an inlet nor an outlet of this task")
        return AssetStateStore(self._channel, asset)

    def _only(self) -> AssetStateStore:
        if len(self._assets) != 1:
            raise AirflowException(
                f"The task has {len(self._assets)} inlets and outlets: say which, as in asset_state_store[asset]."
            )
        return AssetStateStore(self._channel, self._assets[0])

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value of the only asset."""
        return self._only().get(key, default)

    def set(self, key: str, value: Any) -> None:
        """Keep a value with the only asset."""
        self._only().set(key, value)

    def delete(self, key: str) -> None:
        """Forget a value of the only asset."""
        self._only().delete(key)

    def clear(self) -> None:
        """Forget all values of the only asset."""
        self._only().clear()


def _may_be_same(one: Asset | AssetRef, other: Asset | AssetRef) -> bool:
    return one.name == other.name if one.name and other.name else one.uri == other.uri


def _checked(key: str) -> str:
    if not isinstance(key, str) or not key or len(key) > MAX_KEY_LENGTH:
        raise AirflowException(f"The key of an asset state must be a text of 1 to {MAX_KEY_LENGTH} characters.")
    return key
