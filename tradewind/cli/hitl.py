"""What can be asked of ``tradewind hitl``?"""

from __future__ import annotations

from typing import Final

import click

from tradewind.terminal.groups import Command, Group
from tradewind.terminal.options import MAP_INDEX, OUTPUT, JsonObject, argument, option

HITL: Final = Group(
    "Answer what tasks ask.",
    {
        "list": Command(
            "scheduler.commands.hitl:list_questions",
            "List the questions that wait for an answer.",
            option("-d", "--dag-id", help="Only those of this DAG."),
            option("--all", "every", is_flag=True, help="Those that were answered or closed as well."),
            option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many at most."),
            OUTPUT,
        ),
        "show": Command(
            "scheduler.commands.hitl:show",
            "Show the question of a task, and its answer.",
            argument("dag_id"),
            argument("logical_date_or_run_id"),
            argument("task_id"),
            MAP_INDEX,
            OUTPUT,
        ),
        "respond": Command(
            "scheduler.commands.hitl:respond",
            "Answer the question of a task.",
            argument("dag_id"),
            argument("logical_date_or_run_id"),
            argument("task_id"),
            argument("options", nargs=-1, required=True),
            option("-p", "--params", type=JsonObject(), help="What the fields say, as a JSON object."),
            MAP_INDEX,
            detail="Whoever may use the command line on the metadata DB may answer; it is noted who did.",
        ),
    },
)
