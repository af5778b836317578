"""The metadata DB: models, and every SQL statement of Tradewind. Rows do not travel: callers get plain data."""
