"""``tradewind rotate-fernet-key``: write all secrets anew, so that an old key may go."""

from __future__ import annotations

from tradewind.console.vault import open_vault
from tradewind.metadata.connections import decrypt_connection, encrypt_connection, list_connections, set_connection
from tradewind.metadata.crypto import decrypt, encrypt
from tradewind.metadata.variables import list_variables, set_variable
from tradewind.terminal.output import counted, talk

BATCH = 200


def rotate() -> None:
    """Encrypt all secrets anew with the first key of fernet_key."""
    variables = connections = 0
    with open_vault() as vault:
        db, fernet = vault.db, vault.fernet
        after = ""
        while True:
            with db.write() as tx:  # in batches: nobody else can write meanwhile on SQLite
                rows = list_variables(tx, after=after, limit=BATCH)
                for row in rows:
                    set_variable(tx, row.key, encrypt(fernet, decrypt(fernet, row.token, f"variable {row.key!r}")))
            variables += len(rows)
            if len(rows) < BATCH:
                break
            after = rows[-1].key
        after = ""
        while True:
            with db.write() as tx:
                found = list_connections(tx, after=after, limit=BATCH)
                for one in found:
                    set_connection(tx, encrypt_connection(fernet, decrypt_connection(fernet, one)))
            connections += len(found)
            if len(found) < BATCH:
                break
            after = found[-1].conn_id
    done = f"{counted(variables, 'variable')} and {counted(connections, 'connection')}"
    talk(f"Encrypted with the first key of [core] fernet_key: {done}.")
