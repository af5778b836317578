"""What do the pages of the web UI read? Each page a few statements, whose cost depends on what is shown."""
