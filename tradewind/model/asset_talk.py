"""What may a running task ask about assets? Questions and their answer; the supervisor answers for one attempt."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from tradewind.model.spec import AssetMention


class FindAsset(msgspec.Struct, frozen=True, omit_defaults=True, tag=True):
    """Which active asset has this name, or this URI?"""

    name: str | None = None
    uri: str | None = None


class CheckAssets(msgspec.Struct, frozen=True, tag=True):
    """Which of these are not active?"""

    mentions: tuple[AssetMention, ...]


class FindEvents(msgspec.Struct, frozen=True, omit_defaults=True, tag=True):
    """Which events had an asset, or were reported through an alias? In the order of their happening."""

    name: str | None = None
    uri: str | None = None
    alias: str | None = None
    after: datetime | None = None  # both inclusive
    before: datetime | None = None
    is_descending: bool = False
    offset: int = 0
    limit: int | None = None
    only_count: bool = False


class FindTriggering(msgspec.Struct, frozen=True, tag=True):
    """Which events was the run of this attempt created for?"""


class FindSourceRun(msgspec.Struct, frozen=True, tag=True):
    """What is known of a run that has made an event?"""

    dag_id: str
    run_id: str


class ReadState(msgspec.Struct, frozen=True, omit_defaults=True, tag=True):
    """What is kept with an asset under this key?"""

    key: str
    name: str | None = None
    uri: str | None = None


class WriteState(msgspec.Struct, frozen=True, omit_defaults=True, tag=True):
    """Keep a value with an asset; without a value forget it, without a key forget all."""

    key: str | None = None
    value: str | None = None  # JSON text
    name: str | None = None
    uri: str | None = None


AssetQuestion = FindAsset | CheckAssets | FindEvents | FindTriggering | FindSourceRun | ReadState | WriteState


class AssetFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """One asset."""

    name: str
    uri: str
    group: str = "asset"
    extra: dict[str, Any] = {}


class EventFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event of an asset."""

    id: int
    at: datetime
    asset: AssetFacts
    extra: dict[str, Any] = {}
    source_dag_id: str | None = None
    source_run_id: str | None = None
    source_task_id: str | None = None
    source_map_index: int = -1
    aliases: tuple[str, ...] = ()
    partition_key: str | None = None


class RunFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """One run."""

    dag_id: str
    run_id: str
    run_type: str
    state: str
    run_after: datetime
    logical_date: datetime | None = None
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    conf: dict[str, Any] = {}
    partition_key: str | None = None


class AssetAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer; which part of it is set depends on the question. Nothing set: there is none."""

    asset: AssetFacts | None = None
    inactive: tuple[AssetMention, ...] = ()
    events: tuple[EventFacts, ...] = ()
    count: int = 0
    run: RunFacts | None = None
    value: str | None = None  # JSON text
