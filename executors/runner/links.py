"""What does the supervisor hold of a keeper? A link: its socket, and which slots run under it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import msgspec

from executors.runner.peers import Peer
from executors.runner.protocol import (
    PROTOCOL_VERSION,
    Exited,
    FileStamp,
    FromKeeper,
    Kill,
    Load,
    NotForked,
    Run,
    Setup,
    Spawn,
)
from executors.runner.source import Source

_decoder: Final = msgspec.msgpack.Decoder(FromKeeper)


class Watcher(Protocol):
    """Who wants to know what becomes of slots."""

    def exited(self, ended: Exited) -> None:
        """The process of a slot has ended."""

    def not_forked(self, failed: NotForked) -> None:
        """The process of a slot could not be made."""

    def lost(self, slot: int, why: str) -> None:
        """Nobody watches the process of a slot any more; it is killed by the kernel or by us."""


class KeeperLink:
    """A keeper as the supervisor sees it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        watcher: Watcher,
        on_ready: Callable[[str | None], None],
        on_gone: Callable[[str], None],
    ) -> None:
        """
        Args:
            on_ready: called once the keeper has answered; with why, when it can never be given work.
            on_gone: called when the keeper has ended by itself, before its slots are reported as lost.
        """
        self._watcher, self._on_ready, self._on_gone = watcher, on_ready, on_gone
        self.slots: set[int] = set()
        self.is_ready = False
        self.imported: tuple[FileStamp, ...] = ()
        self.peer: Final = Peer(loop, sock, _decoder, self._heard, self._ended)

    def set_up(self, defaults: Mapping[str, Any]) -> None:
        """Say what holds for every DAG file: for the base process, before anything else."""
        self.peer.send(Setup(PROTOCOL_VERSION, dict(defaults)))

    def load(self, source: Source, timeout_seconds: float) -> None:
        """Have a DAG file imported; ``on_ready`` or ``on_gone`` will be called."""
        self.peer.send(Load(str(source.path), source.text, str(source.folder), timeout_seconds, source.lock_path))

    def run(self, slot: int, channel: socket.socket) -> None:
        """Have a task process forked that holds ``channel``, which is given away."""
        self.slots.add(slot)
        self.peer.send(Run(slot), attach=channel)

    def kill(self, slot: int, signal: int) -> None:
        """Send a signal to the process group of a slot."""
        self.peer.send(Kill(slot, signal))

    def spawn(self, control: socket.socket) -> None:
        """Have a keeper forked that listens at ``control``, which is given away."""
        self.peer.send(Spawn(), attach=control)

    def close(self) -> None:
        """Let the keeper end. Its task processes end with it."""
        self.peer.close()

    def _heard(self, message: FromKeeper) -> None:
        if isinstance(message, Exited):
            self.slots.discard(message.slot)
            self._watcher.exited(message)
        elif isinstance(message, NotForked):
            self.slots.discard(message.slot)
            self._watcher.not_forked(message)
        elif message.version != PROTOCOL_VERSION:
            self._on_ready(
                f"it speaks version {message.version} of the protocol, and we speak {PROTOCOL_VERSION}: Tradewind was "
                "changed while it ran; start it again"
            )
        else:
            self.is_ready, self.imported = message.unfit is None, message.imported
            self._on_ready(message.unfit)

    def _ended(self, why: str) -> None:
        self._on_gone(why)
        slots, self.slots = self.slots, set()
        for slot in slots:
            self._watcher.lost(slot, f"the process that watched it is gone: {why}")
