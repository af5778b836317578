"""Is an asset what Airflow takes it for, and wrong use refused when the file is read?"""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from tests.authoring.support import load, only
from tradewind.errors import DagError
from tradewind.model.spec import AliasSpec, AssetMention, AssetSpec
from tradewind.sdk.assets.definitions import Asset, AssetAlias, AssetAll, AssetAny, Dataset, Model
from tradewind.sdk.assets.metadata import Metadata
from tradewind.sdk.dag import DAG
from tradewind.sdk.operators.empty import EmptyOperator
from tradewind.sdk.serialize import to_spec
from tradewind.timetables import AssetOrTimeSchedule, AssetTriggeredTimetable, CronTriggerTimetable, timetable_for

RECORDED = [  # from Apache Airflow 3.3.2, without providers
    ("a", "a"), ("a b", "a b"), ("x://a", "x://a/"), ("x://a/", "x://a/"), ("x://a/b//", "x://a/b"),
    ("x://a//b/", "x://a//b"), ("X://A/B", "x://A/B"), ("x://u:p@h/p", "x://h/p"), ("x://u@h/p", "x://u@h/p"),
    ("x://h:80/p?b=2&a=1&a=0", "x://h:80/p?a=0&a=1&b=2"), ("x://h/p?", "x://h/p"), ("x://h/p#f", "x://h/p"),
    ("x://h/p?q=a%20b+c", "x://h/p?q=a+b+c"), ("x-foo://A//", "x-foo://A//"), ("file:///a/b/", "file:///a/b"),
    ("file:/a", "file:///a"), ("/a/b/", "/a/b/"), ("s3:a", "s3:a"), ("//h/p", "//h/p"), ("x:", "x:/"),
    ("x:///", "x:/"), ("x://é/ü", "x://é/ü"), ("http://[::1]/", "http://[::1]/"), ("x://h/p?a=&b", "x://h/p"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "stored"), RECORDED)
def test_a_uri_is_normalised_as_in_airflow(given, stored):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert Asset(name="n", uri=given).uri == stored


def test_a_password_in_a_uri_is_cut_off_and_warned_of():
    with pytest.warns(UserWarning, match="password"):
        Asset("x://u:p@h/p")


def test_name_and_uri_stand_for_each_other():
    assert (Asset("x://a").name, Asset("x://a").uri) == ("x://a", "x://a/")
    assert (Asset(uri="x://a").name, Asset(uri="x://a").uri) == ("x://a", "x://a/")
    assert (Dataset("d").group, Model("m").group, Asset("a", group="g").group) == ("dataset", "model", "g")
    assert Asset("a") == Asset("a", extra={})
    assert Asset("a") != Asset("a", extra={"k": 1})
    assert {Asset("a"): 1}[Asset("a")] == 1


Wrong: Any = Asset
WrongAll: Any = AssetAll
WrongSchedule: Any = AssetOrTimeSchedule


@pytest.mark.parametrize(
    "make",
    [
        Asset,
        lambda: Asset(""),
        lambda: Asset(" "),
        lambda: Asset("a" * 1501),
        lambda: Asset("self"),
        lambda: Asset("context"),
        lambda: Asset("airflow://x"),
        lambda: Wrong(5),
        lambda: Wrong("a", extra=[1]),
        lambda: Wrong("a", watchers=["w"]),
        lambda: Asset.ref(),
        lambda: Asset.ref(name="a", uri="b"),
        lambda: AssetAlias(""),
        lambda: WrongAll("a"),
        lambda: timetable_for([Asset("a"), "b"]),
        lambda: timetable_for([1]),
        lambda: WrongSchedule(timetable="@daily", assets=[Asset("a")]),
        lambda: AssetOrTimeSchedule(timetable=AssetTriggeredTimetable(Asset("a")), assets=[Asset("a")]),
    ],
)
def test_what_cannot_be_an_asset_is_refused(make):
    with pytest.raises(DagError):
        make()


def test_a_condition_cannot_be_joined_with_something_else():
    with pytest.raises(TypeError):
        Wrong("a") | "b"


def test_conditions_are_joined_flat_from_the_left():
    a, b, c = Asset("a"), Asset("b"), Asset("c")
    assert (a | b | c) == AssetAny(a, b, c)
    assert (a & b & c) == AssetAll(a, b, c)
    assert (a & (b | c)).as_expression() == {
        "all": [a.as_expression(), {"any": [b.as_expression(), c.as_expression()]}]
    }


