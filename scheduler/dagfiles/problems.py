"""How is a failed import told to the one who wrote the file? One line, the line in the file, and their own frames."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from types import TracebackType

from tradewind.model.parsed import FileError

MAX_MESSAGE: int = 2000
_MAX_FRAMES: int = 50


def describe(
    error: BaseException, path: str, folder: str, mend: str = "", redact: Callable[[str], str] = str
) -> FileError:
    """Return what is to be shown of an error that the import of ``path`` raised.

    Args:
        folder: the DAG folder; frames of files below it are kept, those of libraries and of Tradewind are left out.
        mend: a sentence about what to do, when the error does not say.
        redact: takes secrets out of a text. Before it is cut: a half of a secret would not be known for one.
    """
    text = " ".join(redact(str(error)).split())
    message = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        message = f"SyntaxError: {error.msg} ({error.filename.removeprefix(folder).lstrip('/')}, line {error.lineno})"
    if len(message) > MAX_MESSAGE:
        message = f"{message[:MAX_MESSAGE]}..."
    mend = mend or _mend_of(error, folder)
    trace = redact("\n".join(_trimmed(error, path, folder)))
    return FileError(f"{message} {mend}".strip(), _line_in(error, path), trace)


def _mend_of(error: BaseException, folder: str) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"Modules are looked for in {folder} and among the installed packages: install it, or put it there."
    if isinstance(error, SystemExit):
        return "A DAG file must not end its process while it is imported: take the exit out, or move it into a task."
    if isinstance(error, RecursionError):
        return "Look for a function or module that calls itself without end."
    return ""


def _line_in(error: BaseException, path: str) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == path:
        return error.lineno
    lines = [frame.lineno for frame in _frames(error.__traceback__) if frame.filename == path]
    return lines[-1] if lines else None


def _trimmed(error: BaseException, path: str, folder: str) -> Iterator[str]:
    """Give the error and what it came from, the outermost cause first, as Python prints them."""
    chain = list(_chain(error))
    for number, (link, joint) in enumerate(reversed(chain)):
        frames = _frames(link.__traceback__)
        own = [frame for frame in frames if frame.filename == path or frame.filename.startswith(f"{folder}/")]
        if own:
            yield "Traceback (of your own files, most recent call last):"
            yield "".join(traceback.format_list(own[-_MAX_FRAMES:])).rstrip("\n")
        yield "".join(traceback.format_exception_only(link)).rstrip("\n")
        if number < len(chain) - 1:
            yield f"\n{joint}\n"


def _chain(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """Give the error, then its causes, each with the words that lead from it to the one given before."""
    seen: set[int] = set()
    joint, link = "", error
    while id(link) not in seen:
        seen.add(id(link))
        yield link, joint
        if link.__cause__ is not None:
            joint, link = "That was the cause of:", link.__cause__
        elif link.__context__ is not None and not link.__suppress_context__:
            joint, link = "While that was handled:", link.__context__


def _frames(trace: TracebackType | None) -> traceback.StackSummary:
    return traceback.extract_tb(trace)
