"""``tradewind cluster``: the processes of a whole installation on one machine, as they would stand on many."""
