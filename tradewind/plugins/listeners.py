"""Who listens to what happens? The ``listeners`` of plugins, called in task processes.

What happens to a task is told in the process that runs it. What happens to a run is told in a process of its own, since
neither the scheduler nor the web server runs user code. A listener that fails is logged and changes nothing.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from tradewind.plugins import hooks, load
from tradewind.sdk.traceback_text import user_traceback

log: Final = logging.getLogger("airflow.listeners")

RUN_HOOKS: Final = ("on_dag_run_failed", "on_dag_run_running", "on_dag_run_success")
TASK_HOOKS: Final = (
    "before_stopping", "on_starting", "on_task_instance_failed", "on_task_instance_running",
    "on_task_instance_skipped", "on_task_instance_success",
)  # fmt: skip
ASSET_HOOKS: Final = ("on_asset_changed", "on_asset_event_emitted")
UNHEARD: Final = {
    "on_asset_created": "assets are made known by the scheduler, which runs no user code",
    "on_asset_alias_created": "aliases are made known by the scheduler, which runs no user code",
    "on_new_dag_import_error": "import errors are kept by the scheduler, which runs no user code",
    "on_existing_dag_import_error": "import errors are kept by the scheduler, which runs no user code",
}
"""Hooks of Airflow that are not called, and why."""


def all_listeners() -> list[Any]:
    """Return the listeners of all plugins that this process has loaded."""
    return load.current().everything("listeners")


def wanted(names: tuple[str, ...] = RUN_HOOKS) -> tuple[str, ...]:
    """Return those of the hooks that somebody listens to, sorted."""
    owners = all_listeners()
    heard = {name for owner in owners for name in hooks.listener.marked(owner)}
    return tuple(sorted(heard.intersection(names)))


def tell(hook: str, **given: Any) -> list[BaseException]:
    """Call all listeners of a hook, and return what they raised."""
    owners = all_listeners()
    if not owners:
        return []
    failures: list[BaseException] = []
    for function in hooks.listener.in_order(owners, hook):
        try:
            hooks.call_with(function, given)
        except Exception as error:
            log.error("listener %s.%s failed\n%s", function.__module__, hook, user_traceback(error))
            failures.append(error)
    return failures


def notes(loaded: load.Loaded) -> list[load.Note]:
    """Return what authors of listeners should know: hooks that are never called."""
    known = {*RUN_HOOKS, *TASK_HOOKS, *ASSET_HOOKS}
    found = []
    for plugin in loaded.plugins:
        for owner in plugin.listeners or ():
            for name in hooks.listener.marked(owner).keys() - known:
                why = UNHEARD.get(name, f"there is no such hook; known are {', '.join(sorted(known))}")
                place = getattr(plugin.source, "path", None) or str(plugin.source)
                found.append(load.Note(place, f"Plugin {plugin.name!r}: listener {name} is never called: {why}."))
    return sorted(found, key=lambda note: (note.place, note.message))
