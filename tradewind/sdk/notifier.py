"""What tells somebody about a run or a task? ``BaseNotifier``: a callback with template fields, in Airflow's form.

A notifier is made once, in the DAG file, and called in a task process. Its fields are templates until then; they are
rendered anew from those templates at each call.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

    from tradewind.sdk.context import Context
    from tradewind.sdk.dag import DAG
    from tradewind.sdk.templates import Renderer


class BaseNotifier:
    """Base of notifiers. A subclass names its ``template_fields`` and writes ``notify``, ``async_notify``, or both.

    ``notifier(context)`` calls ``notify``; ``await Notifier(context=context)`` calls ``async_notify``.
    """

    template_fields: Sequence[str] = ()
    template_ext: Sequence[str] = ()
    render_template_as_native_obj: bool | None = None  # None: as the DAG does

    def __init__(self, context: Context | None = None) -> None:
        self.context: Any = {} if context is None else context

    @property
    def who(self) -> str:
        """What messages call it."""
        return f"notifier {type(self).__name__}"

    @property
    def log(self) -> logging.Logger:
        """The logger of this notifier; its lines go to the log of the attempt."""
        return logging.getLogger(f"airflow.task.{type(self).__module__}.{type(self).__name__}")

    # --- to be written by subclasses -----------------------------------------------------------------------------

    def notify(self, context: Context) -> None:
        """Tell it. The fields are rendered.

        Raises:
            NotImplementedError: this notifier can only be awaited.
        """
        raise NotImplementedError(f"{self.who} has no notify(). Write one, or use it in an AsyncCallback.")

    async def async_notify(self, context: Context) -> None:
        """Tell it, without blocking. The fields are rendered.

        Raises:
            NotImplementedError: this notifier cannot be awaited.
        """
        raise NotImplementedError(f"{self.who} has no async_notify(). Write one, or use it in a SyncCallback.")

    def prepare_template(self) -> None:
        """Change fields before they are rendered, if a subclass needs to."""

    # --- being called --------------------------------------------------------------------------------------------

    def __call__(self, *args: Any) -> None:
        """Render the fields and notify. What ``notify`` raises is logged and goes on to the caller."""
        if len(args) == 1:
            context = args[0]
        else:  # the form of Airflow 2 for missed SLAs
            names = ("dag", "task_list", "blocking_task_list", "blocking_tis")
            context = dict(zip(names, args, strict=False))
        self._make_ready(context)
        try:
            self.notify(context)
        except Exception as error:
            self.log.error("Failed to send notification (sync): %s", error)
            raise

    def __await__(self) -> Generator[Any, None, None]:
        self._make_ready(self.context)
        return self._awaited().__await__()

    async def _awaited(self) -> None:
        try:
            await self.async_notify(self.context)
        except Exception as error:
            self.log.error("Failed to send notification (async): %s", error)
            raise

    def _make_ready(self, context: Any) -> None:
        self._restore_templates()
        self._update_context(context)
        self.render_template_fields(context)

    def _restore_templates(self) -> None:
        """Put the templates back that an earlier call has rendered, unless somebody has set the field since."""
        kept: dict[str, tuple[Any, Any]] = self.__dict__.get("_templates", {})
        for field, (template, rendered) in kept.items():
            if getattr(self, field, None) is rendered:
                setattr(self, field, template)

    def _update_context(self, context: Any) -> Any:
        """Let templates speak of the other fields by their names."""
        if isinstance(context, MutableMapping):
            context.update({field: getattr(self, field) for field in self.template_fields})
        return context

    # --- rendering -----------------------------------------------------------------------------------------------

    def render_template_fields(self, context: Any, jinja_env: jinja2.Environment | None = None) -> None:
        """Set each template field to its rendered value."""
        before = {field: getattr(self, field) for field in self.template_fields}
        self._do_render_template_fields(self, self.template_fields, context, jinja_env, set())
        self._templates = {field: (value, getattr(self, field)) for field, value in before.items()}

    def render_template(
        self, content: Any, context: Any, jinja_env: jinja2.Environment | None = None, seen_oids: Any = None
    ) -> Any:
        """Return ``content`` with every template inside it rendered."""
        return self._renderer(context, jinja_env).render_value(content)

    def get_template_env(self, dag: DAG | None = None) -> jinja2.Environment:
        """Return the Jinja environment that templates are rendered in: that of the DAG, if there is one."""
        from tradewind.sdk.templates import environment_of

        return environment_of(_dag_or_none(dag), native=bool(self.render_template_as_native_obj))

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Any,
        jinja_env: jinja2.Environment | None,
        seen_oids: Any,
    ) -> None:
        """Render some fields of ``parent``. The name is Airflow's, since notifiers of providers call it."""
        renderer = self._renderer(context, jinja_env)
        for field in template_fields:
            value = getattr(parent, field, None)
            if value is not None:
                setattr(parent, field, renderer.render_value(value))

    def _renderer(self, context: Any, environment: jinja2.Environment | None) -> Renderer:
        # Late: only those who notify need Jinja2.
        from tradewind.sdk.context_values import Context
        from tradewind.sdk.templates import Renderer

        values = Context.of(context)
        if values.get("dag") is None:
            values = values.with_extra({"dag": _dag_or_none(None)})
        return Renderer(self, values, environment)


def _dag_or_none(dag: DAG | None) -> DAG:
    """Return ``dag``, or one with nothing of its own: the settings of templates are those of a DAG."""
    if dag is not None:
        return dag
    from tradewind.sdk.dag import DAG

    return DAG("no_dag")
