"""Who folds a command when no scheduler runs? The one who sends it; and never beside a scheduler."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from scheduler.operating.at_once import PATIENCE, fold_or_wait
from scheduler.operating.requests import Clear, HoldBack, Mark, Sent, Wish, send
from scheduler.recovery import only_scheduler
from scheduler.verify import verify
from tests.engine.world import add_run, dag, is_over, run_state, running_scheduler, states, store, task
from tests.operating.acts import ADA, EVERY, ended, fails
from tests.support.waiting import wait_until
from tradewind.config import Config
from tradewind.errors import MetadataError
from tradewind.metadata.database import Database
from tradewind.model.orders import Outcome
from tradewind.model.states import RunState, TaskState
from tradewind.run.task_choice import TaskChoice

NOW = timedelta(0)


def do(db: Database, config: Config, wish: Wish, patience: timedelta = PATIENCE) -> tuple[Sent, int]:
    sent = send(db, wish, ADA)
    return sent, fold_or_wait(db, config, sent.request_id, sent.pks, patience=patience).waiting


def test_without_a_scheduler_it_is_done_at_once(database: Database, etl: int, config: Config) -> None:
    (run,) = ended(database, etl, 1, behave=fails("b"))

    sent = send(database, Clear(runs=EVERY, tasks=TaskChoice(names=["b"], downstream=True)), ADA)
    outcome = fold_or_wait(database, config, sent.request_id, sent.pks)

    assert (outcome.waiting, outcome.states, outcome.has_scheduler) == (0, {RunState.QUEUED: 1}, False)
    assert states(database, run) == {"a": "success", "b": "none", "c": "none"}
    assert verify(database) == []
    with running_scheduler(database):
        wait_until(is_over(database, run))
    assert run_state(database, run) == "success"


def test_a_run_that_ran_when_its_scheduler_died_is_folded_too(database: Database, etl: int, config: Config) -> None:
    run = add_run(database, etl, "etl")
    with running_scheduler(database, lambda _order: None):
        wait_until(lambda: states(database, run).get("a") == "queued")

    assert do(database, config, HoldBack(runs=EVERY))[1] == 0
    assert do(database, config, Mark(runs=EVERY, tasks=TaskChoice(names=["a"]), state=TaskState.SUCCESS))[1] == 0

    assert states(database, run) == {"a": "success", "b": "scheduled", "c": "none"}
    assert verify(database) == []


def test_a_scheduler_that_is_alive_does_it(database: Database, etl: int, config: Config) -> None:
    (run,) = ended(database, etl, 1, behave=fails("b"))
    with running_scheduler(database):
        sent = send(database, Clear(runs=EVERY, tasks=TaskChoice(names=["b"])), ADA)
        outcome = fold_or_wait(database, config, sent.request_id, sent.pks)
        assert (outcome.waiting, outcome.has_scheduler) == (0, True)
        wait_until(is_over(database, run))
    assert verify(database) == []


def test_what_nobody_folds_in_time_stays_sent(embedded: Database, config: Config) -> None:
    ended(embedded, store(embedded, dag("etl", task("a"))), 1)
    with only_scheduler(embedded):
        sent, waiting = do(embedded, config, Clear(runs=EVERY), patience=NOW)
        assert waiting == 1
    assert fold_or_wait(embedded, config, sent.request_id, sent.pks).waiting == 0


def test_a_scheduler_waits_for_a_command_that_works_in_its_place(embedded: Database) -> None:
    has_begun = threading.Event()

    def begin() -> None:
        with only_scheduler(embedded):
            has_begun.set()

    with only_scheduler(embedded, is_passing=True):
        thread = threading.Thread(target=begin)
        thread.start()
        assert not has_begun.wait(0.1)
    assert has_begun.wait(10)
    thread.join()


def test_a_command_never_waits_for_the_place_of_a_scheduler(embedded: Database) -> None:
    with (
        only_scheduler(embedded),
        pytest.raises(MetadataError, match="already runs"),
        only_scheduler(embedded, is_passing=True),
    ):
        pass


def test_two_people_who_clear_the_same_run_at_once(database: Database, etl: int, config: Config) -> None:
    (run,) = ended(database, etl, 1)
    wish = Clear(runs=EVERY)
    first, second = send(database, wish, ADA), send(database, wish, ADA)

    assert fold_or_wait(database, config, second.request_id, second.pks).waiting == 0
    assert fold_or_wait(database, config, first.request_id, first.pks).waiting == 0

    with running_scheduler(database, lambda _order: Outcome.SUCCESS) as executor:
        wait_until(is_over(database, run))
    assert [order.task_id for order in executor.orders] == ["a", "b", "c"], "done again once, not twice"
    assert verify(database) == []
