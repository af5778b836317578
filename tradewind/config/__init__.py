"""How is Tradewind configured? ``load_config(os.environ)`` reads defaults, ``airflow.cfg`` and the environment."""

from __future__ import annotations

from tradewind.config.keys import Secrets, ensure_secrets, with_secrets
from tradewind.config.load import home_folder, load_config
from tradewind.config.sections import SECTIONS, Config, Source

__all__ = ["SECTIONS", "Config", "Secrets", "Source", "ensure_secrets", "home_folder", "load_config", "with_secrets"]
