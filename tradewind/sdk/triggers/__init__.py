"""What may a task wait for without a slot? Triggers: small async watchers that many share one process."""
