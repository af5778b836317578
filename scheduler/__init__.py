"""Deciding what runs when: DAG files, planner, admission, the scheduler loop, recovery."""
