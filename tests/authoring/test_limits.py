"""How does a DAG file say what may run at once, and how often it may start?"""

from __future__ import annotations

import pickle
from datetime import timedelta
from typing import Any

import pytest

from tests.authoring.support import Rehearsal
from tradewind import DAG, EmptyOperator, Key, Rate, RetryAfter, task
from tradewind.errors import DagError
from tradewind.model.orders import Aftermath, Outcome
from tradewind.model.spec import KeySpec, RateSpec, encode_spec
from tradewind.sdk.serialize import to_spec


def test_keys_and_rates_stand_in_the_spec() -> None:
    with DAG(
        "etl",
        schedule=None,
        params={"tenant": "acme"},
        concurrency=[Key("{{ params.tenant }}", limit=2)],
        default_args={"rate_limits": Rate("api", 100, per=timedelta(minutes=1))},
    ) as dag:

        @task(concurrency=Key("{{ task_id }}-{{ ti.map_index }}"))
        def load() -> None: ...

        load()
        EmptyOperator(task_id="end", rate_limits=None)

    spec = to_spec(dag)
    assert spec.concurrency == (KeySpec("{{ params.tenant }}", 2),)
    by_id = {one.task_id: one for one in spec.tasks}
    assert by_id["load"].concurrency == (KeySpec("{{ task_id }}-{{ ti.map_index }}", 1),)
    assert by_id["load"].rate_limits == (RateSpec("api", 100, 60.0),)
    assert by_id["end"].rate_limits == ()


def test_a_dag_without_limits_is_stored_as_before() -> None:
    with DAG("etl", schedule=None) as dag:
        EmptyOperator(task_id="end")

    assert b"concurrency" not in encode_spec(to_spec(dag))
    assert b"rate_limits" not in encode_spec(to_spec(dag))


def test_a_number_is_still_the_old_name_of_max_active_tasks() -> None:
    with pytest.warns(DeprecationWarning, match="write max_active_tasks"):
        dag = DAG("etl", schedule=None, concurrency=3)  # type: ignore[arg-type]

    assert (dag.max_active_tasks, dag.concurrency) == (3, [])


@pytest.mark.parametrize(
    ("key", "mend"),
    [
        (Key("{{ params.tennant }}"), "Did you mean 'tenant'.*Declare it with params=.*conf.tennant"),
        (Key("{{ params.tenant | upper }}"), "only names with dots"),
        (Key("{{ task_id }}"), "Did you mean dag_id"),
    ],
)
def test_a_key_that_the_scheduler_cannot_fill_in_is_refused_with_the_mend(key: Key, mend: str) -> None:
    dag = DAG("etl", schedule=None, params={"tenant": "acme"}, concurrency=key)

    with pytest.raises(DagError, match=f"DAG 'etl'.*{mend}"):
        to_spec(dag)


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        ({"concurrency": "{{ ds }}"}, r"a Key such as Key\("),
        ({"concurrency": 3}, "use a pool"),
        ({"concurrency": Key("x", limit=0)}, "1 or more"),
        ({"rate_limits": 100}, r"a Rate such as Rate\("),
        ({"rate_limits": Rate("", 1)}, "1 to 250 characters"),
        ({"rate_limits": Rate("api", 0)}, "1 or more"),
        ({"rate_limits": Rate("api", 1, per=timedelta(0))}, "above zero"),
        ({"rate_limits": Rate("api", 1, per=timedelta.max)}, "a year at most"),
        ({"rate_limits": Rate("api", 1, per=60)}, "above zero"),  # type: ignore[arg-type]
        ({"rate_limits": [Rate("api", 1), Rate("api", 2)]}, "one Rate for each name"),
    ],
)
def test_a_limit_that_cannot_be_meant_is_refused_with_the_mend(arguments: dict[str, Any], mend: str) -> None:
    with pytest.raises(DagError, match=mend), DAG("etl", schedule=None):
        EmptyOperator(task_id="t", **arguments)


def test_retry_after_takes_seconds_or_a_duration_and_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(RetryAfter(timedelta(minutes=2), "slow down", rate="api")))

    assert (error.delay_seconds, error.rate, error.counts, str(error)) == (120.0, "api", False, "slow down")
    assert str(RetryAfter(5)) == "asked to come back after 5 s"


@pytest.mark.parametrize("delay", [-1, True, "5", float("inf"), float("nan"), 1e12, None])
def test_retry_after_refuses_what_is_no_delay(delay: Any) -> None:
    with pytest.raises(ValueError, match="number of seconds of 0 or more, or a timedelta"):
        RetryAfter(delay)


def test_a_task_that_was_told_to_come_back_ends_its_try_without_using_up_a_retry(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[str] = []
    with DAG("etl", schedule=None) as dag:

        @task(
            on_retry_callback=lambda _context: heard.append("retry"),
            on_failure_callback=lambda _context: heard.append("failure"),
        )
        def fetch() -> None:
            raise RetryAfter(30, "429 Too Many Requests", rate="api")

        fetch()

    result = Rehearsal(dag).attempt("fetch")

    assert result.outcome is Outcome.FAILED
    assert result.error == "RetryAfter: 429 Too Many Requests"
    assert result.then == Aftermath(retry_delay_seconds=30.0, retry_is_free=True, pause_rate="api")
    assert heard == ["retry"]  # though it has no retries
    assert "Task was told to come back in 30 s: 429 Too Many Requests" in caplog.text


def test_a_task_that_was_told_to_come_back_may_use_up_a_retry() -> None:
    with DAG("etl", schedule=None) as dag:

        @task
        def fetch() -> None:
            raise RetryAfter(30, counts=True)

        fetch()

    assert Rehearsal(dag).attempt("fetch").then == Aftermath(retry_delay_seconds=30.0)
