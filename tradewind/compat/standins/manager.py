"""What stands for Airflow's providers manager? Hooks and dialects of the provider packages that are installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from tradewind.compat import providers
from tradewind.compat.tables.built_in import HOOKS
from tradewind.errors import did_you_mean
from tradewind.sdk.exceptions import AirflowException

if TYPE_CHECKING:
    from tradewind.sdk.connection import Connection


class HookInfo(NamedTuple):
    """The hook for a type of connection."""

    hook_class: type[Any]
    connection_id_attribute_name: str
    package_name: str
    hook_name: str
    connection_type: str
    connection_testable: bool
    dialects: tuple[str, ...] = ()


class DialectInfo(NamedTuple):
    """An SQL dialect."""

    name: str
    dialect_class_name: str
    provider_name: str


class ProviderInfo(NamedTuple):
    """An installed provider package."""

    version: str
    data: Mapping[str, Any]


class _Hooks(Mapping[str, "HookInfo | None"]):
    """Hooks by type of connection; each is imported when it is asked for."""

    def __getitem__(self, connection_type: str) -> HookInfo | None:
        path = providers.hook_paths()[connection_type]
        try:
            found = providers.load(path)
        except ImportError:  # a library of the provider is missing
            return None
        return HookInfo(
            found,
            getattr(found, "conn_name_attr", "conn_id"),
            "",
            getattr(found, "hook_name", found.__name__),
            connection_type,
            hasattr(found, "test_connection"),
        )

    def __iter__(self) -> Iterator[str]:
        return iter(providers.hook_paths())

    def __len__(self) -> int:
        return len(providers.hook_paths())


class ProvidersManager:
    """Says what the installed provider packages offer."""

    @cached_property
    def hooks(self) -> Mapping[str, HookInfo | None]:
        """The hook for each type of connection."""
        return _Hooks()

    @cached_property
    def dialects(self) -> Mapping[str, DialectInfo]:
        """The SQL dialects."""
        return {name: DialectInfo(name, path, "") for name, path in providers.dialect_paths().items()}

    @cached_property
    def providers(self) -> Mapping[str, ProviderInfo]:
        """The packages."""
        return {
            name: ProviderInfo(str((info.get("versions") or [""])[0]), info)
            for name, info in providers.provider_info().items()
        }

    @cached_property
    def taskflow_decorators(self) -> Mapping[str, Any]:
        """The functions behind ``@task.<name>``."""
        return {name: providers.load(path) for name, path in providers.decorator_paths().items()}

    def initialize_providers_hooks(self) -> None:
        """Nothing to prepare."""


ProvidersManagerTaskRuntime = ProvidersManager


def new_hook(connection: Connection, hook_params: Mapping[str, Any]) -> Any:
    """Return the hook for the type of a connection, of an installed provider package or of our own.

    Raises:
        AirflowException: there is none, or a library that it needs is not installed.
    """
    kind = connection.conn_type or ""
    path = providers.hook_paths().get(kind) or HOOKS.get(kind)
    if path is None:
        raise AirflowException(
            f"Connection {connection.conn_id!r} is of type {kind!r}, for which no installed package has a hook."
            f"{did_you_mean(kind, [*providers.hook_paths(), *HOOKS])} "
            f"Install one: pip install --no-deps apache-airflow-providers-{kind.replace('_', '-') or 'NAME'}"
        )
    try:
        found = providers.load(path)
    except ImportError as error:
        raise AirflowException(
            f"The hook {path} for connection {connection.conn_id!r} cannot be imported: {error}. "
            "Install what is missing."
        ) from error
    name = getattr(found, "conn_name_attr", "conn_id")
    return found(**{name: connection.conn_id, **hook_params})
