"""Who answers a DAG file that asks for variables and connections while it is imported? The manager of DAG files."""

from __future__ import annotations

import logging
from collections.abc import Callable

from executors.stored_values import StoredValues
from scheduler.dagfiles.protocol import Answer, Question
from tradewind.errors import TradewindError
from tradewind.sdk.exceptions import AirflowException

log = logging.getLogger(__name__)

AnswerQuestion = Callable[[Question], Answer]


def answer_from(values: StoredValues) -> AnswerQuestion:
    """Return what answers questions with ``values``. It reads only, and never raises."""

    def answer(question: Question) -> Answer:
        try:
            if question.kind == "variable":
                return Answer(question.job, question.number, question.name, values.get_variable(question.name))
            found = values.get_connection(question.name)
            return Answer(question.job, question.number, question.name, connection=found)
        except (TradewindError, AirflowException) as error:
            return _refusal(question, str(error))
        except Exception as error:  # one file's question must not cost the others: it is told, and logged here
            log.exception("dagfiles.not_answered: %s %r", question.kind, question.name)
            return _refusal(question, f"the metadata DB could not be asked ({type(error).__name__})")

    return answer


def nobody_answers(question: Question) -> Answer:
    """Refuse: there is no metadata DB at hand."""
    return _refusal(question, "there is no metadata DB at hand")


def _refusal(question: Question, why: str) -> Answer:
    return Answer(question.job, question.number, question.name, refused=why)
