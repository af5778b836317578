"""How is a command run below a task? ``SubprocessHook``: its output is logged as it comes; it ends with the task."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tradewind.sdk.connection import BaseHook
from tradewind.sdk.signals import end_own_group, group_is_the_tasks

if TYPE_CHECKING:
    import subprocess

_GRACE_SECONDS: Final = 5.0


class SubprocessResult(NamedTuple):
    """How a command ended: its exit code (negative: the signal that killed it), and the last line that it wrote."""

    exit_code: int
    output: str


class SubprocessHook(BaseHook):
    """Runs one command at a time.

    Attributes:
        sub_process: the one that was started last.
    """

    def __init__(self, **kwargs: Any) -> None:
        self.sub_process: subprocess.Popen[bytes] | None = None
        self._shares_group = False
        super().__init__(**kwargs)

    def run_command(
        self,
        command: Sequence[str],
        env: dict[str, str] | None = None,
        output_encoding: str = "utf-8",
        cwd: str | None = None,
    ) -> SubprocessResult:
        """Run a command to its end, with each line of its output logged as it comes.

        Args:
            command: the program and its arguments; no shell reads them.
            env: its whole environment; None: that of this process.
            cwd: folder to run in; None: a fresh temporary one.
        """
        if cwd is not None:
            return self._run(command, env, output_encoding, cwd)
        # Late, as subprocess below: a DAG file that only names an operator should not pay for them.
        import tempfile

        with tempfile.TemporaryDirectory(prefix="tradewind-command-") as folder:
            return self._run(command, env, output_encoding, folder)

    def _run(
        self, command: Sequence[str], env: dict[str, str] | None, output_encoding: str, cwd: str
    ) -> SubprocessResult:
        import subprocess

        self._shares_group = group_is_the_tasks()
        self.log.info("Running command: %s", list(command))
        self.sub_process = subprocess.Popen(
            list(command),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(os.environ) if env is None else env,
            start_new_session=not self._shares_group,  # send_sigterm must reach everything that the command started
        )
        last = ""
        assert self.sub_process.stdout is not None
        with self.sub_process.stdout as output:
            for raw in output:
                last = raw.decode(output_encoding, errors="backslashreplace").rstrip()
                self.log.info("%s", last)
        code = self.sub_process.wait()
        self.log.info("Command exited with return code %s", code)
        return SubprocessResult(code, last)

    def send_sigterm(self) -> None:
        """End the command and everything that it started: SIGTERM, and SIGKILL for what is left after five seconds."""
        import subprocess

        process = self.sub_process
        if process is None:
            return
        self.log.info("Sending SIGTERM to the command and all that it started")
        with suppress(ProcessLookupError):
            if self._shares_group:
                end_own_group()
            else:
                os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if not self._shares_group:  # else whoever started this process kills the rest of the group with it
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
