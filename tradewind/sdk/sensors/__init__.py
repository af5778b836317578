"""The sensors that every installation has: tasks that wait for something outside the run."""
