"""What may run at once, and how often may it start? ``Key`` and ``Rate``, for DAGs and tasks.

Pools are made by hand and named; a key is worked out for each run or task, and needs no making. A rate limits starts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tradewind.sdk import arguments


@dataclass(frozen=True)
class Key:
    """At most ``limit`` run at once whose ``template`` comes to the same text, in all DAGs together.

    ``concurrency=[Key("{{ params.tenant }}", limit=2)]`` on a DAG is about its runs, on a task about its instances.
    Only names can stand in the braces: the scheduler fills them in, without running code. When one of them has no
    value, the run or task stands under no limit of this key.
    """

    template: str
    limit: int = 1


@dataclass(frozen=True)
class Rate:
    """At most ``limit`` tasks of this rate start within any ``per``, in all DAGs together.

    ``name`` says what is protected, e.g. ``"api.example.org"``.
    """

    name: str
    limit: int
    per: timedelta = timedelta(seconds=1)


def keys(who: str, name: str, value: Any) -> list[Key]:
    """Return the keys of a ``concurrency`` argument: none, one or several. Names are checked with the whole DAG."""
    given = [] if value is None else list(value) if isinstance(value, list | tuple | set) else [value]
    for one in given:
        if isinstance(one, bool | int):
            raise arguments.wrong(who, name, value, "a Key, or a list of them; for a number alone use a pool")
        if not isinstance(one, Key):
            raise arguments.wrong(who, name, one, 'a Key such as Key("{{ params.tenant }}", limit=2)')
        arguments.text(who, f"{name} template", one.template)
        arguments.at_least(1)(who, f"{name} limit", one.limit)
    return given


def rates(who: str, name: str, value: Any) -> list[Rate]:
    """Return the rates of a ``rate_limits`` argument: none, one or several."""
    given = [] if value is None else list(value) if isinstance(value, list | tuple | set) else [value]
    for one in given:
        if not isinstance(one, Rate):
            raise arguments.wrong(who, name, one, 'a Rate such as Rate("api", 100, per=timedelta(minutes=1))')
        arguments.text(who, f"{name} name", one.name)
        if not one.name.strip() or len(one.name) > 250:
            raise arguments.wrong(who, f"{name} name", one.name, "a text of 1 to 250 characters")
        arguments.at_least(1)(who, f"{name} limit", one.limit)
        if not isinstance(one.per, timedelta) or not timedelta(0) < one.per <= timedelta(days=366):
            raise arguments.wrong(who, f"{name} per", one.per, "a datetime.timedelta above zero, of a year at most")
    names = [one.name for one in given]
    if len(set(names)) < len(names):
        raise arguments.wrong(who, name, value, "one Rate for each name; give two names, and both are kept")
    return given
