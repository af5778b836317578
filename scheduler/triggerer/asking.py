"""How does a trigger ask for variables, connections and XComs? As a task does, from any thread of the process.

Questions of many triggers are under way at once, each with a number. A question from a coroutine itself blocks the loop
until its answer is there, which takes milliseconds; ``asyncio.to_thread`` or ``sync_to_async`` avoid even that.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar
from uuid import UUID

from executors.runner.masking import Masker
from executors.runner.protocol import Answer, Request
from executors.runner.task_channel import SocketChannel, checked_answer
from scheduler.triggerer.protocol import Ask
from tradewind.sdk.channel import ChannelClosed
from tradewind.xcom.policy import XComPolicy

A = TypeVar("A")
_ANSWER_SECONDS: Final = 60.0


class Switchboard:
    """Pairs questions with their answers."""

    def __init__(self, send: Callable[[Ask], None]) -> None:
        self._send = send
        self._numbers = itertools.count(1)
        self._open: dict[int, Future[Answer]] = {}
        self._lock = threading.Lock()

    def ask(self, wait: UUID, request: Request) -> Answer:
        """Send a question and wait for its answer.

        Raises:
            ChannelClosed: the triggerer is gone, or gives no answer.
        """
        future: Future[Answer] = Future()
        with self._lock:
            number = next(self._numbers)
            self._open[number] = future
        try:
            self._send(Ask(number, wait, request))
            return future.result(_ANSWER_SECONDS)
        except (OSError, TimeoutError) as error:
            raise ChannelClosed("The triggerer gave no answer; is the metadata DB slow or gone?") from error
        finally:
            with self._lock:
                self._open.pop(number, None)

    def told(self, number: int, answer: Answer) -> None:
        """Hand over an answer; one that nobody waits for any more is dropped."""
        with self._lock:
            future = self._open.get(number)
        if future is not None and not future.done():
            future.set_result(answer)


class TriggerChannel(SocketChannel):
    """A :class:`tradewind.sdk.channel.TaskChannel` of one trigger: what a task may ask, its trigger may ask too."""

    def __init__(self, wait: UUID, switchboard: Switchboard, masker: Masker, xcom_policy: XComPolicy) -> None:
        self.xcom_policy = xcom_policy
        self._masker = masker
        self._wait, self._switchboard = wait, switchboard

    def _ask(self, request: Request, expected: type[A]) -> A:
        return checked_answer("triggerer", request, self._switchboard.ask(self._wait, request), expected)

    def _tell(self, message: Any) -> None:
        """Nothing: a trigger has no template fields that anybody would show."""
