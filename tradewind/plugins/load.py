"""Which plugins has this process? Loaded once, before its first DAG file: from the plugins folder, then from packages.

A plugin that cannot be loaded costs that plugin; its error is kept, and shown as an import error of its file.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from typing import TYPE_CHECKING, Any, Final

from tradewind.plugins.base import IGNORED, OBEYED, AirflowPlugin, is_plugin
from tradewind.plugins.entry_points import PLUGIN_GROUPS, entry_points
from tradewind.sdk import defaults

if TYPE_CHECKING:
    from types import ModuleType

SETTINGS_MODULE: Final = "airflow_local_settings"


@dataclass(frozen=True, slots=True)
class PluginSource:
    """Where a plugin comes from: ``path`` of its file, or ``package`` and its version."""

    path: str | None = None
    package: str | None = None
    folder: str | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return f"$PLUGINS_FOLDER/{os.path.relpath(self.path, self.folder)}"
        return str(self.package)


@dataclass(frozen=True, slots=True)
class Note:
    """Something that the author of a plugin should know."""

    place: str  # path of the file, or name of the package
    message: str


@dataclass(slots=True)
class Loaded:
    """What one process has loaded.

    Attributes:
        settings: the module ``airflow_local_settings``, when there is one.
        errors: path of the file, or name of the package -> what went wrong.
    """

    plugins: list[AirflowPlugin] = field(default_factory=list)
    settings: ModuleType | None = None
    errors: dict[str, BaseException] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def everything(self, attribute: str) -> list[Any]:
        """Return what all plugins have under one attribute, in the order of loading."""
        return [one for plugin in self.plugins for one in getattr(plugin, attribute, None) or ()]


_loaded: Loaded | None = None


def current() -> Loaded:
    """Return what this process has loaded; empty before :func:`ensure_loaded`."""
    return _loaded if _loaded is not None else Loaded()


def is_loaded() -> bool:
    """Return whether this process has loaded its plugins. The one that all task processes come from never does."""
    return _loaded is not None


def ensure_loaded() -> Loaded:
    """Load the plugins of this installation into this process, unless it has been done. Runs user code."""
    global _loaded
    if _loaded is not None:
        return _loaded
    _loaded = Loaded()
    folders = [defaults.current().settings_folder, defaults.current().plugins_folder]
    for folder in folders:
        if folder and folder not in sys.path and os.path.isdir(folder):
            sys.path.append(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they would be told of each DAG file; the notes are told of the plugin's
        names: set[str] = set()
        for source, classes in _found(_loaded):
            for cls in classes:
                _take(_loaded, cls, source, names)
        _load_settings(_loaded, folders)
    return _loaded


def _load_settings(loaded: Loaded, folders: Sequence[str]) -> None:
    """Import ``airflow_local_settings`` from one of our folders, or wherever the module search path has it."""
    path = next((p for folder in folders if folder and os.path.isfile(p := f"{folder}/{SETTINGS_MODULE}.py")), None)
    if path is None and importlib.util.find_spec(SETTINGS_MODULE) is None:
        return
    try:
        loaded.settings = importlib.import_module(SETTINGS_MODULE)
    except BaseException as error:  # the edge of user code
        loaded.errors[path or SETTINGS_MODULE] = error


def forget() -> None:
    """Have the plugins loaded anew when they are asked for next: for processes that show them, and tests."""
    global _loaded
    _loaded = None


def _take(loaded: Loaded, cls: type[AirflowPlugin], source: PluginSource, names: set[str]) -> None:
    place = source.path or str(source)
    if cls.name in names:
        loaded.errors.setdefault(place, ImportError(f"There is another plugin {cls.name!r}. Give one another name."))
        return
    try:
        plugin = cls()
        plugin.source = source
        plugin.on_load()
        _offer_macros(plugin)
    except Exception as error:  # the edge of user code
        loaded.errors[place] = error
        return
    names.add(str(cls.name))
    loaded.plugins.append(plugin)
    loaded.notes += _notes_of(plugin, place)


def _found(loaded: Loaded) -> Iterator[tuple[PluginSource, list[type[AirflowPlugin]]]]:
    folder = defaults.current().plugins_folder
    for path in plugin_files(folder):
        try:
            yield PluginSource(path=path, folder=folder), _classes_of(_import_file(path))
        except BaseException as error:  # the edge of user code: SystemExit is its failure too
            loaded.errors[path] = error
    for point in entry_points(PLUGIN_GROUPS):
        package = f"{point.dist.name}=={point.dist.version}: {point.name}" if point.dist else point.name
        try:
            cls = point.load()
            yield PluginSource(package=package), [cls] if is_plugin(cls) else []
        except BaseException as error:  # the same
            loaded.errors[package] = error


def plugin_files(folder: str) -> list[str]:
    """Return the Python files of a plugins folder and the folders in it, by path."""
    found = []
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        found += [os.path.join(place, name) for name in sorted(names) if _is_code(name)]
    return found


def _is_code(name: str) -> bool:
    return name.endswith(".py") and not name.startswith(".") and name != f"{SETTINGS_MODULE}.py"


def _import_file(path: str) -> ModuleType:
    """Import a file under its bare name, as Airflow does: DAG files import it by that name, too."""
    name = os.path.splitext(os.path.basename(path))[0]
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == path:
        return known
    if known is not None or name == "__init__":  # a name that is taken, perhaps by the standard library
        name = f"tradewind_plugin_{sha1(path.encode(), usedforsecurity=False).hexdigest()[:12]}"
    loader = importlib.machinery.SourceFileLoader(name, path)
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _classes_of(module: ModuleType) -> list[type[AirflowPlugin]]:
    """Return the plugins that a module defines; those that it has from another file count there."""
    own = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__]
    return [cls for cls in dict.fromkeys(own) if is_plugin(cls)]


def _notes_of(plugin: AirflowPlugin, place: str) -> list[Note]:
    return [
        Note(place, f"Plugin {plugin.name!r}: {name} has no effect: {why}. Remove it.")
        for name, why in IGNORED.items()
        if getattr(plugin, name, None)
    ]


def _offer_macros(plugin: AirflowPlugin) -> None:
    """Let templates find the plugin's macros: ``{{ macros.<plugin>.<function>() }}``."""
    if plugin.macros:
        from types import SimpleNamespace

        from tradewind.sdk import macros

        setattr(macros, str(plugin.name), SimpleNamespace(**{one.__name__: one for one in plugin.macros}))


def describe(loaded: Loaded) -> list[dict[str, Any]]:
    """Return the plugins and their parts as plain data, for people."""
    return [
        {
            "name": plugin.name,
            "source": str(plugin.source),
            "parts": {name: [_name(one) for one in found] for name in OBEYED if (found := getattr(plugin, name, None))},
            "ignored": [name for name in IGNORED if getattr(plugin, name, None)],
        }
        for plugin in loaded.plugins
    ]


def _name(one: Any) -> str:
    return getattr(one, "__qualname__", None) or getattr(one, "__name__", None) or type(one).__name__
