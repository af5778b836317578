"""What stands for ``XCom`` and ``BaseXCom``? Reading and writing XComs by the ids of a run, within the running task."""

from __future__ import annotations

from typing import Any, NamedTuple

from tradewind.sdk import reach
from tradewind.sdk.current import get_current_context
from tradewind.xcom import serde

XCOM_RETURN_KEY = "return_value"


class TaskInstanceKey(NamedTuple):
    """What identifies one attempt of a task."""

    dag_id: str
    task_id: str
    run_id: str
    try_number: int = 1
    map_index: int = -1

    @property
    def primary(self) -> tuple[str, str, str, int]:
        """The ids without the try."""
        return self.dag_id, self.task_id, self.run_id, self.map_index

    @property
    def key(self) -> TaskInstanceKey:
        """Itself."""
        return self

    @property
    def reduced(self) -> TaskInstanceKey:
        """The key of the try before, which is what Airflow's executors report."""
        return self._replace(try_number=max(1, self.try_number - 1))

    def with_try_number(self, try_number: int) -> TaskInstanceKey:
        """Return the key of another try."""
        return self._replace(try_number=try_number)


class BaseXCom:
    """Reads and writes XComs; only within a task, and only what its attempt may see."""

    XCOM_RETURN_KEY = XCOM_RETURN_KEY

    @classmethod
    def set(
        cls, key: str, value: Any, *, dag_id: str, task_id: str, run_id: str, map_index: int = -1, **_: Any
    ) -> None:
        """Leave a value: of the running task only.

        Raises:
            AirflowException: the ids are those of another task.
        """
        ti = get_current_context()["ti"]
        if (ti.dag_id, ti.task_id, ti.run_id, ti.map_index) != (dag_id, task_id, run_id, map_index):
            from tradewind.sdk.exceptions import AirflowException

            raise AirflowException(
                f"XCom.set() for task {task_id!r} was called by task {ti.task_id!r}. "
                "A task leaves XComs of its own only."
            )
        ti.xcom_push(key, value)

    @classmethod
    def get_one(
        cls,
        *,
        key: str,
        dag_id: str,
        task_id: str,
        run_id: str,
        map_index: int | None = None,
        include_prior_dates: bool = False,
        **_: Any,
    ) -> Any:
        """Return the value of a task, or None; that of ``map_index`` when it is given."""
        from tradewind.xcom.store import unpack

        found = reach.channel("XCom.get_one()").get_xcom(
            dag_id=dag_id,
            run_id=run_id,
            task_ids=[task_id],
            key=key,
            map_index=None if map_index is None else map_index,
            include_prior_dates=include_prior_dates,
        )
        return unpack(found[0].value, found[0].location) if found else None

    get_value = get_one

    @classmethod
    def get_all(cls, *, key: str, dag_id: str, task_id: str, run_id: str, **_: Any) -> list[Any]:
        """Return the values of all map indexes of a task, in their order."""
        from tradewind.xcom.store import unpack

        found = reach.channel("XCom.get_all()").get_xcom(
            dag_id=dag_id, run_id=run_id, task_ids=[task_id], key=key, map_index=None, include_prior_dates=False
        )
        return [unpack(one.value, one.location) for one in sorted(found, key=lambda one: one.map_index)]

    @staticmethod
    def serialize_value(value: Any, **_: Any) -> str:
        """Return ``value`` as it is stored."""
        return serde.encode(value)

    @staticmethod
    def deserialize_value(result: Any) -> Any:
        """Return the value that was stored; ``result`` has it as ``value``."""
        return serde.decode(result.value) if isinstance(result.value, str) else result.value

    @classmethod
    def purge(cls, xcom: Any, **_: Any) -> None:
        """Called by Airflow before a value goes away; for subclasses."""


XCom = BaseXCom


def resolve_xcom_backend() -> type[BaseXCom]:
    """Return the class that reads and writes XComs."""
    return BaseXCom
