"""What can be asked of the installation as a whole: configuration, services, ``why``, versions, keys?"""

from __future__ import annotations

from typing import Final

import click

from tradewind.terminal.groups import Command, Group
from tradewind.terminal.options import MAP_INDEX, OUTPUT, argument, option

HOST: Final = option("-H", "--host", help="Address to listen at. [default: [api] host]")
PORT: Final = option("-p", "--port", type=click.IntRange(0, 65535), help="Port to listen at. [default: [api] port]")

CONFIG: Final = Group(
    "Look at the configuration.",
    {
        "list": Command(
            "tradewind.console.config:list_options",
            "List the options as they stand in airflow.cfg.",
            option("--section", help="Only this section."),
            option("-s", "--include-sources", is_flag=True, help="Say where each value comes from."),
            option("-d", "--include-descriptions", is_flag=True, help="Say what each option does."),
            option("-V", "--include-env-vars", is_flag=True, help="Name the environment variable of each option."),
            option(
                "-a", "--defaults", is_flag=True, help="Show defaults instead of what is configured, all commented out."
            ),
            option(
                "-c",
                "--comment-out-everything",
                is_flag=True,
                help="Comment out all options, as a start for a new file.",
            ),
            option("--show-values", is_flag=True, help="Show secrets too; they are masked otherwise."),
            option("--hide-sensitive", is_flag=True, help="Mask secrets even with --show-values."),
        ),
        "get-value": Command(
            "tradewind.console.config:get_value",
            "Print the value of one option.",
            argument("section"),
            argument("option"),
            detail="Secrets included: keys that are made on first use are made now.",
        ),
    },
)


def _web_server(is_hidden: bool = False) -> Command:
    return Command(
        "webui.commands:webserver",
        "Run the web server: UI and REST API.",
        HOST,
        PORT,
        option("-w", "--workers", type=click.IntRange(1), help="Web server processes. [default: [api] workers]"),
        option(
            "--reuse-port",
            "shares_port",
            is_flag=True,
            help="Listen where other web servers of this machine do; connections are dealt out.",
        ),
        option("--dies-with", type=int, hidden=True, help="End when the process with this id, the parent, ends."),
        detail="Any number can run against the same metadata DB. SIGTERM or Ctrl-C end it.",
        is_hidden=is_hidden,
    )


COMMANDS: Final = {
    "standalone": Command(
        "tradewind.console.standalone:standalone",
        "Run everything on this machine: scheduler, tasks, web UI.",
        HOST,
        PORT,
        detail=(
            "Creates what is missing: home folder, keys, metadata DB, a first account. Ctrl-C or SIGTERM end all of it."
        ),
    ),
    "cluster": Command(
        "tradewind.console.cluster.command:cluster",
        "Run a whole cluster on this machine, to try it.",
        HOST,
        PORT,
        option("--schedulers", type=click.IntRange(1), default=2, show_default=True, help="How many schedulers."),
        option("--workers", type=click.IntRange(1), default=2, show_default=True, help="How many Celery workers."),
        option("--triggerers", type=click.IntRange(1), default=1, show_default=True, help="How many triggerers."),
        option("--web-servers", type=click.IntRange(1), default=2, show_default=True, help="How many web servers."),
        detail=(
            "Servers that the configuration does not name, PostgreSQL and Redis, are started from wheels. Every worker "
            "takes the queue default, and each one more of its own. What ends is started again. Ctrl-C or SIGTERM end "
            "all of it."
        ),
    ),
    "scheduler": Command(
        "scheduler.commands.service:scheduler",
        "Run a scheduler, with its DAG files and local tasks.",
        detail=(
            "Any number can run against one PostgreSQL database, one against an SQLite file. SIGTERM or Ctrl-C end it."
        ),
    ),
    "triggerer": Command(
        "scheduler.commands.service:triggerer",
        "Run a triggerer: what tasks wait for without a slot.",
        option("--capacity", type=click.IntRange(1), help="Triggers it runs at most. [default: [triggerer] capacity]"),
        option("--queues", help="Only triggers of tasks in these queues, comma-separated. [default: all]"),
        option("-s", "--skip-serve-logs", is_flag=True, help="Accepted for Airflow's sake; logs are files here."),
        detail=(
            "Each scheduler runs one already; more share the triggers, and take over those of one that died. "
            "SIGTERM or Ctrl-C end it."
        ),
    ),
    "webserver": _web_server(),
    "api-server": _web_server(is_hidden=True),
    "limits": Command(
        "scheduler.commands.limits:limits",
        "Show every limit, how far it is used, and what waits for it.",
        option("--full", is_flag=True, help="Only limits that are used up, or that keep something waiting."),
        OUTPUT,
        detail=(
            "Limits of DAGs and tasks, keys and rates are shown while they are used or waited for. Those for each run "
            "show the fullest run. `tradewind why` says which limit one task waits for."
        ),
    ),
    "why": Command(
        "scheduler.commands.why:why",
        "Say why a DAG, a run or a task does not run.",
        argument("dag_id"),
        argument("logical_date_or_run_id", required=False),
        argument("task_id", required=False),
        MAP_INDEX,
        option(
            "--limit",
            type=click.IntRange(1, 10_000),
            default=200,
            show_default=True,
            help="How many sentences about tasks at most.",
        ),
        OUTPUT,
        detail=(
            "Or how it ended. Without a run it is about the newest one; without a task, about the run and every task "
            "that is not done or went wrong. Map indexes of which the same can be said are one line."
        ),
    ),
    "check": Command(
        "scheduler.commands.check:check",
        "Say what DAG files use that is not supported.",
        option(
            "--airflow",
            "paths",
            multiple=True,
            required=True,
            type=click.Path(),
            metavar="PATH",
            help="A DAG file, or a folder of them; may be repeated.",
        ),
        OUTPUT,
        detail=(
            "The files are read and not imported, so nothing in them runs. Folders are walked as the DAG folder is, "
            "with .airflowignore. Exit code 1 when there is anything."
        ),
    ),
    "info": Command(
        "tradewind.console.info:info",
        "Show versions, paths and the state of this installation.",
        option("--anonymize", is_flag=True, help="Leave out names of users, hosts and folders, to share the output."),
        OUTPUT,
    ),
    "plugins": Command(
        "tradewind.console.plugins:list_plugins",
        "List the plugins, and what is wrong with them.",
        OUTPUT,
        detail="They are loaded anew, in a process of their own. Exit code 1 when one of them cannot be used.",
    ),
    "version": Command("tradewind.console.version:version", "Print the version."),
    "rotate-fernet-key": Command(
        "tradewind.console.keys:rotate",
        "Encrypt all secrets anew with the first key of fernet_key.",
        detail=(
            "Put the new key first in [core] fernet_key, behind a comma the old one, restart, run this, then remove "
            "the old one. It can be broken off and repeated."
        ),
    ),
}
