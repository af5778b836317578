"""What is a plugin? A subclass of ``AirflowPlugin`` whose attributes say what it adds."""

from __future__ import annotations

from typing import Any, ClassVar, Final


class AirflowPluginException(Exception):
    """A plugin that cannot be used."""


class AirflowPlugin:
    """Base of plugins. Attributes are Airflow's; the file of a plugin is warned about those that mean nothing here.

    Attributes:
        name: what it is called; unique. Macros are found under it.
        macros: functions for templates, ``{{ macros.<name>.<function>(...) }}``.
        timetables, priority_weight_strategies, deadline_references: classes for DAG files. They are found by their
            import path as well; naming them here changes nothing but what is listed.
        listeners: modules or objects with functions marked by ``hookimpl``.
        global_operator_extra_links, operator_extra_links: links for tasks.
    """

    name: str | None = None
    source: Any = None
    macros: ClassVar[list[Any]] = []
    timetables: ClassVar[list[Any]] = []
    partition_mappers: ClassVar[list[Any]] = []
    windows: ClassVar[list[Any]] = []
    deadline_references: ClassVar[list[Any]] = []
    priority_weight_strategies: ClassVar[list[Any]] = []
    listeners: ClassVar[list[Any]] = []
    hook_lineage_readers: ClassVar[list[Any]] = []
    global_operator_extra_links: ClassVar[list[Any]] = []
    operator_extra_links: ClassVar[list[Any]] = []
    admin_views: ClassVar[list[Any]] = []
    flask_blueprints: ClassVar[list[Any]] = []
    fastapi_apps: ClassVar[list[Any]] = []
    fastapi_root_middlewares: ClassVar[list[Any]] = []
    external_views: ClassVar[list[Any]] = []
    react_apps: ClassVar[list[Any]] = []
    menu_links: ClassVar[list[Any]] = []
    appbuilder_views: ClassVar[list[Any]] = []
    appbuilder_menu_items: ClassVar[list[Any]] = []

    @classmethod
    def validate(cls) -> None:
        """Raise when the plugin cannot be used.

        Raises:
            AirflowPluginException: it has no name.
        """
        if not cls.name:
            raise AirflowPluginException(f"Plugin {cls.__name__} has no name. Give it one: name = '...'.")

    @classmethod
    def on_load(cls, *args: Any, **kwargs: Any) -> None:
        """Called once in each process that loads the plugin."""


OBEYED: Final = (
    "macros", "listeners", "timetables", "priority_weight_strategies", "deadline_references", "partition_mappers",
    "windows", "global_operator_extra_links", "operator_extra_links",
)  # fmt: skip
"""Attributes that mean something."""

_PAGES: Final = "the web server runs no code of others, so that no plugin can break or watch it"
IGNORED: Final = {
    **dict.fromkeys(
        (
            "admin_views", "flask_blueprints", "fastapi_apps", "fastapi_root_middlewares", "external_views",
            "react_apps", "menu_links", "appbuilder_views", "appbuilder_menu_items",
        ),
        _PAGES,
    ),
    "hook_lineage_readers": "hooks collect no lineage",
}  # fmt: skip
"""Attributes that mean nothing here, and why."""


def is_plugin(found: object) -> bool:
    """Return whether ``found`` is a plugin class of somebody's own.

    Raises:
        AirflowPluginException: it is, and cannot be used.
    """
    if not (isinstance(found, type) and issubclass(found, AirflowPlugin) and found is not AirflowPlugin):
        return False
    found.validate()
    return True
