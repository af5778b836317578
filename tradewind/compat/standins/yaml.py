"""What stands for ``airflow.utils.yaml``? Reading and writing YAML, by the library's C code where it is there."""

from __future__ import annotations

from typing import Any

import yaml as library
from yaml import YAMLError as YAMLError


def safe_load(stream: Any) -> Any:
    """Return the plain data that a text or file holds."""
    return library.load(stream, getattr(library, "CSafeLoader", library.SafeLoader))


def dump(data: Any, **kwargs: Any) -> Any:
    """Return ``data`` as YAML text."""
    return library.dump(data, Dumper=getattr(library, "CSafeDumper", library.SafeDumper), **kwargs)


safe_dump = dump
FullLoader = library.FullLoader
SafeLoader = library.SafeLoader
