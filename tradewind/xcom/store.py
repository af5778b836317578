"""Where does an XCom live? In the metadata DB up to a limit, in an object store above it, when there is one."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tradewind.model.orders import XComValue
from tradewind.xcom.errors import XComDecodeError, XComError, XComTooLarge
from tradewind.xcom.policy import XComPolicy
from tradewind.xcom.serde import decode, encode


def check_size(text: str, limit: int, what: str = "The value") -> int:
    """Return the size of ``text`` in bytes (UTF-8).

    Raises:
        XComTooLarge: it is larger than ``limit``.
    """
    size = len(text.encode())
    if size > limit:
        raise XComTooLarge(
            f"{what} is {size:,} bytes as JSON; at most {limit:,} are kept in the metadata DB. "
            "Return something smaller, such as a path, or set [core] xcom_object_store so that large values go there."
        )
    return size


def pack(key: str, value: Any, policy: XComPolicy, place: tuple[str, ...], what: str) -> XComValue:
    """Return ``value`` as it is stored; puts it into the object store when it is too large to be kept inline.

    Args:
        key: the XCom's key.
        value: anything that ``encode`` takes.
        policy: limit and object store.
        place: path segments that are unique to the attempt (DAG, run, task, index, try).
        what: how errors call the value.

    Raises:
        XComError: it cannot be encoded, is too large, or the object store refuses it.
    """
    text = encode(value, what)
    size = len(text.encode())
    if size <= policy.max_inline_bytes or not policy.object_store:
        check_size(text, policy.max_inline_bytes, what)
        return XComValue(key=key, value=text, size_bytes=size)
    segments = "/".join(quote(segment, safe="") for segment in (*place, f"{key}.json"))
    url = f"{policy.object_store.rstrip('/')}/{segments}"
    _write(url, text.encode(), what)
    return XComValue(key=key, location=url, size_bytes=size)


def unpack(value: str | None, location: str | None) -> Any:
    """Return the value of a stored XCom, read from the object store when it lives there.

    Raises:
        XComDecodeError: it cannot be read or turned back.
    """
    if location is None:
        return None if value is None else decode(value)
    # Late: fsspec is needed only where an object store is configured.
    import fsspec

    try:
        with fsspec.open(location, "rb") as file:
            text = file.read().decode()
    except Exception as error:  # fsspec's back ends raise errors of many families
        raise XComDecodeError(
            f"The XCom at {location} cannot be read: {type(error).__name__}: {error}. "
            "Check that the object store is reachable and that nobody removed the file."
        ) from error
    return decode(text)


def _write(url: str, data: bytes, what: str) -> None:
    import fsspec

    try:
        with fsspec.open(url, "wb", auto_mkdir=True) as file:
            file.write(data)
    except TypeError:  # a back end that knows no auto_mkdir has no folders to make
        with fsspec.open(url, "wb") as file:
            file.write(data)
    except Exception as error:  # fsspec's back ends raise errors of many families
        raise XComError(
            f"{what} cannot be written to {url}: {type(error).__name__}: {error}. "
            "Check [core] xcom_object_store and that it is writable."
        ) from error
