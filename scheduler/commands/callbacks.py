"""``tradewind dags callbacks``: the calls of user code that hang on a run, and their logs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from executors.runner.log_paths import callback_log_path
from scheduler.commands.logs import show_logs
from scheduler.commands.lookup import find_named_run
from tradewind.config import load_config
from tradewind.errors import NotFound
from tradewind.metadata.callbacks import CallbackRecord, list_callbacks
from tradewind.metadata.opening import open_database
from tradewind.terminal.output import emit

COLUMNS: Final = (
    "id", "kind", "what", "task_id", "map_index", "state", "starts", "created_at", "ended_at", "error",
)  # fmt: skip


def callbacks(dag_id: str, logical_date_or_run_id: str, log_of: int | None, output: str) -> None:
    """List the callbacks that hang on a run."""
    config = load_config(os.environ)
    with open_database(config) as db:
        with db.read() as tx:
            run = find_named_run(tx, dag_id, logical_date_or_run_id)
            found = list_callbacks(tx, run.pk)
        if log_of is None:
            emit([_row(one) for one in found], COLUMNS, output, empty="Nothing hangs on this run.")
            return
        call = next((one for one in found if one.id == log_of), None)
        if call is None:
            known = [str(one.id) for one in found]
            within = f"of run {run.run_id!r}"
            raise NotFound("Callback", str(log_of), known, "Leave --log out to see them.", within=within)
        names = [callback_log_path(Path(), run.dag_id, run.run_id, call.id, n) for n in range(1, call.starts + 1)]
        show_logs(config, db, names)


def _row(call: CallbackRecord) -> dict[str, object]:
    what = call.payload.get("hook") or f"deadline {call.payload.get('number', 0) + 1}"
    return {name: what if name == "what" else getattr(call, name) for name in COLUMNS}
