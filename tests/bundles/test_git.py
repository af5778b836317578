"""Does a mirror give what a real repository holds, and say what is wrong when it does not?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from executors.bundles import folders
from executors.bundles.git import GitFailed, GitForgot, GitMirror
from executors.bundles.shelf import Shelf
from tests.bundles.repository import Repository
from tradewind.config import load_config
from tradewind.config.bundle_source import FolderSource, GitSource, bundle_source
from tradewind.errors import DagError
from tradewind.model.bundles import Manifest


class Nothing:
    """A metadata DB that holds no bundles: git is not looked for in it."""

    def load_manifest(self, bundle: str) -> Manifest:
        raise AssertionError(bundle)

    def load_contents(self, bundle: str, digests: Sequence[str]) -> Mapping[str, bytes]:
        raise AssertionError(bundle)


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path / "repository")


@pytest.fixture
def mirror(repository, tmp_path):
    return GitMirror(GitSource(repository.url, "main"), tmp_path / "host" / "git")


def test_a_commit_comes_as_its_files(repository, mirror, tmp_path):
    (repository.path / "bin").mkdir()
    (repository.path / "bin" / "run.sh").write_text("#!/bin/sh\n")
    (repository.path / "bin" / "run.sh").chmod(0o755)
    (repository.path / "now").symlink_to("dags/a.py")
    commit = repository.commit({"dags/a.py": "a = 1\n", "dags/ü b.txt": "text", "dags/empty": ""})

    assert mirror.newest() == commit
    path = Shelf(tmp_path / "host").put("git-x", mirror.manifest(commit), mirror.contents)

    assert (path / "dags" / "a.py").read_text() == "a = 1\n"
    assert (path / "dags" / "ü b.txt").read_text() == "text"
    assert (path / "dags" / "empty").read_bytes() == b""
    assert (path / "now").readlink().as_posix() == "dags/a.py"
    assert (path / "bin" / "run.sh").stat().st_mode & 0o777 == 0o555


def test_new_commits_are_seen_and_old_ones_stay(repository, mirror):
    first = repository.commit({"a.py": "1"})
    assert mirror.newest() == first
    second = repository.commit({"a.py": "2"})
    assert mirror.newest() == second
    # Somebody rewrites the history, and the repository forgets.
    third = repository.commit({"a.py": "3"}, "--amend")
    repository.git("reflog", "expire", "--expire=now", "--all")
    repository.git("gc", "--quiet", "--prune=now")

    assert mirror.newest() == third
    (file,) = mirror.manifest(second).files
    assert mirror.contents([file.digest]) == {file.digest: b"2"}


def test_a_host_that_comes_late_fetches_the_commit_of_the_run(repository, mirror):
    first = repository.commit({"a.py": "1"})
    repository.commit({"a.py": "2"})

    (file,) = mirror.manifest(first).files

    assert mirror.contents([file.digest, "0" * 40]) == {file.digest: b"1"}


def test_a_tag_and_a_commit_can_be_named(repository, tmp_path):
    first = repository.commit({"a.py": "1"})
    repository.git("tag", "v1")
    repository.commit({"a.py": "2"})

    for ref in ("v1", first):
        assert GitMirror(GitSource(repository.url, ref), tmp_path / ref).newest() == first


def test_a_submodule_is_left_out_with_a_word(repository, mirror, caplog):
    Repository(repository.path / "inner").commit({"x": "x"})
    mirrored = repository.commit({"a.py": "1"})

    assert [file.path for file in mirror.manifest(mirrored).files] == ["a.py"]
    assert "is a submodule" in caplog.text


@pytest.mark.parametrize("ref", ["nothing", "0" * 40])
def test_what_is_not_there_is_named_with_the_mend(repository, tmp_path, ref):
    repository.commit({"a.py": "1"})
    mirror = GitMirror(GitSource(repository.url, ref), tmp_path / "git")

    with pytest.raises(GitFailed, match=rf"git fetch of file://.*/repository failed: .*{ref}.*dag_bundle"):
        mirror.newest()


def test_a_commit_that_is_gone_everywhere_is_named_with_the_mend(repository, mirror):
    repository.commit({"a.py": "1"})

    with pytest.raises(GitForgot, match="Commit 1111.* is not in file://.* any more. Clear the task"):
        mirror.manifest("1" * 40)


def test_a_repository_that_is_away_for_a_moment_is_asked_again(repository, tmp_path, monkeypatch):
    commit = repository.commit({"a.py": "1"})
    away = repository.path.rename(tmp_path / "away")

    def pauses():
        yield 0.0
        away.rename(repository.path)
        yield 0.0

    monkeypatch.setattr(folders, "PAUSES", pauses())
    source = {"TRADEWIND__DAG_PROCESSOR__DAG_BUNDLE": f"git+{repository.url}"}
    bundles = folders.BundleFolders(load_config(source, tmp_path / "home"))

    found = bundles.find(f"git-{commit}", Nothing())

    assert (found.path / "a.py").read_text() == "1"
    bundles.close()


def test_a_bundle_of_git_needs_a_host_that_knows_the_repository(tmp_path):
    bundles = folders.BundleFolders(load_config({}, tmp_path))

    with pytest.raises(DagError, match="of this host names none. Give it the same value on all hosts"):
        bundles.find(f"git-{'0' * 40}", Nothing())
    bundles.close()


def test_a_password_is_in_no_message(tmp_path):
    mirror = GitMirror(GitSource("http://me:hush@127.0.0.1:1/x.git"), tmp_path)

    with pytest.raises(GitFailed, match=r"git fetch of http://127.0.0.1:1/x.git failed") as raised:
        mirror.newest()
    assert "hush" not in str(raised.value)
    assert "hush" not in repr(GitSource("http://me:hush@127.0.0.1:1/x.git"))


def test_a_host_without_git_is_told_what_to_install(repository, mirror, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(GitFailed, match="no command `git` on this host. Install it"):
        mirror.newest()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", FolderSource()),
        ("database", FolderSource(is_shipped=True)),
        ("git+https://h/x.git", GitSource("https://h/x.git")),
        ("git+ssh://git@h:22/x.git@feature/a#subdirectory=a/b", GitSource("ssh://git@h:22/x.git", "feature/a", "a/b")),
        ("git+file:///srv/x@v1.2", GitSource("file:///srv/x", "v1.2")),
    ],
)
def test_sources_are_written_as_pip_writes_them(value, expected):
    assert bundle_source(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("metadata", "`database`, or a git repository such as"),
        ("git+https://h", "a repository with one of https"),
        ("git+ext::sh -c x", "a repository with one of https"),
        ("git+https:///x.git", "the name of its host"),
        ("git+https://h/x.git@--upload-pack=x", "a branch, a tag or a commit"),
        ("git+https://h/x.git#subdirectory=../x", "a folder inside the repository"),
        ("git+https://h/x.git#egg=x", "nothing but subdirectory="),
    ],
)
def test_a_source_that_cannot_be_is_refused(value, expected):
    with pytest.raises(ValueError, match=expected):
        bundle_source(value)
