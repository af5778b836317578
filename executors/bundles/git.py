"""What does a git repository hold at a commit? Asked of ``git`` itself, in a mirror on this host.

The mirror is bare and shallow: it has the commits that were asked for, without their history. Commits that it once had
stay, since runs may have begun with them that the repository has forgotten meanwhile. No code of the repository runs:
no hooks, no filters, no submodules.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from executors.bundles.holding import lock_waiting
from tradewind.config.bundle_source import GitSource
from tradewind.errors import DagError, TradewindError
from tradewind.model.bundles import BundleFile, Manifest, manifest_of

log = logging.getLogger(__name__)

FETCH_SECONDS: Final = 300.0
"""How long one command may take, the network included."""

_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_HEAD: Final = "refs/tradewind/head"
_LINK, _SUBMODULE, _EXECUTABLE = "120000", "160000", "100755"
_SAFELY: Final = ("-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "protocol.ext.allow=never")


class GitFailed(TradewindError):
    """A command of git did not do what it should; the message says which, and what git said."""


class GitForgot(DagError):
    """The repository has no such commit any more."""


class GitMirror:
    """One repository, as far as this host needs it. Processes of one host share it; any thread may call."""

    def __init__(self, source: GitSource, folder: Path) -> None:
        """
        Args:
            folder: where the mirrors of this host lie.
        """
        self._source = source
        name = hashlib.sha256(source.safe_url.encode()).hexdigest()[:16]
        self._path = folder / f"{name}.git"

    def newest(self) -> str:
        """Ask the repository for the commit of the configured ref, and have it here.

        Raises:
            GitFailed: it cannot be reached, or has no such ref.
        """
        with self._alone():
            ref = self._source.ref or "HEAD"
            self._fetch(f"+{ref}:{_HEAD}" if not _COMMIT.fullmatch(ref) else ref)
            return self._run("rev-parse", "--verify", "FETCH_HEAD^{commit}").decode().strip()

    def manifest(self, commit: str) -> Manifest:
        """Return the files of a commit, which is fetched when it is not here.

        Raises:
            GitFailed: it cannot be fetched now.
            GitForgot: nor ever.
        """
        self._need(commit)
        files = []
        for line in self._run("ls-tree", "-r", "-z", "-l", "--full-tree", commit).split(b"\0")[:-1]:
            facts, _, path = line.partition(b"\t")
            mode, _kind, digest, size = facts.decode().split()
            if mode == _SUBMODULE:
                log.warning("%s is a submodule of %s, and is left out.", os.fsdecode(path), self._source.safe_url)
                continue
            files.append(BundleFile(_text(path), digest, int(size), mode == _EXECUTABLE, mode == _LINK))
        return manifest_of(files)

    def contents(self, digests: Sequence[str]) -> Mapping[str, bytes]:
        """Return files by their digests; those that the mirror has not are left out."""
        answer = self._run("cat-file", "--batch", given="".join(f"{digest}\n" for digest in digests).encode())
        found: dict[str, bytes] = {}
        at = 0
        for digest in digests:
            end = answer.index(b"\n", at)
            head, at = answer[at:end].split(), end + 1
            if head[-1] != b"missing":
                size = int(head[2])
                found[digest], at = answer[at : at + size], at + size + 1
        return found

    def _need(self, commit: str) -> None:
        if self._has(commit):
            return
        with self._alone():
            if self._has(commit):
                return
            try:
                self._fetch(commit)
            except GitFailed as error:  # a server that gives no commit by its name, but branches and tags
                log.info("Commit %s is looked for in all branches: %s", commit, error)
                self._fetch("+refs/heads/*:refs/tradewind/heads/*", "+refs/tags/*:refs/tradewind/tags/*", whole=True)
            if not self._has(commit):
                raise GitForgot(
                    f"Commit {commit}, with which the run began, is not in {self._source.safe_url} any more. Clear the "
                    "task with the newest version of its DAG."
                )

    def _has(self, commit: str) -> bool:
        if not self._path.is_dir():
            return False
        with suppress(GitFailed):
            self._run("cat-file", "-e", f"{commit}^{{tree}}")
            return True
        return False

    def _fetch(self, *what: str, whole: bool = False) -> None:
        if not (self._path / "HEAD").exists():
            self._path.mkdir(parents=True, exist_ok=True)
            self._run("init", "--quiet", "--bare", ".")
        depth = () if whole else ("--depth=1",)
        self._run("fetch", "--quiet", "--no-tags", "--force", *depth, "--", self._source.url, *what)

    def _run(self, *command: str, given: bytes = b"") -> bytes:
        """Have git do something in the mirror; return what it writes."""
        try:
            process = subprocess.Popen(
                ["git", *_SAFELY, *command],
                cwd=self._path,
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise GitFailed(
                "[dag_processor] dag_bundle names a git repository, and there is no command `git` on this host. Install"
                " it, e.g. `apt install git`."
            ) from error
        try:
            out, err = process.communicate(given, FETCH_SECONDS)
        except subprocess.TimeoutExpired as error:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise GitFailed(
                f"git {command[0]} of {self._source.safe_url} took more than {FETCH_SECONDS:g} s, and was ended."
            ) from error
        if process.returncode:
            said = " ".join(err.decode(errors="replace").replace(self._source.url, self._source.safe_url).split())
            raise GitFailed(
                f"git {command[0]} of {self._source.safe_url} failed: {said or f'status {process.returncode}'}. Check "
                "[dag_processor] dag_bundle, the network, and what this user may read there."
            )
        return out

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other threads and processes of this host from fetching into the same mirror meanwhile."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fd = lock_waiting(self._path.with_suffix(".lock"))
        try:
            yield
        finally:
            os.close(fd)


def _environment() -> dict[str, str]:
    """Return the environment of git: nothing that points at another repository, and nobody to ask for a password."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("TRADEWIND__", "AIRFLOW__"))}
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE"):
        own.pop(name, None)
    return {"GIT_SSH_COMMAND": "ssh -o BatchMode=yes"} | own | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def _text(path: bytes) -> str:
    try:
        return path.decode()
    except UnicodeDecodeError as error:
        raise DagError(f"The name of a file in the git repository is not UTF-8: {path!r}. Rename it.") from error
