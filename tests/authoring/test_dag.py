"""Does a DAG say what it was told, and refuse what cannot be meant?"""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pendulum
import pytest

from tests.authoring.support import edges, load, only
from tradewind import DAG, EmptyOperator, Param, TaskGroup, dag, task
from tradewind.errors import DagError, DuplicateTaskId, NotFound
from tradewind.sdk import defaults
from tradewind.sdk.dag_arguments import ARGUMENTS, DagArguments
from tradewind.sdk.defaults import Defaults
from tradewind.sdk.exceptions import IgnoredArgumentWarning, NotSupportedYet
from tradewind.sdk.operator_arguments import ARGUMENTS as TASK_ARGUMENTS
from tradewind.sdk.operator_arguments import OperatorArguments
from tradewind.sdk.serialize import to_spec
from tradewind.sdk.zones import zone_name


def test_the_tables_of_arguments_are_those_that_type_checkers_see():
    assert set(DagArguments.__annotations__) == set(ARGUMENTS)
    assert set(OperatorArguments.__annotations__) == {*TASK_ARGUMENTS, "task_id", "dag", "task_group", "default_args"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"shedule": "@daily"}, r"'shedule' is not an argument of it. Did you mean 'schedule'\?"),
        ({"max_active_runs": "3"}, r"max_active_runs must be a whole number of 1 or more, not '3' \(str\)"),
        ({"max_active_tasks": 0}, "max_active_tasks must be a whole number of 1 or more"),
        ({"max_active_runs": True}, "max_active_runs must be a whole number"),
        ({"catchup": "yes"}, "catchup must be True or False"),
        ({"start_date": "2024-01-01"}, r"start_date must be a datetime.datetime such as .* or None, not '2024-01-01'"),
        ({"default_args": {"start_date": 5}}, r"default_args\['start_date'\] must be"),
        ({"default_args": {"start_date": "soon"}}, r"default_args\['start_date'\] is 'soon', which is no date"),
        ({"dagrun_timeout": 5}, "dagrun_timeout must be a datetime.timedelta"),
        ({"tags": "one"}, "tags must be a list of texts"),
        ({"tags": ["x" * 101]}, "tags must be texts of 1 to 100 characters"),
        ({"default_args": []}, "default_args must be a dict"),
        ({"params": ["a"]}, "params must be a dict"),
        ({"owner_links": {"ann": "nowhere"}}, r"owner_links\['ann'\] must be a link"),
        ({"on_failure_callback": 5}, "on_failure_callback must be a function"),
        ({"description": 5}, "description must be a text or None"),
    ],
)
def test_a_wrong_argument_is_named_with_the_dag_and_what_was_expected(arguments, says):
    with pytest.raises(DagError, match=says) as caught:
        DAG("etl", **arguments)

    assert str(caught.value).startswith("DAG 'etl': ")
    assert isinstance(caught.value, TypeError | ValueError)


@pytest.mark.parametrize("dag_id", ["", "a b", "a/b", "x" * 251, 5, None])
def test_a_dag_id_that_cannot_be_a_name_is_refused(dag_id):
    with pytest.raises(DagError, match="dag_id"):
        DAG(dag_id)


@pytest.mark.parametrize("dag_id", ["a.b-c_d", "Überblick", "x" * 250])
def test_a_dag_id_of_letters_digits_and_a_few_signs_is_taken(dag_id):
    assert DAG(dag_id).dag_id == dag_id


@pytest.mark.parametrize("arguments", [{"allowed_run_types": ["manual"]}])
def test_what_does_not_exist_yet_is_refused(arguments):
    with pytest.raises(NotSupportedYet, match="is not supported yet"):
        DAG("etl", **arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"access_control": {"team": {"can_read"}}},
        {"sla_miss_callback": print},
        {"rerun_with_latest_version": True},
    ],
)
def test_what_has_no_effect_warns_at_the_line_of_the_file(arguments):
    (name,) = arguments
    with pytest.warns(IgnoredArgumentWarning, match=f"DAG 'etl': {name} has no effect") as caught:
        DAG("etl", **arguments)

    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        ("schedule_interval", "schedule", "@daily"),
        ("concurrency", "max_active_tasks", 3),
        ("fail_stop", "fail_fast", True),
    ],
)
def test_names_of_airflow_2_are_taken_with_a_warning(old, new, value):
    with pytest.warns(DeprecationWarning, match=f"write {new}= instead"):
        assert getattr(DAG("etl", **{old: value}), new) == value


def test_nothing_warns_without_reason():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DAG("etl", schedule=None, catchup=False, access_control=None, disable_bundle_versioning=False, tags=[])


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (datetime(2024, 1, 1), "UTC"),
        (datetime(2024, 1, 1, tzinfo=UTC), "UTC"),
        (datetime(2024, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")), "Europe/Berlin"),
        (pendulum.datetime(2024, 1, 1, tz="Asia/Tokyo"), "Asia/Tokyo"),
        (datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=-3.5))), "-03:30"),
        (pendulum.datetime(2024, 1, 1, tz=pendulum.FixedTimezone(3600)), "+01:00"),
        (None, "UTC"),
    ],
)
def test_the_time_zone_is_that_of_the_start_date(start, name):
    assert zone_name(DAG("etl", start_date=start).timezone) == name


