"""Which files of a folder are looked at? Real folders, with ignore files, links, and things that are no files."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.dagfiles.find import find_files, might_hold_dags
from scheduler.dagfiles.ignore import Ignore, IgnoreReader


def put(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# dag\n")


def names(folder, **options):
    return [found.name for found in find_files(folder, **options).files]


def test_python_files_are_found_in_all_folders_by_name(folder):
    put(folder, "b.py", "a.py", "team/x.py", "team/deep/er/y.py", "readme.md", "team/z.pyc")

    assert names(folder) == ["a.py", "b.py", "team/deep/er/y.py", "team/x.py"]


def test_what_tools_write_is_passed_over(folder):
    put(
        folder,
        "a.py",
        "__pycache__/b.py",
        ".git/c.py",
        ".venv/lib/d.py",
        "node_modules/e.py",
        ".ipynb_checkpoints/f.py",
    )

    assert names(folder) == ["a.py"]


def test_a_found_file_carries_what_tells_that_it_changed(folder):
    put(folder, "a.py")
    [before] = find_files(folder).files
    [same] = find_files(folder).files
    assert (before.path, before.stamp) == (str(folder / "a.py"), same.stamp)

    os.utime(folder / "a.py", ns=(1, 1))
    [after] = find_files(folder).files
    assert after.stamp != before.stamp


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ("", ["a.py", "a_test.py", "sub/b.py", "sub/b_test.py", "sub/deep/c.py"]),
        ("*_test.py", ["a.py", "sub/b.py", "sub/deep/c.py"]),
        ("/*_test.py", ["a.py", "sub/b.py", "sub/b_test.py", "sub/deep/c.py"]),
        ("sub/", ["a.py", "a_test.py"]),
        ("sub/*\n!sub/b.py", ["a.py", "a_test.py", "sub/b.py"]),
        ("**/deep", ["a.py", "a_test.py", "sub/b.py", "sub/b_test.py"]),
        ("# only a comment\n\n  ", ["a.py", "a_test.py", "sub/b.py", "sub/b_test.py", "sub/deep/c.py"]),
        ("a.py  # with a comment", ["a_test.py", "sub/b.py", "sub/b_test.py", "sub/deep/c.py"]),
    ],
)
def test_glob_rules_are_those_of_gitignore(folder, rules, left):
    put(folder, "a.py", "a_test.py", "sub/b.py", "sub/b_test.py", "sub/deep/c.py")
    (folder / ".airflowignore").write_text(rules)

    assert names(folder) == left


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ("_test", ["a.py", "sub/b.py"]),
        ("^sub", ["a.py", "a_test.py"]),
        ("sub/.*_test\\.py$", ["a.py", "a_test.py", "sub/b.py"]),
        ("nothing\nb\\.py", ["a.py", "a_test.py", "sub/b_test.py"]),
    ],
)
def test_regular_expressions_are_searched_in_the_path(folder, rules, left):
    put(folder, "a.py", "a_test.py", "sub/b.py", "sub/b_test.py")
    (folder / ".airflowignore").write_text(rules)

    assert names(folder, ignore_syntax="regexp") == left


def test_an_ignore_file_counts_for_its_folder_and_may_take_back_what_an_outer_one_said(folder):
    put(folder, "x.py", "keep.py", "team/x.py", "team/keep.py", "other/x.py", "other/keep.py")
    (folder / ".airflowignore").write_text("keep.py\n")
    (folder / "team/.airflowignore").write_text("/x.py\n!keep.py\n")

    assert names(folder) == ["other/x.py", "team/keep.py", "x.py"]


@pytest.mark.parametrize(("syntax", "line"), [("regexp", "a("), ("glob", "!")])
def test_a_bad_rule_is_told_and_leaves_out_nothing(folder, syntax, line):
    put(folder, "a.py", "b.py")
    (folder / ".airflowignore").write_text(f"{line}\nb.py\n")

    walk = find_files(folder, ignore_syntax=syntax)

    assert [found.name for found in walk.files] == ["a.py"]
    assert len(walk.problems) == 1
    assert repr(line) in walk.problems[0]


def test_links_are_followed_but_not_in_circles(folder, tmp_path):
    put(folder, "a.py", "sub/b.py")
    put(tmp_path / "elsewhere", "c.py")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "file.py").symlink_to(tmp_path / "elsewhere/c.py")
    (folder / "sub/back").symlink_to(folder)
    (folder / "self").symlink_to(folder / "self")
    (folder / "dangling.py").symlink_to(tmp_path / "nothing")

    walk = find_files(folder)

    assert [found.name for found in walk.files] == ["a.py", "file.py", "linked/c.py", "sub/b.py"]
    assert walk.problems == [f"{folder}/sub/back links back to a folder that it lies in, and is passed over."]
    assert walk.unread == []


def test_two_links_to_each_other_end(folder):
    put(folder, "x/a.py", "y/b.py")
    (folder / "x/y").symlink_to(folder / "y")
    (folder / "y/x").symlink_to(folder / "x")

    assert names(folder) == ["x/a.py", "x/y/b.py", "y/b.py", "y/x/a.py"]


def test_only_regular_files_are_files(folder):
    put(folder, "a.py")
    os.mkfifo(folder / "pipe.py")
    (folder / "package.py").mkdir()

    assert names(folder) == ["a.py"]


def test_a_folder_that_is_missing_is_unknown_not_empty(folder):
    walk = find_files(folder / "nothing")

    assert (walk.files, walk.unread) == ([], [""])
    assert "cannot be read" in walk.problems[0]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (b"from airflow import DAG", True),
        (b"from tradewind import DAG", True),
        (b"import AirFlow; @Asset", True),
        (b"from airflow.models import x", False),
        (b"dag = 1", False),
        (b"", False),
    ],
)
def test_safe_mode_goes_by_what_the_text_speaks_of(source, expected):
    assert might_hold_dags(source) is expected


@given(st.text(max_size=200), st.sampled_from(["glob", "regexp"]), st.text(min_size=1, max_size=30))
def test_no_ignore_file_stops_the_walk(text, syntax, path):
    rules = IgnoreReader(syntax).extend(Ignore(), "", text)

    assert rules.ignores(path) in (True, False)
