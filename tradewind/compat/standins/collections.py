"""What stands for the helpers of ``airflow.utils.helpers`` that work on lists and dicts?"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, MutableMapping
from itertools import islice
from typing import Any, Literal, TypeVar

T = TypeVar("T")


def chunks(items: list[T], chunk_size: int) -> Generator[list[T], None, None]:
    """Give ``items`` in lists of at most ``chunk_size``.

    Raises:
        ValueError: ``chunk_size`` is not positive.
    """
    if chunk_size <= 0:
        raise ValueError(f"chunk_size is {chunk_size}; expected a positive integer.")
    waiting = iter(items)
    while part := list(islice(waiting, chunk_size)):
        yield part


def is_container(value: Any) -> bool:
    """Return whether ``value`` holds others and is no text."""
    return isinstance(value, Iterable) and not isinstance(value, str)


def as_flattened_list(iterable: Iterable[Any]) -> list[Any]:
    """Return the elements of nested collections, from left to right, in one list."""
    flat: list[Any] = []
    for value in iterable:
        if is_container(value):
            flat.extend(as_flattened_list(value))
        else:
            flat.append(value)
    return flat


def exactly_one(*values: Any) -> bool:
    """Return whether just one of ``values`` is true.

    Raises:
        ValueError: the values were given as one list.
    """
    _given_one_by_one(values)
    return sum(bool(value) for value in values) == 1


def at_most_one(*values: Any) -> bool:
    """Return whether no more than one of ``values`` is given: a value that is not set counts as none.

    Raises:
        ValueError: the values were given as one list.
    """
    from tradewind.compat.standins.unset import is_arg_set

    _given_one_by_one(values)
    return sum(bool(value) and is_arg_set(value) for value in values) <= 1


def _given_one_by_one(values: tuple[Any, ...]) -> None:
    if len(values) == 1 and is_container(values[0]):
        raise ValueError("Give the values one by one, not as one list: write exactly_one(*values).")


def prune_dict(val: Any, mode: Literal["strict", "truthy"] = "strict") -> Any:
    """Return ``val`` without the entries of its dicts and lists that are None, or that are not true with ``truthy``.

    Raises:
        ValueError: ``mode`` is another word.
    """
    if mode not in ("strict", "truthy"):
        raise ValueError(f"mode is {mode!r}; expected 'strict' or 'truthy'.")

    def stays(value: Any) -> bool:
        return value is not None if mode == "strict" else bool(value)

    if isinstance(val, Mapping):
        pruned = ((key, _pruned_inner(value, mode)) for key, value in val.items() if stays(value))
        return {key: value for key, value in pruned if stays(value)}
    if isinstance(val, list):
        return [value for value in (_pruned_inner(value, mode) for value in val if stays(value)) if stays(value)]
    return val


def _pruned_inner(value: Any, mode: Literal["strict", "truthy"]) -> Any:
    return prune_dict(value, mode) if isinstance(value, Mapping | list) else value


def merge_dicts(dict1: Mapping[Any, Any], dict2: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return both dicts in one, deeply; where they differ, ``dict2`` wins."""
    merged = dict(dict1)
    for key, value in dict2.items():
        mine = merged.get(key)
        merged[key] = merge_dicts(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return merged


def partition(pred: Callable[[T], bool], iterable: Iterable[T]) -> tuple[Iterator[T], Iterator[T]]:
    """Return the elements for which ``pred`` is false, and those for which it is true."""
    known = list(iterable)
    return iter([one for one in known if not pred(one)]), iter([one for one in known if pred(one)])


def prevent_duplicates(kwargs1: Mapping[str, Any], kwargs2: Mapping[str, Any], *, fail_reason: str) -> None:
    """Refuse arguments that are given in both.

    Raises:
        TypeError: some are.
    """
    both = sorted(kwargs1.keys() & kwargs2.keys())
    if both:
        raise TypeError(f"{fail_reason} argument{'s' if len(both) > 1 else ''}: {', '.join(both)}. Give each once.")


class ThreadSafeDict(MutableMapping[Any, Any]):
    """A dict that several threads may write to."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        from threading import RLock

        self._lock = RLock()
        self._held: dict[Any, Any] = dict(*args, **kwargs)

    def __getitem__(self, key: Any) -> Any:
        with self._lock:
            return self._held[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        with self._lock:
            self._held[key] = value

    def __delitem__(self, key: Any) -> None:
        with self._lock:
            del self._held[key]

    def __iter__(self) -> Iterator[Any]:
        with self._lock:
            return iter(list(self._held))

    def __len__(self) -> int:
        return len(self._held)
