"""How does a DAG file get into a process? For keeping: imported once, then checked whether forking it is safe."""

from __future__ import annotations

import gc
import os
import sys
import sysconfig
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Final, NoReturn

from executors.bundles.holding import hold
from executors.runner import linux
from executors.runner.protocol import FileStamp, Load
from tradewind import compat
from tradewind.errors import DagError, did_you_mean
from tradewind.sdk import defaults, reach
from tradewind.sdk.loader import load_dag_file

if TYPE_CHECKING:
    from tradewind.sdk.dag import DAG


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """One imported DAG file."""

    path: str
    dags: Mapping[str, DAG]

    def dag(self, dag_id: str) -> DAG:
        """Return a DAG of the file.

        Raises:
            DagError: the file does not define it here, although it did when it was parsed.
        """
        try:
            return self.dags[dag_id]
        except KeyError:
            raise DagError(
                f"{self.path} did not define DAG {dag_id!r} when its task was to run, although it did when it was "
                f"parsed.{did_you_mean(dag_id, self.dags)} A DAG file must define the same DAGs each time it is "
                "imported: look for what depends on time, on the environment or on another system."
            ) from None


def load(path: str, source: bytes, dags_folder: str) -> LoadedFile:
    """Import a DAG file into this process. Whatever its import raises is raised.

    Args:
        path: absolute.
        source: what the file said when the run was made; the file may say something else by now.
    """
    compat.install()
    return LoadedFile(path, {dag.dag_id: dag for dag in load_dag_file(path, source, dags_folder)})


@dataclass(frozen=True, slots=True)
class Kept:
    """What came of importing a DAG file for keeping: the file, or why it cannot be kept."""

    file: LoadedFile | None
    unfit: str | None = None
    imported: tuple[FileStamp, ...] = ()


def load_for_keeping(command: Load) -> Kept:
    """Import a DAG file into a process that will be forked for each of its tasks.

    Returns:
        The file; or why it cannot be kept, in which case this process must end: what a failed import leaves behind,
        and threads, which a fork would cut off in the middle of anything, are not to be inherited.
    """
    hold(command.lock_path)
    newest, nobody = next(reversed(sys.modules)), _Nobody()
    try:
        with reach.reading_from(nobody):
            loaded = load(command.path, command.source, command.dags_folder)
    except BaseException as error:
        return Kept(None, nobody.why or f"its import failed: {type(error).__name__}: {error}")
    if nobody.why is not None:  # and the file has caught the refusal
        return Kept(None, nobody.why)
    if threading.active_count() > 1:
        names = ", ".join(thread.name for thread in threading.enumerate() if thread is not threading.main_thread())
        return Kept(None, f"its import started threads: {names}")
    if linux.thread_count() > 1 and not _native_threads_stop_for_a_fork():
        return Kept(None, "its import started native threads")
    # From the end: to look at each name would touch the memory of all of them, which costs more than a small file does.
    imported = (*_stamps(list(takewhile(lambda name: name != newest, reversed(sys.modules)))), *_folder_stamps())
    settle()
    return Kept(loaded, imported=imported)


class _AskedForValue(BaseException):
    """Ends the import. Not an Exception, so that no default of the file's own takes the place of the value."""


class _Nobody:
    """A :class:`tradewind.sdk.reach.Source` that notes that it was asked.

    What a file is told holds for one task only: it may be secret, or another at the next task. So such a file is
    imported by each of its tasks, with the channel of the task.
    """

    why: str | None = None

    def get_variable(self, key: str) -> NoReturn:
        """Refuse."""
        self._refuse(f"variable {key!r}")

    def get_connection(self, conn_id: str) -> NoReturn:
        """Refuse."""
        self._refuse(f"connection {conn_id!r}")

    def mask_secret(self, value: str) -> None:
        """Nothing is told, so nothing is secret."""

    def _refuse(self, what: str) -> NoReturn:
        self.why = f"its import asks for {what}"
        raise _AskedForValue(self.why)


def settle() -> None:
    """Make this process cheap to fork: what is there now is never looked at by the garbage collector again.

    The collector stays off until a task process turns it on: a collection here would only touch pages, and each page
    touched after a fork is copied.
    """
    gc.collect()
    gc.disable()
    gc.freeze()


def _stamps(names: Iterable[str]) -> Iterator[FileStamp]:
    """Yield the files of those modules that the user may change: neither installed ones nor the standard library's."""
    for name in names:
        path = getattr(sys.modules.get(name), "__file__", None)
        if isinstance(path, str) and not path.startswith(_INSTALLED):
            try:
                seen = os.stat(path)
            except OSError:  # in a zip file, or gone already
                continue
            yield FileStamp(path, seen.st_mtime_ns, seen.st_size)


def _folder_stamps() -> Iterator[FileStamp]:
    """Yield the folders of plugins: a file that is put there, or taken away, changes what a fresh import would give."""
    chosen = defaults.current()
    for folder in (chosen.settings_folder, chosen.plugins_folder):
        try:
            seen = os.stat(folder)
        except OSError:  # there is none
            continue
        yield FileStamp(folder, seen.st_mtime_ns, seen.st_size)


_INSTALLED: Final = tuple(
    {path + os.sep for path in map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib")) if path}
)


def _native_threads_stop_for_a_fork() -> bool:
    """Fork once, and see whether the libraries that started threads stop them for it, as OpenBLAS does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return linux.thread_count() == 1
