"""How are partition mappers, windows and policies stored? As plain data with the name of their class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tradewind.errors import DagError
from tradewind.timetables.asset_mappers import (
    AllowedKeyMapper,
    ChainMapper,
    FixedKeyMapper,
    IdentityMapper,
    PartitionMapper,
    ProductMapper,
    RollupMapper,
)
from tradewind.timetables.asset_periods import (
    FanOutMapper,
    StartOfDayMapper,
    StartOfHourMapper,
    StartOfMonthMapper,
    StartOfQuarterMapper,
    StartOfWeekMapper,
    StartOfYearMapper,
)
from tradewind.timetables.asset_windows import (
    DayWindow,
    HourWindow,
    MinimumCount,
    MonthWindow,
    QuarterWindow,
    SegmentWindow,
    WaitForAll,
    WaitPolicy,
    WeekWindow,
    Window,
    YearWindow,
)

_KINDS: Final[Mapping[str, type]] = {
    kind.__name__: kind
    for kind in (
        AllowedKeyMapper, ChainMapper, DayWindow, FanOutMapper, FixedKeyMapper, HourWindow, IdentityMapper,
        MinimumCount, MonthWindow, ProductMapper, QuarterWindow, RollupMapper, SegmentWindow, StartOfDayMapper,
        StartOfHourMapper, StartOfMonthMapper, StartOfQuarterMapper, StartOfWeekMapper, StartOfYearMapper, WaitForAll,
        WeekWindow, YearWindow,
    )
}  # fmt: skip


def encode_part(part: PartitionMapper | Window | WaitPolicy) -> dict[str, Any]:
    """Return plain data for a mapper, a window or a policy.

    Raises:
        DagError: its class is the user's own, whose code the scheduler does not run.
    """
    kind = type(part)
    if _KINDS.get(kind.__name__) is not kind:
        raise DagError(
            f"{kind.__name__} is a class of your own. Partitions are mapped in the scheduler, which runs no code of "
            f"DAG files: compose it of the classes that there are ({', '.join(sorted(_KINDS))})."
        )
    return {"kind": kind.__name__, **{name: _encode(value) for name, value in part.args().items()}}


def decode_part(data: Mapping[str, Any]) -> Any:
    """Return the mapper, window or policy that :func:`encode_part` was given."""
    given = {name: _decode(value) for name, value in data.items() if name != "kind"}
    return _KINDS[data["kind"]](*given.pop("mappers", ()), **given)


def _encode(value: Any) -> Any:
    if isinstance(value, PartitionMapper | Window | WaitPolicy):
        return encode_part(value)
    return [_encode(one) for one in value] if isinstance(value, list) else value


def _decode(value: Any) -> Any:
    if isinstance(value, Mapping) and "kind" in value:
        return decode_part(value)
    return [_decode(one) for one in value] if isinstance(value, list) else value
