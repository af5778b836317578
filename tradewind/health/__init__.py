"""Is this process well? What its loops say of themselves, and the small HTTP server that tells it to probes."""
