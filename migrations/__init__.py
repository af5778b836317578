"""Alembic revisions of the metadata DB."""
