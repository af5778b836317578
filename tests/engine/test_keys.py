"""Under which keys does a run or a task stand, whatever it was given?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.model.keys import (
    MAX_LENGTH,
    RUN_NAMES,
    TASK_NAMES,
    RunLimits,
    parse,
    render,
    render_all,
    run_facts,
    run_limits,
)
from tradewind.model.spec import DagSpec, KeySpec, ParamSpec, TimetableSpec

AT = datetime(2026, 3, 1, tzinfo=UTC)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def facts(conf: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    known = run_facts(
        dag_id="etl",
        run_id="r1",
        run_type="manual",
        run_after=AT,
        logical_date=AT,
        conf=conf or {},
        defaults={"tenant": "acme"},
    )
    return {**known, **more}


@pytest.mark.parametrize(
    ("template", "key"),
    [
        ("{{ params.tenant }}", "acme"),
        ("{{params.tenant}}/{{ ds }}", "acme/2026-03-01"),
        ("{{ dag_id }}-{{ run_id }}", "etl-r1"),
        ("{{ dag.dag_id }}-{{ dag_run.run_id }}", "etl-r1"),
        ("{{ task_id }}[{{ ti.map_index }}]", "load[3]"),
        ("{{ conf.where.region }}", "eu"),
        ("{{ dag_run.conf.where.region }}", "eu"),
        ("{{ conf.where }}", '{"region":"eu"}'),
        ("{{ conf.on }}", "True"),
        ("{{ logical_date }}", "2026-03-01T00:00:00+00:00"),
        ("warehouse", "warehouse"),
        ("{{ conf.missing }}", None),
        ("x-{{ params.empty }}", None),
        ("{{ conf.where.region.more }}", None),
        ("{{ partition_key }}", None),
    ],
)
def test_names_in_braces_are_filled_in(template: str, key: str | None) -> None:
    known = facts({"where": {"region": "eu"}, "on": True, "empty": None}, task_id="load", map_index=3)

    assert render(template, known) == key


def test_conf_wins_over_the_default_of_a_param() -> None:
    assert render("{{ params.tenant }}", facts({"tenant": "other"})) == "other"


@pytest.mark.parametrize(
    ("template", "mend"),
    [
        ("{{ params['tenant'] }}", "only names with dots"),
        ("{{ params.tenant | upper }}", "only names with dots"),
        ("{{ os.system('x') }}", "only names with dots"),
        ("{{ 1 + 1 }}", "only names with dots"),
        ("{{ task_id }}", "not known here"),
        ("{{ dag_ic }}", "Did you mean dag_id"),
        ("{{ params }}", "whole mapping"),
        ("{% if x %}", "do not belong together"),
        ("{{ ds", "do not belong together"),
        ("ds }}", "do not belong together"),
        ("  ", "empty"),
        ("{{ __class__.__mro__ }}", "not known here"),
    ],
)
def test_what_is_more_than_a_name_is_refused_with_the_mend(template: str, mend: str) -> None:
    with pytest.raises(ValueError, match=mend):
        parse(template, RUN_NAMES)


@given(PLAIN)
def test_any_value_gives_a_short_text_that_is_the_same_each_time(value: Any) -> None:
    first, second = (render("{{ conf.value }}", facts({"value": value})) for _ in range(2))

    assert first == second
    assert (first is None) == (value is None)
    assert first is None or len(first) <= MAX_LENGTH


@given(st.text(max_size=400), st.text(max_size=400))
def test_different_texts_are_different_keys(one: str, other: str) -> None:
    keys = [render("{{ conf.value }}", facts({"value": text})) for text in (one, other)]

    assert (keys[0] == keys[1]) == (one == other)


@given(st.text())
def test_a_template_is_understood_or_refused_and_nothing_else(template: str) -> None:
    try:
        parse(template, TASK_NAMES)
    except ValueError as error:
        assert str(error)  # noqa: PT017
    else:
        assert isinstance(render(template, facts()), str | None)


def test_two_keys_that_come_to_the_same_text_are_one_with_the_lower_limit() -> None:
    specs = [KeySpec("{{ params.tenant }}", 3), KeySpec("acme", 2), KeySpec("{{ conf.missing }}", 1)]

    assert render_all(specs, facts()) == (("acme", 2),)


def test_a_version_keeps_what_its_runs_keys_need_and_no_more() -> None:
    keys = (KeySpec("{{ params.tenant }}", 2),)
    params = {"tenant": ParamSpec({}, "acme"), "other": ParamSpec({}, 1)}
    spec = DagSpec("etl", TimetableSpec("NullTimetable"), (), params=params, concurrency=keys)

    assert run_limits(spec) == RunLimits(keys, {"tenant": "acme"})
    assert run_limits(DagSpec("etl", TimetableSpec("NullTimetable"), (), params=params)) is None
