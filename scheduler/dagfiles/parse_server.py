"""Who forks the processes that read DAG files? One clean process with the authoring package imported.

Started by the manager (``python -m scheduler.dagfiles.parse_server FD``) when there is something to read, ended by it
when there is nothing more, so that idling costs nothing. It has one thread and imports no user code; when its socket
closes, it kills everything below it and ends.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import msgspec

from executors.runner import linux
from executors.runner.wire import Wire, WireError, frame
from scheduler.dagfiles.asking import learn
from scheduler.dagfiles.parse_child import run_child
from scheduler.dagfiles.parse_children import MAX_ANSWER_BYTES, TAIL_BYTES, Child, new_child, without_answer
from scheduler.dagfiles.protocol import Answer, Outcome, ParseRequest, RawReply, Setup
from scheduler.dagfiles.rehearsal import rehearse
from tradewind import compat
from tradewind.model.parsed import FileError
from tradewind.sdk import defaults

_READ_BYTES: Final = 64 * 1024


class ParseServer:
    """Forks a child per request and passes its answer on."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._setup: Setup | None = None
        self._wire = Wire(control, msgspec.msgpack.Decoder(Setup | ParseRequest | Answer))
        self._children: dict[int, Child] = {}
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
                    try:
                        messages = self._wire.receive_ready()
                    except ConnectionResetError:  # closed with something of ours unread
                        return
                    if messages is None:
                        return
                    for message in messages:
                        self._handle(message)
                elif key.fileobj is self._bell:
                    self._bell.recv(_READ_BYTES)
                    self._reap()
                elif key.data.pid in self._children:  # else its end was handled a moment ago
                    if key.fileobj is key.data.asking.socket:
                        self._pass_on_questions(key.data)
                    else:
                        self._read(key.data, key.fd)
            self._kill_overdue()

    def _handle(self, message: Setup | ParseRequest | Answer) -> None:
        if isinstance(message, Setup):
            self._setup = message
            _prepare(message)
        elif isinstance(message, Answer):
            self._pass_on_answer(message)
        elif self._setup is not None:
            self._start(message, self._setup)

    def _patience(self) -> float | None:
        waiting = [child.kill_at for child in self._children.values() if not child.killed]
        return max(0.0, min(waiting) - time.monotonic()) if waiting else None

    def _start(self, request: ParseRequest, setup: Setup) -> None:
        result_fd, result_in = os.pipe()
        output_fd, output_in = os.pipe()
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            for fd in (result_fd, result_in, output_fd, output_in):
                os.close(fd)
            ours.close()
            theirs.close()
            message = f"No process could be started to import the file: {error.strerror}. It is tried again later."
            self._answer(request.job, msgspec.msgpack.encode(Outcome(errors=(FileError(message),))))
            return
        if pid == 0:
            self._become_child()
            ours.close()
            run_child(request, setup, result_in, output_in, theirs, parent)
        os.close(result_in)
        os.close(output_in)
        theirs.close()
        child = new_child(pid, request.job, result_fd, output_fd, ours, setup)
        self._children[pid] = child
        for fd in (result_fd, output_fd):
            os.set_blocking(fd, False)
            self._selector.register(fd, selectors.EVENT_READ, child)
        self._selector.register(ours, selectors.EVENT_READ, child)

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
            child.asking.socket.close()

    def _read(self, child: Child, fd: int) -> bool:
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
            child.output = (child.output + data)[-2 * TAIL_BYTES :]
        return True

    def _pass_on_questions(self, child: Child) -> None:
        try:
            questions = child.asking.receive_ready()
        except (OSError, WireError):  # a DAG file that writes to sockets that are not its own
            questions = None
        if questions is None:
            self._selector.unregister(child.asking.socket)
            return
        for question in questions:
            with suppress(OSError):  # as in _answer
                self._control.sendall(frame(msgspec.structs.replace(question, job=child.job)))

    def _pass_on_answer(self, answer: Answer) -> None:
        for child in self._children.values():
            if child.job == answer.job:
                learn(child.masker, answer)
                with suppress(OSError):  # it does not wait for an answer, or has ended
                    child.asking.send(answer)

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            if not child.killed and child.kill_at <= now:
                self._kill(child)

    def _kill(self, child: Child) -> None:
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

    def _finish(self, child: Child, status: int) -> None:
        linux.kill_group(child.pid)  # what the import started ends with it
        for fd in (child.result_fd, child.output_fd):
            while self._read(child, fd):
                pass
            with suppress(KeyError):
                self._selector.unregister(fd)
            os.close(fd)
        with suppress(KeyError):
            self._selector.unregister(child.asking.socket)
        child.asking.socket.close()
        answer = bytes(child.answer)
        if not answer or child.killed or os.waitstatus_to_exitcode(status) != 0 or len(answer) > MAX_ANSWER_BYTES:
            answer = msgspec.msgpack.encode(without_answer(child, status))
        self._answer(child.job, answer)

    def _answer(self, job: int, outcome: bytes) -> None:
        # This blocks while the manager stores what it has read before; the manager itself never blocks on writing.
        with suppress(OSError):  # it is gone; the next select says so
            self._control.sendall(frame(RawReply(job, msgspec.Raw(outcome))))


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
