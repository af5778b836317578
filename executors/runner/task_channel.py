"""How does a running task ask for what is outside its process? One question at a time, over a socket."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import msgspec

from executors.runner.masking import Masker
from executors.runner.protocol import (
    AskAboutRuns,
    AskAssets,
    AssetsAnswer,
    ConnectionAnswer,
    Count,
    CountXComs,
    DeleteVariable,
    Done,
    GetConnection,
    GetPreviousSuccess,
    GetVariable,
    GetXCom,
    GetXComRange,
    PreviousAnswer,
    PushXCom,
    Refused,
    Rendered,
    Request,
    RunsAnswer,
    SetVariable,
    Text,
    ToTask,
    XComs,
)
from executors.runner.wire import Wire
from tradewind.errors import TradewindError
from tradewind.model.asset_talk import AssetAnswer, AssetQuestion
from tradewind.model.orders import XComValue
from tradewind.sdk.channel import ChannelClosed, ConnectionData, FoundXCom, PreviousRun
from tradewind.sdk.run_questions import RunAnswer, RunQuestion
from tradewind.xcom.policy import XComPolicy

A = TypeVar("A")


class RequestRefused(TradewindError):
    """The supervisor could not answer what a task asked for."""

    code = "request-refused"


def checked_answer(who: str, request: Request, answer: object, expected: type[A]) -> A:
    """Return the answer of ``who`` to a request, when it is of the kind that was asked for.

    Raises:
        RequestRefused: it is another, or says that the request could not be met.
    """
    if isinstance(answer, Refused):
        raise RequestRefused(answer.error)
    if not isinstance(answer, expected):
        raise RequestRefused(f"The {who} answered {type(request).__name__} with {type(answer).__name__}.")
    return answer


class SocketChannel:
    """A :class:`tradewind.sdk.channel.TaskChannel` to the supervisor.

    Any thread of the task process may ask; its child processes may not, since answers would go astray between them.
    """

    def __init__(self, wire: Wire[ToTask], masker: Masker, xcom_policy: XComPolicy) -> None:
        self._wire, self._masker = wire, masker
        self.xcom_policy = xcom_policy
        self._owner: Final = os.getpid()
        self._lock = threading.Lock()
        self._unanswered = 0
        self._is_broken = False

    def get_xcom(
        self,
        *,
        dag_id: str | None,
        run_id: str | None,
        task_ids: Sequence[str],
        key: str,
        map_index: int | None,
        include_prior_dates: bool,
    ) -> Sequence[FoundXCom]:
        return self._ask(GetXCom(key, tuple(task_ids), dag_id, run_id, map_index, include_prior_dates), XComs).found

    def count_xcoms(self, task_id: str, key: str) -> int:
        return self._ask(CountXComs(task_id, key), Count).number

    def get_xcom_range(self, task_id: str, key: str, start: int, stop: int) -> Sequence[FoundXCom]:
        return self._ask(GetXComRange(task_id, key, start, stop), XComs).found

    def push_xcom(self, xcom: XComValue) -> None:
        self._ask(PushXCom(xcom), Done)

    def get_variable(self, key: str) -> str | None:
        value = self._ask(GetVariable(key), Text).value
        if value is not None:
            self._mask_variable(key, value)
        return value

    def set_variable(self, key: str, value: str, description: str | None = None) -> None:
        self._mask_variable(key, value)
        self._ask(SetVariable(key, value, description), Done)

    def delete_variable(self, key: str) -> bool:
        return self._ask(DeleteVariable(key), Done).changed

    def get_connection(self, conn_id: str) -> ConnectionData | None:
        data = self._ask(GetConnection(conn_id), ConnectionAnswer).data
        if data is not None:
            self._masker.add(data.password)
            self._masker.add_by_name("", _plain(data.extra))
        return data

    def get_previous_success(self) -> PreviousRun | None:
        return self._ask(GetPreviousSuccess(), PreviousAnswer).run

    def ask_assets(self, question: AssetQuestion) -> AssetAnswer:
        return self._ask(AskAssets(question), AssetsAnswer).answer

    def ask_about_runs(self, question: RunQuestion) -> RunAnswer:
        return self._ask(AskAboutRuns(question), RunsAnswer).answer

    def set_rendered_fields(self, fields: Mapping[str, Any]) -> None:
        if fields:
            self._tell(Rendered(self._masker.redact_value(dict(fields))))

    def mask_secret(self, value: str) -> None:
        self._masker.add(value)

    # --- the wire ---

    def _mask_variable(self, key: str, value: str) -> None:
        self._masker.add_by_name(key, value)
        if not self._masker.is_sensitive(key):
            self._masker.add_by_name("", _plain(value))

    def _tell(self, message: Rendered) -> None:
        self._check_owner()
        with self._lock, self._undisturbed():
            self._wire.send(message)

    def _ask(self, request: Request, expected: type[A]) -> A:
        self._check_owner()
        with self._lock:
            answer = self._exchange(request)
        return checked_answer("supervisor", request, answer, expected)

    def _exchange(self, request: Request) -> ToTask:
        with self._undisturbed():
            self._wire.send(request)
            self._unanswered += 1
        while True:
            if not self._wire.has_message:
                select.select([self._wire.socket], [], [])  # the one place where a timeout may break in
            with self._undisturbed():
                answer = self._wire.receive()
                self._unanswered -= 1
            if answer is None:
                raise ChannelClosed(_GONE)
            if self._unanswered == 0:  # else it answers a question that a timeout has given up
                return answer

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Hold back the signals whose handlers raise, so that no message is cut in two."""
        if self._is_broken:
            raise ChannelClosed("An earlier question of this task was cut off in the middle; it can ask nothing more.")
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)  # raises what has come until now, too
            self._is_broken = True
            yield
            self._is_broken = False
        except OSError as error:
            raise ChannelClosed(_GONE) from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _check_owner(self) -> None:
        if os.getpid() != self._owner:
            raise RequestRefused(
                "Variables, connections and XComs can be asked for only in the task's own process, not in one that it "
                "has forked. Ask before the fork, and hand the value over."
            )


_HELD_BACK: Final = frozenset({signal.SIGALRM, signal.SIGTERM, signal.SIGINT})
_GONE: Final = "The supervisor of this task is gone, so nothing can be asked for any more."


def _plain(text: str | None) -> Any:
    """Return the JSON object in ``text``; None when it is anything else."""
    if not text or not text.lstrip().startswith("{"):
        return None
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
