"""The tables of Airflow's names. Data only; see ``names`` for how they are read."""

from __future__ import annotations
