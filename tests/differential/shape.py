"""How is what a run left written down, so that two recordings of the same thing are the same text?"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

UNREADABLE = {"~": "of a class that only the DAG file has"}

VARIES = {"~": "not the same twice"}


def plain(value: Any) -> Any:
    """Return ``value`` as JSON: what JSON does not have is an object with one key ``~``, its text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and value == value and abs(value) != float("inf"):
        return value
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, datetime):  # the class counts, the class of its time zone does not
        return {"~": f"{type(value).__name__} {value.isoformat()}"}
    if hasattr(value, "uri") and hasattr(value, "group"):  # an asset, which shows its fields in each way of its own
        return {"~": f"{type(value).__name__} {value.name} {value.uri} {value.group}"}
    if isinstance(value, set | frozenset):
        return {"~": f"{type(value).__name__} of {sorted(map(repr, value))}"}
    return {"~": repr(value)}


def by_state(tasks: dict[str, str]) -> dict[str, str]:
    """Return the task instances of each state as one text: a matrix of thousands stays readable."""
    found: dict[str, list[str]] = {}
    for key, state in sorted(tasks.items()):
        found.setdefault(state, []).append(key)
    return {state: " ".join(keys) for state, keys in sorted(found.items())}


def write(path: Path, seen: dict[str, Any]) -> None:
    """Write what was seen of one DAG file."""
    dags = {
        dag_id: {
            run_id: {**run, "tasks": by_state(run["tasks"])} if "tasks" in run else run for run_id, run in runs.items()
        }
        for dag_id, runs in seen["dags"].items()
    }
    path.parent.mkdir(exist_ok=True)
    text = json.dumps({**seen, "dags": dags}, indent=1, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """Read it back, each run's ``tasks`` as ``{instance: state}``."""
    seen: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for runs in seen["dags"].values():
        for run in runs.values():
            if "tasks" in run:
                for part in ("logical_date", "interval"):
                    run[part] = [_now(x) for x in run[part]] if isinstance(run[part], list) else _now(run[part])
                run["tasks"] = {key: state for state, keys in run["tasks"].items() for key in keys.split(" ")}
    return seen


def told(path: Path) -> dict[str, list[str]]:
    """Return what the callbacks of each task instance wrote, in their order."""
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        key, _, what = line.partition(" ")
        found.setdefault(key.removesuffix("[-1]"), []).append(what)
    return dict(sorted(found.items()))


def pieces(path: Path) -> dict[str, str]:
    """Return the DAG files that a text file holds: each begins with ``### name``, and with the text above them all."""
    head, *rest = path.read_text(encoding="utf-8").split("\n### ")
    found = {}
    for piece in rest:
        name, _, text = piece.partition("\n")
        assert name not in found, f"{name!r} stands twice in {path.name}"
        found[name] = f"{head}\n\n{text.rstrip()}\n"
    return found


def _now(x):
    return "now" if x and x[:4] in ("2026",) else x
