"""How does a DAG file ask for variables and connections while it is imported? One question at a time, over a socket."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from typing import Any, Final, Literal

import msgspec

from executors.runner.masking import Masker
from executors.runner.wire import Wire, WireError
from scheduler.dagfiles.protocol import Answer, Question
from tradewind.sdk.channel import ConnectionData
from tradewind.sdk.exceptions import AirflowException


class ParseSource:
    """A :class:`tradewind.sdk.reach.Source` for the import of one DAG file. Any thread of the process may ask.

    Attributes:
        has_asked: whether what the file says depends on what it was told.
    """

    def __init__(self, sock: socket.socket, job: int, masker: Masker, answer_seconds: float) -> None:
        """
        Args:
            masker: learns the secrets among the answers.
            answer_seconds: how long to wait for each answer.
        """
        self._wire: Final = Wire(sock, msgspec.msgpack.Decoder(Answer))
        self._job, self._masker, self._answer_seconds = job, masker, answer_seconds
        self._owner: Final = os.getpid()
        self._lock = threading.Lock()
        self._number = 0
        self.has_asked = False

    def get_variable(self, key: str) -> str | None:
        """Return the text of a variable, or None when there is none."""
        return self._ask("variable", key).variable

    def get_connection(self, conn_id: str) -> ConnectionData | None:
        """Return a connection, or None when there is none."""
        return self._ask("connection", conn_id).connection

    def mask_secret(self, value: str) -> None:
        """From now on show ``***`` in place of ``value``."""
        self._masker.add(value)

    def _ask(self, kind: Literal["variable", "connection"], name: str) -> Answer:
        what = f"{kind.capitalize()} {name!r}"
        if os.getpid() != self._owner:
            raise AirflowException(
                f"{what} was asked for in a process that the DAG file forked. Ask before the fork, and hand it over."
            )
        with self._lock:
            self.has_asked = True
            self._number += 1
            try:
                self._wire.send(Question(self._job, self._number, kind, name))
                answer = self._await_answer(self._number)
            except (OSError, WireError):
                answer = None
        if answer is None:
            raise AirflowException(
                f"{what} was asked for while the DAG file was read, and no answer came within "
                f"{self._answer_seconds:g} s. Is the metadata DB slow? Better ask inside a task."
            )
        if answer.refused is not None:
            raise AirflowException(f"{what} cannot be had while the DAG file is read: {answer.refused}")
        learn(self._masker, answer)
        return answer

    def _await_answer(self, number: int) -> Answer | None:
        """Return the answer to a question; None when it does not come in time. Late answers to others are dropped."""
        until = time.monotonic() + self._answer_seconds
        while True:
            left = max(0.0, until - time.monotonic())
            if not self._wire.has_message and not select.select([self._wire.socket], [], [], left)[0]:
                return None
            answer = self._wire.receive()
            if answer is None or answer.number == number:
                return answer


def learn(masker: Masker, answer: Answer) -> None:
    """Add what is secret in an answer: passwords, and what has a telling name."""
    if answer.connection is not None:
        masker.add(answer.connection.password)
        masker.add_by_name("", _plain(answer.connection.extra))
    if answer.variable is not None:
        masker.add_by_name(answer.name, answer.variable)
        masker.add_by_name("", _plain(answer.variable))


def _plain(text: str | None) -> Any:
    """Return the JSON object in ``text``; None when it is anything else."""
    if not text or not text.lstrip().startswith("{"):
        return None
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
