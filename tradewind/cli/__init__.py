"""What can be typed behind ``tradewind``? Every command, option and word of help, and where what it does is found.

Only declarations: what a command does is imported when it runs, so that help is instant and nothing here needs a
database. Names and options are those of Airflow 3.3 where it has the feature.
"""

from __future__ import annotations

from typing import Final

from tradewind.cli.assets import ASSETS
from tradewind.cli.backfill import BACKFILL
from tradewind.cli.celery import CELERY
from tradewind.cli.dags import DAGS
from tradewind.cli.db import DB
from tradewind.cli.hitl import HITL
from tradewind.cli.installation import COMMANDS, CONFIG
from tradewind.cli.jobs import JOBS
from tradewind.cli.settings import CONNECTIONS, POOLS, VARIABLES
from tradewind.cli.tasks import TASKS
from tradewind.cli.users import USERS
from tradewind.terminal.groups import RootGroup, Tree

TREE: Final[Tree] = {
    "dags": DAGS,
    "tasks": TASKS,
    "backfill": BACKFILL,
    "assets": ASSETS,
    "celery": CELERY,
    "db": DB,
    "variables": VARIABLES,
    "connections": CONNECTIONS,
    "pools": POOLS,
    "hitl": HITL,
    "jobs": JOBS,
    "users": USERS,
    "config": CONFIG,
    **COMMANDS,
}

main: Final = RootGroup(
    "tradewind",
    TREE,
    help="Run DAGs on schedule.\n\nStart with `tradewind standalone`. Every command explains itself with --help.",
)
