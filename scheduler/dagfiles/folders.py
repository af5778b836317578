"""Where are DAG files looked for, what are they called, and what do they see of this process while imported?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from executors.runner.environment import task_environment
from scheduler.dagfiles.protocol import Setup
from tradewind.config import Config
from tradewind.config.executor_names import spellings
from tradewind.plugins.load import SETTINGS_MODULE
from tradewind.sdk.defaults import Defaults

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "dags"
"""The example DAGs that come with Tradewind."""


@dataclass(frozen=True, slots=True)
class DagFolder:
    """A folder of DAG files.

    Attributes:
        path: absolute.
        prefix: what stands before the relative name of its files in the metadata DB. Empty for the DAG folder itself;
            for another one its path, so that joined to the DAG folder the name still leads to the file.
        extends: its files are no DAG files: they are loaded before each of them, as plugins and policies are.
        only: the one file in it that counts; None: all.
    """

    path: str
    prefix: str
    extends: bool = False
    only: str | None = None


def dag_folders(config: Config) -> tuple[DagFolder, ...]:
    """Return the folders to look at: the DAG folder, and that of the examples when they are asked for."""
    own = Path(os.path.abspath(config.core.dags_folder))
    folders = [DagFolder(str(own), "")]
    inside = EXAMPLES.is_relative_to(own.resolve()) or own.resolve().is_relative_to(EXAMPLES)
    if config.core.load_examples and EXAMPLES.is_dir() and not inside:
        folders.append(DagFolder(str(EXAMPLES), f"{EXAMPLES}/"))
    return tuple(folders)


def extension_folders(config: Config) -> tuple[DagFolder, ...]:
    """Return the folders of plugins and policies that are there. They are watched like those of DAG files."""
    plugins = os.path.abspath(config.core.plugins_folder)
    settings = os.path.abspath(config.home / "config")
    found = (
        DagFolder(plugins, f"{plugins}/", extends=True),
        DagFolder(settings, f"{settings}/", extends=True, only=f"{SETTINGS_MODULE}.py"),
    )
    return tuple(folder for folder in found if os.path.isdir(folder.path))


def parse_setup(config: Config) -> Setup:
    """Return what holds for every parse."""
    kill_seconds = max(config.dag_processor.dag_file_processor_timeout, config.core.dagbag_import_timeout)
    return Setup(
        defaults=asdict(Defaults.from_config(config)),
        import_seconds=config.core.dagbag_import_timeout,
        kill_seconds=kill_seconds,
        memory_limit_mb=config.dag_processor.parse_memory_limit_mb,
        hide_sensitive=config.core.hide_sensitive_var_conn_fields,
        sensitive_names=tuple(config.core.sensitive_var_conn_names),
        executors=spellings(config.core.executor),
    )


def parse_environment(config: Config, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of DAG files while they are imported: that of this process without its secrets."""
    return task_environment(environ, config.database.sql_alchemy_conn, f"parse-{os.getpid()}")
