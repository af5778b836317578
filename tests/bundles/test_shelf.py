"""Do bundles stand whole on the disk, cost what has changed, and stay while something runs in them?"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from executors.bundles import shelf as shelves
from executors.bundles.holding import lock_alone
from executors.bundles.shelf import Shelf
from tradewind.errors import DagError
from tradewind.model.bundles import (
    BundleFile,
    Manifest,
    decode_manifest,
    encode_manifest,
    file_digest,
    manifest_of,
    name_of,
    read_name,
)


class Texts:
    """Files by their paths, as one bundle; counts what was asked for."""

    def __init__(self, **texts: str) -> None:
        self.contents = {file_digest(text.encode()): text.encode() for text in texts.values()}
        files = [BundleFile(path, file_digest(text.encode()), len(text)) for path, text in texts.items()]
        self.manifest = manifest_of(files)
        self.root = name_of(self.manifest).root
        self.asked: list[str] = []

    def load(self, digests):
        self.asked += digests
        return {digest: self.contents[digest] for digest in digests if digest in self.contents}


def put(shelf, bundle):
    return shelf.put(bundle.root, bundle.manifest, bundle.load)


def test_what_did_not_change_is_there_once(tmp_path):
    shelf = Shelf(tmp_path)
    first, second = Texts(a="1", b="2"), Texts(a="1", b="3")

    before, after = put(shelf, first), put(shelf, second)

    assert (before / "b").read_text() == "2"
    assert (after / "b").read_text() == "3"
    assert len(second.asked) == 1
    assert os.stat(before / "a").st_ino == os.stat(after / "a").st_ino
    assert put(Shelf(tmp_path), second) == after
    assert len(second.asked) == 1


def test_a_file_that_is_not_what_it_should_be_is_refused_and_leaves_nothing(tmp_path):
    shelf = Shelf(tmp_path)
    bundle = Texts(a="1", b="2")
    (digest, _) = bundle.contents.popitem()

    with pytest.raises(DagError, match="nowhere to be had"):
        put(shelf, bundle)
    bundle.contents[digest] = b"9"
    with pytest.raises(DagError, match="something else"):
        put(shelf, bundle)

    assert not shelf.path(bundle.root).exists()
    assert not list(tmp_path.glob("part-*"))


def test_many_files_are_asked_for_in_portions(tmp_path, monkeypatch):
    monkeypatch.setattr(shelves, "FILES_AT_ONCE", 3)
    monkeypatch.setattr(shelves, "CONTENT_AT_ONCE", 10)
    bundle = Texts(**{f"f{n}": str(n) for n in range(7)}, large="x" * 50)
    portions: list[int] = []

    def load(digests):
        portions.append(len(digests))
        return bundle.load(digests)

    path = shelf_path = Shelf(tmp_path).put(bundle.root, bundle.manifest, load)

    assert sorted(portions) == [1, 1, 3, 3]
    assert len(list(shelf_path.iterdir())) == 8
    assert path.joinpath("large").stat().st_size == 50


def test_the_oldest_go_but_not_those_that_a_process_needs(tmp_path, monkeypatch):
    monkeypatch.setattr(shelves, "KEPT", 2)
    monkeypatch.setattr(shelves, "AT_HAND", 1)
    shelf = Shelf(tmp_path)
    bundles = [Texts(a=str(n), same="same") for n in range(6)]
    put(shelf, bundles[0])
    put(shelf, bundles[1])
    code = "import sys, executors.bundles.holding as h; h.hold(sys.argv[1]); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(shelf.lock_path(bundles[0].root))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        for bundle in bundles[2:5]:
            put(shelf, bundle)
        there = [bundle for bundle in bundles if shelf.path(bundle.root).exists()]
        process.kill()
    put(shelf, bundles[5])

    assert there == [bundles[0], *bundles[3:5]]
    assert not shelf.path(bundles[0].root).exists()
    assert not shelf.lock_path(bundles[0].root).exists()
    kept = {file.digest for bundle in bundles[4:] for file in bundle.manifest.files}
    assert {path.name for path in (tmp_path / "files").glob("*/*")} == kept


def test_a_lock_that_was_removed_is_not_taken_for_held(tmp_path):
    path = tmp_path / "a.lock"
    first = lock_alone(path)
    assert first is not None
    assert lock_alone(path) is None
    path.unlink()
    second = lock_alone(path)
    assert second is not None

    os.close(first)
    assert lock_alone(path) is None
    os.close(second)


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", ""])
def test_a_list_that_leads_outside_is_refused(path):
    with pytest.raises(DagError, match="does not lie in it"):
        decode_manifest(encode_manifest(Manifest((BundleFile(path, "0" * 64, 1),))))


@pytest.mark.parametrize("name", ["", "db-1", "svn-" + "0" * 40, f"git-{'0' * 40}:../x", "db-" + "0" * 64 + "/x"])
def test_a_name_of_another_kind_is_refused(name):
    with pytest.raises(DagError, match="Update this host"):
        read_name(name)


def test_names_say_what_they_are():
    name = read_name(f"git-{'a' * 40}:team/dags")

    assert (name.kind, name.root, name.folder) == ("git", f"git-{'a' * 40}", "team/dags")
    assert str(name) == f"git-{'a' * 40}:team/dags"


def test_a_bundle_that_takes_long_keeps_nobody_from_another(tmp_path):
    shelf = Shelf(tmp_path)
    slow, quick = Texts(a="1"), Texts(a="2")
    is_asked, may_go = threading.Event(), threading.Event()

    def load(digests):
        is_asked.set()
        assert may_go.wait(20)
        return slow.load(digests)

    with ThreadPoolExecutor(2) as pool:
        first = [pool.submit(shelf.put, slow.root, slow.manifest, load) for _ in range(2)]
        assert is_asked.wait(20)
        assert put(shelf, quick).joinpath("a").read_text() == "2"
        assert shelf.has(quick.root)
        may_go.set()
        assert {one.result(20) for one in first} == {shelf.path(slow.root)}
    assert len(slow.asked) == 1


KILLED = """
import sys
from pathlib import Path
from executors.bundles import shelf
from tradewind.model.bundles import BundleFile, Manifest, file_digest

shelf.Shelf._place = lambda *_: (print("placing", flush=True), input())
one = file_digest(b"1")
shelf.Shelf(Path(sys.argv[1])).put("db-x", Manifest((BundleFile("a", one, 1),)), lambda _: {one: b"1"})
"""


def test_a_process_that_is_killed_in_the_middle_leaves_nothing_for_long(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert list(tmp_path.glob("part-*"))
        process.kill()
    bundle = Texts(a="1")

    path = Shelf(tmp_path).put("db-x", bundle.manifest, bundle.load)

    assert (path / "a").read_text() == "1"
    assert not list(tmp_path.glob("part-*"))
