"""Statements about questions to people: which are open, who may answer, what was said?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, func, select, update

from tradewind.metadata.inbox import Message, send
from tradewind.metadata.models import DagRun, Question
from tradewind.metadata.upsert import insert_missing
from tradewind.model.orders import Question as Asked
from tradewind.run.view import TaskKey

OPEN, ANSWERED, TIMED_OUT, WITHDRAWN = "open", "answered", "timed_out", "withdrawn"
ORDERS: Final = ("created_at", "subject", "responded_at", "responded_by_user_name", "dag_id", "run_id", "run_after")


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """One question, and what became of it. ``params``: name -> value (the default), description, schema."""

    attempt_id: UUID
    run_pk: int
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    subject: str
    body: str | None
    options: list[str]
    defaults: list[str] | None
    multiple: bool
    params: Mapping[str, Mapping[str, Any]]
    assignees: list[str]
    created_at: datetime
    due_at: datetime | None
    state: str
    ended_at: datetime | None
    answered_by: str | None
    chosen: list[str] | None
    params_input: Mapping[str, Any] | None

    @property
    def has_answer(self) -> bool:
        """Whether somebody answered, or the defaults did when the time was over."""
        return self.chosen is not None


@dataclass(frozen=True, slots=True)
class QuestionFilter:
    """Which questions are wanted; what is None or empty does not matter."""

    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None
    has_answer: bool | None = None
    is_open: bool | None = None
    answered_by: Sequence[str] = ()
    subject: str | None = None  # a part of it, in any case
    body: str | None = None
    dag_part: str | None = None
    task_part: str | None = None
    created: Mapping[str, datetime] = field(default_factory=dict)  # gte, gt, lte, lt


_COLUMNS = (
    Question.attempt_id, Question.run_pk, DagRun.dag_id, DagRun.run_id, Question.task_id, Question.map_index,
    Question.try_number, Question.subject, Question.body, Question.options, Question.defaults, Question.multiple,
    Question.params, Question.assignees, Question.created_at, Question.due_at, Question.state, Question.ended_at,
    Question.answered_by, Question.chosen, Question.params_input,
)  # fmt: skip


def put_question(
    tx: Connection,
    attempt_id: UUID,
    run_pk: int,
    key: TaskKey,
    try_number: int,
    asked: Asked,
    *,
    due_at: datetime | None,
    now: datetime,
) -> None:
    """Store a question that a task asks; one that is there already stays as it is."""
    row = {
        "attempt_id": attempt_id,
        "run_pk": run_pk,
        "task_id": key[0],
        "map_index": key[1],
        "try_number": try_number,
        "subject": asked.subject,
        "body": asked.body,
        "options": list(asked.options),
        "defaults": None if asked.defaults is None else list(asked.defaults),
        "multiple": asked.multiple,
        "params": dict(asked.params),
        "assignees": list(asked.assignees),
        "created_at": now,
        "due_at": due_at,
        "state": OPEN,
    }
    insert_missing(tx, Question, [row])


def close_questions(tx: Connection, attempt_ids: Sequence[UUID], now: datetime) -> None:
    """Close the open questions of these attempts: by their defaults when their time is over, else without an answer."""
    rows = tx.execute(
        select(Question.attempt_id, Question.due_at, Question.defaults, Question.params).where(
            Question.attempt_id.in_(attempt_ids), Question.state == OPEN
        )
    ).all()
    for row in rows:
        values: dict[str, Any] = {"state": WITHDRAWN, "ended_at": now}
        if row.due_at is not None and row.due_at <= now:
            values["state"] = TIMED_OUT
            if row.defaults is not None:
                values.update(chosen=row.defaults, params_input=default_input(row.params))
        tx.execute(
            update(Question).where(Question.attempt_id == row.attempt_id, Question.state == OPEN).values(**values)
        )


def default_input(params: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the fields of a question as nobody has changed them."""
    return {name: param.get("value") for name, param in params.items()}


