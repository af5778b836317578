"""Which pages are there? One module for each, one blueprint in each module."""

from __future__ import annotations

from flask import Blueprint

from webui.pages import (
    assets,
    backfills,
    code,
    dag_list,
    graph,
    grid,
    health,
    home,
    import_errors,
    limits,
    operate,
    replay,
    required_actions,
    run,
    runs,
    task,
    trigger,
    unpause,
)


def all_pages() -> list[Blueprint]:
    """Return the blueprints of all pages."""
    modules = (
        home,
        dag_list,
        grid,
        graph,
        runs,
        run,
        task,
        code,
        trigger,
        unpause,
        operate,
        replay,
        backfills,
        limits,
        assets,
        import_errors,
        required_actions,
        health,
    )
    return [module.pages for module in modules]
