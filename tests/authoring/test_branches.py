"""What does a task hand over that has decided whom to skip? Branches, short circuits, conditions, own operators."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.authoring.support import Rehearsal, load, only
from tradewind.model.orders import Outcome
from tradewind.sdk.context import Context
from tradewind.sdk.dag import DAG
from tradewind.sdk.exceptions import AirflowException, DagArgumentError
from tradewind.sdk.operators.branch import BranchPythonOperator
from tradewind.sdk.operators.datetime_branch import BranchDateTimeOperator
from tradewind.sdk.operators.empty import EmptyOperator
from tradewind.sdk.operators.latest_only import LatestOnlyOperator
from tradewind.sdk.operators.short_circuit import ShortCircuitOperator
from tradewind.sdk.operators.weekday import BranchDayOfWeekOperator
from tradewind.sdk.skip import SkipMixin
from tradewind.sdk.taskflow import task
from tradewind.sdk.weekday import WeekDay

_ROWS = """
    with DAG("d") as dag:
        first = decide()
        a, b, join = (EmptyOperator(task_id=i) for i in ("a", "b", "join"))
        with TaskGroup("g"):
            inside, after = EmptyOperator(task_id="inside"), EmptyOperator(task_id="after")
            inside >> after
        first >> [a, b, join]
        first >> Label("this way") >> inside
        a >> join
