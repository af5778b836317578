"""Which file is read next? The bookkeeping alone, with instants and stamps made up."""

from __future__ import annotations

import pytest

from scheduler.dagfiles.catalogue import SELF_CONTAINED, Catalogue
from scheduler.dagfiles.find import Found, Stamp
from tradewind.model.parsed import FileError, ParsedFile


def found(name: str, version: int = 1) -> Found:
    return Found(name, f"/dags/{name}", Stamp(version, 1, 1))


@pytest.fixture
def stamps() -> dict[str, Stamp]:
    """The local files that others depend on, as they are now."""
    return {}


@pytest.fixture
def catalogue(stamps) -> Catalogue:
    return Catalogue(100.0, stamps.get)


def take(catalogue, slow=True):
    taken = []
    while (entry := catalogue.next_changed(slow=slow)) is not None:
        taken.append(entry.name)
    return taken


def parse(catalogue, name, now=0.0, **result):
    catalogue.parsed(catalogue.get(name), ParsedFile(name, b"", **result), now)


def test_new_and_changed_files_are_read_in_their_order_and_only_once(catalogue):
    assert catalogue.update("/dags", "", [found("b.py"), found("a.py")], ()) == []
    assert take(catalogue) == ["b.py", "a.py"]

    catalogue.update("/dags", "", [found("b.py"), found("a.py", 2), found("c.py")], ())
    assert take(catalogue) == ["a.py", "c.py"]
    assert not catalogue.has_urgent


def test_a_file_that_is_gone_is_told_and_not_read(catalogue):
    catalogue.update("/dags", "", [found("a.py"), found("b.py")], ())

    assert catalogue.update("/dags", "", [found("b.py")], ()) == ["a.py"]
    assert take(catalogue) == ["b.py"]


def test_folders_do_not_disturb_each_other(catalogue):
    catalogue.update("/dags", "", [found("a.py")], ())
    catalogue.update("/more", "/more/", [found("a.py")], ())

    assert sorted(catalogue.names()) == ["/more/a.py", "a.py"]
    assert catalogue.update("/dags", "", [], ()) == ["a.py"]
    assert list(catalogue.names()) == ["/more/a.py"]


def test_what_lies_in_a_folder_that_cannot_be_read_is_kept(catalogue):
    catalogue.update("/dags", "", [found("a.py"), found("sub/b.py")], ())

    assert catalogue.update("/dags", "", [], ["sub/"]) == ["a.py"]
    assert catalogue.update("/dags", "", [], [""]) == []
    assert list(catalogue.names()) == ["sub/b.py"]


def test_a_file_that_changes_while_it_is_read_is_read_again(catalogue):
    catalogue.update("/dags", "", [found("a.py")], ())
    entry = catalogue.next_changed(slow=True)
    entry.is_busy = True
    catalogue.update("/dags", "", [found("a.py", 2)], ())

    assert take(catalogue) == []
    assert catalogue.has_urgent
    entry.is_busy = False
    assert take(catalogue) == ["a.py"]


def test_files_that_ran_into_a_limit_wait_for_the_slow_lane(catalogue):
    catalogue.update("/dags", "", [found("slow.py"), found("quick.py")], ())
    take(catalogue)
    parse(catalogue, "slow.py", timed_out=True)
    for name in ("slow.py", "quick.py"):
        catalogue.force(name)

    assert take(catalogue, slow=False) == ["quick.py"]
    assert take(catalogue, slow=True) == ["slow.py"]


def test_a_changed_dependency_has_its_readers_parsed(catalogue, stamps):
    catalogue.update("/dags", "", [found("a.py"), found("b.py"), found("c.py")], ())
    take(catalogue)
    stamps.update({"/dags/shared.py": Stamp(1, 1, 1), "/dags/conf.json": Stamp(1, 1, 1)})
    parse(catalogue, "a.py", depends_on=("/dags/shared.py",))
    parse(catalogue, "b.py", depends_on=("/dags/shared.py", "/dags/conf.json"))
    parse(catalogue, "c.py")
    assert catalogue.dependencies() == {"/dags/shared.py", "/dags/conf.json"}

    catalogue.check_dependencies()
    assert take(catalogue) == []

    stamps["/dags/shared.py"] = Stamp(2, 1, 1)
    catalogue.check_dependencies()
    assert take(catalogue) == ["a.py", "b.py"]
    assert catalogue.get("a.py").is_forced
    catalogue.check_dependencies()
    assert take(catalogue) == []

    del stamps["/dags/conf.json"]
    catalogue.check_dependencies()
    assert take(catalogue) == ["b.py"]


def test_a_dependency_written_during_the_parse_has_it_parsed_again(catalogue, stamps):
    catalogue.update("/dags", "", [found("a.py")], ())
    take(catalogue)
    catalogue.get("a.py").read_at_ns = 100
    for written, again in [(99, []), (150, ["a.py"]), (201, [])]:  # the last is from a clock that is ahead
        stamps["/dags/shared.py"] = Stamp(written, 1, 1)
        catalogue.parsed(catalogue.get("a.py"), ParsedFile("a.py", b"", depends_on=("/dags/shared.py",)), 0.0, 200)
        catalogue.check_dependencies()
        assert take(catalogue) == again


@pytest.mark.parametrize(
    ("result", "interval"),
    [
        ({}, 100.0 * SELF_CONTAINED),
        ({"looks_outside": True}, 100.0),
        ({"errors": (FileError("no"),)}, 100.0),
    ],
)
def test_an_unchanged_file_is_read_again_when_its_interval_is_over(catalogue, result, interval):
    catalogue.update("/dags", "", [found("a.py")], ())
    take(catalogue)
    parse(catalogue, "a.py", now=5.0, **result)

    assert catalogue.next_refresh_at() == 5.0 + interval
    assert catalogue.next_refresh(4.9 + interval) is None
    assert catalogue.next_refresh(5.0 + interval).name == "a.py"
    assert catalogue.get("a.py").is_forced
    assert catalogue.next_refresh(1e9) is None


def test_a_parse_for_another_reason_puts_the_next_one_off(catalogue):
    catalogue.update("/dags", "", [found("a.py")], ())
    parse(catalogue, "a.py", now=0.0, looks_outside=True)
    parse(catalogue, "a.py", now=60.0, looks_outside=True)
    take(catalogue)

    assert catalogue.next_refresh(159.0) is None
    assert catalogue.next_refresh(160.0).name == "a.py"


def test_a_file_that_is_gone_or_busy_is_not_read_again(catalogue):
    catalogue.update("/dags", "", [found("a.py"), found("b.py")], ())
    take(catalogue)
    parse(catalogue, "a.py", looks_outside=True)
    parse(catalogue, "b.py", looks_outside=True)
    catalogue.forget("a.py")
    catalogue.get("b.py").is_busy = True

    assert catalogue.next_refresh(1000.0) is None


def test_what_could_not_be_stored_is_parsed_again(catalogue):
    catalogue.update("/dags", "", [found("a.py")], ())
    entry = catalogue.next_changed(slow=True)
    parse(catalogue, "a.py", now=0.0)
    catalogue.retry(entry, 5.0)

    assert catalogue.next_refresh(4.0) is None
    assert catalogue.next_refresh(5.0) is entry
    assert entry.is_forced
