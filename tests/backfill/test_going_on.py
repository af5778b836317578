"""How does a backfill go on? Its window, its order, runs done again, pause, cancel, failures, several DAGs."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from sqlalchemy import delete, select, update

from scheduler.backfill.advance import move_backfills
from scheduler.backfill.create import cancel_backfill, pause_backfill, unpause_backfill
from scheduler.verify import verify
from tests.backfill.world import (
    DAILY,
    create,
    day,
    is_complete,
    plan,
    read,
    runs_of,
    shown,
    slots_of,
    store_scheduled,
)
from tests.engine.world import ScriptedExecutor, add_run, is_over, run_state, running_scheduler, task
from tests.support.waiting import wait_until as wait
from tradewind.errors import Conflict, NotFound, UsageError
from tradewind.metadata import backfills, dags, inbox, runs
from tradewind.metadata.database import Database
from tradewind.metadata.models import Backfill, Dag, RunInbox, TaskInstance
from tradewind.metadata.timers import due_timers
from tradewind.model.backfills import BackfillOutcome, Only, Reprocess, SlotState
from tradewind.model.commands import ClearTasks, Selection
from tradewind.model.orders import AttemptOrder, Outcome
from tradewind.model.spec import AssetMention, ParamSpec
from tradewind.model.states import RunState, RunType
from tradewind.timetables import CronDataIntervalTimetable, CronPartitionTimetable

wait_until = partial(wait, timeout=60)


class Gate:
    """Tasks run until they are let go."""

    def __init__(self) -> None:
        self.orders: list[AttemptOrder] = []

    def behave(self, order: AttemptOrder) -> None:
        self.orders.append(order)

    def started(self, number: int) -> list[AttemptOrder]:
        wait_until(lambda: len(self.orders) >= number, what=f"{number} tasks")
        return self.orders


def finish(db: Database, backfill_id: int, behave: object = lambda _order: Outcome.SUCCESS) -> ScriptedExecutor:
    """Let a scheduler work until the backfill is over."""
    with running_scheduler(db, behave) as executor:  # type: ignore[arg-type]
        wait_until(is_complete(db, backfill_id))
    return executor


def states(db: Database, backfill_id: int) -> list[str]:
    return [slot.run_state.value if slot.state is SlotState.MADE and slot.run_state else slot.state.value
            for slot in slots_of(db, backfill_id)]  # fmt: skip


def test_each_date_gets_its_run_once(database: Database) -> None:
    store_scheduled(database, "etl", task("a"), task("b", "a"))
    made = create(database, max_active_runs=2, conf={"n": 1})
    executor = finish(database, made.id)

    assert read(database, made.id).outcome is BackfillOutcome.SUCCESS
    assert states(database, made.id) == ["success"] * 5
    found = runs_of(database, "etl")
    assert [run.logical_date for run in found] == [day(n) for n in range(1, 6)]
    assert found[0].run_id == "backfill__2024-01-02T00:00:00+00:00"
    assert {(run.run_type, run.backfill_id, run.triggered_by, run.triggering_user) for run in found} == {
        (RunType.BACKFILL, made.id, "backfill", "ada")
    }
    assert all(run.conf == {"n": 1} for run in found)
    assert len(executor.orders) == 10
    assert verify(database) == []


def test_the_window_slides_run_by_run_and_is_never_exceeded(database: Database) -> None:
    store_scheduled(database, "etl", task("t"))
    made = create(database, max_active_runs=2)
    gate = Gate()
    with running_scheduler(database, gate.behave) as executor:
        first, _second = gate.started(2)
        assert states(database, made.id) == ["running", "running", "waiting", "waiting", "waiting"]
        executor.end(first, Outcome.SUCCESS)  # the slowest of a batch keeps nobody waiting
        gate.started(3)
        assert states(database, made.id) == ["success", "running", "running", "waiting", "waiting"]


def test_backwards_begins_with_the_newest_date(database: Database) -> None:
    store_scheduled(database, "etl", task("t"))
    made = create(database, max_active_runs=1, run_backwards=True)
    executor = finish(database, made.id)

    assert [order.logical_date for order in executor.orders] == [day(n) for n in range(5, 0, -1)]


def test_runs_that_are_there_are_left_or_done_again_as_asked(database: Database) -> None:
    version = store_scheduled(database, "etl", task("t"))
    good, bad, queued = (add_run(database, version, "etl", n, logical_date=day(n)) for n in (1, 2, 3))
    with running_scheduler(database, lambda o: Outcome.FAILED if o.run_pk == bad else Outcome.SUCCESS):
        wait_until(is_over(database, good, bad, queued))
    with database.write() as tx:  # one that waits until a place is free for it
        tx.execute(update(Dag).values(max_active_runs=0))
    waits = add_run(database, version, "etl", 4, logical_date=day(4))

    assert shown(plan(database).slots) == [
        ("01-01", "skip"), ("01-02", "skip"), ("01-03", "skip"), ("01-04", "skip"), ("01-05", "create")]  # fmt: skip
    assert shown(plan(database, only=Only.FAILED).slots)[1:] == [
        ("01-02", "rerun"), ("01-03", "skip"), ("01-04", "skip"), ("01-05", "skip")]  # fmt: skip
    made = create(database, reprocess=Reprocess.FAILED, conf={"again": True})
    finish(database, made.id)

    assert states(database, made.id) == ["skipped", "success", "skipped", "skipped", "success"]
    told = [slot.reason for slot in slots_of(database, made.id)]
    assert told[0] == "already exists: run 'r1' is success"
    assert told[3] == "in flight: run 'r4' is queued"
    (again,) = [run for run in runs_of(database, "etl") if run.pk == bad]
    assert (again.run_type, again.backfill_id, again.conf) == (RunType.BACKFILL, made.id, {"again": True})
    assert run_state(database, waits) == "queued"
    assert verify(database) == []


def test_done_again_are_the_chosen_tasks_alone_and_new_runs_consist_of_them(database: Database) -> None:
    version = store_scheduled(database, "etl", task("extract"), task("load_a", "extract"), task("mail", "load_a"))
    there = add_run(database, version, "etl", logical_date=day(1))
    with running_scheduler(database):
        wait_until(is_over(database, there))
    made = create(database, last=day(2), reprocess=Reprocess.COMPLETED, tasks=("load_*",))
    executor = finish(database, made.id)

    assert sorted((o.logical_date.day, o.task_id, o.try_number) for o in executor.orders if o.logical_date) == [
        (1, "load_a", 2), (2, "load_a", 1)]  # fmt: skip
    assert {run.logical_date: run.task_subset for run in runs_of(database, "etl")} == {day(1): None, day(2): ["load_a"]}
    assert verify(database) == []


def test_a_run_keeps_its_place_between_the_wish_and_its_fold(database: Database) -> None:
    version = store_scheduled(database, "etl", task("t"))
    pks = [add_run(database, version, "etl", n, logical_date=day(n)) for n in range(1, 6)]
    with running_scheduler(database):
        wait_until(is_over(database, *pks))
    made = create(database, max_active_runs=1, reprocess=Reprocess.COMPLETED)
    starts: list[int] = []
    with running_scheduler(database, lambda order: starts.append(order.run_pk) or Outcome.SUCCESS):  # type: ignore[func-returns-value]
        wait_until(is_complete(database, made.id))

    assert starts == pks
    assert {run.queued_at >= made.created_at for run in runs_of(database, "etl")} == {True}


def test_a_failed_run_makes_a_failed_backfill_and_stops_nothing(database: Database) -> None:
    store_scheduled(database, "etl", task("t"))
    made = create(database, max_active_runs=1)
    finish(database, made.id, lambda o: Outcome.FAILED if o.logical_date == day(2) else Outcome.SUCCESS)

    assert read(database, made.id).outcome is BackfillOutcome.FAILED
    assert states(database, made.id) == ["success", "failed", "success", "success", "success"]


def test_a_paused_backfill_starts_nothing_and_goes_on_where_it_was(database: Database) -> None:
    store_scheduled(database, "etl", task("t"))
    made = create(database, max_active_runs=2)
    gate = Gate()
    with running_scheduler(database, gate.behave) as executor:
        first, second = gate.started(2)
        assert pause_backfill(database, made.id, user="ada").state == "paused"
        executor.end(first, Outcome.SUCCESS)
        executor.end(second, Outcome.SUCCESS)
        wait_until(lambda: states(database, made.id).count("success") == 2)
    with running_scheduler(database, gate.behave) as executor:  # nor after a restart
        other = add_run(database, store_scheduled(database, "other", task("t")), "other")
        gate.started(3)
        executor.end(gate.orders[2], Outcome.SUCCESS)
        wait_until(is_over(database, other))
    assert states(database, made.id) == ["success", "success", "waiting", "waiting", "waiting"]

    unpause_backfill(database, made.id, user="ada")
    finish(database, made.id)
    assert states(database, made.id) == ["success"] * 5


def test_a_cancelled_backfill_makes_no_more_runs_and_lets_those_that_run_go_on(database: Database) -> None:
    store_scheduled(database, "etl", task("t"))
    made = create(database, max_active_runs=2)
    gate = Gate()
    with running_scheduler(database, gate.behave) as executor:
        first, second = gate.started(2)
        assert cancel_backfill(database, made.id, user="eve").state == "cancelling"
        executor.end(first, Outcome.SUCCESS)
        executor.end(second, Outcome.SUCCESS)
        wait_until(is_complete(database, made.id))

    assert states(database, made.id) == ["success", "success", "cancelled", "cancelled", "cancelled"]
    assert read(database, made.id).outcome is BackfillOutcome.CANCELLED
    with pytest.raises(Conflict, match="is over: cancelled"):
        cancel_backfill(database, made.id, user="eve")
    with pytest.raises(Conflict, match="is over"):
        pause_backfill(database, made.id, user="eve")
    with pytest.raises(NotFound, match="backfill list"):
        pause_backfill(database, made.id + 1, user="eve")


def test_cancelling_ends_queued_runs_with_a_reason_and_running_ones_when_asked(database: Database) -> None:
    store_scheduled(database, "etl", task("t"))
    made = create(database, max_active_runs=2)
    gate = Gate()
    with running_scheduler(database, gate.behave) as executor:
        gate.started(2)
        cancel_backfill(database, made.id, user="eve")
        with pytest.raises(Conflict, match="--stop-running"):
            cancel_backfill(database, made.id, user="eve")
        cancel_backfill(database, made.id, user="eve", stop_running=True)
        wait_until(is_complete(database, made.id))
        wait_until(lambda: len(executor.cancelled) == 2)

    assert {(run.state, run.reason) for run in runs_of(database, "etl")} == {
        (RunState.FAILED, f"backfill {made.id} was cancelled by eve")
    }
    assert verify(database) == []


def test_wishes_that_nobody_has_folded_are_taken_back_by_a_cancel(database: Database) -> None:
    version = store_scheduled(database, "etl", task("t"))
    there = add_run(database, version, "etl", logical_date=day(1))
    with running_scheduler(database):
        wait_until(is_over(database, there))
    made = create(database, last=day(1), reprocess=Reprocess.COMPLETED)

    with database.write() as tx:  # one turn by hand: the wish is sent, and nobody folds it
        now = database.now()
        due = [timer for timer in due_timers(tx, uuid4(), now, 10) if timer.kind == backfills.TIMER]
        move_backfills(tx, due, now, uuid4(), 10, must_claim=False)
    assert backfills_counts(database, made.id).queued == 1
    cancel_backfill(database, made.id, user="eve")
    executor = finish(database, made.id)

    assert executor.orders == []
    assert states(database, made.id) == ["cancelled"]


def backfills_counts(db: Database, backfill_id: int) -> backfills.BackfillCounts:
    with db.read() as tx:
        return backfills.count_slots(tx, backfill_id)


def test_a_wish_that_changes_nothing_does_not_hold_its_place_for_ever(database: Database) -> None:
    version = store_scheduled(database, "etl", task("a"), task("b"))
    there = add_run(database, version, "etl", logical_date=day(1))
    with running_scheduler(database):
        wait_until(is_over(database, there))
    made = create(database, last=day(1), reprocess=Reprocess.COMPLETED, tasks=("a",))
    with database.write() as tx:  # the task is gone from the run when the wish is folded
        assert tx.execute(delete(TaskInstance).where(TaskInstance.task_id == "a")).rowcount == 1
    finish(database, made.id)

    (slot,) = slots_of(database, made.id)
    assert (slot.state, slot.reason) == (SlotState.SKIPPED, "there was nothing to do again")


def test_a_run_of_a_backfill_that_is_over_runs_again_when_it_is_cleared(database: Database) -> None:
    store_scheduled(database, "etl", task("t"))
    made = create(database, last=day(2))
    finish(database, made.id)
    (first, _) = runs_of(database, "etl")
    with database.write() as tx:
        inbox.send(tx, [inbox.command_message(first.pk, uuid4(), ClearTasks(Selection()))], database.now())
    with running_scheduler(database) as executor:
        wait_until(lambda: len(executor.orders) == 1)
        wait_until(is_over(database, first.pk))
        wait_until(lambda: run_state(database, first.pk) == "success")


def test_a_run_whose_backfill_was_cleaned_away_runs_again_all_the_same(database: Database) -> None:
    store_scheduled(database, "etl", task("t"))
    made = create(database, last=day(1))
    finish(database, made.id)
    (first,) = runs_of(database, "etl")
    with database.write() as tx:
        tx.execute(delete(Backfill))
        inbox.send(tx, [inbox.command_message(first.pk, uuid4(), ClearTasks(Selection()))], database.now())
    with running_scheduler(database) as executor:
        wait_until(lambda: len(executor.orders) == 1)


def test_a_run_that_came_meanwhile_is_seen_when_its_date_has_its_turn(database: Database) -> None:
    version = store_scheduled(database, "etl", task("t"))
    made = create(database)
    there = add_run(database, version, "etl", logical_date=day(3))
    finish(database, made.id)

    assert states(database, made.id)[2] == "skipped"
    assert run_state(database, there) in ("queued", "running", "success")
    assert len(runs_of(database, "etl")) == 5


def test_a_name_that_is_taken_by_another_date_does_not_stop_the_backfill(database: Database) -> None:
    version = store_scheduled(database, "etl", task("t"))
    add_run(database, version, "etl", run_id="backfill__2024-01-02T00:00:00+00:00", logical_date=day(20))
    made = create(database, last=day(1))
    finish(database, made.id)

    assert [slot.run_id for slot in slots_of(database, made.id)] == [f"backfill__2024-01-02T00:00:00+00:00__{made.id}"]


def test_a_dag_whose_file_went_pauses_the_backfill_and_says_so(database: Database) -> None:
    store_scheduled(database, "etl", task("t"))
    made = create(database)
    with database.write() as tx:
        tx.execute(update(Dag).values(is_active=False))
    with running_scheduler(database):
        wait_until(lambda: read(database, made.id).is_paused)

    assert "no longer defined by any file" in (read(database, made.id).reason or "")
    with database.write() as tx:
        tx.execute(update(Dag).values(is_active=True))
    unpause_backfill(database, made.id, user="ada")
    finish(database, made.id)
    assert read(database, made.id).outcome is BackfillOutcome.SUCCESS


def test_runs_of_a_backfill_take_no_places_of_the_schedule_and_need_none(database: Database) -> None:
    version = store_scheduled(database, "etl", task("t"), max_active_runs=1)
    with database.write() as tx:
        dags.set_paused(tx, "etl", True, database.now())
    own = add_run(database, version, "etl", 30)
    create(database, max_active_runs=3)
    gate = Gate()
    with running_scheduler(database, gate.behave):
        assert len(gate.started(4)) == 4
        assert run_state(database, own) == "running"


def test_tasks_that_begin_later_by_the_file_take_part_in_the_past(database: Database) -> None:
    store_scheduled(database, "etl", task("t", start_date=day(3).isoformat(), end_date=day(3).isoformat()))
    made = create(database, last=day(5))
    executor = finish(database, made.id)

    assert len(executor.orders) == 5


def test_dates_of_partitions_get_runs_with_their_keys_and_are_done_again_in_place(database: Database) -> None:
    schedule = CronPartitionTimetable("0 0 * * *", timezone="UTC", key_format="%Y%m%d")
    store_scheduled(database, "etl", task("t"), schedule=schedule)
    made = create(database, last=day(2))
    finish(database, made.id)
    again = create(database, last=day(3), reprocess=Reprocess.COMPLETED)
    finish(database, again.id)

    found = runs_of(database, "etl")
    assert [(run.partition_key, run.partition_date, run.logical_date) for run in found] == [
        (f"2024010{n}", day(n), None) for n in (1, 2, 3)
    ]
    assert {run.backfill_id for run in found} == {again.id}


# --- several DAGs ----------------------------------------------------------------------------------------------------


def store_chain(db: Database) -> None:
    orders = AssetMention(name="orders", uri="s3://orders")
    hourly = CronDataIntervalTimetable("0 */6 * * *")
    store_scheduled(db, "hourly", task("t", outlets=(orders,)), schedule=hourly)
    store_scheduled(db, "daily", task("t", inlets=(orders,)), schedule=DAILY)


def test_a_daily_dag_runs_when_all_that_it_builds_on_has_run(database: Database) -> None:
    store_chain(database)
    made = create(database, "daily", "hourly", last=day(3) - timedelta(hours=1), max_active_runs=3)
    executor = finish(database, made.id)

    started = [(order.dag_id, order.data_interval_end) for order in executor.orders]
    assert len(started) == 10
    for number in (1, 2):
        mine = started.index(("daily", day(number + 1)))
        above = [at for at, (name, end) in enumerate(started) if name == "hourly" and end and end <= day(number + 1)]
        assert len(above) >= 4
        assert max(above[-4:]) < mine or sum(at < mine for at in above) == 4 * number


def test_what_builds_on_a_failed_run_is_given_up_with_the_reason(database: Database) -> None:
    store_chain(database)
    made = create(database, "daily", "hourly", last=day(3) - timedelta(hours=1))
    finish(database, made.id, lambda o: Outcome.FAILED if o.logical_date == day(1) else Outcome.SUCCESS)

    daily = {slot.date: slot for slot in slots_of(database, made.id) if slot.dag_id == "daily"}
    assert daily[day(1)].state is SlotState.UPSTREAM_FAILED
    assert "DAG 'hourly', which it waits for, failed" in (daily[day(1)].reason or "")
    assert daily[day(2)].run_state is RunState.SUCCESS
    assert read(database, made.id).outcome is BackfillOutcome.FAILED


# --- what is refused -------------------------------------------------------------------------------------------------


def test_a_second_backfill_of_a_dag_is_refused_while_one_is_open(database: Database) -> None:
    store_scheduled(database, "etl", task("t"))
    store_scheduled(database, "other", task("t"))
    made = create(database)
    create(database, "other")

    with pytest.raises(Conflict, match=rf"Backfill {made.id} of DAG 'etl' is running.*backfill cancel {made.id}"):
        create(database)
    with pytest.raises(Conflict, match="a DAG has one backfill at a time"):
        create(database, "other", "etl")


def test_tasks_that_depend_on_the_past_are_filled_forwards_and_without_gaps(database: Database) -> None:
    version = store_scheduled(database, "etl", task("t", depends_on_past=True))
    with pytest.raises(UsageError, match="cannot be filled backwards: task 't' depends on its past"):
        create(database, run_backwards=True)
    bad = add_run(database, version, "etl", logical_date=day(2))
    with running_scheduler(database, lambda _order: Outcome.FAILED):
        wait_until(is_over(database, bad))
    with pytest.raises(UsageError, match="run 'r1' failed.*--reprocess-behavior failed"):
        create(database)
    made = create(database, reprocess=Reprocess.FAILED, max_active_runs=3)
    executor = finish(database, made.id)

    assert [order.logical_date for order in executor.orders] == [day(n) for n in range(1, 6)]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"first": day(5), "last": day(1)}, "must not be after --to-date"),
        ({"first": day(1).replace(year=2090), "last": day(2).replace(year=2090)}, "lies in the future"),
        ({"max_active_runs": 100_000}, "not between 1 and 1,000"),
        ({"with_upstream": True}, "say more about --tasks"),
        ({"only": Only.MISSING, "reprocess": Reprocess.FAILED}, "contradict each other"),
        ({"conf": {"n": "x"}}, "Param 'n' of DAG 'etl' cannot be 'x'"),
        (
            {"first": day(1) + timedelta(hours=1), "last": day(1) + timedelta(hours=2)},
            "No runs to create for DAG 'etl'",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    database: Database, fields: dict[str, object], message: str
) -> None:
    store_scheduled(database, "etl", task("t"), params={"n": ParamSpec({"type": "integer"}, 1)})
    with pytest.raises(UsageError, match=message):
        create(database, **fields)
    with database.read() as tx:
        assert backfills.count_backfills(tx) == 0
        assert runs.list_runs(tx) == []
        assert tx.execute(select(RunInbox.id)).all() == []
