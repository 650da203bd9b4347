"""Measurements against the peers; `run.py` makes the data, runs all rows and prints the table."""
