"""What stands for the output of a task before the task has run? ``XComArg``: a promise that templates can hold.

``map``, ``zip`` and ``concat`` make promises of promises; they are kept element by element (``mapped_values``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn

from tradewind.sdk.edges import Node
from tradewind.sdk.exceptions import DagArgumentError, XComNotFound
from tradewind.sdk.literals import Literal
from tradewind.sdk.mapped_values import NOT_GIVEN, ConcatenatedValues, MappedValues, Values, ZippedValues

if TYPE_CHECKING:
    from tradewind.model.spec import Length
    from tradewind.sdk.context import Context
    from tradewind.sdk.operator import BaseOperator

RETURN_VALUE: Final = "return_value"
"""The key under which the returned value of a task is kept."""


class Reference(ABC):
    """What stands for a value that is known only when a task runs."""

    @abstractmethod
    def plain(self) -> Iterator[XComArg]:
        """Yield the outputs that the value is made of; whoever uses it waits for their tasks."""

    @abstractmethod
    def resolve(self, context: Context) -> Any:
        """Return the value, in a task that runs."""


class XComArg(Reference, Node):
    """The output of ``operator`` under ``key``; an argument of another task, which then waits for it."""

    def __init__(self, operator: BaseOperator, key: str = RETURN_VALUE) -> None:
        self.operator = operator
        self.key = key

    @property
    def roots(self) -> Sequence[BaseOperator]:
        """The task whose output it is."""
        return (self.operator,)

    @property
    def leaves(self) -> Sequence[BaseOperator]:
        """The task whose output it is."""
        return (self.operator,)

    def __getitem__(self, key: str) -> XComArg:
        """Return the output under ``key``, for a task with ``multiple_outputs`` or one that pushes under that key."""
        if not isinstance(key, str):
            raise TypeError(
                f"The output of task {self.operator.task_id!r} is known only when it has run, so it takes a text as "
                f"key and no {type(key).__name__}. Index it inside the task that uses it."
            )
        return XComArg(self.operator, key)

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(
            f"The output of task {self.operator.task_id!r} cannot be iterated over in the DAG file: it is known only "
            "when the task has run. Hand it to a task and iterate there."
        )

    def __contains__(self, item: object) -> bool:
        raise TypeError(
            f"Whether the output of task {self.operator.task_id!r} holds {item!r} is known only at run time."
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, XComArg) and self.operator is other.operator and self.key == other.key

    def __hash__(self) -> int:
        return hash((id(self.operator), self.key))

    def __str__(self) -> str:
        """Return a template that pulls this output, so that it can stand inside a longer text."""
        who = f"task_ids={self.operator.task_id!r}, dag_id={self.operator.dag_id!r}"
        return f"{{{{ task_instance.xcom_pull({who}, key={self.key!r}) }}}}"

    def __repr__(self) -> str:
        key = "" if self.key == RETURN_VALUE else f"[{self.key!r}]"
        return f"XComArg({self.operator!r}){key}"

    # --- mapping -----------------------------------------------------------------------------------

    def plain(self) -> Iterator[XComArg]:
        """Yield itself."""
        yield self

    def length(self) -> Length:
        """Return how many values there will be to map over, as far as it can be said now."""
        # Late, here and below: msgspec is not needed to import a DAG file.
        from tradewind.model.spec import OutputLength

        return OutputLength(self.operator.task_id)

    def map(self, f: Callable[[Any], Any]) -> XComArg:
        """Return the output with ``f`` applied to each element, in the tasks that use it.

        An ``f`` that raises ``AirflowSkipException`` skips the index whose element it is.
        """
        self._check_mappable("map")
        if callable(getattr(f, "expand", None)):
            raise DagArgumentError(
                f"{self!r}.map() needs a plain function, not the @task function "
                f"{getattr(f, '__name__', f)!r}. Take off the decorator, or expand that task over the output."
            )
        return MapXComArg(self, (f,))

    def zip(self, *others: XComArg, fillvalue: Any = NOT_GIVEN) -> XComArg:
        """Return tuples of this output's elements and those of ``others`` at the same place.

        Args:
            fillvalue: stands for what shorter outputs lack; left out, the shortest output ends the list.
        """
        self._check_mappable("zip")
        return ZipXComArg(_outputs("zip", self, others), fillvalue)

    def concat(self, *others: XComArg) -> XComArg:
        """Return the elements of this output, then those of each of ``others``."""
        self._check_mappable("concat")
        return ConcatXComArg(_outputs("concat", self, others))

    def _check_mappable(self, word: str) -> None:
        if self.key != RETURN_VALUE:
            raise DagArgumentError(
                f"The output {self.key!r} of task {self.operator.task_id!r} cannot be used with {word}(): only the "
                "value that a task returns can be mapped over. Let a task return that value alone."
            )

    def as_setup(self) -> XComArg:
        """Mark the task as a setup."""
        self.operator.as_setup()
        return self

    def as_teardown(self, *, setups: Any = None, on_failure_fail_dagrun: bool | None = None) -> XComArg:
        """Mark the task as a teardown; see :meth:`BaseOperator.as_teardown`."""
        self.operator.as_teardown(setups=setups, on_failure_fail_dagrun=on_failure_fail_dagrun)
        return self

    def __enter__(self) -> Any:
        return self.operator.__enter__()

    def __exit__(self, *failure: Any) -> None:
        self.operator.__exit__(*failure)

    def resolve(self, context: Context) -> Any:
        """Return the value, in a task that runs.

        Of a mapped task it is a :class:`~tradewind.sdk.lazy_sequence.LazyXComSequence`. Of a task in the expanded group
        that the running task belongs to, it is what the same index left.

        Raises:
            XComNotFound: nothing was pushed under a key other than the return value's.
        """
        missing = object()
        ti = context["ti"]
        value = ti.output_of(self.operator, self.key, missing)
        if value is not missing:
            return value
        if self.key == RETURN_VALUE or self.operator.multiple_outputs:
            return None
        raise XComNotFound(ti.dag_id, self.operator.task_id, self.key)


class _DerivedXComArg(XComArg):
    """A promise made of others. It has no key, and belongs to no one task."""

    def __init__(self, parts: Sequence[XComArg]) -> None:
        self._parts = tuple(parts)

    def plain(self) -> Iterator[XComArg]:
        """Yield the plain outputs that it is made of."""
        for part in self._parts:
            yield from part.plain()

    @property
    def roots(self) -> Sequence[BaseOperator]:
        """The tasks whose outputs it is made of."""
        return [output.operator for output in self.plain()]

    @property
    def leaves(self) -> Sequence[BaseOperator]:
        """The tasks whose outputs it is made of."""
        return self.roots

    def __getitem__(self, key: str) -> NoReturn:
        raise TypeError(f"{self!r} cannot be indexed in the DAG file; index its elements inside the task that uses it.")

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(f"{self!r} cannot be iterated over in the DAG file. Hand it to a task and iterate there.")

    def __contains__(self, item: object) -> NoReturn:
        raise TypeError(f"Whether {self!r} holds {item!r} is known only at run time.")

    def _check_mappable(self, word: str) -> None:
        return

    def _known(self, context: Context, word: str) -> list[Values]:
        found = [part.resolve(context) for part in self._parts]
        for part, value in zip(self._parts, found, strict=True):
            if isinstance(value, str) or not isinstance(value, Sequence | Mapping):
                raise ValueError(f"{part!r}: {word}() needs a list or a dict, not {type(value).__name__}.")
        return found

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __str__(self) -> str:
        return repr(self)

    def __enter__(self) -> NoReturn:
        raise DagArgumentError(f"{self!r} is no task, so it cannot be used with `with`.")


class MapXComArg(_DerivedXComArg):
    """``output.map(f)``."""

    def __init__(self, part: XComArg, functions: tuple[Callable[[Any], Any], ...]) -> None:
        super().__init__([part])
        self._functions = functions

    def length(self) -> Length:
        """Return that of what is mapped: each element becomes one."""
        return self._parts[0].length()

    def resolve(self, context: Context) -> MappedValues:
        """Return the elements, worked out one by one."""
        return MappedValues(self._known(context, "map")[0], self._functions)

    def __repr__(self) -> str:
        return repr(self._parts[0]) + "".join(f".map({getattr(f, '__name__', f)})" for f in self._functions)


class ZipXComArg(_DerivedXComArg):
    """``output.zip(other, ...)``."""

    def __init__(self, parts: Sequence[XComArg], fill: Any) -> None:
        super().__init__(parts)
        self._fill = fill

    def length(self) -> Length:
        """Return the shortest or the longest of its parts."""
        from tradewind.model.spec import ZipLength

        return ZipLength(tuple(part.length() for part in self._parts), self._fill is not NOT_GIVEN)

    def resolve(self, context: Context) -> ZippedValues:
        """Return the tuples, worked out one by one."""
        return ZippedValues(self._known(context, "zip"), self._fill)

    def __repr__(self) -> str:
        return f"{self._parts[0]!r}.zip({', '.join(map(repr, self._parts[1:]))})"


class ConcatXComArg(_DerivedXComArg):
    """``output.concat(other, ...)``."""

    def length(self) -> Length:
        """Return the sum of its parts."""
        from tradewind.model.spec import ConcatLength

        return ConcatLength(tuple(part.length() for part in self._parts))

    def concat(self, *others: XComArg) -> XComArg:
        """Return these elements, then those of each of ``others``."""
        return ConcatXComArg([*self._parts, *_outputs("concat", self, others)[1:]])

    def resolve(self, context: Context) -> ConcatenatedValues:
        """Return all elements, worked out one by one."""
        return ConcatenatedValues(self._known(context, "concat"))

    def __repr__(self) -> str:
        return f"{self._parts[0]!r}.concat({', '.join(map(repr, self._parts[1:]))})"


def _outputs(word: str, first: XComArg, others: Sequence[Any]) -> list[XComArg]:
    for other in others:
        if not isinstance(other, XComArg):
            raise DagArgumentError(
                f"{first!r}.{word}() takes outputs of tasks, not {other!r} ({type(other).__name__}). "
                "Let a task return that value."
            )
        other._check_mappable(word)
    return [first, *others]


def find_outputs(value: Any, around: frozenset[int] = frozenset()) -> Iterator[XComArg]:
    """Yield every task output inside ``value``: in lists, tuples, sets, dicts, and template fields of plain objects.

    ``around`` holds what ``value`` stands inside of, so that a value that contains itself is no trap.
    """
    if isinstance(value, Reference):
        yield from value.plain()
    elif value is None or isinstance(value, str | bytes | int | float | Literal) or id(value) in around:
        return
    else:
        inside = around | {id(value)}
        for part in _parts(value):
            yield from find_outputs(part, inside)


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        yield from value.keys()
        yield from value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        yield from value
    elif not isinstance(value, Node | type):
        for field in getattr(value, "template_fields", ()) or ():
            yield getattr(value, field, None)
