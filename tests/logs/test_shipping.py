"""Does the store have every byte of a log, whatever is broken off? And at each moment the beginning of it?"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executors.logs import shipping
from executors.logs.pieces import logs_of_try, pieces_of
from executors.logs.shipping import Shipper
from executors.logs.spool import ShippedSpool, Spool
from executors.logs.store import FolderStore, LogStore, LogStoreError

NAME = "d/attempt=1.log"
WAIT = 10.0


class Clock:
    """A clock that the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Failing:
    """A folder as a store, whose calls fail as often as they are told to, before or after they have done their work."""

    def __init__(self, root: Path) -> None:
        self.inner = FolderStore(root)
        self.where = self.inner.where
        self.fails: list[str] = []  # "before", "after", "": for the next calls

    def _told(self, when: str) -> None:
        if self.fails and self.fails[0] == when:
            self.fails.pop(0)
            raise LogStoreError("told to fail")
        if when == "after" and self.fails and not self.fails[0]:
            self.fails.pop(0)

    def sizes(self, folder: str) -> dict[str, int]:
        return self.inner.sizes(folder)

    def read(self, name: str, start: int, stop: int) -> bytes:
        return self.inner.read(name, start, stop)

    def put(self, name: str, data: bytes) -> None:
        self._told("before")
        self.inner.put(name, data)
        self._told("after")

    def put_file(self, name: str, path: Path) -> None:
        self._told("before")
        self.inner.put_file(name, path)
        self._told("after")

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            self._told("before")
            self.inner.remove([name])

    def remove_folder(self, folder: str) -> None:
        self.inner.remove_folder(folder)


class World:
    """A log folder, a spool, and a shipper that can be killed and made anew."""

    def __init__(self, folder: Path, store: LogStore | None = None, *, removes: bool = False) -> None:
        self.base, self.removes = folder / "logs", removes
        self.store = store or FolderStore(folder / "store")
        self.clock = Clock()
        self.spool = Spool(self.base)
        self.spool.open()
        self.path = self.base / NAME
        self.path.parent.mkdir()
        self.shipper: Shipper | None = None
        self.new_shipper()

    def new_shipper(self) -> None:
        self.end_shipper()
        self.shipped = ShippedSpool(self.spool.folder)
        assert self.shipped.take()
        self.shipper = Shipper(self.store, self.base, self.shipped, removes=self.removes, clock=self.clock)

    def end_shipper(self) -> None:
        if self.shipper is not None:
            self.shipper.settle(WAIT)
            self.shipper.close()
            self.shipped.close(is_done=False)
            self.shipper = None

    def say(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)

    def step(self, seconds: float = 0.0, *, is_left: bool = False) -> None:
        assert self.shipper is not None
        self.clock.now += seconds
        for _ in range(2):  # the second takes note of what became of the first
            self.shipper.step(is_left=is_left)
            self.shipper.settle(WAIT)

    @property
    def left(self) -> int:
        assert self.shipper is not None
        return len(self.shipper)

    def stored(self, name: str = NAME) -> bytes:
        """What whoever reads the store gets."""
        folder, _, name = name.rpartition("/")
        data = b""
        for piece in pieces_of(name, self.store.sizes(folder)):
            data += self.store.read(f"{folder}/{piece.name}", len(data) - piece.start, piece.size)
        return data

    def close(self) -> None:
        self.spool.close()
        self.end_shipper()


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path)
    yield world
    world.close()


def test_a_log_is_there_while_it_grows_and_one_file_at_its_end(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shipping, "SEAL_BYTES", 10)
    world.spool.begin("a", NAME)
    for number in range(7):
        world.say(b"line %d\n" % number)
        world.step(60)
        assert world.stored() == world.path.read_bytes()
    assert len(world.store.sizes("d")) > 3

    world.say(b"the last words")
    world.spool.end("a", is_over=True)
    world.step()
    world.step()

    assert world.stored() == world.path.read_bytes()
    assert list(world.store.sizes("d")) == ["attempt=1.log"]
    assert world.left == 0
    assert {path.name for path in world.spool.folder.iterdir()} == {"writer", "shipper"}


def test_nothing_is_written_twice_for_a_log_that_is_quiet(world: World, tmp_path: Path):
    world.spool.begin("a", NAME)
    world.say(b"x")
    world.step()
    inode = (tmp_path / "store" / NAME).stat().st_ino
    for _ in range(5):
        world.step(100)
    assert (tmp_path / "store" / NAME).stat().st_ino == inode


def test_a_pause_keeps_the_pieces_and_the_next_part_goes_on(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shipping, "SEAL_BYTES", 10)
    world.spool.begin("a", NAME)
    world.say(b"0123456789" * 3)
    world.step()
    world.say(b"before the wait\n")
    world.spool.end("a", is_over=False)
    world.step()
    world.step()
    assert world.left == 0
    world.spool.begin("b", NAME)
    world.say(b"after the wait\n")
    world.step(60)
    assert world.stored() == world.path.read_bytes()
    world.spool.end("b", is_over=True)
    world.step()
    assert list(world.store.sizes("d")) == ["attempt=1.log"]
    assert world.stored() == world.path.read_bytes()


