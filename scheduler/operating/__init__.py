"""What do people do to runs: clear, mark, hold, release, replay? From their wish to what follows from it."""
