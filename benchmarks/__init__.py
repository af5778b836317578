"""Measures Tradewind side by side with Apache Airflow. ``python -m benchmarks --help``; never part of the tests."""
