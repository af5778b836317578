"""Over what is a task or a group expanded? Its arguments with their values, as far as the DAG file knows them.

``expand(x=..., y=...)`` is :class:`ValueLists`: every combination, in the order of nested loops over the arguments as
they are written, the last one running fastest. ``expand_kwargs(...)`` is :class:`ArgumentDicts`: one dict for each
index. How many there are is told to the scheduler as :class:`~tradewind.model.spec.Length`, the values themselves are
found by the task that runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol

from tradewind.sdk.mapped_values import element
from tradewind.sdk.xcom_arg import Reference, XComArg, find_outputs

if TYPE_CHECKING:
    from tradewind.model.spec import Length
    from tradewind.sdk.context_values import Context


class Arguments(NamedTuple):
    """The arguments of one index.

    Attributes:
        values: by name.
        given: those of the values that tasks have returned; whatever stands in them is no template.
    """

    values: Mapping[str, Any]
    given: tuple[Any, ...] = ()


class ExpandInput(Protocol):
    """What both forms can tell."""

    def outputs(self) -> Iterator[XComArg]:
        """Yield the outputs whose lengths decide how many indexes there are."""

    def all_outputs(self) -> Iterator[XComArg]:
        """Yield every output that is needed, those inside of single elements included."""

    def lengths(self) -> tuple[Length, ...]:
        """Return the lengths; their product is the number of indexes."""

    def resolve(self, context: Context) -> Arguments:
        """Return the arguments of the index that runs."""


class ValueLists:
    """``expand(x=..., y=...)``: several values for each argument, and every combination of them."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def outputs(self) -> Iterator[XComArg]:
        """Yield the outputs that are expanded over."""
        for value in self._values.values():
            if isinstance(value, XComArg):
                yield from value.plain()

    def all_outputs(self) -> Iterator[XComArg]:
        """Yield the outputs anywhere in the values."""
        return find_outputs(self._values)

    def lengths(self) -> tuple[Length, ...]:
        """Return one length for each argument."""
        return tuple(_length(value) for value in self._values.values())

    def resolve(self, context: Context) -> Arguments:
        """Return one value for each argument.

        Raises:
            TypeError: a task returned something that has no elements.
        """
        index = _map_index(context)
        chosen: dict[str, Any] = {}
        given = []
        first = next(iter(self._values))
        for name, value in reversed(self._values.items()):
            known = value.resolve(context) if isinstance(value, XComArg) else value
            if isinstance(known, str) or not isinstance(known, Sequence | Mapping):
                raise TypeError(f"Cannot expand {name} over {_described(known)}: a list or a dict is needed.")
            if name == first:
                chosen[name] = _last_choice(known, index)
            else:
                index, place = divmod(index, len(known))
                chosen[name] = element(known, place)
            if isinstance(value, XComArg):
                given.append(chosen[name])
        return Arguments({name: chosen[name] for name in self._values}, tuple(given))


def _last_choice(values: Sequence[Any] | Mapping[Any, Any], index: int) -> Any:
    """Return the element for what is left of the index. Within its range the length need not be asked for.

    It is out of range only in a group that is expanded inside of an expanded group, where indexes run over both.
    """
    try:
        return element(values, index)
    except IndexError:
        if index < len(values) or not values:  # the function of a map() raised it; or there is nothing
            raise
        return element(values, index % len(values))


class ArgumentDicts:
    """``expand_kwargs(...)``: one dict of arguments for each index."""

    def __init__(self, dicts: Any) -> None:
        self._dicts = dicts

    def outputs(self) -> Iterator[XComArg]:
        """Yield the output that is expanded over; none when the dicts stand in a list."""
        if isinstance(self._dicts, XComArg):
            yield from self._dicts.plain()

    def all_outputs(self) -> Iterator[XComArg]:
        """Yield the outputs anywhere in the dicts."""
        return find_outputs(self._dicts)

    def lengths(self) -> tuple[Length, ...]:
        """Return the one length."""
        return (_length(self._dicts),)

    def resolve(self, context: Context) -> Arguments:
        """Return the dict of the index.

        Raises:
            ValueError: it is no dict with text keys.
        """
        index = _map_index(context)
        dicts = self._dicts.resolve(context) if isinstance(self._dicts, XComArg) else self._dicts
        if isinstance(dicts, str) or not isinstance(dicts, Sequence):
            raise ValueError(f"expand_kwargs() needs a list of dicts, not {_described(dicts)}.")
        found = _last_choice(dicts, index)
        if isinstance(found, XComArg):
            found = found.resolve(context)
        if not isinstance(found, Mapping):
            raise ValueError(f"expand_kwargs() needs a list of dicts, not a list with {_described(found)} in it.")
        for key in found:
            if not isinstance(key, str):
                raise ValueError(f"expand_kwargs() needs dicts with text keys, not {key!r} ({type(key).__name__}).")
        return Arguments(found)


class MappedArgument(Reference):
    """What stands for an argument of an expanded group while its tasks are made: the value of the index that runs."""

    def __init__(self, expand_input: ExpandInput, key: str) -> None:
        self._input, self._key = expand_input, key

    def plain(self) -> Iterator[XComArg]:
        """Yield the outputs that the group is expanded over: a task that uses the argument waits for them all."""
        yield from self._input.outputs()

    def resolve(self, context: Context) -> Any:
        """Return the value.

        Raises:
            KeyError: the dict of this index has no such argument.
        """
        values = self._input.resolve(context).values
        if self._key not in values:
            raise KeyError(
                f"{self._key}: the dict that expand_kwargs() has for map index {_map_index(context)} gives no value "
                f"for it. It has {', '.join(map(repr, values)) or 'nothing'}. Defaults of the group's function do not "
                "count here."
            )
        return values[self._key]

    def __getitem__(self, key: Any) -> NoReturn:
        raise TypeError(self._unknown("indexed"))

    def __iter__(self) -> NoReturn:
        raise TypeError(self._unknown("iterated over"))

    def __repr__(self) -> str:
        return f"MappedArgument({self._key!r})"

    def _unknown(self, done: str) -> str:
        return (
            f"The argument {self._key!r} of an expanded group cannot be {done} in the DAG file: each index has a "
            "value of its own, known only when it runs. Hand it to a task and do it there."
        )


def _map_index(context: Context) -> int:
    index: int = context["ti"].map_index
    if index < 0:
        raise RuntimeError("The value of a mapped argument exists only in an index of the mapped task.")
    return index


def _length(value: Any) -> Length:
    if isinstance(value, XComArg):
        return value.length()
    # Late: msgspec is not needed to import a DAG file.
    from tradewind.model.spec import FixedLength

    return FixedLength(len(value))


def _described(value: Any) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"
