"""Who answers ``import airflow``? A finder on the meta path, asked only when Apache Airflow itself is not installed."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import warnings
from collections.abc import Collection, Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from opcode import opmap
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from tradewind.compat.names import Name, gone_hint, is_package, module_names, names_of
from tradewind.compat.providers import provider_folders

ROOT = "airflow"
PROVIDERS = "airflow.providers."
OURS = "airflow.providers.standard"
_FEW = 30
"""As many names are listed in full when one is not found."""


def install() -> bool:
    """Let ``import airflow`` and its submodules resolve to Tradewind from now on, in this process.

    Returns:
        False when Apache Airflow is installed: then nothing changes, and files get the real one. Calling it again does
        nothing.
    """
    if any(isinstance(finder, AirflowFinder) for finder in sys.meta_path):
        return True
    if _apache_airflow_is_there():
        return False
    # First, since a folder called "airflow" on the path (a home folder, say) would be taken for a package otherwise.
    sys.meta_path.insert(0, AirflowFinder())
    return True


def uninstall() -> None:
    """Undo :func:`install`, and forget the modules that it made."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, AirflowFinder)]
    for name in [n for n, module in sys.modules.items() if isinstance(module, AirflowModule)]:
        del sys.modules[name]


def _apache_airflow_is_there() -> bool:
    if isinstance(sys.modules.get(ROOT), ModuleType):
        return True
    try:
        spec = importlib.util.find_spec(ROOT)
    except (ImportError, ValueError):
        return False
    # A folder called "airflow" without code in it (a home folder, say) is a namespace package and not Airflow.
    return spec is not None and spec.origin is not None


class AirflowModule(ModuleType):
    """One module of the ``airflow`` tree; its names are looked up in the table when they are first used."""

    def __getattr__(self, attribute: str) -> Any:
        known = names_of(self.__name__)
        found = known.get(attribute)
        if found is None:
            if attribute.startswith("__"):
                raise AttributeError(attribute)
            if is_package(f"{self.__name__}.{attribute}") is not None:
                return import_module(f"{self.__name__}.{attribute}")
            message = _unknown(self.__name__, attribute, known)
            raise ImportError(message) if _is_from_import(sys._getframe(1)) else AttributeError(message)
        value = _load(self.__name__, attribute, found)
        setattr(self, attribute, value)
        return value

    def __dir__(self) -> list[str]:
        return sorted({*vars(self), *names_of(self.__name__)})


def _is_from_import(frame: FrameType) -> bool:
    """Whether ``frame`` stands at ``from x import y``: Python would replace the words of an AttributeError there."""
    return frame.f_code.co_code[frame.f_lasti] == opmap["IMPORT_FROM"]


def _load(module: str, attribute: str, found: Name) -> Any:
    if found.new_form:
        warnings.warn(
            f"{module}.{attribute} is gone since Airflow 3; write {found.new_form} instead",
            DeprecationWarning,
            stacklevel=3,
        )
    target = import_module(found.module)
    return getattr(target, found.attribute) if found.attribute else target


def _near(name: str, known: Collection[str], likeness: float) -> str:
    """Ask for a slip of the finger only: the names of Airflow are alike, and a wrong guess is worse than none."""
    near = get_close_matches(name, known, n=1, cutoff=likeness)
    return f" Did you mean {near[0]!r}?" if near else ""


def _unknown(module: str, attribute: str, known: Collection[str]) -> str:
    shown = f" It has {', '.join(sorted(known)) or 'none'}." if len(known) <= _FEW else ""
    return (
        f"{module} has no name {attribute!r} in Tradewind.{_near(attribute, known, 0.75)}"
        f"{gone_hint(f'{module}.{attribute}')}{shown}"
    )


class AirflowFinder(MetaPathFinder, Loader):
    """Finds the modules of the table; answers for others with an error that says what to do."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return a spec for a module of the ``airflow`` tree, None for anything else."""
        if fullname != ROOT and not fullname.startswith(f"{ROOT}."):
            return None
        installed = self._installed(fullname)
        if installed is not None:
            return installed
        package = is_package(fullname)
        if package is None:
            parent, _, name = fullname.rpartition(".")
            if name in names_of(parent):
                return None  # ``import airflow.sdk.DAG``: Python's own message fits
            hint = f"{_near(fullname, module_names(), 0.85)}{gone_hint(fullname)}" or " Remove the import."
            raise ModuleNotFoundError(f"{fullname} does not exist in Tradewind.{hint}", name=fullname)
        return importlib.machinery.ModuleSpec(fullname, self, origin="tradewind.compat", is_package=package)

    def _installed(self, fullname: str) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of a module of an installed provider package. The operators of ``standard`` are our own."""
        if not fullname.startswith(PROVIDERS) or fullname.startswith(OURS):
            return None
        parent = fullname.rpartition(".")[0]
        above = sys.modules.get(parent)
        if parent == PROVIDERS[:-1]:
            folders = provider_folders()
        else:
            folders = list(getattr(above, "__path__", None) or ())
            if isinstance(above, AirflowModule):  # ours, with modules of installed packages below it
                folders = [str(Path(entry, *parent.split(".")[2:])) for entry in provider_folders()]
        return importlib.machinery.PathFinder.find_spec(fullname, folders) if folders else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Return an empty module of our own kind."""
        return AirflowModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run: names come on demand."""
        module.__doc__ = f"{module.__name__}, as Tradewind offers it."
        module.__dict__["__all__"] = sorted(
            name for name, found in names_of(module.__name__).items() if not found.new_form
        )
