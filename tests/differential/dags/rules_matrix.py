# mypy: ignore-errors
"""Every trigger rule over every multiset of one to three upstream outcomes, in four orders in which these arrive.

S success, F failed, K skipped, U upstream_failed. Each task below is one combination.
"""

from itertools import combinations_with_replacement

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowSkipException

RULES = (
    "all_success", "all_failed", "all_done", "all_done_min_one_success", "all_done_setup_success", "all_skipped",
    "always", "none_failed", "none_failed_min_one_success", "none_skipped", "one_done", "one_failed", "one_success",
)  # fmt: skip


@task
def fail():
    raise ValueError("as asked")


@task
def skip():
    raise AirflowSkipException("as asked")


@task
def succeed():
    return None


MAKE = {"f": fail, "k": skip, "s": succeed}

for order in ("sfk", "kfs", "fks", "ksf"):
    with DAG(f"rules_{order}"):
        upstreams, before = {}, []
        for letter in order:
            phase = [MAKE[letter].override(task_id=f"{letter}{n}", trigger_rule="all_done")() for n in (1, 2, 3)]
            for made in phase:
                made << before
            upstreams[letter] = before = phase
        upstreams["u"] = [EmptyOperator(task_id=f"u{n}") for n in (1, 2, 3)]
        for made, failed in zip(upstreams["u"], upstreams["f"], strict=True):
            made << failed
        for size in (1, 2, 3):
            for outcomes in combinations_with_replacement("sfku", size):
                ups = [upstreams[letter][outcomes[:n].count(letter)] for n, letter in enumerate(outcomes)]
                for rule in RULES:
                    EmptyOperator(task_id=f"{''.join(outcomes)}.{rule}", trigger_rule=rule) << ups
