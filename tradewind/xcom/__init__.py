"""How does a value travel from one task to another? As JSON text that gives back exactly what was put in.

``encode`` and ``decode`` are the whole of it for most callers; ``store`` adds the size limit and the object store.
"""

from __future__ import annotations

from tradewind.xcom.errors import XComDecodeError as XComDecodeError
from tradewind.xcom.errors import XComEncodeError as XComEncodeError
from tradewind.xcom.errors import XComError as XComError
from tradewind.xcom.errors import XComTooLarge as XComTooLarge
from tradewind.xcom.policy import XComPolicy as XComPolicy
from tradewind.xcom.serde import decode as decode
from tradewind.xcom.serde import encode as encode
from tradewind.xcom.store import check_size as check_size
