"""Which decorated functions run elsewhere? ``@task.virtualenv``, ``@task.external_python``, and their branches."""

from __future__ import annotations

from tradewind.sdk.operators.external_python import BranchExternalPythonOperator, ExternalPythonOperator
from tradewind.sdk.operators.virtualenv import BranchPythonVirtualenvOperator, PythonVirtualenvOperator


class VirtualenvTask(PythonVirtualenvOperator):
    """The task that a call of a ``@task.virtualenv`` function makes."""

    custom_operator_name = "@task.virtualenv"


class ExternalPythonTask(ExternalPythonOperator):
    """The task that a call of a ``@task.external_python`` function makes."""

    custom_operator_name = "@task.external_python"


class BranchVirtualenvTask(BranchPythonVirtualenvOperator):
    """The task that a call of a ``@task.branch_virtualenv`` function makes."""

    custom_operator_name = "@task.branch_virtualenv"


class BranchExternalPythonTask(BranchExternalPythonOperator):
    """The task that a call of a ``@task.branch_external_python`` function makes."""

    custom_operator_name = "@task.branch_external_python"
