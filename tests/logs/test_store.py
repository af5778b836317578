"""Does a log store keep what it is given, in a folder and behind S3 alike? And does it say what is wrong?"""

from __future__ import annotations

from pathlib import Path

import pytest

from executors.logs.store import LogStore, LogStoreError, open_store
from tests.support.s3_server import S3Server
from tradewind.errors import UsageError

STRANGE = "dag_id=a*/run_id=x [1]?#%2F ü~+{b}/task_id=t&=;/attempt=1.log"


def test_what_is_put_is_read_and_listed(store: LogStore, tmp_path: Path):
    large = tmp_path / "large"
    large.write_bytes(b"0123456789" * 900_000)
    assert store.sizes("d/r") == {}

    store.put("d/r/attempt=1.log", b"one")
    store.put("d/r/attempt=1.log", b"one and two")
    store.put("d/r/deeper/attempt=1.log", b"other")
    store.put_file("d/r/attempt=2.log", large)

    assert store.sizes("d/r") == {"attempt=1.log": 11, "attempt=2.log": 9_000_000}
    assert store.read("d/r/attempt=1.log", 4, 7) == b"and"
    assert store.read("d/r/attempt=1.log", 8, 100) == b"two"
    assert store.read("d/r/attempt=2.log", 8_999_995, 9_000_000) == b"56789"

    store.remove(["d/r/attempt=2.log", "d/r/never.log"])
    assert store.sizes("d/r") == {"attempt=1.log": 11}


def test_no_name_means_another_one(store: LogStore):
    folder, _, _ = STRANGE.rpartition("/")
    store.put(STRANGE, b"strange")
    store.put("dag_id=a*/run_id=*/task_id=t/attempt=1.log", b"star")
    store.put("dag_id=a*/run_id=other/task_id=t/attempt=1.log", b"other")
    assert store.sizes(folder) == {"attempt=1.log": 7}
    assert store.read(STRANGE, 0, 7) == b"strange"

    store.remove_folder("dag_id=a*/run_id=*")
    store.remove_folder("dag_id=a*/run_id=none")

    assert store.sizes("dag_id=a*/run_id=*/task_id=t") == {}
    assert store.sizes("dag_id=a*/run_id=other/task_id=t") == {"attempt=1.log": 5}
    assert store.sizes(folder) == {"attempt=1.log": 7}


def test_a_store_that_is_away_says_so_and_works_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    server = S3Server(1, tmp_path)  # nobody listens there
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(LogStoreError, match="s3://logs/x does not do its work .* Is it reachable from here"):
        open_store("s3://logs/x").sizes("d")

    place = tmp_path / "place"
    place.write_text("a file in the way")
    store = open_store(str(place))
    with pytest.raises(LogStoreError, match="place does not do its work"):
        store.put("d/attempt=1.log", b"x")
    place.unlink()
    store.put("d/attempt=1.log", b"x")
    assert store.sizes("d") == {"attempt=1.log": 1}


def test_a_bucket_that_does_not_exist_is_said(s3_url: str):
    with pytest.raises(LogStoreError, match="does the bucket exist"):
        open_store("s3://nobody-made-this").put("a", b"x")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3x://bucket/logs", "nobody knows s3x://. Did you mean 's3'"),
        ("gs://bucket/logs", r"the package for gs:// is not installed .*pip install 'gcsfs'"),
        ("logs/of/mine", "give an absolute path"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_with_the_mend(url: str, told: str):
    with pytest.raises(UsageError, match=told):
        open_store(url)
