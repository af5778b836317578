"""Who does what workers ask of this web server? One object, made when the first of them comes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tradewind.config import Config
from tradewind.metadata.database import Database

if TYPE_CHECKING:
    from executors.worker.serving import Serving


class Office:
    """Has the control plane of this process. Safe to make before a fork, and to share between threads."""

    def __init__(self, db: Database, config: Config) -> None:
        self._db, self._config = db, config
        self._serving: Serving | None = None
        self._lock = threading.Lock()

    @property
    def serving(self) -> Serving:
        """The control plane."""
        with self._lock:
            if self._serving is None:
                from executors.worker.serving import Serving  # brings modules that only workers need

                self._serving = Serving(self._db, self._config)
            return self._serving
