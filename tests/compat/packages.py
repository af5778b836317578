"""Where are provider packages for the tests? In a folder of their own beside the environment, installed once.

They must not be in the environment itself: with them there, Tradewind offers their hooks and decorators.
``python -m tests.compat.packages`` installs them ahead of the tests.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Final

REQUIREMENTS: Final = Path(__file__).with_name("providers.txt")
_MARK: Final = ".complete"


def folder() -> Path:
    """Return the folder, installed first when it is not there yet. It is to stand on the module search path."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    place = Path(sys.prefix) / f"provider-packages-{digest}"
    place.mkdir(exist_ok=True)
    with (place / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers of the tests may ask at once
        if not (place / _MARK).exists():
            _install(place)
            (place / _MARK).touch()
    return place


def _install(place: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--upgrade"]
    subprocess.run([*pip, "--target", str(place), "--requirement", str(REQUIREMENTS)], check=True)


if __name__ == "__main__":
    folder()
