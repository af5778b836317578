"""How do files written for Airflow find Tradewind? ``install()`` lets ``import airflow...`` resolve to it."""

from __future__ import annotations

from tradewind.compat.finder import install as install
from tradewind.compat.finder import uninstall as uninstall
