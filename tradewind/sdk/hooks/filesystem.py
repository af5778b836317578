"""Where does a connection to a file system lead? ``FSHook``: a base path."""

from __future__ import annotations

import os
from typing import Any

from tradewind.sdk.connection import BaseHook, Connection


class FSHook(BaseHook):
    """A file system that this machine can see. The extra of its connection holds ``{"path": "/base"}``."""

    conn_name_attr = "fs_conn_id"
    default_conn_name = "fs_default"
    conn_type = "fs"
    hook_name = "File (path)"

    def __init__(self, fs_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn: Connection = self.get_connection(fs_conn_id)
        self.basepath: str = self.conn.extra_dejson.get("path", "")

    def get_conn(self) -> None:
        """Return nothing: there is nothing to connect to."""

    def get_path(self) -> str:
        """Return the base path; empty when the connection names none."""
        return self.basepath

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the base path exists, and a sentence about it."""
        if not self.basepath:
            return False, 'The connection names no path. Set its extra to {"path": "/base"}.'
        is_there = os.path.exists(self.basepath)
        return is_there, f"The path {self.basepath} {'exists' if is_there else 'does not exist'}."
