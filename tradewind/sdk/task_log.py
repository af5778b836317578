"""How do hooks, triggers and classes of one's own write to the log of the attempt? They mix this in."""

from __future__ import annotations

import logging
from typing import Any


class LoggingMixin:
    """Gives a class ``self.log``, whose lines go to the log of the attempt."""

    _logger_name: str | None = None
    _log_config_logger_name: str = "airflow.task"
    _log: logging.Logger | None = None

    def __init__(self, context: Any = None) -> None:
        pass  # Airflow's signature: what it does with the context is done by the supervisor here

    @classmethod
    def logger(cls) -> logging.Logger:
        """Return the logger of this class."""
        name = cls._logger_name or f"{cls.__module__}.{cls.__name__}"
        return logging.getLogger(f"{cls._log_config_logger_name}.{name}")

    @property
    def log(self) -> logging.Logger:
        """The logger of this class."""
        if self._log is not None:
            return self._log
        kind = type(self)
        name = self._logger_name or f"{kind.__module__}.{kind.__name__}"
        return logging.getLogger(f"{self._log_config_logger_name}.{name}")

    @log.setter
    def log(self, logger: logging.Logger) -> None:
        self._log = logger
