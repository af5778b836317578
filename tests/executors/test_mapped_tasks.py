"""What does an index of a mapped task get in its process, and what a task that adds up all of them?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import insert

from tests.executors.stores import AT, put_run, put_version
from tests.executors.workbench import Workbench
from tradewind.metadata.database import Database
from tradewind.metadata.models import XCom
from tradewind.model.orders import AttemptEnded, Outcome

TASKS = """
    from tradewind import BashOperator, task_group

    @task
    def source():
        return [1, 2, 3]

    @task(map_index_template="number {{ x }}")
    def work(x, y):
        return [x, y]

    @task
    def reduce(values):
        return [len(values), sum(values), values[-1], values[10:12], repr(values)]

    @task
    def hands_on(values):
        return values

    values = source()
    many = work.override(task_id="many").expand(x=[0], y=values)
    work.expand(x=values, y=["a", "b"])
    reduce(many)
    hands_on(many)
    work.override(task_id="of_many").expand(x=many, y=[0])
    BashOperator.partial(task_id="bash", env={"I": "{{ ti.map_index }}"}).expand(bash_command=["echo $I"])

    @task_group
    def group(x):
        work.override(task_id="first")(x=x, y=1) >> hands_on.override(task_id="second")(x)

    group.expand(x=values)
"""


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    """The metadata DB of the bench, with a run."""
    made = Database(sqlite_url)
    put_version(made, 1, b"")
    put_run(made, 1, "scheduled__2026-01-05T02:00:00+00:00")
    yield made
    made.close()


@pytest.fixture
def bench(make_bench: Callable[..., Workbench], database: Database) -> Workbench:
    made = make_bench()
    made.write_dag(TASKS)
    return made


def keep(database: Database, task_id: str, *values: str, first: int = 0) -> None:
    """Store the returned values of a task; ``first`` is the map index of the first."""
    rows = [
        {"run_pk": 1, "task_id": task_id, "map_index": first + number, "key": "return_value", "value": value}
        for number, value in enumerate(values)
    ]
    with database.write() as tx:
        tx.execute(insert(XCom), [{**row, "size_bytes": 1, "created_at": AT} for row in rows])


def value_of(ended: AttemptEnded) -> str:
    assert ended.outcome == Outcome.SUCCESS, ended.error
    return str(ended.xcoms[0].value)


def test_an_index_gets_its_own_values_and_tells_its_name(bench, database):
    keep(database, "source", "[1,2,3]", first=-1)

    ended = [bench.run_task("work", map_index=index) for index in (0, 1, 5)]

    assert [value_of(one) for one in ended] == ['[1,"a"]', '[1,"b"]', '[3,"b"]']
    assert [one.then.map_label for one in ended if one.then] == ["number 1", "number 1", "number 3"]


def test_a_source_tells_how_many_values_it_gives(bench):
    ended = bench.run_task("source")

    assert ended.then is not None
    assert ended.then.length == 3


def test_an_index_of_a_task_that_others_are_expanded_over_counts_as_one(bench, database):
    keep(database, "source", "[1,2,3]", first=-1)

    ended = bench.run_task("many", map_index=2)

    assert (value_of(ended), ended.then and ended.then.length) == ("[0,3]", 1)


def test_a_task_adds_up_what_hundreds_of_indexes_left(bench, database):
    keep(database, "many", *map(str, range(1_000)))

    assert value_of(bench.run_task("reduce")) == '[1000,499500,999,[10,11],"LazyXComSequence([1000 items])"]'
    assert value_of(bench.run_task("of_many", map_index=321)) == "[321,0]"


def test_the_sequence_itself_cannot_be_returned_and_the_mend_is_said(bench, database):
    keep(database, "many", "1", "2")

    ended = bench.run_task("hands_on")

    assert ended.outcome == Outcome.FAILED
    assert "LazyXComSequence" in str(ended.error)


def test_an_index_of_a_task_in_a_group_gets_the_argument_of_the_group(bench, database):
    keep(database, "source", "[1,2,3]", first=-1)

    assert value_of(bench.run_task("group.first", map_index=1)) == "[2,1]"
    assert value_of(bench.run_task("group.second", map_index=2)) == "3"


def test_templates_of_an_index_are_shown_with_its_values(bench):
    order = bench.order("bash", map_index=0)

    (ended,) = bench.run(order)

    assert value_of(ended) == '"0"'
    shown = ended.rendered or bench.start_of(order).rendered
    assert shown == {"bash_command": "echo $I", "env": {"I": "0"}, "cwd": None}


def test_an_index_whose_value_is_not_there_fails(bench, database):
    keep(database, "source", "[]", first=-1)

    assert "IndexError" in str(bench.run_task("work", map_index=0).error)
