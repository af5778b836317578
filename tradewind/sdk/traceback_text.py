"""How is a failure shown to the person whose code failed? Its own frames, without those of the machinery around it."""

from __future__ import annotations

import os
import traceback
from typing import Final

_OURS: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep
_MAX_LINE: Final = 1_000


def one_line(error: BaseException) -> str:
    """Return ``Type: message``, on one line of at most 1,000 characters."""
    message = " ".join(str(error).split())
    line = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return line if len(line) <= _MAX_LINE else line[: _MAX_LINE - 3] + "..."


def user_traceback(error: BaseException) -> str:
    """Return the traceback from the user's first frame on; whole when no frame is the user's."""
    shown = traceback.TracebackException.from_exception(error)
    frames = shown.stack
    first = next((i for i, frame in enumerate(frames) if not frame.filename.startswith(_OURS)), 0)
    shown.stack = traceback.StackSummary.from_list(list(frames)[first:])
    return "".join(shown.format()).rstrip()
