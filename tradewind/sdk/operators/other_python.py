"""How is a function called by another Python than the task's? Its source is written to a script, which is run.

The function sees nothing of its file: it imports what it needs itself. Arguments and result are pickled; what the other
Python writes goes to the log of the task.
"""

from __future__ import annotations

import ast
import inspect
import os
import textwrap
import types
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tradewind.sdk import arguments
from tradewind.sdk.context_values import Context
from tradewind.sdk.exceptions import AirflowException, AirflowSkipException, DagArgumentError
from tradewind.sdk.hooks.subprocess import SubprocessHook
from tradewind.sdk.operators.python import PythonOperator
from tradewind.sdk.signatures import signature_of

if TYPE_CHECKING:
    from tradewind.sdk.context import Context as AnyContext

SERIALIZERS: Final = ("pickle", "cloudpickle", "dill")

PLAIN_NAMES: Final = frozenset(
    {
        "ds", "ds_nodash", "expanded_ti_count", "inlets", "outlets", "params", "partition_key", "run_id",
        "task_instance_key_str", "task_reschedule_count", "templates_dict", "ts", "ts_nodash", "ts_nodash_with_tz",
    }
)  # fmt: skip
"""Entries of the context that any Python can read."""

INSTANTS: Final = frozenset(
    {
        "data_interval_end", "data_interval_start", "logical_date", "partition_date", "prev_data_interval_end_success",
        "prev_data_interval_start_success", "prev_end_date_success", "prev_start_date_success",
    }
)  # fmt: skip
"""Entries that are pendulum's."""

_SCRIPT: Final = """\
import sys
import types

import {pickler} as _pickler

{source}

_module = types.ModuleType({module!r})
_module.{name} = {name}
sys.modules[{module!r}] = _module

with open(sys.argv[1], "rb") as _file:
    _given = _pickler.load(_file)
with open(sys.argv[3]) as _file:
    virtualenv_string_args = [_line.strip() for _line in _file]

try:
    _result = {name}(*_given["args"], **_given["kwargs"])
except Exception as _error:
    with open(sys.argv[4], "w") as _file:
        _file.write("{{}}: {{}}".format(type(_error).__name__, _error))
    raise
if _result is not None:
    with open(sys.argv[2], "wb") as _file:
        _pickler.dump(_result, _file)
"""


