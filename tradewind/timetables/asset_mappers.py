"""Which partition of a consumer does a partition of an asset belong to? Mappers from key to key: pure, plain data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from tradewind.errors import DagError
from tradewind.timetables.asset_windows import WaitForAll, WaitPolicy, Window


class PartitionMapper(ABC):
    """Gives the key, or the keys, of the consumer for a key of the producer.

    Args:
        max_downstream_keys: an event that gives more keys than this is refused; None: ``DEFAULT_MAX_KEYS``.
    """

    decodes_to: ClassVar[type] = str

    def __init__(self, *, max_downstream_keys: int | None = None) -> None:
        if max_downstream_keys is not None and (not isinstance(max_downstream_keys, int) or max_downstream_keys < 1):
            raise DagError(
                f"max_downstream_keys is {max_downstream_keys!r}; expected a whole number from 1 on, or None."
            )
        self.max_downstream_keys = max_downstream_keys

    @abstractmethod
    def to_downstream(self, key: str) -> str | Iterable[str]:
        """Return the consumer's key or keys.

        Raises:
            ValueError: the key is none that it knows.
        """

    def decode_downstream(self, downstream_key: str) -> Any:
        """Return what a consumer's key says: an instant for mappers of time, else the key itself."""
        return downstream_key

    def encode_upstream(self, decoded: Any) -> str:
        """Return the producer's key for what it says."""
        return str(decoded)

    def format(self, decoded: Any) -> str:
        """Return the consumer's key for what it says."""
        return decoded.isoformat() if isinstance(decoded, datetime) else str(decoded)

    def to_partition_date(self, downstream_key: str) -> datetime | None:
        """Return where the consumer's partition begins; None: its key says nothing of time."""
        return None

    @property
    def carries_date(self) -> bool:
        """Whether the partition of the consumer is that of the producer, date included."""
        return False

    def args(self) -> Mapping[str, Any]:
        """Return the arguments from which an equal mapper is made: plain data, and other mappers, windows, policies."""
        return {} if self.max_downstream_keys is None else {"max_downstream_keys": self.max_downstream_keys}


class IdentityMapper(PartitionMapper):
    """The same key."""

    def to_downstream(self, key: str) -> str:
        return key

    @property
    def carries_date(self) -> bool:
        return True


class FixedKeyMapper(PartitionMapper):
    """One key for all."""

    def __init__(self, downstream_key: str, *, max_downstream_keys: int | None = None) -> None:
        super().__init__(max_downstream_keys=max_downstream_keys)
        if not isinstance(downstream_key, str) or not downstream_key:
            raise DagError(f"FixedKeyMapper needs a text that is not empty, not {downstream_key!r}.")
        self.downstream_key = downstream_key

    def to_downstream(self, key: str) -> str:
        return self.downstream_key

    def args(self) -> Mapping[str, Any]:
        return {"downstream_key": self.downstream_key, **super().args()}


class AllowedKeyMapper(PartitionMapper):
    """The same key, when it is one of these."""

    def __init__(self, allowed_keys: Sequence[str], *, max_downstream_keys: int | None = None) -> None:
        super().__init__(max_downstream_keys=max_downstream_keys)
        self.allowed_keys = list(allowed_keys)

    def to_downstream(self, key: str) -> str:
        if key not in self.allowed_keys:
            raise ValueError(f"{key!r} is none of the allowed keys: {', '.join(self.allowed_keys)}")
        return key

    def args(self) -> Mapping[str, Any]:
        return {"allowed_keys": self.allowed_keys, **super().args()}


class _Several(PartitionMapper):
    """Made of two mappers or more."""

    def __init__(self, *mappers: PartitionMapper, max_downstream_keys: int | None = None) -> None:
        super().__init__(max_downstream_keys=max_downstream_keys)
        if len(mappers) < 2 or any(not isinstance(one, PartitionMapper) for one in mappers):
            raise DagError(f"{type(self).__name__} takes two partition mappers or more, not {mappers!r}.")
        self.mappers = mappers