"""


def trial(dag: DAG, **settings: Any) -> Any:
    """Return a rehearsal whose results are looked into without saying each time that they are there."""
    return Rehearsal(dag, **settings)


def dag_of(tmp_path: Path, decide: str) -> DAG:
    head = (
        "from tradewind import DAG, EmptyOperator, Label, TaskGroup, task\n"
        "from tradewind.sdk.skip import SkipMixin\n"
        "from tradewind.sdk.operators.branch import BaseBranchOperator\n"
        f"{decide}\n"
    )
    body = "\n".join(line.removeprefix("    ") for line in _ROWS.splitlines())
    return only(load(tmp_path, head + body))


def branch(tmp_path: Path, chosen: str) -> Any:
    return trial(dag_of(tmp_path, f"@task.branch\ndef decide():\n    return {chosen}"))


def skipped(rehearsal: Any, task_id: str = "decide") -> set[str]:
    result = rehearsal.attempt(task_id)
    assert result.outcome is Outcome.SUCCESS, result.error
    return set(result.then.skip) if result.then else set()


# Recorded from Airflow 3.3.2, as the XComs below.
@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ("'a'", {"b", "g.inside"}),  # join stands below a as well, so it is kept
        ("'b'", {"a", "join", "g.inside"}),
        ("['a', 'b']", {"g.inside"}),
        ("('a', 'g')", {"b"}),
        ("{'g'}", {"a", "b", "join"}),
        ("(one for one in ['a', 'b'])", {"g.inside"}),
        ("'decide'", set()),  # everything directly below stands below itself
        ("'g.after'", {"a", "b", "join", "g.inside"}),  # no child, and no child stands below it
        ("None", {"a", "b", "join", "g.inside"}),
        ("[]", {"a", "b", "join", "g.inside"}),
    ],
)
def test_a_branch_skips_the_children_that_lie_on_no_chosen_way(tmp_path, chosen, expected):
    assert skipped(branch(tmp_path, chosen)) == expected


@pytest.mark.parametrize(
    ("chosen", "xcoms"),
    [
        ("'a'", {"skipmixin_key": {"followed": ["a", "join"]}}),
        ("'g'", {"skipmixin_key": {"followed": ["g.inside"]}}),
        ("None", {"skipmixin_key": {"followed": []}}),
        ("'decide'", {"skipmixin_key": {"followed": ["a", "b", "g.inside", "join"]}, "return_value": "decide"}),
    ],
)
def test_a_branch_says_whom_it_follows_and_returns_only_when_nothing_is_skipped(tmp_path, chosen, xcoms):
    rehearsal = branch(tmp_path, chosen)

    rehearsal.attempt("decide")

    assert rehearsal.xcoms("decide") == xcoms


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ("'bb'", ["'decide'", "'bb'", "Did you mean 'b'?", "Below it stand: a, b, g.inside, join"]),
        ("['a', 'zz', 'g']", ["'zz'"]),
        ("5", ["must be texts", "5", "int"]),
        ("['a', None]", ["must be texts", "NoneType"]),
    ],
)
def test_a_branch_to_what_is_not_there_fails_and_names_what_is(tmp_path, chosen, words):
    result = branch(tmp_path, chosen).attempt("decide")

    assert result.outcome is Outcome.FAILED
    assert result.may_retry
    for word in words:
        assert word in result.error


def test_a_branch_with_nothing_below_it_returns_its_choice():
    with DAG("d") as dag:
        BranchPythonOperator(task_id="alone", python_callable=lambda: "alone")
    rehearsal = trial(dag)

    assert skipped(rehearsal, "alone") == set()
    assert rehearsal.xcoms("alone") == {"return_value": "alone"}


def test_success_callbacks_of_a_branch_run_although_it_skips(tmp_path):
    called = []
    with DAG("d") as dag:
        choose = BranchPythonOperator(
            task_id="choose", python_callable=lambda: None, on_success_callback=lambda context: called.append("success")
        )
        choose >> EmptyOperator(task_id="x")

    assert skipped(trial(dag), "choose") == {"x"}
    assert called == ["success"]


@given(
    st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda e: e[0] < e[1])), st.sets(st.integers(0, 6))
)
def test_what_a_branch_skips_is_what_the_written_rule_says(edges, chosen):
    names = [f"t{number}" for number in range(7)]
    with DAG("d") as dag:
        choice = [names[number] for number in chosen]
        tasks: list[Any] = [BranchPythonOperator(task_id=names[0], python_callable=lambda: choice)]
        tasks += [EmptyOperator(task_id=name) for name in names[1:]]
    for up, down in edges:
        tasks[up] >> tasks[down]
    below = {number: {down for up, down in edges if up == number} for number in range(7)}

    def reaches(start: int, goal: int) -> bool:
        return any(step == goal or reaches(step, goal) for step in below[start])

    expected = {names[c] for c in below[0] if c not in chosen and not any(reaches(one, c) for one in chosen)}

    assert skipped(trial(dag), "t0") == expected


# --- short circuits --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("", {"a", "b", "join", "g.inside", "g.after"}),
        ("(ignore_downstream_trigger_rules=False)", {"a", "b", "join", "g.inside"}),
    ],
)
def test_a_short_circuit_skips_all_below_or_only_its_children(tmp_path, settings, expected):
    rehearsal = trial(dag_of(tmp_path, f"@task.short_circuit{settings}\ndef decide():\n    return []"))

    assert skipped(rehearsal) == expected
    assert rehearsal.xcoms("decide") == {"skipmixin_key": {"skipped": sorted(expected)}}


def test_a_short_circuit_that_goes_on_returns_what_the_function_returned(tmp_path):
    rehearsal = trial(dag_of(tmp_path, "@task.short_circuit\ndef decide():\n    return [1]"))

    assert skipped(rehearsal) == set()
    assert rehearsal.xcoms("decide") == {"return_value": [1]}


def test_a_short_circuit_spares_teardowns_and_returns_when_nothing_else_is_below():
    with DAG("d") as dag:
        stop = ShortCircuitOperator(task_id="stop", python_callable=lambda: False)
        clean = EmptyOperator(task_id="clean").as_teardown(setups=EmptyOperator(task_id="begin"))
        work = EmptyOperator(task_id="work")
        stop >> work >> clean
        last = ShortCircuitOperator(task_id="last", python_callable=lambda: False)
        last >> EmptyOperator(task_id="clean_too").as_teardown()
    rehearsal = trial(dag)

    assert skipped(rehearsal, "stop") == {"work"}
    assert skipped(rehearsal, "last") == set()
    assert rehearsal.xcoms("last") == {"return_value": False}


# --- dates -----------------------------------------------------------------------------------------------------------

TUESDAY = datetime(2024, 3, 5, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "is_followed"),
    [("tuesday", True), ("Monday", False), ({WeekDay.TUESDAY, WeekDay.SUNDAY}, True), (["Sunday"], False)],
)
@pytest.mark.parametrize("date", [TUESDAY, None])
def test_a_weekday_branch_looks_at_the_logical_date_or_at_when_the_run_is_due(day, is_followed, date):
    with DAG("d") as dag:
        check = BranchDayOfWeekOperator(
            task_id="check",
            week_day=day,
            follow_task_ids_if_true="yes",
            follow_task_ids_if_false=["no"],
            use_task_logical_date=True,
        )
        check >> [EmptyOperator(task_id="yes"), EmptyOperator(task_id="no")]

    assert skipped(trial(dag, logical_date=date), "check") == ({"no"} if is_followed else {"yes"})


def test_a_weekday_branch_looks_at_today_in_the_zone_of_the_dag():
    import zoneinfo

    zone = zoneinfo.ZoneInfo("Pacific/Kiritimati")  # 14 hours ahead of UTC
    with DAG("d", start_date=datetime(2024, 1, 1, tzinfo=zone)) as dag:
        days = BranchDayOfWeekOperator(
            task_id="check", week_day="Monday", follow_task_ids_if_true="a", follow_task_ids_if_false="b"
        )

    assert days.isoweekday(Context({})) == datetime.now(zone).isoweekday()
    assert dag.timezone == zone


@pytest.mark.parametrize(
    ("day", "error"), [("Mon", AttributeError), (3, TypeError), ([3], AttributeError), (None, TypeError)]
)
def test_a_day_that_does_not_exist_is_refused_when_the_file_is_read(day, error):
    with DAG("d"), pytest.raises(error):
        BranchDayOfWeekOperator(task_id="x", week_day=day, follow_task_ids_if_true="a", follow_task_ids_if_false="b")


@pytest.mark.parametrize(
    ("lower", "upper", "is_followed"),
    [
        (datetime(2024, 3, 5), datetime(2024, 3, 6), True),
        (datetime(2024, 3, 5, 3), None, False),
        (None, datetime(2024, 3, 5, 1, 59), False),
        (None, datetime(2024, 3, 5, 2, tzinfo=UTC), True),  # the bounds belong to it
        (datetime(2024, 3, 5, 2).time(), datetime(2024, 3, 5, 3).time(), True),
        (datetime(2024, 3, 5, 1).time(), datetime(2024, 3, 5, 0).time(), True),  # until midnight of the next day
        (datetime(2024, 3, 5, 22).time(), datetime(2024, 3, 5, 4).time(), False),  # from this evening on
        (datetime(2024, 3, 6), datetime(2024, 3, 4), False),
    ],
)
def test_a_branch_by_time_goes_by_its_bounds(lower, upper, is_followed):
    with DAG("d") as dag:
        check = BranchDateTimeOperator(
            task_id="check",
            target_lower=lower,
            target_upper=upper,
            follow_task_ids_if_true="yes",
            follow_task_ids_if_false="no",
            use_task_logical_date=True,
        )
        check >> [EmptyOperator(task_id="yes"), EmptyOperator(task_id="no")]

    assert skipped(trial(dag), "check") == ({"no"} if is_followed else {"yes"})


def test_a_branch_by_time_without_bounds_is_refused():
    with DAG("d"), pytest.raises(AirflowException, match="target_lower and target_upper are both None"):
        BranchDateTimeOperator(
            task_id="x", target_lower=None, target_upper=None, follow_task_ids_if_true="", follow_task_ids_if_false=""
        )


@pytest.mark.parametrize(
    ("age", "is_latest"), [(timedelta(0), True), (timedelta(days=1), False), (timedelta(days=400), False)]
)
def test_only_the_newest_scheduled_run_goes_on_below_latest_only(age, is_latest):
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with DAG("d", schedule="@daily", start_date=datetime(2020, 1, 1)) as dag:
        LatestOnlyOperator(task_id="latest") >> EmptyOperator(task_id="x")
    rehearsal = trial(dag, logical_date=today - age)

    assert skipped(rehearsal, "latest") == set()  # asked for by hand
    rehearsal.run_type = "scheduled"
    assert skipped(rehearsal, "latest") == (set() if is_latest else {"x"})


def test_a_run_after_which_none_comes_is_the_newest():
    with DAG("d", schedule=None) as dag:
        LatestOnlyOperator(task_id="latest") >> EmptyOperator(task_id="x")
    rehearsal = trial(dag, run_type="operator_triggered")

    assert skipped(rehearsal, "latest") == set()


# --- conditions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "answer", "outcome", "reason"),
    [
        ("run_if", "True", Outcome.SUCCESS, None),
        ("run_if", "False", Outcome.SKIPPED, "Task was skipped due to condition."),
        ("run_if", "(False, 'because')", Outcome.SKIPPED, "because"),
        ("skip_if", "(0, 'because')", Outcome.SUCCESS, None),
        ("skip_if", "1", Outcome.SKIPPED, "Task was skipped due to condition."),
        ("skip_if", "(True, None)", Outcome.SKIPPED, "Task was skipped due to condition."),
    ],
)
def test_a_condition_decides_before_the_task_begins(tmp_path, word, answer, outcome, reason):
    dag = only(
        load(
            tmp_path,
            f"""
            from tradewind import DAG, task
            with DAG("d"):
                @task.{word}(lambda context: {answer} if context["ti"].task_id == "mine" else None)
                @task(on_execute_callback=lambda context: context["ti"].xcom_push("began", True))
                def mine():
                    return 1
                mine()
            """,
        )
    )
    rehearsal = trial(dag)

    result = rehearsal.attempt("mine")

    assert result.outcome is outcome
    assert rehearsal.xcoms("mine") == ({"began": True, "return_value": 1} if outcome is Outcome.SUCCESS else {})
    if reason:
        assert reason in result.error


def test_conditions_add_up_and_stay_through_override():
    asked = []

    def says(name, answer):
        def condition(context):
            asked.append(name)
            return answer

        return condition

    @task.skip_if(says("outer", False))
    @task.run_if(says("inner", True), skip_message="never")
    @task(pre_execute=lambda context: asked.append("own"))
    def mine():
        return 1

    with DAG("d") as dag:
        mine.override(task_id="other")()
    trial(dag).attempt("other")

    assert asked == ["own", "inner", "outer"]


def test_a_condition_below_the_task_decorator_is_refused():
    with pytest.raises(TypeError, match="above @task"):
        task.run_if(lambda context: True)(print)  # type: ignore[arg-type]


# --- own operators ---------------------------------------------------------------------------------------------------


class Own(EmptyOperator, SkipMixin):
    """Skips what it is told to."""

    def __init__(self, *, names, **kwargs) -> None:
        super().__init__(**kwargs)
        self.names = names

    def execute(self, context):
        self.skip(context["ti"], [context["dag"].get_task(name) for name in self.names])
        return "went on"


def test_an_own_operator_skips_any_tasks_of_its_dag():
    with DAG("d") as dag:
        own = Own(task_id="own", names=["far"])
        own >> EmptyOperator(task_id="near") >> EmptyOperator(task_id="far")
        Own(task_id="nobody", names=[])
    rehearsal = trial(dag)

    assert skipped(rehearsal, "own") == {"far"}
    assert rehearsal.xcoms("own") == {"skipmixin_key": {"skipped": ["far"]}}
    assert skipped(rehearsal, "nobody") == set()
    assert rehearsal.xcoms("nobody") == {"return_value": "went on"}


def test_a_branch_class_without_a_choice_says_what_it_needs(tmp_path):
    dag = dag_of(tmp_path, "def decide():\n    return BaseBranchOperator(task_id='decide')")

    result = trial(dag).attempt("decide")

    assert "choose_branch" in result.error


def test_an_index_of_a_mapped_group_decides_for_itself_only(tmp_path):
    dag = only(
        load(
            tmp_path,
            """
            from tradewind import DAG, EmptyOperator, task, task_group
            with DAG("d"):
                @task.branch
                def decide(n):
                    return "g.yes" if n else "g.no"

                @task_group
                def g(n):
                    decide(n) >> [EmptyOperator(task_id="yes"), EmptyOperator(task_id="no"), outside]

                outside = EmptyOperator(task_id="outside")
                g.expand(n=[0, 1])
            """,
        )
    )
    rehearsal = trial(dag)

    for index, away in ((0, "g.yes"), (1, "g.no")):
        result = rehearsal.attempt("g.decide", map_index=index)
        assert result.outcome is Outcome.SUCCESS, result.error
        assert set(result.then.skip) == {away}


def test_a_wrong_argument_of_a_decorator_is_refused_when_the_file_is_read():
    maker = task.short_circuit(ignore_downstream_triger_rules=True)(lambda: None)

    with DAG("d"), pytest.raises(DagArgumentError, match="ignore_downstream_triger_rules"):
        maker.override(task_id="x")()
