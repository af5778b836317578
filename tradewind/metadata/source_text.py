"""How is the text of a DAG file kept in a text column, so that exactly its bytes come back?

Python lets a file name its own encoding in one of its first two lines. That line is part of the text, so the text alone
says how to turn it into bytes again.
"""

from __future__ import annotations

import io
import tokenize

from tradewind.errors import DagError


def decode_source(source: bytes) -> str:
    """Return the text of a DAG file.

    Raises:
        DagError: the bytes are not text in the encoding that the file names (UTF-8 when it names none), or would not
            come back the same from the metadata DB.
    """
    try:
        encoding = _encoding_of(source)
    except DagError:
        encoding = "utf-8"
        if _is_utf8(source):
            raise
    try:
        text = source.decode(encoding)
    except UnicodeDecodeError as error:
        line = source[: error.start].count(b"\n") + 1
        raise DagError(
            f"The file is not {encoding} text: byte 0x{source[error.start]:02x} in line {line}. Save it as UTF-8, or "
            "name its encoding in the first line, e.g. `# -*- coding: latin-1 -*-`."
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DagError(f"The file holds a NUL byte in line {line}. Save it as text.")
    if text.encode(encoding) != source:
        raise DagError(f"The file cannot be kept exactly in its encoding {encoding}. Save it as UTF-8.")
    return text


def encode_source(text: str) -> bytes:
    """Return the bytes that :func:`decode_source` was given."""
    head = "".join(text.splitlines(keepends=True)[:2]).encode("utf-8", "replace")
    return text.encode(_encoding_of(head))


def _is_utf8(source: bytes) -> bool:
    try:
        source.decode()
    except UnicodeDecodeError:  # then the bytes are to blame, and it can be said which
        return False
    return True


def _encoding_of(source: bytes) -> str:
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    except SyntaxError as error:
        message = error.msg.removesuffix(" for <filename>")
        raise DagError(f"The file is not text that Python can read: {message}. Save it as UTF-8.") from error
    # utf-8-sig would drop the byte order mark; as plain UTF-8 it stays, as the first character.
    return "utf-8" if encoding == "utf-8-sig" else encoding
