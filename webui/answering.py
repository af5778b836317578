"""Who may answer what a task asks, and how is it done? For the pages and the REST API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from tradewind.metadata.questions import QuestionRow
from webui.actions import actor
from webui.auth.guard import may
from webui.web import web


def may_answer(question: QuestionRow) -> bool:
    """Return whether whoever asks may answer: an assignee, or an admin; without assignees whoever has the role op."""
    if question.assignees:
        return actor() in question.assignees or may("admin")
    return may("op")


def respond(attempt: UUID, chosen: Sequence[str], params_input: Mapping[str, Any], *, via: str) -> QuestionRow:
    """Answer a question, and return it. Errors say what is wrong with the answer."""
    from scheduler import hitl  # when first needed, as in webui.actions

    return hitl.respond(web().db, attempt, chosen=chosen, params_input=params_input, user=actor(), via=via)
