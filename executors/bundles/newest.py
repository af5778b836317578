"""Where is the DAG folder as it is now, for what no run is asked about? In the bundle that schedulers read."""

from __future__ import annotations

import logging

from executors.bundles.folders import BundleFolders, BundleStore
from tradewind.config import Config
from tradewind.config.bundle_source import FolderSource
from tradewind.errors import TradewindError
from tradewind.metadata import bundles
from tradewind.metadata.database import Database

log = logging.getLogger(__name__)


def newest_folder(config: Config, db: Database, folders: BundleFolders, store: BundleStore) -> tuple[str, str]:
    """Return the DAG folder, and what is to be held so that it stays; empty: it stays anyway."""
    if config.dag_processor.dag_bundle != FolderSource():
        with db.read() as tx:
            newest = bundles.head(tx)
        if newest is not None:
            try:
                found = folders.find(newest, store)
            except (TradewindError, OSError) as error:
                log.warning("bundles.newest: the DAG folder of this host is looked into instead: %s", error)
            else:
                return str(found.path), str(found.lock_path)
    return str(config.core.dags_folder.absolute()), ""
