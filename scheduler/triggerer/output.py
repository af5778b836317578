"""Where does the output of a trigger go? Into the log of the task that waits for it, line by line as it comes.

All triggers share one process, so who speaks is known from the context of the call. What nobody's context explains
goes to stderr, and so into the output of the triggerer.
"""

from __future__ import annotations

import logging
import os
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

from executors.runner.output import LineStream, Sink, SinkHandler, open_with_folder

log_path: Final[ContextVar[str | None]] = ContextVar("tradewind_trigger_log", default=None)
"""The log of the task for which the current code runs."""


class TriggerSink(Sink):
    """Writes each line to the log of whoever runs in the current context.

    The file is opened for each line: thousands of triggers wait at once, and say little.
    """

    def line(self, level: str, logger: str, text: str) -> None:
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        entry = f"[{stamp}] {level} {logger} - {self.masker.redact(text)}\n".encode("utf-8", "backslashreplace")
        path = log_path.get()
        try:
            if path is None:
                os.write(2, entry)
                return
            fd = open_with_folder(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC)
            try:
                os.write(fd, entry)
            finally:
                os.close(fd)
        except OSError:  # a full disk must not end a trigger; it is counted as for tasks
            self.lost_bytes += len(entry)


SINK: Final = TriggerSink()


def take_over(level: str) -> None:
    """Bind stdout, stderr and logging of this process to :data:`SINK`."""
    sys.stdout = LineStream(SINK, "INFO", "trigger.stdout", 1)
    sys.stderr = LineStream(SINK, "ERROR", "trigger.stderr", 2)
    root = logging.getLogger()
    root.handlers[:] = [SinkHandler(SINK)]
    root.setLevel(level)
