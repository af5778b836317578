"""Running attempts on many machines: a real Celery application, whose messages are doorbells and no more."""
