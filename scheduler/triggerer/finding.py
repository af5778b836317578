"""Where does a trigger come from? From its class path and arguments, as the task wrote them down."""

from __future__ import annotations

import os
import sys
import threading
from importlib import import_module, invalidate_caches
from types import ModuleType
from typing import Any, Final

from executors.bundles.holding import hold
from scheduler.triggerer.protocol import Add
from tradewind.errors import did_you_mean
from tradewind.model.orders import IN_DAG_FILE
from tradewind.sdk.exceptions import AirflowException
from tradewind.sdk.triggers.base import BaseTrigger
from tradewind.xcom.serde import decode

_MEND: Final = (
    "Put the class into a module of the DAG folder or of an installed package, and let serialize() return "
    "its dotted path."
)


class Finder:
    """Makes triggers. May block while it imports what users wrote, so it is called in threads of its own."""

    def __init__(self, dags_folder: str) -> None:
        self._dags_folder = dags_folder  # the state of it in which modules are looked for now
        self._files: dict[tuple[str, bytes], ModuleType] = {}
        self._lock = threading.RLock()

    def make(self, add: Add) -> Any:
        """Return the trigger.

        Raises:
            AirflowException: there is no such class, or it is none of a trigger.
            Exception: whatever its module or its ``__init__`` raises.
        """
        with self._lock:
            self._enter(add)
            kind = self._class(add)
        if not (isinstance(kind, type) and callable(getattr(kind, "run", None))):
            raise AirflowException(f"{add.trigger} is no trigger class: it has no run(). {_MEND}")
        kwargs = {} if add.kwargs is None else decode(add.kwargs)
        trigger = kind(**kwargs)
        if not isinstance(trigger, BaseTrigger) and not hasattr(trigger, "serialize"):
            raise AirflowException(f"{add.trigger} is no trigger class: derive it from BaseTrigger.")
        return trigger

    def _enter(self, add: Add) -> None:
        """Look for modules in the DAG folder as it was when the run began. Those that came from another state of it are
        imported anew; triggers that run already go on with theirs."""
        if add.folder in ("", self._dags_folder):
            return
        hold(add.lock_path)
        before = f"{self._dags_folder}/"
        for name, module in list(sys.modules.items()):
            if any(f"{place}/".startswith(before) for place in _places(module)):
                del sys.modules[name]
        others = [path for path in sys.path if not f"{path}/".startswith(before)]
        sys.path[:] = [add.folder, *others]
        self._dags_folder = add.folder
        invalidate_caches()

    def _class(self, add: Add) -> Any:
        if add.trigger.startswith(IN_DAG_FILE):
            return _part(self._dag_file(add), add.trigger.removeprefix(IN_DAG_FILE), add.trigger)
        place, _, name = add.trigger.rpartition(".")
        if not place:
            raise AirflowException(f"{add.trigger!r} is no dotted path of a trigger class. {_MEND}")
        try:
            module = self._module(place, os.path.dirname(add.dag_path))
        except ModuleNotFoundError as error:
            raise AirflowException(
                f"The trigger class {add.trigger} cannot be found where triggers run: {error}. {_MEND}"
            ) from error
        return _part(module, name, add.trigger)

    @staticmethod
    def _module(name: str, beside: str) -> ModuleType:
        """Return a module: of the DAG folder or an installed package, else one that stands beside the DAG file."""
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            if not beside or beside in sys.path or (error.name or "").partition(".")[0] != name.partition(".")[0]:
                raise
        sys.path.append(beside)  # last: what others have found already stays what it is
        return import_module(name)

    def _dag_file(self, add: Add) -> ModuleType:
        """Return the DAG file as a module, as it was when the run was made. Each version is imported once."""
        # Late: most trigger processes never need the authoring package.
        from tradewind.sdk.loader import load_dag_file, module_name

        if add.source is None:  # a trial run: the file is imported already, by whoever tries it
            return sys.modules[module_name(add.dag_path)]
        key = add.dag_path, add.source
        with self._lock:
            if key not in self._files:
                load_dag_file(add.dag_path, add.source, self._dags_folder)
                self._files[key] = sys.modules[module_name(add.dag_path)]
            return self._files[key]


def _places(module: ModuleType) -> list[str]:
    """Return where a module came from: its file, or the folders of a package without one."""
    file = getattr(module, "__file__", None)
    return [file] if isinstance(file, str) else [str(path) for path in getattr(module, "__path__", ())]


def _part(module: ModuleType, name: str, path: str) -> Any:
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise AirflowException(
                f"The trigger class {path} cannot be found: {getattr(found, '__name__', found)} has no {part!r}."
                f"{did_you_mean(part, dir(found))} {_MEND}"
            )
        found = getattr(found, part)
    return found
