"""What may a run be told when it is started? ``Param``: a default and a JSON schema; ``ParamsDict``: params by name."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Final

from tradewind.errors import did_you_mean
from tradewind.sdk.exceptions import ParamValidationError

if TYPE_CHECKING:
    from tradewind.sdk.context import Context


class _NoDefault:
    """Stands for the absence of a default, since None is one."""

    def __repr__(self) -> str:
        return "<no default>"


NO_DEFAULT: Final = _NoDefault()


class Param:
    """One run parameter: ``Param(5, type="integer", minimum=1, description="how many")``.

    Args:
        default: the value when a run gives none; left out, each run must give one.
        description: shown beside the field of the trigger form.
        schema: JSON schema (draft 2020-12) as keywords, or as ``schema={...}``.
    """

    def __init__(
        self, default: Any = NO_DEFAULT, description: str | None = None, source: str | None = None, **schema: Any
    ) -> None:
        given = schema.pop("schema", None)
        self.value = default
        self.description = description
        self.source = source
        self.schema: dict[str, Any] = dict(given) if given is not None else schema

    @property
    def has_value(self) -> bool:
        """Whether there is a default that is not None and fits, as Airflow understands it."""
        return self.value is not NO_DEFAULT and self.value is not None

    @property
    def has_default(self) -> bool:
        """Whether a default was given, None included."""
        return self.value is not NO_DEFAULT

    def resolve(self, value: Any = NO_DEFAULT, suppress_exception: bool = False, *, name: str = "param") -> Any:
        """Return ``value``, or the default when it is left out, once it is found to fit the schema.

        Raises:
            ParamValidationError: nothing is given, or it does not fit.
        """
        chosen = self.value if value is NO_DEFAULT else value
        if chosen is NO_DEFAULT:
            if suppress_exception:
                return None
            raise ParamValidationError(
                f"Param {name!r} has no default and was given no value. Pass it in the run's conf."
            )
        try:
            validate(name, chosen, self.schema)
        except ParamValidationError:
            if suppress_exception:
                return None
            raise
        return chosen

    def dump(self) -> dict[str, Any]:
        """Return default, schema and description as plain data."""
        return {
            "value": None if self.value is NO_DEFAULT else self.value,
            "schema": self.schema,
            "description": self.description,
        }

    def __copy__(self) -> Param:
        return Param(self.value, self.description, self.source, schema=dict(self.schema))

    def __repr__(self) -> str:
        return f"Param({self.value!r})"


def validate(name: str, value: Any, schema: Mapping[str, Any]) -> None:
    """Check ``value`` against a JSON schema.

    Raises:
        ParamValidationError: it does not fit, is not JSON, or the schema itself is wrong.
    """
    # Late: jsonschema is heavy, and most DAG files have no params.
    from tradewind.sdk.param_schema import check

    check(name, value, schema)


class ParamsDict(MutableMapping[str, Any]):
    """Params by name. Reading a name gives its value; a plain value that is written becomes a :class:`Param`."""

    def __init__(self, given: Mapping[str, Any] | None = None, suppress_exception: bool = False) -> None:
        self._params: dict[str, Param] = {}
        self.suppress_exception = suppress_exception
        declared = given.declared() if isinstance(given, ParamsDict) else given or {}
        for name, value in declared.items():
            self.declare(name, value)

    def declare(self, name: str, value: Any) -> None:
        """Add or replace a param: a :class:`Param`, or a plain value that becomes its default."""
        if not isinstance(name, str):
            raise ParamValidationError(f"The name of a param must be a text, not {name!r} ({type(name).__name__}).")
        self._params[name] = copy.copy(value) if isinstance(value, Param) else Param(value)

    def declared(self) -> dict[str, Param]:
        """Return the params themselves, without their values being checked."""
        return dict(self._params)

    def get_param(self, name: str) -> Param:
        """Return one param itself."""
        return self._params[name]

    def __getitem__(self, name: str) -> Any:
        if name not in self._params:
            raise KeyError(f"There is no param {name!r}.{did_you_mean(name, self._params)}")
        return self._params[name].resolve(suppress_exception=self.suppress_exception, name=name)

    def __setitem__(self, name: str, value: Any) -> None:
        known = self._params.get(name)
        if isinstance(value, Param) or known is None:
            self.declare(name, value)
        else:
            known.value = known.resolve(value, name=name)

    def __delitem__(self, name: str) -> None:
        del self._params[name]

    def __contains__(self, name: object) -> bool:
        return name in self._params

    def __iter__(self) -> Iterator[str]:
        return iter(self._params)

    def __len__(self) -> int:
        return len(self._params)

    def __copy__(self) -> ParamsDict:
        return ParamsDict(self, self.suppress_exception)

    def __repr__(self) -> str:
        return repr({name: None if param.value is NO_DEFAULT else param.value for name, param in self._params.items()})

    def dump(self) -> dict[str, Any]:
        """Return the values, each checked."""
        return {name: self[name] for name in self._params}

    def validate(self) -> dict[str, Any]:
        """Return the values, each checked; the same as :meth:`dump`."""
        return self.dump()

    def resolved_with(self, conf: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of one run: defaults, with ``conf`` over them; each checked against its schema.

        A key of ``conf`` that is no param is passed through, as in Airflow.

        Raises:
            ParamValidationError: a value does not fit, or one without a default is not given.
        """
        values = {name: param.resolve(conf.get(name, NO_DEFAULT), name=name) for name, param in self._params.items()}
        return {**values, **{name: value for name, value in conf.items() if name not in values}}


class DagParam:
    """The value of a param in the run to come: an argument of a task, resolved when the task runs."""

    def __init__(self, name: str) -> None:
        self.name = name

    def resolve(self, context: Context) -> Any:
        """Return the value in the run of ``context``."""
        return context["params"][self.name]

    def __str__(self) -> str:
        return f"{{{{ params[{self.name!r}] }}}}"

    def __repr__(self) -> str:
        return f"DagParam({self.name!r})"
