"""What holds the values of a running task's context? ``Context``: a dict, some of whose values come when asked for."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import TYPE_CHECKING, Any

from tradewind.sdk.context_names import CONTEXT_NAMES, LATER_NAMES

if TYPE_CHECKING:
    from tradewind.sdk.operator import BaseOperator


class Context(dict[str, Any]):
    """Values by name; a dict, as in Airflow. Some are worked out only when first asked for."""

    def __init__(self, values: Mapping[str, Any], lazy: Mapping[str, Callable[[], Any]] | None = None) -> None:
        super().__init__(values)
        self._lazy = dict(lazy or {})

    def work_out_later(self, lazy: Mapping[str, Callable[[], Any]]) -> None:
        """Take names whose values are worked out when they are first asked for."""
        self._lazy.update(lazy)

    def __missing__(self, name: str) -> Any:
        if name in self._lazy:
            self[name] = value = self._lazy.pop(name)()
            return value
        raise KeyError(_missing(name))

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._lazy

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value, or ``default`` when there is no such name."""
        return self[name] if name in self else default  # noqa: SIM401  this is get() itself

    # Whoever goes through it, or unpacks it, meets every name, as in Airflow; values are worked out when they are met.

    def __iter__(self) -> Iterator[str]:
        return iter([*super().__iter__(), *self._lazy])

    def __len__(self) -> int:
        return super().__len__() + len(self._lazy)

    def keys(self) -> KeysView[str]:  # type: ignore[override]  # typeshed wants dict's own view, which sees no lazy name
        """Return every name there is, worked out or not."""
        return KeysView(self)

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        """Return every name with its value."""
        return ItemsView(self)

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        """Return every value."""
        return ValuesView(self)

    def copy(self) -> Context:
        """Return a context of its own with the same values."""
        return self.with_extra({})

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Context:
        """Return ``values`` as a context: itself when it is one. Unit tests hand plain dicts to ``execute``."""
        return values if isinstance(values, Context) else cls(values)

    def names(self) -> frozenset[str]:
        """Return every name there is, worked out or not."""
        return frozenset(self)

    def unasked(self) -> list[str]:
        """Return the names whose values were not asked for yet."""
        return list(self._lazy)

    def everything(self) -> dict[str, Any]:
        """Return all values; those that would have to be asked of the metadata DB are worked out now."""
        return {name: self[name] for name in self}

    def worked_out(self) -> dict[str, Any]:
        """Return the values that are known by now."""
        return dict(super().items())

    def with_extra(self, values: Mapping[str, Any]) -> Context:
        """Return a copy with ``values`` over it."""
        return Context({**self.worked_out(), **values}, self._lazy)

    def render(self, task: BaseOperator, text: str) -> Any:
        """Return ``text`` rendered as a template of ``task``."""
        # Late: Jinja2 is needed only by tasks that have templates.
        from tradewind.sdk.templates import Renderer

        return Renderer(task, self).render_value(text)


def _missing(name: str) -> str:
    if name in LATER_NAMES:
        return f"{name} (it exists in Airflow and is not supported yet)"
    if name in CONTEXT_NAMES:
        return f"{name} (this run has no logical date, so it has no dates or intervals; use dag_run.run_after)"
    return name