class OtherPythonOperator(PythonOperator):
    """Base of the operators that call a function by another Python. Subclasses give :meth:`call_with_python`.

    Args:
        python_callable: a function of the file, by ``def``; it may use nothing from outside of itself.
        serializer: ``pickle``, or ``cloudpickle`` or ``dill``, which both Pythons must have then.
        string_args: texts that the function finds in the global ``virtualenv_string_args``.
        expect_airflow: taken for Airflow's sake; the other Python needs neither Airflow nor Tradewind.
        skip_on_exit_code: exit code, or several, that mean ``skipped``.
        env_vars: further variables of its environment; ``inherit_env=False``: nothing else is in it.
    """

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        serializer: str | None = None,
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        string_args: Iterable[str] | None = None,
        expect_airflow: bool = True,
        skip_on_exit_code: int | Container[int] | None = None,
        env_vars: dict[str, str] | None = None,
        inherit_env: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(python_callable=python_callable, op_args=op_args, op_kwargs=op_kwargs, **kwargs)
        if not isinstance(python_callable, types.FunctionType) or python_callable.__name__ == "<lambda>":
            raise arguments.wrong(
                self.who, "python_callable", python_callable, "a function made by def, whose source can be taken along"
            )
        if inspect.isgeneratorfunction(python_callable) or inspect.iscoroutinefunction(python_callable):
            raise DagArgumentError(
                f"{self.who}: {python_callable.__name__} is a generator or a coroutine, which another Python cannot "
                "hand back. Give a plain function."
            )
        self.serializer: str = arguments.one_of(SERIALIZERS)(self.who, "serializer", serializer or "pickle")
        self.string_args = list(string_args or ())
        self.expect_airflow = expect_airflow
        self.skip_on_exit_code = _codes(skip_on_exit_code)
        self.env_vars = env_vars
        self.inherit_env = inherit_env
        self._hook: SubprocessHook | None = None

    def call_with_python(self, call: Callable[[Path], Any]) -> Any:
        """Call ``call`` with the interpreter, and return what it returns. For subclasses.

        Raises:
            AirflowException: there is no interpreter.
        """
        raise NotImplementedError

    def has_pendulum(self) -> bool:
        """Return whether the other Python can read pendulum's instants. For subclasses."""
        raise NotImplementedError

    def execute(self, context: AnyContext) -> Any:
        """Call the function by the other Python, and return what it returns."""
        full = Context.of(context).with_extra({**self.op_kwargs, "templates_dict": self.templates_dict})
        given = {"args": list(self.op_args), "kwargs": self._keyword_arguments(full)}
        result = self.call_with_python(lambda python: self._call(python, given))
        if self.show_return_value_in_logs:
            self.log.info("Done. Returned value was: %s", result)
        else:
            self.log.info("Done. Returned value not shown")
        return result

    def on_kill(self) -> None:
        """End the other Python and all that it started."""
        if self._hook is not None:
            self._hook.send_sigterm()

    def run(self, command: Sequence[str], env: Mapping[str, str]) -> int:
        """Run a command, its output going to the log; return its exit code."""
        self._hook = SubprocessHook()
        return self._hook.run_command(command, dict(env), cwd=os.getcwd()).exit_code

    # --- arguments ---------------------------------------------------------------------------------------------------

    def _keyword_arguments(self, context: Context) -> dict[str, Any]:
        """Return what the function asks of the context, as far as it can be handed over, and the given arguments."""
        parameters = list(signature_of(self.python_callable).parameters.values())
        taken = {p.name for p in parameters[: len(self.op_args)]}
        known = PLAIN_NAMES | INSTANTS if self.has_pendulum() else PLAIN_NAMES
        if any(p.kind is p.VAR_KEYWORD for p in parameters):
            asked = set(known) & set(context.names())
        else:
            asked = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)} - taken
            asked = {name for name in asked & set(context.names()) if name not in self.op_kwargs}
            needed = {p.name for p in parameters if p.default is p.empty}
            refused = sorted((asked - known) & needed)
            if refused:
                mend = "Install pendulum there. " if refused[0] in INSTANTS else ""
                raise DagArgumentError(
                    f"{self.who}: the function asks for {refused[0]!r}, which cannot be handed to another Python. "
                    f"{mend}It can have {', '.join(sorted(known))}, and what op_kwargs and templates give it."
                )
            asked &= known
        found = {name: _plain(context[name]) for name in asked if name not in taken}
        return {**found, **{name: _plain(value) for name, value in self.op_kwargs.items()}}

    def _pickled(self, given: Mapping[str, Any]) -> bytes:
        pickler = self._pickler()
        try:
            return bytes(pickler.dumps(given))
        except Exception as error:
            for name, value in [*enumerate(given["args"]), *given["kwargs"].items()]:
                try:
                    pickler.dumps(value)
                except Exception as own:
                    raise AirflowException(
                        f"{self.who}: the argument {name!r} ({type(value).__name__}) cannot be handed to another "
                        f"Python: {own}. Give plain values, e.g. a text instead of an object."
                    ) from None
            raise AirflowException(f"{self.who}: the arguments cannot be pickled: {error}.") from error

    def _pickler(self) -> Any:
        try:
            return import_module(self.serializer)
        except ModuleNotFoundError:
            raise AirflowException(
                f"{self.who}: serializer={self.serializer!r}, which is not installed here. "
                f"Install it: pip install {self.serializer}"
            ) from None

    # --- the call ----------------------------------------------------------------------------------------------------

    def _call(self, python: Path, given: Mapping[str, Any]) -> Any:
        # Late: a DAG file that only names the operator should not pay for it.
        import tempfile

        with tempfile.TemporaryDirectory(prefix="tradewind-call-") as name:
            folder = Path(name)
            script, *parts = (folder / part for part in ("script.py", "in", "out", "texts", "error"))
            arguments_in, result, texts, error = parts
            script.write_text(self.script(), encoding="utf-8")
            arguments_in.write_bytes(self._pickled(given))
            texts.write_text("\n".join(map(str, self.string_args)))
            code = self.run([str(python), str(script), *map(str, parts)], self._environment())
            if code in self.skip_on_exit_code:
                raise AirflowSkipException(f"Process exited with code {code}. Skipping.")
            if code != 0:
                said = error.read_text() if error.exists() else "its output is in the log above"
                raise AirflowException(f"{self.who}: the other Python ended with exit code {code}: {said}")
            return self._result(result)

    def _result(self, path: Path) -> Any:
        if not path.exists():
            return None
        try:
            return self._pickler().loads(path.read_bytes())
        except Exception as error:
            raise AirflowException(
                f"{self.who}: what the function returned cannot be read here: {type(error).__name__}: {error}. Return "
                "plain values: texts, numbers, lists, dicts."
            ) from error

    def _environment(self) -> dict[str, str]:
        env = dict(os.environ) if self.inherit_env else {}
        env.update({name: str(value) for name, value in (self.env_vars or {}).items()})
        folder = self.dag.folder if self.dag is not None else None
        if folder:  # so that modules beside the DAG file can be imported, as in the task itself
            env["PYTHONPATH"] = os.pathsep.join(filter(None, [env.get("PYTHONPATH"), folder]))
        return env

    def script(self) -> str:
        """Return what the other Python runs."""
        return _SCRIPT.format(
            pickler=self.serializer,
            source=self.get_python_source(),
            name=self.python_callable.__name__,
            module=self.python_callable.__module__,
        )

    def get_python_source(self) -> str:
        """Return the source of the function, without its decorators."""
        return plain_source(self.python_callable)


def plain_source(function: Callable[..., Any]) -> str:
    """Return the source of a function, without its decorators and indentation.

    Raises:
        AirflowException: it has no source, as when it was made by ``exec``.
    """
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError) as error:
        raise AirflowException(f"The source of {function.__name__}() cannot be found: {error}.") from None
    definition = ast.parse(source).body[0]
    lines = source.splitlines()
    return "\n".join(lines[definition.lineno - 1 :])


def _plain(value: Any) -> Any:
    """Return the params of a run as a dict, and sequences that are read when needed as lists."""
    if isinstance(value, Mapping) and not isinstance(value, dict):
        return dict(value)
    if type(value).__module__.startswith("tradewind."):
        return list(value) if isinstance(value, Iterable) else value
    return value


def _codes(value: int | Container[int] | None) -> Container[int]:
    if value is None:
        return ()
    return (value,) if isinstance(value, int) else value
