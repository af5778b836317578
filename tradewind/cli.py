"""What can be typed behind ``tradewind``? The whole tree of commands in one table; each is imported when it is called.

Names and options are those of Airflow 3.3 where it has the feature.
"""

from __future__ import annotations

from typing import Final

from tradewind.terminal.groups import Command, Group, RootGroup, Tree

_AUTHORING: Final = "scheduler.commands.authoring"
_DAGS: Final = "scheduler.commands.dags"
_RUNS: Final = "scheduler.commands.runs"
_TASKS: Final = "scheduler.commands.tasks"
_DB: Final = "tradewind.console.db"
_VARIABLES: Final = "tradewind.console.variables"
_CONNECTIONS: Final = "tradewind.console.connections"
_CONNECTION_FILES: Final = "tradewind.console.connection_files"
_POOLS: Final = "tradewind.console.pools"
_CONFIG: Final = "tradewind.console.config"

TREE: Final[Tree] = {
    "dags": Group(
        "List, run and pause DAGs.",
        {
            "list": Command(f"{_DAGS}:list_dags", "List the DAGs."),
            "details": Command(f"{_DAGS}:details", "Show all that is known about a DAG."),
            "show": Command("scheduler.commands.show:show", "Draw the tasks of a DAG and what waits for what."),
            "trigger": Command(f"{_RUNS}:trigger", "Start a run of a DAG."),
            "pause": Command(f"{_DAGS}:pause", "Pause DAGs: no new scheduled runs."),
            "unpause": Command(f"{_DAGS}:unpause", "Resume paused DAGs."),
            "test": Command(
                f"{_AUTHORING}:test_dag", "Run a DAG once in this process, without scheduler or metadata DB."
            ),
            "state": Command(f"{_RUNS}:state", "Print the state of a run."),
            "list-runs": Command(f"{_RUNS}:list_runs", "List the runs of a DAG, newest first."),
            "list-import-errors": Command(f"{_DAGS}:list_import_errors", "List the DAG files that cannot be imported."),
            "next-execution": Command(f"{_DAGS}:next_execution", "Print when a DAG runs next."),
            "reserialize": Command("scheduler.commands.sync:reserialize", "Read all DAG files now."),
            "delete": Command(f"{_DAGS}:delete", "Delete a DAG with its runs and history."),
        },
    ),
    "tasks": Group(
        "Look at tasks, try them out.",
        {
            "list": Command(f"{_TASKS}:list_tasks", "List the tasks of a DAG in the order in which they can run."),
            "state": Command(f"{_TASKS}:state", "Print the state of a task in a run."),
            "states-for-dag-run": Command(f"{_TASKS}:states_for_dag_run", "List the states of all tasks of a run."),
            "test": Command(f"{_AUTHORING}:test_task", "Run one task in this process, whatever it depends on."),
            "render": Command(f"{_AUTHORING}:render", "Print the template fields of a task as it would see them."),
            "failed-deps": Command("scheduler.commands.why:failed_deps", "Say what a task waits for.", is_hidden=True),
        },
    ),
    "db": Group(
        "Set up and look after the metadata DB.",
        {
            "migrate": Command(f"{_DB}:migrate_db", "Create the metadata DB, or bring it to the newest schema."),
            "check": Command(f"{_DB}:check", "Check that the metadata DB can be reached and used."),
            "check-migrations": Command(f"{_DB}:check_migrations", "Wait until the metadata DB has been migrated."),
            "verify": Command(
                "tradewind.console.verify:verify", "Fold the event log of every run and compare it with what is stored."
            ),
            "shell": Command(f"{_DB}:shell", "Open the database's own shell."),
            "reset": Command(f"{_DB}:reset_db", "Delete everything in the metadata DB and create it anew."),
            "downgrade": Command(f"{_DB}:downgrade_db", "Take the schema back to an older revision."),
        },
    ),
    "variables": Group(
        "Manage variables.",
        {
            "list": Command(f"{_VARIABLES}:list_all", "List the variables."),
            "get": Command(f"{_VARIABLES}:get", "Print the value of a variable."),
            "set": Command(f"{_VARIABLES}:set_one", "Create a variable or change its value."),
            "delete": Command(f"{_VARIABLES}:delete", "Delete a variable."),
            "import": Command(f"{_VARIABLES}:import_file", "Create variables from a JSON, YAML or .env file."),
            "export": Command(f"{_VARIABLES}:export_file", "Write all variables to a file."),
        },
    ),
    "connections": Group(
        "Manage connections to other systems.",
        {
            "list": Command(f"{_CONNECTIONS}:list_all", "List the connections."),
            "get": Command(f"{_CONNECTIONS}:get", "Show a connection, secrets included."),
            "add": Command(f"{_CONNECTIONS}:add", "Create a connection."),
            "delete": Command(f"{_CONNECTIONS}:delete", "Delete a connection."),
            "import": Command(f"{_CONNECTION_FILES}:import_file", "Create connections from a JSON, YAML or .env file."),
            "export": Command(f"{_CONNECTION_FILES}:export_file", "Write all connections to a file."),
        },
    ),
    "pools": Group(
        "Manage pools: slots that tasks share.",
        {
            "list": Command(f"{_POOLS}:list_all", "List the pools and how full they are."),
            "get": Command(f"{_POOLS}:get", "Show a pool."),
            "set": Command(f"{_POOLS}:set_one", "Create a pool or change it."),
            "delete": Command(f"{_POOLS}:delete", "Delete a pool."),
            "import": Command(f"{_POOLS}:import_file", "Create pools from a JSON file."),
            "export": Command(f"{_POOLS}:export_file", "Write all pools to a JSON file."),
        },
    ),
    "users": Group(
        "Manage who may log in to the web UI.",
        {
            "list": Command("webui.auth.commands:list_users", "List the accounts."),
            "create": Command("webui.auth.commands:create", "Create an account."),
            "reset-password": Command(
                "webui.auth.commands:reset_password", "Give an account a new password and end its logins."
            ),
            "delete": Command("webui.auth.commands:delete", "Delete an account."),
        },
    ),
    "config": Group(
        "Look at the configuration.",
        {
            "list": Command(f"{_CONFIG}:list_options", "List the options as they stand in airflow.cfg."),
            "get-value": Command(f"{_CONFIG}:get_value", "Print the value of one option."),
        },
    ),
    "standalone": Command(
        "tradewind.console.standalone:standalone", "Run everything on this machine: scheduler, tasks, web UI."
    ),
    "scheduler": Command(
        "scheduler.commands.service:scheduler", "Run a scheduler, with its DAG files and local tasks."
    ),
    "webserver": Command("webui.commands:webserver", "Run the web server: UI and REST API."),
    "api-server": Command("webui.commands:webserver", "Run the web server: UI and REST API.", is_hidden=True),
    "why": Command("scheduler.commands.why:why", "Say why a DAG, a run or a task does not run."),
    "info": Command("tradewind.console.info:info", "Show versions, paths and the state of this installation."),
    "version": Command("tradewind.console.version:version", "Print the version."),
    "rotate-fernet-key": Command(
        "tradewind.console.keys:rotate", "Encrypt all secrets anew with the first key of fernet_key."
    ),
}

main: Final = RootGroup(
    "tradewind",
    TREE,
    help="Run DAGs on schedule.\n\nStart with `tradewind standalone`. Every command explains itself with --help.",
)

if __name__ == "__main__":
    main()
