"""Which wrong uses of mapping are refused when a file is read? Those that Airflow 3.3.2 refuses, at the user's line."""

from __future__ import annotations

import textwrap
import traceback

import pytest

from tests.authoring.support import load, only
from tradewind.errors import DagError
from tradewind.sdk.exceptions import NotSupportedYet
from tradewind.sdk.serialize import to_spec

HEAD = """
    from tradewind import DAG, BashOperator, EmptyOperator, task, task_group

    @task
    def f(x, y=None): return x

    @task
    def source(): return [1]

    @task(multiple_outputs=True)
    def parts(): return {"a": [1]}

    @task_group
    def group(x, y=None): f(x)

    always = f.override(trigger_rule="always")

    with DAG("wrong") as dag:
"""

WRONG = {
    "f.expand()": "there are no arguments to expand over",
    "BashOperator.partial(task_id='a').expand()": "there are no arguments to expand over",
    "group.expand()": "there are no arguments to expand over",
    "f.expand(z=[1])": "'z', which it does not take",
    "BashOperator.partial(task_id='a').expand(bash_comand=['a'])": r"'bash_comand'.*Did you mean 'bash_command'\?",
    "BashOperator.partial(task_id='a', nope=1)": r"BashOperator 'a'.partial\(\) got 'nope'",
    "f.partial(z=1)": "'z', which it does not take",
    "group.expand(z=[1])": "'z', which it does not take",
    "group.partial(z=1)": "'z', which it does not take",
    "f.expand(x='abc')": r"x must be a list, .* not 'abc' \(str\)",
    "f.expand(x=3)": r"not 3 \(int\)",
    "f.expand(x=None)": r"not None \(NoneType\)",
    "f.expand(x={1, 2})": r"\(set\)",
    "f.expand(x=(i for i in [1]))": r"\(generator\)",
    "f.expand(x=b'ab')": r"\(bytes\)",
    "BashOperator.partial(task_id='a').expand(bash_command='echo')": r"not 'echo' \(str\)",
    "group.expand(x='abc')": r"not 'abc' \(str\)",
    "BashOperator.partial(task_id='a', bash_command='x').expand(bash_command=['y'])": "'bash_command' is given already",
    "BashOperator.partial(task_id='a').expand(bash_command=['y'], task_id=['b'])": "'task_id' is given already",
    "BashOperator.partial(task_id='a').expand(bash_command=['y'], retries=[1])": "or cannot be mapped",
    "BashOperator.partial(bash_command='x')": "task_id",
    "BashOperator(task_id='a', bash_command='x').partial(task_id='b')": "is a task already",
    "BashOperator.partial(task_id='a', pool_slots=0).expand(bash_command=['y'])": "pool_slots must be a whole number",
    "f.partial(x=1).partial(x=2)": "'x' is given already",
    "f.partial(x=1)(y=2)": r"expand\(\) or expand_kwargs\(\) must follow",
    "group.partial(x=1)(y=2)": r"expand\(\) or expand_kwargs\(\) must follow",
    "group.partial(x=1).partial(x=2)": "'x' is given already",
    "group.partial(x=1).expand(x=[1])": "'x' is given already",
    "f.expand(x=[1]).expand(x=[2])": "'XComArg' object has no attribute 'expand'",
    "f.expand_kwargs('abc')": "needs a list of dicts",
    "f.expand_kwargs({'x': 1})": "needs a list of dicts",
    "f.expand_kwargs(None)": "needs a list of dicts",
    "f.expand_kwargs([1, 2])": "each element of the list must be a dict",
    "group.expand_kwargs([1, 2])": "each element of the list must be a dict",
    "f.expand(x=parts()['a'])": "cannot map over the output 'a' of task 'parts'",
    "f.expand(x=[parts()['a']])": "cannot map over the output 'a' of task 'parts'",
    "f.expand_kwargs(parts()['a'])": "cannot map over the output 'a' of task 'parts'",
    "group.expand(x=parts()['a'])": "cannot map over the output 'a' of task 'parts'",
    "parts()['a'].map(str)": r"cannot be used with map\(\)",
    "parts()['a'].zip(source())": r"cannot be used with zip\(\)",
    "source().concat(parts()['a'])": r"cannot be used with concat\(\)",
    "source().map(f)": "needs a plain function",
    "source().zip([1, 2])": r"zip\(\) takes outputs of tasks, not \[1, 2\]",
    "source().map(str)['a']": "cannot be indexed in the DAG file",
    "list(source().map(str))": "cannot be iterated over in the DAG file",
    "1 in source().zip(source())": "known only at run time",
    "always.expand(x=source())": "trigger_rule 'always' does not wait",
    "always.expand_kwargs([{'x': source()}])": "trigger_rule 'always' does not wait",
    "f.expand(x=[1], ti=[1])": "'ti' comes from the context",
    "f.partial(ds='a')": "'ds' comes from the context",
    "task(nope=1)(lambda x: x).expand(x=[1])": "'nope' is not an argument",
}


