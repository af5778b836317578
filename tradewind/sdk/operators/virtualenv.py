"""How is a function called with packages of its own? In an environment that is built for it, and kept if asked to."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradewind.sdk import arguments
from tradewind.sdk.environments import Recipe, kept_environment, passing_environment
from tradewind.sdk.exceptions import DagArgumentError
from tradewind.sdk.hooks.package_index import PackageIndexHook
from tradewind.sdk.operators.branch import BaseBranchOperator, Choice
from tradewind.sdk.operators.other_python import OtherPythonOperator
from tradewind.sdk.operators.python import PythonOperator
from tradewind.sdk.variable import Variable

if TYPE_CHECKING:
    from tradewind.sdk.context import Context

CACHE_KEY: str = "python_virtualenv_operator_cache_key"
"""The variable whose change makes all kept environments be built anew."""


class PythonVirtualenvOperator(OtherPythonOperator):
    """Calls ``python_callable`` in an environment with ``requirements``; see :class:`OtherPythonOperator`.

    Args:
        requirements: a list as pip takes it, or the path of a template file that ends in ``.txt``.
        python_version: e.g. ``"3.12"``; the Python of the task by default.
        system_site_packages: the packages of the task are there as well.
        pip_install_options: further options of ``pip install``.
        index_urls, index_urls_from_connection_ids: where packages come from, the main one first.
        venv_cache_path: folder in which environments are kept; without it each try builds its own and removes it.
    """

    template_fields: Sequence[str] = (
        "requirements", "index_urls", "index_urls_from_connection_ids", "venv_cache_path",
        *PythonOperator.template_fields,
    )  # fmt: skip
    template_ext: Sequence[str] = (".txt",)

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        requirements: Iterable[str] | str | None = None,
        python_version: str | None = None,
        system_site_packages: bool = True,
        pip_install_options: list[str] | None = None,
        index_urls: Collection[str] | str | None = None,
        index_urls_from_connection_ids: Collection[str] | str | None = None,
        venv_cache_path: str | os.PathLike[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(python_callable=python_callable, **kwargs)
        if python_version is not None and not isinstance(python_version, str):
            raise arguments.wrong(self.who, "python_version", python_version, "a text such as '3.12'")
        if python_version and python_version.split(".")[0] != str(sys.version_info.major):
            raise DagArgumentError(
                f"{self.who}: python_version {python_version!r} is of another major version than the task's "
                f"{sys.version_info.major}, with which no values can be exchanged. Use BashOperator for it."
            )
        self.requirements: Any = _listed(requirements) or []
        self.python_version = python_version
        self.system_site_packages = system_site_packages
        self.pip_install_options = pip_install_options
        self.index_urls: Any = _listed(index_urls)
        self.index_urls_from_connection_ids: Any = _listed(index_urls_from_connection_ids)
        self.venv_cache_path: Any = None if venv_cache_path is None else os.fspath(venv_cache_path)

    def call_with_python(self, call: Callable[[Path], Any]) -> Any:
        """Build the environment, or take the one that is kept."""
        recipe = self._recipe()
        if self.venv_cache_path:
            return call(kept_environment(recipe, Path(self.venv_cache_path), self.run))
        with passing_environment(recipe, self.run) as python:
            return call(python)

    def has_pendulum(self) -> bool:
        """Return whether pendulum is among the packages."""
        return self.system_site_packages or any(
            re.match(r"(pendulum|apache-airflow|tradewind)\b", line) for line in self._requirement_lines()
        )

    def _recipe(self) -> Recipe:
        lines = self._requirement_lines()
        if self.serializer != "pickle" and not self.system_site_packages and self.serializer not in lines:
            lines.append(self.serializer)
        conn_ids = self.index_urls_from_connection_ids or ()
        urls = [*(self.index_urls or ()), *(PackageIndexHook(conn_id).get_connection_url() for conn_id in conn_ids)]
        is_told = self.index_urls is not None or bool(conn_ids)
        return Recipe(
            requirements=tuple(sorted(lines)),
            python_version=self.python_version,
            system_site_packages=self.system_site_packages,
            pip_install_options=tuple(self.pip_install_options or ()),
            index_urls=tuple(urls) if is_told else None,
            key=str(Variable.get(CACHE_KEY, default="")) if self.venv_cache_path else "",
        )

    def _requirement_lines(self) -> list[str]:
        given = [self.requirements] if isinstance(self.requirements, str) else self.requirements
        lines = (line.strip() for text in given for line in str(text).splitlines())
        return [line for line in lines if line and not line.startswith("#")]


def _listed(value: Iterable[str] | str | None) -> list[str] | str | None:
    """Return texts as a list. A single one stays a text: a template, or the path of a file with them."""
    if value is None or isinstance(value, str):
        return [value] if isinstance(value, str) else None
    return list(value)


class BranchPythonVirtualenvOperator(BaseBranchOperator, PythonVirtualenvOperator):
    """Calls ``python_callable`` as :class:`PythonVirtualenvOperator` does; it returns the ids of what to follow."""

    def choose_branch(self, context: Context) -> Choice:
        """Return what the function returns."""
        choice: Choice = PythonVirtualenvOperator.execute(self, context)
        return choice
