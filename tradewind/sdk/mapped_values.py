"""What do ``map``, ``zip`` and ``concat`` give when a task asks? Sequences over sequences, that copy nothing.

An element is worked out when it is asked for, so that each index of a mapped task pays for its own element only.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, Final


class _NotGiven:
    def __repr__(self) -> str:
        return "NOTSET"


NOT_GIVEN: Final = _NotGiven()
"""Stands for a fill value that was not given, since None is one."""

Values = Sequence[Any] | Mapping[Any, Any]


def element(values: Values, index: int) -> Any:
    """Return one element; of a dict its pair of key and value."""
    if isinstance(values, Mapping):
        for pair in islice(values.items(), index, None):
            return pair
        raise IndexError(index)
    return values[index]


class _Derived(Sequence[Any]):
    """A sequence whose elements are worked out one by one."""

    @abstractmethod
    def _at(self, index: int) -> Any:
        """Return the element at an index that is within the length, or may be."""

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._at(i) for i in range(*index.indices(len(self)))]
        place = index if index >= 0 else len(self) + index
        if place < 0:
            raise IndexError(index)
        return self._at(place)


class MappedValues(_Derived):
    """Each of ``values`` after ``functions``, one behind the other."""

    def __init__(self, values: Values, functions: Sequence[Callable[[Any], Any]]) -> None:
        self._values, self._functions = values, functions

    def _at(self, index: int) -> Any:
        if isinstance(self._values, Mapping):
            raise KeyError(f"map() cannot take the elements of a dict by number ({index}); return list(d.items())")
        value = self._values[index]
        for function in self._functions:
            value = function(value)
        return value

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"MappedValues({self._values!r})"


class ZippedValues(_Derived):
    """Tuples of the elements at the same place: as many as the shortest part has, with a fill value as the longest."""

    def __init__(self, parts: Sequence[Values], fill: Any = NOT_GIVEN) -> None:
        self._parts, self._fill = parts, fill

    def _at(self, index: int) -> tuple[Any, ...]:
        if index >= len(self):
            raise IndexError(index)
        return tuple(element(part, index) if index < len(part) else self._fill for part in self._parts)

    def __len__(self) -> int:
        lengths = [len(part) for part in self._parts]
        return min(lengths) if self._fill is NOT_GIVEN else max(lengths)

    def __repr__(self) -> str:
        return f"ZippedValues({self._parts!r})"


class ConcatenatedValues(_Derived):
    """All elements of all parts, one part behind the other; of a dict its keys."""

    def __init__(self, parts: Sequence[Values]) -> None:
        self._parts = parts

    def _at(self, index: int) -> Any:
        for part in self._parts:
            if index < (length := len(part)):
                return next(islice(part, index, None)) if isinstance(part, Mapping) else part[index]
            index -= length
        raise IndexError("index out of range")

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts)

    def __repr__(self) -> str:
        return f"ConcatenatedValues({self._parts!r})"
