"""How do many processes live and die together? Each is started again when it ends; when this one ends, all end.

A member that ends by itself is started again after a moment, as systemd would do it. What members print is told line
by line, with their names. On Linux the kernel ends every member when this process is killed.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tradewind.console.cluster import launch

log = logging.getLogger(__name__)

Tell = Callable[[str, str], None]
"""Takes the name of a member and a line that it printed, without its end."""

LOOK_SECONDS: Final = 0.2
"""How often members are looked after; a child's end rings nobody who also waits for output."""
RESTART_SECONDS: Final = 1.0
SHORT_LIFE_SECONDS: Final = 10.0
SHORT_LIVES: Final = 3
"""So many short lives in a row mean that it would only die again."""
_CHUNK: Final = 65536


@dataclass(frozen=True, slots=True)
class Member:
    """One program of the company.

    Attributes:
        name: stands before each of its lines.
        environ: its whole environment.
        user: user and group id to run as; None: those of this process.
        stop_signal: asks it to end in order.
        orphan_signal: the kernel sends it when this process is gone.
        stop_seconds: how long it may take to end in order, before it is killed.
    """

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    user: tuple[int, int] | None = None
    folder: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    stop_seconds: float = 20.0


@dataclass(slots=True)
class _Life:
    """A member and the process that it has now, if any."""

    member: Member
    stage: int
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    restart_at: float | None = None
    short_lives: int = 0
    buffers: dict[Any, bytes] = field(default_factory=dict)


class Company:
    """Members in stages: a later stage needs the earlier ones, and ends before them.

    Start members and run the loop in threads that last as long as the members may: the kernel takes the end of the
    thread that started a process for the end of its parent.

    Attributes:
        error: why the company has given up, if it has: a member cannot live.
    """

    def __init__(self, tell: Tell, *, gives_up: bool = True) -> None:
        """
        Args:
            gives_up: end everything when a member dies again and again at once. False: keep trying.
        """
        self.error: str | None = None
        self._tell, self._gives_up = tell, gives_up
        self._lives: dict[str, _Life] = {}
        self._selector = selectors.DefaultSelector()
        self._lock = threading.RLock()  # members may be started and struck from other threads than the loop's
        self._is_ending = False

    def start(self, *members: Member, stage: int) -> None:
        """Start members; a member of the same name is replaced by its new self when it is started the next time."""
        with self._lock:
            for member in members:
                life = self._lives.setdefault(member.name, _Life(member, stage))
                life.member, life.stage = member, stage
                if life.process is None:
                    self._spawn(life)

    def pid(self, name: str) -> int | None:
        """Return the process id of a member, or None while it is down."""
        with self._lock:
            process = self._lives[name].process
            return None if process is None or process.poll() is not None else process.pid

    def send(self, name: str, number: signal.Signals) -> bool:
        """Send a signal to a member; False when it is down."""
        with self._lock:
            process = self._lives[name].process
            if process is None or process.poll() is not None:
                return False
            process.send_signal(number)
            return True

    def run(self, stop: threading.Event) -> None:
        """Look after the members until ``stop`` is set, or one of them cannot live."""
        while not stop.is_set() and self.error is None:
            self.step(LOOK_SECONDS)

    def step(self, seconds: float) -> None:
        """Tell what was printed within ``seconds``, and start again what has ended."""
        for key, _ in self._selector.select(seconds):
            self._read(key.data, key.fileobj)
        with self._lock:
            for life in self._lives.values():
                self._look_after(life)

    def end(self) -> None:
        """End all members, the last stage first, each stage at once. Idempotent."""
        self._is_ending = True
        for stage in sorted({life.stage for life in self._lives.values()}, reverse=True):
            self._end_stage([life for life in self._lives.values() if life.stage == stage])
        for key in list(self._selector.get_map().values()):
            self._forget(key.data, key.fileobj)

    def _end_stage(self, lives: Sequence[_Life]) -> None:
        alive = [(life.member, life.process) for life in lives if life.process is not None]
        began = time.monotonic()
        for member, process in alive:
            process.send_signal(signal.SIGCONT)  # a stopped one could not hear the next
            process.send_signal(member.stop_signal)
        for member, process in alive:
            while process.poll() is None:
                self.step(0.05)  # what it says at its end, and so that a full pipe does not keep it
                if time.monotonic() - began > member.stop_seconds:
                    self._tell(member.name, f"did not end within {member.stop_seconds:g} s: killed")
                    process.kill()
                    process.wait()
        self.step(0)

    def _spawn(self, life: _Life) -> None:
        member = life.member
        user, group = member.user or (-1, -1)
        words = [str(os.getpid()), str(int(member.orphan_signal)), str(user), str(group), *map(str, member.command)]
        process = subprocess.Popen(
            [sys.executable, "-SE", launch.__file__, *words],
            env=dict(member.environ),
            cwd=member.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,  # Ctrl-C reaches this process alone, which then ends all in order
        )
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        self._selector.register(process.stdout, selectors.EVENT_READ, life)
        life.process, life.started, life.restart_at = process, time.monotonic(), None

    def _look_after(self, life: _Life) -> None:
        now = time.monotonic()
        if life.process is not None and life.process.poll() is not None:
            self._bury(life, life.process.returncode, now)
        if life.restart_at is not None and now >= life.restart_at and not self._is_ending:
            self._spawn(life)

    def _bury(self, life: _Life, code: int, now: float) -> None:
        life.process = None
        if self._is_ending:
            return
        life.short_lives = life.short_lives + 1 if now - life.started < SHORT_LIFE_SECONDS else 0
        how = f"exit code {code}" if code >= 0 else f"killed by signal {-code}"
        if self._gives_up and life.short_lives >= SHORT_LIVES:
            self.error = (
                f"{life.member.name} ended {SHORT_LIVES} times at once ({how}). What it said stands above, after its "
                "name."
            )
            return
        self._tell(life.member.name, f"ended ({how}); starting it again")
        life.restart_at = now + RESTART_SECONDS

    def _read(self, life: _Life, pipe: Any) -> None:
        try:
            chunk = os.read(pipe.fileno(), _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        *lines, rest = (life.buffers.pop(pipe, b"") + chunk).split(b"\n")
        for line in lines:
            self._tell(life.member.name, line.decode(errors="replace").rstrip("\r"))
        if chunk:
            life.buffers[pipe] = rest
            return
        if rest:
            self._tell(life.member.name, rest.decode(errors="replace"))
        self._forget(life, pipe)

    def _forget(self, life: _Life, pipe: Any) -> None:
        life.buffers.pop(pipe, None)
        with suppress(KeyError):
            self._selector.unregister(pipe)
        pipe.close()
