"""How does a test run two versions of Tradewind on one machine? Each from a folder and an environment of its own.

``previous.tar.xz`` is the code of the version before, as it was released, without web UI: the real one, not what
somebody remembers of it. ``python -m tests.upgrade.versions`` makes it anew from the last commit, when the next version
begins.
"""

from __future__ import annotations

import lzma
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PREVIOUS: Final = Path(__file__).with_name("previous.tar.xz")
PACKAGES: Final = ("tradewind", "scheduler", "executors", "migrations")


class Version:
    """One version: its code, and a Python that finds it and no other."""

    def __init__(self, folder: Path) -> None:
        """
        Args:
            folder: that has the code in ``code``.
        """
        self.code: Final = folder / "code"
        # Not the environment of the tests itself: it finds the code under test wherever one looks.
        venv.create(folder / "venv", symlinks=True, with_pip=False)
        self.python: Final = folder / "venv" / "bin" / "python"
        site = next((folder / "venv" / "lib").glob("python*/site-packages"))
        (site / "version.pth").write_text(f"{self.code}\n{sysconfig.get_path('purelib')}\n")

    def start(self, home: Path, database_url: str, *words: str) -> subprocess.Popen[str]:
        """Start a command of this version; what it prints goes to a file in ``home``."""
        with (home / f"{self.code.parent.name}-{'-'.join(words[:2])}.log").open("a") as log:
            return subprocess.Popen(
                [self.python, "-m", "tradewind.cli", *words],
                env=_environment(home, database_url), cwd=home, stdout=log, stderr=log, text=True,
            )  # fmt: skip

    def run(self, home: Path, database_url: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of this version to its end."""
        return subprocess.run(
            [self.python, "-m", "tradewind.cli", *words],
            env=_environment(home, database_url), cwd=home, capture_output=True, text=True, timeout=100,
        )  # fmt: skip


def _environment(home: Path, database_url: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TRADEWIND", "AIRFLOW"))}
    return clean | {
        "TRADEWIND_HOME": str(home),
        "TRADEWIND__DATABASE__SQL_ALCHEMY_CONN": database_url,
        "TRADEWIND__CORE__LOAD_EXAMPLES": "False",
        "TRADEWIND__SCHEDULER__LEASE_SECONDS": "5",
        "TRADEWIND__SCHEDULER__POLL_SECONDS": "2",
    }


def previous_version(folder: Path) -> Version:
    """Unpack the version before this one."""
    with lzma.open(PREVIOUS) as packed, tarfile.open(fileobj=packed) as archive:
        archive.extractall(folder / "code", filter="data")
    return Version(folder)


def this_version(folder: Path) -> Version:
    """Give the code under test an environment of its own."""
    (folder / "code").mkdir(parents=True)
    for name in PACKAGES:
        (folder / "code" / name).symlink_to(ROOT / name)
    (folder / "code" / "webui").symlink_to(ROOT / "webui")
    return Version(folder)


if __name__ == "__main__":
    tar = subprocess.run(
        ["git", "archive", "--format=tar", "HEAD", *PACKAGES, "pyproject.toml"], cwd=ROOT, check=True,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    PREVIOUS.write_bytes(lzma.compress(tar.stdout, preset=9 | lzma.PRESET_EXTREME))
    print(f"{PREVIOUS}: {PREVIOUS.stat().st_size} bytes", file=sys.stderr)
