"""What a DAG file is written with, and what runs one task of it. Never reaches the metadata DB or the scheduler.

Users import from ``tradewind``; the modules here are where those names live. Two things stand between this package and
the rest: ``serialize.to_spec`` (a DAG as plain data) and ``channel.TaskChannel`` (what a running task may ask for).
"""
