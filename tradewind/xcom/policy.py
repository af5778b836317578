"""How large may an XCom be, and where do larger ones go?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

DEFAULT_MAX_INLINE_BYTES: Final = 16 * 2**20


@dataclass(frozen=True, slots=True)
class XComPolicy:
    """``[core] xcom_max_inline_bytes`` and ``[core] xcom_object_store`` (an fsspec URL; None refuses larger ones)."""

    max_inline_bytes: int = DEFAULT_MAX_INLINE_BYTES
    object_store: str | None = None

    @classmethod
    def from_config(cls, config: Any) -> XComPolicy:
        """Take the two options from a loaded configuration (``tradewind.config``)."""
        return cls(config.core.xcom_max_inline_bytes, config.core.xcom_object_store or None)