class ChainMapper(_Several):
    """One mapper after the other."""

    def to_downstream(self, key: str) -> str | Iterable[str]:
        keys = [key]
        for mapper in self.mappers:
            keys = [found for one in keys for found in keys_of(mapper, one)]
        return keys[0] if len(keys) == 1 else keys

    def to_partition_date(self, downstream_key: str) -> datetime | None:
        return self.mappers[-1].to_partition_date(downstream_key)

    def args(self) -> Mapping[str, Any]:
        return {"mappers": list(self.mappers), **super().args()}


class ProductMapper(_Several):
    """A mapper for each part of a key such as ``"eu|2026-01-01T00:00:00"``."""

    def __init__(self, *mappers: PartitionMapper, delimiter: str = "|", max_downstream_keys: int | None = None) -> None:
        super().__init__(*mappers, max_downstream_keys=max_downstream_keys)
        self.delimiter = delimiter

    def to_downstream(self, key: str) -> str:
        parts = key.split(self.delimiter)
        if len(parts) != len(self.mappers):
            raise ValueError(f"{key!r} has {len(parts)} parts, not {len(self.mappers)}")
        found = [keys_of(mapper, part) for mapper, part in zip(self.mappers, parts, strict=True)]
        if any(len(keys) != 1 for keys in found):
            raise ValueError(f"a part of {key!r} has several keys, of which none can be chosen")
        return self.delimiter.join(keys[0] for keys in found)

    def to_partition_date(self, downstream_key: str) -> datetime | None:
        parts = downstream_key.split(self.delimiter)
        if len(parts) != len(self.mappers):
            return None
        dates = [mapper.to_partition_date(part) for mapper, part in zip(self.mappers, parts, strict=True)]
        known = [date for date in dates if date is not None]
        return known[0] if len(known) == 1 else None  # two parts of time do not say which of them is meant

    def args(self) -> Mapping[str, Any]:
        return {"delimiter": self.delimiter, "mappers": list(self.mappers), **super().args()}


class RollupMapper(PartitionMapper):
    """Many keys of the producer make up one of the consumer, whose run waits until enough of them have come."""

    def __init__(
        self,
        *,
        upstream_mapper: PartitionMapper,
        window: Window,
        wait_policy: WaitPolicy | None = None,
        max_downstream_keys: int | None = None,
    ) -> None:
        super().__init__(max_downstream_keys=max_downstream_keys)
        check_parts(self, upstream_mapper, window)
        if upstream_mapper.decodes_to is not window.decodes_to:
            raise DagError(
                f"RollupMapper: {type(window).__name__} is about {window.decodes_to.__name__}, and "
                f"{type(upstream_mapper).__name__} about {upstream_mapper.decodes_to.__name__}. Choose two that fit."
            )
        self.upstream_mapper, self.window, self.wait_policy = upstream_mapper, window, wait_policy or WaitForAll()

    def to_downstream(self, key: str) -> str | Iterable[str]:
        return self.upstream_mapper.to_downstream(key)

    def expected(self, downstream_key: str) -> frozenset[str]:
        """Return every key of the producer that belongs to one of the consumer."""
        period = self.upstream_mapper.decode_downstream(downstream_key)
        return frozenset(self.upstream_mapper.encode_upstream(part) for part in self.window.to_upstream(period))

    def to_partition_date(self, downstream_key: str) -> datetime | None:
        return self.upstream_mapper.to_partition_date(downstream_key)

    def args(self) -> Mapping[str, Any]:
        return {
            "upstream_mapper": self.upstream_mapper,
            "window": self.window,
            "wait_policy": self.wait_policy,
            **super().args(),
        }


def check_parts(owner: PartitionMapper, mapper: object, window: object) -> None:
    """Refuse what is no mapper or no window."""
    if not isinstance(mapper, PartitionMapper) or not isinstance(window, Window):
        raise DagError(f"{type(owner).__name__} takes a partition mapper and a window, not {mapper!r} and {window!r}.")


def keys_of(mapper: PartitionMapper, key: str) -> list[str]:
    """Return the consumer's keys as a list.

    Raises:
        ValueError: the key is none that the mapper knows.
    """
    found = mapper.to_downstream(key)
    return [found] if isinstance(found, str) else sorted(set(found))
