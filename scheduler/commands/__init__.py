"""``tradewind dags``, ``tasks``, ``scheduler`` and ``why``: thin; they parse, call and print."""
