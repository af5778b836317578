"""A DAG run in memory: its graph, and its state as the fold of its events. Pure: no I/O, no clock, no randomness."""
