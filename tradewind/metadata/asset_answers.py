"""What are running tasks told about assets? The answers to ``tradewind.model.asset_talk``, and the state they keep."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, delete, func, select

from tradewind.errors import NotFound
from tradewind.metadata.models import (
    Asset,
    AssetAlias,
    AssetEvent,
    AssetEventAlias,
    AssetEventUse,
    AssetState,
    DagRun,
)
from tradewind.metadata.upsert import upsert
from tradewind.model.asset_talk import (
    AssetAnswer,
    AssetFacts,
    AssetQuestion,
    CheckAssets,
    EventFacts,
    FindAsset,
    FindEvents,
    FindSourceRun,
    FindTriggering,
    ReadState,
    RunFacts,
    WriteState,
)
from tradewind.model.spec import AssetMention


def answer(tx: Connection, run_pk: int, question: AssetQuestion) -> AssetAnswer:
    """Return the answer for an attempt of a run. What is not there is left out of it.

    Raises:
        NotFound: state was asked of an asset that does not exist.
    """
    match question:
        case FindAsset(name, uri):
            return AssetAnswer(asset=_find(tx, name, uri))
        case CheckAssets(mentions):
            return AssetAnswer(inactive=tuple(one for one in mentions if not _is_active(tx, one)))
        case FindEvents():
            return _find_events(tx, question)
        case FindTriggering():
            query = _events().join(AssetEventUse, AssetEventUse.event_id == AssetEvent.id)
            return _facts(tx, query.where(AssetEventUse.run_pk == run_pk).order_by(AssetEvent.id))
        case FindSourceRun(dag_id, run_id):
            return AssetAnswer(run=_find_run(tx, dag_id, run_id))
        case ReadState(key, name, uri):
            state = AssetState
            found = select(state.value).where(state.asset_id == _state_place(tx, name, uri), state.key == key)
            value = tx.execute(found).scalar_one_or_none()
            return AssetAnswer(value=None if value is None else msgspec.json.encode(value).decode())
        case WriteState():
            raise AssertionError("state is written by write_state, in a write transaction")


def write_state(tx: Connection, change: WriteState, now: datetime) -> None:
    """Keep or forget what a task says.

    Raises:
        NotFound: there is no such asset.
    """
    place = _state_place(tx, change.name, change.uri)
    if change.key is None:
        tx.execute(delete(AssetState).where(AssetState.asset_id == place))
    elif change.value is None:
        tx.execute(delete(AssetState).where(AssetState.asset_id == place, AssetState.key == change.key))
    else:
        value = msgspec.json.decode(change.value)
        upsert(tx, AssetState, {"asset_id": place, "key": change.key}, {"value": value, "updated_at": now})


def _named(name: str | None, uri: str | None) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if name is not None:
        wanted.append(Asset.name == name)
    if uri is not None:
        wanted.append(Asset.uri == uri)
    return wanted


def _find(tx: Connection, name: str | None, uri: str | None) -> AssetFacts | None:
    query = select(Asset.name, Asset.uri, Asset.group_name, Asset.extra).where(Asset.is_active, *_named(name, uri))
    row = tx.execute(query.limit(1)).first()
    return None if row is None else AssetFacts(*row)


def _is_active(tx: Connection, mention: AssetMention) -> bool:
    if mention.alias is not None:
        return True
    query = select(Asset.id).where(Asset.is_active, *_named(mention.name, mention.uri)).limit(1)
    return tx.execute(query).first() is not None


def _state_place(tx: Connection, name: str | None, uri: str | None) -> int:
    query = select(Asset.id).where(*_named(name, uri)).order_by(Asset.is_active.desc(), Asset.id).limit(1)
    found = tx.execute(query).scalar_one_or_none()
    if found is None:
        raise NotFound("Asset", name or uri or "", mend="Some DAG must define it before state can be kept with it.")
    return found


# --- events ----------------------------------------------------------------------------------------------------------


def _events() -> Select[Any]:
    event = AssetEvent
    columns = (
        event.id, event.at, event.extra, event.source_dag_id, event.source_run_id, event.source_task_id,
        event.source_map_index, event.partition_key, Asset.name, Asset.uri, Asset.group_name,
        Asset.extra.label("asset_extra"),
    )  # fmt: skip
    return select(*columns).join(Asset, Asset.id == event.asset_id)


def _find_events(tx: Connection, question: FindEvents) -> AssetAnswer:
    query = _events()
    if question.alias is not None:
        query = query.join(AssetEventAlias, AssetEventAlias.event_id == AssetEvent.id)
        query = query.join(AssetAlias, AssetAlias.id == AssetEventAlias.alias_id)
        query = query.where(AssetAlias.name == question.alias)
    else:
        query = query.where(*_named(question.name, question.uri))
    if question.after is not None:
        query = query.where(AssetEvent.at >= question.after)
    if question.before is not None:
        query = query.where(AssetEvent.at <= question.before)
    if question.only_count:
        return AssetAnswer(count=tx.execute(select(func.count()).select_from(query.subquery())).scalar_one())
    order = (AssetEvent.at.desc(), AssetEvent.id.desc()) if question.is_descending else (AssetEvent.at, AssetEvent.id)
    query = query.order_by(*order).offset(question.offset)
    return _facts(tx, query if question.limit is None else query.limit(question.limit))


def _facts(tx: Connection, query: Select[Any]) -> AssetAnswer:
    rows = list(tx.execute(query))
    aliases = aliases_of(tx, [row.id for row in rows])
    return AssetAnswer(
        events=tuple(
            EventFacts(
                id=row.id,
                at=row.at,
                asset=AssetFacts(row.name, row.uri, row.group_name, row.asset_extra),
                extra=row.extra,
                source_dag_id=row.source_dag_id,
                source_run_id=row.source_run_id,
                source_task_id=row.source_task_id,
                source_map_index=row.source_map_index,
                aliases=tuple(aliases.get(row.id, ())),
                partition_key=row.partition_key,
            )
            for row in rows
        )
    )


def aliases_of(tx: Connection, event_ids: Sequence[int]) -> dict[int, list[str]]:
    """Return the names of the aliases that events were reported through, by event."""
    link = AssetEventAlias
    found: dict[int, list[str]] = {}
    for start in range(0, len(event_ids), 500):
        query = select(link.event_id, AssetAlias.name).join(AssetAlias, AssetAlias.id == link.alias_id)
        for event_id, name in tx.execute(query.where(link.event_id.in_(event_ids[start : start + 500]))):
            found.setdefault(event_id, []).append(name)
    return {event_id: sorted(names) for event_id, names in found.items()}


def _find_run(tx: Connection, dag_id: str, run_id: str) -> RunFacts | None:
    run = DagRun
    query = select(
        run.dag_id, run.run_id, run.run_type, run.state, run.run_after, run.logical_date, run.data_interval_start,
        run.data_interval_end, run.started_at, run.ended_at, run.conf, run.partition_key,
    )  # fmt: skip
    row = tx.execute(query.where(run.dag_id == dag_id, run.run_id == run_id)).first()
    if row is None:
        return None
    values = dict(row._mapping)
    values.update(run_type=row.run_type.value, state=row.state.value)
    return RunFacts(**values)
