"""What can go wrong with an XCom?"""

from __future__ import annotations

from tradewind.errors import TradewindError


class XComError(TradewindError):
    """An XCom cannot be stored or read."""

    code = "xcom"


class XComEncodeError(XComError):
    """A value has a type, or a content, that cannot be stored so that it comes back the same."""

    code = "xcom-encode"


class XComDecodeError(XComError):
    """A stored XCom cannot be turned back into a value, e.g. since its class is gone."""

    code = "xcom-decode"


class XComTooLarge(XComError):
    """A value is larger than the limit, and there is no object store for large ones."""

    code = "xcom-too-large"
