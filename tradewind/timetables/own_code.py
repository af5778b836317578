"""How do timetables written by users, in Airflow's form, meet ours? ``OwnCode``: a base of every timetable.

A class outside of Tradewind that derives from a timetable is *own*: its ``next_dagrun_info``,
``infer_manual_data_interval`` and ``generate_run_id`` are asked instead of our methods, with Airflow's argument names
and pendulum's instants. What they do is the user's code, so it runs in parse and task processes only; a scheduler asks
for the coming runs and stores them (``tradewind.metadata.coming_runs``).
"""

from __future__ import annotations

from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from tradewind.errors import DagError
from tradewind.model.states import RunType
from tradewind.timetables.values import DagRunInfo, DataInterval, NextRun, Restriction, TimeRestriction

if TYPE_CHECKING:
    from tradewind.timetables.base import Timetable
    from tradewind.timetables.ticks import Ticks

OWN_KIND = "OwnTimetable"
_asked_at: ContextVar[datetime | None] = ContextVar("tradewind_timetable_asked_at", default=None)


class OwnCode:
    """Airflow's methods of a timetable, and the way from ours to those that a user has written.

    Attributes:
        is_own: whether the class, or one between it and ours, is the user's.
        periodic: whether runs come in a rhythm; for people to see.
    """

    is_own: ClassVar[bool] = False
    periodic: bool = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__module__.partition(".")[0] == "tradewind":
            return
        cls.is_own = True
        for name, method in _INSTEAD.items():
            setattr(cls, name, method)

    # --- what a user's class may replace, and call through super() -------------------------------------------------

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the run to make next, as Airflow asks for it. None: there is none.

        Raises:
            NotImplementedError: the class has no schedule of ours to fall back upon.
        """
        wanted = Restriction(_plain(restriction.earliest), _plain(restriction.latest), restriction.catchup)
        now = _asked_at.get() or datetime.now(UTC)
        last = last_automated_data_interval and DataInterval(*map(_plain_instant, last_automated_data_interval))
        found = _ours(self).next_run(self, last, None, wanted, now)  # type: ignore[arg-type]
        return None if found is None else DagRunInfo(_pendulum(found.run_after), _with_pendulum(found.interval))

    def infer_manual_data_interval(self, *, run_after: datetime) -> DataInterval:
        """Return the data interval of a run asked for by hand, as Airflow asks for it.

        Raises:
            NotImplementedError: the class has no schedule of ours to fall back upon.
        """
        return _with_pendulum(_ours(self).manual_interval(self, _plain_instant(run_after)))  # type: ignore[arg-type]

    def generate_run_id(
        self, *, run_type: Any, run_after: datetime, data_interval: DataInterval | None, **extra: Any
    ) -> str:
        """Return the name of a run; ``extra`` is for what later versions may hand over."""
        return f"{run_type}__{run_after.isoformat()}"

    def serialize(self) -> dict[str, Any]:
        """Return plain data that tells this timetable from others of its class."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Any:
        """Return the timetable with this data. Not asked for here: the DAG file itself makes it again."""
        return cls(**data)

    def validate(self) -> None:
        """Raise when the timetable cannot be meant; asked when the DAG file is read."""

    # Steps along the ticks, by the names that own timetables know them from Airflow's.

    def _get_next(self, current: datetime) -> datetime:
        return _pendulum(_ticks_of(self).after(_plain_instant(current)))

    def _get_prev(self, current: datetime) -> datetime:
        return _pendulum(_ticks_of(self).before(_plain_instant(current)))

    def _align_to_next(self, current: datetime) -> datetime:
        return _pendulum(_ticks_of(self).at_or_after(_plain_instant(current)))

    def _align_to_prev(self, current: datetime) -> datetime:
        return _pendulum(_ticks_of(self).at_or_before(_plain_instant(current)))

    # --- what we ask ------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Ask an own timetable whether it is valid.

        Raises:
            DagError: it is not.
        """
        if self.is_own:
            _call(self, "validate")

    def _own_next_run(
        self,
        last_interval: DataInterval | None,
        last_run_after: datetime | None,
        restriction: Restriction,
        now: datetime,
    ) -> NextRun | None:
        token = _asked_at.set(now)
        try:
            info = _call(
                self,
                "next_dagrun_info",
                last_automated_data_interval=last_interval and _with_pendulum(last_interval),
                restriction=TimeRestriction(
                    restriction.earliest and _pendulum(restriction.earliest),
                    restriction.latest and _pendulum(restriction.latest),
                    restriction.catchup,
                ),
            )
        finally:
            _asked_at.reset(token)
        if info is None:
            return None
        try:
            due, interval = _plain_instant(info.run_after), DataInterval(*map(_plain_instant, info.data_interval))
        except (AttributeError, TypeError, ValueError):
            raise _wrong(self, "next_dagrun_info", info, "a DagRunInfo with aware instants, or None") from None
        return NextRun(due, interval.start, interval)

    def _own_manual_interval(self, run_after: datetime) -> DataInterval:
        found = _call(self, "infer_manual_data_interval", run_after=_pendulum(run_after))
        try:
            return DataInterval(*map(_plain_instant, found))
        except (TypeError, ValueError):
            raise _wrong(self, "infer_manual_data_interval", found, "a DataInterval with aware instants") from None

    def _own_run_id(
        self,
        run_type: RunType,
        run_after: datetime,
        logical_date: datetime | None = None,
        unique: str = "",
        interval: DataInterval | None = None,
    ) -> str:
        given = interval and _with_pendulum(interval)
        name = _call(self, "generate_run_id", run_type=run_type, run_after=_pendulum(run_after), data_interval=given)
        if not isinstance(name, str) or not name.strip() or len(name) > 250 or "/" in name:
            raise _wrong(self, "generate_run_id", name, "a text of 1 to 250 characters without '/'")
        return name if logical_date is not None or not unique else f"{name}_{unique}"

    def _own_args(self) -> dict[str, Any]:
        data = _call(self, "serialize")
        try:
            plain = msgspec.json.decode(msgspec.json.encode(data))
        except (TypeError, msgspec.MsgspecError):
            raise _wrong(self, "serialize", data, "a dict of JSON values") from None
        if not isinstance(plain, dict):
            raise _wrong(self, "serialize", data, "a dict of JSON values")
        return {"class": f"{type(self).__module__}.{type(self).__qualname__}", "data": plain}


_INSTEAD = {
    "next_run": OwnCode._own_next_run,
    "manual_interval": OwnCode._own_manual_interval,
    "run_id": OwnCode._own_run_id,
    "_args": OwnCode._own_args,
    "_from_args": classmethod(lambda cls, args: cls.deserialize(dict(args["data"]))),
}
"""Methods of ours that lead to those of the user's class."""


