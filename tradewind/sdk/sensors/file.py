"""Has a file landed? ``FileSensor``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from glob import glob
from typing import TYPE_CHECKING, Any, Unpack

from tradewind.sdk.exceptions import AirflowException
from tradewind.sdk.hooks.filesystem import FSHook
from tradewind.sdk.sensors.arguments import SensorArguments
from tradewind.sdk.sensors.base import BaseSensorOperator
from tradewind.sdk.sensors.deferring import deferrable_or_default

if TYPE_CHECKING:
    from tradewind.sdk.context import Context


class FileSensor(BaseSensorOperator):
    """Waits for a file, or for a folder that holds one, near or far.

    Args:
        filepath: path or glob pattern, below the path of the connection; a template.
        fs_conn_id: connection whose extra holds ``{"path": "/base"}``; a template.
        recursive: ``**`` in the pattern stands for any folders.
        deferrable: wait without a slot.
        start_from_trigger, trigger_kwargs: change nothing: a task begins in a process.
    """

    template_fields: Sequence[str] = ("filepath", "fs_conn_id")
    ui_color = "#91818a"

    def __init__(
        self,
        *,
        filepath: Any,
        fs_conn_id: str = "fs_default",
        recursive: bool = False,
        deferrable: bool | None = None,
        start_from_trigger: bool = False,
        trigger_kwargs: dict[str, Any] | None = None,
        **kwargs: Unpack[SensorArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.filepath = filepath
        self.fs_conn_id = fs_conn_id
        self.recursive = recursive
        self.deferrable = deferrable_or_default(deferrable)
        self.start_from_trigger, self.trigger_kwargs = start_from_trigger, trigger_kwargs

    @cached_property
    def path(self) -> str:
        """The whole path or pattern. Looks up the connection.

        Raises:
            AirflowNotFoundException: there is no such connection.
        """
        return os.path.join(FSHook(self.fs_conn_id).get_path(), self.filepath)

    def poke(self, context: Context) -> bool:
        """Return whether there is such a file."""
        self.log.info("Poking for file %s", self.path)
        for path in glob(self.path, recursive=self.recursive):
            if os.path.isfile(path):
                changed = datetime.fromtimestamp(os.path.getmtime(path), UTC)
                self.log.info("Found File %s last modified: %s", path, changed.strftime("%Y%m%d%H%M%S"))
                return True
            if any(files for _, _, files in os.walk(path)):
                return True
        return False

    def execute(self, context: Context) -> Any:
        """Wait; with ``deferrable`` look once first, so that a file that is there costs no detour."""
        if not self.deferrable:
            return super().execute(context)
        if not self.poke(context):
            # Late: triggers are asyncio code that a DAG file which only names a sensor has no use for.
            from tradewind.sdk.triggers.file import FileTrigger

            self.defer(
                trigger=FileTrigger(filepath=self.path, recursive=self.recursive, poke_interval=self.poke_interval),
                method_name="execute_complete",
                timeout=self.timeout,
            )
        return None

    def execute_complete(self, context: Context, event: bool | None = None) -> None:
        """Go on when the trigger has seen the file."""
        if not event:
            raise AirflowException(f"{self.who}: the trigger ended without having found {self.filepath!r}.")
        self.log.info("Found %s", self.filepath)
