"""What does the parse server know of a process that reads a DAG file, and what does it say when that gave no answer?"""

from __future__ import annotations

import os
import signal
import socket
import time
from dataclasses import dataclass, field
from typing import Final

import msgspec

from executors.runner.masking import Masker
from executors.runner.wire import Wire
from scheduler.dagfiles.protocol import Outcome, Question, Setup
from tradewind.model.parsed import FileError

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
TAIL_BYTES: Final = 4096
_PUSH_SECONDS: Final = 2.0
"""How long a child may keep the server from passing on an answer. One that waits for it takes it at once."""


@dataclass(slots=True)
class Child:
    """One process that reads a DAG file. ``masker`` knows the secrets that it was told."""

    pid: int
    job: int
    result_fd: int
    output_fd: int
    asking: Wire[Question]
    masker: Masker
    kill_seconds: float
    kill_at: float
    killed: bool = False
    answer: bytearray = field(default_factory=bytearray)
    output: bytearray = field(default_factory=bytearray)


def new_child(pid: int, job: int, result_fd: int, output_fd: int, asking: socket.socket, setup: Setup) -> Child:
    """Return a child that was forked just now; ``asking`` is our end of its socket for questions."""
    asking.settimeout(_PUSH_SECONDS)
    masker = Masker()
    masker.set_names(setup.sensitive_names, setup.hide_sensitive)
    questions = Wire(asking, msgspec.msgpack.Decoder(Question))
    kill_at = time.monotonic() + setup.kill_seconds
    return Child(pid, job, result_fd, output_fd, questions, masker, setup.kill_seconds, kill_at)


def without_answer(child: Child, status: int) -> Outcome:
    """Return what is told of a file whose process ended with no answer, or not with one that can be used."""
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
    # Cut once more after it was masked: where it was cut before, a secret may have lost its beginning.
    tail = child.masker.redact(child.output.decode("utf-8", "replace"))[-TAIL_BYTES:].strip()
    trace = f"{message}\n\nThe last that it wrote:\n{tail}" if tail else None
    error = FileError(message, traceback=trace)
    return Outcome(errors=(error,), timed_out=child.killed, seconds=child.kill_seconds if child.killed else 0.0)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
