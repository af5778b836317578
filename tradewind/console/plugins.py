"""``tradewind plugins``: which plugins, listeners and policies has this installation, and what is wrong with them?

They are user code, so they are loaded in a process of their own, which tells what it found.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import click

from tradewind.config import load_config
from tradewind.errors import TradewindError
from tradewind.terminal.output import emit, talk


class PluginsNotLoaded(TradewindError):
    """The process that loads the plugins did not say what it found."""

    code = "plugins-not-loaded"


def list_plugins(output: str) -> None:
    """List the plugins, and what is wrong with them."""
    found = _ask()
    emit(found["plugins"], ("name", "source", "parts", "ignored"), output, empty="No plugins.")
    for note in found["notes"]:
        talk(f"{note['place']}: {note['message']}")
    for error in found["errors"]:
        talk(f"{error['place']} cannot be used: {error['message']}")
    if found["errors"]:
        click.get_current_context().exit(1)


def _ask() -> dict[str, Any]:
    ours, theirs = os.pipe()
    with open(ours, "rb") as answers:
        command = [sys.executable, "-c", f"from tradewind.console.plugins import main; main({theirs})"]
        child = subprocess.Popen(command, pass_fds=[theirs], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        os.close(theirs)
        text = answers.read()
        code = child.wait()
    if not text:
        raise PluginsNotLoaded(
            f"The process that loads the plugins ended with exit code {code} and said nothing. Look above for what it "
            "printed, and for a plugin that ends its process."
        )
    found: dict[str, Any] = json.loads(text)
    return found


def main(answer_fd: int, environ: Mapping[str, str] | None = None) -> None:
    """Load the plugins into this process, and write what was found to a descriptor, as JSON."""
    from tradewind import compat
    from tradewind.plugins import listeners, load, policies
    from tradewind.sdk import defaults

    compat.install()
    defaults.use(defaults.Defaults.from_config(load_config(os.environ if environ is None else environ)))
    loaded = load.ensure_loaded()
    policies.functions("task_policy")  # those of packages are found now, and what is wrong with them
    notes = [*loaded.notes, *listeners.notes(loaded), *policies.notes(loaded)]
    answer = {
        "plugins": [
            {**one, "parts": "; ".join(f"{name}: {', '.join(parts)}" for name, parts in one["parts"].items())}
            for one in load.describe(loaded)
        ],
        "notes": [{"place": note.place, "message": note.message} for note in notes],
        "errors": [
            {"place": place, "message": f"{type(error).__name__}: {error}"} for place, error in loaded.errors.items()
        ],
    }
    with open(answer_fd, "w", encoding="utf-8") as file:
        json.dump(answer, file)
