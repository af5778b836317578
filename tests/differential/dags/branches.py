# mypy: ignore-errors
"""Branches: what each kind of answer keeps and skips."""

from datetime import datetime, time

import pendulum
from airflow.providers.standard.operators.branch import BaseBranchOperator
from airflow.providers.standard.operators.datetime import BranchDateTimeOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import BranchPythonOperator, PythonOperator
from airflow.providers.standard.operators.weekday import BranchDayOfWeekOperator
from airflow.providers.standard.utils.weekday import WeekDay
from airflow.sdk import DAG, Label, TaskGroup, task
from airflow.sdk.exceptions import AirflowSkipException


class Nop(EmptyOperator):
    """An empty operator that can be mapped."""

    def __init__(self, *, x=None, **fields):
        super().__init__(**fields)


def world(branch):
    """Below the branch: two chains, a task of no chain, a group, a mapped task, joins of several rules."""
    a, b, c = Nop(task_id="a"), Nop(task_id="b"), Nop(task_id="c")
    a2, b2 = Nop(task_id="a2"), Nop(task_id="b2")
    with TaskGroup("g") as g:
        x, y = Nop(task_id="x"), Nop(task_id="y")
        x >> y
        Nop(task_id="z")
    mapped = Nop.partial(task_id="mapped").expand(x=[1, 2])
    branch >> [a, b, c, g, mapped]
    a >> a2
    b >> b2
    # A direct child of the branch that is below another child as well.
    shared = Nop(task_id="shared", trigger_rule="none_failed_min_one_success")
    branch >> shared
    a2 >> shared
    for rule in (
        "all_success",
        "none_failed_min_one_success",
        "one_success",
        "all_done",
        "none_failed",
        "none_skipped",
    ):
        Nop(task_id=f"join.{rule}", trigger_rule=rule) << [a2, b2]
    Nop(task_id="end", trigger_rule="none_failed") << [c, g, mapped, shared]


ANSWERS = {
    "direct": "a",
    "other": "b",
    "two": ["a", "b"],
    "tuple": ["a", "c"],
    "none": None,
    "nothing": [],
    "indirect": "a2",
    "below_both": "join.all_done",
    "both_ways": ["a", "b2"],
    "own": "branch",
    "unknown": "nowhere",
    "one_unknown": ["a", "nowhere"],
    "number": 5,
    "mixed": ["a", 5],
    "group": "g",
    "group_and_task": ["g", "a"],
    "in_group": "g.x",
    "second_in_group": "g.y",
    "mapped": "mapped",
    "shared": "shared",
    "upstream": "before",
    "same_twice": ["a", "a"],
    "true": True,
    "empty_text": "",
}

for name, answer in ANSWERS.items():
    with DAG(f"branch_{name}"):

        @task.branch
        def branch(given):
            return tuple(given) if given == ["a", "c"] else given

        world(branch(answer))
        if name == "upstream":
            Nop(task_id="before")

with DAG("branch_set"):

    @task.branch
    def branch():
        return {"a"}

    world(branch())

with DAG("branch_classic"):
    world(BranchPythonOperator(task_id="branch", python_callable=lambda x, ds: x, op_args=["b"]))

with DAG("branch_own_class"):

    class Mine(BaseBranchOperator):
        def choose_branch(self, context):
            return ["a", "g"]

    world(Mine(task_id="branch"))

with DAG("branch_fails"):

    @task.branch
    def branch():
        raise ValueError("as asked")

    world(branch())

with DAG("branch_skips_itself"):

    @task.branch
    def branch():
        raise AirflowSkipException("as asked")

    world(branch())

with DAG("branch_retried"):

    @task.branch(retries=1, retry_delay=0)
    def branch(ti=None):
        if ti.try_number == 1:
            raise ValueError("first time")
        return "a"

    world(branch())

with DAG("branch_skipped_itself"):

    @task
    def gone():
        raise AirflowSkipException("as asked")

    @task.branch
    def branch():
        return "a"

    made = branch()
    gone() >> made
    world(made)

with DAG("branch_inside_group"):
    with TaskGroup("outer"):

        @task.branch
        def branch():
            return "outer.a"

        @task.branch(task_id="short")
        def short():
            return "a"

        branch() >> [Nop(task_id="a"), Nop(task_id="b")]
        short() >> Nop(task_id="c")

with DAG("branch_to_group_in_group"):
    with TaskGroup("outer"):

        @task.branch
        def branch():
            return "outer.inner"

        with TaskGroup("inner") as inner:
            Nop(task_id="p") >> Nop(task_id="q")
        branch() >> [inner, Nop(task_id="b")]

