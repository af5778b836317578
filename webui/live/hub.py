"""Who tells whom what has changed? One thread per process looks once a second, while anybody listens.

Its cost does not grow with the number of open pages: one statement a second, and one more for each run that has
changed and that somebody watches.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from executors.logs.reading import LogFiles
from tradewind.metadata.database import Database
from tradewind.metadata.views.changes import ChangedRun, changed_runs, find_run_pk, run_state
from tradewind.metadata.views.summaries import TaskSum, sum_tasks
from webui.live.topics import Topic
from webui.logs.files import log_name

LOOK_EVERY: Final = 0.7
LOOK_BACK: Final = timedelta(seconds=10)
"""How far back each look goes: longer than any commit takes."""
MAX_WAITING: Final = 200
"""Events that one listener may be behind; then it is told to start anew."""

log: Final = logging.getLogger("tradewind.webui.live")
Message = tuple[str, Mapping[str, Any]]
"""Event name and data."""


@dataclass(slots=True, eq=False)
class Listener:
    """One open stream."""

    topics: frozenset[Topic]
    messages: queue.Queue[Message] = field(default_factory=lambda: queue.Queue(MAX_WAITING))

    def put(self, message: Message) -> None:
        """Hand a message over; a listener that is too far behind loses them all and starts anew."""
        try:
            self.messages.put_nowait(message)
        except queue.Full:
            while not self.messages.empty():
                self.messages.get_nowait()
            self.messages.put_nowait(("reset", {}))


class Hub:
    """Looks for changes and hands them to listeners. The thread runs only while somebody listens."""

    def __init__(self, db: Database, log_files: LogFiles) -> None:
        self._db = db
        self._log_files = log_files
        self._lock = threading.Lock()
        self._listeners: set[Listener] = set()
        self._seen: dict[int, int] = {}  # run -> last number told
        self._told: dict[int, dict[str, list[Any]]] = {}  # watched run -> what was told of each task
        self._sizes: dict[Topic, int] = {}
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def listeners(self) -> int:
        """How many streams are open."""
        return len(self._listeners)

    def listen(self, topics: frozenset[Topic]) -> Listener:
        """Open a stream. What is watched is told once as it is now, so nothing between page and stream is missed."""
        listener = Listener(topics)
        first = self.first_words(topics)
        with self._lock:
            for message in first:
                listener.put(message)
            self._listeners.add(listener)
            self._wake.clear()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="live-hub", daemon=True)
                self._thread.start()
        return listener

    def leave(self, listener: Listener) -> None:
        """Close a stream."""
        with self._lock:
            self._listeners.discard(listener)

    def close(self) -> None:
        """End all streams and the thread: the server stops, and the database is about to be closed."""
        with self._lock:
            for listener in self._listeners:
                listener.put(("end", {}))
            self._listeners.clear()
            thread = self._thread
        self._wake.set()
        if thread is not None:
            thread.join(timeout=5)

    def first_words(self, topics: Iterable[Topic]) -> list[Message]:
        """Return what the watched runs and logs are at now."""
        words: list[Message] = []
        with self._db.read() as tx:
            for topic in topics:
                if topic.kind == "run":
                    run_pk = find_run_pk(tx, *topic.names)
                    if run_pk is not None:
                        words.append(_run_words(tx, topic, run_pk, [_task_words(t) for t in sum_tasks(tx, run_pk)]))
                elif topic.kind == "log":
                    words.append(("log", {"topic": str(topic), "size": self._size_of(topic)}))
        return words

    def _run(self) -> None:
        since = self._db.now()
        self._seen.clear()
        while True:
            with self._lock:
                if not self._listeners:
                    self._thread = None
                    return
                listeners = list(self._listeners)
            try:
                since = self._look(listeners, since)
            except Exception:  # the database may be away for a while: the pages wait, the thread goes on
                log.exception("The live hub could not look for changes; it tries again")
            self._wake.wait(LOOK_EVERY)

    def _look(self, listeners: list[Listener], since: datetime) -> datetime:
        watched = {topic for listener in listeners for topic in listener.topics}
        self._look_at_logs(listeners, watched)
        if not any(topic.kind != "log" for topic in watched):
            return since
        started = self._db.now()  # events carry the time of that clock
        with self._db.read() as tx:
            changed = [run for run in changed_runs(tx, since - LOOK_BACK) if self._seen.get(run.run_pk, 0) < run.seq]
            news = [(run, self._news_of(tx, run, watched)) for run in changed]
        for run, message in news:
            self._seen[run.run_pk] = run.seq
            self._tell(listeners, run, message)
        if len(self._seen) > 20_000:
            self._seen = dict(list(self._seen.items())[-5_000:])
        return started

    def _news_of(self, tx: Any, run: ChangedRun, watched: set[Topic]) -> Message | None:
        topic = Topic("run", (run.dag_id, run.run_id))
        if topic not in watched:
            self._told.pop(run.run_pk, None)
            return None
        told = self._told.setdefault(run.run_pk, {})
        news = []
        for task in sum_tasks(tx, run.run_pk):
            words = _task_words(task)
            if told.get(task.task_id) != words:
                told[task.task_id] = words
                news.append(words)
        return _run_words(tx, topic, run.run_pk, news)

    def _tell(self, listeners: list[Listener], run: ChangedRun, message: Message | None) -> None:
        run_topic, dag_topic, everything = (
            Topic("run", (run.dag_id, run.run_id)),
            Topic("dag", (run.dag_id,)),
            Topic("all"),
        )
        for listener in listeners:
            if message is not None and run_topic in listener.topics:
                listener.put(message)
            if dag_topic in listener.topics:
                listener.put(("dag", {"topic": str(dag_topic), "run": run.run_id}))
            if everything in listener.topics:
                listener.put(("all", {"topic": "all", "dag": run.dag_id}))

    def _look_at_logs(self, listeners: list[Listener], watched: set[Topic]) -> None:
        topics = {topic for topic in watched if topic.kind == "log"}
        for gone in self._sizes.keys() - topics:
            del self._sizes[gone]
        for topic in topics:
            size = self._size_of(topic)
            if self._sizes.get(topic) != size:
                self._sizes[topic] = size
                for listener in listeners:
                    if topic in listener.topics:
                        listener.put(("log", {"topic": str(topic), "size": size}))

    def _size_of(self, topic: Topic) -> int:
        dag_id, run_id, task_id, map_index, try_number = topic.names
        return self._log_files.size(log_name(dag_id, run_id, task_id, int(try_number), int(map_index)))


def _run_words(tx: Any, topic: Topic, run_pk: int, tasks: list[list[Any]]) -> Message:
    state, is_held = run_state(tx, run_pk)
    return "run", {"topic": str(topic), "state": state, "held": is_held, "tasks": tasks}


def _task_words(task: TaskSum) -> list[Any]:
    """Return what is told of a task: id, state, try, seconds since the epoch of start and end, and what else it has.

    Of a mapped task, how many of its indexes are in each state comes next (None: not mapped), then how many are held.
    """
    start = task.started_at.timestamp() if task.started_at else None
    end = task.ended_at.timestamp() if task.ended_at else None
    words = [task.task_id, task.state.value, task.try_number, start, end]
    counts = {state.value: count for state, count in task.states.items()} if task.is_mapped else None
    return [*words, counts, task.held] if task.held else [*words, counts] if counts else words
