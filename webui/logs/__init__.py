"""How is a task log read and shown? A window of the file at a time, however large the file is."""
