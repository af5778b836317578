"""Does a watcher make events of its asset, by real trigger processes, for as long as somebody waits for it?"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from scheduler.triggerer.host import Triggerer
from tests.assets.world import consumer, look, save
from tests.support.waiting import wait_until
from tests.triggerer.conftest import config, start  # noqa: F401  fixtures
from tradewind.errors import DagError
from tradewind.metadata import dags
from tradewind.metadata.database import Database
from tradewind.metadata.models import AssetEvent, AssetWatcher
from tradewind.model.spec import DagSpec
from tradewind.sdk.assets.definitions import Asset
from tradewind.sdk.assets.definitions import AssetWatcher as Watcher
from tradewind.sdk.assets.serialize import asset_specs
from tradewind.sdk.dag import DAG
from tradewind.sdk.triggers.base import BaseEventTrigger
from tradewind.sdk.triggers.file import FileDeleteTrigger


def waiting_for(flag: Path) -> DagSpec:
    """A DAG that waits for an asset whose watcher takes a file away."""
    flagged = Asset("flagged", watchers=[Watcher("flag", FileDeleteTrigger(str(flag), poke_interval=0.05))])
    return msgspec.structs.replace(consumer("waits", flagged), assets=asset_specs(DAG("waits", schedule=flagged)))


def seen(database: Database) -> list[Any]:
    with database.read() as tx:
        return list(tx.execute(select(AssetEvent.extra).order_by(AssetEvent.id)).scalars())


def has_seen(database: Database, count: int) -> bool:
    return len(seen(database)) == count


def holder(database: Database) -> Any:
    with database.read() as tx:
        return tx.execute(select(AssetWatcher.claimed_by)).scalar_one()


@pytest.fixture
def triggerer(start: Callable[..., Triggerer]) -> Triggerer:  # noqa: F811
    return start()


def test_each_time_it_fires_there_is_an_event_and_a_run(database, triggerer, tmp_path):
    flag = tmp_path / "flag"
    save(database, waiting_for(flag))
    triggerer.wake()
    for number in (1, 2):
        flag.touch()
        wait_until(partial(has_seen, database, number), timeout=30, every=0.05, what="the event")
        assert [run.dag_id for run in look(database)] == ["waits"]

    assert seen(database) == [{"from_trigger": True, "payload": True}] * 2
    assert not flag.exists()


def test_it_rests_while_nobody_waits_and_goes_on_in_another_triggerer(database, triggerer, start, tmp_path):  # noqa: F811
    flag = tmp_path / "flag"
    save(database, waiting_for(flag))
    triggerer.wake()
    wait_until(lambda: holder(database) == triggerer.id, timeout=30, every=0.05, what="the claim")

    with database.write() as tx:
        dags.set_paused(tx, "waits", True, database.now())
    triggerer.wake()
    wait_until(lambda: holder(database) is None, timeout=30, every=0.05, what="the rest")

    with database.write() as tx:
        dags.set_paused(tx, "waits", False, database.now())
    triggerer.wake()
    wait_until(lambda: holder(database) == triggerer.id, timeout=30, every=0.05, what="the claim")
    triggerer.stop()
    assert holder(database) is None
    other = start()
    flag.touch()
    wait_until(lambda: len(seen(database)) == 1, timeout=30, every=0.05, what="the event")
    assert holder(database) == other.id


class InAFile(BaseEventTrigger):
    """As though it stood in a DAG file."""

    def serialize(self):
        return "tradewind_dag_0123_file.InAFile", {}

    async def run(self):
        yield None


@pytest.mark.parametrize(
    "make",
    [
        lambda: Watcher("w", "no trigger"),
        lambda: Watcher("", FileDeleteTrigger("x")),
        lambda: asset_specs(DAG("d", schedule=Asset("a", watchers=[Watcher("w", InAFile())]))),
    ],
)
def test_what_cannot_watch_is_refused(make):
    with pytest.raises(DagError):
        make()
