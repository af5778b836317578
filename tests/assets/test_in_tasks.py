"""What does a task say of the assets that it updates, and what does it see of those that it reads?"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.assets.world import T0, at, consumer, look, producer, save, source, update
from tests.authoring.support import Rehearsal
from tradewind.metadata import asset_answers
from tradewind.metadata.assets import record_changes
from tradewind.metadata.database import Database
from tradewind.model.asset_talk import AssetAnswer, AssetQuestion, WriteState
from tradewind.model.orders import AssetChange, Outcome
from tradewind.sdk.assets.definitions import Asset, AssetAlias
from tradewind.sdk.assets.inlets import PAGE
from tradewind.sdk.assets.metadata import Metadata
from tradewind.sdk.dag import DAG
from tradewind.sdk.exceptions import AirflowSkipException
from tradewind.sdk.memory_channel import MemoryChannel
from tradewind.sdk.operators.empty import EmptyOperator
from tradewind.sdk.operators.python import PythonOperator
from tradewind.sdk.taskflow import task

A, B, ALIAS = Asset("a"), Asset("b"), AssetAlias("alias")


def changes(function: Any, *outlets: Any) -> list[AssetChange]:
    """What a task with this function says at its end."""
    with DAG("d") as dag:
        PythonOperator(task_id="t", python_callable=function, outlets=list(outlets))
    result = Rehearsal(dag).attempt("t")
    assert result.outcome is Outcome.SUCCESS, result.error
    return list(result.then.asset_changes) if result.then else []


def test_each_outlet_is_updated_once_by_a_success():
    assert changes(lambda: None, A, B, A) == [AssetChange(name="a", uri="a"), AssetChange(name="b", uri="b")]


def test_a_task_without_work_updates_them_too():
    with DAG("d") as dag:
        EmptyOperator(task_id="t", outlets=A)
    result = Rehearsal(dag).attempt("t")
    assert result.then is not None
    assert result.then.asset_changes == (AssetChange(name="a", uri="a"),)


def test_a_failure_or_a_skip_updates_nothing():
    for error in (ValueError("x"), AirflowSkipException("x")):
        with DAG("d") as dag:
            PythonOperator(task_id="t", python_callable=lambda e=error: (_ for _ in ()).throw(e), outlets=[A])
        result = Rehearsal(dag).attempt("t")
        assert result.outcome in (Outcome.FAILED, Outcome.SKIPPED)
        assert result.then is None or result.then.asset_changes == ()


def test_an_extra_goes_with_the_event():
    def work(outlet_events):
        outlet_events[A].extra = {"rows": 1}
        outlet_events[Asset.ref(name="a")].extra["more"] = 2
        outlet_events[B].extra = {"is": "no outlet"}

    assert changes(work, A) == [AssetChange(name="a", uri="a", extra={"rows": 1, "more": 2})]


def test_metadata_is_yielded_and_the_rest_is_returned(caplog):
    def work():
        yield Metadata(A, {"rows": 1})
        yield "something else"
        yield Metadata(B, {"n": 1}, alias=ALIAS)
        return 5

    found = changes(work, A, ALIAS)

    assert found == [
        AssetChange(name="a", uri="a", extra={"rows": 1}),
        AssetChange(name="b", uri="b", extra={"n": 1}, alias="alias"),
    ]
    assert "yielded a str" in caplog.text


def test_through_an_alias_that_is_no_outlet_nothing_is_said():
    def work(outlet_events):
        outlet_events[ALIAS].add(A)

    assert changes(work, B) == [AssetChange(name="b", uri="b")]


def test_partitions_become_an_event_each():
    def work(outlet_events):
        outlet_events[A].add_partitions(["us", "eu", "us"])
        outlet_events[A].add_partitions("apac")

    assert [one.partition_key for one in changes(work, A)] == ["apac", "eu", "us"]


@pytest.mark.parametrize(
    ("use", "error"),
    [
        (lambda events: events[ALIAS].add_partitions("x"), "not for aliases"),
        (lambda events: events[A].add_partitions(" "), "1 to 250"),
        (lambda events: events["a"], "by an Asset"),
        (lambda events: events[ALIAS].add("a"), "takes an Asset"),
    ],
)
def test_wrong_use_fails_the_task_with_the_mend(use, error):
    with DAG("d") as dag:
        PythonOperator(task_id="t", python_callable=lambda outlet_events: use(outlet_events), outlets=[A, ALIAS])
    result = Rehearsal(dag).attempt("t")
    assert result.outcome is Outcome.FAILED
    assert error in (result.error or "")


# --- with a metadata DB ----------------------------------------------------------------------------------------------


class Answering:
    """A rehearsal whose channel answers from a metadata DB, for one run."""

    def __init__(self, database: Database, run_pk: int) -> None:
        self.database, self.run_pk, self.asked = database, run_pk, 0

    def ask_assets(self, question: AssetQuestion) -> AssetAnswer:
        self.asked += 1
        if isinstance(question, WriteState):
            with self.database.write() as tx:
                asset_answers.write_state(tx, question, T0)
            return AssetAnswer()
        with self.database.read() as tx:
            return asset_answers.answer(tx, self.run_pk, question)


def see(
    database: Database, function: Any, inlets: list[Any], monkeypatch, run_pk: int = 0, run_type: str = "manual"
) -> Any:
    """What a function returns that reads assets, and how often it has asked."""
    answering = Answering(database, run_pk)
    monkeypatch.setattr(MemoryChannel, "ask_assets", lambda _self, question: answering.ask_assets(question))
    with DAG("d") as dag:
        made = task(task_id="read", inlets=inlets)(function)()
    rehearsal = Rehearsal(dag)
    plain = rehearsal.order
    rehearsal.order = lambda *args, **kwargs: _of_type(plain(*args, **kwargs), run_type)  # type: ignore[method-assign]
    result = rehearsal.attempt(made.operator.task_id)
    assert result.outcome is Outcome.SUCCESS, result.error
    return rehearsal.xcoms(made.operator.task_id).get("return_value"), answering.asked


def _of_type(order, run_type):
    return msgspec.structs.replace(order, run_type=run_type)


@pytest.fixture
def world(sqlite_database):
    save(sqlite_database, producer("a", "b", aliases=("alias",)), path="producer.py")
    for n in range(5):
        update(sqlite_database, "a", seconds=n, extra={"n": n})
    return sqlite_database


def test_events_of_an_inlet_are_a_sequence_with_the_newest_last(world, monkeypatch):
    def read(inlet_events):
        events = inlet_events[A]
        return [
            [one.extra["n"] for one in events],
            events[0].extra["n"],
            events[-1].extra["n"],
            [one.extra["n"] for one in events[1:3]],
            [one.extra["n"] for one in events[-2:]],
            [one.extra["n"] for one in events[::-2]],
            len(events),
            bool(inlet_events[0]),
            inlet_events[Asset.ref(name="a")][-1].source_task_id,
            [one.extra["n"] for one in inlet_events[A].ascending(False).limit(2)],
            len(inlet_events[A].after("2026-01-01T12:00:03+00:00")),
            len(inlet_events[A].before("2026-01-01T12:00:03")),
        ]

    found, _ = see(world, read, [A], monkeypatch)

    assert found == [[0, 1, 2, 3, 4], 0, 4, [1, 2], [3, 4], [4, 2, 0], 5, True, "make", [4, 3], 2, 4]


def test_looking_at_the_newest_event_asks_for_one(world, monkeypatch):
    found, asked = see(world, lambda inlet_events: inlet_events[A][-1].extra["n"], [A], monkeypatch)
    assert (found, asked) == (4, 2)  # whether the asset is active, and the event
    assert PAGE >= 100


def test_what_is_no_inlet_and_what_is_not_there_are_said(world, monkeypatch):
    def read(inlet_events):
        errors = []
        for look_up in (lambda: inlet_events[B], lambda: inlet_events[A][7], lambda: inlet_events["a"]):
            try:
                look_up()
            except (KeyError, IndexError, TypeError) as error:
                errors.append(type(error).__name__)
        return errors

    assert see(world, read, [A], monkeypatch)[0] == ["KeyError", "IndexError", "NoAsset"]


def test_a_run_sees_the_events_that_it_was_created_for(world, monkeypatch):
    save(world, consumer("waits", A & ALIAS))
    update(world, "a", seconds=10, extra={"n": 10})
    made = source(world)
    with world.write() as tx:
        record_changes(tx, made, [AssetChange(name="b", uri="b", alias="alias", extra={"x": 1})], at(11))
    (run,) = look(world, 12)

    def read(triggering_asset_events):
        events = triggering_asset_events
        (one,) = events[A]
        return [
            one.extra,
            one.source_task_instance.task_id,
            one.source_dag_run.run_type,
            [e.extra for e in events[ALIAS]],
            [e.asset.name for e in events.for_asset_alias(name="alias")],
            [e.name for e in events.for_asset(name="b")],
            len(events),
        ]

    found, _ = see(world, read, [], monkeypatch, run.pk, "asset_triggered")
    assert found == [{"n": 10}, "make", "manual", [{"x": 1}], ["b"], ["b"], 3]
    assert see(world, lambda triggering_asset_events: len(triggering_asset_events), [], monkeypatch, run.pk)[0] == 0


def test_state_is_kept_with_an_asset(world, monkeypatch):
    def keep(asset_state_store):
        store = asset_state_store[A]
        before = store.get("mark", default="none")
        store.set("mark", {"at": 3})
        asset_state_store.set("other", [1])
        after = asset_state_store.get("mark")
        store.delete("other")
        gone = store.get("other")
        return [before, after, gone]

    assert see(world, keep, [A], monkeypatch)[0] == ["none", {"at": 3}, None]
    assert see(world, lambda asset_state_store: asset_state_store[A].get("mark"), [A], monkeypatch)[0] == {"at": 3}


def test_a_task_whose_asset_is_not_active_fails_before_it_works(world, monkeypatch):
    answering, ran = Answering(world, 0), []
    monkeypatch.setattr(MemoryChannel, "ask_assets", lambda _self, question: answering.ask_assets(question))
    with DAG("d") as dag:
        PythonOperator(task_id="t", python_callable=lambda: ran.append(1), outlets=[Asset("gone")])
    result = Rehearsal(dag).attempt("t")

    assert result.outcome is Outcome.FAILED
    assert "not active: 'gone'" in (result.error or "")
    assert ran == []
