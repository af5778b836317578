"""How are instants, durations and sizes said? In words that fit the value, with the zone never left out."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from markupsafe import Markup, escape

UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"))


def duration(seconds: float | None) -> str:
    """Return a duration with at most two units: ``0.38 s``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``; ``—`` for None."""
    if seconds is None:
        return "—"
    if seconds < 0:
        return "0 s"
    if seconds < 10:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    for (size, name), (below, below_name) in zip(UNITS, (*UNITS[1:], (1, "s")), strict=True):
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size} {name} {rest} {below_name}" if rest else f"{whole // size} {name}"
    return f"{whole} s"


def between(start: datetime | None, end: datetime | None, now: datetime) -> float | None:
    """Return the seconds from start to end, or to now while it goes on; None before the start."""
    return None if start is None else ((end or now) - start).total_seconds()


def file_size(count: float | None) -> str:
    """Return a number of bytes: ``512 B``, ``64.0 KiB``, ``1.2 GiB``; ``—`` for None."""
    if count is None:
        return "—"
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def relative(at: datetime, now: datetime) -> str:
    """Return how far away an instant is: ``now``, ``3 min ago``, ``in 2 h``."""
    seconds = (at - now).total_seconds()
    far = abs(seconds)
    if far < 5:
        return "now"
    text = f"{far:.0f} s"
    for size, name in ((604800 * 8, ""), (86400 * 2, "d"), (3600, "h"), (60, "min")):
        if far >= size:
            text = f"{at:%Y-%m-%d}" if not name else f"{far // size:.0f} {name}"
            break
    if text.count("-") == 2:
        return text
    return f"in {text}" if seconds > 0 else f"{text} ago"


def clock(at: datetime, zone: ZoneInfo, *, seconds: bool = True) -> str:
    """Return an instant in a zone, the zone's short name behind it."""
    local = at.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M:%S %Z}" if seconds else f"{local:%Y-%m-%d %H:%M %Z}"


def time_html(at: datetime | None, zone: ZoneInfo, now: datetime, *, style: str = "relative") -> Markup:
    """Return a ``<time>`` element whose title has both the reader's zone and UTC.

    Args:
        style: ``relative`` (kept ticking by the page's script), ``full``, or ``short`` (without seconds and zone).
    """
    if at is None:
        return Markup('<span class="dim">—</span>')
    title = clock(at, zone)
    if zone.key != "UTC":
        title += f" · {clock(at, ZoneInfo('UTC'))}"
    if style == "relative":
        text, attribute = relative(at, now), " data-rel"
    elif style == "short":
        text, attribute = f"{at.astimezone(zone):%Y-%m-%d %H:%M}", ""
    else:
        text, attribute = clock(at, zone), ""
    return Markup('<time datetime="{}"{} title="{}">{}</time>').format(
        at.isoformat(), Markup(attribute), title, escape(text)
    )


def run_name(run_id: str, run_type: str, run_after: datetime, zone: ZoneInfo) -> str:
    """Return a run's name for people: the instant it was due, unless it was named by hand."""
    made = run_id.startswith((f"{run_type}__", "manual__", "scheduled__", "backfill__", "asset_triggered__"))
    return f"{run_after.astimezone(zone):%Y-%m-%d %H:%M:%S}" if made else run_id


def pretty_xcom(text: str | None) -> str:
    """Return the JSON text of an XCom with one value a line; what is no JSON is returned as it is."""
    if text is None:
        return ""
    try:
        return msgspec.json.format(text.encode(), indent=2).decode()
    except msgspec.DecodeError:
        return text
