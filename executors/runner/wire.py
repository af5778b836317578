"""How do messages travel over a socketpair? Framed msgpack, with file descriptors beside the messages that need one."""

from __future__ import annotations

import os
import socket
import struct
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

import msgspec

M = TypeVar("M")

MAX_FRAME_BYTES: Final = 512 * 1024 * 1024
"""A longer frame is nonsense: it would be read into the memory of the host process."""

_LENGTH: Final = struct.Struct("!I")
_READ_BYTES: Final = 64 * 1024
_MAX_FDS: Final = 64


def _plain(value: object) -> datetime:
    """Return a date of a class of its own, such as pendulum's, as one that msgspec knows."""
    if not isinstance(value, datetime):
        raise NotImplementedError(f"Encoding objects of type {type(value).__name__} is unsupported")
    return datetime.combine(value.date(), value.time(), value.tzinfo)


_encoder: Final = msgspec.msgpack.Encoder(enc_hook=_plain)


class WireError(Exception):
    """The other side sent something that is not a frame, or not a message that is allowed here."""


def frame(message: Any) -> bytes:
    """Return ``message`` as it goes over the wire.

    Raises:
        WireError: it is larger than :data:`MAX_FRAME_BYTES`.
    """
    body = _encoder.encode(message)
    if len(body) > MAX_FRAME_BYTES:
        raise WireError(f"A message of {len(body)} bytes is larger than the {MAX_FRAME_BYTES} bytes that one may have.")
    return _LENGTH.pack(len(body)) + body


class FrameReader(Generic[M]):
    """Cuts a stream of bytes into messages of one direction."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[M]) -> None:
        self._decoder = decoder
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[M]:
        """Yield the messages that ``data`` completes.

        Raises:
            WireError: the bytes are no message of this direction.
        """
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > MAX_FRAME_BYTES:
                raise WireError(f"A frame of {length} bytes was announced; at most {MAX_FRAME_BYTES} are allowed.")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            body = bytes(memoryview(self._buffer)[_LENGTH.size : end])
            del self._buffer[:end]
            try:
                message = self._decoder.decode(body)
            except msgspec.DecodeError as error:
                raise WireError(f"A message could not be understood: {error}") from error
            yield message


class Wire(Generic[M]):
    """The blocking end, for processes that do one thing at a time. ``M`` is what is received."""

    def __init__(self, sock: socket.socket, decoder: msgspec.msgpack.Decoder[M]) -> None:
        self.socket: Final = sock
        self._frames = FrameReader(decoder)
        self._messages: deque[M] = deque()
        self._fds: deque[int] = deque()

    def send(self, message: Any) -> None:
        """Send one message.

        Raises:
            OSError: the other side is gone.
        """
        self.socket.sendall(frame(message))

    @property
    def has_message(self) -> bool:
        """Whether :meth:`receive` would return without waiting."""
        return bool(self._messages)

    def receive(self) -> M | None:
        """Wait for one message; None: the other side is gone."""
        while not self._messages:
            data = self.socket.recv(_READ_BYTES)
            if not data:
                return None
            self._messages.extend(self._frames.feed(data))
        return self._messages.popleft()

    def receive_ready(self) -> list[M] | None:
        """Return the messages that one read of a readable socket brings; None: the other side is gone."""
        data, fds, _flags, _address = socket.recv_fds(self.socket, _READ_BYTES, _MAX_FDS)
        for fd in fds:
            os.set_inheritable(fd, False)  # recv_fds() takes flags, among them the one for this, and drops them
            self._fds.append(fd)
        if not data:
            return None
        return list(self._frames.feed(data))

    def close(self) -> None:
        """Close the socket, and the descriptors that nobody has taken: in a child they would be somebody else's."""
        self.socket.close()
        while self._fds:
            os.close(self._fds.popleft())

    def take_fd(self) -> int:
        """Return the descriptor that came with the message at hand.

        Raises:
            WireError: none came.
        """
        if not self._fds:
            raise WireError("A message that needs a descriptor came without one.")
        return self._fds.popleft()
