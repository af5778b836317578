"""Who asks timetables that are users' own code when their DAGs run? Whoever reads DAG files, in a parse process.

What is wanted stands in the metadata DB, so that it survives crashes; several schedulers may ask the same, and the
first answer counts.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from executors.bundles.folders import BundleFolders
from executors.bundles.newest import newest_folder
from executors.control_plane import SqlControlPlane
from executors.stored_values import StoredValues
from scheduler.dagfiles.answers import answer_from
from scheduler.dagfiles.folders import DagFolder, dag_folders, parse_environment, parse_setup
from scheduler.dagfiles.parse_client import FileJob, ParseClient
from scheduler.dagfiles.protocol import RunsAnswer, RunsQuestion
from tradewind.config import Config
from tradewind.errors import DagError
from tradewind.metadata import coming_runs, dag_schedule
from tradewind.metadata.coming_runs import WINDOW, Foretold, Wanted
from tradewind.metadata.database import Database
from tradewind.timetables import DataInterval, NextRun

log = logging.getLogger(__name__)


class Foresight:
    """Asks for the runs that are wanted. For one thread, but for :attr:`is_asked`, which any may set.

    Attributes:
        is_asked: somebody may want to know something.
    """

    def __init__(self, database: Database, client: ParseClient, folders: Callable[[], Sequence[DagFolder]]) -> None:
        """
        Args:
            folders: says where DAG files are read now.
        """
        self._database: Final = database
        self._client: Final = client
        self._folders: Final = folders
        self._asked: dict[str, Wanted] = {}
        self.is_asked = True

    @property
    def is_waiting(self) -> bool:
        """Whether a timetable is being asked."""
        return bool(self._asked)

    @property
    def is_due(self) -> bool:
        """Whether there may be something to ask, and a process is free for it."""
        return self.is_asked and self._client.free > 0

    def ask(self) -> None:
        """Have asked what is wanted, as far as there are processes for it; the rest when these have answered."""
        room = self._client.free
        if room <= 0:
            return
        self.is_asked = False
        now = self._database.now()
        with self._database.read() as tx:
            wanted = coming_runs.list_wanted(tx, room + len(self._asked))
            found = [one for one in wanted if one.dag_id not in self._asked][:room]
            standing = [dag_schedule.last_tick(tx, one.dag_id) for one in found]
        for one, (last, last_run_after) in zip(found, standing, strict=True):
            start, end = last or (None, None)
            self._asked[one.dag_id] = one
            self._client.submit(
                _job(self._folders(), one, RunsQuestion(one.dag_id, now, start, end, last_run_after, count=WINDOW))
            )

    def take(self) -> None:
        """Store the answers that have come."""
        for job, answer in self._client.take_answers():
            self.is_asked = True  # there is room for more
            question = job.question
            wanted = None if question is None else self._asked.pop(question.dag_id, None)
            if question is None or wanted is None:
                continue
            start, end = question.last_start, question.last_end
            last = DataInterval(start, end) if start and end else None
            runs = [] if answer.error else _runs(answer)
            now = self._database.now()
            with self._database.write() as tx:
                said = Foretold(runs, answer.is_last, answer.error)
                taken = dag_schedule.take_foretold(tx, wanted, last, said, now)
            if taken and answer.error:
                log.warning("dagfiles.timetable: DAG %s cannot be scheduled: %s", wanted.dag_id, answer.error)


def ask_by_hand(config: Config, database: Database, wanted: Wanted, at: datetime, now: datetime) -> NextRun:
    """Ask a timetable that is the user's own code about a run by hand, in a parse process; waits for the answer.

    Args:
        at: the logical date of the run.

    Raises:
        DagError: it gave no answer, within the limits that hold for reading DAG files.
    """
    answer = _ask(config, database, wanted, RunsQuestion(wanted.dag_id, now, manual_at=at))
    if answer.error is not None or not answer.runs:
        raise DagError(
            f"The timetable of DAG {wanted.dag_id!r} does not say what a run by hand at {at.isoformat()} is about: "
            f"{answer.error or 'it gave no answer'}"
        )
    return _runs(answer)[0]


def ask_between(
    config: Config, database: Database, wanted: Wanted, first: datetime, last: datetime, now: datetime
) -> list[NextRun]:
    """Ask a timetable that is the user's own code which runs it has with logical dates from ``first`` to ``last``, both
    included, that are due at ``now``; waits for the answer.

    Raises:
        DagError: it gave no answer, within the limits that hold for reading DAG files.
    """
    answer = _ask(config, database, wanted, RunsQuestion(wanted.dag_id, now, first=first, last=last))
    if answer.error is not None:
        raise DagError(
            f"The timetable of DAG {wanted.dag_id!r} does not say which runs it has from {first.isoformat()} to "
            f"{last.isoformat()}: {answer.error}"
        )
    return _runs(answer)


def _ask(config: Config, database: Database, wanted: Wanted, question: RunsQuestion) -> RunsAnswer:
    answers = answer_from(StoredValues(database, config, os.environ))
    client = ParseClient(parse_setup(config), parse_environment(config, os.environ), 1, answers)
    bundles = BundleFolders(config)
    try:
        path, _ = newest_folder(config, database, bundles, SqlControlPlane(database, config))
        client.submit(_job((DagFolder(path, ""), *dag_folders(config)[1:]), wanted, question))
        while not (answered := client.take_answers()):
            client.wait(None)
    finally:
        client.close()
        bundles.close()
    return answered[0][1]


def _runs(answer: RunsAnswer) -> list[NextRun]:
    return [NextRun(run.run_after, run.start, DataInterval(run.start, run.end), run.run_id) for run in answer.runs]


def _job(folders: Sequence[DagFolder], wanted: Wanted, question: RunsQuestion) -> FileJob:
    path = os.path.join(folders[0].path, wanted.path)  # a name of another folder is absolute
    inside = (folder.path for folder in folders if path.startswith(f"{folder.path}{os.sep}"))
    return FileJob(wanted.path, path, next(inside, os.path.dirname(path)), wanted.source, question)
