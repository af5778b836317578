"""Where does a task get a Python environment with its own packages? Built with venv or uv, and kept for the next time.

An environment is kept under a hash of all that it was built from. Its folder is there only when it is complete: it is
built beside its place, under a lock that other processes wait for, and then moved there.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tradewind.sdk.exceptions import AirflowException

log = logging.getLogger(__name__)

Run = Callable[[Sequence[str], Mapping[str, str]], int]
"""Runs a command with an environment to its end, its output going to the log; returns its exit code."""

_MARK: Final = "tradewind-environment.json"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an environment is built from.

    Attributes:
        requirements: lines as pip takes them, sorted.
        python_version: e.g. ``"3.12"``; None: the Python of the task.
        index_urls: where packages come from, the main one first; None: as pip is configured. May hold passwords.
        key: anything else that makes it another environment.
    """

    requirements: tuple[str, ...] = ()
    python_version: str | None = None
    system_site_packages: bool = True
    pip_install_options: tuple[str, ...] = ()
    index_urls: tuple[str, ...] | None = None
    key: str = ""

    @property
    def digest(self) -> str:
        """What tells it from others: 16 hex digits, over the interpreter too."""
        parts = [
            self.requirements, self.python_version or [sys.executable, sys.version], self.system_site_packages,
            self.pip_install_options, self.index_urls, self.key,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def kept_environment(recipe: Recipe, cache: Path, run: Run) -> Path:
    """Return the interpreter of an environment, which is built when it is not in the folder ``cache``.

    Raises:
        AirflowException: it cannot be built; what was begun is removed.
    """
    place = cache / f"venv-{recipe.digest}"
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / f"venv-{recipe.digest}.lock"):
        if (place / _MARK).exists():
            log.info("Using the environment in %s", place)
            return place / "bin" / "python"
        shutil.rmtree(place, ignore_errors=True)
        try:
            # Scripts in an environment name its place, so it is built where it stays; the mark says that it is whole.
            build(recipe, place, run)
            (place / _MARK).write_text(json.dumps({"requirements": recipe.requirements, "digest": recipe.digest}))
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
    log.info("Keeping the environment in %s", place)
    return place / "bin" / "python"


@contextmanager
def passing_environment(recipe: Recipe, run: Run) -> Iterator[Path]:
    """Build an environment for the block, and give its interpreter.

    Raises:
        AirflowException: it cannot be built.
    """
    with tempfile.TemporaryDirectory(prefix="tradewind-venv-") as folder:
        build(recipe, Path(folder), run)
        yield Path(folder, "bin", "python")


def build(recipe: Recipe, place: Path, run: Run) -> None:
    """Build an environment in a folder.

    Raises:
        AirflowException: there is no such Python, or a package cannot be installed.
    """
    uv = shutil.which("uv")
    env = {**os.environ, **_index_variables(recipe.index_urls)}
    base = f"python{recipe.python_version}" if recipe.python_version else sys.executable
    if recipe.python_version and uv is None and shutil.which(base) is None:
        raise AirflowException(
            f"There is no {base} on the PATH, and uv, which could fetch it, is not installed. Install one of them, or "
            "leave out python_version."
        )
    make = [uv, "venv", "--seed", "--python", base] if uv else [base, "-m", "venv", "--clear"]
    if not uv and not recipe.requirements:
        make.append("--without-pip")  # which takes most of the time
    if recipe.system_site_packages:
        make.append("--system-site-packages")
    if run([*make, str(place)], env):
        raise AirflowException(f"No environment could be made with {base}. The output of venv is in the log above.")
    if recipe.system_site_packages:
        _share_packages(place)
    if not recipe.requirements:
        return
    listed = place / "requirements.txt"
    listed.write_text("\n".join(recipe.requirements) + "\n")
    python = str(place / "bin" / "python")
    install = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    if not uv:
        install += ["--disable-pip-version-check", "--no-input"]
    if run([*install, *recipe.pip_install_options, "-r", str(listed)], env):
        raise AirflowException(
            f"The packages could not be installed: {', '.join(recipe.requirements)}. The output of "
            f"{'uv' if uv else 'pip'} is in the log above."
        )


def _share_packages(place: Path) -> None:
    """Let packages be seen that stand in an environment of the task's own: venv shares only those of the base."""
    if sys.prefix == sys.base_prefix:
        return
    own = [path for path in sys.path if path.startswith(sys.prefix) and Path(path).name == "site-packages"]
    for folder in place.glob("lib/python*/site-packages"):
        if folder.parent.name == f"python{sys.version_info.major}.{sys.version_info.minor}":
            lines = [f"import site; site.addsitedir({path!r})" for path in own]  # with the .pth files in there
            (folder / "tradewind_shared.pth").write_text("\n".join(lines) + "\n")


def _index_variables(urls: Sequence[str] | None) -> dict[str, str]:
    """Return how pip and uv are told of package indexes: by variables, so that passwords stand in no command line."""
    if urls is None:
        return {}
    if not urls:
        return {"PIP_NO_INDEX": "1", "UV_NO_INDEX": "1"}
    first, *others = urls
    found = {"PIP_INDEX_URL": first, "UV_DEFAULT_INDEX": first}
    if others:
        found |= {"PIP_EXTRA_INDEX_URL": " ".join(others), "UV_INDEX": " ".join(others)}
    return found


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # ends with the process, whatever becomes of it
        yield
