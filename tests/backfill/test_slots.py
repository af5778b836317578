"""What would a backfill do with each date? The pure part: schedule and runs in, slots out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.backfill.choice import choose_tasks, find_waits
from scheduler.backfill.slots import (
    ExistingRun,
    Rule,
    Standing,
    Upstream,
    dead_end,
    decide,
    in_turn,
    plan_slots,
    waits_or_fails,
)
from tests.backfill.world import DAILY, day, scheduled
from tests.engine.world import task
from tradewind.errors import UsageError
from tradewind.model.backfills import Action, Reprocess, Slot
from tradewind.model.spec import AssetMention, MappingSpec, OutputLength
from tradewind.model.states import RunState
from tradewind.timetables import (
    AssetOrTimeSchedule,
    ContinuousTimetable,
    CronPartitionTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    EventsTimetable,
    NullTimetable,
    OnceTimetable,
    Timetable,
)
from tradewind.timetables.between import is_periodic, runs_between

LATER = datetime(2030, 1, 1, tzinfo=UTC)


def dates(schedule: Timetable, first: datetime, last: datetime, now: datetime = LATER, **fields: Any) -> list[str]:
    spec = scheduled("etl", task("t"), schedule=schedule, **fields)
    return [past.date.strftime("%m-%dT%H") for past in runs_between(spec, schedule, first, last, now)]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (DAILY, ["01-01T00", "01-02T00", "01-03T00"]),
        (CronTriggerTimetable("0 12 * * *"), ["01-01T12", "01-02T12"]),
        (CronTriggerTimetable("0 12 * * *", interval=timedelta(hours=12)), ["01-01T00", "01-02T00", "01-03T00"]),
        (DeltaDataIntervalTimetable(timedelta(hours=36)), ["01-01T00", "01-02T12"]),
        (DeltaTriggerTimetable(timedelta(days=1)), ["01-01T00", "01-02T00", "01-03T00"]),
        (EventsTimetable([day(1) + timedelta(hours=5), day(3), day(9)]), ["01-01T05", "01-03T00"]),
        (AssetOrTimeSchedule(timetable=DAILY, assets=[]), ["01-01T00", "01-02T00", "01-03T00"]),
        (CronPartitionTimetable("0 0 * * *", timezone="UTC"), ["01-01T00", "01-02T00", "01-03T00"]),
        (CronPartitionTimetable("0 0 * * *", timezone="UTC", run_offset=-1), ["01-01T00", "01-02T00", "01-03T00"]),
        (CronPartitionTimetable("0 0 * * *", timezone="UTC", run_offset=2), ["01-01T00", "01-02T00", "01-03T00"]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Timetable) else "",
)
def test_both_ends_of_the_span_are_included_whatever_the_schedule(schedule: Timetable, expected: list[str]) -> None:
    assert dates(schedule, day(1), day(3)) == expected


def test_a_span_between_two_ticks_has_no_dates() -> None:
    assert dates(DAILY, day(2) + timedelta(hours=1), day(2) + timedelta(hours=23)) == []


def test_an_interval_that_is_not_over_has_no_run_yet() -> None:
    assert dates(DAILY, day(1), day(9), now=day(4)) == ["01-01T00", "01-02T00", "01-03T00"]


def test_start_and_end_of_the_dag_do_not_bound_the_past() -> None:
    bounds: dict[str, Any] = {"start_date": day(2).isoformat(), "end_date": day(2).isoformat()}
    assert dates(DAILY, day(1), day(3), **bounds) == ["01-01T00", "01-02T00", "01-03T00"]


def test_a_partition_is_named_as_the_schedule_names_it() -> None:
    schedule = CronPartitionTimetable("0 0 * * *", timezone="UTC", run_offset=-1, key_format="%Y%m%d")
    (found,) = runs_between(scheduled("etl", schedule=schedule), schedule, day(5), day(5), LATER)

    assert (found.partition and found.partition.key, found.run.run_after) == ("20240105", day(6))
    assert found.run_id == "backfill__2024-01-06T00:00:00+00:00__20240105"


def test_more_dates_than_anybody_can_mean_are_refused() -> None:
    with pytest.raises(UsageError, match="more than 10 dates.*several backfills"):
        runs_between(scheduled("etl"), DAILY, day(1), day(31), LATER, limit=10)


@pytest.mark.parametrize("schedule", [NullTimetable(), OnceTimetable(), ContinuousTimetable()], ids=repr)
def test_a_schedule_without_rhythm_has_no_dates(schedule: Timetable) -> None:
    assert not is_periodic(schedule)
    assert not is_periodic(AssetOrTimeSchedule(timetable=schedule, assets=[]))


STATES = {RunState.SUCCESS: "completed", RunState.FAILED: "failed completed"}


@pytest.mark.parametrize("reprocess", list(Reprocess))
@pytest.mark.parametrize("state", list(RunState))
def test_a_run_is_done_again_when_its_end_is_one_that_was_meant(state: RunState, reprocess: Reprocess) -> None:
    action, reason = decide(ExistingRun(1, "r", state), Rule(reprocess))

    assert action is (Action.RERUN if reprocess.value in STATES.get(state, "") else Action.SKIP)
    assert state.value in reason


def test_a_run_of_some_tasks_cannot_do_others() -> None:
    some = ExistingRun(1, "r", RunState.SUCCESS, task_subset=("a", "b"))

    assert decide(some, Rule(Reprocess.COMPLETED, tasks=("a",)))[0] is Action.RERUN
    assert decide(some, Rule(Reprocess.COMPLETED, tasks=("a", "c")))[0] is Action.SKIP
    assert decide(some, Rule(Reprocess.COMPLETED))[0] is Action.SKIP


def slots(dag_id: str, *days: int, existing: dict[int, RunState] | None = None, rule: Rule = Rule()) -> list[Slot]:  # noqa: B008  frozen
    spec = scheduled(dag_id)
    found = runs_between(spec, DAILY, day(min(days)), day(max(days)), LATER)
    there: dict[datetime | str, ExistingRun] = {
        day(n): ExistingRun(n, f"r{n}", state) for n, state in (existing or {}).items()
    }
    return plan_slots(dag_id, found, there, rule)


def test_a_day_that_the_policy_leaves_out_is_skipped() -> None:
    spec = scheduled("etl")
    spec = type(spec)(**{f: getattr(spec, f) for f in spec.__struct_fields__} | {
        "policy": type(spec.policy)(excluded=("*-01-03",))})  # fmt: skip
    found = plan_slots("etl", runs_between(spec, DAILY, day(1), day(3), LATER), {}, Rule())

    assert [slot.action for slot in found] == [Action.CREATE, Action.SKIP, Action.CREATE]  # it would run on the third
    assert "leaves that day out" in found[1].reason


def test_a_date_behind_a_failed_one_that_stays_so_is_told() -> None:
    left = slots("etl", 1, 4, existing={2: RunState.FAILED})
    again = slots("etl", 1, 4, existing={2: RunState.FAILED}, rule=Rule(Reprocess.FAILED))
    last = slots("etl", 1, 4, existing={4: RunState.FAILED})

    assert dead_end(left, {2: RunState.FAILED}) == left[1]
    assert dead_end(again, {2: RunState.FAILED}) is None
    assert dead_end(last, {4: RunState.FAILED}) is None


@given(st.booleans(), st.permutations(["a", "b", "c"]))
def test_turns_go_by_time_and_a_dag_comes_behind_those_that_it_waits_for(backwards: bool, names: list[str]) -> None:
    first, second, third = names
    waits = {second: (first,), third: (first, second)}
    turns = in_turn([s for n in sorted(names) for s in slots(n, 1, 3)], waits, backwards=backwards)

    times = [slot.run_after for slot in turns]
    assert times == sorted(times, reverse=backwards)
    assert [slot.dag_id for slot in turns] == names * 3


def test_dags_that_wait_for_each_other_are_refused() -> None:
    with pytest.raises(UsageError, match="in a ring: a -> b -> a|in a ring: b -> a -> b"):
        in_turn(slots("a", 1), {"a": ("b",), "b": ("a",)}, backwards=False)


def test_a_daily_dag_waits_for_all_hours_of_its_day_and_fails_with_one_of_them() -> None:
    hours = [Upstream("hourly", day(1) + timedelta(hours=n), f"r{n}", Standing.GOOD) for n in range(24)]
    interval = (day(1), day(2))

    def but(number: int, standing: Standing) -> list[Upstream]:
        return [Upstream(u.dag_id, u.date, u.run_id, standing) if n == number else u for n, u in enumerate(hours)]

    beyond = Upstream("hourly", day(2), "r24", Standing.FAILED)
    assert waits_or_fails(day(1), interval, [*hours, beyond]) is None
    assert waits_or_fails(day(1), interval, but(23, Standing.OPEN)) is not None
    broken = waits_or_fails(day(1), interval, but(7, Standing.FAILED))
    assert broken is not None
    assert broken.run_id == "r7"


# --- which tasks, which DAGs -----------------------------------------------------------------------------------------


SPEC = scheduled(
    "etl",
    task("open", is_setup=True),
    task("load_a", "open"),
    task("load_b", "open"),
    task("check", "load_a", "load_b"),
    task("close", "check", "open", is_teardown=True),
    task("mail", "check"),
)


@pytest.mark.parametrize(
    ("patterns", "options", "expected"),
    [
        ((), {}, None),
        (("*",), {}, None),
        (("load_*",), {}, ("close", "load_a", "load_b", "open")),
        (("mail",), {}, ("mail",)),
        (("mail",), {"with_upstream": True}, None),
        (("check",), {"with_downstream": True}, ("check", "close", "mail", "open")),
        (("load_a", "mail"), {}, ("close", "load_a", "mail", "open")),
    ],
)
def test_chosen_tasks_bring_their_setups_and_teardowns(
    patterns: tuple[str, ...], options: dict[str, bool], expected: tuple[str, ...] | None
) -> None:
    assert choose_tasks(SPEC, patterns, **options) == expected


def test_a_pattern_that_means_nothing_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"No task of DAG 'etl' is called 'laod_a'. Did you mean 'load_a'\?"):
        choose_tasks(SPEC, ["laod_a"])


def test_a_task_mapped_over_one_left_out_is_refused_with_the_mend() -> None:
    over = MappingSpec((OutputLength("names"),))
    spec = scheduled("etl", task("names"), task("greet", "names", mapping=over), task("end", "greet"))

    with pytest.raises(UsageError, match="'greet'.*mapped over the output of 'names'.*--with-upstream"):
        choose_tasks(spec, ["greet"])
    assert choose_tasks(spec, ["greet", "names"]) == ("greet", "names")
    assert choose_tasks(spec, ["greet"], with_upstream=True) == ("greet", "names")


def test_dags_wait_for_those_that_update_what_they_read() -> None:
    orders = AssetMention(name="orders", uri="s3://orders")
    maker = scheduled("maker", task("t", outlets=(orders,)))
    reader = scheduled("reader", task("t", inlets=(AssetMention(name="orders"),)))
    both = AssetOrTimeSchedule(timetable=DAILY, assets=[])
    both.condition = {"any": [{"asset": {"name": "orders", "uri": "s3://orders", "group": "asset"}}]}
    consumer = scheduled("consumer", task("t"), schedule=both)
    other = scheduled("other", task("t"))

    assert find_waits([maker, reader, consumer, other], []) == {"reader": ("maker",), "consumer": ("maker",)}
    assert find_waits([maker, other], [["other", "maker"]]) == {"maker": ("other",)}
    with pytest.raises(UsageError, match="'othr', which is not part.*Did you mean 'other'"):
        find_waits([maker, other], [["othr", "maker"]])