def keep_answer(
    tx: Connection,
    found: QuestionRow,
    message: Message,
    *,
    chosen: Sequence[str],
    params_input: Mapping[str, Any],
    by: str,
    now: datetime,
) -> bool:
    """Keep an answer, and tell the run in the same transaction. False: the question is no longer open."""
    done = tx.execute(
        update(Question)
        .where(Question.attempt_id == found.attempt_id, Question.state == OPEN)
        .values(state=ANSWERED, ended_at=now, answered_by=by, chosen=list(chosen), params_input=dict(params_input))
    )
    if done.rowcount != 1:
        return False
    send(tx, [message], now)
    return True


# --- looking ---------------------------------------------------------------------------------------------------------


def get_question(tx: Connection, attempt_id: UUID) -> QuestionRow | None:
    """Return the question of an attempt, or None."""
    row = tx.execute(_query(Question.attempt_id == attempt_id)).first()
    return None if row is None else QuestionRow(*row)


def find_question(
    tx: Connection, run_pk: int, task_id: str, map_index: int, try_number: int | None = None
) -> QuestionRow | None:
    """Return the newest question of a task instance, or that of one try, or None."""
    query = _query(Question.run_pk == run_pk, Question.task_id == task_id, Question.map_index == map_index).order_by(
        Question.created_at.desc(), Question.attempt_id
    )
    if try_number is not None:
        query = query.where(Question.try_number == try_number)
    row = tx.execute(query.limit(1)).first()
    return None if row is None else QuestionRow(*row)


def list_questions(
    tx: Connection, wanted: QuestionFilter, *, order: str = "created_at", offset: int = 0, limit: int = 50
) -> list[QuestionRow]:
    """Return a part of the questions that fit.

    Args:
        order: one of :data:`ORDERS`, behind ``-`` for the other direction.
    """
    columns: Mapping[str, Any] = {
        "created_at": Question.created_at,
        "subject": Question.subject,
        "responded_at": Question.ended_at,
        "responded_by_user_name": Question.answered_by,
        "dag_id": DagRun.dag_id,
        "run_id": DagRun.run_id,
        "run_after": DagRun.run_after,
    }
    column = columns[order.removeprefix("-")]
    by = column.desc() if order.startswith("-") else column.asc()
    query = _query(*_conditions(wanted)).order_by(by, Question.attempt_id).offset(offset).limit(limit)
    return [QuestionRow(*row) for row in tx.execute(query)]


def count_questions(tx: Connection, wanted: QuestionFilter) -> int:
    """Return how many questions fit."""
    query = (
        select(func.count())
        .select_from(Question)
        .join(DagRun, DagRun.id == Question.run_pk)
        .where(*_conditions(wanted))
    )
    return int(tx.execute(query).scalar_one())


def count_open(tx: Connection) -> int:
    """Return how many questions wait for an answer. Read from an index over those alone."""
    return int(tx.execute(select(func.count()).select_from(Question).where(Question.state == OPEN)).scalar_one())


def _query(*conditions: ColumnElement[bool]) -> Select[Any]:
    return select(*_COLUMNS).join(DagRun, DagRun.id == Question.run_pk).where(*conditions)


def _conditions(wanted: QuestionFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    for column, value in (
        (DagRun.dag_id, wanted.dag_id),
        (DagRun.run_id, wanted.run_id),
        (Question.task_id, wanted.task_id),
        (Question.map_index, wanted.map_index),
    ):
        if value is not None:
            found.append(column == value)
    for text_column, part in (
        (Question.subject, wanted.subject),
        (Question.body, wanted.body),
        (DagRun.dag_id, wanted.dag_part),
        (Question.task_id, wanted.task_part),
    ):
        if part:
            found.append(func.lower(text_column).contains(part.lower(), autoescape=True))
    if wanted.has_answer is not None:
        found.append(Question.chosen.is_not(None) if wanted.has_answer else Question.chosen.is_(None))
    if wanted.is_open is not None:
        found.append(Question.state == OPEN if wanted.is_open else Question.state != OPEN)
    if wanted.answered_by:
        found.append(Question.answered_by.in_(wanted.answered_by))
    at = Question.created_at
    bounds = {"gte": at.__ge__, "gt": at.__gt__, "lte": at.__le__, "lt": at.__lt__}
    found += [bounds[sign](when) for sign, when in wanted.created.items()]
    return found
