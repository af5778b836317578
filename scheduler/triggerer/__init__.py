"""Who runs the triggers of tasks that wait? A host, which claims waits, and a process below it with user code."""