@pytest.mark.parametrize("line", WRONG)
@pytest.mark.filterwarnings("ignore:.* was never mapped")
def test_a_wrong_use_is_refused_at_its_line(tmp_path, line):
    with pytest.raises((DagError, TypeError, AttributeError), match=WRONG[line]) as refused:
        load(tmp_path, f"{HEAD}        {line}\n")

    assert any(frame.line == line for frame in traceback.extract_tb(refused.value.__traceback__))


IN_GROUPS = {
    "f.expand(x=[1, 2])": "cannot be expanded inside the group 'outer'",
    "f.expand(x=x)": "cannot be expanded inside the group 'outer'",
    "BashOperator.partial(task_id='a').expand(bash_command=['a'])": "cannot be expanded inside the group 'outer'",
    "group.expand(x=x)": "an argument of the expanded group around it",
    "x['a']": "cannot be indexed in the DAG file",
    "[f(one) for one in x]": "cannot be iterated over in the DAG file",
    "always(x)": "trigger_rule 'always' does not wait",
}


@pytest.mark.parametrize("line", IN_GROUPS)
@pytest.mark.filterwarnings("ignore:.* was never mapped")
def test_a_wrong_use_in_an_expanded_group_is_refused_at_its_line(tmp_path, line):
    body = f"        @task_group\n        def outer(x):\n            {line}\n        outer.expand(x=source())\n"

    with pytest.raises((DagError, TypeError), match=IN_GROUPS[line]) as refused:
        load(tmp_path, HEAD + body)

    lines = [frame.line for frame in traceback.extract_tb(refused.value.__traceback__)]
    assert line in lines or "outer.expand(x=source())" in lines


def test_expanding_in_an_expanded_group_is_not_implemented_as_in_airflow(tmp_path):
    body = "        @task_group\n        def outer(x):\n            f.expand(x=[1])\n        outer.expand(x=[1])\n"

    with pytest.raises(NotSupportedYet):
        load(tmp_path, HEAD + body)


def test_a_function_of_any_arguments_cannot_make_a_group_of_dicts(tmp_path):
    body = "        task_group(lambda **kw: f(1)).expand_kwargs([{'a': 1}])\n"

    with pytest.raises(DagError, match=r"takes \*args or \*\*kwargs"):
        load(tmp_path, HEAD + body)


def test_a_method_is_no_task(tmp_path):
    with pytest.raises(DagError, match="is a method"):
        load(tmp_path, "from tradewind import task\nclass C:\n    @task\n    def f(self, x): pass\n")


def test_a_task_expanded_twice_has_its_id_twice(tmp_path):
    body = """\
        half = BashOperator.partial(task_id="a")
        half.expand(bash_command=["x"])
        half.expand(bash_command=["y"])
    """

    with pytest.raises(DagError, match="has a task or group 'a' already"):
        load(tmp_path, HEAD + body)


def test_a_task_that_waits_for_its_own_indexes_is_a_cycle(tmp_path):
    dag = only(load(tmp_path, f"{HEAD}        mapped = f.expand(x=[1])\n        mapped >> mapped\n"))

    with pytest.raises(DagError, match="cycle"):
        to_spec(dag)


@pytest.mark.parametrize(
    ("line", "who"),
    [
        ("BashOperator.partial(task_id='a', bash_command='x')", "BashOperator 'a'"),
        ("group.partial(x=1)", "@task_group function group"),
    ],
)
def test_half_a_task_that_nobody_expands_is_warned_about_at_its_line(tmp_path, line, who):
    text = f"{HEAD}        {line}\n"

    with pytest.warns(UserWarning, match=f"{who} was never mapped") as told:
        load(tmp_path, text)

    place = textwrap.dedent(text).splitlines().index(f"    {line}") + 1
    assert [(w.filename, w.lineno) for w in told] == [(str(tmp_path / "dag.py"), place)]
