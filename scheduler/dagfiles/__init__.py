"""DAG files: find them, watch them, read them in processes of their own, store what they say."""
