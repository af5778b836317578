"""Reading and showing logs: windows of large files, growing files, errors, colours, groups, hostile text."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.webui.seed import FAILED_LOG
from webui.logs.index import EVERY, LineIndex
from webui.logs.markup import LogMarkup, to_html
from webui.logs.window import LogReader


def markup(text: str, zone: str = "UTC") -> tuple[str, LogMarkup]:
    made = LogMarkup(ZoneInfo(zone))
    return made.html(text.splitlines(), 1), made


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big.log"
    path.write_text("".join(f"line {n} {'x' * (n % 90)}\n" for n in range(1, 100_001)))
    return path


def test_the_end_of_a_large_log_is_shown_with_its_true_line_numbers(big):
    window = LogReader().tail(big)
    assert window is not None
    assert len(window.lines) == 4000
    assert (window.first_line, window.lines[0].split()[1]) == (96_001, "96001")
    assert window.last_line == window.total_lines == 100_000
    assert window.next_offset == window.file_size == big.stat().st_size


def test_any_line_can_be_opened(big):
    reader = LogReader()
    for wanted in (1, 2, 499, 500, 501, 50_000, 99_999, 100_000):
        window = reader.around(big, wanted, lines=100)
        assert window is not None
        assert f"line {wanted} " in window.lines[wanted - window.first_line] + " "


def test_earlier_lines_join_without_gap_or_overlap(big):
    reader = LogReader()
    tail = reader.tail(big, lines=10)
    assert tail is not None
    before = reader.before(big, tail.first_line, lines=700)
    assert before is not None
    assert (before.first_line, before.last_line) == (tail.first_line - 700, tail.first_line - 1)
    assert before.lines[-1].startswith(f"line {tail.first_line - 1} ")


def test_lines_of_a_growing_log_come_once_and_only_when_they_have_ended(tmp_path):
    path = tmp_path / "a.log"
    reader = LogReader()
    path.write_bytes(b"one\ntw")
    first = reader.since(path, 0)
    assert first is not None and first.lines == ("one",)
    with path.open("ab") as file:
        file.write(b"o\nthree\n")
    second = reader.since(path, first.next_offset)
    assert second is not None
    assert (second.first_line, second.lines) == (2, ("two", "three"))
    third = reader.since(path, second.next_offset)
    assert third is not None and third.lines == ()


def test_a_log_that_was_replaced_is_read_anew(tmp_path):
    path = tmp_path / "a.log"
    path.write_text("a\nb\nc\n")
    reader = LogReader()
    assert reader.tail(path)
    path.write_text("new\n")
    window = reader.tail(path)
    assert window is not None and window.lines == ("new",)


def test_a_log_of_one_endless_line_is_cut_on_the_page(tmp_path):
    path = tmp_path / "a.log"
    path.write_text("x" * 5_000_000)
    window = LogReader().tail(path)
    assert window is not None
    assert len(window.lines[0]) < 20_000 and "more characters" in window.lines[0]


def test_there_is_no_window_without_a_file(tmp_path):
    assert LogReader().tail(tmp_path / "none.log") is None
    assert LogReader().search(tmp_path / "none.log", "x") == []


def test_search_finds_lines_anywhere_in_any_case(big):
    hits = LogReader().search(big, "LINE 77777 ")
    assert [hit.line for hit in hits] == [77_777]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 700), min_size=1, max_size=4), st.booleans())
def test_an_index_grown_in_steps_is_the_index_of_the_whole(tmp_path_factory, steps, ends):
    path = tmp_path_factory.mktemp("log") / "a.log"
    path.touch()
    index = LineIndex(path)
    count = 0
    for step in steps:
        with path.open("a") as file:
            for _ in range(step):
                count += 1
                file.write(f"{count}\n")
        index.update()
    if not ends:
        with path.open("a") as file:
            file.write("rest")
        index.update()
        count += 1
    assert index.line_count == count
    data = path.read_bytes()
    for line in range(1, count + 1, EVERY):
        number, offset = index.anchor(line)
        assert number == line
        assert data[:offset].count(b"\n") == line - 1


def test_times_are_shown_in_the_zone_of_the_reader():
    html, _ = markup("[2026-07-01T10:00:00.250+00:00] INFO a - b", "Europe/Berlin")
    assert "12:00:00.250" in html and 'title="2026-07-01T12:00:00.250000+02:00"' in html


def test_the_first_error_is_known_and_its_traceback_looks_like_it():
    html, made = markup(FAILED_LOG)
    assert (made.first_error, made.errors, made.warnings) == (46, 1, 1)
    assert '<p id="L49" class="e">' in html


def test_a_group_is_folded_unless_an_error_is_in_it():
    quiet, _ = markup("::group::setup\n[2026-01-01T00:00:00Z] INFO a - fine\n::endgroup::\nafter")
    loud, _ = markup("::group::outer\n::group::setup\n[2026-01-01T00:00:00Z] ERROR a - bad\n::endgroup::\n::endgroup::")
    assert '<details id="L1"><summary>setup</summary>' in quiet
    assert loud.count("<details open id=") == 2
    assert quiet.count("</details>") == 1 and loud.count("</details>") == 2


def test_a_group_that_never_ends_is_closed():
    html, _ = markup("::group::a\nx\n::endgroup::\n::endgroup::\n::group::b\ny")
    assert html.count("<details") == html.count("</details>") == 2


def test_terminal_colours_become_classes_and_other_codes_vanish():
    assert to_html("\x1b[1;31mbad\x1b[0m ok \x1b[2Kcut\x07") == '<i class="a1 f-r">bad</i> ok cut'


def test_addresses_become_links():
    assert 'href="https://example.org/a?b=1"' in to_html("see https://example.org/a?b=1.")


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        'https://example.org/"onmouseover="alert(1)',
        "\x1b[31m<img src=x onerror=alert(1)>\x1b[0m",
        "[2026-01-01T00:00:00Z] <b>ERROR - <script>",
        "::group::<script>alert(1)</script>",
        '[2026-01-01T00:00:00"onload="x] INFO a',
    ],
)
def test_hostile_lines_stay_text(text):
    html, _ = markup(text)
    for bad in ("<script", "<img", 'onmouseover="', 'onload="x]'):
        assert bad not in html
