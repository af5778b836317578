"""Is a warning about a DAG file kept until its author sees it, once, with its place and what to do?"""

from __future__ import annotations

from typing import Any

import pytest

from tests.dagfiles.specs import NOW, parsed, spec
from tradewind.metadata import dags
from tradewind.model.parsed import FileWarning, ParsedFile
from tradewind.sdk import dag_arguments, operator_arguments

VALUES = {
    "access_control": "{'team': {'can_read'}}",
    "disable_bundle_versioning": "True",
    "executor_config": "{'pod': 1}",
    "rerun_with_latest_version": "True",
    "resources": "{'cpus': 1}",
    "sla": "timedelta(hours=1)",
    "sla_miss_callback": "print",
}


def ignored(table: dict[str, Any]) -> list[str]:
    """The arguments of a table that are accepted and have no effect."""
    return [name for name, argument in table.items() if argument.check.__qualname__.startswith("ignored.")]


def test_there_is_a_value_for_every_argument_without_effect():
    names = {*ignored(dag_arguments.ARGUMENTS), *ignored(operator_arguments.ARGUMENTS)}

    assert names == VALUES.keys()


@pytest.mark.parametrize("name", ignored(dag_arguments.ARGUMENTS))
def test_an_argument_of_a_dag_without_effect_is_told_once(read, name):
    found = read(f"""
        from datetime import timedelta
        from tradewind import DAG
        dag = DAG("etl",
                  {name}={VALUES[name]})
    """)

    (warning,) = found.warnings
    assert (warning.path, warning.line, warning.category) == ("it.py", 3, "IgnoredArgumentWarning")
    assert warning.message.startswith(f"DAG 'etl': {name} has no effect: ")
    assert "emove it" in warning.message  # what to do
    assert len(found.specs) == 1


@pytest.mark.parametrize("name", ignored(operator_arguments.ARGUMENTS))
def test_an_argument_of_a_task_without_effect_is_told_once(read, name):
    found = read(f"""
        from datetime import timedelta
        from tradewind import DAG, EmptyOperator
        with DAG("etl"):
            EmptyOperator(task_id="a", {name}={VALUES[name]})
    """)

    (warning,) = found.warnings
    assert (warning.path, warning.line, warning.category) == ("it.py", 4, "IgnoredArgumentWarning")
    assert warning.message.startswith(f"EmptyOperator 'a': {name} has no effect: ")
    assert "emove it" in warning.message


@pytest.mark.parametrize("value", ["None", "[]", "{}", "''", "False"])
def test_an_argument_that_asks_for_nothing_is_no_news(read, value):
    assert (
        read(f"""
        from tradewind import DAG, EmptyOperator
        with DAG("etl", access_control={value}):
            EmptyOperator(task_id="a", resources={value}, inlets={value}, outlets={value})
    """).warnings
        == ()
    )


def test_default_args_without_effect_are_told_of_the_dag_and_not_of_each_task(read):
    found = read("""
        from tradewind import DAG, EmptyOperator
        for name in ("one", "two"):
            with DAG(name, default_args={"resources": {"cpus": 1}}):
                for number in range(5):
                    EmptyOperator(task_id=f"t{number}")
                EmptyOperator(task_id="own", resources={"cpus": 2})
    """)

    assert [(one.line, one.message.partition(" has no effect")[0]) for one in found.warnings] == [
        (3, "DAG 'one', default_args: resources"),
        (6, "EmptyOperator 'own': resources"),
        (3, "DAG 'two', default_args: resources"),
    ]


def test_old_names_and_the_authors_own_warnings_are_kept(read, folder):
    (folder / "shared.py").write_text("import warnings\nwarnings.warn('old\\nways', FutureWarning)\n")
    found = read("""
        import shared
        from airflow.operators.dummy import DummyOperator
        from tradewind import DAG
        with DAG("etl", schedule_interval=None):
            DummyOperator(task_id="a")
        raise ValueError("broken all the same")
    """)

    assert found.errors
    assert [(one.path, one.line, one.category) for one in found.warnings] == [
        ("shared.py", 2, "FutureWarning"),
        ("it.py", 2, "DeprecationWarning"),
        ("it.py", 4, "DeprecationWarning"),
    ]
    assert str(found.warnings[0]) == "shared.py:2: FutureWarning: old ways"
    assert "write schedule= instead" in found.warnings[2].message


def test_warnings_about_other_peoples_code_are_not_the_authors(read):
    assert read("import tomllib, warnings\nwarnings.warn_explicit('x', UserWarning, '/lib/x.py', 1)\n").warnings == ()


def test_what_a_factory_outside_the_folder_gives_in_vain_is_told(read, tmp_path):
    (tmp_path / "factory.py").write_text(
        "from tradewind import DAG\n\ndef make():\n    return DAG('etl', sla_miss_callback=print)\n"
    )
    found = read(f"import sys\nsys.path.append({str(tmp_path)!r})\nimport factory\ndag = factory.make()\n")

    assert [(one.path, one.line) for one in found.warnings] == [(f"{tmp_path}/factory.py", 4)]


def test_a_flood_of_warnings_is_cut_and_that_is_said(read):
    found = read("import warnings\nfor n in range(150):\n    warnings.warn(f'no {n} ' + '\\udcff' + 'x' * 5000)\n")

    assert len(found.warnings) == 101
    assert found.warnings[-1].message == "50 more warnings are not shown."
    assert all(len(one.message) <= 2000 for one in found.warnings)


def save(database, file):
    with database.write() as tx:
        dags.save_file(tx, file, NOW)


def test_warnings_are_stored_with_the_file_and_go_when_it_is_mended(database):
    warned = FileWarning("etl.py", 3, "DeprecationWarning", "old ü")
    other = FileWarning("lib.py", 1, "UserWarning", "x")
    save(database, ParsedFile("etl.py", b"# dag\n", (spec(),), warnings=(warned, other)))
    save(database, ParsedFile("b.py", b"# dag\n", (spec("b"),), warnings=(other,)))
    with database.read() as tx:
        assert dags.list_warnings(tx, dag_id="etl") == dags.list_warnings(tx, path="etl.py") == [warned, other]
        assert dags.list_warnings(tx) == [other, warned, other]
        assert dags.list_warnings(tx, dag_id="none") == dags.list_warnings(tx, dag_id="etl", path="b.py") == []

    save(database, parsed(spec()))
    with database.read() as tx:
        assert dags.list_warnings(tx, dag_id="etl") == []


def test_warnings_are_kept_beside_an_import_error(database):
    warned = FileWarning("etl.py", 3, "DeprecationWarning", "old")
    save(database, parsed(spec(), path="first.py"))
    save(database, ParsedFile("etl.py", b"# dag\n", (spec(),), warnings=(warned,)))  # the id is taken

    with database.read() as tx:
        assert [row.path for row in dags.list_import_errors(tx)] == ["etl.py"]
        assert dags.list_warnings(tx, path="etl.py") == [warned]
