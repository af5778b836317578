"""What the tests share: real PostgreSQL and Redis servers, databases of their own, waiting with a deadline."""
