"""What does a task process do, from its fork to its end? Open its log, run the task, tell the result, and be gone."""

from __future__ import annotations

import faulthandler
import gc
import logging
import os
import resource
import signal
import socket
import sys
from datetime import UTC, datetime
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from executors.bundles.holding import hold
from executors.runner import linux, output
from executors.runner.loading import LoadedFile, load
from executors.runner.protocol import PROTOCOL_VERSION, Begin, Hello, Result, ToTask
from executors.runner.task_channel import SocketChannel
from executors.runner.wire import Wire
from tradewind.faults import crash_point
from tradewind.model.orders import Outcome
from tradewind.sdk import reach
from tradewind.sdk.execution import run_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradewind.model.orders import AttemptOrder
    from tradewind.sdk.channel import TaskChannel
    from tradewind.sdk.dag import DAG
    from tradewind.sdk.execution import TaskResult

    Runner = Callable[[DAG, AttemptOrder, TaskChannel], TaskResult]

_decoder: Final = msgspec.msgpack.Decoder(ToTask)
log = logging.getLogger("tradewind.task")


class ImportTookTooLong(BaseException):
    """Raised by the alarm inside the import of a DAG file. Not an Exception, so that no broad handler swallows it."""


def run(sock: socket.socket, loaded: LoadedFile | None, parent_pid: int) -> NoReturn:
    """Run the attempt that is told over ``sock``, in a process that was forked for it alone; end the process.

    Args:
        loaded: the DAG file, when the keeper has imported it.
        parent_pid: of the keeper, with which this process dies.
    """
    os.setsid()
    linux.die_with_parent(parent_pid)
    linux.set_name(b"tradewind-task")
    wire: Wire[ToTask] = Wire(sock, _decoder)
    wire.send(Hello(PROTOCOL_VERSION, os.getpid(), datetime.now(UTC)))
    begin = wire.receive()
    if not isinstance(begin, Begin) or begin.version != PROTOCOL_VERSION:
        os._exit(1)
    result = _attempt(begin, wire, loaded)
    output.finish()
    crash_point("task-before-result")
    wire.send(msgspec.structs.replace(result, lost_log_bytes=output.SINK.lost_bytes))
    crash_point("task-after-result")
    os._exit(1 if result.outcome is Outcome.FAILED else 0)


def _attempt(begin: Begin, wire: Wire[ToTask], loaded: LoadedFile | None) -> Result:
    _prepare(begin)
    channel = SocketChannel(wire, output.SINK.masker, begin.xcom_policy)
    try:
        if loaded is None:
            loaded = _load(begin, channel)
        dag = loaded.dag(begin.order.dag_id)
        run = _caller() if begin.order.callback is not None else _task_runner(dag, begin.order.task_id)
    except BaseException as error:
        output.SINK.line("ERROR", "tradewind.task", _import_failure(begin, error))
        return Result(Outcome.FAILED, _one_line(error))
    crash_point("task-before-run")
    try:
        done = run(dag, begin.order, channel)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the end is decided: what is left is to tell it
    except BaseException as error:  # what run_task does not turn into a result itself, e.g. that it was told to end
        log.error("The task ended early.", exc_info=error)
        return Result(Outcome.FAILED, _one_line(error))
    told = None if done.error is None else output.SINK.masker.redact(done.error)
    return Result(done.outcome, told, done.may_retry, tuple(done.xcoms), then=done.then)


def _caller() -> Runner:
    # Late: most processes run tasks.
    from tradewind.sdk.callback_run import run_callback

    return run_callback


def _task_runner(dag: DAG, task_id: str) -> Runner:
    """Return what runs a task.

    Raises:
        NotFound: the DAG has no such task here.
    """
    task = dag.get_task(task_id)
    return lambda dag, order, channel: run_task(dag, task, order, channel)


def _prepare(begin: Begin) -> None:
    """Open the log, and make this process what a task may expect of one."""
    why = output.SINK.open(begin.log_path)
    output.SINK.masker.set_names(begin.sensitive_names, begin.hide_sensitive)
    logging.getLogger().setLevel(begin.log_level)
    if why is not None:
        log.error("The log cannot be written: %s", why)  # counted as lost, and so told by the supervisor
    faulthandler.enable(2)  # a crash of native code leaves a traceback in the log
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the base process ignores it
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:  # the standard library does so by itself: forks must not draw the same numbers
        numpy_random.seed()
    if begin.memory_limit_bytes:
        resource.setrlimit(resource.RLIMIT_DATA, (begin.memory_limit_bytes, begin.memory_limit_bytes))
    gc.enable()


def _load(begin: Begin, channel: SocketChannel) -> LoadedFile:
    """Import the DAG file here, within its time limit. It may ask for variables and connections."""
    assert begin.source is not None
    hold(begin.lock_path)

    def give_up(_number: int, _frame: FrameType | None) -> NoReturn:
        raise ImportTookTooLong(
            f"the import of {begin.dag_path} took longer than {begin.import_timeout_seconds:g} s "
            "([core] dagbag_import_timeout). Move slow work from the top of the file into its tasks"
        )

    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, begin.import_timeout_seconds)
    try:
        with reach.reading_from(channel):
            return load(begin.dag_path, begin.source, begin.dags_folder)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _import_failure(begin: Begin, error: BaseException) -> str:
    """Return the message and the traceback, without our own frames above those of the file."""
    frames = error.__traceback__
    inside = frames
    while inside is not None and inside.tb_frame.f_code.co_filename != begin.dag_path:
        inside = inside.tb_next
    text = logging.Formatter().formatException((type(error), error, inside or frames))
    what = f"Task {begin.order.task_id!r}" if begin.order.callback is None else "The callback"
    return f"{what} cannot run, since {begin.dag_path} cannot give it.\n{text}"


def _one_line(error: BaseException) -> str:
    return output.SINK.masker.redact(" ".join(f"{type(error).__name__}: {error}".split()))
