"""What stands for ``write_python_script``? A function as a program of its own, for another Python or a container."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

_PROGRAM = """\
import {library} as _library
import sys as _sys

_given = {{"args": [], "kwargs": {{}}}}
if {takes_arguments!r}:
    with open(_sys.argv[1], "rb") as _file:
        _given = _library.load(_file)
if {takes_texts!r} and len(_sys.argv) > 3 and _sys.argv[3] != "none":
    with open(_sys.argv[3]) as _file:
        virtualenv_string_args = [_line.strip() for _line in _file]

{source}

try:
    _result = {name}(*_given["args"], **_given["kwargs"])
except Exception as _error:
    if len(_sys.argv) > 4:
        with open(_sys.argv[4], "w") as _file:
            _file.write(str(_error))
    raise
with open(_sys.argv[2], "wb") as _file:
    if _result is not None:
        _library.dump(_result, _file)
"""


def write_python_script(
    jinja_context: Mapping[str, Any], filename: str, render_template_as_native_obj: bool = False
) -> None:
    """Write a program that calls a function and leaves what it returns in a file.

    The program is called with: the file of the arguments, the file for the result, a file of texts (or ``none``), and
    a file for the words of an error.

    Args:
        jinja_context: ``python_callable`` (its name), ``python_callable_source``, ``pickling_library``, ``op_args``,
            ``op_kwargs`` and ``string_args_global``.
        filename: of the program.
        render_template_as_native_obj: of Airflow's signature; the source is taken as it is.
    """
    program = _PROGRAM.format(
        library=jinja_context.get("pickling_library", "pickle"),
        takes_arguments=bool(jinja_context.get("op_args") or jinja_context.get("op_kwargs")),
        takes_texts=bool(jinja_context.get("string_args_global", True)),
        source=jinja_context["python_callable_source"],
        name=jinja_context["python_callable"],
    )
    Path(filename).write_text(program, encoding="utf-8")


class _Serializers(Mapping[str, ModuleType]):
    """Libraries that can write Python values; each is imported when it is asked for."""

    _NAMES = ("pickle", "dill", "cloudpickle")

    def __getitem__(self, name: str) -> ModuleType:
        if name not in self._NAMES:
            raise KeyError(name)
        return import_module(name)

    def __contains__(self, name: object) -> bool:
        return name in self._NAMES

    def __iter__(self) -> Iterator[str]:
        return iter(self._NAMES)

    def __len__(self) -> int:
        return len(self._NAMES)


_SERIALIZERS = _Serializers()
"""Called so in Airflow, and imported by providers."""
