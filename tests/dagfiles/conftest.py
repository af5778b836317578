"""Which fixtures do the tests of DAG files share? A parse client with short limits, and folders to put files into."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from textwrap import dedent

import pytest

from scheduler.dagfiles.parse_client import FileJob, ParseClient
from scheduler.dagfiles.protocol import Setup
from tradewind.model.parsed import ParsedFile
from tradewind.sdk.defaults import Defaults

SETUP = Setup(asdict(Defaults()), import_seconds=20.0, kill_seconds=30.0, memory_limit_mb=256)

HASTY = Setup(asdict(Defaults()), import_seconds=1.0, kill_seconds=3.0, memory_limit_mb=256)
"""For files that hang, so that nobody waits long for them."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty DAG folder."""
    path = tmp_path / "folder"
    path.mkdir()
    return path


@pytest.fixture(scope="module")
def client() -> Iterator[ParseClient]:
    """A parse client whose server lives as long as the tests of one module."""
    client = ParseClient(SETUP, {"PATH": os.environ["PATH"], "HARMLESS": "seen"}, parallel=2)
    yield client
    client.close()


@pytest.fixture(scope="module")
def hasty_client() -> Iterator[ParseClient]:
    """The same with short limits."""
    client = ParseClient(HASTY, {"PATH": os.environ["PATH"]}, parallel=2)
    yield client
    client.close()


def read_one(client: ParseClient, job: FileJob) -> ParsedFile:
    """Have one file read, and wait for it."""
    client.submit(job)
    while True:
        for parsed in client.wait(30):
            return parsed


@pytest.fixture
def read(client: ParseClient, folder: Path) -> Callable[..., ParsedFile]:
    """``read(source, name="it.py", by=client)``: write a DAG file, have it read, return what came of it."""

    def _read(source: str | bytes, name: str = "it.py", by: ParseClient = client) -> ParsedFile:
        data = source if isinstance(source, bytes) else dedent(source).lstrip("\n").encode()
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return read_one(by, FileJob(name, str(path), str(folder), data))

    return _read


def setup_with(**changes: object) -> Setup:
    """The limits of the tests, but for some."""
    fields = {name: getattr(SETUP, name) for name in SETUP.__struct_fields__} | changes
    return Setup(**fields)
