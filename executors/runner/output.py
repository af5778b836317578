"""Where does the output of a task go? To its log file, line by line as it comes, masked, whatever happens to the disk.

What Python writes is masked and gets time and level; what child processes write to the descriptors goes in as it is.

stdout, stderr and logging of the process are bound to one :class:`Sink` before any DAG file is imported. It throws
away what it is given until a task process opens its log.
"""

from __future__ import annotations

import io
import logging
import os
import re
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from executors.runner.masking import Masker

_LINE_ENDS: Final = re.compile(r"\r\n|\n|\r")  # a progress bar ends its lines with a bare carriage return
_OPEN_TRIES: Final = 5
_MAX_PENDING: Final = 64 * 1024
"""Characters without a line end that are kept; more are written as a line."""


class Sink:
    """Writes lines to the log of the attempt. Never raises for what the disk does: it counts what was lost."""

    def __init__(self) -> None:
        self.masker: Final = Masker()
        self.lost_bytes = 0
        self._unsaid_bytes = 0
        self._fd: int | None = None
        self._is_bound = False  # to a log, be it one that cannot be written
        self._lock = threading.Lock()

    def open(self, path: str) -> str | None:
        """Send this process's output, that of its children included, to the file; it is made, or appended to.

        Returns:
            Why the file cannot be written, in which case the output is lost but counted; else None.
        """
        self._is_bound = True
        why: str | None = None
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            fd = open_with_folder(path, flags)
        except OSError as error:
            why = f"{type(error).__name__}: {error}"
            fd = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        else:
            self._fd = fd
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        if self._fd is None:
            os.close(fd)
        return why

    def line(self, level: str, logger: str, text: str) -> None:
        """Write one entry: ``[time] LEVEL logger - text``, of as many lines as the text has."""
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._write(f"[{stamp}] {level} {logger} - {self.masker.redact(text)}\n".encode("utf-8", "backslashreplace"))

    def _write(self, data: bytes) -> None:
        if not self._is_bound:
            return
        with self._lock:
            if self._unsaid_bytes and self._put(
                f"... {self._unsaid_bytes} bytes of output were lost here ...\n".encode()
            ):
                self._unsaid_bytes = 0
            left = len(data) - self._put(data)
            self.lost_bytes += left
            self._unsaid_bytes += left

    def _put(self, data: bytes) -> int:
        """Write as much of ``data`` as the disk takes, and return how much that was."""
        if self._fd is None:
            return 0
        done = 0
        try:
            while done < len(data):
                done += os.write(self._fd, data[done:])
        except OSError:  # full disk, file too large, folder gone away: the task goes on
            pass
        return done


class LineStream(io.TextIOBase):
    """Stands in for ``sys.stdout`` and ``sys.stderr``: each line becomes an entry of the log."""

    def __init__(self, sink: Sink, level: str, logger: str, fd: int) -> None:
        super().__init__()
        self._sink, self._level, self._logger, self._fd = sink, level, logger, fd
        self._pending = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the base class has it as an attribute that is None
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]  # as above
        return "backslashreplace"

    @property
    def name(self) -> str:
        return f"<{self._logger.rpartition('.')[2]}>"

    @property
    def buffer(self) -> _Bytes:
        """For those who write bytes."""
        return _Bytes(self)

    def reconfigure(self, **_changes: Any) -> None:
        """Do nothing: what this stream does with text is settled."""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        *lines, self._pending = _LINE_ENDS.split(self._pending + text)
        if len(self._pending) > _MAX_PENDING:
            lines.append(self._pending)
            self._pending = ""
        for line in lines:
            self._sink.line(self._level, self._logger, line)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:  # type: ignore[override]  # typeshed has Any
        for line in lines:
            self.write(line)

    def end(self) -> None:
        """Write what has no line end yet."""
        if self._pending:
            self._sink.line(self._level, self._logger, self._pending)
            self._pending = ""


class _Bytes(io.RawIOBase):
    """The bytes side of a :class:`LineStream`."""

    def __init__(self, stream: LineStream) -> None:
        super().__init__()
        self._stream = stream

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, data: Any) -> int:
        raw = bytes(data)
        self._stream.write(raw.decode("utf-8", "backslashreplace"))
        return len(raw)


class SinkHandler(logging.Handler):
    """Sends the records of logging to the log of the attempt."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink
        self._exceptions = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
            if record.exc_info and not record.exc_text:
                record.exc_text = self._exceptions.formatException(record.exc_info)
            for more in (record.exc_text, record.stack_info):
                if more:
                    text = f"{text}\n{more}"
            self._sink.line(record.levelname, record.name, text)
        except Exception:  # a record with a bad format must not fail the task: logging's own way to say so
            self.handleError(record)


SINK: Final = Sink()
_STDOUT: Final = LineStream(SINK, "INFO", "task.stdout", 1)
_STDERR: Final = LineStream(SINK, "ERROR", "task.stderr", 2)


def take_over() -> None:
    """Bind stdout, stderr and logging of this process to :data:`SINK`. Done once, in the base process."""
    sys.stdout, sys.stderr = _STDOUT, _STDERR
    sys.__stdout__, sys.__stderr__ = _STDOUT, _STDERR  # type: ignore[misc, assignment]  # who writes there means the log
    root = logging.getLogger()
    root.handlers[:] = [SinkHandler(SINK)]
    root.setLevel(logging.INFO)


def finish() -> None:
    """Write what is still pending. Done once, at the end of a task process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, LineStream):
            stream.end()
        elif stream is not None:
            _flush(stream)


def _flush(stream: Any) -> None:
    try:
        stream.flush()
    except Exception:  # somebody's own stream, or a closed one
        logging.getLogger(__name__).warning("The stream that the task put in place cannot be flushed.", exc_info=True)


def open_with_folder(path: str, flags: int) -> int:
    """Open a file for writing; its folder is made where it is not there.

    Raises:
        OSError: it cannot be.
    """
    for _ in range(_OPEN_TRIES):
        with suppress(FileNotFoundError):
            return os.open(path, flags, 0o644)
        with suppress(FileNotFoundError):  # empty folders of logs that are gone are removed beside us
            os.makedirs(os.path.dirname(path), exist_ok=True)
    return os.open(path, flags, 0o644)
