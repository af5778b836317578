"""How are tasks run on the scheduler's own machine? ``LocalExecutor``: a supervisor in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from executors.base import ExecutorHost, Report
from executors.bundles.folders import BundleFolders
from executors.control_plane import ControlPlane
from executors.runner.desk import ControlPlaneDesk
from executors.runner.supervisor import Supervisor
from tradewind.config import Config
from tradewind.model.orders import AttemptOrder


class LocalExecutor:
    """An :class:`executors.base.Executor` that runs attempts in processes below this one."""

    def __init__(
        self,
        config: Config,
        control_plane: ControlPlane,
        supervisor_id: UUID,
        *,
        name: str = "LocalExecutor",
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """
        Args:
            supervisor_id: the lease under which attempts are claimed, kept by whoever hosts this executor.
            environ: from which the environment of tasks is made; None: that of this process.
        """
        self.name = name
        self.supervisor_id: UUID | None = supervisor_id
        self._parallelism = config.core.parallelism
        desk = ControlPlaneDesk(control_plane, config.core.dags_folder.absolute(), BundleFolders(config))
        self._supervisor = Supervisor(config, desk, environ)

    def start(self, report: Report) -> None:
        self._supervisor.start(report)

    def capacity(self) -> int | None:
        return self._parallelism

    def submit(self, orders: Sequence[AttemptOrder]) -> None:
        self._supervisor.submit(orders)

    def cancel(self, attempt_ids: Sequence[UUID]) -> None:
        self._supervisor.cancel(attempt_ids)

    def stop(self, grace_seconds: float) -> None:
        self._supervisor.stop(grace_seconds)


def make(host: ExecutorHost) -> LocalExecutor:
    """Return a LocalExecutor that claims under the lease of its scheduler."""
    return LocalExecutor(host.config, host.control_plane, host.lease_id, name=host.name, environ=host.environ)
