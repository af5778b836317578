"""What stands for an argument that was not given, where None means something?"""

from __future__ import annotations

from typing import Any, Final

from tradewind.sdk.task_instance import NOTSET as NOTSET

ArgNotSet = type(NOTSET)
"""The class of :data:`NOTSET`, for type hints and ``isinstance``."""


class SetDuringExecution(ArgNotSet):  # type: ignore[valid-type,misc]  # a class, named above
    """The class of :data:`SET_DURING_EXECUTION`."""

    def __repr__(self) -> str:
        return "DYNAMIC (set during execution)"


SET_DURING_EXECUTION: Final = SetDuringExecution()
"""Stands for an argument that a decorated function returns when the task runs."""


def is_arg_set(value: Any) -> bool:
    """Return whether an argument was given; None counts as given."""
    return not isinstance(value, ArgNotSet)
