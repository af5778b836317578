"""A worker: a supervisor that stands on its own, away from the scheduler, and takes its work from the metadata DB."""
