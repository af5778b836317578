"""What is an asset in a DAG file? A name and a URI; references, aliases and conditions stand where an asset can."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from tradewind.sdk.assets.uris import normalised_uri
from tradewind.sdk.exceptions import DagArgumentError

MAX_LENGTH: Final = 1500
_PROHIBITED: Final = ("self", "context")


class BaseAsset:
    """Whatever may stand in ``schedule=``: an asset, a reference, an alias, or a condition over them."""

    def __or__(self, other: object) -> AssetAny:
        if not isinstance(other, BaseAsset):
            return NotImplemented
        return AssetAny(self, other)

    def __and__(self, other: object) -> AssetAll:
        if not isinstance(other, BaseAsset):
            return NotImplemented
        return AssetAll(self, other)

    def as_expression(self) -> dict[str, Any]:
        """Return the condition as plain data; see ``tradewind.timetables.asset_condition``."""
        raise NotImplementedError

    def parts(self) -> Iterator[Asset | AssetAlias | AssetRef]:
        """Give every asset, alias and reference in it, from left to right."""
        raise NotImplementedError


def checked_text(who: str, name: str, value: Any, *, may_be_empty: bool = False) -> str:
    """Return ``value`` when it can name something.

    Raises:
        DagArgumentError: it is no text, too long, empty, or nothing but blanks.
    """
    if not isinstance(value, str):
        raise DagArgumentError(f"{who}: {name} must be a text, not {value!r} ({type(value).__name__}).")
    if len(value) > MAX_LENGTH or len(value.encode("utf-8", "replace")) > MAX_LENGTH + 500:
        raise DagArgumentError(f"{who}: {name} is too long: at most {MAX_LENGTH} characters are allowed. Shorten it.")
    if value.isspace():
        raise DagArgumentError(f"{who}: {name} is nothing but blanks. Give it a name.")
    if not value and not may_be_empty:
        raise DagArgumentError(f"{who}: {name} must not be empty.")
    return value


class AssetAccessControl:
    """Which teams may produce and consume an asset. Tradewind has no teams; it is kept, and changes nothing."""

    def __init__(
        self,
        producer_teams: Sequence[str] = (),
        consumer_teams: Sequence[str] | None = None,
        allow_global: bool = True,
    ) -> None:
        for name, teams in (("producer_teams", producer_teams), ("consumer_teams", consumer_teams)):
            if any(not isinstance(team, str) or not team.strip() for team in teams or ()):
                raise DagArgumentError(f"AssetAccessControl: each entry of {name} must be a text that is not empty.")
        self.producer_teams = list(producer_teams)
        self.consumer_teams = None if consumer_teams is None else list(consumer_teams)
        self.allow_global = allow_global

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AssetAccessControl) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # it can be changed


class AssetWatcher:
    """Makes an event of the asset whenever ``trigger`` fires. ``name`` is unique among the watchers of an asset."""

    def __init__(self, name: str, trigger: Any) -> None:
        # Late: triggers are asynchronous, and few files have one.
        from tradewind.sdk.triggers.base import BaseEventTrigger

        self.name = checked_text("AssetWatcher", "name", name)
        if not isinstance(trigger, BaseEventTrigger):
            raise DagArgumentError(
                f"AssetWatcher {name!r}: the trigger must be a BaseEventTrigger, which may fire again and again, not "
                f"{type(trigger).__name__}."
            )
        self.trigger = trigger

    def __repr__(self) -> str:
        return f"AssetWatcher(name={self.name!r}, trigger={self.trigger!r})"


class Asset(os.PathLike[str], BaseAsset):
    """A piece of data that tasks update and DAGs wait for, known by its name and its URI.

    Args:
        name, uri: either stands for the other when that is not given. The URI is normalised.
        group: what kind of asset it is, for people.
        extra: facts about it, plain JSON.
        watchers: what makes events of it from outside.
        access_control: for teams, which Tradewind does not have.
    """

    asset_type: ClassVar[str] = "asset"

    def __init__(
        self,
        name: str | None = None,
        uri: Any = None,
        *,
        group: str | None = None,
        extra: Mapping[str, Any] | None = None,
        watchers: Sequence[AssetWatcher] | None = None,
        access_control: AssetAccessControl | None = None,
    ) -> None:
        kind = type(self).__name__
        if name is None and uri is None:
            raise DagArgumentError(f"{kind}() needs a name, a uri, or both.")
        given = name if uri is None else str(uri)
        self.name = checked_text(kind, "name", str(uri) if name is None else name)
        if self.name in _PROHIBITED:
            raise DagArgumentError(f"{kind}: the name {self.name!r} has a meaning in @asset functions. Give another.")
        self.uri = normalised_uri(checked_text(f"{kind} {self.name!r}", "uri", given))
        self.group = checked_text(
            f"{kind} {self.name!r}", "group", self.asset_type if group is None else group, may_be_empty=True
        )
        if extra is not None and not isinstance(extra, Mapping):
            raise DagArgumentError(f"{kind} {self.name!r}: extra must be a dict, not {type(extra).__name__}.")
        self.extra: dict[str, Any] = dict(extra or {})
        self.watchers = list(watchers or ())
        if any(not isinstance(watcher, AssetWatcher) for watcher in self.watchers):
            raise DagArgumentError(f"{kind} {self.name!r}: watchers must be a list of AssetWatcher.")
        self.access_control = access_control or AssetAccessControl()

    @staticmethod
    def ref(*, name: str = "", uri: str = "") -> AssetRef:
        """Return a reference to an asset that is defined elsewhere, by its name or by its URI."""
        if bool(name) == bool(uri):
            raise DagArgumentError("Asset.ref() takes a name or a uri, and not both.")
        return AssetNameRef(name) if name else AssetUriRef(uri)

    @property
    def normalized_uri(self) -> str | None:
        """The URI when its scheme says how to normalise it; Airflow without providers knows ``file`` alone."""
        return self.uri if self.uri.startswith("file:") else None

    def as_expression(self) -> dict[str, Any]:
        return {"asset": {"uri": self.uri, "name": self.name, "group": self.group}}

    def parts(self) -> Iterator[Asset | AssetAlias | AssetRef]:
        yield self

    def __fspath__(self) -> str:
        return self.uri

    def __to_xcom__(self) -> dict[str, Any]:
        return {"name": self.name, "uri": self.uri, "group": self.group, "extra": self.extra}

    @classmethod
    def __from_xcom__(cls, state: Mapping[str, Any]) -> Asset:
        return cls(**state)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Asset):
            return NotImplemented
        return self._facts() == other._facts() and self.watchers == other.watchers

    def __hash__(self) -> int:
        return hash((self.name, self.uri))

    def _facts(self) -> tuple[Any, ...]:
        return (self.name, self.uri, self.group, self.extra, self.access_control)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(name={self.name!r}, uri={self.uri!r}, group={self.group!r}, extra={self.extra!r})"
        )


class Dataset(Asset):
    """What assets were called in Airflow 2."""

    asset_type = "dataset"


class Model(Asset):
    """An asset that is a model."""

    asset_type = "model"


class AssetRef(BaseAsset):
    """An asset that is defined elsewhere. Made by :meth:`Asset.ref`."""

    name: str = ""
    uri: str = ""

    def parts(self) -> Iterator[Asset | AssetAlias | AssetRef]:
        yield self

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and (self.name, self.uri) == (other.name, other.uri)

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.name, self.uri))


class AssetNameRef(AssetRef):
    """An asset by its name."""

    def __init__(self, name: str) -> None:
        self.name = checked_text("Asset.ref()", "name", name)

    def as_expression(self) -> dict[str, Any]:
        return {"asset_ref": {"name": self.name}}

    def __repr__(self) -> str:
        return f"AssetNameRef(name={self.name!r})"


class AssetUriRef(AssetRef):
    """An asset by its URI, which is not normalised."""

    def __init__(self, uri: str) -> None:
        self.uri = checked_text("Asset.ref()", "uri", uri)

    def as_expression(self) -> dict[str, Any]:
        return {"asset_ref": {"uri": self.uri}}

    def __repr__(self) -> str:
        return f"AssetUriRef(uri={self.uri!r})"


class AssetAlias(BaseAsset):
    """A name for assets that only a running task knows; it says them with ``outlet_events[alias].add(asset)``."""

    def __init__(self, name: str, *, group: str = "asset") -> None:
        self.name = checked_text("AssetAlias", "name", name)
        self.group = checked_text(f"AssetAlias {name!r}", "group", group, may_be_empty=True)

    def as_expression(self) -> dict[str, Any]:
        return {"alias": {"name": self.name, "group": self.group}}

    def parts(self) -> Iterator[Asset | AssetAlias | AssetRef]:
        yield self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AssetAlias) and (self.name, self.group) == (other.name, other.group)

    def __hash__(self) -> int:
        return hash((self.name, self.group))

    def __repr__(self) -> str:
        return f"AssetAlias(name={self.name!r}, group={self.group!r})"


class AssetCondition(BaseAsset):
    """Several of them, of which all or any must have been updated."""

    word: ClassVar[str]

    def __init__(self, *objects: BaseAsset) -> None:
        for one in objects:
            if not isinstance(one, BaseAsset):
                raise DagArgumentError(
                    f"{type(self).__name__}: {one!r} ({type(one).__name__}) is no asset. Combine Asset, Asset.ref() "
                    "and AssetAlias with & and |."
                )
        self.objects: Sequence[BaseAsset] = objects

    def as_expression(self) -> dict[str, Any]:
        return {self.word: [one.as_expression() for one in self.objects]}

    def parts(self) -> Iterator[Asset | AssetAlias | AssetRef]:
        for one in self.objects:
            yield from one.parts()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and tuple(self.objects) == tuple(other.objects)

    def __hash__(self) -> int:
        return hash((self.word, tuple(self.objects)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.objects))})"


class AssetAny(AssetCondition):
    """Holds once one of them was updated: ``a | b``."""

    word = "any"

    def __or__(self, other: object) -> AssetAny:
        if not isinstance(other, BaseAsset):
            return NotImplemented
        return AssetAny(*self.objects, other)


class AssetAll(AssetCondition):
    """Holds once all of them were updated: ``a & b``, or a list of assets."""

    word = "all"

    def __and__(self, other: object) -> AssetAll:
        if not isinstance(other, BaseAsset):
            return NotImplemented
        return AssetAll(*self.objects, other)