def test_a_spec_says_what_a_dag_names():
    one = Asset("one", "x://one", extra={"k": 1})
    with DAG("d", schedule=one & Asset.ref(uri="x://two") & AssetAlias("al")) as dag:
        EmptyOperator(task_id="t", inlets=[Asset.ref(name="three")], outlets=[one, AssetAlias("al"), one])
    spec = to_spec(dag)

    assert spec.assets == (AssetSpec("one", "x://one/", extra={"k": 1}),)
    assert spec.asset_aliases == (AliasSpec("al"),)
    (task,) = spec.tasks
    assert task.inlets == (AssetMention("three"),)
    assert task.outlets == (AssetMention("one", "x://one/"), AssetMention(alias="al"))
    assert task.needs_process
    assert (spec.timetable.kind, spec.timetable.summary) == ("AssetTriggeredTimetable", "Asset")


@pytest.mark.parametrize(
    "schedule", [Asset("a"), [Asset("a")], (Asset("a"),), {Asset("a")}, AssetTriggeredTimetable([Asset("a")])]
)
def test_every_form_of_a_schedule_defines_its_assets(schedule):
    assert [one.name for one in to_spec(DAG("d", schedule=schedule)).assets] == ["a"]


def test_with_a_clock_the_summary_says_both():
    clock = CronTriggerTimetable("0 1 * * 3", timezone="UTC")
    spec = to_spec(DAG("d", schedule=AssetOrTimeSchedule(timetable=clock, assets=Asset("a"))))
    assert spec.timetable.summary == "Asset or 0 1 * * 3"
    assert [one.name for one in spec.assets] == ["a"]


def test_an_outlet_that_is_no_asset_is_warned_of():
    with DAG("d"), pytest.warns(UserWarning, match="is no asset"):
        EmptyOperator(task_id="t", outlets="/tmp/file")


# --- @asset ----------------------------------------------------------------------------------------------------------


def test_an_asset_function_is_a_dag_of_one_task(tmp_path):
    dag = only(
        load(
            tmp_path,
            """
            from tradewind.sdk.assets.decorator import asset

            @asset(schedule=None, uri="x://a", group="g", tags=["t"], description="said")
            def report(self, context, outlet_events, orders, plain=3): ...
            """,
        )
    )
    spec = to_spec(dag)
    (task,) = spec.tasks
    assert (spec.dag_id, spec.tags, spec.description, task.task_id) == ("report", ("t",), "said", "report")
    assert (task.inlets, task.outlets) == ((AssetMention("orders"),), (AssetMention("report", "x://a/"),))
    assert task.operator == "@asset"


def test_several_assets_come_of_one_function_and_a_task_may_be_given(tmp_path):
    first, second = load(
        tmp_path,
        """
        from tradewind.sdk.assets.definitions import Asset
        from tradewind.sdk.assets.decorator import asset
        from tradewind.sdk.taskflow import task

        @asset.multi(schedule="@daily", outlets=[Asset("a"), Asset("b")], dag_id="other")
        def both(): ...

        @asset(schedule=both)
        @task.bash(retries=2)
        def shell():
            return "true"
        """,
    )
    assert (first.dag_id, [one.name for one in first.get_task("both").outlets]) == ("other", ["a", "b"])
    assert (second.get_task("shell").retries, second.get_task("shell").outlets[0].name) == (2, "shell")
    assert [one.name for one in to_spec(second).assets] == ["a", "b", "shell"]


@pytest.mark.parametrize(
    "text",
    [
        "@asset()\ndef f(): ...",
        "@asset(schedule=None, colour='red')\ndef f(): ...",
        "@asset(schedule=None)\ndef f(*args): ...",
        "@asset(schedule=None)\ndef f(**kwargs): ...",
        "@asset(schedule=None)\ndef f(a, /): ...",
        "@asset(schedule=None)\nclass F:\n    def __init__(self, *a): ...",
        "@asset.multi(schedule=None, outlets=[])\ndef f(): ...",
        "def g():\n    @asset(schedule=None)\n    def f(): ...\ng()",
        "@asset(schedule=None)\n@task(outlets=[])\ndef f(): ...",
    ],
)
def test_a_function_that_cannot_be_an_asset_is_refused(tmp_path, text):
    head = "from tradewind.sdk.assets.decorator import asset\nfrom tradewind.sdk.taskflow import task\n"
    with pytest.raises(DagError):
        load(tmp_path, head + text)


def test_metadata_is_equal_by_what_it_says():
    assert Metadata(Asset("a"), {"k": 1}) == Metadata(Asset("a"), extra={"k": 1})
    assert Metadata(Asset("a")).alias is None
