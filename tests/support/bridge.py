"""How does a test lose what one program says to another? A bridge between them that answers can be dropped from."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final


class Bridge:
    """Hands on bytes between those who connect to it and a server, until told otherwise."""

    def __init__(self, port: int) -> None:
        """
        Args:
            port: of the server, on this machine.
        """
        self._target: Final = port
        self._server: Final = socket.create_server(("127.0.0.1", 0))
        self.port: Final[int] = self._server.getsockname()[1]
        self._lock: Final = threading.Lock()
        self._to_lose = 0
        self._open: Final[set[socket.socket]] = set()
        self.lost: Final = threading.Semaphore(0)
        """Released for each answer that was lost."""

    def lose_answers(self, count: int = 1) -> None:
        """Let questions through, and end the connection in place of the next answers."""
        with self._lock:
            self._to_lose = count

    def serve(self) -> None:
        """Connect whoever comes, until closed."""
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._open.update((near, far))
                for source, target, is_answer in ((near, far, False), (far, near, True)):
                    threading.Thread(target=self._carry, args=(source, target, is_answer), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if is_answer and self._must_lose():
                    self.lost.release()
                    break
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _must_lose(self) -> bool:
        with self._lock:
            if not self._to_lose:
                return False
            self._to_lose -= 1
            return True

    def close(self) -> None:
        """End all connections, and take no more."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextmanager
def bridge_to(port: int) -> Iterator[Bridge]:
    """A bridge to a server of this machine."""
    bridge = Bridge(port)
    thread = threading.Thread(target=bridge.serve, name="bridge")
    thread.start()
    try:
        yield bridge
    finally:
        bridge.close()
        thread.join(timeout=10)
