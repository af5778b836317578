"""How is a function called by a Python that is there already? ``ExternalPythonOperator``."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradewind.sdk.exceptions import AirflowException, DagArgumentError
from tradewind.sdk.operators.branch import BaseBranchOperator, Choice
from tradewind.sdk.operators.other_python import OtherPythonOperator
from tradewind.sdk.operators.python import PythonOperator

if TYPE_CHECKING:
    from tradewind.sdk.context import Context


class ExternalPythonOperator(OtherPythonOperator):
    """Calls ``python_callable`` by the interpreter ``python``; see :class:`OtherPythonOperator`.

    Args:
        python: absolute path of an interpreter, of an environment for instance.
        expect_pendulum: taken for Airflow's sake: whether pendulum is there is looked for.
    """

    template_fields: Sequence[str] = ("python", *PythonOperator.template_fields)

    def __init__(
        self, *, python: str, python_callable: Callable[..., Any], expect_pendulum: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(python_callable=python_callable, **kwargs)
        if not python:
            raise DagArgumentError(f"{self.who}: python is empty. Give the absolute path of an interpreter.")
        self.python: Any = os.fspath(python)
        self.expect_pendulum = expect_pendulum

    def call_with_python(self, call: Callable[[Path], Any]) -> Any:
        """Use the interpreter as it is."""
        return call(self._interpreter())

    def has_pendulum(self) -> bool:
        """Return whether the interpreter can import pendulum."""
        import subprocess

        asked = [str(self._interpreter()), "-c", "import pendulum"]
        return subprocess.run(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def _interpreter(self) -> Path:
        path = Path(self.python)
        if not path.is_absolute() or not path.is_file():
            raise AirflowException(
                f"{self.who}: python={self.python!r} is no file that exists, or no absolute path. Give the absolute "
                "path of an interpreter, e.g. /opt/venvs/reports/bin/python."
            )
        return path


class BranchExternalPythonOperator(BaseBranchOperator, ExternalPythonOperator):
    """Calls ``python_callable`` as :class:`ExternalPythonOperator` does; it returns the ids of what to follow."""

    def choose_branch(self, context: Context) -> Choice:
        """Return what the function returns."""
        choice: Choice = ExternalPythonOperator.execute(self, context)
        return choice
