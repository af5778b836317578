"""What is the value of a variable or connection? That of the host's environment, else that of the metadata DB, open."""

from __future__ import annotations

import os
from collections.abc import Mapping

from cryptography.fernet import MultiFernet

from executors.given_values import given_connection, given_variable
from tradewind.config import Config, with_secrets
from tradewind.metadata import connections, variables
from tradewind.metadata.crypto import decrypt, make_fernet
from tradewind.metadata.database import Database
from tradewind.sdk.channel import ConnectionData


class StoredValues:
    """Reads variables and connections for processes that have no access themselves.

    One that the environment of the host process gives (``TRADEWIND_VAR_X``, ``AIRFLOW_CONN_X``) goes before the one in
    the database, as in Airflow.
    """

    def __init__(self, database: Database, config: Config, environ: Mapping[str, str] | None = None) -> None:
        """
        Args:
            environ: where values are looked up first; None: that of this process.
        """
        self._database, self._config = database, config
        self._environ = os.environ if environ is None else environ
        self._fernet: MultiFernet | None = None

    @property
    def key(self) -> MultiFernet:
        """What encrypts and decrypts."""
        if self._fernet is None:
            self._fernet = make_fernet(with_secrets(self._config).core.fernet_key)
        return self._fernet

    def get_variable(self, key: str) -> str | None:
        """Return the open text of a variable, or None.

        Raises:
            MetadataError: no configured key fits.
        """
        given = given_variable(self._environ, key)
        if given is not None:
            return given
        with self._database.read() as tx:
            token = variables.get_variable(tx, key)
        return None if token is None else decrypt(self.key, token, f"variable {key!r}")

    def get_connection(self, conn_id: str) -> ConnectionData | None:
        """Return an open connection, or None.

        Raises:
            MetadataError: no configured key fits.
            AirflowException: what the environment gives is no connection.
        """
        given = given_connection(self._environ, conn_id)
        if given is not None:
            return given
        with self._database.read() as tx:
            row = connections.get_connection(tx, conn_id)
        if row is None:
            return None
        row = connections.decrypt_connection(self.key, row) if row.password or row.extra else row
        return ConnectionData(
            conn_id=row.conn_id,
            conn_type=row.conn_type,
            description=row.description,
            host=row.host,
            schema=row.schema,
            login=row.login,
            password=row.password,
            port=row.port,
            extra=row.extra,
        )
