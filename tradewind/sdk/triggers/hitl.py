"""Which names of Airflow's trigger for human input are there? A question needs no trigger: see ``operators.hitl``."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, NoReturn, TypedDict

from tradewind.sdk.exceptions import NotSupportedYet
from tradewind.sdk.operators.hitl import HITLUser


class HITLTriggerEventSuccessPayload(TypedDict, total=False):
    """An answer as ``execute_complete`` gets it, and returns it."""

    chosen_options: list[str]
    params_input: dict[str, Any]
    responded_by_user: HITLUser | None
    responded_at: datetime
    timedout: bool


class HITLTriggerEventFailurePayload(TypedDict):
    """What ``execute_complete`` gets when there is no answer."""

    error: str
    error_type: Literal["timeout", "unknown", "validation"]


class HITLTrigger:
    """Refused: a question waits in the metadata DB, where its answer ends the wait."""

    def __init__(self, **_arguments: Any) -> NoReturn:
        raise NotSupportedYet(
            "HITLTrigger is not used here: a question waits without a trigger. Derive from HITLOperator, and call its "
            "execute() to ask."
        )
