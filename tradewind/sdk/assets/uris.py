"""When do two URIs name the same asset? When they are the same once normalised, as Airflow does it."""

from __future__ import annotations

import warnings
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from tradewind.sdk.exceptions import DagArgumentError

RESERVED_SCHEME = "airflow"


def normalised_uri(uri: str) -> str:
    """Return ``uri`` in the one form that it is stored in.

    The scheme is lowered, a user with a password is cut off, the query is sorted, slashes at the end become none but
    the first, and a fragment is dropped. A text without a scheme, and one whose scheme begins with ``x-``, stays.

    Raises:
        DagArgumentError: the scheme is ``airflow``, which is reserved.
        ValueError: it cannot be read as a URI at all.
    """
    parts = urlsplit(uri)
    scheme = parts.scheme.lower()
    if not scheme or scheme.startswith("x-"):
        return uri
    if scheme == RESERVED_SCHEME:
        raise DagArgumentError(f"Asset {uri!r}: the scheme 'airflow' is reserved. Use another, or a name without one.")
    place = parts.netloc
    if parts.password:
        warnings.warn(
            f"The URI of an asset should not hold a password. The user was cut off: {scheme}://"
            f"{place.rpartition('@')[2]}{parts.path}",
            UserWarning,
            stacklevel=4,
        )
        place = place.rpartition("@")[2]
    query = urlencode(sorted(parse_qsl(parts.query))) if parts.query else ""
    return urlunsplit((scheme, place, parts.path.rstrip("/") or "/", query, ""))
