"""What becomes of an answer to a question of a task? Checked, kept, audited, and told to the run, in one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from tradewind.errors import Conflict, NotFound, UsageError, did_you_mean
from tradewind.metadata import audit, questions
from tradewind.metadata.database import Database
from tradewind.metadata.questions import ANSWERED, OPEN, TIMED_OUT, QuestionRow
from tradewind.metadata.waits import WaitOver, wait_over
from tradewind.sdk.exceptions import ParamValidationError
from tradewind.sdk.params import validate
from tradewind.xcom.event_text import Said, write_event


def get_question(
    tx: Connection, run_pk: int, task_id: str, map_index: int = -1, try_number: int | None = None
) -> QuestionRow:
    """Return the newest question of a task instance, or that of one try.

    Raises:
        NotFound: it has asked nobody.
    """
    found = questions.find_question(tx, run_pk, task_id, map_index, try_number)
    if found is None:
        every = questions.list_questions(tx, questions.QuestionFilter(), order="-created_at", limit=100)
        known = [one.task_id for one in every if one.run_pk == run_pk]
        raise NotFound("Question", task_id, known, "The task asks nobody, or has not asked yet.", within="of task")
    return found


def respond(
    db: Database,
    attempt: UUID,
    *,
    chosen: Sequence[str],
    params_input: Mapping[str, Any],
    user: str,
    via: str,
) -> QuestionRow:
    """Answer a question for ``user``, and return it with the answer.

    Args:
        attempt: whose question it is.
        chosen: options.
        params_input: what the fields say, by name; those left out keep their defaults.
        via: ui, rest_api or cli, for the audit log.

    Raises:
        NotFound: there is no such question.
        Conflict: it is no longer open; says why.
        UsageError: the answer does not fit the question.
    """
    now = db.now()
    with db.write() as tx:
        found = questions.get_question(tx, attempt)
        if found is None:
            raise NotFound("Question", str(attempt))
        _refuse_closed(found, now)
        options = _checked_options(found, chosen)
        fields = _checked_fields(found, params_input)
        payload = {
            "chosen_options": options,
            "params_input": fields,
            "responded_at": now,
            "responded_by_user": {"id": user, "name": user},
            "timedout": False,
        }
        message = wait_over(found.run_pk, WaitOver(attempt, event=write_event(Said(payload), "The answer")))
        if not questions.keep_answer(tx, found, message, chosen=options, params_input=fields, by=user, now=now):
            raise Conflict(f"The question {found.subject!r} was answered by somebody else a moment ago.")
        audit.note(
            tx,
            now,
            actor=user,
            via=via,
            action="hitl.respond",
            dag_id=found.dag_id,
            run_id=found.run_id,
            task_id=found.task_id,
            detail={"map_index": found.map_index, "chosen_options": options},
        )
        answered = questions.get_question(tx, attempt)
    assert answered is not None
    return answered


def _refuse_closed(found: QuestionRow, now: datetime) -> None:
    what = f"The question {found.subject!r} of task {found.task_id!r}"
    if found.state == ANSWERED:
        raise Conflict(f"{what} has already been answered by {found.answered_by}: {', '.join(found.chosen or ())}.")
    if found.state == TIMED_OUT or (found.state == OPEN and found.due_at is not None and found.due_at <= now):
        took = f" Its defaults were taken: {', '.join(found.defaults)}." if found.defaults is not None else ""
        raise Conflict(f"{what} can no longer be answered: its time was over at {found.due_at}.{took}")
    if found.state != OPEN:
        raise Conflict(f"{what} can no longer be answered: the task does not wait any more.")


def _checked_options(found: QuestionRow, chosen: Sequence[str]) -> list[str]:
    there_are = f"There are: {', '.join(found.options)}."
    if not chosen:
        raise UsageError(f"An answer needs an option. {there_are}")
    for option in chosen:
        if option not in found.options:
            raise UsageError(f"{option!r} is none of the options.{did_you_mean(option, found.options)} {there_are}")
    if len(set(chosen)) > 1 and not found.multiple:
        raise UsageError(f"Only one option may be chosen, and {len(chosen)} were. {there_are}")
    return list(dict.fromkeys(chosen))


def _checked_fields(found: QuestionRow, given: Mapping[str, Any]) -> dict[str, Any]:
    for name in given:
        if name not in found.params:
            there_are = f"There are: {', '.join(found.params)}." if found.params else "It has none."
            raise UsageError(f"The question has no field {name!r}.{did_you_mean(name, found.params)} {there_are}")
    fields = {**questions.default_input(found.params), **given}
    for name, value in fields.items():
        try:
            validate(name, value, found.params[name].get("schema") or {})
        except ParamValidationError as error:
            raise UsageError(str(error).replace(f"Param {name!r}", f"The field {name!r}", 1)) from error
    return fields if given else {}
