"""Whom does a broker have to prove itself to be? Read from its address: ``rediss://`` and ``amqps://`` are verified.

The libraries below trust any certificate when an address says nothing. ``?ssl_ca_certs=/path`` names an authority of
one's own, ``?ssl_cert_reqs=none`` trusts anybody.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from tradewind.errors import UsageError

_REQUIREMENTS: Final[Mapping[str, ssl.VerifyMode]] = {
    "required": ssl.CERT_REQUIRED,
    "cert_required": ssl.CERT_REQUIRED,
    "none": ssl.CERT_NONE,
    "cert_none": ssl.CERT_NONE,
}
_OURS: Final[tuple[str, ...]] = ("ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


def broker_tls(url: str) -> tuple[str, dict[str, Any] | None]:
    """Return an address without what it says of TLS, and what Celery's ``broker_use_ssl`` is to be; None: no TLS.

    Raises:
        UsageError: ``ssl_cert_reqs`` is something else.
    """
    first, *others = url.split(";")
    parts = urlsplit(first)
    if parts.scheme not in ("rediss", "amqps"):
        return url, None
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    given = {name: query.pop(name) for name in _OURS if name in query}
    wish = given.pop("ssl_cert_reqs", "required")
    if wish.lower() not in _REQUIREMENTS:
        raise UsageError(
            f"[celery] broker_url says ssl_cert_reqs={wish}; expected required, or none to trust any certificate."
        )
    options: dict[str, Any] = {"ssl_cert_reqs": _REQUIREMENTS[wish.lower()], **given}
    must_prove = options["ssl_cert_reqs"] is ssl.CERT_REQUIRED
    if parts.scheme == "amqps":
        options = {name.removeprefix("ssl_"): value for name, value in options.items()}
        if must_prove:
            options["server_hostname"] = None  # the host of the address
    elif must_prove:
        options["ssl_check_hostname"] = True
    plain = parts._replace(query=urlencode(query)).geturl()
    return ";".join([plain, *(other.partition("?")[0] for other in others)]), options
