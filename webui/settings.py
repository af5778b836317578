"""What of the configuration does the web UI need? A small frozen part of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from tradewind.config import Config

STREAMS_PER_PROCESS: Final = 64
"""Open live connections that one process holds; each costs a sleeping thread, about 35 KB."""


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Settings of the web UI, checked by the configuration."""

    secret_key: str
    session_lifetime: timedelta
    time_zone: str
    base_path: str  # "" or "/prefix", when it is served below a path of somebody else's address
    is_https: bool

    @classmethod
    def of(cls, config: Config) -> WebSettings:
        """Return the settings that ``config`` gives."""
        address = urlsplit(config.api.base_url)
        return cls(
            secret_key=config.api.secret_key,
            session_lifetime=timedelta(hours=config.api.session_hours),
            time_zone=config.core.default_timezone,
            base_path=address.path.rstrip("/"),
            is_https=address.scheme == "https" or config.api.ssl_cert is not None,
        )
