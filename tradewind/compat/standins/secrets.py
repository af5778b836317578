"""What stands for ``airflow.secrets``? The interface of stores of secrets, and the one that reads the environment."""

from __future__ import annotations

import os
from typing import Any, Final

from tradewind.sdk.connection import Connection

CONN_ENV_PREFIX: Final = "AIRFLOW_CONN_"
VAR_ENV_PREFIX: Final = "AIRFLOW_VAR_"
DEFAULT_SECRETS_SEARCH_PATH: Final = ["airflow.secrets.environment_variables.EnvironmentVariablesBackend"]


class BaseSecretsBackend:
    """Knows connections and variables from elsewhere."""

    @staticmethod
    def build_path(path_prefix: str, secret_id: str, sep: str = "/") -> str:
        """Return where a secret lies below ``path_prefix``."""
        return f"{path_prefix}{sep}{secret_id}"

    def get_conn_value(self, conn_id: str, *_: Any, **__: Any) -> str | None:
        """Return a connection as URI or JSON, or None; for subclasses."""
        raise NotImplementedError(f"{type(self).__name__} has no get_conn_value(). Give it one.")

    def deserialize_connection(self, conn_id: str, value: str) -> Connection:
        """Return the connection that a URI or JSON text describes."""
        text = value.strip()
        return Connection.from_json(text, conn_id) if text.startswith("{") else Connection(conn_id=conn_id, uri=text)

    def get_connection(self, conn_id: str, *_: Any, **__: Any) -> Connection | None:
        """Return a connection, or None."""
        value = self.get_conn_value(conn_id)
        return self.deserialize_connection(conn_id, value) if value else None

    def get_variable(self, key: str, *_: Any, **__: Any) -> str | None:
        """Return the text of a variable, or None; for subclasses."""
        raise NotImplementedError(f"{type(self).__name__} has no get_variable(). Give it one.")

    def get_config(self, key: str) -> str | None:
        """Return the text of an option, or None: it has none."""
        return None


class EnvironmentVariablesBackend(BaseSecretsBackend):
    """Reads ``AIRFLOW_CONN_...`` and ``AIRFLOW_VAR_...``."""

    def get_conn_value(self, conn_id: str, *_: Any, **__: Any) -> str | None:
        """Return a connection as URI or JSON, or None."""
        return os.environ.get(f"{CONN_ENV_PREFIX}{conn_id.upper()}")

    def get_variable(self, key: str, *_: Any, **__: Any) -> str | None:
        """Return the text of a variable, or None."""
        return os.environ.get(f"{VAR_ENV_PREFIX}{key.upper()}")
