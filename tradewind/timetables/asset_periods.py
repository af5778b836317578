"""Which period does an instant belong to? Mappers whose keys are instants, and one that spreads a period over parts."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, ClassVar, Final

from tradewind.errors import DagError
from tradewind.timetables.asset_mappers import PartitionMapper, check_parts, keys_of
from tradewind.timetables.asset_windows import DayWindow, MonthWindow, QuarterWindow, WeekWindow, Window, YearWindow
from tradewind.timetables.zones import zone_name, zone_of

_DIRECTIVES: Final[Mapping[str, str]] = {
    "Y": r"\d{4}", "m": r"\d{2}", "d": r"\d{2}", "H": r"\d{2}", "M": r"\d{2}", "S": r"\d{2}", "V": r"\d{2}",
    "U": r"\d{2}", "W": r"\d{2}",
}  # fmt: skip


class TimeMapper(PartitionMapper):
    """The period in which an instant lies.

    Args:
        timezone: on whose clock the periods begin; also that of keys that do not say one.
        input_format: of the producer's keys, as for ``strptime``.
        output_format: of the consumer's keys, as for ``strftime``.
    """

    decodes_to = datetime
    default_output_format: ClassVar[str]

    def __init__(
        self,
        *,
        timezone: str | tzinfo = "UTC",
        input_format: str = "%Y-%m-%dT%H:%M:%S",
        output_format: str | None = None,
        max_downstream_keys: int | None = None,
    ) -> None:
        super().__init__(max_downstream_keys=max_downstream_keys)
        self.timezone = zone_of(timezone)
        self.input_format = input_format
        self.output_format = output_format or self.default_output_format

    @abstractmethod
    def normalize(self, at: datetime) -> datetime:
        """Return where the period of an instant begins."""

    def to_downstream(self, key: str) -> str:
        at = datetime.strptime(key, self.input_format)  # noqa: DTZ007  the zone comes next
        at = _on_clock(at, self.timezone) if at.tzinfo is None else at.astimezone(self.timezone)
        return self.format(self.normalize(at))

    def format(self, decoded: datetime) -> str:
        return decoded.strftime(self.output_format)

    def decode_downstream(self, downstream_key: str) -> datetime:
        return datetime.strptime(downstream_key, self.output_format)  # noqa: DTZ007  a time on the wall of its zone

    def encode_upstream(self, decoded: datetime) -> str:
        wall = decoded if decoded.tzinfo is None else decoded.astimezone(self.timezone).replace(tzinfo=None)
        return _on_clock(wall, self.timezone).strftime(self.input_format)

    def to_partition_date(self, downstream_key: str) -> datetime:
        at = self.normalize(self.decode_downstream(downstream_key))
        return _on_clock(at, self.timezone) if at.tzinfo is None else at

    def args(self) -> Mapping[str, Any]:
        return {
            "timezone": zone_name(self.timezone),
            "input_format": self.input_format,
            "output_format": self.output_format,
            **super().args(),
        }


class StartOfHourMapper(TimeMapper):
    """The hour: ``2026-03-13T10``."""

    default_output_format = "%Y-%m-%dT%H"

    def normalize(self, at: datetime) -> datetime:
        return at.replace(minute=0, second=0, microsecond=0)


class StartOfDayMapper(TimeMapper):
    """The day: ``2026-03-13``."""

    default_output_format = "%Y-%m-%d"

    def normalize(self, at: datetime) -> datetime:
        return _midnight(at)


class StartOfMonthMapper(TimeMapper):
    """The month: ``2026-03``."""

    default_output_format = "%Y-%m"

    def normalize(self, at: datetime) -> datetime:
        return _midnight(at.replace(day=1))


class StartOfYearMapper(TimeMapper):
    """The year: ``2026``."""

    default_output_format = "%Y"

    def normalize(self, at: datetime) -> datetime:
        return _midnight(at.replace(month=1, day=1))


class _PatternMapper(TimeMapper):
    """One whose keys ``strptime`` cannot read back, so that a pattern made from their format does."""

    placeholders: ClassVar[Mapping[str, str]] = {}
    needed: ClassVar[frozenset[str]]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._pattern = _pattern_of(self.output_format, self.placeholders)

    def _read(self, downstream_key: str) -> dict[str, str]:
        match = self._pattern.fullmatch(downstream_key)
        if match is None or not self.needed <= match.groupdict().keys():
            raise ValueError(f"{downstream_key!r} cannot be read with the output format {self.output_format!r}")
        return match.groupdict()


class StartOfWeekMapper(_PatternMapper):
    """The week, by its Monday: ``2026-03-09 (W11)``."""

    default_output_format = "%Y-%m-%d (W%V)"
    needed = frozenset("Ymd")

    def normalize(self, at: datetime) -> datetime:
        return _midnight(at - timedelta(days=at.weekday()))

    def decode_downstream(self, downstream_key: str) -> datetime:
        read = self._read(downstream_key)
        return datetime(int(read["Y"]), int(read["m"]), int(read["d"]))  # noqa: DTZ001  a time on the wall of its zone


class StartOfQuarterMapper(_PatternMapper):
    """The quarter: ``2026-Q1``. ``{quarter}`` stands for its number in the format."""

    default_output_format = "%Y-Q{quarter}"
    placeholders: ClassVar[Mapping[str, str]] = {"quarter": "[1-4]"}
    needed = frozenset(["Y", "quarter"])

    def normalize(self, at: datetime) -> datetime:
        return _midnight(at.replace(month=(at.month - 1) // 3 * 3 + 1, day=1))

    def format(self, decoded: datetime) -> str:
        return decoded.strftime(self.output_format).format(quarter=(decoded.month - 1) // 3 + 1)

    def decode_downstream(self, downstream_key: str) -> datetime:
        read = self._read(downstream_key)
        return datetime(int(read["Y"]), int(read["quarter"]) * 3 - 2, 1)  # noqa: DTZ001  on the wall of its zone


def _on_clock(wall: datetime, zone: tzinfo) -> datetime:
    """Return the instant of a time on the wall: the second one in the hour that comes twice, and one that daylight
    saving leaves out as much later as the clock is put forward. As in Airflow."""
    first = wall.replace(tzinfo=zone)
    there = first.astimezone(UTC).astimezone(zone)
    return first.replace(fold=1) if there.replace(tzinfo=None) == wall else there


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _pattern_of(form: str, placeholders: Mapping[str, str]) -> re.Pattern[str]:
    """Return a pattern with a group for each directive and each ``{placeholder}`` of a format."""
    pattern, groups = "", set[str]()
    for piece in re.split(r"(%[A-Za-z]|\{[^}]*\})", form):
        name = piece[1:-1] if piece.startswith("{") and piece.endswith("}") else piece[1:]
        known = _DIRECTIVES.get(name) if piece.startswith("%") else placeholders.get(name, r"\w+")
        if piece[:1] not in ("%", "{") or known is None:
            pattern += re.escape(piece)
            continue
        if not name.isidentifier() or name in groups:
            raise DagError(f"The output format {form!r} has {piece!r} twice, or it is not a name. Mend the format.")
        groups.add(name)
        pattern += f"(?P<{name}>{known})"
    return re.compile(pattern)


class FanOutMapper(PartitionMapper):
    """One key of the producer becomes one of the consumer for each part of its period."""

    default_downstream: ClassVar[Mapping[type[Window], type[TimeMapper]]] = {
        DayWindow: StartOfHourMapper,
        WeekWindow: StartOfDayMapper,
        MonthWindow: StartOfDayMapper,
        QuarterWindow: StartOfMonthMapper,
        YearWindow: StartOfMonthMapper,
    }

    def __init__(
        self,
        *,
        upstream_mapper: PartitionMapper,
        window: Window,
        downstream_mapper: PartitionMapper | None = None,
        max_downstream_keys: int | None = None,
    ) -> None:
        super().__init__(max_downstream_keys=max_downstream_keys)
        check_parts(self, upstream_mapper, window)
        self.upstream_mapper, self.window = upstream_mapper, window
        self.downstream_mapper = downstream_mapper or self._default(window)

    def _default(self, window: Window) -> PartitionMapper:
        usual = self.default_downstream.get(type(window))
        if usual is None:
            raise DagError(f"FanOutMapper needs a downstream_mapper for {type(window).__name__}: it has no usual one.")
        return usual()

    def to_downstream(self, key: str) -> Iterable[str]:
        keys = keys_of(self.upstream_mapper, key)
        if len(keys) != 1:
            raise ValueError(f"the upstream mapper gives several keys for {key!r}, and can give only one here")
        period = self.upstream_mapper.decode_downstream(keys[0])
        return [self.downstream_mapper.format(part) for part in self.window.to_upstream(period)]

    def to_partition_date(self, downstream_key: str) -> datetime | None:
        return self.downstream_mapper.to_partition_date(downstream_key)

    def args(self) -> Mapping[str, Any]:
        return {
            "upstream_mapper": self.upstream_mapper,
            "window": self.window,
            "downstream_mapper": self.downstream_mapper,
            **super().args(),
        }
