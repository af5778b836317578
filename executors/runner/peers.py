"""How does the supervisor talk to many processes at once? One :class:`Peer` per socket, on one loop, never waiting."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import msgspec

from executors.runner.wire import FrameReader, WireError, frame

M = TypeVar("M")
_READ_BYTES: Final = 64 * 1024


class Peer(Generic[M]):
    """One end of a socketpair whose other end another process holds. All methods belong to the thread of the loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        decoder: msgspec.msgpack.Decoder[M],
        on_message: Callable[[M], None],
        on_end: Callable[[str], None],
    ) -> None:
        """
        Args:
            on_message: called for each message.
            on_end: called once, when the other side is gone or talks nonsense; the text says which. Not called after
                :meth:`close`.
        """
        self._loop, self._socket = loop, sock
        self._frames = FrameReader(decoder)
        self._on_message, self._on_end = on_message, on_end
        self._unsent: deque[tuple[bytes, socket.socket | None]] = deque()
        self.is_open = True
        sock.setblocking(False)
        loop.add_reader(sock.fileno(), self._readable)

    def send(self, message: Any, attach: socket.socket | None = None) -> None:
        """Send a message, now or as soon as there is room. Does nothing when the other side is gone.

        Args:
            attach: a socket whose descriptor goes along; it is closed here.
        """
        if not self.is_open:
            if attach is not None:
                attach.close()
            return
        self._unsent.append((frame(message), attach))
        if len(self._unsent) == 1:
            self._write()

    def drain(self) -> None:
        """Take in all that has arrived: for a process that is known to be gone, so that nothing more can come."""
        while self.is_open and self._read():
            pass

    def close(self) -> None:
        """Close this end. Idempotent."""
        if not self.is_open:
            return
        self.is_open = False
        fd = self._socket.fileno()
        self._loop.remove_reader(fd)
        self._loop.remove_writer(fd)
        self._socket.close()
        for _data, attached in self._unsent:
            if attached is not None:
                attached.close()
        self._unsent.clear()

    def _write(self) -> None:
        while self._unsent:
            data, attached = self._unsent[0]
            try:
                if attached is None:
                    sent = self._socket.send(data)
                else:
                    sent = socket.send_fds(self._socket, [data], [attached.fileno()])
                    attached.close()
            except (BlockingIOError, InterruptedError):
                self._loop.add_writer(self._socket.fileno(), self._writable)
                return
            except OSError:  # reading says so too, and has the last words of the other side before that
                self._unsent.popleft()
                if attached is not None:
                    attached.close()
                continue
            if sent < len(data):
                self._unsent[0] = (data[sent:], None)
            else:
                self._unsent.popleft()

    def _writable(self) -> None:
        self._loop.remove_writer(self._socket.fileno())
        self._write()

    def _readable(self) -> None:
        self._read()

    def _read(self) -> bool:
        """Take in one read; False: there is nothing more now."""
        try:
            data = self._socket.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            self._end(f"its socket failed: {error}")
            return False
        if not data:
            self._end("it closed its socket")
            return False
        try:
            for message in self._frames.feed(data):
                self._on_message(message)
                if not self.is_open:
                    return False
        except WireError as error:
            self._end(str(error))
            return False
        return True

    def _end(self, why: str) -> None:
        self.close()
        self._on_end(why)
