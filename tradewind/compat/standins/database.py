"""What stands for the metadata DB of Airflow? Names that may be imported, as in Airflow, and refuse to be used.

A DAG file that imports ``Session`` or ``DagModel`` and never uses it works there, so it does here. Whoever opens a
session in a task gets an error that says what to use instead.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast

MEND = (
    "A task cannot reach the metadata DB. Use the REST API (/api/v2), `ti.xcom_pull`, Variable, Connection, "
    "or `ti.get_dagrun_state` and its kin."
)
Function = TypeVar("Function", bound=Callable[..., Any])


class NoDatabaseError(RuntimeError):
    """A task tried to reach the metadata DB. A ``RuntimeError``, as in Airflow."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what} was used. {MEND}")

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.what,))


class _Refusing(type):
    """Of classes that may be named and refuse everything else."""

    def __call__(cls, *_: Any, **__: Any) -> NoReturn:
        raise NoDatabaseError(cls.__name__)

    def __getattr__(cls, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NoDatabaseError(f"{cls.__name__}.{name}")


def _table(name: str) -> Any:
    return _Refusing(name, (), {"__doc__": "A table of Airflow's metadata DB; cannot be used.", "__module__": __name__})


Session = _table("Session")
NonScopedSession = _table("NonScopedSession")
AsyncSession = _table("AsyncSession")
engine = async_engine = None
"""There is none, as in a task of Airflow."""
NEW_SESSION: Any = None
"""The default of a parameter called ``session``."""
ID_LEN = 250
XCOM_RETURN_KEY = "return_value"


def create_session(*_: Any, **__: Any) -> NoReturn:
    """Refuse.

    Raises:
        NoDatabaseError: always.
    """
    raise NoDatabaseError("create_session()")


create_session_async = create_session


def provide_session(func: Function) -> Function:
    """Return ``func`` so that it refuses to be called unless it is given a session: there is none to provide."""
    from tradewind.sdk.signatures import signature_of

    if "session" not in signature_of(func).parameters:
        raise ValueError(f"Function {func.__qualname__} has no `session` argument. Give it one, or drop the decorator.")

    @functools.wraps(func)
    def with_session(*args: Any, **kwargs: Any) -> Any:
        bound = signature_of(func).bind_partial(*args, **kwargs).arguments
        if bound.get("session") is None:
            raise NoDatabaseError(f"{func.__qualname__}(), which @provide_session gives a session,")
        return func(*args, **kwargs)

    return cast(Function, with_session)


def retry_db_transaction(_func: Any = None, **_: Any) -> Any:
    """Return the function as it is."""
    return _func if _func is not None else lambda func: func


def clear_task_instances(*_: Any, **__: Any) -> NoReturn:
    """Refuse.

    Raises:
        NoDatabaseError: always.
    """
    raise NoDatabaseError("clear_task_instances()")


def expand_alias_to_assets(*_: Any, **__: Any) -> NoReturn:
    """Refuse.

    Raises:
        NoDatabaseError: always.
    """
    raise NoDatabaseError("expand_alias_to_assets()")


def __getattr__(name: str) -> Any:
    """Return a table by its name; any name of a class will do."""
    if not name[:1].isupper():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = _table(name)
    return found
