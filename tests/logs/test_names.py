"""Which file does each process write for a try? One of its own, the same for all that it does for that try."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from executors.logs.outgoing import TaskLogs, open_task_logs
from tests.support.waiting import wait_until
from tradewind.config import load_config
from tradewind.model.orders import AttemptOrder, CallbackOrder, Outcome

OpenLogs = Callable[..., TaskLogs]
TRY = ("d", "r", "t")


def order(part: int = 0, try_number: int = 1, callback: CallbackOrder | None = None) -> AttemptOrder:
    at = datetime.now(UTC)
    return AttemptOrder(
        uuid4(), 1, 1, *TRY, -1, try_number, 1, "f.py", 1, "", "manual", at, part=part, callback=callback
    )


@pytest.fixture
def open_logs(home: Path, tmp_path: Path):
    """``open_logs("disk")``: the logs of a process, whose log folder that is; closed at the end."""
    opened = []

    def open_one(disk: str, store: str = str(tmp_path / "store")) -> TaskLogs:
        environ = {
            "TRADEWIND__LOGGING__BASE_LOG_FOLDER": str(tmp_path / disk),
            "TRADEWIND__LOGGING__REMOTE_BASE_LOG_FOLDER": store,
        }
        opened.append(open_task_logs(load_config(environ, home), lambda _conn_id: None))
        return opened[-1]

    yield open_one
    for logs in opened:
        logs.close()


def waits(logs: TaskLogs, attempt: AttemptOrder) -> str:
    return logs.begin_trigger(attempt.attempt_id, *TRY, attempt.try_number, attempt.map_index).name


def test_a_process_goes_on_in_its_own_file(open_logs: OpenLogs):
    logs = open_logs("disk")
    first = order()
    assert logs.begin(first).name == "attempt=1.log"
    logs.end(first.attempt_id, Outcome.DEFERRED)
    assert waits(logs, first) == "attempt=1.log"
    logs.end_trigger(first.attempt_id)
    assert logs.begin(order(part=1)).name == "attempt=1.log"


def test_others_have_files_of_their_own(open_logs: OpenLogs):
    first = order()
    triggerer, elsewhere = open_logs("disk of the triggerer"), open_logs("elsewhere")
    assert waits(triggerer, first).startswith("attempt=1.log.trigger-")
    assert waits(triggerer, order(part=1)) == waits(triggerer, first)
    assert elsewhere.begin(order(part=3)).name == "attempt=1.log.3"
    assert elsewhere.begin(order(part=5)).name == "attempt=1.log.3"
    assert elsewhere.begin(order(try_number=2)).name == "attempt=2.log"


def test_what_comes_after_the_end_is_another_file(open_logs: OpenLogs):
    """The first may have been removed here, and would be written over in the store."""
    logs, first = open_logs("disk"), order()
    logs.begin(first)
    logs.end(first.attempt_id, Outcome.RETURNED)
    logs.end(first.attempt_id, Outcome.RETURNED)
    assert logs.begin(order(part=1)).name == "attempt=1.log.1"


def test_calls_have_logs_too(open_logs: OpenLogs, tmp_path: Path):
    logs, call = open_logs("disk"), order(callback=CallbackOrder(7, "run", start=2))
    path = logs.begin(call)
    assert path == tmp_path / "disk" / "dag_id=d" / "run_id=r" / "callbacks" / "7" / "attempt=2.log"
    path.parent.mkdir(parents=True)
    path.write_text("called")
    logs.end(call.attempt_id, Outcome.SUCCESS)
    stored = tmp_path / "store" / path.relative_to(tmp_path / "disk")
    wait_until(stored.exists, 30)
    assert stored.read_text() == "called"


def test_those_of_one_process_share_one_shipper(open_logs: OpenLogs):
    assert open_logs("disk") is open_logs("disk")


def test_without_a_store_there_is_one_file(open_logs: OpenLogs, tmp_path: Path):
    logs, first = open_logs("disk", ""), order()
    assert (
        logs.begin(first)
        == logs.begin(order(part=4))
        == tmp_path / "disk" / "dag_id=d/run_id=r/task_id=t/attempt=1.log"
    )
    assert waits(logs, first) == "attempt=1.log"
    logs.end(first.attempt_id, Outcome.SUCCESS)
    assert not (tmp_path / "disk").exists()
