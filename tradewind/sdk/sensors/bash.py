"""How does a shell command wait for something? ``BashSensor``: it is run until its exit code is 0."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Unpack

from tradewind.sdk.exceptions import AirflowFailException
from tradewind.sdk.sensors.arguments import SensorArguments
from tradewind.sdk.sensors.base import BaseSensorOperator
from tradewind.sdk.signals import end_own_group, group_is_the_tasks

if TYPE_CHECKING:
    import subprocess

    from tradewind.sdk.context import Context


class BashSensor(BaseSensorOperator):
    """Runs a command in a fresh folder until it exits with 0.

    Args:
        bash_command: the command; a template.
        env: the whole environment of the command; None: that of the worker.
        output_encoding: of the command's output, which goes to the log.
        retry_exit_code: the exit code that means "not yet"; any other but 0 then fails the task for good. None: every
            one means it.
    """

    template_fields: Sequence[str] = ("bash_command", "env")

    def __init__(
        self,
        *,
        bash_command: Any,
        env: dict[str, str] | None = None,
        output_encoding: str = "utf-8",
        retry_exit_code: int | None = None,
        **kwargs: Unpack[SensorArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.bash_command = bash_command
        self.env = env
        self.output_encoding = output_encoding
        self.retry_exit_code = retry_exit_code
        self._process: subprocess.Popen[bytes] | None = None
        self._shares_group = False

    def poke(self, context: Context) -> bool:
        """Run the command once.

        Raises:
            AirflowFailException: it exited with a code that is neither 0 nor ``retry_exit_code``.
        """
        code = self._run()
        self.log.info("Command exited with return code %s", code)
        if code == 0:
            return True
        if self.retry_exit_code is not None and code != self.retry_exit_code:
            raise AirflowFailException(
                f"{self.who}: the command returned the exit code {code}; 0 means that the waiting is over, "
                f"{self.retry_exit_code} that it is not. Its output is in the log above."
            )
        return False

    def _run(self) -> int:
        # Late: a DAG file that only names the sensor should not pay for them.
        import subprocess
        import tempfile

        with tempfile.TemporaryDirectory(prefix="tradewind-bash-") as folder:
            script = os.path.join(folder, "command.sh")
            with open(script, "w", encoding="utf-8") as file:
                file.write(self.bash_command)
            self.log.info("Running command: %s", self.bash_command)
            self._shares_group = group_is_the_tasks()
            self._process = subprocess.Popen(
                ["bash", script],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=self.env,
                start_new_session=not self._shares_group,  # on_kill must reach everything that the command started
            )
            assert self._process.stdout is not None
            with self._process.stdout as output:
                for line in output:
                    self.log.info("%s", line.decode(self.output_encoding, errors="backslashreplace").rstrip())
            return self._process.wait()

    def on_kill(self) -> None:
        """End the command and everything that it started."""
        if self._process is None:
            return
        if self._shares_group:  # whoever started this process kills the rest of the group with it
            end_own_group()
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
