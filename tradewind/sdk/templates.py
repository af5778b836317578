"""How do template fields become values? Jinja2, by Airflow's rules: files by ending, nested values, native objects."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import jinja2
import jinja2.nativetypes
import jinja2.sandbox

from tradewind.sdk.exceptions import AirflowException
from tradewind.sdk.literals import Literal
from tradewind.sdk.params import DagParam
from tradewind.sdk.template_filters import FILTERS
from tradewind.sdk.xcom_arg import Reference

if TYPE_CHECKING:
    from tradewind.sdk.context import Context
    from tradewind.sdk.dag import DAG
    from tradewind.sdk.notifier import BaseNotifier
    from tradewind.sdk.operator import BaseOperator


class _Sandbox(jinja2.sandbox.SandboxedEnvironment):
    """Lets templates read attributes that begin with ``_``; only the interpreter's own insides stay closed."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return not jinja2.sandbox.is_internal_attribute(obj, attr)


class _NativeSandbox(jinja2.nativetypes.NativeEnvironment, _Sandbox):
    """The same, where a template gives Python objects instead of text."""


def environment_of(dag: DAG, *, native: bool) -> jinja2.Environment:
    """Return the Jinja environment of a DAG: its search path, macros, filters and settings."""
    settings: dict[str, Any] = {
        "loader": jinja2.FileSystemLoader([dag.folder, *dag.template_searchpath]),
        "undefined": dag.template_undefined or jinja2.StrictUndefined,
        "extensions": ["jinja2.ext.do"],
        "cache_size": 0,
        **dag.jinja_environment_kwargs,
    }
    environment = _NativeSandbox(**settings) if native else _Sandbox(**settings)
    environment.globals.update(dag.user_defined_macros)
    environment.filters.update(FILTERS)
    environment.filters.update(dag.user_defined_filters)
    return environment


def environment_for(task: BaseOperator | BaseNotifier, dag: DAG) -> jinja2.Environment:
    """Return the Jinja environment of a task or notifier in a DAG."""
    return environment_of(dag, native=_is_native(task, dag))


def _is_native(task: BaseOperator | BaseNotifier, dag: DAG) -> bool:
    own = task.render_template_as_native_obj
    return dag.render_template_as_native_obj if own is None else own


_MAY_CHANGE: Final = re.compile(r"[{\r\n]")
"""What Jinja changes with the settings of Airflow: braces, and line ends. A text without them spares an environment."""


class Renderer:
    """Renders the fields of one task or notifier in one context.

    The environment is made when the first template needs it, unless one is given.
    """

    def __init__(
        self, task: BaseOperator | BaseNotifier, context: Context, environment: jinja2.Environment | None = None
    ) -> None:
        self._task, self._context = task, context
        self._made = environment
        dag: DAG = context["dag"]
        self._is_native = _is_native(task, dag)
        self._endings = tuple(task.template_ext)
        self._read: set[str] = set()  # fields whose text came from a file already
        self._reads_files = True
        self._given = getattr(task, "given_values", ())  # values of other tasks: what stands in them is no template
        self._is_plain = not self._is_native and not dag.jinja_environment_kwargs

    @property
    def _environment(self) -> jinja2.Environment:
        if self._made is None:
            self._made = environment_of(self._context["dag"], native=self._is_native)
        return self._made

    def read_files(self) -> None:
        """Put the text of a template file in place of each field that names one by its ending.

        Files named deeper inside a field are read when it is rendered.
        """
        for field in self._task.template_fields if self._endings else ():
            value = getattr(self._task, field, None)
            if self._is_file(value):
                setattr(self._task, field, self._source(value))
                self._read.add(field)
            elif isinstance(value, list) and any(map(self._is_file, value)):
                setattr(self._task, field, [self._source(one) if self._is_file(one) else one for one in value])
                self._read.add(field)
        self._task.prepare_template()

    def _is_file(self, value: Any) -> TypeGuard[str]:
        return bool(self._endings) and isinstance(value, str) and value.endswith(self._endings)

    def _source(self, name: str) -> str:
        loader = self._environment.loader
        assert loader is not None
        try:
            return loader.get_source(self._environment, name)[0]
        except jinja2.TemplateNotFound:
            dag: DAG = self._context["dag"]
            raise AirflowException(
                f"Template file {name!r} of {self._task.who} was not found in "
                f"{', '.join([dag.folder, *dag.template_searchpath])}. "
                "Correct the path, or add its folder to template_searchpath of the DAG."
            ) from None

    def render_fields(self) -> None:
        """Set each template field of the task to its rendered value."""
        for field in self._task.template_fields:
            value = getattr(self._task, field, None)
            if value is None:
                continue
            self._reads_files = field not in self._read
            try:
                if callable(value):  # as in Airflow: a function gives the value of the whole field
                    rendered = value(context=self._context, jinja_env=self._environment)
                else:
                    rendered = self.render_value(value)
                setattr(self._task, field, rendered)
            except jinja2.TemplateError as error:
                raise _explained(error, self._task, field) from error
            finally:
                self._reads_files = True

    def render_value(self, value: Any, seen: frozenset[int] = frozenset()) -> Any:
        """Return ``value`` with every template inside it rendered and every promise kept."""
        if self._given and any(value is given for given in self._given):
            return value
        if isinstance(value, str):
            return self._render_text(value)
        if isinstance(value, Literal):
            return value.value
        if isinstance(value, Reference | DagParam):
            found = value.resolve(self._context)
            return found.resolve(self._context) if isinstance(found, Reference) else found
        kind = type(value)
        if kind is tuple:
            return tuple(self.render_value(one, seen) for one in value)
        if isinstance(value, tuple) and hasattr(value, "_fields"):  # a named tuple
            return kind(*(self.render_value(one, seen) for one in value))
        if isinstance(value, list):
            return [self.render_value(one, seen) for one in value]
        if isinstance(value, dict):
            return {key: self.render_value(one, seen) for key, one in value.items()}
        if isinstance(value, set):
            return {self.render_value(one, seen) for one in value}
        return self._render_object(value, seen)

    def _render_text(self, text: str) -> Any:
        if self._reads_files and self._is_file(text):
            text = self._source(text)
        if self._is_plain and not _MAY_CHANGE.search(text):
            return text
        # Jinja copies the names it is given, so those that ask the metadata DB are worked out only when written here.
        for name in self._context.unasked():
            if name in text:
                self._context[name]
        rendered: Any = self._environment.from_string(text).render(self._context.worked_out())
        return "" if rendered is None and not text else rendered  # of no nodes Jinja makes None, not a text

    def _render_object(self, value: Any, seen: frozenset[int]) -> Any:
        fields = getattr(value, "template_fields", None)
        if not fields or isinstance(value, type) or id(value) in seen:
            return value
        rendered = copy.copy(value)  # the original stays a template, for another try
        for field in fields:
            setattr(rendered, field, self.render_value(getattr(value, field, None), seen | {id(value)}))
        return rendered


def _explained(error: jinja2.TemplateError, task: BaseOperator | BaseNotifier, field: str) -> AirflowException:
    line = getattr(error, "lineno", None)
    where = f"{task.who}, field {field!r}" + (f", line {line}" if line else "")
    return AirflowException(
        f"{where}: the template cannot be rendered: {type(error).__name__}: {error}. Correct the template."
    )
