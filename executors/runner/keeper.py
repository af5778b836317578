"""Who forks task processes? A keeper: single-threaded, it forks on command, reaps, and tells how each process ended.

The base process is a keeper that has imported no DAG file; a warm process is one that has. Both are in C calls nearly
all of the time, run no code of users but the import of the DAG file, and end when their control socket does.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import traceback
from contextlib import suppress
from typing import Final

import msgspec

from executors.runner import linux, output, task_process
from executors.runner.loading import LoadedFile, load_for_keeping, settle
from executors.runner.protocol import (
    PROTOCOL_VERSION,
    Exited,
    Kill,
    Load,
    NotForked,
    Ready,
    Run,
    Setup,
    Spawn,
    ToKeeper,
)
from executors.runner.wire import Wire
from tradewind.faults import crash_point
from tradewind.sdk import defaults

_decoder: Final = msgspec.msgpack.Decoder(ToKeeper)
_TO_BYTES: Final = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss


class Keeper:
    """One keeper. :meth:`serve` returns when the supervisor has closed the control socket."""

    def __init__(self, control: socket.socket) -> None:
        self._wire: Wire[ToKeeper] = Wire(control, _decoder)
        self._slots: dict[int, int] = {}  # pid of a task process -> its slot
        self._pids: dict[int, int] = {}  # the other way round
        self._families: dict[int, set[linux.ProcessMark]] = {}  # pid of one told to end -> all that stood below it then
        self._loaded: LoadedFile | None = None
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)

    def serve(self) -> None:
        """Do what the supervisor says, until it is gone."""
        signal.signal(signal.SIGCHLD, _ignore)  # a handler must be there, so that the wake-up descriptor is written
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        poll = select.poll()  # not epoll: its state in the kernel would be shared with forked children
        poll.register(self._wire.socket, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        control = self._wire.socket.fileno()
        while True:
            for fd, _event in poll.poll():
                if fd == control and not self._obey():
                    return
                if fd == self._wake_read:
                    with suppress(BlockingIOError):
                        os.read(self._wake_read, 4096)
                    self._reap()

    def _obey(self) -> bool:
        """Carry out the commands that have come; False: there will be no more."""
        commands = self._wire.receive_ready()
        if commands is None:
            return False
        for command in commands:
            if isinstance(command, Run):
                self._run(command.slot, self._wire.take_fd())
            elif isinstance(command, Kill):
                if pid := self._pids.get(command.slot):
                    # Some may have left the group by setsid(); once their parent is gone, nobody knows whose they are.
                    self._families.setdefault(pid, set()).update(linux.descendants(pid))
                    linux.kill_group(pid, command.signal)
            elif isinstance(command, Spawn):
                self._spawn(self._wire.take_fd())
            elif not (self._set_up(command) if isinstance(command, Setup) else self._load(command)):
                return False
        return True

    def _set_up(self, command: Setup) -> bool:
        if command.version != PROTOCOL_VERSION:
            return False  # the supervisor has our own version, and says what to do
        defaults.use(defaults.Defaults(**command.defaults))
        settle()
        return True

    def _load(self, command: Load) -> bool:
        # Nobody handles SIGALRM here, so it ends the process, also in the middle of native code.
        signal.setitimer(signal.ITIMER_REAL, command.timeout_seconds)
        kept = load_for_keeping(command)
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._loaded = kept.file
        self._wire.send(Ready(PROTOCOL_VERSION, os.getpid(), kept.unfit, kept.imported))
        return kept.file is not None

    # --- forking ---

    def _run(self, slot: int, fd: int) -> None:
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(fd)
            self._wire.send(NotForked(slot, f"{type(error).__name__}: {error}"))
            return
        if pid == 0:
            # Nothing may return into the loop of the keeper from here on.
            try:
                self._leave_to_child()
                task_process.run(socket.socket(fileno=fd), self._loaded, parent)
            except BaseException:  # a defect of ours: the log of the attempt is the place where it is looked for
                output.SINK.line("ERROR", "tradewind.task", traceback.format_exc())
            finally:
                os._exit(1)
        os.close(fd)
        self._slots[pid], self._pids[slot] = slot, pid
        crash_point("keeper-after-fork")

    def _spawn(self, fd: int) -> None:
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            os.close(fd)  # the supervisor sees the end of that socket
            return
        if pid:
            os.close(fd)
            return
        try:
            self._leave_to_child()
            linux.die_with_parent(parent)
            linux.set_name(b"tradewind-warm")
            keeper = Keeper(socket.socket(fileno=fd))
            keeper.serve()
            keeper.end_all()
        finally:
            os._exit(0)

    def _leave_to_child(self) -> None:
        """Let go of what a forked child must not share with its keeper."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(self._wake_read)
        os.close(self._wake_write)
        self._wire.close()

    # --- ends ---

    def _reap(self) -> None:
        while (pid := _ended_child()) is not None:
            # While its leader is not reaped, the number of the group cannot be anybody else's.
            linux.kill_group(pid)
            linux.kill_all(self._families.pop(pid, ()))
            _, status, usage = os.wait4(pid, 0)
            slot = self._slots.pop(pid, None)
            if slot is None:
                continue  # a warm process, whose end the supervisor sees itself; or an orphan
            del self._pids[slot]
            self._wire.send(
                Exited(
                    slot,
                    pid,
                    os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
                    os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
                    usage.ru_maxrss * _TO_BYTES,
                    round(usage.ru_utime + usage.ru_stime, 6),
                )
            )

    def end_all(self) -> None:
        """Kill and reap every task process of this keeper."""
        for pid in list(self._slots):
            linux.kill_group(pid)
        while self._slots:
            try:
                pid, _status = os.waitpid(-1, 0)
            except ChildProcessError:
                return
            self._slots.pop(pid, None)


def _ended_child() -> int | None:
    """Return the id of a child that has ended, without reaping it."""
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return None if ended is None else ended.si_pid


def _ignore(_number: int, _frame: object) -> None:
    """Do nothing: the wake-up descriptor has been written."""