def test_a_naive_start_is_in_the_configured_zone(monkeypatch):
    monkeypatch.setattr(defaults, "_current", Defaults(timezone="America/New_York", max_active_runs=2, catchup=True))

    made = DAG("etl", start_date=datetime(2024, 7, 1))

    assert made.start_date == datetime(2024, 7, 1, 4, tzinfo=UTC)
    assert (made.max_active_runs, made.catchup) == (2, True)


def test_a_configured_zone_that_does_not_exist_is_named(monkeypatch):
    monkeypatch.setattr(defaults, "_current", Defaults(timezone="Europe/Berlim"))

    with pytest.raises(DagError, match="time zone 'Europe/Berlim' does not exist"):
        DAG("etl")


def test_tasks_live_within_the_dates_of_their_dag():
    with DAG("etl", start_date=datetime(2024, 1, 1), end_date=datetime(2024, 12, 1)):
        early = EmptyOperator(task_id="early", start_date=datetime(2023, 1, 1))
        late = EmptyOperator(task_id="late", start_date=datetime(2024, 6, 1), end_date=datetime(2025, 1, 1))

    assert early.start_date == datetime(2024, 1, 1, tzinfo=UTC)
    assert (late.start_date, late.end_date) == (datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 12, 1, tzinfo=UTC))


def test_two_tasks_of_one_id_are_refused():
    with DAG("etl"):
        EmptyOperator(task_id="a")
        with pytest.raises(DuplicateTaskId, match="DAG 'etl' has a task or group 'a' already"):
            EmptyOperator(task_id="a")


def test_get_task_offers_the_nearest():
    with DAG("etl") as made:
        EmptyOperator(task_id="extract")

    with pytest.raises(NotFound, match="Did you mean 'extract'"):
        made.get_task("extrct")


def test_roots_leaves_and_relatives():
    with DAG("etl") as made:
        a, b, c = (EmptyOperator(task_id=name) for name in "abc")
        a >> b >> c

    assert (made.roots, made.leaves) == ([a], [c])
    assert a.get_flat_relative_ids() == {"b", "c"}
    assert c.get_flat_relatives(upstream=True) == [a, b]
    assert (a.downstream_list, c.upstream_list) == ([b], [b])


_HOW = Param("fast", enum=["fast", "slow"])


def test_a_dag_function_turns_its_parameters_into_params():
    @dag(schedule=None, tags=["x"])
    def etl(day, n: int = 5, how=_HOW):
        """What it does."""

        @task
        def use(value):
            return value

        use(n)

    made = etl("2024-01-01")

    assert (made.dag_id, made.doc_md, made.tags) == ("etl", "What it does.", {"x"})
    assert made.params.dump() == {"day": "2024-01-01", "n": 5, "how": "fast"}
    assert made.params.get_param("how").schema == {"enum": ["fast", "slow"]}


def test_a_dag_function_with_a_parameter_that_nobody_gives_asks_for_it_at_the_trigger():
    @dag(schedule=None)
    def etl(day):
        pass

    assert not etl().params.get_param("day").has_default


def test_a_dag_function_called_wrongly_says_so():
    @dag(schedule=None)
    def etl():
        pass

    with pytest.raises(DagError, match=r"@dag function etl\(\): too many positional arguments"):
        etl(1)


def test_dag_files_are_found_by_globals_by_with_and_by_calls(tmp_path):
    dags = load(
        tmp_path,
        """
        from tradewind import DAG, dag

        kept = DAG("global_only")
        with DAG("closed"):
            pass
        for n in range(2):
            with DAG(f"made_{n}") as made:
                pass

        @dag(schedule=None)
        def called():
            pass

        called()

        @dag(schedule=None)
        def never_called():
            pass

        with DAG("hidden", auto_register=False):
            pass

        def factory():
            return DAG("not_kept")

        factory()
        """,
    )

    assert [d.dag_id for d in dags] == ["global_only", "made_1", "closed", "made_0", "called"]


def test_a_dag_left_open_by_a_broken_file_does_not_leak_into_the_next(tmp_path):
    with pytest.raises(RuntimeError):
        load(tmp_path, "from tradewind import DAG\nDAG('open').__enter__()\nraise RuntimeError\n", "broken.py")

    made = only(load(tmp_path, "from tradewind import DAG\nwith DAG('next') as d:\n    pass\n", "next.py"))

    assert made.dag_id == "next"
    with pytest.raises(DagError, match="belong to no DAG yet"):
        EmptyOperator(task_id="a") >> EmptyOperator(task_id="b")


def test_a_task_may_be_given_its_dag_by_an_arrow():
    made = DAG("etl")
    a = EmptyOperator(task_id="a", dag=made)
    a >> EmptyOperator(task_id="b")

    assert edges(made) == {"a>b"}


def test_what_files_read_of_a_dag_is_there():
    with DAG("etl", tags=["b", "a"]) as made, TaskGroup("outer") as outer, TaskGroup("inner") as inner:
        EmptyOperator(task_id="it")
    made.tags.add("c")  # as files for Airflow do after they have made the DAG

    assert made.tags == {"a", "b", "c"}
    assert to_spec(made).tags == ("a", "b", "c")
    assert made.dag_display_name == "etl"
    assert to_spec(made).display_name is None
    assert made.task_group_dict == {"outer": outer, "outer.inner": inner}
    assert [made.has_task_group(name) for name in ("outer.inner", "inner")] == [True, False]
    assert made.get_task("outer.inner.it").get_dag() is made
