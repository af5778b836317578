"""Who forks the processes that read DAG files? One clean process with the authoring package imported.

Started by the manager (``python -m scheduler.dagfiles.parse_server FD``) when there is something to read, ended by it
when there is nothing more, so that idling costs nothing. It has one thread and imports no user code; when its socket
closes, it kills everything below it and ends.
"""

from __future__ import annotations

import fcntl
import gc
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import msgspec

from executors.runner import linux
from executors.runner.wire import Wire, frame
from scheduler.dagfiles.parse_child import run_child
from scheduler.dagfiles.protocol import Outcome, ParseRequest, RawReply, Setup
from scheduler.dagfiles.rehearsal import rehearse
from tradewind import compat
from tradewind.model.parsed import FileError
from tradewind.sdk import defaults

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
_READ_BYTES: Final = 64 * 1024
_TAIL_BYTES: Final = 4096
_F_SETPIPE_SZ: Final = getattr(fcntl, "F_SETPIPE_SZ", None)


@dataclass(slots=True)
class _Child:
    pid: int
    job: int
    result_fd: int
    output_fd: int
    kill_seconds: float
    kill_at: float
    killed: bool = False
    answer: bytearray = field(default_factory=bytearray)
    output: bytearray = field(default_factory=bytearray)


class ParseServer:
    """Forks a child per request and passes its answer on."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._setup: Setup | None = None
        self._wire = Wire(control, msgspec.msgpack.Decoder(Setup | ParseRequest))
        self._children: dict[int, _Child] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._bell, bell_in = socket.socketpair()
        self._bell.setblocking(False)
        bell_in.setblocking(False)
        self._bell_in = bell_in
        signal.set_wakeup_fd(bell_in.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self._selector.register(self._bell, selectors.EVENT_READ)

    def serve(self) -> None:
        """Work until the other side closes the socket."""
        while True:
            for key, _events in self._selector.select(self._patience()):
                if key.fileobj is self._control:
                    messages = self._wire.receive_ready()
                    if messages is None:
                        return
                    for message in messages:
                        self._handle(message)
                elif key.fileobj is self._bell:
                    self._bell.recv(_READ_BYTES)
                    self._reap()
                elif key.data.pid in self._children:  # else its end was handled a moment ago
                    self._read(key.data, key.fd)
            self._kill_overdue()

    def _handle(self, message: Setup | ParseRequest) -> None:
        if isinstance(message, Setup):
            self._setup = message
            _prepare(message)
        elif self._setup is not None:
            self._start(message, self._setup)

    def _patience(self) -> float | None:
        waiting = [child.kill_at for child in self._children.values() if not child.killed]
        return max(0.0, min(waiting) - time.monotonic()) if waiting else None

    def _start(self, request: ParseRequest, setup: Setup) -> None:
        result_fd, result_in = os.pipe()
        output_fd, output_in = os.pipe()
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            for fd in (result_fd, result_in, output_fd, output_in):
                os.close(fd)
            message = f"No process could be started to import the file: {error.strerror}. It is tried again later."
            self._answer(request.job, msgspec.msgpack.encode(Outcome(errors=(FileError(message),))))
            return
        if pid == 0:
            self._become_child()
            run_child(request, setup, result_in, output_in, parent)
        os.close(result_in)
        os.close(output_in)
        child = _Child(
            pid, request.job, result_fd, output_fd, setup.kill_seconds, time.monotonic() + setup.kill_seconds
        )
        self._children[pid] = child
        for fd in (result_fd, output_fd):
            os.set_blocking(fd, False)
            self._selector.register(fd, selectors.EVENT_READ, child)

    def _become_child(self) -> None:
        """Let go of what belongs to the server, so that its end is seen as such by the other side."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._selector.close()
        self._control.close()
        self._bell.close()
        self._bell_in.close()
        for child in self._children.values():
            os.close(child.result_fd)
            os.close(child.output_fd)

    def _read(self, child: _Child, fd: int) -> bool:
        """Take what the child has written. Return False when there is nothing more to come now."""
        try:
            data = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            with suppress(KeyError):
                self._selector.unregister(fd)
            return False
        if fd == child.result_fd:
            child.answer += data
            if len(child.answer) > MAX_ANSWER_BYTES:
                self._kill(child)
                return False
        else:
            child.output = (child.output + data)[-_TAIL_BYTES:]
        return True

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            if not child.killed and child.kill_at <= now:
                self._kill(child)

    def _kill(self, child: _Child) -> None:
        child.killed = True
        linux.kill_group(child.pid)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is not None:  # else an orphan that a DAG file left behind
                self._finish(child, status)

    def _finish(self, child: _Child, status: int) -> None:
        linux.kill_group(child.pid)  # what the import started ends with it
        for fd in (child.result_fd, child.output_fd):
            while self._read(child, fd):
                pass
            with suppress(KeyError):
                self._selector.unregister(fd)
            os.close(fd)
        answer = bytes(child.answer)
        if not answer or child.killed or os.waitstatus_to_exitcode(status) != 0 or len(answer) > MAX_ANSWER_BYTES:
            answer = msgspec.msgpack.encode(_without_answer(child, status))
        self._answer(child.job, answer)

    def _answer(self, job: int, outcome: bytes) -> None:
        # This blocks while the manager stores what it has read before; the manager itself never blocks on writing.
        with suppress(OSError):  # it is gone; the next select says so
            self._control.sendall(frame(RawReply(job, msgspec.Raw(outcome))))


def _without_answer(child: _Child, status: int) -> Outcome:
    code = os.waitstatus_to_exitcode(status)
    if len(child.answer) > MAX_ANSWER_BYTES:
        message = (
            f"The DAGs of this file take more than {MAX_ANSWER_BYTES // 2**20} MiB as data. Split them over files."
        )
    elif child.killed:
        message = (
            f"The process that imported the file was killed after {child.kill_seconds:g} s. Move slow work into "
            "tasks, or raise [dag_processor] dag_file_processor_timeout."
        )
    elif code < 0:
        message = (
            f"The process that imported the file was ended by signal {-code} ({_signal_name(-code)}). Look for a "
            "library that crashes when it is imported; SIGKILL often means that the machine ran out of memory."
        )
    else:
        message = (
            f"The process that imported the file ended with exit code {code} before the import did. Does the file "
            "call os._exit()?"
        )
    tail = child.output.decode("utf-8", "replace").strip()
    trace = f"{message}\n\nThe last that it wrote:\n{tail}" if tail else None
    error = FileError(message, traceback=trace)
    return Outcome(errors=(error,), timed_out=child.killed, seconds=child.kill_seconds if child.killed else 0.0)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def _prepare(setup: Setup) -> None:
    """Import all that DAG files usually need, and make the process cheap to fork."""
    gc.disable()  # a collection would leave holes in memory pages, which forks share only while nobody fills them
    is_airflow = compat.install()
    defaults.use(defaults.Defaults(**setup.defaults))
    rehearse(with_airflow_names=is_airflow)
    gc.freeze()


def main(arguments: Sequence[str]) -> None:
    """Serve the socket whose descriptor is the first argument."""
    control = socket.socket(fileno=int(arguments[0]))
    linux.set_name(b"tradewind parse")
    linux.adopt_orphans()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the manager, which closes the socket
    ParseServer(control).serve()
    linux.kill_everything_below()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
