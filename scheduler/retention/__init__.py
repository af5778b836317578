"""What becomes of what is old? It is removed, in small steps beside the normal work. See ``docs/retention.md``."""
