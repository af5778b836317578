"""How is one DAG file read? In a process of its own, with a limit of time and of memory; user code runs here.

This process has no credentials, no database and no way to the scheduler but one pipe for its answer, and one socket for
asking for variables and connections.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import socket
import time
import warnings
from collections import Counter
from contextlib import suppress
from types import FrameType
from typing import NoReturn

import msgspec

from executors.runner import linux
from executors.runner.masking import Masker
from scheduler.dagfiles.asking import ParseSource
from scheduler.dagfiles.clearing import cleared
from scheduler.dagfiles.foretelling import answer_about_runs
from scheduler.dagfiles.parse_extension import check_extension, is_extension
from scheduler.dagfiles.problems import describe
from scheduler.dagfiles.protocol import Outcome, ParseRequest, RunsAnswer, Setup
from scheduler.dagfiles.watched_import import Watch
from tradewind.config.executor_names import unknown_executor
from tradewind.errors import DagError
from tradewind.metadata.source_text import decode_source
from tradewind.model.parsed import FileError, FileWarning
from tradewind.model.spec import DagSpec
from tradewind.plugins import policies
from tradewind.plugins.load import ensure_loaded
from tradewind.sdk import reach
from tradewind.sdk.dag import DAG
from tradewind.sdk.exceptions import IgnoredArgumentWarning
from tradewind.sdk.loader import load_dag_file
from tradewind.sdk.serialize import to_spec

_MAX_WARNINGS = 100
_MAX_WARNING = 2000
_MIB = 1024 * 1024
_NAMES_OF_OURS = ("airflow", "default_pool", "all_success")


class ImportTakesTooLong(BaseException):
    """Raised into the import when its time is over. No ``Exception``, so that ``except Exception`` does not eat it."""


def run_child(
    request: ParseRequest, setup: Setup, result_fd: int, output_fd: int, asking: socket.socket, parent_pid: int
) -> NoReturn:
    """Read the file, write an ``Outcome`` to ``result_fd``, end the process. Called right after the fork."""
    try:
        gc.enable()  # off in the server; what came from there is frozen, so it is left alone
        os.setsid()
        linux.die_with_parent(parent_pid)
        _redirect(output_fd)
        _limit_memory(setup.memory_limit_mb)
        answer = msgspec.msgpack.encode(parse(request, setup, asking))
        with open(result_fd, "wb", closefd=False) as pipe:
            pipe.write(answer)
    finally:
        # Nothing of the user's runs at the end: no atexit, no waiting for threads.
        os._exit(0)


def parse(request: ParseRequest, setup: Setup, asking: socket.socket) -> Outcome:
    """Return what the file defines, or what is wrong with it. Changes this process for good: call it once."""
    started = time.monotonic()
    watch = Watch(request.folder, request.path)
    masker = Masker()
    masker.set_names(setup.sensitive_names, setup.hide_sensitive)
    answers = ParseSource(asking, request.job, masker, setup.answer_seconds)
    specs: list[DagSpec] = []
    errors: list[FileError] = []
    timed_out = False
    notes: tuple[FileWarning, ...] = ()
    answer: RunsAnswer | None = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            decode_source(request.source)
            _start_timer(setup.import_seconds)
            try:
                with reach.reading_from(answers):
                    ensure_loaded()  # unwatched: that plugins look at other files says nothing about this one
                    _start_timer(policies.import_timeout(request.path, setup.import_seconds))
                    watch.start()
                    is_dag_file = not is_extension(request, setup)
                    dags = load_dag_file(request.path, request.source, request.folder) if is_dag_file else []
                watch.stop()
                if not is_dag_file:
                    errors, notes = check_extension(request, masker.redact)
                elif request.question is not None:
                    answer = answer_about_runs(dags, request.question, masker.redact)
                else:
                    _serialize(dags, request, setup, specs, errors)
                    _clear(specs, errors, masker, _public(request, setup))
            finally:
                _stop_timer()
        except MemoryError as error:
            errors.append(describe(error, request.path, request.folder, _memory_mend(setup), masker.redact))
        except ImportTakesTooLong as error:
            timed_out = True
            errors.append(describe(error, request.path, request.folder, _timeout_mend(setup), masker.redact))
        except BaseException as error:  # the edge of user code: SystemExit and KeyboardInterrupt are its failures too
            errors.append(describe(error, request.path, request.folder, redact=masker.redact))
        watch.stop()
    return Outcome(
        specs=tuple(specs),
        errors=tuple(errors),
        seconds=round(time.monotonic() - started, 4),
        depends_on=watch.depends_on(),
        looks_outside=watch.looked_outside() or answers.has_asked,
        timed_out=timed_out,
        warnings=_own_warnings(caught, f"{request.folder}/", masker) + notes,
        answer=answer,
    )


def _serialize(
    dags: list[DAG], request: ParseRequest, setup: Setup, specs: list[DagSpec], errors: list[FileError]
) -> None:
    """Turn DAGs into specs; one that cannot be is an error, and the others are kept."""
    count = Counter(dag.dag_id for dag in dags)
    last = {dag.dag_id: dag for dag in dags}
    for dag_id in sorted(count):
        if count[dag_id] > 1:
            twice = f"DAG id {dag_id!r} is defined {count[dag_id]} times in this file. Give each DAG an id of its own."
            errors.append(FileError(twice, _line_of(last[dag_id], request)))
    for dag in sorted(dags, key=lambda dag: dag.dag_id):
        if count[dag.dag_id] > 1:
            continue
        try:
            specs.append(_check_executors(to_spec(dag), setup))
        except Exception as error:
            if error is not dag.refusal and not isinstance(error, DagError | ValueError | TypeError):
                raise
            found = describe(error, request.path, request.folder)
            named = found.message if repr(dag.dag_id) in found.message else f"DAG {dag.dag_id!r}: {found.message}"
            line = found.line or _line_of(dag, request)
            errors.append(msgspec.structs.replace(found, message=named, line=line))


def _check_executors(spec: DagSpec, setup: Setup) -> DagSpec:
    """Refuse a task that no scheduler here could start."""
    for task in spec.tasks:
        if task.executor is not None and setup.executors and task.executor not in setup.executors:
            raise DagError(unknown_executor(task.task_id, task.executor, set(setup.executors.values())))
    return spec


def _line_of(dag: DAG, request: ParseRequest) -> int | None:
    """Return where the file makes a DAG; None when a module that it imports does."""
    path, line = dag.made_at
    return line if path == request.path else None


def _clear(specs: list[DagSpec], errors: list[FileError], masker: Masker, public: str) -> None:
    """Take what the file was told in secret out of what it gives; a DAG that cannot do without is an error."""
    given, specs[:] = list(specs), []
    for spec in given:
        try:
            specs.append(cleared(spec, masker, public))
        except DagError as error:
            errors.append(FileError(f"DagError: {error}"))
    errors[:] = [
        FileError(masker.redact(e.message), e.line, e.traceback and masker.redact(e.traceback)) for e in errors
    ]


def _public(request: ParseRequest, setup: Setup) -> str:
    """Return what everybody knows: the text of the file, and what stands in specs where a file says nothing."""
    return "\n".join([decode_source(request.source), *map(str, setup.defaults.values()), *_NAMES_OF_OURS])


def _redirect(output_fd: int) -> None:
    os.dup2(output_fd, 1)
    os.dup2(output_fd, 2)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _limit_memory(limit_mb: int) -> None:
    """Bound what this process may allocate. Data, not address space: libraries reserve much of that and use little."""
    if limit_mb:
        with suppress(ValueError, OSError):  # a lower limit was set from outside; it holds as well
            resource.setrlimit(resource.RLIMIT_DATA, (limit_mb * _MIB, limit_mb * _MIB))


def _start_timer(seconds: float) -> None:
    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise ImportTakesTooLong

    signal.signal(signal.SIGALRM, interrupt)
    # Again each second, for a file that catches everything and goes on. 0 (a policy may say so) is no limit.
    signal.setitimer(signal.ITIMER_REAL, max(0.0, seconds), 1.0)


def _stop_timer() -> None:
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 0)


def _timeout_mend(setup: Setup) -> str:
    return (
        f"The import did not end within {setup.import_seconds:g} s. Move slow work into tasks, or raise [core] "
        "dagbag_import_timeout."
    )


def _memory_mend(setup: Setup) -> str:
    return (
        f"The import took more than {setup.memory_limit_mb} MiB. Move the work into tasks, or raise [dag_processor] "
        "parse_memory_limit_mb."
    )


def _own_warnings(caught: list[warnings.WarningMessage], folder: str, masker: Masker) -> tuple[FileWarning, ...]:
    """Return the warnings about lines of the user's own files, and about arguments, wherever they are given."""
    own = [one for one in caught if one.filename.startswith(folder) or issubclass(one.category, IgnoredArgumentWarning)]
    found = list(dict.fromkeys(_told(one, folder, masker) for one in own))
    if len(found) > _MAX_WARNINGS:
        last, more = found[_MAX_WARNINGS - 1], len(found) - _MAX_WARNINGS
        found[_MAX_WARNINGS:] = [
            FileWarning(last.path, last.line, "UserWarning", f"{more} more warnings are not shown.")
        ]
    return tuple(found)


def _told(one: warnings.WarningMessage, folder: str, masker: Masker) -> FileWarning:
    path = one.filename.removeprefix(folder)
    text = " ".join(masker.redact(str(one.message)).split()).encode("utf-8", "replace").decode()
    return FileWarning(path, one.lineno, one.category.__name__, text[:_MAX_WARNING])
