"""Where is the log of an attempt? Airflow's layout, in which any id makes a safe path."""

from __future__ import annotations

from pathlib import Path

from tradewind.model.events import NO_MAP


def run_log_folder(base: Path, dag_id: str, run_id: str) -> Path:
    """Return ``dag_id=D/run_id=R`` below ``base``: the folder of all logs of a run."""
    return base / f"dag_id={_safe(dag_id)}" / f"run_id={_safe(run_id)}"


def attempt_log_path(
    base: Path, dag_id: str, run_id: str, task_id: str, try_number: int, map_index: int = NO_MAP
) -> Path:
    """Return ``dag_id=D/run_id=R/task_id=T[/map_index=M]/attempt=N.log`` below ``base``.

    No id leads out of ``base``: a ``/`` in it is written as ``%2F`` (a NUL as ``%00``), the rest stays readable.
    """
    folder = run_log_folder(base, dag_id, run_id) / f"task_id={_safe(task_id)}"
    if map_index >= 0:
        folder /= f"map_index={map_index}"
    return folder / f"attempt={try_number}.log"


def callback_log_path(base: Path, dag_id: str, run_id: str, callback_id: int, start: int) -> Path:
    """Return ``dag_id=D/run_id=R/callbacks/N/attempt=M.log`` below ``base``: the log of one start of a call."""
    folder = run_log_folder(base, dag_id, run_id) / "callbacks" / str(callback_id)
    return folder / f"attempt={start}.log"


def _safe(name: str) -> str:
    return name.replace("/", "%2F").replace("\0", "%00") if "/" in name or "\0" in name else name
