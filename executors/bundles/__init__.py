"""The DAG folder as it was when a run began, on the disk of whoever runs its tasks."""
