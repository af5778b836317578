"""The hooks that every installation has: how tasks reach other systems."""
