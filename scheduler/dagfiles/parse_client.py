"""How does the manager have files read? It starts a parse server when there is work, and never waits for one file."""

from __future__ import annotations

import itertools
import os
import selectors
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from executors.runner.wire import Wire, WireError, frame
from scheduler.dagfiles.answers import AnswerQuestion, nobody_answers
from scheduler.dagfiles.protocol import (
    Answer,
    Outcome,
    ParseRequest,
    Question,
    Reply,
    RunsAnswer,
    RunsQuestion,
    Setup,
)
from tradewind.model.parsed import FileError, ParsedFile

_MAX_TRIES: Final = 2
_ROOT: Final = str(Path(__file__).resolve().parents[2])


@dataclass(slots=True)
class FileJob:
    """One file to be read.

    Attributes:
        name: what it is called in the metadata DB.
        path: absolute.
        folder: the DAG folder that it belongs to.
        question: what its timetable is asked; None: what DAGs the file defines.
    """

    name: str
    path: str
    folder: str
    source: bytes
    question: RunsQuestion | None = None
    tries: int = 0


class ParseClient:
    """Has up to ``parallel`` files read at once. For one thread, but for :meth:`wake`."""

    def __init__(
        self,
        setup: Setup,
        environment: Mapping[str, str],
        parallel: int,
        answer: AnswerQuestion = nobody_answers,
    ) -> None:
        """
        Args:
            environment: of the parse server, and so of DAG files while they are imported: without credentials.
            answer: what answers DAG files that ask for variables and connections; called by :meth:`wait`.
        """
        self._answer = answer
        self._setup, self._environment, self._parallel = setup, dict(environment), parallel
        self._jobs: dict[int, FileJob] = {}
        self._numbers = itertools.count(1)
        self._lost: list[ParsedFile] = []
        self._answers: list[tuple[FileJob, RunsAnswer]] = []
        self._server: subprocess.Popen[bytes] | None = None
        self._wire: Wire[Reply | Question] | None = None
        self._out = bytearray()
        self._selector = selectors.DefaultSelector()
        self._bell, self._bell_in = socket.socketpair()
        self._bell.setblocking(False)
        self._bell_in.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ)

    @property
    def free(self) -> int:
        """How many more files can be read now."""
        return self._parallel - len(self._jobs)

    def names(self) -> list[str]:
        """Return what is being read for its DAGs."""
        return [job.name for job in self._jobs.values() if job.question is None]

    def take_answers(self) -> list[tuple[FileJob, RunsAnswer]]:
        """Return the answers to questions that :meth:`wait` has brought since the last call."""
        answers, self._answers = self._answers, []
        return answers

    @property
    def is_busy(self) -> bool:
        """Whether a file is being read, or the answer of one has not been taken yet."""
        return bool(self._jobs or self._lost)

    @property
    def server_pid(self) -> int | None:
        """The process id of the parse server, when there is one."""
        return self._server.pid if self._server else None

    def submit(self, job: FileJob) -> None:
        """Have a file read. Returns at once; :meth:`wait` gives the answer."""
        job.tries += 1
        number = next(self._numbers)
        self._jobs[number] = job
        if self._server is None:
            self._start_server()
        self._send(ParseRequest(number, job.path, job.folder, job.source, job.question))

    def wait(self, timeout: float | None) -> list[ParsedFile]:
        """Return what has been read; waits until there is something, until :meth:`wake`, or for ``timeout`` seconds."""
        parsed, self._lost = self._lost, []
        for key, events in self._selector.select(0 if parsed else timeout):
            if key.fileobj is self._bell:
                with suppress(BlockingIOError):
                    self._bell.recv(65536)
                continue
            if events & selectors.EVENT_WRITE:
                self._flush()
            if events & selectors.EVENT_READ and self._wire is not None:
                parsed += self._receive(self._wire)
        return parsed

    def wake(self) -> None:
        """Let a :meth:`wait` in another thread return. May be called from any thread."""
        with suppress(OSError):  # full: it is awake already; closed: it needs no waking
            self._bell_in.send(b"\0")

    def rest(self) -> None:
        """Let the parse server go. The next :meth:`submit` starts another."""
        if self._wire is not None:
            self._selector.unregister(self._wire.socket)
            self._wire.socket.close()
            self._wire = None
        if self._server is not None:
            # It kills what it has started when the socket closes; this is bounded by its own limits.
            try:
                self._server.wait(15)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
            self._server = None
        self._out.clear()

    def close(self) -> None:
        """End the parse server and all that it started. Files being read are forgotten."""
        self._jobs.clear()
        self.rest()
        self._selector.close()
        self._bell.close()
        self._bell_in.close()

    def _start_server(self) -> None:
        ours, theirs = socket.socketpair()
        search_path = os.pathsep.join(filter(None, [_ROOT, self._environment.get("PYTHONPATH", "")]))
        with theirs:
            self._server = subprocess.Popen(
                # -P: what lies in the working directory must not stand in for a module of ours.
                [sys.executable, "-P", "-m", "scheduler.dagfiles.parse_server", str(theirs.fileno())],
                env={**self._environment, "PYTHONPATH": search_path},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in the terminal is for us
            )
        ours.setblocking(False)
        self._wire = Wire(ours, msgspec.msgpack.Decoder(Reply | Question))
        self._selector.register(ours, selectors.EVENT_READ)
        self._send(self._setup)

    def _send(self, message: Setup | ParseRequest | Answer) -> None:
        self._out += frame(message)
        self._flush()

    def _flush(self) -> None:
        if self._wire is None:
            return
        try:
            while self._out:
                del self._out[: self._wire.socket.send(self._out)]
        except BlockingIOError:
            pass
        except OSError:  # it is gone; reading tells, and handles it
            self._out.clear()
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._out else 0)
        self._selector.modify(self._wire.socket, events)

    def _receive(self, wire: Wire[Reply | Question]) -> Sequence[ParsedFile]:
        try:
            messages = wire.receive_ready()
        except (OSError, WireError):
            messages = None
        if messages is None:
            self._server_is_gone()
            return ()
        found = []
        for message in messages:
            if isinstance(message, Question):
                self._send(self._answer(message))
            elif (job := self._jobs.pop(message.job, None)) is not None:
                found += self._done(job, message.outcome)
        return found

    def _server_is_gone(self) -> None:
        """Start again what it was reading; a file with which it went twice is told to be the cause."""
        self.rest()
        jobs, self._jobs = list(self._jobs.values()), {}
        for job in jobs:
            if job.tries < _MAX_TRIES:
                self.submit(job)
                continue
            message = (
                f"The process that reads DAG files ended {job.tries} times while it read this one. The log of the "
                "scheduler may say why; SIGKILL from outside often means that the machine ran out of memory."
            )
            self._lost += self._done(job, Outcome(errors=(FileError(message),)))

    def _done(self, job: FileJob, outcome: Outcome) -> list[ParsedFile]:
        if job.question is None:
            return [_parsed(job, outcome)]
        failure = outcome.errors[0].message if outcome.errors else "its process gave no answer"
        self._answers.append((job, outcome.answer or RunsAnswer(error=failure)))
        return []


def _parsed(job: FileJob, outcome: Outcome) -> ParsedFile:
    return ParsedFile(
        path=job.name,
        source=job.source,
        specs=outcome.specs,
        errors=outcome.errors,
        seconds=outcome.seconds,
        depends_on=outcome.depends_on,
        looks_outside=outcome.looks_outside,
        timed_out=outcome.timed_out,
        warnings=outcome.warnings,
    )
