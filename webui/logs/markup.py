"""How does a log line look? Time, level, message; colours of terminals; folded groups; links."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from markupsafe import escape

CHUNK: Final = 250
"""Lines in one block; the browser lays out only the blocks that are in view."""

_HEAD: Final = re.compile(
    r"\[(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]?\d*(?:Z|[+-]\d\d:?\d\d)?)\] "
    r"(?:\{[^}]*\} )?([A-Z]{4,8})\b(?: - |: | )?(.*)",
    re.S,
)
_ANSI: Final = re.compile(r"\x1b\[([0-9;]*)m|\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07?|[\x00-\x08\x0b-\x1a\x1c-\x1f]")
_URL: Final = re.compile(r"https?://[^\s<>&;\"'()\[\]{}]+[^\s<>&;\"'()\[\]{}.,:!?]")
_GROUP: Final = re.compile(r"::(group|endgroup)::\s*(.*)")
_LEVELS: Final = {
    "DEBUG": "d", "INFO": "i", "WARNING": "w", "WARN": "w", "ERROR": "e", "CRITICAL": "e", "FATAL": "e",
}  # fmt: skip
_COLOURS: Final = ("k", "r", "g", "y", "b", "m", "c", "w")


class LogMarkup:
    """Turns lines into HTML, remembering what goes over line ends: the level of a traceback, open groups."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self.level = "i"
        self.first_error: int | None = None
        self.errors = 0
        self.warnings = 0

    def html(self, lines: Iterable[str], first_line: int) -> str:
        """Return the lines as blocks of rows. All text is escaped.

        A group that holds an error is open, the others are folded. Groups still open at the end are closed there.
        """
        out: list[str] = []
        groups: list[int] = []  # where in ``out`` the groups that are open now begin
        rows = 0
        for number, line in enumerate(lines, start=first_line):
            if rows == 0:
                out.append('<div class="chunk">')
            rows += 1
            errors = self.errors
            out.append(self._line(line, number, groups, len(out)))
            if self.errors > errors:
                for place in groups:
                    out[place] = out[place].replace("<details id=", "<details open id=", 1)
            if rows >= CHUNK and not groups:
                out.append("</div>")
                rows = 0
        out.append("</details>" * len(groups))
        if rows:
            out.append("</div>")
        return "".join(out)

    def _line(self, line: str, number: int, groups: list[int], place: int) -> str:
        head = _HEAD.match(line)
        stamp, badge, text = "", "", line
        if head:
            stamp, self.level, text = self._stamp(head[1]), _LEVELS.get(head[2], "i"), head[3]
            if self.level != "i":
                badge = f"<b>{escape(head[2])}</b> "
            self._tally(number)
        elif line.startswith("Traceback (most recent call last)") and self.level != "e":
            self.level = "e"
            self._tally(number)
        group = _GROUP.search(text)
        if group:
            return self._group(group[1], group[2], number, groups, place)
        row = f'<p id="L{number}" class="{self.level}"><a href="#L{number}">{number}</a>'
        return f"{row}{stamp}<span>{badge}{to_html(text)}</span></p>"

    def _tally(self, number: int) -> None:
        if self.level == "e":
            self.errors += 1
            self.first_error = self.first_error or number
        elif self.level == "w":
            self.warnings += 1

    def _stamp(self, text: str) -> str:
        try:
            at = datetime.fromisoformat(text.replace(",", "."))
        except ValueError:
            return f"<time>{escape(text)}</time>"
        if at.tzinfo is not None:
            at = at.astimezone(self.zone)
        return f'<time title="{at.isoformat()}">{at:%H:%M:%S}.{at.microsecond // 1000:03d}</time>'

    def _group(self, kind: str, title: str, number: int, groups: list[int], place: int) -> str:
        if kind == "group":
            groups.append(place)
            return f'<details id="L{number}"><summary>{escape(title or "group")}</summary>'
        if groups:
            groups.pop()
            return "</details>"
        return ""


def to_html(text: str) -> str:
    """Return text as HTML: escaped, terminal colours as classes, other control codes gone, addresses as links."""
    if "\x1b" not in text and text.isprintable():
        return _linked(str(escape(text)))
    out: list[str] = []
    at, style = 0, ""
    for code in _ANSI.finditer(text):
        out.append(_styled(text[at : code.start()], style))
        at = code.end()
        if code[1] is not None:
            style = _style(style, code[1])
    out.append(_styled(text[at:], style))
    return "".join(out)


def _styled(text: str, style: str) -> str:
    if not text:
        return ""
    html = _linked(str(escape(text)))
    return f'<i class="{style}">{html}</i>' if style else html


def _linked(html: str) -> str:
    if "://" not in html:
        return html
    return _URL.sub(lambda url: f'<a rel="noreferrer noopener" target="_blank" href="{url[0]}">{url[0]}</a>', html)


def _style(before: str, codes: str) -> str:
    """Return the classes after an SGR code: bold, dim, italic, underline, and the 16 foreground colours."""
    classes = before.split()
    for code in (int(part or 0) for part in codes.split(";")):
        if code == 0:
            classes = []
        elif code in (1, 2, 3, 4):
            classes.append(f"a{code}")
        elif 30 <= code <= 37 or 90 <= code <= 97:
            classes = [name for name in classes if not name.startswith("f-")]
            classes.append(f"f-{_COLOURS[code % 10]}")
        elif code == 39:
            classes = [name for name in classes if not name.startswith("f-")]
    return " ".join(dict.fromkeys(classes))