def test_what_is_removed_here_is_in_the_store_before(tmp_path: Path):
    store = Failing(tmp_path / "store")
    world = World(tmp_path, store, removes=True)
    world.spool.begin("a", NAME)
    world.say(b"all of it")
    world.spool.end("a", is_over=True)
    store.fails = ["before"]
    world.step()
    assert world.path.exists()
    world.step(shipping.FIRST_PAUSE_SECONDS)
    world.step(shipping.FIRST_PAUSE_SECONDS)
    assert (world.stored(), world.path.exists()) == (b"all of it", False)
    assert not world.path.parent.exists() and world.base.exists(), "empty folders go, the log folder stays"
    world.close()


def test_a_store_that_is_away_is_said_once_and_its_return_too(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    store = Failing(tmp_path / "store")
    world = World(tmp_path, store)
    store.fails = ["before"] * 3
    world.spool.begin("a", NAME)
    world.say(b"words\n")
    for _ in range(6):
        world.step(shipping.LONGEST_PAUSE_SECONDS / 4)
    assert world.stored() == b"words\n"
    errors = [record.getMessage() for record in caplog.records]
    assert len(errors) == 2
    assert "1 logs wait on this machine to be shipped; trying again. told to fail" in errors[0]
    assert "does its work again" in errors[1]
    world.close()


def test_a_spool_that_was_left_behind_is_shipped_by_the_next_and_is_gone(world: World):
    world.spool.begin("a", NAME)
    world.say(b"killed in the middle of")
    world.end_shipper()

    left = ShippedSpool(world.spool.folder)
    assert not left.take_left(), "its writer lives"
    left.close(is_done=False)
    world.spool.close()  # as the kernel does when it is killed
    left = ShippedSpool(world.spool.folder)
    assert left.take_left()
    assert not ShippedSpool(world.spool.folder).take_left(), "one is enough"
    world.shipper, world.shipped = Shipper(world.store, world.base, left, removes=False, clock=world.clock), left
    world.step(is_left=True)
    world.say(b" a word")
    world.step(60, is_left=True)
    assert world.left == 1, "its last words may be on their way"
    world.step(shipping.QUIET_SECONDS, is_left=True)
    world.step(60, is_left=True)
    world.step(60, is_left=True)

    assert world.left == 0
    assert world.stored() == b"killed in the middle of a word"
    left.close(is_done=True)
    assert not world.spool.folder.exists()


def test_a_disk_that_is_full_delays_what_is_noted(world: World, wait_until, monkeypatch: pytest.MonkeyPatch):
    away = world.spool.folder.with_name(".away")
    world.spool.folder.rename(away)  # notes cannot be written
    world.spool.begin("a", NAME)
    world.say(b"words")
    world.spool.end("a", is_over=True)
    away.rename(world.spool.folder)
    wait_until(lambda: (world.spool.folder / "a.over").exists())
    world.step()
    assert world.stored() == b"words"


steps = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(1, 40)),
        st.tuples(st.just("step"), st.integers(0, 70)),
        st.tuples(st.just("kill"), st.just(0)),
        st.tuples(st.just("fail"), st.integers(0, 3)),
        st.tuples(st.just("pause"), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(steps, st.lists(st.sampled_from(["before", "after", ""]), max_size=6))
def test_whatever_is_broken_off_the_store_has_a_beginning_and_in_the_end_all(tmp_path_factory, steps, fails):
    folder = tmp_path_factory.mktemp("ship")
    store = Failing(folder / "store")
    patch = pytest.MonkeyPatch()  # small logs show the same
    patch.setattr("executors.logs.shipping.SEAL_BYTES", 16)
    patch.setattr("executors.logs.shipping.BLOCK_BYTES", 64)
    world = World(folder, store)
    try:
        part = 0
        world.spool.begin(f"{part}", NAME)
        for what, amount in steps:
            match what:
                case "say":
                    world.say(os.urandom(amount))
                case "step":
                    world.step(amount)
                case "kill":
                    world.new_shipper()
                case "fail":
                    store.fails = fails[: amount + 1]
                case "pause":
                    world.spool.end(f"{part}", is_over=False)
                    part += 1
                    world.spool.begin(f"{part}", NAME)
            said = world.path.read_bytes() if world.path.exists() else b""
            assert said.startswith(world.stored())
        store.fails = []
        world.spool.end(f"{part}", is_over=True)
        for _ in range(4):
            world.step(shipping.LONGEST_PAUSE_SECONDS)
        said = world.path.read_bytes() if world.path.exists() else b""
        assert world.stored() == said
        assert logs_of_try("attempt=1.log", store.sizes("d")) == (["attempt=1.log"] if said else [])
        assert len(store.sizes("d")) == (1 if said else 0)
        assert world.left == 0
    finally:
        world.close()
        patch.undo()
