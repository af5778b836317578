"""Under which keys does a run or a task stand? A text with names in double braces, filled in without any user code.

``"{{ params.tenant }}"`` looks like a template of Jinja, and is the smallest part of it: a name with dots between the
braces, and nothing else. So the scheduler can fill it in by itself, for runs that have no process yet, and a mistake in
it is found when the DAG file is read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Final

import msgspec

from tradewind.model.spec import DagSpec, KeySpec

RUN_NAMES: Final = frozenset(
    {
        "dag_id", "run_id", "run_type", "ds", "ds_nodash", "ts", "logical_date", "data_interval_start",
        "data_interval_end", "run_after", "partition_key",
    }
)  # fmt: skip
"""What a key of a run may name, beside its params and its conf."""
TASK_NAMES: Final = RUN_NAMES | {"task_id", "map_index"}
"""What a key of a task may name."""
MAX_LENGTH: Final = 250
"""Of a key; one that is longer is cut, and ends in a digest of the whole."""

_OPEN: Final = ("params", "conf")
_ALIASES: Final = {
    "dag.dag_id": "dag_id",
    "dag_run.run_id": "run_id",
    "dag_run.run_type": "run_type",
    "dag_run.logical_date": "logical_date",
    "dag_run.partition_key": "partition_key",
    "task.task_id": "task_id",
    "ti.task_id": "task_id",
    "ti.map_index": "map_index",
}
_BRACES: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*\Z")

Part = str | tuple[str, ...]
"""A piece of text, or a name by its parts."""


@lru_cache(maxsize=1024)
def parse(template: str, names: frozenset[str]) -> tuple[Part, ...]:
    """Return the parts of a key.

    Raises:
        ValueError: it is more than names in braces, or one of them is not in ``names``; says what to write instead.
    """
    parts: list[Part] = []
    for number, piece in enumerate(_BRACES.split(template)):
        if number % 2:
            parts.append(_parse_name(piece.strip(), names))
        elif any(mark in piece for mark in ("{{", "}}", "{%", "{#")):
            raise ValueError(
                f"{template!r} has braces that do not belong together. Write names as in {{{{ params.tenant }}}}"
            )
        elif piece:
            parts.append(piece)
    if not template.strip():
        raise ValueError("it is empty. Write a text, or a name as in {{ params.tenant }}")
    return tuple(parts)


def _parse_name(text: str, names: frozenset[str]) -> tuple[str, ...]:
    if not _NAME.match(text):
        raise ValueError(
            f"{{{{ {text} }}}} is more than a name. The scheduler fills it in without running code: only names with "
            "dots can stand there, such as params.tenant, conf.tenant or dag_id; work the value out before, and give "
            "it as a param"
        )
    text = text.removeprefix("dag_run.") if text.startswith("dag_run.conf.") else _ALIASES.get(text, text)
    first, *rest = text.split(".")
    if first in _OPEN and rest:
        return first, *rest
    if first in _OPEN:
        raise ValueError(f"{{{{ {text} }}}} is a whole mapping. Name one of its values, e.g. {first}.tenant")
    if text in names:
        return (text,)
    known = sorted({*names, "params.NAME", "conf.NAME"})
    near = get_close_matches(text, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ValueError(f"{{{{ {text} }}}} is not known here.{hint} There are {', '.join(known)}")


def params_named(template: str) -> set[str]:
    """Return the params that a key names."""
    return {part[1] for part in parse(template, TASK_NAMES) if isinstance(part, tuple) and part[0] == "params"}


def render(template: str, facts: Mapping[str, Any]) -> str | None:
    """Return a key with its names filled in; None when one of them has no value: then nothing stands under it."""
    texts = []
    for part in parse(template, TASK_NAMES):
        text = part if isinstance(part, str) else _text(_look_up(part, facts))
        if text is None:
            return None
        texts.append(text)
    key = "".join(texts)
    if len(key) <= MAX_LENGTH:
        return key
    digest = hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
    return f"{key[: MAX_LENGTH - len(digest) - 1]}~{digest}"


def render_all(specs: Iterable[KeySpec], facts: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    """Return the keys that have a value, each once with its limit: the lowest, where two of them render alike."""
    found: dict[str, int] = {}
    for spec in specs:
        key = render(spec.template, facts)
        if key is not None:
            found[key] = min(spec.limit, found.get(key, spec.limit))
    return tuple(sorted(found.items()))


def _look_up(part: Sequence[str], facts: Mapping[str, Any]) -> Any:
    value: Any = facts
    for name in part:
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]
    return value


def _text(value: Any) -> str | None:
    """As Jinja would show it, but for what has parts: that is JSON, the same for the same value."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping | list | tuple):
        return msgspec.json.encode(value, order="deterministic").decode()
    return str(value)


def run_facts(
    *,
    dag_id: str,
    run_id: str,
    run_type: str,
    run_after: datetime,
    logical_date: datetime | None = None,
    data_interval_start: datetime | None = None,
    data_interval_end: datetime | None = None,
    partition_key: str | None = None,
    conf: Mapping[str, Any],
    defaults: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what the names in a key stand for. ``defaults`` are those of the params, which ``conf`` overrides."""
    date = logical_date
    return {
        "dag_id": dag_id,
        "run_id": run_id,
        "run_type": run_type,
        "run_after": run_after,
        "logical_date": date,
        "ds": None if date is None else date.strftime("%Y-%m-%d"),
        "ds_nodash": None if date is None else date.strftime("%Y%m%d"),
        "ts": date,
        "data_interval_start": data_interval_start,
        "data_interval_end": data_interval_end,
        "partition_key": partition_key,
        "params": {**defaults, **conf},
        "conf": conf,
    }


class RunLimits(msgspec.Struct, frozen=True):
    """What a DAG version says of its runs' keys, small enough to be read without the rest of its spec."""

    keys: tuple[KeySpec, ...]
    defaults: dict[str, Any]  # of the params that they name


def run_limits(spec: DagSpec) -> RunLimits | None:
    """Return the keys under which the runs of a DAG stand; None: there are none."""
    if not spec.concurrency:
        return None
    named = {name for key in spec.concurrency for name in params_named(key.template)}
    return RunLimits(spec.concurrency, param_defaults(spec, named))


def param_defaults(spec: DagSpec, names: Iterable[str]) -> dict[str, Any]:
    """Return the defaults of some params."""
    known = {name: spec.params[name] for name in sorted(names) if name in spec.params}
    return {name: param.default for name, param in known.items() if param.has_default}
