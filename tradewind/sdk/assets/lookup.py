"""Which asset is meant by what a task says? References are resolved by asking; the answer holds for the attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from tradewind.model.asset_talk import FindAsset
from tradewind.sdk.assets.definitions import Asset, AssetAlias, AssetRef
from tradewind.sdk.assets.events import asset_of
from tradewind.sdk.exceptions import AirflowException, AirflowNotFoundException

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradewind.model.spec import AssetMention
    from tradewind.sdk.channel import TaskChannel

T = TypeVar("T")
Key = tuple[str, str] | str
"""Of an asset its name and URI, of an alias its name."""


class AssetFinder:
    """Finds assets through the channel of one attempt, each once."""

    def __init__(self, channel: TaskChannel) -> None:
        self.channel = channel
        self._found: dict[tuple[str, str], Asset] = {}

    def find(self, *, name: str = "", uri: str = "") -> Asset:
        """Return the active asset with this name, or this URI.

        Raises:
            AirflowNotFoundException: there is none.
        """
        if (name, uri) not in self._found:
            facts = self.channel.ask_assets(FindAsset(name or None, uri or None)).asset
            if facts is None:
                what = f"name {name!r}" if name else f"URI {uri!r}"
                raise AirflowNotFoundException(
                    f"There is no active asset with the {what}. Some DAG must define it: in a schedule, as an outlet "
                    "or as an inlet."
                )
            self._found[name, uri] = asset_of(facts)
        return self._found[name, uri]

    def key(self, asset: object) -> Key:
        """Return what stands for ``asset`` in a mapping.

        Raises:
            AirflowNotFoundException: it is a reference to nothing.
            AirflowTypeError: it is no asset.
        """
        if isinstance(asset, Asset):
            return asset.name, asset.uri
        if isinstance(asset, AssetAlias):
            return asset.name
        if isinstance(asset, AssetRef):
            found = self.find(name=asset.name, uri=asset.uri)
            return found.name, found.uri
        raise NoAsset(asset)


class NoAsset(AirflowException, TypeError):
    """Something that is no asset was used as one."""

    def __init__(self, given: object) -> None:
        super().__init__(
            f"Look events up by an Asset, an AssetAlias or Asset.ref(...), not by {given!r} ({type(given).__name__})."
        )


class ByAsset(Generic[T]):
    """A mapping by assets that can also be asked by name, URI or alias."""

    def __getitem__(self, key: Asset | AssetAlias | AssetRef) -> T:
        raise NotImplementedError

    def for_asset(self, *, name: str | None = None, uri: str | None = None) -> T:
        """Return the entry of an asset by its name, its URI, or both."""
        if name and uri:
            return self[Asset(name=name, uri=uri)]
        if not name and not uri:
            raise AirflowException("for_asset() needs a name or a uri.")
        return self[Asset.ref(name=name) if name else Asset.ref(uri=uri or "")]

    def for_asset_alias(self, *, name: str) -> T:
        """Return the entry of an alias."""
        return self[AssetAlias(name)]


def shown(key: Key) -> Asset | AssetAlias:
    """Return what a key stands for."""
    return AssetAlias(key) if isinstance(key, str) else Asset(name=key[0], uri=key[1])


class InactiveAssets(AirflowException):
    """A task names assets, as inlets or outlets, that no DAG defines any more, or that others of that name hide."""

    def __init__(self, who: str, inactive: Sequence[AssetMention]) -> None:
        names = ", ".join(repr(one.name or one.uri) for one in inactive)
        super().__init__(
            f"{who} has assets among its inlets or outlets that are not active: {names}. A reference needs a DAG that "
            "defines the asset; of several assets with one name or one URI only the first is active."
        )
