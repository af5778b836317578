"""What is wrong with a file of the plugins folder? All are loaded together, and each is told what is its own."""

from __future__ import annotations

from collections.abc import Callable

from scheduler.dagfiles.problems import describe
from scheduler.dagfiles.protocol import ParseRequest, Setup
from tradewind.model.parsed import FileError, FileWarning
from tradewind.plugins import listeners, load, policies


def is_extension(request: ParseRequest, setup: Setup) -> bool:
    """Return whether the file is one of plugins or policies, and not a DAG file."""
    folders = (setup.defaults.get("plugins_folder"), setup.defaults.get("settings_folder"))
    return request.folder in folders


def check_extension(
    request: ParseRequest, redact: Callable[[str], str]
) -> tuple[list[FileError], tuple[FileWarning, ...]]:
    """Load the extensions of the installation, and return what is wrong with this file, and what to know about it."""
    loaded = load.ensure_loaded()
    errors = [
        describe(error, request.path, request.folder, redact=redact)
        for place, error in loaded.errors.items()
        if place == request.path
    ]
    notes = [*loaded.notes, *listeners.notes(loaded), *policies.notes(loaded)]
    warnings = [
        FileWarning(request.path, 1, "IgnoredArgumentWarning", redact(note.message))
        for note in notes
        if note.place == request.path
    ]
    return errors, tuple(warnings)
