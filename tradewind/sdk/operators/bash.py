"""How is a shell command run as a task? ``BashOperator``: its output goes to the log, its last line is the result."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Container, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Unpack

from tradewind.sdk import arguments
from tradewind.sdk.exceptions import AirflowException, AirflowSkipException
from tradewind.sdk.hooks.subprocess import SubprocessHook, SubprocessResult
from tradewind.sdk.operator import BaseOperator
from tradewind.sdk.operator_arguments import OperatorArguments
from tradewind.sdk.run_variables import context_variables

if TYPE_CHECKING:
    from tradewind.sdk.context import Context


_LONGEST_ARGUMENT: Final = 100_000
"""Bytes of a command that is handed over as an argument, of which Linux takes 128 KiB; a longer one goes by a file."""


def _as_is(line: str) -> Any:
    return line


class BashOperator(BaseOperator):
    """Runs ``bash -c`` with a command or the text of a ``.sh`` file; fails when its exit code is not 0.

    Args:
        bash_command: command, or path of a template file that ends in ``.sh`` or ``.bash``.
        env: variables of the command's environment; without ``append_env`` nothing else is in it.
        append_env: add ``env`` to the worker's environment instead of replacing it.
        output_encoding: of the command's output.
        skip_on_exit_code: exit code, or several, that mean ``skipped``; None for none.
        cwd: folder to run in; a fresh temporary one by default.
        output_processor: turns the last line of output into the task's result.
    """

    template_fields: Sequence[str] = ("bash_command", "env", "cwd")
    template_fields_renderers: ClassVar[dict[str, str]] = {"bash_command": "bash", "env": "json"}
    template_ext: Sequence[str] = (".sh", ".bash")
    ui_color = "#f0ede4"

    def __init__(
        self,
        *,
        bash_command: Any,
        env: dict[str, str] | None = None,
        append_env: bool = False,
        output_encoding: str = "utf-8",
        skip_on_exit_code: int | Container[int] | None = 99,
        cwd: str | None = None,
        output_processor: Callable[[str], Any] = _as_is,
        **kwargs: Unpack[OperatorArguments],
    ) -> None:
        super().__init__(**kwargs)
        if bash_command is None or isinstance(bash_command, int | float | list | tuple | dict):
            raise arguments.wrong(self.who, "bash_command", bash_command, "a text")
        self.bash_command: Any = bash_command
        self.env = env
        self.append_env = append_env
        self.output_encoding = output_encoding
        self.skip_on_exit_code = _codes(skip_on_exit_code)
        self.cwd = cwd
        self.output_processor = output_processor

    def execute(self, context: Context) -> Any:
        """Run the command; return its last line of output."""
        # Late: a DAG file that only names the operator should not pay for it.
        import shutil

        bash = shutil.which("bash") or "bash"
        if self.cwd is not None:
            if not os.path.exists(self.cwd):
                raise AirflowException(
                    f"{self.who}: the folder cwd={self.cwd!r} does not exist. Create it or correct cwd."
                )
            if not os.path.isdir(self.cwd):
                raise AirflowException(f"{self.who}: cwd={self.cwd!r} is not a folder. Give the path of a folder.")
        env = self.environment(context)
        if len(os.fsencode(self.bash_command)) <= _LONGEST_ARGUMENT:
            return self._finish(self._run([bash, "-c", self.bash_command], env))
        import tempfile

        with tempfile.NamedTemporaryFile("w", suffix=".sh", encoding="utf-8", errors="surrogateescape") as script:
            script.write(self.bash_command)
            script.flush()
            return self._finish(self._run([bash, script.name], env))

    def _run(self, command: list[str], env: dict[str, str]) -> SubprocessResult:
        return self.subprocess_hook.run_command(command, env, self.output_encoding, self.cwd)

    @functools.cached_property
    def subprocess_hook(self) -> SubprocessHook:
        """What runs the command."""
        return SubprocessHook()

    def _finish(self, result: SubprocessResult) -> Any:
        code = result.exit_code
        if code in self.skip_on_exit_code:
            raise AirflowSkipException(f"Bash command returned exit code {code}. Skipping.")
        if code != 0:
            how = f"was killed by signal {-code}" if code < 0 else f"returned the exit code {code}"
            raise AirflowException(f"{self.who}: the command {how}; 0 means success. Its output is in the log above.")
        return self.output_processor(result.output)

    def environment(self, context: Context) -> dict[str, str]:
        """Return the command's environment: ``env`` as ``append_env`` says, and ``AIRFLOW_CTX_*`` of the run."""
        if self.env is None:
            env = dict(os.environ)
        else:
            env = {**os.environ, **self.env} if self.append_env else dict(self.env)
        return {**env, **context_variables(context)}

    def on_kill(self) -> None:
        """End the command and everything that it started: SIGTERM, and SIGKILL for what is left after five seconds."""
        self.subprocess_hook.send_sigterm()


def _codes(value: int | Container[int] | None) -> Container[int]:
    if value is None:
        return ()
    return (value,) if isinstance(value, int) else value
