"""``python -m tradewind.cli``: the command where it is not on the search path."""

from __future__ import annotations

from tradewind.cli import main

main(prog_name="tradewind")
