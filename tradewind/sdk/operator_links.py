"""Where else should people look? Links that an operator offers for its task instances, left as XComs as in Airflow."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, ClassVar, Final
from urllib.parse import quote

log: Final = logging.getLogger("airflow.task")


class BaseOperatorLink:
    """One link. Put instances into ``operator_extra_links`` of an operator class; subclasses give ``get_link``."""

    name: ClassVar[str] = ""
    operators: ClassVar[Sequence[type]] = ()

    @property
    def xcom_key(self) -> str:
        """Under which key the task leaves its link."""
        return f"_link_{type(self).__name__}"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the link.

        Args:
            operator: the task, rendered.
            ti_key: its instance: has ``dag_id``, ``task_id``, ``run_id``, ``try_number`` and ``map_index``.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no get_link(). Give it one: def get_link(self, operator, *, ti_key): ..."
        )


class ExternalDagLink(BaseOperatorLink):
    """Leads to the run that a sensor waits for or a marker marks: that with the same id."""

    name = "External DAG"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the path of the run's page, below the address of the web server."""
        return run_path(operator.external_dag_id, ti_key.run_id)


class TriggerDagRunLink(BaseOperatorLink):
    """Leads to the run that a task has triggered."""

    name = "Triggered DAG"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the path of the run's page, below the address of the web server."""
        return run_path(operator.trigger_dag_id, operator.trigger_run_id)


def run_path(dag_id: str, run_id: str | None) -> str:
    """Return the path of a run's page, below the address of the web server."""
    return f"/dags/{quote(dag_id)}/runs/{quote(str(run_id), safe=':+')}"


def leave_links(task: Any, ti: Any) -> None:
    """Push the links of a task that has ended. One that cannot be made is logged, and changes nothing."""
    for link in getattr(task, "operator_extra_links", ()):
        try:
            ti.xcom_push(link.xcom_key, link.get_link(task, ti_key=ti))
        except Exception:
            log.warning("The link %r of %s could not be made", link.name, task.who, exc_info=True)
