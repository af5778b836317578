"""Where are DAG files had from while the metadata DB is away for a moment? From it, a moment later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from executors.control_plane import ControlPlane
from tradewind.metadata.again import again
from tradewind.model.bundles import Manifest


class PatientFiles:
    """A :class:`executors.runner.desk.FileStore` that asks a control plane by SQL again for errors that pass.

    What it reads never changes, so it may be read twice.
    """

    def __init__(self, plane: ControlPlane, patience_seconds: float) -> None:
        self._plane, self._patience = plane, patience_seconds

    def load_source(self, version_id: int) -> bytes:
        return again(lambda: self._plane.load_source(version_id), patience_seconds=self._patience)

    def load_manifest(self, bundle: str) -> Manifest:
        return again(lambda: self._plane.load_manifest(bundle), patience_seconds=self._patience)

    def load_contents(self, bundle: str, digests: Sequence[str]) -> Mapping[str, bytes]:
        return again(lambda: self._plane.load_contents(bundle, digests), patience_seconds=self._patience)