with DAG("branch_of_branches"):

    @task.branch
    def first():
        return "second"

    @task.branch
    def second():
        return ["x"]

    one, two = first(), second()
    x, y, z = Nop(task_id="x"), Nop(task_id="y"), Nop(task_id="z")
    one >> [two, z]
    two >> [x, y]
    [x, y, z] >> Nop(task_id="join", trigger_rule="one_success")

with DAG("branch_two_above"):

    @task.branch
    def keep():
        return "t"

    @task.branch
    def drop():
        return None

    t, after = Nop(task_id="t", trigger_rule="all_done"), Nop(task_id="after", trigger_rule="all_done")
    [keep(), drop()] >> t >> after

with DAG("branch_labels"):

    @task.branch
    def branch():
        return "a"

    made = branch()
    made >> Label("yes") >> Nop(task_id="a") >> Nop(task_id="join", trigger_rule="none_failed_min_one_success")
    made >> Label("no") >> Nop(task_id="b")

with DAG("branch_xcom_read"):

    @task.branch
    def branch():
        return ["a"]

    @task(trigger_rule="all_done")
    def a(chosen):
        return chosen

    made = branch()
    made >> Nop(task_id="b")
    a(made)

with DAG("branch_teardown_below"):

    @task.branch
    def branch():
        return "work"

    setup = Nop(task_id="setup").as_setup()
    down = Nop(task_id="down").as_teardown(setups=setup)
    branch() >> [setup, Nop(task_id="other")]
    setup >> Nop(task_id="work") >> down

with DAG("branch_expanded"):

    @task.branch
    def branch(x):
        return x

    branch.expand(x=["a", "b"]) >> [Nop(task_id="a"), Nop(task_id="b"), Nop(task_id="c")]

with DAG("branch_by_time", start_date=datetime(2024, 1, 1)):
    AT = pendulum.datetime(2024, 3, 5, 2)
    cases = {
        "inside": (AT.subtract(hours=1), AT.add(hours=1)),
        "before": (AT.add(hours=1), AT.add(hours=2)),
        "after": (AT.subtract(hours=2), AT.subtract(hours=1)),
        "from": (AT.subtract(hours=1), None),
        "until": (None, AT.add(hours=1)),
        "times": (time(1, 0), time(3, 0)),
        "overnight": (time(23, 0), time(4, 0)),
        "overnight_not": (time(23, 0), time(1, 0)),
        "edge": (AT, AT),
    }
    for name, (lower, upper) in cases.items():
        yes, no = Nop(task_id=f"{name}.yes"), Nop(task_id=f"{name}.no")
        BranchDateTimeOperator(
            task_id=name, target_lower=lower, target_upper=upper, use_task_logical_date=True,
            follow_task_ids_if_true=[yes.task_id], follow_task_ids_if_false=[no.task_id],
        ) >> [yes, no]  # fmt: skip

with DAG("branch_by_weekday"):  # the run's date is a Tuesday
    days = {
        "text": "Tuesday", "lower": "tuesday", "enum": WeekDay.TUESDAY, "set": {WeekDay.MONDAY, WeekDay.TUESDAY},
        "texts": {"Monday", "Friday"}, "weekend": {"Saturday", "Sunday"}, "list": ["Tuesday"],
    }  # fmt: skip
    for name, day in days.items():
        yes, no = Nop(task_id=f"{name}.yes"), Nop(task_id=f"{name}.no")
        BranchDayOfWeekOperator(
            task_id=name, week_day=day, use_task_logical_date=True,
            follow_task_ids_if_true=yes.task_id, follow_task_ids_if_false=no.task_id,
        ) >> [yes, no]  # fmt: skip

with DAG("branch_trigger_rules_below"):
    # The children that are not chosen are skipped at once, whatever their rule and their other upstreams.
    @task.branch
    def branch():
        return ["kept", "gate"]

    bad = PythonOperator(task_id="bad", python_callable=lambda: 1 / 0)
    good = Nop(task_id="good")
    made = branch()
    made >> Nop(task_id="kept")
    made >> Nop(task_id="gate") >> [bad, good]
    for rule in (
        "all_success",
        "all_done",
        "one_failed",
        "one_success",
        "always",
        "all_failed",
        "none_failed",
        "all_skipped",
    ):
        (
            [made, bad, good]
            >> Nop(task_id=f"dropped.{rule}", trigger_rule=rule)
            >> Nop(task_id=f"after.{rule}", trigger_rule=rule)
        )
