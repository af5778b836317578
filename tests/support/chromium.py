"""Which Chromium do the browser tests drive? One that is installed; else Debian's, else the one playwright brings.

``python -m tests.support.chromium --install`` makes sure that there is one that starts. When none can be had it says
so and how to mend it; in CI (``CI`` is set) that is a failure, elsewhere the browser tests fail for themselves.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MEND: Final = "Install one as root (`apt install chromium`), or name one that you have: CHROMIUM=/path/to/chromium"


def find() -> str | None:
    """Return the path of a Chromium that starts, or None."""
    return next((path for path in _candidates() if _starts(path)), None)


def require() -> str:
    """Return the path of a Chromium that starts.

    Raises:
        RuntimeError: there is none.
    """
    path = find()
    if path is None:
        raise RuntimeError(f"There is no Chromium to drive. {MEND}")
    return path


def install() -> str | None:
    """Return the path of a Chromium that starts, installed first when there is none; None when none can be had."""
    for get in (_from_debian, _from_playwright):
        path = find()
        if path is not None:
            return path
        get()
    return find()


def _candidates() -> Iterator[str]:
    if "CHROMIUM" in os.environ:
        yield os.environ["CHROMIUM"]
        return
    yield from filter(None, map(shutil.which, NAMES))
    # Imported late: starting playwright's driver takes half a second, and most machines need it only for its path.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.executable_path


def _starts(path: str) -> bool:
    words = [path, "--headless", "--no-sandbox", "--disable-gpu", "--version"]
    try:
        return subprocess.run(words, capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _from_debian() -> None:
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", "-qq", *words], env=environment, stdout=sys.stderr)


def _from_playwright() -> None:
    with_libraries = ["--with-deps"] if os.geteuid() == 0 else []
    subprocess.run([sys.executable, "-m", "playwright", "install", *with_libraries, "chromium"], stdout=sys.stderr)


def main(arguments: list[str]) -> int:
    path = install() if "--install" in arguments else find()
    if path is not None:
        print(path)
        return 0
    print(f"There is no Chromium to drive: the browser tests cannot pass. {MEND}", file=sys.stderr)
    return 1 if os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
