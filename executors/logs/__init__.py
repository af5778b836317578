"""Where do logs of tasks go, and where are they read? Files beside the task, copied to a log store while they grow."""
