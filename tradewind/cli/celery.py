"""What can be asked of ``tradewind celery``?"""

from __future__ import annotations

from typing import Final

import click

from tradewind.terminal.groups import Command, Group
from tradewind.terminal.options import OUTPUT, YES, option

_NAME: Final = option(
    "-H", "--celery-hostname", required=True, help="Which one, as `tradewind celery list-workers` shows it."
)
_DEADLINE: Final = option(
    "--deadline",
    type=click.FloatRange(0),
    help="Seconds that its tasks may go on. [default: the worker's [celery] worker_stop_seconds]",
)

CELERY: Final = Group(
    "Run tasks on many machines, and look after the workers.",
    {
        "worker": Command(
            "executors.commands:worker",
            "Run a worker: it takes tasks of its queues.",
            option("-q", "--queues", help="Its queues, comma-separated. [default: [operators] default_queue]"),
            option(
                "-c",
                "--concurrency",
                type=click.IntRange(1),
                help="How many tasks at once. [default: [celery] worker_concurrency]",
            ),
            option("-a", "--autoscale", metavar="MAX,MIN", help="Or so many. [default: [celery] worker_autoscale]"),
            option(
                "-H",
                "--celery-hostname",
                help="Its name among the workers; %h is the name of the host. [default: celery@%h]",
            ),
            option("--executor", help="Whose tasks, when [core] executor has several for Celery."),
            option("--pid", type=click.Path(), help="Where it says its process id. [default: in the home folder]"),
            option("-s", "--skip-serve-logs", is_flag=True, help="Accepted for Airflow's sake; it serves no logs."),
            option("--without-mingle", is_flag=True, help="Accepted for Airflow's sake; it never mingles."),
            option("--without-gossip", is_flag=True, help="Accepted for Airflow's sake; it never gossips."),
            detail=(
                "Any number can run, on any machine. SIGTERM or Ctrl-C: it takes no more, lets its tasks end for "
                "[celery] worker_stop_seconds, hands back what still runs, and ends; a second time: at once."
            ),
        ),
        "list-workers": Command(
            "executors.commands:list_workers",
            "List the workers that are alive, by the metadata DB.",
            OUTPUT,
        ),
        "drain": Command(
            "executors.commands:drain",
            "Have a worker take no more tasks, and stay.",
            _NAME,
            detail="What it runs goes on to its end. `tradewind celery resume` has it take tasks again.",
        ),
        "resume": Command("executors.commands:resume", "Have a drained worker take tasks again.", _NAME),
        "shutdown-worker": Command(
            "executors.commands:shutdown_worker",
            "Have a worker end once its tasks have ended.",
            _NAME,
            _DEADLINE,
            detail="What still runs at the deadline is ended, and started again by others.",
        ),
        "shutdown-all-workers": Command(
            "executors.commands:shutdown_all_workers",
            "Have all workers end once their tasks have ended.",
            _DEADLINE,
            YES,
        ),
        "stop": Command(
            "executors.commands:stop",
            "Have the workers of this home on this machine end.",
            option("--pid", type=click.Path(), help="Only the one with this pid file."),
        ),
        "flower": Command(
            "executors.commands:flower",
            "Run Flower, Celery's own web page, when it is installed.",
            option("-H", "--hostname", default="127.0.0.1", show_default=True, help="Address to listen at."),
            option("-p", "--port", type=click.IntRange(1, 65535), default=5555, show_default=True, help="Its port."),
            option("-u", "--url-prefix", help="The path below which it is found, behind a proxy."),
            option("-A", "--basic-auth", metavar="USER:PASSWORD,...", help="Who may look."),
            option("-a", "--broker-api", help="Address of RabbitMQ's management API."),
            option("-fc", "--flower-conf", type=click.Path(), help="A configuration file of Flower."),
            detail=(
                "It shows workers and messages. What tasks do is shown by the web UI: messages hold ids of attempts "
                "only."
            ),
        ),
        "token": Command(
            "executors.commands:token",
            "Print a new token for workers over HTTPS.",
            detail="For [workers] token, at the web servers and at the workers. Nothing is stored.",
        ),
    },
)
