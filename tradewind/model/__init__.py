"""Plain data that every floor shares: states and their moves, events, specs, orders. Imports nothing else of ours."""
