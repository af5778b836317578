"""How does a function become an asset? ``@asset``: a DAG of one task, the function, that updates the asset."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from tradewind.sdk import reach
from tradewind.sdk.assets.definitions import Asset, AssetAll, AssetWatcher, BaseAsset
from tradewind.sdk.assets.lookup import AssetFinder
from tradewind.sdk.context_values import Context
from tradewind.sdk.dag import DAG
from tradewind.sdk.exceptions import DagArgumentError
from tradewind.sdk.operators.python import PythonOperator, call
from tradewind.sdk.signatures import signature_of
from tradewind.sdk.taskflow import TaskFactory

_NOT_INLETS: Final = ("self", "context", "outlet_events")
"""Parameters of such a function that have a meaning of their own; the others are names of assets."""
_UNSET: Final = object()


class AssetTask(PythonOperator):
    """The task of an ``@asset`` function. Its parameters are assets by name, which are its inlets."""

    custom_operator_name = "@asset"

    def __init__(self, *, definition_name: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.definition_name = definition_name

    def execute(self, context: Context) -> Any:
        """Call the function with what its parameters name."""
        finder = AssetFinder(reach.channel(f"{self.who}"))
        parameters = signature_of(self.python_callable).parameters
        kwargs = {name: self._argument(name, one.default, context, finder) for name, one in parameters.items()}
        return call(self.python_callable, (), kwargs)

    def _argument(self, name: str, default: Any, context: Context, finder: AssetFinder) -> Any:
        if default is not inspect.Parameter.empty:
            return default
        if name == "context":
            return context
        if name == "outlet_events":
            return context["outlet_events"]
        return finder.find(name=self.definition_name if name == "self" else name)


class _DagMaker:
    """What ``@asset`` and ``@asset.multi`` share: the arguments of their DAG."""

    def __init__(self, *, schedule: Any = _UNSET, dag_id: str | None = None, **settings: Any) -> None:
        if schedule is _UNSET:
            raise DagArgumentError(f"{self} needs a schedule: write {self}(schedule=None) for none.")
        strange = settings.keys() - _SETTINGS
        if strange:
            raise DagArgumentError(f"{self} has no argument {min(strange)!r}. It has: {', '.join(sorted(_SETTINGS))}.")
        self.schedule, self.dag_id, self.settings = schedule, dag_id, settings

    def check(self, function: Callable[..., Any]) -> None:
        """Refuse a function that cannot be one."""
        if not callable(function) or not hasattr(function, "__qualname__"):
            raise DagArgumentError(f"{self} decorates a function, and got {function!r}.")
        if function.__name__ != function.__qualname__:
            raise DagArgumentError(
                f"{self} cannot decorate {function.__qualname__}: put the function at the top level."
            )

    def make(self, default_dag_id: str, function: Any, name: str, outlets: Sequence[BaseAsset]) -> None:
        """Make the DAG with its task."""
        dag_id = self.dag_id or default_dag_id
        settings = {"dag_display_name": dag_id, **{k: v for k, v in self.settings.items() if v is not None}}
        with DAG(dag_id, schedule=self.schedule, catchup=False, auto_register=True, **settings):
            if isinstance(function, TaskFactory):
                if "outlets" in function.settings:
                    raise DagArgumentError(f"{self} gives the outlets of its task: take outlets= out of @task.")
                function.override(outlets=list(outlets))()
                return
            AssetTask(
                task_id=function.__name__,
                inlets=[Asset.ref(name=inlet) for inlet in _inlets(str(self), function)],
                outlets=list(outlets),
                python_callable=function,
                definition_name=name,
            )

    def __str__(self) -> str:
        return "@asset"


_SETTINGS: Final = frozenset(
    [
        "access_control",
        "dag_display_name",
        "description",
        "is_paused_upon_creation",
        "on_failure_callback",
        "on_success_callback",
        "owner_links",
        "params",
        "tags",
    ]
)


def _inlets(who: str, function: Callable[..., Any]) -> Iterator[str]:
    for name, parameter in signature_of(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise DagArgumentError(f"{who} function {function.__name__}: *{name} cannot be an asset. Name each one.")
        if parameter.kind is parameter.POSITIONAL_ONLY and parameter.default is parameter.empty:
            raise DagArgumentError(f"{who} function {function.__name__}: {name!r} must not be positional-only.")
        if name not in _NOT_INLETS and parameter.default is parameter.empty:
            yield name


class asset(_DagMaker):
    """``@asset(schedule=...)`` over a function: an asset of its name, and a DAG that updates it by calling it.

    The function's parameters are other assets, by name; ``self`` is the asset itself, ``context`` the context.

    Args:
        schedule: of the DAG.
        name, uri, group, extra, watchers: of the asset; its name is that of the function unless given.
        dag_id: of the DAG, unless it is to be called like the asset.
        settings: further arguments of the DAG.
    """

    multi: ClassVar[type[_Multi]]

    def __init__(
        self,
        *,
        name: str | None = None,
        uri: Any = None,
        group: str = Asset.asset_type,
        extra: Mapping[str, Any] | None = None,
        watchers: Sequence[AssetWatcher] = (),
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.name, self.uri, self.group, self.extra, self.watchers = name, uri, group, extra, watchers

    def __call__(self, function: Callable[..., Any]) -> Asset:
        """Make the DAG, and return the asset."""
        self.check(function)
        name = self.name or function.__name__
        made = Asset(name, self.uri, group=self.group, extra=self.extra, watchers=self.watchers)
        self.make(made.name, function, made.name, [made])
        return made


class _Multi(_DagMaker):
    """``@asset.multi(schedule=..., outlets=[...])`` over a function: a DAG of one task that updates several assets."""

    def __init__(self, *, outlets: Collection[BaseAsset] = (), **settings: Any) -> None:
        super().__init__(**settings)
        self.outlets = list(outlets)

    def __call__(self, function: Callable[..., Any]) -> AssetAll:
        """Make the DAG, and return all its assets as one condition."""
        self.check(function)
        if not self.outlets:
            raise DagArgumentError("@asset.multi needs outlets: the assets that the function updates.")
        together = AssetAll(*self.outlets)
        self.make(function.__name__, function, function.__name__, self.outlets)
        return together

    def __str__(self) -> str:
        return "@asset.multi"


asset.multi = _Multi
