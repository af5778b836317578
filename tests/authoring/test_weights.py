"""What do tasks weigh? By the built-in rules as in Airflow 3.3.2, or by a rule of the user's own."""

from __future__ import annotations

import pytest

from tradewind import DAG, BashOperator, EmptyOperator
from tradewind.errors import DagError
from tradewind.sdk.defaults import Defaults, current, use
from tradewind.sdk.graph import effective_weights
from tradewind.sdk.serialize import to_spec
from tradewind.sdk.weights import PriorityWeightStrategy


class ByName(PriorityWeightStrategy):
    def __init__(self, factor=1):
        self.factor = factor

    def get_weight(self, ti):
        return self.factor * (len(ti.task_id) + ti.priority_weight + ti.try_number + ti.map_index)


class Broken(PriorityWeightStrategy):
    def __init__(self, gives=None):
        self.gives = gives

    def get_weight(self, ti):
        if self.gives is None:
            raise RuntimeError("no idea")
        return self.gives


class NeedsMore(PriorityWeightStrategy):
    def __init__(self, what):
        pass

    def get_weight(self, ti):
        return 1


def test_rules_add_up_what_stands_below_or_above():
    with DAG("etl") as made:
        a, b, c, d = (
            EmptyOperator(task_id=name, priority_weight=weight, weight_rule=rule)
            for name, weight, rule in [
                ("a", 1, "downstream"),
                ("b", 2, "upstream"),
                ("c", 4, "absolute"),
                ("d", 8, "downstream"),
            ]
        )
        mapped = BashOperator.partial(task_id="m", priority_weight=16).expand(bash_command=["x", "y", "z"])
        a >> b >> c >> d >> mapped

    assert effective_weights(made) == {"a": 1 + 2 + 4 + 8 + 16, "b": 2 + 1, "c": 4, "d": 8 + 16, "m": 16}


@pytest.mark.parametrize("rule", [ByName(), ByName, f"{__name__}.ByName"])
def test_a_rule_of_ones_own_is_asked_once_for_each_task(rule):
    with DAG("etl") as made:
        EmptyOperator(task_id="abc", priority_weight=5, weight_rule=rule)
        BashOperator.partial(task_id="ab", weight_rule=ByName(factor=10)).expand(bash_command=["x"])

    spec = {one.task_id: one for one in to_spec(made).tasks}

    assert spec["abc"].priority == 3 + 5
    assert spec["ab"].priority == 10 * (2 + 1)
    assert spec["abc"].weight_rule == f"{__name__}.ByName"


def test_the_rule_of_those_that_name_none_can_be_configured():
    before = current()
    use(Defaults(weight_rule="absolute"))
    try:
        with DAG("etl") as made:
            EmptyOperator(task_id="a") >> EmptyOperator(task_id="b")
    finally:
        use(before)

    assert effective_weights(made) == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("downstrem", r"Did you mean 'downstream'\?"),
        ("no.such.Rule", "cannot be imported: No module named"),
        (f"{__name__}.Missing", "cannot be imported"),
        (NeedsMore, "cannot be made"),
        (5, "must be one of downstream, upstream, absolute, or a PriorityWeightStrategy"),
        (int, "must be one of downstream, upstream, absolute, or a PriorityWeightStrategy"),
    ],
)
def test_what_is_no_rule_is_refused(rule, message):
    with DAG("etl"), pytest.raises(DagError, match=message):
        EmptyOperator(task_id="a", weight_rule=rule)


@pytest.mark.parametrize(
    ("rule", "message"),
    [(Broken(), r"get_weight\(\) failed: RuntimeError: no idea"), (Broken("x"), "must return a whole number, not 'x'")],
)
def test_a_rule_that_fails_refuses_the_dag(rule, message):
    with DAG("etl") as made:
        EmptyOperator(task_id="a", weight_rule=rule)

    with pytest.raises(DagError, match=message):
        to_spec(made)


def test_tasks_of_a_dag_that_fails_fast_have_the_usual_rule():
    with DAG("etl", fail_fast=True) as made:
        EmptyOperator(task_id="a", trigger_rule="all_done")

    with pytest.raises(DagError, match="fail_fast=True, so the trigger_rule"):
        to_spec(made)
