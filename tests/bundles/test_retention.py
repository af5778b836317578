"""Do states of the DAG folder go that nobody needs any more, and no others?"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select, update

from scheduler.retention.cleaning import Cleaner, Wish
from scheduler.retention.pace import Pace
from tests.dagfiles.place import Place, source
from tests.engine.world import add_run
from tradewind.metadata import dags
from tradewind.metadata.models import BundleContent, DagBundle, DagVersion
from tradewind.metadata.retention_rest import Scope


@pytest.fixture
def place(home, database):
    place = Place(home, database)
    yield place
    place.stop()


def test_states_go_that_no_run_and_no_version_is_in(place, database, tmp_path):
    made = place.manager(DAG_PROCESSOR__DAG_BUNDLE="database")
    place.put("a.py", source("a"))
    names, pks = [], []
    for number in range(4):
        place.put("helper.py", f"N = {number}\n")
        made.sync_once()
        with database.read() as tx:
            version = dags.get_dag(tx, "a").version_id or 0
            names.append(tx.execute(select(DagVersion.bundle)).scalar_one())
        if number == 1:
            pks.append(add_run(database, version, "a"))

    def clean() -> list[str]:
        now = datetime.now(UTC)
        wish = Wish(scopes={"dag_bundle": Scope(now)}, log_folder=tmp_path)
        for _ in Cleaner(database, wish, Pace(rests=0), now).steps():
            pass
        with database.read() as tx:
            return [name for name in names if name in set(tx.execute(select(DagBundle.name)).scalars())]

    assert clean() == [names[1], names[3]]
    with database.read() as tx:
        assert tx.execute(select(func.count()).select_from(BundleContent)).scalar_one() == 3  # a.py, and two helpers
    # What was removed comes back with the files that it needs.
    place.put("helper.py", "N = 0\n")
    made.sync_once()
    with database.write() as tx:
        assert tx.execute(select(DagVersion.bundle)).scalar_one() == names[0]
        tx.execute(update(DagBundle).where(DagBundle.name == names[3]).values(left_at=None))
    assert clean() == [names[0], names[1], names[3]]
    assert pks
