"""Can DAGs be listed, paused and deleted, with the timer always in step? On both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from tests.dagfiles.specs import NOW, add_run, parsed, spec, timers
from tradewind.errors import Conflict, NotFound
from tradewind.metadata import dags
from tradewind.metadata.models import DagRun, DagSource, DagTag, DagVersion
from tradewind.model.states import RunState
from tradewind.timetables import DataInterval, NextRun


@pytest.fixture
def etl(database):
    """One active DAG that is not paused, due at 02:00 each night."""
    with database.write() as tx:
        dags.save_file(tx, parsed(spec(tags=("nightly",))), NOW, paused_at_creation=False)
    return database


def test_pausing_takes_the_timer_away_and_says_whether_anything_changed(etl):
    with etl.write() as tx:
        assert dags.set_paused(tx, "etl", True, NOW) is True
        assert dags.set_paused(tx, "etl", True, NOW) is False
        assert timers(tx) == {}
        assert dags.get_dag(tx, "etl").next_run_after is not None


@pytest.mark.parametrize(("catchup", "day"), [(False, 20), (True, 2)])
def test_unpausing_passes_over_missed_runs_unless_the_dag_catches_up(database, catchup, day):
    with database.write() as tx:
        dags.save_file(tx, parsed(spec(catchup=catchup)), NOW, paused_at_creation=True)
        add_run(tx, dags.get_dag(tx, "etl").version_id or 0, datetime(2026, 3, 1, 2, tzinfo=UTC))

        dags.set_paused(tx, "etl", False, datetime(2026, 3, 20, 12, tzinfo=UTC))

        assert timers(tx) == {"etl": datetime(2026, 3, day, 2, tzinfo=UTC)}


def test_an_unknown_dag_is_answered_with_the_nearest_name(etl):
    with etl.write() as tx:
        with pytest.raises(NotFound, match="DAG 'elt' does not exist. Did you mean 'etl'?"):
            dags.set_paused(tx, "elt", True, NOW)
        with pytest.raises(NotFound, match="Did you mean 'etl'?"):
            dags.get_dag(tx, "etll")
        with pytest.raises(NotFound):
            dags.load_newest_spec(tx, "nothing")
        with pytest.raises(NotFound):
            dags.load_spec(tx, 4711)
        with pytest.raises(NotFound):
            dags.load_source(tx, 4711)
        assert dags.find_dag(tx, "elt") is None


def test_the_next_run_and_its_timer_move_together(etl):
    due = datetime(2026, 3, 2, 2, tzinfo=UTC)
    with etl.write() as tx:
        dags.set_next_run(tx, "etl", NextRun(due, due - timedelta(days=1), DataInterval(due - timedelta(days=1), due)))
        dag = dags.get_dag(tx, "etl")
        assert timers(tx) == {"etl": due}
        assert (dag.next_run_after, dag.next_logical_date) == (due, due - timedelta(days=1))
        assert (dag.next_interval_start, dag.next_interval_end) == (due - timedelta(days=1), due)

        dags.set_next_run(tx, "etl", None)
        dag = dags.get_dag(tx, "etl")
        assert timers(tx) == {}
        assert (dag.next_run_after, dag.next_logical_date, dag.next_interval_start) == (None, None, None)

        dags.set_next_run(tx, "nobody", NextRun.over(due, due))
        assert timers(tx) == {}


def test_a_paused_or_inactive_dag_gets_no_timer(etl):
    due = NextRun.over(NOW, NOW + timedelta(hours=1))
    with etl.write() as tx:
        dags.set_paused(tx, "etl", True, NOW)
        dags.set_next_run(tx, "etl", due)
        assert timers(tx) == {}

        dags.set_paused(tx, "etl", False, NOW)
        dags.remove_file(tx, "etl.py")
        dags.set_next_run(tx, "etl", due)
        assert timers(tx) == {}


def test_rescheduling_again_gives_the_same(etl):
    with etl.write() as tx:
        first = dags.reschedule(tx, "etl", NOW)
        assert first is not None
        assert dags.reschedule(tx, "etl", NOW) == first
        assert timers(tx) == {"etl": first.run_after}


def test_lists_can_be_filtered_and_paged(database):
    with database.write() as tx:
        for number, tag in enumerate(["red", "blue", "red"]):
            one = spec(f"dag_{number}", tags=(tag, "all"), display_name=f"The {number}. one")
            dags.save_file(tx, parsed(one, path=f"{number}.py"), NOW, paused_at_creation=number == 2)

    def ids(**filters):
        with database.read() as tx:
            found = [dag.dag_id for dag in dags.list_dags(tx, **filters)]
            assert dags.count_dags(tx, **filters) == len(found)
            return found

    assert ids() == ["dag_0", "dag_1", "dag_2"]
    assert ids(tags=["red"]) == ["dag_0", "dag_2"]
    assert ids(tags=["red", "blue"]) == ["dag_0", "dag_1", "dag_2"]
    assert ids(pattern="G_1") == ["dag_1"]
    assert ids(pattern="the 2") == ["dag_2"]
    assert ids(pattern="%") == []
    assert ids(owner="ANN") == ["dag_0", "dag_1", "dag_2"]
    assert ids(owner="zoe") == []
    assert ids(is_paused=True) == ["dag_2"]
    with database.read() as tx:
        assert [dag.dag_id for dag in dags.list_dags(tx, after="dag_0", limit=1)] == ["dag_1"]


def test_deleting_a_dag_takes_all_that_is_its_own(etl):
    with etl.write() as tx:
        dags.save_file(tx, parsed(spec("other"), path="other.py"), NOW)  # from the same text
        add_run(tx, dags.get_dag(tx, "etl").version_id or 0, NOW)

        assert dags.delete_dag(tx, "etl") == 1

        assert dags.find_dag(tx, "etl") is None
        assert timers(tx) == {}
        for table in (DagRun, DagTag):
            assert tx.execute(select(func.count()).select_from(table)).scalar_one() == 0
        assert tx.execute(select(DagVersion.dag_id)).scalars().all() == ["other"]
        assert tx.execute(select(func.count()).select_from(DagSource)).scalar_one() == 1
        dags.delete_dag(tx, "other")
        assert tx.execute(select(func.count()).select_from(DagSource)).scalar_one() == 0
        with pytest.raises(NotFound):
            dags.delete_dag(tx, "etl")


def test_a_dag_with_runs_under_way_is_not_deleted(etl):
    with etl.write() as tx:
        add_run(tx, dags.get_dag(tx, "etl").version_id or 0, NOW, state=RunState.RUNNING)
        with pytest.raises(Conflict, match="1 of its runs are queued or running"):
            dags.delete_dag(tx, "etl")
        assert dags.find_dag(tx, "etl") is not None
