"""Where is a DAG file? Its folder, and its name in it: examples are known by their path, others by their name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from scheduler.dagfiles.folders import EXAMPLES
from webui.web import web

OWN_BUNDLE: Final = "dags-folder"
EXAMPLE_BUNDLE: Final = "example_dags"


@dataclass(frozen=True, slots=True)
class Place:
    """A DAG file.

    Attributes:
        relative: its name in its folder.
        absolute: its whole path.
        bundle: what Airflow calls the folder.
    """

    relative: str
    absolute: str
    bundle: str

    @property
    def is_example(self) -> bool:
        """Whether the file came with Tradewind."""
        return self.bundle == EXAMPLE_BUNDLE


def place_of(file_path: str) -> Place:
    """Return where the file is that the metadata DB knows by ``file_path``."""
    dags_folder = web().config.core.dags_folder.absolute()
    path = dags_folder / file_path
    if path.is_relative_to(EXAMPLES) and not path.is_relative_to(dags_folder):
        return Place(str(path.relative_to(EXAMPLES)), str(path), EXAMPLE_BUNDLE)
    return Place(file_path, str(path), OWN_BUNDLE)
