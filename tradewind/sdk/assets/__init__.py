"""Assets in DAG files: what they are called, who updates them, who waits for them, and what tasks see of them."""
