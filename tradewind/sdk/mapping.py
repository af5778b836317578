"""What can be mapped over, and with which words? The checks that every form of ``expand`` and ``partial`` shares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from inspect import Parameter
from typing import TYPE_CHECKING, Any, Final

from tradewind.errors import did_you_mean
from tradewind.sdk.context_names import CONTEXT_NAMES
from tradewind.sdk.exceptions import DagArgumentError, NotSupportedYet
from tradewind.sdk.expand_input import MappedArgument
from tradewind.sdk.signatures import signature_of
from tradewind.sdk.xcom_arg import RETURN_VALUE, XComArg, find_outputs

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradewind.sdk.task_group import TaskGroup

ALWAYS: Final = "always"
_VALUES: Final = "a list, a tuple, a dict, or the output of a task"


def check_values(who: str, values: Mapping[str, Any]) -> None:
    """Refuse what ``expand`` cannot map over.

    Raises:
        DagArgumentError: nothing is given, or something that has no order or no length.
    """
    if not values:
        raise DagArgumentError(
            f"{who}.expand(): there are no arguments to expand over. Name at least one, as in .expand(x=[1, 2])."
        )
    for name, value in values.items():
        if not is_mappable(value):
            raise DagArgumentError(
                f"{who}.expand(): {name} must be {_VALUES}, not {_shown(value)} ({type(value).__name__}). "
                f"Put a single value into .partial({name}=...), or wrap it in a list."
            )
    check_keys(who, list(values.values()))


def is_mappable(value: Any) -> bool:
    """Return whether ``expand`` takes this value. Texts have a length, but nobody means their letters."""
    if isinstance(value, str | bytes | bytearray):
        return False
    return isinstance(value, MappedArgument | XComArg | Mapping | Sequence)


def check_dicts(who: str, dicts: Any) -> None:
    """Refuse what ``expand_kwargs`` cannot map over.

    Raises:
        DagArgumentError: it is neither a list of dicts (or outputs that are dicts) nor the output of a task.
    """
    is_list = isinstance(dicts, Sequence) and not isinstance(dicts, str | bytes)
    if is_list:
        for one in dicts:
            if not isinstance(one, XComArg | Mapping):
                raise DagArgumentError(
                    f"{who}.expand_kwargs(): each element of the list must be a dict of arguments, or the output of a "
                    f"task that returns one, not {_shown(one)} ({type(one).__name__})."
                )
    elif not isinstance(dicts, XComArg):
        raise DagArgumentError(
            f"{who}.expand_kwargs() needs a list of dicts, or the output of a task that returns one, not "
            f"{_shown(dicts)} ({type(dicts).__name__}). To map over one argument write .expand(name=[...])."
        )
    check_keys(who, dicts)


def check_keys(who: str, values: Any) -> None:
    """Refuse outputs under a key of their own: how many values they hold is not kept."""
    for output in find_outputs(values):
        if output.key != RETURN_VALUE:
            raise DagArgumentError(
                f"{who}: cannot map over the output {output.key!r} of task {output.operator.task_id!r}, since only "
                "the value that a task returns can be mapped over. Let a task return that value alone."
            )


def check_distinct(who: str, word: str, first: Iterable[str], second: Iterable[str]) -> None:
    """Refuse arguments that are given twice; ``word`` names the method that gives them again."""
    twice = sorted(set(first) & set(second))
    if twice:
        raise DagArgumentError(
            f"{who}.{word}(): {_names(twice)} {'is' if len(twice) == 1 else 'are'} given already, or cannot be mapped. "
            "Give each argument once: in partial() when it is the same for all, in expand() when it differs."
        )


def check_names(who: str, word: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Refuse arguments that nobody takes."""
    options = sorted(set(known))
    strange = sorted(set(names) - set(options))
    if strange:
        hints = "".join(did_you_mean(name, options) for name in strange)
        raise DagArgumentError(
            f"{who}.{word}() got {_names(strange)}, which it does not take.{hints} Correct the name or remove it."
        )


def check_function_names(function: Callable[..., Any], word: str, names: Iterable[str]) -> None:
    """Refuse arguments that ``function`` does not take."""
    parameters = signature_of(function).parameters.values()
    if not any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters):
        check_names(function.__name__, word, names, [parameter.name for parameter in parameters])


def check_no_context_names(who: str, word: str, names: Iterable[str]) -> None:
    """Refuse arguments that a task gets from its context."""
    taken = sorted(CONTEXT_NAMES & set(names))
    if taken:
        raise DagArgumentError(
            f"{who}.{word}(): {_names(taken)} comes from the context of the task, so it cannot be given. "
            "Rename the parameter."
        )


def check_place(who: str, group: TaskGroup | None) -> None:
    """Refuse to expand a task inside of a group that is expanded itself.

    Raises:
        NotSupportedYet: it stands in one; Airflow refuses it as well.
    """
    around = next(mapped_groups(group), None)
    if around is not None:
        raise NotSupportedYet(
            f"{who}: a task cannot be expanded inside the group {around.group_id!r}, which is expanded itself. "
            "Expand the group over all combinations, or loop inside the task."
        )


def mapped_groups(group: TaskGroup | None) -> Iterator[TaskGroup]:
    """Yield the expanded groups around what stands in ``group``, from the innermost out."""
    while group is not None:
        if group.expand_input is not None:
            yield group
        group = group.parent_group


def check_always(who: str, rule: str | None, values: Any) -> None:
    """Refuse the trigger rule ``always`` for what is expanded over outputs: it would not wait for them."""
    if rule == ALWAYS and any(True for _ in find_outputs(values)):
        raise DagArgumentError(
            f"{who}: trigger_rule 'always' does not wait for the tasks whose output is expanded over. "
            "Use another rule, e.g. 'all_done'."
        )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _names(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
