"""Which formats of a param's JSON schema are checked? Always the same, whatever else is installed."""

from __future__ import annotations

from typing import Final

FORMATS: Final = ("date", "email", "idn-email", "ipv4", "ipv6", "regex", "time", "uuid")
"""Those for which jsonschema needs no further package.

It checks others as soon as some package happens to be installed, and the same conf would then be right on one machine
and wrong on another. Airflow does not check those either. A time is HH:MM:SS without a zone, as there.
"""