def _ours(timetable: OwnCode) -> type[Timetable]:
    """Return the nearest class of ours."""
    return next(kind for kind in type(timetable).__mro__ if not getattr(kind, "is_own", False))


def _ticks_of(timetable: OwnCode) -> Ticks:
    ticks: Ticks | None = getattr(timetable, "_ticks", None)
    if ticks is None:
        kind = type(timetable).__name__
        raise NotImplementedError(f"{kind} has no ticks: it derives from no cron or delta timetable")
    return ticks


def _call(timetable: OwnCode, method: str, **arguments: Any) -> Any:
    """Call the user's code; whatever goes wrong in it is an error of the DAG."""
    try:
        return getattr(timetable, method)(**arguments)
    except Exception as error:  # the edge of user code
        raise DagError(
            f"The timetable {type(timetable).__name__}: {method}() raised {type(error).__name__}: {error}. Correct it "
            "in the file that defines the class."
        ) from error


def _wrong(timetable: OwnCode, method: str, found: object, expected: str) -> DagError:
    shown = repr(found)
    if len(shown) > 200:
        shown = shown[:197] + "..."
    return DagError(f"The timetable {type(timetable).__name__}: {method}() gave {shown}; expected {expected}.")


def _pendulum(instant: datetime) -> datetime:
    # Imported when first used: only users' own code wants its methods.
    import pendulum

    return pendulum.instance(instant).in_timezone("UTC")


def _with_pendulum(interval: DataInterval) -> DataInterval:
    return DataInterval(_pendulum(interval.start), _pendulum(interval.end))


def _plain_instant(instant: datetime) -> datetime:
    """Return an instant as plain datetime in UTC; pendulum's compute otherwise than ours."""
    if instant.tzinfo is None:
        raise ValueError("an instant without a time zone")
    at = instant.astimezone(UTC)
    return datetime(at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond, UTC)


def _plain(instant: datetime | None) -> datetime | None:
    return None if instant is None else _plain_instant(instant)
