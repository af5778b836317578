"""How is the past filled? Which dates a backfill is about, how it is created, and how it goes on, run by run."""
