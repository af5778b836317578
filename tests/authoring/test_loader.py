"""Is a DAG file imported as a module of its own, from the text that is asked for?"""

from __future__ import annotations

import sys
import traceback

import pytest

from tests.authoring.support import load, only
from tradewind.sdk.loader import load_dag_file, module_name


def test_the_given_text_is_run_and_the_path_is_named(tmp_path):
    path = tmp_path / "etl.py"
    path.write_text("from tradewind import DAG\nd = DAG('now')\n")

    (then,) = load_dag_file(str(path), b"from tradewind import DAG\n\n\nd = DAG('then')\n")
    (now,) = load_dag_file(str(path))

    assert (then.dag_id, now.dag_id) == ("then", "now")
    assert then.fileloc == now.fileloc == str(path)


def test_a_traceback_shows_the_file_and_the_line(tmp_path):
    with pytest.raises(ZeroDivisionError) as caught:
        load(tmp_path, "x = 1\n\ny = 1 / 0\n")

    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, last.lineno) == (str(tmp_path / "dag.py"), 3)


def test_a_syntax_error_names_file_and_line(tmp_path):
    with pytest.raises(SyntaxError) as caught:
        load(tmp_path, "x = 1\ndef f(:\n")

    assert (caught.value.filename, caught.value.lineno) == (str(tmp_path / "dag.py"), 2)


def test_two_files_of_one_name_do_not_meet(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        load(tmp_path / name, f"from tradewind import DAG\nMINE = {name!r}\nd = DAG('x')\n")

    seen = [sys.modules[module_name(str(tmp_path / name / "dag.py"))].MINE for name in "ab"]
    assert seen == ["a", "b"]


def test_a_failed_import_leaves_no_module(tmp_path):
    with pytest.raises(ZeroDivisionError):
        load(tmp_path, "1 / 0")

    assert module_name(str(tmp_path / "dag.py")) not in sys.modules


def test_modules_beside_the_file_and_in_the_dag_folder_can_be_imported(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "deep").mkdir()
    (tmp_path / "at_the_top_k7.py").write_text("NAME = 'top'\n")
    (tmp_path / "deep" / "beside_k7.py").write_text("NAME = 'beside'\n")
    (tmp_path / "deep" / "etl.py").write_text(
        "from tradewind import DAG\nimport at_the_top_k7, beside_k7\nd = DAG(at_the_top_k7.NAME + beside_k7.NAME)\n"
    )

    made = only(load_dag_file(str(tmp_path / "deep" / "etl.py"), dag_folder=str(tmp_path)))

    assert made.dag_id == "topbeside"
    assert sys.path[:2] == [str(tmp_path), str(tmp_path / "deep")]


def test_a_file_can_hold_dataclasses_and_a_main_guard(tmp_path):
    made = only(
        load(
            tmp_path,
            """
            from __future__ import annotations
            from dataclasses import dataclass
            from tradewind import DAG

            @dataclass
            class Row:
                a: int

            d = DAG("kept")
            if __name__ == "__main__":
                d = DAG("never")
            """,
        )
    )

    assert made.dag_id == "kept"


@pytest.mark.parametrize(
    "text", [b"\xff\xfe", "# -*- coding: latin-1 -*-\nx = '\xe9'\n".encode("latin-1"), b"\xef\xbb\xbfx = 1\n"]
)
def test_the_encoding_is_what_python_says(tmp_path, text):
    path = tmp_path / "dag.py"
    path.write_bytes(text)
    if text == b"\xff\xfe":
        with pytest.raises(SyntaxError):
            load_dag_file(str(path))
    else:
        assert load_dag_file(str(path)) == []
