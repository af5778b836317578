"""Do the pages show a mapped task with hundreds of indexes as one thing, and each of its indexes on demand?"""

from __future__ import annotations

from html import unescape

import pytest
from flask.testing import FlaskClient

from tests.engine.world import add_run, dag, is_over, running_scheduler, store, task
from tests.support.waiting import wait_until
from tradewind.metadata.database import Database
from tradewind.metadata.views.summaries import sum_tasks
from tradewind.model.orders import Aftermath, AttemptOrder, Outcome
from tradewind.model.spec import MappingSpec, OutputLength

SIZE = 130


@pytest.fixture
def run(database: Database) -> str:
    """A run whose task ``work`` has 130 indexes, of which every tenth failed and the last is skipped."""
    spec = dag(
        "fan",
        task("source"),
        task("work", "source", mapping=MappingSpec((OutputLength("source"),))),
        task("sum", "work", trigger_rule="all_done"),
        max_active_tasks=200,
    )
    pk = add_run(database, store(database, spec), "fan")

    def behave(order: AttemptOrder) -> tuple[Outcome, Aftermath] | Outcome:
        if order.task_id != "work":
            return Outcome.SUCCESS, Aftermath(length=SIZE)
        label = Aftermath(map_label=f"part {order.map_index}")
        if order.map_index == SIZE - 1:
            return Outcome.SKIPPED, label
        return (Outcome.FAILED if order.map_index % 10 == 0 else Outcome.SUCCESS), label

    with running_scheduler(database, behave, parallelism=200):
        wait_until(is_over(database, pk), timeout=30)
    return "/dags/fan/runs/r1"


def text(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return unescape(answer.text)


def test_the_graph_shows_one_box_with_counts(client: FlaskClient, run: str) -> None:
    page = text(client, "/dags/fan/graph")
    assert page.count('data-t="work"') == 1
    assert "130 of 130 · 13 failed" in page


def test_the_grid_shows_what_asks_most_for_attention(client: FlaskClient, run: str) -> None:
    page = text(client, "/dags/fan")
    assert 'data-t="work">f</td>' in page
    assert 'data-t="sum">s</td>' in page


def test_the_run_has_one_line_for_it(client: FlaskClient, run: str) -> None:
    page = text(client, run)
    assert page.count(f'href="{run}/tasks/work"') == 1
    assert "× 130" in page


def test_its_page_lists_the_indexes_in_parts_with_their_labels(client: FlaskClient, run: str) -> None:
    first = text(client, f"{run}/tasks/work")
    assert f"{run}/tasks/work/mapped/0" in first
    assert "part 99" in first
    assert "part 100" not in first
    second = text(client, f"{run}/tasks/work?after=99")
    assert "part 100" in second
    assert "part 129" in second


def test_its_page_lists_one_state_alone(client: FlaskClient, run: str) -> None:
    failed = text(client, f"{run}/tasks/work?state=failed")
    assert [f'/mapped/{i}"' in failed for i in (0, 1, 10, 120)] == [True, False, True, True]
    panel = text(client, f"{run}/tasks/work?_p=panel")
    assert "130" in panel
    assert "<html" not in panel


def test_an_index_has_a_page_of_its_own(client: FlaskClient, run: str) -> None:
    assert "work [7]" in text(client, f"{run}/tasks/work/mapped/7")
    assert client.get(f"{run}/tasks/work/mapped/{SIZE}").status_code == 404
    assert client.get(f"{run}/tasks/nothing").status_code == 404


def test_the_graph_reads_as_many_rows_as_there_are_tasks_and_not_indexes(
    client: FlaskClient, run: str, database: Database
) -> None:
    with database.read() as tx:
        sums = {one.task_id: (one.size, one.done, one.state) for one in sum_tasks(tx, 1)}
    assert sums == {"source": (1, 1, "success"), "sum": (1, 1, "success"), "work": (130, 130, "failed")}
