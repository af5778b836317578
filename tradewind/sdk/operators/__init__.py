"""The operators that every installation has: Python, Bash, Empty."""
