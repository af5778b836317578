"""Ways to run a task: the executor contract, the supervisor with its warm processes, the Local and Celery executors."""
