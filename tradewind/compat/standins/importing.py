"""What stands for ``airflow.utils.module_loading`` and ``deprecation_tools``? Objects by their dotted path."""

from __future__ import annotations

import functools
import pkgutil
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any


class DeprecatedImportWarning(FutureWarning):
    """A name was imported from where it used to be."""


def import_string(dotted_path: str) -> Any:
    """Return the object that ``package.module.name`` leads to.

    Raises:
        ImportError: there is no such module, or it has no such name.
    """
    module, dot, name = dotted_path.rpartition(".")
    if not dot:
        raise ImportError(f"{dotted_path!r} names no object in a module. Write package.module.name.")
    found = import_module(module)
    try:
        return getattr(found, name)
    except AttributeError:
        raise ImportError(f"The module {module!r} has no name {name!r}.") from None


def qualname(o: Any, use_qualname: bool = False, exclude_module: bool = False) -> str:
    """Return the dotted path of a class, function or method; that of its class for any other object.

    Args:
        o: the object.
        use_qualname: name the classes and functions around it too.
        exclude_module: leave out the module.
    """
    if (
        callable(o)
        and hasattr(o, "__module__")
        and not isinstance(o, type | functools.partial)
        and hasattr(o, "__name__")
    ):
        name = o.__qualname__ if use_qualname else o.__name__
        return name if exclude_module else f"{o.__module__}.{name}"
    kind = o.func if isinstance(o, functools.partial) else o if isinstance(o, type) else type(o)
    name = kind.__qualname__ if use_qualname else kind.__name__
    module = kind.__module__
    return name if exclude_module or not module or (module == "builtins" and use_qualname) else f"{module}.{name}"


def iter_namespace(ns: ModuleType) -> Iterator[pkgutil.ModuleInfo]:
    """Give the modules directly below a package, by their full names."""
    return pkgutil.iter_modules(ns.__path__, f"{ns.__name__}.")


def is_valid_dotpath(path: str) -> bool:
    """Return whether ``path`` looks like ``package.module.name``."""
    return isinstance(path, str) and "." in path and all(part.isidentifier() for part in path.split("."))


def add_deprecated_classes(
    module_imports: Mapping[str, Mapping[str, str]],
    package: str,
    override_deprecated_classes: Mapping[str, Mapping[str, str]] | None = None,
    extra_message: str | None = None,
    message: str | None = None,
) -> None:
    """Let modules that are gone lead to where their names are now.

    Args:
        module_imports: module, name -> dotted path of what it is now. A module that has ``package`` above it is made.
        package: the package that asks.
        override_deprecated_classes: other paths to name in the warning.
        extra_message: what the warning says in addition.
        message: what the warning says instead.
    """
    for module, names in module_imports.items():
        shown = (override_deprecated_classes or {}).get(module, {})
        finder = getattr_with_deprecation(names, f"{package}.{module}", shown, extra_message or "", message)
        if module == package or module in sys.modules:
            vars(sys.modules[module])["__getattr__"] = finder
            continue
        made = ModuleType(f"{package}.{module}")
        vars(made)["__getattr__"] = finder
        sys.modules[made.__name__] = made


def getattr_with_deprecation(
    imports: Mapping[str, str],
    module: str,
    override_deprecated_classes: Mapping[str, str],
    extra_message: str,
    message: str | None = None,
) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a module that leads where ``imports`` says, with a warning."""

    def find(name: str) -> Any:
        target = imports.get(name) or imports.get("*")
        if target is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        path = target if name in imports else f"{target}.{name}"
        now = override_deprecated_classes.get(name, path)
        said = message or f"{module}.{name} is now {now}; import it from there."
        warnings.warn(f"{said}{' ' + extra_message if extra_message else ''}", DeprecatedImportWarning, stacklevel=2)
        return import_string(path)

    return find
