"""Does the metadata DB say what the DAG files say, whatever they go through? On both databases."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.dagfiles.specs import NOW, add_run, parsed, spec, timers, versions
from tradewind.errors import DagError
from tradewind.metadata import dags
from tradewind.metadata.database import Database
from tradewind.metadata.source_text import decode_source, encode_source
from tradewind.model.parsed import ParsedFile
from tradewind.model.states import RunType


def save(database: Database, file: ParsedFile, now: datetime = NOW, *, paused: bool = False) -> dags.Saved:
    with database.write() as tx:
        return dags.save_file(tx, file, now, paused_at_creation=paused)


def test_a_new_file_gives_a_dag_a_version_and_a_timer(database):
    saved = save(database, parsed(spec(tags=("b", "a"), description="nightly")))

    assert saved == dags.Saved(changed=("etl",))
    with database.read() as tx:
        dag = dags.get_dag(tx, "etl")
        assert (dag.file_path, dag.is_active, dag.is_paused, dag.tags) == ("etl.py", True, False, ("a", "b"))
        assert (dag.owners, dag.schedule_summary, dag.description) == ("ann, bob", "0 2 * * *", "nightly")
        assert dag.next_run_after == datetime(2026, 3, 1, 2, tzinfo=UTC)
        assert dag.next_logical_date == dag.next_interval_start == dag.next_interval_end == dag.next_run_after
        assert timers(tx) == {"etl": dag.next_run_after}
        assert dags.load_newest_spec(tx, "etl") == (dag.version_id, spec(tags=("b", "a"), description="nightly"))
        assert dags.load_source(tx, dag.version_id or 0) == b"# dag\n"


def test_a_hundred_parses_of_the_same_file_are_one_version(database):
    for number in range(100):
        saved = save(database, parsed(spec()), NOW + timedelta(minutes=number))
        assert saved.changed == (("etl",) if number == 0 else ())

    with database.read() as tx:
        assert versions(tx) == 1


def test_a_changed_spec_or_source_is_a_new_version_and_going_back_finds_the_old_one(database):
    save(database, parsed(spec()))
    save(database, parsed(spec(description="new")))
    save(database, parsed(spec(description="new"), source=b"# dag 2\n"))
    with database.read() as tx:
        assert [version.number for version in dags.list_versions(tx, "etl")] == [3, 2, 1]
        first = dags.list_versions(tx, "etl")[-1].id

    assert save(database, parsed(spec())).changed == ("etl",)
    with database.read() as tx:
        assert versions(tx) == 3
        assert dags.get_dag(tx, "etl").version_id == first


def test_a_broken_file_keeps_the_last_good_version_live(database):
    save(database, parsed(spec()))

    saved = save(database, parsed(source=b"# dag (\n", error="SyntaxError: no"))

    assert saved.removed == ()
    with database.read() as tx:
        dag = dags.get_dag(tx, "etl")
        assert dag.is_active
        assert dag.has_import_error
        assert dags.load_source(tx, dag.version_id or 0) == b"# dag\n"
        assert timers(tx)
        assert dags.count_import_errors(tx) == 1
        [error] = dags.list_import_errors(tx)
        assert (error.path, error.error, error.line, error.traceback) == (
            "etl.py",
            "SyntaxError: no",
            3,
            "trace: SyntaxError: no",
        )

    save(database, parsed(spec()))
    with database.read() as tx:
        assert dags.list_import_errors(tx) == []
        assert versions(tx) == 1


def test_one_broken_dag_of_a_file_leaves_the_others_alone(database):
    save(database, parsed(spec("a"), spec("b")))

    save(database, parsed(spec("b", description="new"), error="DAG 'a': DagCycle"))

    with database.read() as tx:
        assert dags.get_dag(tx, "a").is_active
        assert dags.get_dag(tx, "b").description == "new"


def test_a_dag_that_leaves_its_file_becomes_inactive_and_keeps_its_versions(database):
    save(database, parsed(spec("a"), spec("b")))

    assert save(database, parsed(spec("b"))).removed == ("a",)

    with database.read() as tx:
        assert not dags.get_dag(tx, "a").is_active
        assert versions(tx, "a") == 1
        assert set(timers(tx)) == {"b"}
        assert [dag.dag_id for dag in dags.list_dags(tx)] == ["b"]
        assert [dag.dag_id for dag in dags.list_dags(tx, include_inactive=True)] == ["a", "b"]


def test_a_removed_file_takes_its_dags_out_of_service_until_it_is_back(database):
    save(database, parsed(spec()))
    with database.write() as tx:
        add_run(tx, dags.get_dag(tx, "etl").version_id or 0, datetime(2026, 2, 1, 2, tzinfo=UTC))
        assert dags.remove_file(tx, "etl.py") == ("etl",)
        assert dags.remove_file(tx, "etl.py") == ()

    with database.read() as tx:
        assert not dags.get_dag(tx, "etl").is_active
        assert timers(tx) == {}
        assert dags.list_files(tx) == []
        assert versions(tx) == 1

    assert save(database, parsed(spec())).changed == ("etl",)
    with database.read() as tx:
        assert dags.get_dag(tx, "etl").is_active
        assert versions(tx) == 1
        assert timers(tx)


def test_an_inactive_dag_moves_to_the_file_that_defines_it_now(database):
    save(database, parsed(spec()))
    with database.write() as tx:
        dags.remove_file(tx, "etl.py")

    save(database, parsed(spec(), path="moved/etl.py"))

    with database.read() as tx:
        dag = dags.get_dag(tx, "etl")
        assert (dag.file_path, dag.is_active) == ("moved/etl.py", True)
        assert versions(tx) == 1


def test_a_dag_id_stays_with_the_file_that_had_it_first(database):
    save(database, parsed(spec(), path="first.py"))

    saved = save(database, parsed(spec(description="other"), spec("free"), path="second.py"))

    assert saved.taken == ("etl",)
    with database.read() as tx:
        assert dags.get_dag(tx, "etl").file_path == "first.py"
        assert dags.get_dag(tx, "etl").description is None
        assert dags.get_dag(tx, "free").file_path == "second.py"
        [error] = dags.list_import_errors(tx)
        assert error.path == "second.py"
        assert "'etl' is defined in first.py already" in error.error

    save(database, parsed(spec("renamed"), spec("free"), path="second.py"))
    with database.read() as tx:
        assert dags.list_import_errors(tx) == []
        assert dags.get_dag(tx, "etl").is_active


@pytest.mark.parametrize(
    ("own_wish", "configured", "expected"),
    [(None, True, True), (None, False, False), (False, True, False), (True, False, True)],
)
def test_a_new_dag_starts_paused_as_it_says_or_as_configured(database, own_wish, configured, expected):
    save(database, parsed(spec(is_paused_upon_creation=own_wish)), paused=configured)

    with database.read() as tx:
        dag = dags.get_dag(tx, "etl")
        assert dag.is_paused is expected
        assert bool(timers(tx)) is not expected
        assert dag.next_run_after is not None


def test_being_paused_is_not_changed_by_a_parse(database):
    save(database, parsed(spec(is_paused_upon_creation=True)))
    with database.write() as tx:
        dags.set_paused(tx, "etl", False, NOW)

    save(database, parsed(spec(is_paused_upon_creation=True, description="new")))

    with database.read() as tx:
        assert not dags.get_dag(tx, "etl").is_paused


def test_the_next_run_follows_the_newest_automated_one(database):
    save(database, parsed(spec(catchup=True)))
    with database.write() as tx:
        assert timers(tx) == {"etl": datetime(2026, 1, 1, 2, tzinfo=UTC)}
        version = dags.get_dag(tx, "etl").version_id or 0
        add_run(tx, version, datetime(2026, 1, 1, 2, tzinfo=UTC))
        add_run(tx, version, datetime(2026, 1, 5, 2, tzinfo=UTC), run_type=RunType.BACKFILL)
        add_run(tx, version, datetime(2026, 2, 5, 2, tzinfo=UTC), run_type=RunType.MANUAL)

    save(database, parsed(spec(catchup=True)))

    with database.read() as tx:
        assert timers(tx) == {"etl": datetime(2026, 1, 6, 2, tzinfo=UTC)}


def test_a_new_schedule_moves_the_timer_and_none_takes_it_away(database):
    save(database, parsed(spec()))
    save(database, parsed(spec(schedule="0 5 * * *")))
    with database.read() as tx:
        assert timers(tx) == {"etl": datetime(2026, 3, 1, 5, tzinfo=UTC)}

    save(database, parsed(spec(schedule=None)))
    with database.read() as tx:
        assert timers(tx) == {}
        assert dags.get_dag(tx, "etl").next_run_after is None


def test_the_end_date_ends_the_timers(database):
    save(database, parsed(spec(end_date="2026-02-01T00:00:00+00:00")))

    with database.read() as tx:
        assert timers(tx) == {}


def test_many_dags_of_one_file_are_saved_together(database):
    specs = [spec(f"generated_{number:04}") for number in range(700)]

    assert len(save(database, parsed(*specs)).changed) == 700
    assert save(database, parsed(*specs)).changed == ()
    with database.read() as tx:
        assert dags.count_dags(tx) == 700
        assert len(timers(tx)) == 700


def test_many_savers_of_the_same_files_agree(database):
    """Eight at once save files that define the same DAGs: nothing is doubled, nobody waits for ever."""
    files = [parsed(spec(f"d{n}"), spec(f"d{n + 1}"), path=f"f{n}.py") for n in range(6)]
    together = threading.Barrier(8)

    def work(offset: int) -> None:
        together.wait()
        for number in range(24):
            save(database, files[(offset + number) % len(files)])

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(work, offset) for offset in range(8)]:
            done.result()

    with database.read() as tx:
        assert [dag.dag_id for dag in dags.list_dags(tx)] == [f"d{n}" for n in range(7)]
        assert all(versions(tx, f"d{n}") == 1 for n in range(7))
        assert len(dags.list_files(tx)) == 6


def test_saving_pausing_and_rescheduling_at_the_same_time_wait_for_each_other(database):
    """Whoever locks DAGs and timers does so in one order: no deadlock, and timers agree with their DAGs at the end."""
    names = [f"d{n}" for n in range(4)]
    save(database, parsed(*map(spec, names)))
    together = threading.Barrier(6)

    def work(worker: int) -> None:
        together.wait()
        for number in range(30):
            name = names[(worker + number) % len(names)]
            if worker < 2:
                save(database, parsed(*(spec(name, description=f"{worker} {number}") for name in names)))
                continue
            with database.write() as tx:
                if worker < 4:
                    dags.set_paused(tx, name, number % 3 == 0, NOW)
                else:
                    dags.reschedule(tx, name, NOW + timedelta(days=number))

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(work, worker) for worker in range(6)]:
            done.result()

    with database.read() as tx:
        due = {dag.dag_id: dag.next_run_after for dag in dags.list_dags(tx) if not dag.is_paused}
        assert timers(tx) == due


@pytest.mark.parametrize(
    "source",
    [
        b"# plain\n",
        "# grüße\n".encode(),
        b"\xef\xbb\xbf# with a byte order mark\n",
        "# -*- coding: latin-1 -*-\nx = 'gr\xfc\xdfe'\n".encode("latin-1"),
        "#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\nx = '€'\n".encode("cp1252"),
        b"x = 1\r\ny = 2\rz = 3",
        b"",
    ],
)
def test_the_source_of_a_version_comes_back_byte_for_byte(sqlite_url, source):
    assert encode_source(decode_source(source)) == source
    database = Database(sqlite_url)
    save(database, parsed(spec(), source=source))
    with database.read() as tx:
        assert dags.load_source(tx, dags.get_dag(tx, "etl").version_id or 0) == source
    database.close()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"x = 1\ny = '\xfc'\n", "byte 0xfc in line 2"),
        (b"x\n\0", "NUL byte in line 2"),
        (b"# coding: nonsense\n", "unknown encoding: nonsense"),
        (b"\xef\xbb\xbf# coding: latin-1\n", "Save it as UTF-8"),
    ],
)
def test_a_source_that_is_not_text_is_refused_with_the_place(source, message):
    with pytest.raises(DagError, match=message):
        decode_source(source)
