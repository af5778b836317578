"""Which tables are there? Typed models; the Alembic revisions and a test hold them equal to the schema.

Everything stored is the log (``run_event``) with its projection, the inbox (``run_inbox``), or a lease or queue whose
loss costs only time. See ``docs/architecture.md``.
"""

from tradewind.metadata.models.assets import (
    Asset,
    AssetAlias,
    AssetAliasTarget,
    AssetEvent,
    AssetEventAlias,
    AssetEventUse,
    AssetPending,
    AssetReference,
    AssetState,
    AssetWatcher,
)
from tradewind.metadata.models.backfills import Backfill, BackfillSlot
from tradewind.metadata.models.base import Base
from tradewind.metadata.models.bundles import BundleContent, BundleHead, DagBundle
from tradewind.metadata.models.callbacks import Callback
from tradewind.metadata.models.core import (
    Attempt,
    Dag,
    DagFile,
    DagRun,
    DagSource,
    DagTag,
    DagVersion,
    Process,
    RunEvent,
    RunInbox,
    TaskInstance,
    Timer,
    XCom,
)
from tradewind.metadata.models.limits import RateLimit
from tradewind.metadata.models.schedules import ComingRuns, PassedTick
from tradewind.metadata.models.settings import AuditEntry, Connection, Pool, Session, User, Variable
from tradewind.metadata.models.upgrades import SchemaState
from tradewind.metadata.models.waits import Question, TriggerWait

__all__ = [
    "Asset",
    "AssetAlias",
    "AssetAliasTarget",
    "AssetEvent",
    "AssetEventAlias",
    "AssetEventUse",
    "AssetPending",
    "AssetReference",
    "AssetState",
    "AssetWatcher",
    "Attempt",
    "AuditEntry",
    "Backfill",
    "BackfillSlot",
    "Base",
    "BundleContent",
    "BundleHead",
    "Callback",
    "ComingRuns",
    "Connection",
    "Dag",
    "DagBundle",
    "DagFile",
    "DagRun",
    "DagSource",
    "DagTag",
    "DagVersion",
    "PassedTick",
    "Pool",
    "Process",
    "Question",
    "RateLimit",
    "RunEvent",
    "RunInbox",
    "SchemaState",
    "Session",
    "TaskInstance",
    "Timer",
    "TriggerWait",
    "User",
    "Variable",
    "XCom",
]
